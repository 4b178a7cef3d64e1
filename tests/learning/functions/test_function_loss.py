from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="learning needs the extra learn")

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.functions.coefficient_map import coefficient_jacobian, coefficients  # noqa: E402
from polygeom.learning.functions.function_loss import (  # noqa: E402
    BOUNDARY,
    CRITICAL,
    SINGULAR,
    UNFINISHED,
    FunctionLoss,
    _adam,
    _damped,
    descend,
    distinct,
    initial_weights,
    label,
)
from polygeom.learning.training.least_squares import levenberg_marquardt  # noqa: E402
from polygeom.network import Network, parse  # noqa: E402

NETWORKS = ("[2,2,3] r=2", "[2,2,2,1] r=2", "[3,2,1] r=2", "[2,2,1] r=3 bias", "ccp [2,3,1] degree=3")


def noise(network: Network, samples: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn((samples, *network.input_shape), generator=generator, dtype=torch.float64)
    return x, torch.randn((samples, *network.output_shape), generator=generator, dtype=torch.float64)


def with_weights(network: Network, flat: torch.Tensor) -> torch.nn.Module:
    module = network.to_torch(initialisation="zero")
    torch.nn.utils.vector_to_parameters(flat.clone(), module.parameters())
    return module


def readable(text: str) -> bool:
    try:
        parse(text)
    except PolygeomError:
        return False
    return True


@pytest.mark.parametrize("text", [text for text in NETWORKS if readable(text)])
@pytest.mark.parametrize("samples", [2, 30])
def test_the_value_is_the_mean_squared_error_on_the_data(text: str, samples: int) -> None:
    network = parse(text)
    x, y = noise(network, samples, 0)
    loss = FunctionLoss.of(network, x, y)
    weights = initial_weights(network, 3, rng=1)
    residuals = torch.func.vmap(loss.residual)(weights)
    for row, function, residual in zip(weights, loss.functions(weights), residuals, strict=True):
        module = with_weights(network, row)
        expected = torch.nn.functional.mse_loss(module(x), y)
        torch.testing.assert_close(loss.value(function), expected)
        torch.testing.assert_close(residual.square().sum() / loss.count + loss.floor, expected)
        torch.testing.assert_close(function, coefficients(network, dict(module.named_parameters())))
    assert loss.determined == (samples > 2)


def test_initial_weights_are_those_of_modules() -> None:
    network = parse("[2,2,3] r=2")
    weights = initial_weights(network, 4, rng=3)
    seeds = np.random.default_rng(3).integers(0, 2**31, 4).tolist()
    for row, seed in zip(weights, seeds, strict=True):
        assert torch.equal(row, torch.nn.utils.parameters_to_vector(network.to_torch(rng=seed).parameters()))


@pytest.mark.thorough
def test_descents_reach_the_loss_of_least_squares_on_the_data() -> None:
    network = parse("[2,2,3] r=2")
    x, y = noise(network, 40, 1)
    loss = FunctionLoss.of(network, x, y)
    start = initial_weights(network, 2, rng=0)
    ends = label(loss, descend(loss, start, steps=100, polish=50))
    assert set(ends.labels) == {CRITICAL}
    for row, value in zip(start, ends.losses, strict=True):
        module = with_weights(network, row)
        levenberg_marquardt(module, x, y, steps=150)
        assert torch.nn.functional.mse_loss(module(x), y).item() == pytest.approx(float(value), rel=1e-9)
    assert float(ends.slope.max()) < 1e-12


@pytest.mark.thorough
def test_a_descent_never_rises() -> None:
    network = parse("[2,2,1] r=3")
    loss = FunctionLoss.of(network, *noise(network, 20, 2))
    weights = 2 * initial_weights(network, 10, rng=0)
    for full in (False, True):
        before = loss.value(loss.functions(weights))
        for steps in (1, 2, 3, 6, 12):
            after = loss.value(loss.functions(_damped(loss, weights, full, steps)))
            assert bool((after <= before + 1e-12).all())
            before = after
    start = loss.value(loss.functions(weights))
    assert bool((loss.value(loss.functions(descend(loss, weights, steps=3, polish=3))) <= start + 1e-12).all())


def test_adam_on_functions_is_adam_on_the_data() -> None:
    network = parse("[2,2,3] r=2")
    x, y = noise(network, 30, 4)
    loss = FunctionLoss.of(network, x, y)
    start = initial_weights(network, 2, rng=0)
    ends = _adam(loss, start, 20)
    # the gradients of separate descents do not mix, and Adam acts entry by entry
    for row, end in zip(start, ends, strict=True):
        module = with_weights(network, row)
        adam = torch.optim.Adam(module.parameters(), lr=0.01)
        for _ in range(20):
            adam.zero_grad()
            torch.nn.functional.mse_loss(module(x), y).backward()
            adam.step()
        torch.testing.assert_close(torch.nn.utils.parameters_to_vector(module.parameters()), end)


def test_slope_and_cancellation_by_plain_linear_algebra() -> None:
    network = parse("[2,2,3] r=2")
    loss = FunctionLoss.of(network, *noise(network, 30, 5))
    weights = initial_weights(network, 4, rng=2)
    ends = label(loss, weights)
    for k, row in enumerate(weights):
        jacobian = np.stack(
            [
                (loss.residual(row + step) - loss.residual(row - step)).numpy() / 2e-5
                for step in 1e-5 * torch.eye(len(row), dtype=row.dtype)
            ],
            axis=1,
        )
        residual = loss.residual(row).numpy()
        nearest = jacobian @ np.linalg.lstsq(jacobian, residual, rcond=1e-7)[0]
        assert float(ends.slope[k]) == pytest.approx(np.linalg.norm(nearest) / np.linalg.norm(residual), rel=1e-6)
        module = with_weights(network, row)
        named = dict(module.named_parameters())
        derivative = coefficient_jacobian(network, named, system="plain").detach()
        size = coefficients(network, named).norm()
        cancellation = ((derivative * row).norm(dim=0).sum() / size).item()
        assert float(ends.cancellation[k]) == pytest.approx(cancellation, rel=1e-9)
    assert set(ends.labels) == {UNFINISHED}


def test_labels_do_not_change_with_the_scaling_of_a_hidden_neuron() -> None:
    network = parse("[2,2,3] r=2")
    loss = FunctionLoss.of(network, *noise(network, 40, 1))
    weights = descend(loss, initial_weights(network, 3, rng=0), steps=60, polish=60)
    scaled = weights.clone()
    scaled[:, 0:2] *= 10  # the incoming weights of the first neuron
    scaled[:, 4::2] /= 100  # its outgoing ones: the second matrix has a row for each output
    before, after = label(loss, weights), label(loss, scaled)
    torch.testing.assert_close(after.functions, before.functions)
    torch.testing.assert_close(after.cancellation, before.cancellation)
    assert after.labels.tolist() == before.labels.tolist() == [CRITICAL] * 3


@pytest.mark.thorough
def test_a_target_out_of_reach_ends_at_the_boundary_and_a_dead_network_is_singular() -> None:
    network = parse("[2,2,1] r=3")
    x = noise(network, 20, 0)[0]
    y = x[:, :1] ** 2 * x[:, 1:]  # x²y is a limit of sums of two cubes of real linear forms, and no such sum
    loss = FunctionLoss.of(network, x, y)
    ends = label(loss, descend(loss, initial_weights(network, 12, rng=0), steps=200, polish=100))
    assert CRITICAL not in ends.labels
    assert ((ends.labels == BOUNDARY) & (ends.losses.numpy() < 1e-6)).sum() >= 5
    assert label(loss, torch.zeros(1, 6, dtype=torch.float64)).labels.tolist() == [SINGULAR]


def test_distinct_joins_chains_and_nothing_else() -> None:
    points = np.array([[0.0, 0], [0, 1], [0, 2], [9, 9], [0, 1.4]])
    assert distinct(points, 1.01).tolist() == [0, 0, 0, 1, 0]
    assert distinct(points[[0, 2, 1]], 1.01).tolist() == [0, 0, 0]
    assert distinct(points, 0.1).tolist() == [0, 1, 2, 3, 4]
    assert distinct(points[:0], 1.0).tolist() == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: FunctionLoss.of("[2,2,1] r=2", x.float(), x), "inputs must be finite float64 of shape"),
        (lambda x: FunctionLoss.of("[2,2,1] r=2", x, x[:3, :1]), "equally many samples, got 5 and 3"),
        (
            lambda x: descend(FunctionLoss.of("[2,2,2] r=2", x, x), torch.zeros(1, 8).double(), optimiser="newton"),
            "optimiser must be one of levenberg-marquardt, adam, got 'newton'",
        ),
    ],
)
def test_wrong_arguments_are_named(call, message: str) -> None:
    with pytest.raises(PolygeomError, match=message):
        call(torch.ones(5, 2, dtype=torch.float64))
