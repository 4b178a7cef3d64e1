from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="kernels need the extra learn")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from polygeom.datasets.published import linear_on_sphere  # noqa: E402
from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.kernels.duals import (  # noqa: E402
    Erf,
    Hermite,
    LeakyReLU,
    Monomial,
    Numeric,
    PolynomialActivation,
    arc_cosine,
    normaliser,
)
from polygeom.learning.kernels.infinite_width import InfiniteWidth, WidePerceptron  # noqa: E402
from polygeom.learning.kernels.machines import solve  # noqa: E402
from polygeom.learning.tangent.tangent_kernel import empirical_ntk  # noqa: E402

CASES = [(1.0, 1.0, 0.3), (0.5, 2.0, -0.8), (1.7, 0.4, 0.0), (0.9, 0.9, 0.89), (1.3, 0.2, 0.5)]
SMOOTH = {
    **{f"x^{r}": Monomial(r) for r in range(1, 8)},
    "polynomial": PolynomialActivation((0.3, -1.0, 0.5, 0.0, 0.25)),
    "hermite": Hermite((0.1, 1.0, -0.5, 0.3)),
    "erf": Erf(),
    "tanh": Numeric(torch.tanh),
    "sine": Numeric(torch.sin),
}
ALL = {**SMOOTH, "relu": LeakyReLU(), "leaky": LeakyReLU(0.3)}


def numbers(*values: float):
    return [torch.tensor(v, dtype=torch.float64) for v in values]


def expectation(function, a: float, b: float, c: float) -> float:
    """Two-dimensional Gauss–Hermite quadrature, in another pair of coordinates than the duals."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(180)
    u = math.sqrt(a) * nodes[:, None]
    v = c / math.sqrt(a) * nodes[:, None] + math.sqrt(max(0.0, b - c * c / a)) * nodes[None, :]
    products = function(torch.as_tensor(u + 0 * v)) * function(torch.as_tensor(v))
    return float(weights @ products.numpy() @ weights / (2 * math.pi))


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("case", CASES)
def test_smooth_duals_against_quadrature(name: str, case: tuple[float, float, float]) -> None:
    activation, (a, b, c) = SMOOTH[name], numbers(*case)
    assert float(activation.dual(a, b, c)) == pytest.approx(expectation(activation, *case), rel=1e-10, abs=1e-10)

    def derivative(z):
        z = z.clone().requires_grad_()
        return torch.autograd.grad(activation(z).sum(), z)[0]

    found = float(activation.derivative_dual(a, b, c))
    assert found == pytest.approx(expectation(derivative, *case), rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("name", ["relu", "leaky"])
@pytest.mark.parametrize("case", CASES)
def test_rectifiers_against_monte_carlo(name: str, case: tuple[float, float, float]) -> None:
    activation, (a, b, c) = ALL[name], case
    z = torch.randn(2, 400_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    u = math.sqrt(a) * z[0]
    v = c / math.sqrt(a) * z[0] + math.sqrt(b - c * c / a) * z[1]
    slope = getattr(activation, "slope", 0.0)
    step = [torch.where(w > 0, 1.0, slope).double() for w in (u, v)]
    assert float(activation.dual(*numbers(*case))) == pytest.approx(
        float((activation(u) * activation(v)).mean()), abs=1e-2
    )
    assert float(activation.derivative_dual(*numbers(*case))) == pytest.approx(
        float((step[0] * step[1]).mean()), abs=1e-2
    )


@pytest.mark.parametrize("name", ALL)
def test_the_dual_of_the_derivative_is_the_derivative_of_the_dual(name: str) -> None:
    activation = ALL[name]
    for case in CASES:
        a, b, c = numbers(*case)
        c.requires_grad_()
        (slope,) = torch.autograd.grad(activation.dual(a, b, c), c)
        assert float(slope) == pytest.approx(float(activation.derivative_dual(a, b, c).detach()), rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("degree", range(1, 7))
def test_monomials_against_their_closed_form(degree: int) -> None:
    """E = Σ_j r!² / (j! (2ᵏ k!)²) cʲ (ab)ᵏ with j = r - 2k."""
    for a, b, c in CASES:
        terms = [
            math.factorial(degree) ** 2 / (math.factorial(degree - 2 * k) * (2**k * math.factorial(k)) ** 2)
            * c ** (degree - 2 * k) * (a * b) ** k
            for k in range(degree // 2 + 1)
        ]  # fmt: skip
        assert float(Monomial(degree).dual(*numbers(a, b, c))) == pytest.approx(sum(terms), rel=1e-13)
    odd = math.prod(range(1, 2 * degree, 2))
    assert normaliser(Monomial(degree)) == pytest.approx(1 / odd, rel=1e-13)


def test_hermite_series_at_unit_variance() -> None:
    coefficients = (0.3, -1.0, 0.7, 0.2, 0.1)
    one = torch.ones((), dtype=torch.float64)
    for rho in (-0.9, 0.0, 0.4, 1.0):
        found = Hermite(coefficients).dual(one, one, rho * one)
        assert float(found) == pytest.approx(sum(c * c * rho**n for n, c in enumerate(coefficients)), rel=1e-12)
        slope = Hermite(coefficients).derivative_dual(one, one, rho * one)
        expected = sum(n * c * c * rho ** (n - 1) for n, c in enumerate(coefficients) if n)
        assert float(slope) == pytest.approx(expected, rel=1e-12)


def test_the_numeric_fallback_agrees_with_closed_forms() -> None:
    for case in CASES:
        a, b, c = numbers(*case)
        for function, exact in ((torch.erf, Erf()), (lambda z: z**3 - z, PolynomialActivation((0, -1, 0, 1)))):
            numeric = Numeric(function)
            assert float(numeric.dual(a, b, c)) == pytest.approx(float(exact.dual(a, b, c)), rel=1e-12, abs=1e-12)
            found, expected = numeric.derivative_dual(a, b, c), exact.derivative_dual(a, b, c)
            assert float(found) == pytest.approx(float(expected), rel=1e-11, abs=1e-11)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(ALL)), st.integers(0, 10**6), st.integers(1, 5), st.floats(0.2, 1.5))
def test_duals_of_covariances_are_covariances(name: str, seed: int, rank: int, size: float) -> None:
    x = size * torch.randn(8, rank, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    x *= min(1.0, 1.5 / float(x.square().sum(1).max()) ** 0.5)  # a tanh of larger variance asks for more terms
    covariance = x @ x.T
    a = covariance.diagonal()
    for dual in (ALL[name].dual, ALL[name].derivative_dual):
        matrix = dual(a[:, None], a[None, :], covariance)
        values = torch.linalg.eigvalsh(matrix)
        assert values[0] >= -1e-6 * values[-1]


def test_zero_points_have_no_angle() -> None:
    zero = torch.zeros((), dtype=torch.float64)
    assert all(torch.isfinite(v) for v in arc_cosine(zero, zero, zero))
    assert float(LeakyReLU().dual(zero, zero, zero)) < 1e-300


def test_the_published_constants() -> None:
    """A rectified network of one hidden layer with a bias inside, on 32 points of the sphere in R^100."""
    data = linear_on_sphere()
    x, y, z, target = (torch.as_tensor(v) for v in (data.x, data.y, data.x_test, data.y_test))
    kernel = InfiniteWidth(biases=(1.0, 0.0))
    row = kernel(x, x)[0]
    assert row[0].item() == pytest.approx(4.0, abs=1e-12)
    assert row[1:3].tolist() == pytest.approx([1.79555843, 1.64980051], abs=5e-9)
    machine = solve(kernel, x, y)
    assert machine.mse(z, target) == pytest.approx(0.484374648, abs=5e-10)
    assert machine.condition < 100


def distances_to_limit(name: str, depth: int, width: int, nets: int) -> tuple[float, float]:
    """Relative errors of the mean tangent kernel and the mean covariance of random networks.

    The covariance is that over the last layer, given the layers before it.
    """
    activation, biases = ALL[name], (0.5,) + (0.1,) * depth
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64) / 2
    tangent, covariance = torch.zeros(2, 5, 5, dtype=torch.float64)
    for seed in range(nets):
        net = WidePerceptron((4, *(width,) * depth, 1), activation, biases=biases, rng=seed)
        tangent += empirical_ntk(net, x, outputs="trace") / nets
        hidden = WidePerceptron((4, *(width,) * depth), activation, biases=biases[:-1], rng=nets + seed)
        features = activation(hidden(x).detach())
        covariance += (normaliser(activation) / width * features @ features.T + biases[-1]) / nets
    limits = (InfiniteWidth(activation, depth, kind, biases=biases)(x, x) for kind in ("ntk", "nngp"))
    found = [
        float((one - limit).norm() / limit.norm()) for one, limit in zip((tangent, covariance), limits, strict=True)
    ]
    return found[0], found[1]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "depth"),
    [("leaky", 1), ("erf", 1), ("relu", 3)]
    + [
        pytest.param(*case, marks=pytest.mark.slow)
        for case in [
            *itertools.product(["relu", "leaky", "erf", "tanh"], [2]),
            ("relu", 1),
            ("tanh", 1),
            *itertools.product(["leaky", "erf", "tanh"], [3]),
        ]
    ],
)
def test_wide_networks_have_the_kernels_of_the_recursion(name: str, depth: int) -> None:
    assert max(distances_to_limit(name, depth, width=1000, nets=6)) <= 0.05


def test_wide_quadratic_networks_have_the_kernels_of_the_recursion() -> None:
    assert max(distances_to_limit("x^2", 1, width=1000, nets=6)) <= 0.05


@pytest.mark.slow
def test_deep_quadratic_networks_have_the_kernels_of_the_recursion() -> None:
    """Squares multiply fluctuations from layer to layer: many networks, and wide ones."""
    assert max(distances_to_limit("x^2", 2, width=2000, nets=40)) <= 0.05


CASES_OF_RANK = [(2, 2, 1), (3, 2, 1), (2, 3, 1), (4, 2, 1), (3, 3, 1), (2, 2, 2), (3, 2, 2), (2, 3, 2)]


@pytest.mark.parametrize(("d", "r", "depth"), CASES_OF_RANK)
@pytest.mark.parametrize("kind", ["ntk", "nngp"])
def test_monomial_kernels_have_the_rank_of_all_monomials(d: int, r: int, depth: int, kind: str) -> None:
    degree = r**depth
    count = math.comb(d + degree - 1, degree)
    x = torch.randn(count + 6, d, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x /= x.norm(dim=1, keepdim=True)
    values = torch.linalg.eigvalsh(InfiniteWidth(Monomial(r), depth, kind)(x, x)).flip(0)
    assert values[count - 1] > 1e-9 * values[0]
    assert values[count:].abs().max() < 1e-13 * values[0]


def test_no_hidden_layer_is_linear_regression() -> None:
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(InfiniteWidth(depth=0, biases=0.5)(x, x), x @ x.T + 0.5)


def test_bad_arguments_are_explained() -> None:
    with pytest.raises(PolygeomError, match="kind must be one of ntk, nngp, got 'rbf'"):
        InfiniteWidth(kind="rbf")
    with pytest.raises(PolygeomError, match="depth must be at least 0"):
        InfiniteWidth(depth=-1)
    with pytest.raises(PolygeomError, match="biases must be one variance, or 2 of them"):
        InfiniteWidth(biases=(1.0,))
    with pytest.raises(PolygeomError, match="widths must be at least two"):
        WidePerceptron((3,))
    with pytest.raises(PolygeomError, match="coefficients must not be empty"):
        PolynomialActivation(())
    with pytest.raises(PolygeomError, match="degree must be at least 0"):
        Monomial(-1)
    with pytest.raises(PolygeomError, match="terms must be between 1 and 200, got 201"):
        Numeric(torch.sin, terms=201)
