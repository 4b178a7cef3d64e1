"""Second routes for the rows on training and on floating point."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import eval_gegenbauer

pytest.importorskip("torch", reason="the extra learn")

import torch

from polygeom import dimension, parse
from polygeom.learning.kernels.product_kernels import CoupledKernel
from polygeom.learning.thresholds.conditions import typical_condition
from polygeom.learning.thresholds.ranks import (
    PrecisionWarning,
    evaluation_jacobian,
    generic_weights,
    kernel_rank,
    numerical_rank,
)
from polygeom.learning.training import TrainingSettings, levenberg_marquardt, train


def arc_cosines(t: float) -> tuple[float, float]:
    """Expectations of ReLU and of its derivative, both for unit variances, ReLU scaled by two."""
    angle = math.acos(min(1.0, max(-1.0, t)))
    return (math.sin(angle) + (math.pi - angle) * t) / math.pi, (math.pi - angle) / math.pi


def tangent_kernel(t: float, depth: int) -> float:
    covariance, kernel = t, t
    for _ in range(depth):
        covariance, slope = arc_cosines(covariance)
        kernel = covariance + slope * kernel
    return kernel


def eigenvalue(kernel: object, dimension: int, degree: int) -> float:
    """By scipy's adaptive quadrature and Gegenbauer polynomials."""
    order = (dimension - 2) / 2

    def moment(weight: object) -> float:
        return float(quad(lambda a: weight(math.cos(a)) * math.sin(a) ** (dimension - 2), 0, math.pi, limit=200)[0])

    harmonic = moment(lambda t: kernel(t) * eval_gegenbauer(degree, order, t) / eval_gegenbauer(degree, order, 1))
    return harmonic / moment(lambda t: 1.0)


def test_odd_harmonics() -> None:
    one = [eigenvalue(lambda t: tangent_kernel(t, 1), 4, k) for k in (3, 5)]
    two = [eigenvalue(lambda t: tangent_kernel(t, 2), 4, k) for k in (3, 5)]
    assert np.abs(one).max() < 1e-9
    assert np.allclose(two, [0.0091618, 0.0010727], atol=1e-6)


def test_skips_and_frequencies() -> None:
    plain = [eigenvalue(lambda t: tangent_kernel(t, 1), 10, k) for k in (2, 4)]
    assert abs(plain[0] / plain[1] - 88.8) < 0.05
    # the kernel of degree two against features: x2 = s(Ux) (s(Vx) + 1), all weights trained
    generator = np.random.default_rng(0)
    u, v, a = generator.standard_normal((3, 400_000, 1))
    ux, vx, uy, vy = (
        np.maximum(0, p + q) for p, q in ((u, 0), (v, 0), (0.6 * u, 0.8 * a), (0.6 * v, 0.8 * generator.permutation(a)))
    )
    features = (ux * (vx + 1) * uy * (vy + 1)).mean()
    slopes = 0.6 * ((ux > 0) * (uy > 0) * (vx + 1) * (vy + 1) + (vx > 0) * (vy > 0) * ux * uy).mean()
    x = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    y = torch.tensor([[0.6, 0.8]], dtype=torch.float64)
    assert abs(CoupledKernel(2)(x, y).item() / (2 * (features + slopes)) - 1) < 0.01


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("rate", [0.003, 0.01])
def test_adam_to_machine_zero(seed: int, rate: float) -> None:
    from polygeom.learning.networks import hadamard_network

    x = torch.linspace(-2.5, 2.5, 200, dtype=torch.float64)[:, None]
    y = x**3 + x**2 - 5 * x + 5
    module = hadamard_network("ccp", inputs=1, width=16, degree=3, rng=seed)
    assert train(module, x, y, TrainingSettings(steps=1000, learning_rate=rate)).loss < 1e-28
    assert levenberg_marquardt(hadamard_network("ccp", inputs=1, width=16, degree=3, rng=seed), x, y).loss < 1e-28


def test_noise_and_dimension() -> None:
    """The error of the best student is the noise without its part in the tangent space, seed by seed."""
    network = parse("[5,5,5,1] r=2")
    for seed in (1,):
        generator = torch.Generator().manual_seed(seed)
        module = network.to_torch(rng=seed)
        x = torch.nn.functional.normalize(torch.randn((100, 5), generator=generator, dtype=torch.float64))
        clean = module(x).detach()
        noise = 1e-3 * clean.std() * torch.randn(clean.shape, generator=generator, dtype=torch.float64)
        tangent = evaluation_jacobian(network, dict(module.named_parameters()), x)
        basis, sizes, _ = torch.linalg.svd(tangent, full_matrices=False)
        assert int((sizes > 1e-9 * sizes[0]).sum()) == 35
        left = noise[:, 0] - basis[:, :35] @ (basis[:, :35].T @ noise[:, 0])
        loss = levenberg_marquardt(module, x, clean + noise).loss
        assert loss == pytest.approx(float((left**2).mean()), rel=0.01)


def test_signs_that_cannot_change() -> None:
    """Small steps of gradient descent on the distance of a w wᵀ from diag(-1, 0)."""
    generator = np.random.default_rng(1)
    a, w = generator.standard_normal(200), generator.standard_normal((200, 2))
    before = 2 * a**2 - (w**2).sum(axis=1)
    trapped = (a > 0) & (before > 0)
    for _ in range(4000):
        residual = a[:, None, None] * w[:, :, None] * w[:, None] - np.diag([-1.0, 0.0])
        slope = (residual @ w[:, :, None])[..., 0]
        a, w = a - 0.01 * (w * slope).sum(axis=1), w - 0.02 * a[:, None] * slope
    failed = np.abs(residual).max(axis=(1, 2)) > 1e-2
    assert failed[trapped].all()
    assert failed[~trapped].mean() < 0.15  # still at the saddle
    assert np.median(np.abs(2 * a**2 - (w**2).sum(axis=1) - before)) < 0.02
    assert abs((1 - 1 / math.sqrt(3)) / 2 - 0.211) < 5e-4


@pytest.mark.slow
def test_exact_fit_missed() -> None:
    """With outer weights 2 and -1 a cube is a local minimum: steps in all directions go up, to second order."""
    generator = np.random.default_rng(0)
    target = np.array([1, 0, 0.2, 0])

    def miss(w: np.ndarray) -> float:
        powers = [w[2 * k] ** np.array([3, 2, 1, 0]) * w[2 * k + 1] ** np.arange(4) for k in (0, 1)]
        return float((np.array([1, 3, 3, 1]) * (w[4] * powers[0] + w[5] * powers[1] - target) ** 2).sum())

    here = np.array([1, 0, 1, 0, 2, -1.0])
    steps = 1e-3 * generator.standard_normal((4000, 6))
    assert min(miss(here + step) for step in steps) > miss(here) - 1e-9
    there = np.array([1, 0, 1, 0, 0.5, 0.5])
    assert min(miss(there + step) for step in steps) < miss(there) - 1e-8


def draws(text: str, count: int, kept: bool) -> list[tuple[float, int]]:
    """Conditions and ranks of the scaled Jacobian at random weights and points."""
    network, generator = parse(text), torch.Generator().manual_seed(7)
    size = dimension(text).dimension
    found = []
    for _ in range(count):
        weights = generic_weights(network, generator)
        if not kept:
            shapes = network.parameters.items()
            weights = {n: torch.randn(s, generator=generator, dtype=torch.float64) for n, s in shapes}
        x = torch.randn((2 * size + 5, network.input_dimension), generator=generator, dtype=torch.float64)
        rank = numerical_rank(evaluation_jacobian(network, weights, x))
        found.append((float(1 / rank.singular_values[size - 1]), rank.rank))
    return found


def test_numpy_rank_and_depth() -> None:
    """The rank by the widest gap after scaling is right where the default tolerance fails."""
    ranks = [rank for _, rank in draws("[2,3,3,3,3,1] r=2", 9, kept=False)]
    assert ranks.count(17) >= 7
    assert kernel_rank("[2,3,3,3,3,3,1] r=2").rank == dimension("[2,3,3,3,3,3,1] r=2").dimension == 24


def test_weights_and_conditions() -> None:
    normal, kept = (np.median([c for c, _ in draws("[2,3,3,3,3,1] r=2", 9, kept)]) for kept in (False, True))
    assert 1e6 < normal < 1e11
    assert 1e3 < kept < 1e7


def test_small_networks_are_worse() -> None:
    small, large = (
        np.median([c for c, _ in draws(t, 5, False)]) for t in ("[2,3,3,3,3,3,1] r=2", "[3,3,3,3,3,3,2] r=2")
    )
    assert small > 1000 * large


def test_float32_gram() -> None:
    assert {rank for _, rank in draws("[3,3,3] r=2", 10, kept=False)} == {15}
    assert dimension("[3,3,3] r=2").dimension == 15


def test_typical_conditions_are_those_of_draws() -> None:
    """The table from which a rank is distrusted beforehand, within a factor of a hundred of other draws."""
    for text in ("[2,3,3,3,3,1] r=2", "[2,3,3,1] r=3"):
        for kept in (False, True):
            median = np.median([c for c, _ in draws(text, 5, kept)])
            assert abs(math.log10(median / typical_condition(parse(text), kept=kept))) < 2


def test_kernel_rank_says_beforehand_when_not_to_trust_it() -> None:
    deep = parse("[2,3,3,3,3,3,1] r=2")
    shapes = deep.parameters.items()
    weights = {n: torch.randn(s, generator=torch.Generator().manual_seed(0), dtype=torch.float64) for n, s in shapes}
    with pytest.warns(PrecisionWarning, match=r"degree 32 and weights that are not drawn here .* 2e\+11"):
        kernel_rank(deep, weights=weights)
    assert kernel_rank(deep).condition < 1e9  # drawn here: no warning, which would be an error
    assert kernel_rank("[3,3,3] r=2", weights=generic_weights(parse("[3,3,3] r=2"), torch.Generator())).rank == 15


def test_mnist_in_infinite_width(tmp_path: Path) -> None:
    """The cases of the command on made files: digits of 8 × 8 pixels, three times as large, in a frame."""
    from polygeom.datasets import digits
    from polygeom.experiments.functions.label_noise import Config, cases, measure

    made, count = digits(), 700
    images = np.zeros((count, 28, 28), dtype=np.uint8)
    images[:, 2:26, 2:26] = np.kron(made.inputs[:count].reshape(-1, 8, 8), np.ones((3, 3))) * 15
    for name, kind, content in (("images-idx3", 3, images), ("labels-idx1", 1, made.labels[:count].astype(np.uint8))):
        head = bytes([0, 0, 8, kind]) + b"".join(n.to_bytes(4, "big") for n in content.shape)
        (tmp_path / f"t10k-{name}-ubyte").write_bytes(head + content.tobytes())
    for depth in (1, 2):
        config = Config(
            dataset="mnist", data_root=str(tmp_path), train_from="test", train=350, test=350, first=True,
            noise=(0.0,), solvers=("exact",), kernels=("ntk-power",), degree=2, depth=depth,
        )  # fmt: skip
        ((row,),) = (measure(case) for case in cases(config))
        assert row["train_error"] == 0
        assert 0 < row["test_error"] < 0.25
