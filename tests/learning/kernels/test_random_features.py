from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="random features need the extra learn")

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.kernels import (  # noqa: E402
    Gaussian,
    LeakyReLU,
    Monomial,
    RandomFeatures,
    fit_random_features,
)
from polygeom.learning.kernels.duals import Erf, normaliser  # noqa: E402
from polygeom.learning.kernels.kernels import gram  # noqa: E402
from polygeom.learning.kernels.random_features import FourierFeatures  # noqa: E402

POWERS = {r: RandomFeatures(Monomial(r)) for r in (1, 2, 3, 4)}
RELU = RandomFeatures(LeakyReLU())
UNBIASED = [RELU, *POWERS.values(), RandomFeatures(LeakyReLU(0.3))]
BIASED = [RandomFeatures(LeakyReLU(), bias=True), *(RandomFeatures(Monomial(r), bias=True) for r in (2, 3))]
KINDS = [FourierFeatures(1.7), *UNBIASED, *BIASED, RandomFeatures(Erf(), bias=True)]


def power_of(features: RandomFeatures) -> int:
    return len(features.activation.coefficients) - 1 if hasattr(features.activation, "coefficients") else 1


def rows(rng: np.random.Generator, count: int, dimension: int = 3) -> torch.Tensor:
    return torch.from_numpy(rng.standard_normal((count, dimension)))


def draw(rng, features: RandomFeatures | FourierFeatures, width: int, dimension: int = 3):
    directions = rows(rng, width, dimension)
    return directions, torch.from_numpy(rng.standard_normal(width)) if features.bias else None


@pytest.mark.parametrize("features", KINDS, ids=str)
def test_the_limit_is_the_mean_of_the_kernel(features, rng) -> None:
    x, y = rows(rng, 6) / 2, rows(rng, 5) / 2
    limit = features.limit()(x, y)
    directions, biases = draw(rng, features, 400_000)
    mean = features(x, directions, biases) @ features(y, directions, biases).mH
    np.testing.assert_allclose(mean.real if mean.is_complex() else mean, limit, rtol=0.06, atol=0.03)


@pytest.mark.parametrize("features", UNBIASED + BIASED, ids=str)
def test_on_the_diagonal_limits_are_powers_of_the_length(features, rng) -> None:
    x = rows(rng, 6)
    squares = x.square().sum(1) + features.bias
    np.testing.assert_allclose(gram(features.limit(), x).diagonal(), squares ** power_of(features), rtol=1e-7)


@pytest.mark.parametrize("features", UNBIASED + BIASED, ids=str)
def test_limits_against_quadrature(features, rng) -> None:
    """E[σ(u) σ(v)] by polar coordinates: the angle by a fine grid, the radius exactly."""
    x, y = rows(rng, 4), rows(rng, 3)
    if features.bias:
        ones = torch.ones(4, 1, dtype=x.dtype)
        x, y = torch.cat([x, ones], 1), torch.cat([y, ones[:3]], 1)
    plain = RandomFeatures(features.activation)
    angles = (torch.arange(200_000, dtype=x.dtype) + 0.5) * (2 * math.pi / 200_000)
    circle = torch.stack([angles.cos(), angles.sin()], 1)
    power = power_of(features)
    radial = math.prod(range(2, 2 * power + 1, 2))  # E[R^{2r}] for R² chi-squared with two degrees of freedom
    for i, j in np.ndindex(4, 3):
        pair = torch.stack([x[i], y[j]])
        factor = torch.linalg.cholesky(pair @ pair.T)
        along = plain(factor, circle)
        assert float((along[0] * along[1]).sum()) * radial == pytest.approx(
            float(plain.limit()(pair[:1], pair[1:])), rel=1e-5, abs=1e-7
        )


@pytest.mark.parametrize("features", UNBIASED, ids=str)
def test_the_tangent_limit_against_a_wide_network(features, rng) -> None:
    x = rows(rng, 4) / 2
    width = 200_000
    directions, outer = rows(rng, width), torch.from_numpy(rng.standard_normal(width))
    inner = (x @ directions.T).requires_grad_()
    scale = math.sqrt(normaliser(features.activation) / width)
    (slope,) = torch.autograd.grad(features.activation(inner).sum() * scale, inner)
    values = features(x, directions)
    kernel = values @ values.T + (x @ x.T) * ((slope * outer) @ (slope * outer).T)
    np.testing.assert_allclose(gram(features.limit(tangent=True), x), kernel, rtol=0.08, atol=0.05)


def test_the_published_tangent_kernel_of_a_relu_network() -> None:
    from polygeom.datasets.published import linear_on_sphere
    from polygeom.learning.kernels import solve

    data = linear_on_sphere()
    x, y, z, truth = (torch.from_numpy(a) for a in (data.x, data.y, data.x_test, data.y_test))
    kernel = RandomFeatures(LeakyReLU(), bias=True).limit(tangent=True)
    np.testing.assert_allclose(gram(kernel, x)[0, :3], [4.0, 1.79555843, 1.64980051], atol=5e-8)
    assert solve(kernel, x, y).mse(z, truth) == pytest.approx(0.484374648, abs=1e-8)


@pytest.mark.parametrize("features", [FourierFeatures(), RELU, BIASED[0]], ids=str)
def test_the_distance_to_the_limit_falls_as_the_root_of_the_width(features, rng) -> None:
    x = rows(rng, 10)
    limit = gram(features.limit(), x)
    distances = []
    for width in (100, 1000, 10_000):
        found = []
        for _ in range(20):
            values = features(x, *draw(rng, features, width))
            found.append(float(torch.linalg.norm(values @ values.mH - limit) / torch.linalg.norm(limit)))
        distances.append(np.sqrt(np.mean(np.square(found))))
    assert math.log10(distances[2] / distances[0]) / 2 == pytest.approx(-0.5, abs=0.1)


@pytest.mark.parametrize(("power", "bias", "expected"), [(2, False, 6), (2, True, 10), (3, False, 10)])
def test_powers_have_the_rank_of_their_monomials(power, bias, expected, rng) -> None:
    features = RandomFeatures(Monomial(power), bias=bias)
    x = rows(rng, 40)
    model = fit_random_features(features, x, x[:, :1] ** 3, *draw(rng, features, 200))
    assert model.rank == expected
    values = torch.linalg.eigvalsh(gram(features.limit(), x)).flip(0)
    assert float(values[expected - 1] / values[0]) > 1e-6
    assert float(values[expected] / values[0]) < 1e-13


@pytest.mark.parametrize("features", KINDS, ids=str)
@pytest.mark.parametrize("width", [5, 12, 40])
def test_the_fit_against_numpy(features, width, rng) -> None:
    x, z, y = rows(rng, 12), rows(rng, 7), torch.from_numpy(rng.standard_normal((12, 2)))
    directions, biases = draw(rng, features, width)
    model = fit_random_features(features, x, y, directions, biases, cutoff=1e-10)
    matrix = features(x, directions, biases).numpy()
    weights = np.linalg.pinv(matrix, rcond=1e-10) @ y.numpy()
    np.testing.assert_allclose(model.weights, weights, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(
        model.predict(z), features(z, directions, biases).numpy() @ weights, rtol=1e-5, atol=1e-7
    )
    torch.testing.assert_close(model.predict(z, memory=3 * 40 * 16 * 2), model.predict(z))


def test_the_cutoff_is_relative(rng) -> None:
    x, directions = rows(rng, 20), rows(rng, 60)
    small = fit_random_features(POWERS[3], x * 1e-6, x[:, :1], directions)
    assert small.rank == fit_random_features(POWERS[3], x, x[:, :1], directions).rank == 10


def test_wide_models_interpolate_and_narrow_ones_do_not(rng) -> None:
    x, y = rows(rng, 20), torch.from_numpy(rng.standard_normal((20, 1)))
    errors = {}
    for width in (10, 20, 60):
        model = fit_random_features(RELU, x, y, rows(rng, width))
        errors[width] = float((model.predict(x) - y).square().mean())
    assert errors[10] > 1e-2
    assert errors[60] < 1e-20


def test_far_out_the_wide_fit_is_the_kernel_machine(rng) -> None:
    from polygeom.learning.kernels import solve

    x, z = rows(rng, 20), rows(rng, 50)
    y = torch.sin(x[:, :1])
    limit = solve(RELU.limit(), x, y).predict(z)
    gaps = [
        float((fit_random_features(RELU, x, y, rows(rng, k)).predict(z) - limit).abs().mean()) for k in (200, 20_000)
    ]
    assert gaps[1] < 0.3 * gaps[0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FourierFeatures(0.0), "bandwidth must be positive"),
        (lambda: FourierFeatures()(torch.ones(2, 1), torch.ones(3, 1), torch.ones(3)), "biases must be None"),
        (lambda: BIASED[0](torch.ones(2, 1), torch.ones(3, 1)), "biases must be given"),
        (lambda: RELU(torch.ones(2, 1), torch.ones(3, 1), torch.ones(3)), "biases must be None"),
        (lambda: fit_random_features(RELU, torch.ones(2, 1), torch.ones(2), torch.ones(3, 1)), r"targets\[:, None\]"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message) -> None:
    with pytest.raises(PolygeomError, match=message):
        make()


def test_the_limit_of_fourier_features_is_gaussian() -> None:
    assert FourierFeatures(0.5).limit() == Gaussian(0.5)
