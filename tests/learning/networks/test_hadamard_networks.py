"""Π-nets as modules: their degree along rays, the algebra behind the polynomial ones, coefficients there and back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.functions import coefficients, find_weights  # noqa: E402
from polygeom.learning.functions.extrapolation import directional_r2, errors_by_distance  # noqa: E402
from polygeom.learning.networks import hadamard_network  # noqa: E402
from polygeom.learning.networks.hadamard import KINDS, Perceptron, PooledHadamardNetwork  # noqa: E402
from polygeom.learning.networks.initialisation import initialise  # noqa: E402
from polygeom.learning.training import TrainingSettings, train  # noqa: E402
from polygeom.network import parse  # noqa: E402


def ray_misfit(function: Callable[[torch.Tensor], torch.Tensor], inputs: int, degree: int, seed: int = 0) -> np.ndarray:
    """Relative residual of polynomials of a degree on 20 random lines."""
    generator = torch.Generator().manual_seed(seed)
    t = torch.linspace(-1, 1, 40, dtype=torch.float64)
    start, way = torch.randn(2, 20, 1, inputs, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        values = function((0.3 * start + 10 * t[:, None] * way).reshape(-1, inputs)).reshape(20, 40).T.numpy()
    basis = np.linalg.qr(np.polynomial.legendre.legvander(t.numpy(), degree))[0]
    return np.linalg.norm(values - basis @ (basis.T @ values), axis=0) / np.linalg.norm(values, axis=0)


def modules(degree: int) -> dict[str, torch.nn.Module]:
    made = {
        kind: hadamard_network(kind, 4, 5, degree, initialisation=option, rng=2)
        for kind, option in (("ccp", "kaiming"), ("product", "unit"), ("ncp", "variance2"))
    }
    pooled = PooledHadamardNetwork(4, 5, degree, activation="identity")
    return made | {"pooled": initialise(pooled.double(), "normal", 1)}


@pytest.mark.parametrize("degree", [2, 3, 5])
@pytest.mark.parametrize("kind", [*KINDS, "pooled"])
def test_with_identity_activation_the_degree_on_every_line_is_exactly_that(kind: str, degree: int) -> None:
    module = modules(degree)[kind]
    assert ray_misfit(module, 4, degree).max() < 1e-10
    assert np.median(ray_misfit(module, 4, degree - 1)) > 1e-2


@pytest.mark.parametrize("kind", KINDS)
def test_relu_networks_are_their_formula_and_no_polynomial(kind: str) -> None:
    module = hadamard_network(kind, 3, 12, 3, activation="relu", rng=1)
    x = torch.randn(6, 3, dtype=torch.float64)
    p = dict(module.named_parameters())
    s = [torch.relu(x @ p[f"factors.{n}.weight"].T + p.get(f"factors.{n}.bias", 0)) for n in range(3)]
    if kind == "ncp":
        h = s[0] * p["first"]
        for n in (1, 2):
            h = s[n] * (h @ p[f"nested.{n - 1}.weight"].T + p[f"nested.{n - 1}.bias"])
    else:
        h = s[0]
        for n in (1, 2):
            h = s[n] * h + (h if kind == "ccp" else 0)
    y = h @ p["last.weight"].T + (0 if kind == "product" else p["last.bias"])
    assert torch.allclose(module(x), y, rtol=1e-12)
    with pytest.raises(PolygeomError, match="has an activation that is not a polynomial, so no network of polygeom"):
        _ = module.network
    assert ray_misfit(module, 3, 3).max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_identity_and_activated_modules_agree_at_the_same_weights(kind: str) -> None:
    """The family of the algebra and the formula written for activations are the same function."""
    one = hadamard_network(kind, 3, 4, 3, rng=3, bias=kind != "product")
    other = hadamard_network(kind, 3, 4, 3, rng=5, initialisation="standard")
    assert "fixed factor" in other.why
    other.scale = 1.0
    weights = dict(one.named_parameters())
    mine = list(other.parameters())
    order = sorted((value.shape, name) for name, value in weights.items())
    assert sorted(value.shape for value in mine) == [shape for shape, _ in order]
    if kind == "ncp":
        return
    with torch.no_grad():
        for value, name in zip(mine, weights, strict=True):
            value.copy_(weights[name])
    x = torch.randn(5, 3, dtype=torch.float64)
    assert torch.allclose(one(x), other(x), rtol=1e-12)


def test_bias_free_relu_products_are_homogeneous() -> None:
    module = hadamard_network("product", 3, 50, 3, activation="relu", rng=0)
    v = torch.randn(8, 3, dtype=torch.float64)
    assert torch.allclose(module(7 * v), 7**3 * module(v), rtol=1e-12)


def test_pooled_networks_are_their_formula() -> None:
    module = PooledHadamardNetwork(6, 3, 2, activation="relu", batch_norm=True, inner_bias=False).double()
    x = torch.randn(9, 6, dtype=torch.float64)
    pooled = x.reshape(9, 3, 2).mean(dim=2)
    first, second = (linear.weight for linear in module.maps)

    def norm(z: torch.Tensor) -> torch.Tensor:
        return (z - z.mean(dim=0)) / (z.var(dim=0, unbiased=False) + 1e-5).sqrt()

    h = torch.relu(norm(x @ first.T))
    h = torch.relu(norm(h @ second.T)) * pooled + h
    assert torch.allclose(module(x), h @ module.last.weight.T + module.last.bias, atol=1e-12)
    assert all(linear.bias is None for linear in module.maps)
    with pytest.raises(PolygeomError, match="averages its input"):
        _ = module.network


@pytest.mark.parametrize(
    ("option", "weight", "bias"),
    [("kaiming", 2 / 300, None), ("variance2", 2.0, None), ("standard", 1.0, 1.0), ("normal", 1 / 200, 0.0)],
)
def test_initialisations_have_their_variances(option: str, weight: float, bias: float | None) -> None:
    module = initialise(Perceptron(200, 300, 2).double(), option, 3)
    linear = module.maps[0]
    assert linear.weight.var().item() == pytest.approx(weight, rel=0.05)
    if bias is None:
        assert 0.9 / 200**0.5 < linear.bias.abs().max().item() <= 1 / 200**0.5
    else:
        assert linear.bias.square().mean().item() == pytest.approx(bias, rel=0.3)
    default = initialise(Perceptron(200, 300, 2).double(), "uniform", 3)
    assert default.maps[0].weight.abs().max().item() == pytest.approx(200**-0.5, rel=0.01)
    again = initialise(Perceptron(200, 300, 2).double(), option, 3)
    assert torch.equal(again.maps[0].weight, linear.weight)


def test_normalisations_keep_their_parameters() -> None:
    module = initialise(Perceptron(3, 4, 3, batch_norm=True), "standard", 1)
    assert torch.equal(module.norms[0].weight, torch.ones(4))


@pytest.mark.slow  # the study of extrapolation has the same network and target among its quick tests
def test_a_degree_three_network_recovers_the_cubic_everywhere() -> None:
    x = torch.linspace(-2.5, 2.5, 400, dtype=torch.float64)[:, None]
    module = hadamard_network("ccp", 1, 16, 3, rng=1)
    train(module, x, x**3 + x**2 - 5 * x + 5, TrainingSettings(2000, learning_rate=3e-3))
    found = coefficients(module.network, dict(module.named_parameters()))
    assert np.abs(found.detach().numpy() - [[1, 1, -5, 5]]).max() < 1e-6
    y = torch.tensor([[100.0]], dtype=torch.float64)
    assert float(module(y).detach()) == pytest.approx(1009505, rel=1e-6)


@pytest.mark.parametrize("text", ["[2,3,1] r=2", "[2,2,3] r=2", "ccp(2,rank=4,degree=2,bias=True)", "[3,2] r=1"])
def test_weights_are_found_from_coefficients(text: str) -> None:
    network = parse(text)
    module = network.to_torch(rng=11)
    wanted = coefficients(network, dict(module.named_parameters())).detach()
    weights = find_weights(network, wanted, rng=4)
    assert torch.allclose(coefficients(network, weights), wanted, atol=1e-9)


def test_what_is_not_in_the_image_is_not_found() -> None:
    with pytest.raises(
        PolygeomError, match=r"no weights of \[3,1,1\] r=2 .* were found in 3 attempts; the closest has"
    ):
        find_weights("[3,1,1] r=2", np.array([[1.0, 0, 0, 1.0, 0, 1.0]]), attempts=3)
    with pytest.raises(PolygeomError, match=r"target must have 2 axes and entries, got shape \(6,\)"):
        find_weights("[3,1,1] r=2", np.zeros(6))


def test_unknown_names_are_refused() -> None:
    with pytest.raises(PolygeomError, match="kind must be one of ccp, product, ncp"):
        hadamard_network("cpp", 1, 1, 1)
    with pytest.raises(PolygeomError, match="activation must be one of identity, relu"):
        hadamard_network("ccp", 1, 1, 1, activation="Relu")
    with pytest.raises(PolygeomError, match="initialisation must be one of unit, normal, truncated"):
        hadamard_network("ccp", 1, 1, 1, initialisation="C")
    with pytest.raises(PolygeomError, match="layers must be at least 2"):
        Perceptron(1, 1, 1)


def test_rays_begin_outside_and_their_fit_is_least_squares(rng: np.random.Generator) -> None:
    seen = []

    def function(x: np.ndarray) -> np.ndarray:
        seen.append(x)
        return np.sin(x[:, 0]) + x[:, 1] ** 3

    r2 = directional_r2(function, 2, degrees=(1, 3), radius=2.0, shape="cube", directions=4, points=30, rng=1)
    rays = seen[0].reshape(4, 30, 2)
    assert np.allclose(np.abs(rays[:, 0]).max(axis=1), 2.2)
    assert np.allclose(np.linalg.norm(rays[:, -1] - rays[:, 0], axis=1), 10)
    values = function(rays.reshape(-1, 2)).reshape(4, 30)
    t = np.linspace(0, 1, 30)
    for row, degree in zip(r2, (1, 3), strict=True):
        for found, y in zip(row, values, strict=True):
            fit = np.polyval(np.polyfit(t, y, degree), t)
            assert found == pytest.approx(1 - ((y - fit) ** 2).sum() / ((y - y.mean()) ** 2).sum(), abs=1e-9)
    assert (directional_r2(lambda x: np.ones(len(x)), 2, directions=3) == 1).all()
    with pytest.raises(PolygeomError, match="points more than degree"):
        directional_r2(function, 2, degrees=(5,), points=6)


def test_errors_by_distance() -> None:
    truth, guess = np.array([0.0, 2.0, 0.0, 2.0]), np.array([0.0, 2.0, 1.0, 4.0])
    bands = errors_by_distance(guess, truth, np.array([0.5, 0.9, 1.5, 9.0]), (0, 1, 2, 5, 10))
    assert bands == {1: 0.0, 2: 1.0, 10: 2.0}
