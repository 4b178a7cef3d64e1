# ruff: noqa: E402  torch is an extra: without it the file is skipped before anything else is imported
from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import itertools
import time

import numpy as np
from torch import nn

from polygeom.errors import PolygeomError
from polygeom.learning.networks.activations import Sine
from polygeom.learning.regions import activation_patterns, cross_section, sign_patterns
from polygeom.learning.regions.affine import record
from polygeom.learning.regions.regions import pack
from polygeom.network import ccp, convolutional, lightning_attention, mlp, ncp, parse

torch.set_num_threads(1)


def relu_network(widths: tuple[int, ...], seed: int = 0, activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1]).double()


def patterns_by_hand(module: nn.Sequential, x: torch.Tensor) -> list[np.ndarray]:
    found = []
    for part in module:
        x = part(x)
        if isinstance(part, nn.ReLU):
            found.append((x > 0).numpy())
    return found


def test_patterns_are_the_positive_outputs_of_the_relus() -> None:
    module = relu_network((3, 70, 5, 64, 2))
    x = torch.randn(50, 3, dtype=torch.float64)
    patterns = activation_patterns(module, x, batch_size=7)
    expected = patterns_by_hand(module, x)
    assert patterns.widths == (70, 5, 64)
    assert patterns.units == 139
    assert patterns.names == ("1", "3", "5")
    assert len(patterns) == 50
    for number, bits in enumerate(expected):
        assert (patterns.layer(number) == bits).all()
    together = np.concatenate(expected, axis=1)
    assert patterns.count == len({row.tobytes() for row in together})
    same = (together[:, None] == together[None]).all(axis=2)
    assert (same == (patterns.regions[:, None] == patterns.regions[None])).all()


def test_hamming_distances_are_those_of_the_bits(rng: np.random.Generator) -> None:
    bits = [rng.random((40, width)) < 0.3 for width in (1, 63, 64, 65, 130)]
    patterns = pack(bits)
    pairs = rng.integers(0, 40, (200, 2))
    i, j = pairs.T
    by_layer = np.stack([(layer[i] != layer[j]).sum(axis=1) for layer in bits], axis=1)
    assert (patterns.hamming_by_layer(pairs) == by_layer).all()
    assert (patterns.hamming(pairs) == by_layer.sum(axis=1)).all()
    assert (patterns.select([1, 3]).hamming_by_layer(pairs) == by_layer[:, [1, 3]]).all()
    assert patterns.select([3]).names == ("4",)
    assert [(~layer.any(axis=0)).tolist() for layer in bits] == [dead.tolist() for dead in patterns.dead_units]


def test_hamming_distances_count_crossed_kinks_on_a_line() -> None:
    """With one layer and one input, the distance of two points is the number of kinks between them."""
    module = relu_network((1, 30, 1), seed=3)
    x = torch.linspace(-5, 5, 400, dtype=torch.float64)[:, None]
    kinks = (-module[0].bias / module[0].weight[:, 0]).detach().numpy()
    patterns = activation_patterns(module, x)
    crossed = ((kinks > -5) & (kinks < 5)).sum()
    assert patterns.hamming([[0, 399]])[0] == crossed
    cells = np.searchsorted(np.sort(kinks), x[:, 0].numpy())
    assert patterns.count == len(np.unique(cells))


def test_the_network_is_affine_exactly_on_its_regions() -> None:
    module = relu_network((2, 8, 8, 1), seed=1)
    x = torch.rand(300, 2, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(module(x).sum(), x)
    regions = activation_patterns(module, x.detach()).regions
    for region in np.unique(regions):
        assert torch.allclose(gradient[regions == region], gradient[regions == region][0], atol=1e-12)
    assert len(np.unique(gradient.numpy().round(10), axis=0)) > 3


def test_units_at_exactly_zero_are_off_and_dead_units_depend_on_the_inputs() -> None:
    module = nn.Sequential(nn.Linear(1, 2, bias=False), nn.ReLU(), nn.Linear(2, 1))
    module[0].weight.data = torch.tensor([[1.0], [-1.0]])
    assert activation_patterns(module, torch.zeros(1, 1)).layer(0).tolist() == [[False, False]]
    assert activation_patterns(module, torch.zeros(1, 1)).dead == 2
    assert [d.tolist() for d in activation_patterns(module, torch.ones(3, 1)).dead_units] == [[False, True]]
    assert activation_patterns(module, torch.tensor([[1.0], [-1.0]])).dead == 0


class Functional(nn.Module):
    """A network whose activations are no modules, with one module used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(2, 6), nn.Linear(6, 6), nn.Linear(6, 1)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.relu(self.second(torch.relu(self.first(x)))))


class Shared(Functional):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.act(self.second(self.act(self.first(x)))))


def test_functional_and_shared_activations_give_the_same_patterns() -> None:
    functional, shared = Functional(), Shared()
    shared.load_state_dict(functional.state_dict())
    x = torch.randn(100, 2)
    named = activation_patterns(functional, x, layers=["first", "second"])
    found = activation_patterns(shared, x)
    assert found.names == ("act", "act")
    assert (named.words == found.words).all()
    with pytest.raises(PolygeomError, match=r"write activations as modules .*layers=\["):
        sign_patterns(functional, x)
    with pytest.raises(PolygeomError, match=r"got 'third'; write some of first, second, last"):
        activation_patterns(functional, x, layers=["third"])


def test_an_activation_of_the_output_is_no_hidden_unit() -> None:
    module = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 3), nn.Sigmoid())
    assert activation_patterns(module, torch.randn(5, 2)).widths == (4,)


def test_images_are_flattened_and_modes_restored() -> None:
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(), nn.Flatten(), nn.Linear(16, 2)
    )
    x = torch.randn(6, 1, 4, 4)
    before = module[1].running_mean.clone()
    patterns = activation_patterns(module, x)
    assert patterns.widths == (16,)
    assert all(part.training for part in module.modules())
    assert torch.equal(module[1].running_mean, before)
    with torch.no_grad():
        assert (patterns.layer(0) == (module.eval()[:2](x) > 0).flatten(1).numpy()).all()


@pytest.mark.parametrize(
    ("network", "widths"),
    [
        (mlp((2, 5, 4, 1), 2, bias=True), (5, 4)),
        (ccp(2, 6, 3, 1, bias=True), (6, 6, 6)),
        (ncp(2, 6, 2, 1), (6, 6)),
        (convolutional(5, (3, 2), 2), (3,)),
        (lightning_attention(2, 3, 2, 1), (4, 4)),
    ],
    ids=str,
)
def test_polynomial_networks_have_sign_regions_and_no_activation_regions(network, widths: tuple[int, ...]) -> None:
    module = network.to_torch(rng=1)
    x = torch.randn(50, *network.input_shape, dtype=torch.float64)
    assert sign_patterns(module, x).widths == widths
    with pytest.raises(PolygeomError, match=r"one polynomial on the whole space; write sign_patterns"):
        activation_patterns(module, x)


def test_signs_of_a_polynomial_network_are_those_of_its_affine_maps() -> None:
    module = parse("[2,3,2,1] r=2 bias").to_torch(rng=2)
    with torch.no_grad():
        module.b1.normal_()
        module.b2.normal_()
    x = torch.randn(50, 2, dtype=torch.float64)
    first = x @ module.W1.T + module.b1
    second = first**2 @ module.W2.T + module.b2
    patterns = sign_patterns(module, x)
    assert (patterns.layer(0) == (first > 0).detach().numpy()).all()
    assert (patterns.layer(1) == (second > 0).detach().numpy()).all()


@pytest.mark.parametrize("activation", [Sine, nn.Tanh, nn.GELU])
def test_smooth_activations_have_sign_regions_alone(activation: type[nn.Module]) -> None:
    module = relu_network((2, 8, 8, 1), activation=activation)
    x = torch.randn(20, 2, dtype=torch.float64)
    with pytest.raises(PolygeomError, match=activation.__name__):
        activation_patterns(module, x)
    patterns = sign_patterns(module, x)
    assert (patterns.layer(0) == (module[0](x) > 0).numpy()).all()


def test_a_cross_section_is_the_plane_it_says() -> None:
    module = relu_network((6, 12, 12, 1), seed=5)
    origin = torch.randn(6, dtype=torch.float64)
    section = cross_section(module, origin, (-2, 1), resolution=8, low=-2, high=2)
    assert section.positions.tolist() == [-2 + k / 2 for k in range(8)]
    points = []
    for v in section.positions:
        for u in section.positions:
            point = origin.clone()
            point[-2], point[1] = u, v
            points.append(point)
    patterns = activation_patterns(module, torch.stack(points))
    assert (patterns.regions.reshape(8, 8) == section.regions).all()
    assert section.count == patterns.count
    first = cross_section(module, origin, (-2, 1), resolution=8, low=-2, high=2, layers=[0])
    assert first.count == patterns.select([0]).count <= section.count


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([[0, 5]], "between 0 and 4"),
        ([[0, 1, 2]], r"shape \(P, 2\)"),
        ([[0.5, 1.0]], "must be integers"),
        ([[-1, 0]], "-1"),
    ],
)
def test_wrong_pairs_are_refused(pairs: list[list[int]], message: str) -> None:
    patterns = pack([np.zeros((5, 3), dtype=bool)])
    with pytest.raises(PolygeomError, match=message):
        patterns.hamming(pairs)


def test_no_pairs_and_wrong_numbers() -> None:
    patterns = pack([np.zeros((5, 3), dtype=bool)])
    assert patterns.hamming([]).shape == (0,)
    module = relu_network((2, 3, 1))
    with pytest.raises(PolygeomError, match="batch_size must be at least 1"):
        activation_patterns(module, torch.zeros(2, 2, dtype=torch.float64), batch_size=0)
    with pytest.raises(PolygeomError, match="resolution"):
        cross_section(module, torch.zeros(2, dtype=torch.float64), resolution=0)


def test_the_regions_of_4096_inputs_are_counted_in_a_second() -> None:
    module = relu_network((20, 128, 128, 3)).float()
    x = torch.randn(4096, 20)
    start = time.process_time()
    assert activation_patterns(module, x).count == 4096
    assert time.process_time() - start < 1


def test_what_is_recorded_is_safe_from_changes_in_place() -> None:
    class Shifted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense, self.shift = nn.Linear(2, 3, bias=False), nn.Parameter(torch.ones(3))

        def forward(self, x):
            return torch.relu_(self.dense(x) + self.shift)

    module = nn.Sequential(Shifted(), nn.Linear(3, 3), nn.ReLU(inplace=True), nn.Linear(3, 1))
    x = torch.randn(9, 2, generator=torch.Generator().manual_seed(0))
    first, second, _ = record(module, x).maps
    assert first.bias is module[0].shift
    assert torch.equal(first.values, x @ module[0].dense.weight.T + 1)
    assert torch.equal(second.values, module[1](torch.relu(first.values)))


def test_a_multiple_of_a_vector_is_no_bias() -> None:
    class Doubled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense, self.shift = nn.Linear(2, 3, bias=False), nn.Parameter(torch.ones(3))

        def forward(self, x):
            return torch.add(self.dense(x), self.shift, alpha=2)

    seen = record(Doubled(), torch.ones(4, 2))
    assert (seen.maps[0].bias, seen.other) == (None, {"shift"})
