"""How a function behaves far from the data it was fitted to: errors by distance, and its degree along rays."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from polygeom.checks import integer, same_numbers
from polygeom.errors import PolygeomError


def relative_error(prediction: np.ndarray, truth: np.ndarray, scale: float | None = None) -> float:
    """Root mean square error over the standard deviation of the truth (or over ``scale``).

    Examples
    --------
    >>> relative_error(np.array([1.0, 1.0]), np.array([0.0, 2.0]))
    1.0
    """
    scale = float(truth.std()) if scale is None else scale
    return float(np.sqrt(np.mean((prediction - truth) ** 2)) / scale)


def median_percentage_error(prediction: np.ndarray, truth: np.ndarray) -> float:
    """100 times the median of ``|y - f| / |y|``; large near zeros of the truth.

    Examples
    --------
    >>> median_percentage_error(np.array([1.1, 2.0, 4.0]), np.array([1.0, 2.0, 2.0]))
    10.000000000000009
    """
    return float(100 * np.median(np.abs(truth - prediction) / np.maximum(np.abs(truth), np.finfo(float).tiny)))


def errors_by_distance(
    prediction: np.ndarray, truth: np.ndarray, distance: np.ndarray, edges: Sequence[float]
) -> dict[float, float]:
    """Relative errors of the samples between two consecutive edges of distance, by the upper edge.

    All are relative to the standard deviation of the truth over all samples; bands without samples are left out.
    """
    bands = [(low, high, (distance > low) & (distance <= high)) for low, high in itertools.pairwise(edges)]
    scale = float(truth.std())
    return {high: relative_error(prediction[inside], truth[inside], scale) for _, high, inside in bands if inside.any()}


def _values(values: Any, count: int) -> np.ndarray:
    """What a function gave at ``count`` points, ``(count,)``."""
    from polygeom.learning import checks

    array = checks.tensor(values, "values of function").detach().double().cpu().numpy()
    if not same_numbers(array.shape, (count,)) or not np.isfinite(array).all():
        raise PolygeomError(
            f"function must give one finite number for each of {count} points, got shape {array.shape}; write one that "
            "returns (N,) or (N, 1)"
        )
    return array.reshape(count)


def directional_r2(
    function: Callable[[np.ndarray], np.ndarray],
    inputs: int,
    *,
    degrees: Sequence[int] = (1,),
    radius: float = 1.0,
    shape: str = "ball",
    length: float = 10.0,
    directions: int = 100,
    points: int = 100,
    rng: int | np.random.Generator = 0,
) -> np.ndarray:
    r"""How well polynomials of given degrees describe a function along rays that begin outside the data.

    On each ray ``x(t) = (k + t) w``, ``0 ≤ t ≤ length``, with ``w`` a random unit vector and ``k`` 1.1 times the
    distance at which the ray leaves the region of the data, ``f(x(t))`` is fitted by polynomials in ``t``.

    Parameters
    ----------
    function:
        From ``(N, inputs)`` to ``(N,)`` or ``(N, 1)``.
    inputs:
        Dimension.
    degrees:
        Of the polynomials.
    radius, shape:
        Of the region of the data: a ``"cube"`` of half width ``radius``, otherwise a ball.
    length, directions, points:
        Of the rays, how many, and how many points on each.
    rng:
        Seed of the directions.

    Returns
    -------
    Shape ``(len(degrees), directions)``: ``R² = 1 - residual / variance``; 1 where the function is constant.

    References
    ----------
    Xu et al., arXiv 2009.11848; Wu et al., arXiv 2209.07736.

    Examples
    --------
    >>> r2 = directional_r2(lambda x: (x**2).sum(axis=1), 3, degrees=(1, 2), directions=5)
    >>> bool((r2[0] < 0.99).all()), bool((r2[1] > 1 - 1e-12).all())
    (True, True)
    """
    integer("inputs", inputs)
    if not degrees or directions < 1 or points <= max(degrees) + 1 or min(degrees) < 1:
        raise PolygeomError(
            f"directions must be positive and points more than degree + 1; got {directions}, {points}, {list(degrees)}"
        )
    unit = np.random.default_rng(rng).standard_normal((directions, inputs))
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    start = 1.1 * radius / (np.abs(unit).max(axis=1) if shape == "cube" else np.ones(directions))
    t = np.linspace(0, 1, points)
    x = (start[:, None, None] + length * t[:, None]) * unit[:, None, :]
    values = _values(function(x.reshape(-1, inputs)), directions * points).reshape(directions, points).T
    centred = values - values.mean(axis=0)
    variance = (centred**2).sum(axis=0)
    found = []
    for degree in degrees:
        basis = np.linalg.qr(np.polynomial.legendre.legvander(2 * t - 1, degree))[0]
        residual = ((values - basis @ (basis.T @ values)) ** 2).sum(axis=0)
        found.append(1 - np.divide(residual, variance, out=np.zeros(directions), where=variance > 0))
    return np.array(found)
