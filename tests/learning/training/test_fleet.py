"""Many fits at once: closed-form least squares, derivatives by differences, independent fits, complex weights."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from polygeom.testing.zoo import ZOO

torch = pytest.importorskip("torch", reason="fits need the extra learn")

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.thresholds.ranks import evaluation_jacobian  # noqa: E402
from polygeom.learning.training import levenberg_marquardt  # noqa: E402
from polygeom.learning.training.fleet import _Run, fit_fleet, fleet_outputs, generic_points, random_starts  # noqa: E402
from polygeom.network import Network, parse  # noqa: E402

TRAINABLE = [network for network in ZOO if network.parameter_count]


def data(network: Network, fits: int, samples: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn((fits, samples, *network.input_shape), generator=generator, dtype=torch.float64)
    return x, torch.randn((fits, samples, *network.output_shape), generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("network", TRAINABLE, ids=str)
def test_derivatives_are_those_of_single_networks(network: Network) -> None:
    x, y = data(network, 3, 4)
    starts = random_starts(network, 3, rng=1)
    found = _Run(network, x, y, starts, frozenset(), 0.0)._jacobian()
    for b in range(3):
        own = {name: w[b] for name, w in starts.items()}
        torch.testing.assert_close(found[b], evaluation_jacobian(network, own, x[b]), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_starts_have_outputs_of_moderate_size(dtype: torch.dtype) -> None:
    for text in ("[3,4,2] r=2", "[2,3,3,1] r=3", "ccp(3,rank=4,degree=3)"):
        network = parse(text)
        x = generic_points(network, (50, 200), torch.Generator().manual_seed(0)).to(dtype)
        sizes = fleet_outputs(network, random_starts(network, 50, rng=2, dtype=dtype), x)
        assert 0.3 < sizes.abs().square().mean(dim=(1, 2)).sqrt().median() < 3


def test_complex_derivatives_by_differences() -> None:
    network = parse("[2,3,2] r=3 bias")
    x, y = data(network, 2, 5)
    starts = random_starts(network, 2, rng=3, dtype=torch.complex128)
    starts["b1"] = starts["b1"] + 0.3j
    found = _Run(network, x, y, starts, frozenset(("W2",)), 0.0)._jacobian()
    free = [name for name in network.parameters if name != "W2"]
    columns = []
    for name in free:
        for k in range(starts[name][0].numel()):
            step = torch.zeros_like(starts[name]).reshape(2, -1)
            step[:, k] = 1e-6 * (0.6 + 0.8j)
            shift = {name: step.reshape(starts[name].shape)}
            ends = [fleet_outputs(network, starts | {name: starts[name] + s * shift[name]}, x + 0j) for s in (1, -1)]
            columns.append(((ends[0] - ends[1]) / (2e-6 * (0.6 + 0.8j))).reshape(2, -1))
    torch.testing.assert_close(found, torch.stack(columns, dim=2), rtol=1e-7, atol=1e-7)


def test_linear_least_squares_in_closed_form() -> None:
    network = parse("[4,2] r=1")
    x, y = data(network, 6, 9)
    fleet = fit_fleet(network, x, y, random_starts(network, 6))
    assert set(fleet.states) <= {"stationary", "stalled"}
    for b in range(6):
        best = torch.linalg.lstsq(x[b], y[b])
        torch.testing.assert_close(fleet.weights["W1"][b], best.solution.T, rtol=1e-7, atol=1e-7)
        assert fleet.losses[b] == pytest.approx(float((x[b] @ best.solution - y[b]).square().mean()), rel=1e-12)


def test_low_rank_least_squares_is_eckart_young() -> None:
    """Over whitened inputs the best matrix of bounded rank is a truncated singular value decomposition."""
    network = parse("[4,1,3] r=1")
    x = torch.eye(4, dtype=torch.float64).expand(20, 4, 4) * 2.0
    _, y = data(network, 1, 4, seed=5)
    fleet = fit_fleet(network, x, y.expand(20, 4, 3), random_starts(network, 20))
    values = torch.linalg.svdvals(y[0])
    assert float(fleet.losses.min()) == pytest.approx(float(values[1:].square().sum() / 12), rel=1e-10)


def test_fits_do_not_influence_each_other() -> None:
    network = parse("[3,3,1] r=2 bias")
    x, y = data(network, 5, 8)
    starts = random_starts(network, 5, rng=4)
    together = fit_fleet(network, x, y, starts, steps=40)
    for b in (0, 3):
        one = slice(b, b + 1)
        alone = fit_fleet(network, x[one], y[one], {name: w[one] for name, w in starts.items()}, steps=40)
        assert alone.states[0] == together.states[b]
        assert abs(int(alone.steps[0]) - int(together.steps[b])) <= 1
        assert float(alone.losses[0]) == pytest.approx(float(together.losses[b]), rel=1e-3, abs=1e-20)


def test_the_fit_of_one_network_finds_the_same_minimum() -> None:
    network = parse("[3,2,1] r=2")
    x, y = data(network, 1, 12)
    module = network.to_torch(rng=2)
    starts = {name: w.detach().clone().unsqueeze(0) for name, w in module.named_parameters()}
    fleet = fit_fleet(network, x, y, starts)
    single = levenberg_marquardt(module, x[0], y[0])
    assert float(fleet.losses[0]) == pytest.approx(single.loss, rel=1e-9)


def test_no_step_raises_the_loss() -> None:
    network = parse("[3,2,2] r=3")
    x, y = data(network, 8, 12)
    starts = random_starts(network, 8, rng=6)
    losses = [fit_fleet(network, x, y, starts, steps=steps).losses for steps in range(0, 24, 2)]
    assert all((after <= before).all() for before, after in itertools.pairwise(losses))
    assert (losses[-1] < losses[0]).all()


def test_teachers_are_interpolated_and_fixed_weights_stay() -> None:
    network = parse("[3,4,1] r=2")
    x, _ = data(network, 6, 7)
    ones = torch.ones((6, 1, 4), dtype=torch.float64)
    y = fleet_outputs(network, random_starts(network, 6, rng=9) | {"W2": ones}, x)
    fleet = fit_fleet(network, x, y, random_starts(network, 6) | {"W2": ones}, fixed=["W2"])
    assert fleet.reached.all()
    assert torch.equal(fleet.weights["W2"], ones)
    torch.testing.assert_close(fleet_outputs(network, fleet.weights, x), y, rtol=1e-9, atol=1e-9)
    assert list(fleet.weights) == ["W1", "W2"]
    again = fit_fleet(network, x, y, fleet.weights)
    assert again.steps.tolist() == [0] * 6
    torch.testing.assert_close(fleet.outputs(x[0])[0], y[0], rtol=1e-9, atol=1e-9)


def test_a_sum_of_squares_with_negative_values_needs_complex_weights() -> None:
    network = parse("[1,1,1] r=2")
    x = torch.full((4, 1, 1), 2.0, dtype=torch.float64)
    y = torch.full((4, 1, 1), -3.0, dtype=torch.float64)
    one = {"W2": torch.ones((4, 1, 1), dtype=torch.float64)}
    real = fit_fleet(network, x, y, random_starts(network, 4) | one, fixed=["W2"])
    assert not real.reached.any()
    starts = random_starts(network, 4, dtype=torch.complex128) | {"W2": one["W2"] + 0j}
    found = fit_fleet(network, x, y, starts, fixed=["W2"])
    assert found.reached.all()
    np.testing.assert_allclose(found.weights["W1"].squeeze().numpy() ** 2, -0.75, rtol=1e-10)


def test_starts_that_are_not_finite_are_left_alone() -> None:
    starts = random_starts("[2,2,1] r=2", 2)
    starts["W1"][1, 0, 0] = np.nan
    x, y = data(parse("[2,2,1] r=2"), 2, 3)
    assert fit_fleet("[2,2,1] r=2", x, y, starts).states.tolist()[1] == "stalled"


def test_bad_arguments_are_explained() -> None:
    network = parse("[2,2,1] r=2")
    x, y = data(network, 2, 3)
    starts = random_starts(network, 2)
    with pytest.raises(PolygeomError, match="starts must name exactly W1, W2"):
        fit_fleet(network, x, y, {"W1": starts["W1"]})
    with pytest.raises(PolygeomError, match="fixed some but not all"):
        fit_fleet(network, x, y, starts, fixed=["W1", "W2"])
    with pytest.raises(PolygeomError, match="one entry for each of the 2 fits"):
        fit_fleet(network, x, y, random_starts(network, 3))
    with pytest.raises(PolygeomError, match=r"inputs and targets must have shapes \(B, N, 2\) and \(B, N, 1\)"):
        fit_fleet(network, x, y[:, :2], starts)
    with pytest.raises(PolygeomError, match="all float64 or all complex128"):
        fit_fleet(network, x, y, {name: w.float() for name, w in starts.items()})
