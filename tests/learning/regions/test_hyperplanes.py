# ruff: noqa: E402  torch is an extra: without it the file is skipped before anything else is imported
from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import itertools
import math

import numpy as np
from scipy.spatial import cKDTree
from torch import nn

from polygeom.errors import PolygeomError
from polygeom.learning.regions import (
    activation_patterns,
    boundary_distances,
    cell_inradii,
    hyperplane_cosines,
    sign_patterns,
    spectral_norm_product,
    spectral_norms,
)
from polygeom.learning.regions.hyperplanes import mean_off_diagonal
from polygeom.network import ccp, parse

torch.set_num_threads(1)


def relu_network(*widths: int, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1]).double()


def test_norms_are_those_of_numpy() -> None:
    module = relu_network(5, 20, 11, 3)
    norms = spectral_norms(module)
    assert list(norms) == ["0.weight", "2.weight", "4.weight"]
    for name, norm in norms.items():
        matrix = module.get_parameter(name).detach().numpy()
        assert norm == pytest.approx(np.linalg.norm(matrix, 2), rel=1e-12)
    assert spectral_norm_product(module) == pytest.approx(math.prod(norms.values()))
    x, y = torch.randn(2, 200, 5, dtype=torch.float64)
    slopes = (module(x) - module(y)).detach().norm(dim=1) / (x - y).norm(dim=1)
    assert float(slopes.max()) <= spectral_norm_product(module)


def test_norms_of_polynomial_and_convolutional_networks() -> None:
    module = ccp(2, 5, 3, bias=True).to_torch()
    assert list(spectral_norms(module)) == ["W1", "W2", "W3", "W4"]
    convolution = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4, 2))
    matrix = convolution[0].weight.detach().numpy().reshape(4, 18)
    assert spectral_norms(convolution)["0.weight"] == pytest.approx(np.linalg.norm(matrix, 2), rel=1e-5)


def test_cosines_are_those_of_padded_rows() -> None:
    module = relu_network(2, 4, 3, 1)
    cosines = hyperplane_cosines(module)
    first = np.pad(module[0].weight.detach().numpy(), ((0, 0), (0, 2)))
    rows = np.concatenate([first, module[2].weight.detach().numpy()])
    expected = [[r @ s / np.linalg.norm(r) / np.linalg.norm(s) for s in rows] for r in rows]
    assert np.allclose(cosines, expected, atol=1e-12)
    assert np.allclose(cosines, cosines.T)
    assert np.allclose(np.diag(cosines), 1)
    off = cosines[~np.eye(7, dtype=bool)]
    assert mean_off_diagonal(cosines) == pytest.approx(off.mean())
    with pytest.raises(PolygeomError, match="at least two weight matrices"):
        hyperplane_cosines(nn.Linear(2, 2))


def test_distances_follow_the_formula_in_every_layer() -> None:
    module = relu_network(3, 6, 5, 2)
    x = torch.randn(40, 3, dtype=torch.float64)
    found = boundary_distances(module, x, batch_size=7)
    hidden = module[:2](x)
    for column, (layer, inputs) in enumerate([(module[0], x), (module[2], hidden)]):
        w, b = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        a = inputs.detach().numpy()
        expected = [min(abs(wu @ row + bu) / np.linalg.norm(wu) for wu, bu in zip(w, b, strict=True)) for row in a]
        assert np.allclose(found[:, column], expected, rtol=1e-12)


def test_moving_by_less_than_the_first_distance_never_changes_the_first_layers_pattern() -> None:
    module = relu_network(2, 128, 128, 3)
    x = torch.rand(1000, 2, dtype=torch.float64)
    distances = torch.as_tensor(boundary_distances(module, x)[:, :1])
    directions = nn.functional.normalize(torch.randn(1000, 2, dtype=torch.float64), dim=1)
    here = activation_patterns(module, x).select([0])
    near = activation_patterns(module, x + 0.999 * distances * directions).select([0])
    assert (here.words == near.words).all()
    w, b = module[0].weight.detach(), module[0].bias.detach()
    nearest = ((x @ w.T + b).abs() / w.norm(dim=1)).argmin(dim=1)
    toward = -torch.sign((x @ w.T + b).gather(1, nearest[:, None])) * nn.functional.normalize(w, dim=1)[nearest]
    beyond = activation_patterns(module, x + 1.001 * distances * toward).select([0])
    assert (here.words != beyond.words).any(axis=1).all()


def test_distances_of_a_convolution_are_those_of_patches() -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 1)).double()
    x = torch.randn(5, 1, 3, 3, dtype=torch.float64)
    w = module[0].weight.detach().flatten(1)
    expected = (module[0](x).detach().abs() / w.norm(dim=1)[None, :, None, None]).flatten(1).min(dim=1).values
    assert np.allclose(boundary_distances(module, x)[:, 0], expected.numpy())


def test_distances_of_a_polynomial_network_are_to_the_hyperplanes_of_its_factors() -> None:
    module = ccp(2, 5, 3, bias=True).to_torch(rng=1)
    with torch.no_grad():
        module.b2.normal_()
    x = torch.randn(30, 2, dtype=torch.float64)
    found = boundary_distances(module, x)
    assert found.shape == (30, 3)
    expected = ((x @ module.W2.T + module.b2).abs() / module.W2.norm(dim=1)).min(dim=1).values
    assert np.allclose(found[:, 1], expected.detach().numpy())
    with pytest.raises(PolygeomError, match="hidden dense layers"):
        boundary_distances(parse("[2,1] r=1").to_torch(), x)


def test_the_inradius_of_known_cells() -> None:
    module = relu_network(2, 3, 1)
    with torch.no_grad():
        module[0].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]))
        module[0].bias.copy_(torch.tensor([0.0, 0.0, -1.0]))
    inside, outside = torch.tensor([[0.1, 0.1], [-0.5, -0.5]], dtype=torch.float64)
    triangle = (2 - math.sqrt(2)) / 2  # the triangle x, y ≥ 0, x + y ≤ 1
    assert np.allclose(cell_inradii(module, torch.stack([inside, outside])), [triangle, 0.5])


@pytest.mark.parametrize("depth", [1, 2])
def test_the_ball_fits_and_no_larger_one_does(depth: int) -> None:
    """Against Monte Carlo: the ball about the best of many points of the cell is no larger, and nearly as large."""
    module = relu_network(2, 10, 6, 1, seed=4)
    point = torch.tensor([[0.2, -0.3]], dtype=torch.float64)
    radius = cell_inradii(module, point, depth=depth)[0]
    grid = torch.cartesian_prod(*[torch.linspace(-1, 1, 161, dtype=torch.float64)] * 2)
    patterns = activation_patterns(module, torch.cat([point, grid])).select(range(depth))
    same = torch.as_tensor(patterns.regions[1:] == patterns.regions[0])
    box = 1 - grid[same].abs().max(dim=1).values
    edge = torch.as_tensor(cKDTree(grid[~same].numpy()).query(grid[same].numpy())[0])
    best = float(torch.minimum(edge, box).max())
    assert best - 0.02 < radius < best + 0.02


def test_wrong_points_and_depths_are_refused() -> None:
    module = relu_network(2, 3, 1)
    with pytest.raises(PolygeomError, match="entries from -1 to 1"):
        cell_inradii(module, torch.full((1, 2), 2.0, dtype=torch.float64))
    with pytest.raises(PolygeomError, match="depth must be between 1 and 1, got 2"):
        cell_inradii(module, torch.zeros(1, 2, dtype=torch.float64), depth=2)


def test_sign_patterns_and_distances_speak_of_the_same_hyperplanes() -> None:
    module = ccp(3, 8, 2, bias=True).to_torch(rng=2)
    x = torch.randn(200, 3, dtype=torch.float64)
    distances = torch.as_tensor(boundary_distances(module, x).min(axis=1))[:, None]
    step = nn.functional.normalize(torch.randn(200, 3, dtype=torch.float64), dim=1) * distances * 0.999
    assert (sign_patterns(module, x).words == sign_patterns(module, x + step).words).all()
