"""Random weights: one vocabulary, fan-in and biases as layers state them, one calibration, also for tied weights."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from polygeom.engines.initialisation import INITIALISATIONS, calibrated, draw_network  # noqa: E402
from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.networks.hadamard import hadamard_network  # noqa: E402
from polygeom.learning.networks.initialisation import initialise  # noqa: E402
from polygeom.learning.networks.normalisation import Normalisation  # noqa: E402
from polygeom.learning.training.fleet import fleet_outputs, generic_points, random_starts  # noqa: E402
from polygeom.network import Builder, Network, ncp, parse  # noqa: E402
from polygeom.network.layers import Bias, Dense, Power, Scale  # noqa: E402

TIED = [
    "[6,6,6,6,6,1] r=2 tied",
    "[4,4,4,4,4,4,4,2] r=2 tied",
    "[5,5,5,5,3] r=3 tied",
    "[6,6,6,6,1] r=2 tied bias",
    "[5,5,5,5] r=2 tied",
    "[5,5,5,5,5,1] p=0,1,1/2 tied",
]
PLAIN = ["[3,4,2] r=2", "ccp(3,rank=4,degree=3)", "ncp(3,rank=4,degree=3)", "[7,7,7,1] r=4"]


def rms(y) -> float:
    return float(y.detach().square().mean().sqrt())


def value(network: Network, weights, points):
    module = network.to_torch(initialisation="zero")
    module.set_weights(weights)
    return module(points)


def two_shared() -> Network:
    """Two weights, each used three times, in turn."""
    b = Builder(4)
    at, own = b.input, []
    for number in range(6):
        at = b.add(Dense(4), at, shares=own[number % 2] if number > 1 else None)
        own.append(at)
        at = b.add(Power(2), at)
    return b.network(b.add(Dense(1), at))


@pytest.mark.parametrize("text", [*TIED, *PLAIN, "two shared weights"])
def test_outputs_of_every_calibrated_network_have_size_one(text: str) -> None:
    network = two_shared() if text.startswith("two") else parse(text)
    points = generic_points(network, (200,), torch.Generator().manual_seed(1))
    weights = draw_network(network, "normal", torch.Generator().manual_seed(1))
    found = calibrated(network, weights, points)
    assert rms(value(network, found, points)) == pytest.approx(1, rel=1e-8)
    for name, w in weights.items():  # only scaled
        factor = (found[name] * w).sum() / w.square().sum() if w.any() else 1.0
        torch.testing.assert_close(found[name], factor * w)


@pytest.mark.parametrize("text", [*TIED, *PLAIN])
def test_modules_are_calibrated_on_their_points(text: str) -> None:
    network = parse(text)
    generator = torch.Generator().manual_seed(5)
    draw_network(network, "unit", generator)
    points = torch.randn(512, *network.input_shape, generator=generator, dtype=torch.float64)
    assert rms(network.to_torch(rng=5)(points)) == pytest.approx(1, rel=1e-8)


@pytest.mark.parametrize("seed", range(3))
def test_a_tied_network_has_outputs_of_size_one_on_other_points(seed: int) -> None:
    x = torch.randn(2000, 6, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    assert 0.05 < rms(parse("[6,6,6,6,6,1] r=2 tied").to_torch(rng=seed)(x)) < 20  # degree 16: heavy tails


@pytest.mark.parametrize("text", TIED)
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_starts_of_a_fleet_have_the_same_calibration(text: str, dtype) -> None:
    network = parse(text)
    starts = random_starts(network, 3, rng=4, dtype=dtype)
    generator = torch.Generator().manual_seed(4)
    for shape in network.parameters.values():
        torch.randn((3, *shape), generator=generator, dtype=dtype)
    points = generic_points(network, (64,), generator).to(dtype)  # those of the calibration
    outputs = fleet_outputs(network, starts, points.expand(3, *points.shape))
    assert outputs.abs().square().mean(dim=(1, 2)).sqrt().tolist() == pytest.approx([1, 1, 1], rel=1e-8)
    for number in range(3):  # nothing is left to do
        one = calibrated(network, {name: w[number] for name, w in starts.items()}, points)
        for name, w in starts.items():
            torch.testing.assert_close(one[name], w[number], rtol=1e-6, atol=1e-12)


def test_every_use_of_a_plain_weight_has_size_one() -> None:
    network = parse("[5,6,4,3] r=2")
    points = torch.randn(300, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    w = calibrated(network, draw_network(network, "normal", torch.Generator().manual_seed(2)), points)
    h = points
    for name in ("W1", "W2", "W3"):
        z = h @ w[name].T
        assert rms(z) == pytest.approx(1, rel=1e-12)
        h = z * z


def sparse_network() -> Network:
    """A diagonal, a matrix with two entries in each row, a bias, and a full matrix."""
    b = Builder(130)
    scaled = b.add(Scale(), b.input)
    rows = [[-1] * 130 for _ in range(129)]
    for i, row in enumerate(rows):
        row[i], row[i + 1] = 2 * i, 2 * i + 1
    sparse = b.add(Bias(), b.add(Dense(129, tuple(map(tuple, rows))), scaled))
    return b.network(b.add(Dense(300), b.add(Power(2), sparse)))


VARIANCES = {"normal": (1.0, 0.5, 1 / 129), "truncated": (1.0, 0.5, 1 / 129), "uniform": (1 / 3, 1 / 6, 1 / 387)}


@pytest.mark.parametrize("initialisation", VARIANCES)
def test_fan_in_is_what_layers_state(initialisation: str) -> None:
    network = sparse_network()
    made = network.to_torch(initialisation=initialisation, rng=3)
    again = initialise(network.to_torch(initialisation="zero"), initialisation, 3)
    for name, variance in zip(("s1", "W1", "W2"), VARIANCES[initialisation], strict=True):
        weight = getattr(made, name).detach()
        assert float(weight.square().mean()) == pytest.approx(variance, rel=0.3)
        assert torch.equal(weight, getattr(again, name).detach()), "a word means the same everywhere"
    bias = made.b1.detach()
    assert (float(bias.abs().max()) > 0) == (initialisation == "uniform")
    assert bias.abs().max() <= 2**-0.5


@pytest.mark.parametrize("initialisation", sorted(INITIALISATIONS))
def test_every_word_is_known_everywhere(initialisation: str) -> None:
    module = ncp(3, 4, 2).to_torch(initialisation=initialisation)
    assert torch.isfinite(module(torch.ones(1, 3, dtype=torch.float64))).all()
    made = hadamard_network("ccp", 3, 4, 2, initialisation=initialisation)
    assert torch.isfinite(made(torch.ones(1, 3, dtype=torch.float64))).all()
    linear = nn.Linear(3, 2)
    if initialisation == "unit":
        with pytest.raises(PolygeomError, match="networks of polygeom"):
            initialise(linear, initialisation)
    else:
        assert (initialise(linear, initialisation).weight.norm() == 0) == (initialisation == "zero")


def test_a_word_that_there_is_not_is_refused_everywhere() -> None:
    for call in (
        lambda: parse("[2,2,1] r=2").to_torch(initialisation="torch"),
        lambda: initialise(nn.Linear(2, 2), "A"),
        lambda: hadamard_network("ccp", 1, 1, 1, initialisation="C"),
    ):
        with pytest.raises(PolygeomError, match=r"initialisation must be one of unit, normal, truncated, uniform"):
            call()


def test_factors_are_no_biases() -> None:
    """A vector that multiplies: zero would make the network zero."""
    for module in (hadamard_network("ncp", 3, 4, 3, activation="relu"), ncp(3, 4, 3).to_torch()):
        initialise(module, "normal", 1)
        assert module(torch.randn(50, 3, dtype=torch.float64)).abs().sum() > 0


NORMS = [nn.LayerNorm(5), nn.GroupNorm(1, 5), nn.BatchNorm1d(5), nn.InstanceNorm1d(5, affine=True)]


@pytest.mark.parametrize("norm", NORMS, ids=lambda norm: type(norm).__name__)
def test_normalisations_and_slopes_keep_their_parameters(norm: nn.Module) -> None:
    module = nn.Sequential(nn.Linear(5, 5), norm, nn.PReLU(), Normalisation("context", 5))
    before = {name: p.clone() for name, p in module.named_parameters()}
    initialise(module, "standard", 1)
    changed = {name for name, p in module.named_parameters() if not torch.equal(p, before[name])}
    assert changed == {"0.weight", "0.bias"}


def test_a_part_may_state_its_fan_in() -> None:
    class Mine(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.beam = nn.Parameter(torch.zeros(10_000))  # begins with b and is a weight
            self.offset = nn.Parameter(torch.ones(7))
            self.fan_in = {"beam": 4, "offset": 0}

    module = initialise(Mine(), "normal", 1)
    assert float(module.beam.detach().std()) == pytest.approx(0.5, rel=0.05)
    assert module.offset.detach().norm() == 0


def test_a_shared_weight_is_drawn_once() -> None:
    shared = nn.Linear(5, 5)
    tied = initialise(nn.Sequential(shared, nn.Tanh(), shared), "normal", 1)
    assert torch.equal(tied[0].weight, initialise(nn.Linear(5, 5), "normal", 1).weight)
    assert math.isfinite(float(tied(torch.ones(1, 5)).detach().sum()))


@pytest.mark.parametrize("seed", range(3))
def test_the_last_use_of_a_shared_weight_has_size_one(seed: int) -> None:
    network = parse("[6,6,6,6,6,1] r=2 tied")
    points = torch.randn(300, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    drawn = draw_network(network, "normal", torch.Generator().manual_seed(seed))
    w = calibrated(network, drawn, points)
    chain = [names["W"] for names in network.weight_names if "W" in names]
    shared = max(chain, key=chain.count)
    assert chain.count(shared) > 1
    h, sizes = points, []
    for name in chain:
        z = h @ w[name].T
        sizes.append(rms(z))
        h = z * z
    last = max(number for number, name in enumerate(chain) if name == shared)
    assert sizes[last] == pytest.approx(1, rel=1e-8)
    assert sizes[-1] == pytest.approx(1, rel=1e-8)
