"""Synthetic data of published studies, number for number: they were drawn from NumPy's legacy generator."""

from __future__ import annotations

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError

_TEST_POINTS = 1000


@dataclass(frozen=True, eq=False)
class Regression:
    """A linear function with noisy training values and exact test values; samples are rows.

    Attributes
    ----------
    x, y:
        Training inputs ``(n, d)`` and values ``(n, 1)``.
    x_test, y_test:
        Test inputs ``(m, d)`` and values ``(m, 1)``, without noise.
    weights:
        The function, shape ``(1, d)``.
    """

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    weights: np.ndarray


def make_dataset(n: int = 100, d: int = 1, eps: float = 1.0, *, seed: int = 2134) -> Regression:
    """``y = w x + eps · noise`` with normal ``x``, ``w`` and noise; 1000 equispaced test points in one dimension.

    The numbers are those of the deep learning theory tutorial that accompanies arXiv 2105.14368, whose arrays are the
    transposes of these. NumPy's legacy generator draws ``x``, coordinate by coordinate, then ``w``, then the noise.
    For ``d > 1`` each coordinate of the test points runs through its own d-th part of the interval from the least to
    the largest entry of ``x``, as it did there, which needs ``d`` to divide 1000.

    Parameters
    ----------
    n, d:
        Samples and dimension.
    eps:
        Standard deviation of the noise.
    seed:
        Of the legacy generator; a private one, the global state is not touched.

    Examples
    --------
    >>> data = make_dataset(n=10, d=1, eps=0.5)
    >>> data.x.shape, data.x_test.shape, round(float(data.x[0, 0]), 6)
    ((10, 1), (1000, 1), -0.512381)
    """
    if n < 1 or d < 1 or _TEST_POINTS % d:
        raise PolygeomError(
            f"n must be at least 1 and d a divisor of {_TEST_POINTS}, got n={n}, d={d}; write n=10, d=1"
        )
    generator = np.random.RandomState(seed)
    x = generator.randn(d, n)
    weights = generator.randn(1, d)
    y = weights @ x + generator.randn(1, n) * eps
    x_test = np.linspace(x.min(), x.max(), num=_TEST_POINTS).reshape(d, -1)
    return Regression(x.T, y.T, x_test.T, (weights @ x_test).T, weights)


def linear_on_sphere(n: int = 32, d: int = 100, test: int = 100, *, seed: int = 2134) -> Regression:
    """A linear function without noise at random points of the unit sphere.

    The numbers are those of the same tutorial's comparison of trained networks with their tangent kernel, drawn from
    the legacy generator in the order ``x``, ``x_test``, ``w``.

    Parameters
    ----------
    n, test, d:
        Training samples, test samples, dimension.
    seed:
        Of the legacy generator; a private one, the global state is not touched.

    Examples
    --------
    >>> data = linear_on_sphere()
    >>> data.x.shape, data.y_test.shape
    ((32, 100), (100, 1))
    """
    if n < 1 or d < 1 or test < 1:
        raise PolygeomError(f"n, d and test must be at least 1, got n={n}, d={d}, test={test}; write n=32, d=100")
    generator = np.random.RandomState(seed)
    x = generator.randn(n, d)
    x /= np.linalg.norm(x, axis=-1).reshape(-1, 1)
    x_test = generator.randn(test, d)
    x_test /= np.linalg.norm(x_test, axis=-1).reshape(-1, 1)
    weights = generator.randn(1, d)
    return Regression(x, (weights @ x.T).T, x_test, (weights @ x_test.T).T, weights)
