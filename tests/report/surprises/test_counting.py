"""Second routes for the rows on counting."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from report.surprises.searches import weights_of_a_function
from scipy.optimize import least_squares

from polygeom import ed_degree, learning_degree
from polygeom.ideal.counting.interpolation import boundary_infima, real_fits


def test_learning_degrees_grow() -> None:
    """Two cubic equations for two weights, eliminated by sympy: nine solutions, zero and four pairs."""
    a, b = sympy.symbols("a b")
    loss = sum((label - (x * a + y * b) ** 2) ** 2 for x, y, label in [(1, 2, 3), (2, -1, 5), (3, 1, -2), (1, -4, 7)])
    slopes = [sympy.expand(sympy.diff(loss, w) / 4) for w in (a, b)]
    eliminated = sympy.Poly(sympy.resultant(*slopes, b), a)
    assert eliminated.degree() == 9
    assert eliminated.sqf_part().degree() == 9  # simple solutions, zero among them
    assert (9 - 1) // 2 == 4


@pytest.mark.slow
def test_learning_degrees_grow_by_monodromy() -> None:
    inputs = np.random.default_rng(1).integers(-9, 9, (5, 2)).tolist()
    assert learning_degree("[2,1,1] r=2", inputs, method="monodromy").lower == 4
    inputs = np.random.default_rng(1).integers(-9, 9, (9, 3)).tolist()
    assert learning_degree("[3,1,1] r=2", inputs, method="monodromy").lower == 13


@pytest.mark.thorough
def test_boundary_infima() -> None:
    """Where descents from random weights end: at the three values of the list, with weights that grow."""
    infima = np.array([function for _, function in boundary_infima([0, 1, 0, -1])])
    assert len(infima) == 3
    target, scale = np.array([0, 1, 0, -1.0]), np.sqrt([1, 1 / 3, 1 / 3, 1])
    factors = np.array([1, 3, 3, 1])

    def residual(w: np.ndarray) -> np.ndarray:
        powers = [w[2 * k] ** np.arange(3, -1, -1) * w[2 * k + 1] ** np.arange(4) for k in range(2)]
        return np.append(scale * (factors * (w[4] * powers[0] + w[5] * powers[1]) - target), [0, 0])

    def slopes(w: np.ndarray) -> np.ndarray:
        return np.array([residual(w + 1e-30j * e).imag / 1e-30 for e in np.eye(6)]).T

    generator = np.random.default_rng(0)
    ends, angles = [], []
    for _ in range(30):
        end = least_squares(residual, generator.standard_normal(6), slopes, method="lm", max_nfev=150)
        ends.append(end.fun[:4] / scale + target)
        (a, b), (c, d) = end.x[:2], end.x[2:4]
        angles.append(abs(a * d - b * c) / np.hypot(a, b) / np.hypot(c, d))
    distance = np.linalg.norm(np.array(ends)[:, None] - infima, axis=2)
    assert (distance.min(axis=1) < 0.05).mean() > 0.9
    assert set(distance.argmin(axis=1).tolist()) == {0, 1, 2}
    assert np.median(angles) < 0.05  # the two linear forms have come together


def test_real_share_of_cubics() -> None:
    a, b, c, d = np.random.default_rng(0).standard_normal((4, 200_000))
    discriminant = b**2 * c**2 - 4 * a * c**3 - 4 * b**3 * d - 27 * a**2 * d**2 + 18 * a * b * c * d
    assert abs((discriminant < 0).mean() - 0.754) < 0.004


def share_of_real_fits(count: int, seed: int) -> float:
    """Four samples and `[2,2,1] r=4` by catalecticants: the roots of a cubic, and then of quadratics."""
    generator = np.random.default_rng(seed)
    angles, labels = generator.uniform(0, np.pi, (count, 4)), generator.standard_normal((count, 4))
    lengths = np.sqrt(generator.chisquare(2, (count, 4)))
    x, y = np.cos(angles) * lengths, np.sin(angles) * lengths
    exponents = np.arange(5)
    matrix = x[..., None] ** (4 - exponents) * y[..., None] ** exponents * np.array([1, 4, 6, 4, 1])
    fitted = 0
    for own, target in zip(matrix, labels, strict=True):
        one, *_ = np.linalg.lstsq(own, target, rcond=None)
        null = np.linalg.svd(own)[2][-1]
        hankel = [np.array([[f[i + j] for j in range(3)] for i in range(3)]) for f in (one, null)]
        found = False
        for t in np.linalg.eigvals(-np.linalg.solve(hankel[1], hankel[0])):
            if abs(t.imag) < 1e-9 * abs(t):
                quadric = np.linalg.svd(hankel[0] + t.real * hankel[1])[2][-1]
                found |= quadric[1] ** 2 > 4 * quadric[0] * quadric[2]
        fitted += bool(found)
    return fitted / count


def test_real_share_of_fits() -> None:
    assert abs(share_of_real_fits(1000, 0) - 0.136) < 0.04


@pytest.mark.slow
def test_real_share_of_fits_in_full() -> None:
    share = share_of_real_fits(100_000, 1)
    counts = real_fits("[2,2,1] r=4", 600, rng=5)
    real = 1 - counts.histogram[0] / sum(counts.histogram.values())
    assert abs(share - real) < 0.045


@pytest.mark.slow
def test_aronhold() -> None:
    found = ed_degree("[3,3,1] r=3", "bombieri-weyl", method="monodromy", timeout=600, rng=1)
    assert (found.value, found.lower) == (43, 43)  # the trace of points so unequal decides nothing


@pytest.mark.slow
def test_eighty_three() -> None:
    assert ed_degree("[2,2,2] r=3", "generic", method="monodromy", timeout=600).lower == 83


@pytest.mark.slow
def test_eight_quartic_powers() -> None:
    assert len(weights_of_a_function(inputs=4, power=4, neurons=8, outputs=1)) == 2
