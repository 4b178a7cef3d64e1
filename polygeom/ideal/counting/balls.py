"""Proofs in ball arithmetic that floating-point solutions are near exact ones, and that these are different.

Every number in a system of `polygeom.ideal.counting.systems` — points, coefficients, right-hand sides — is a float,
hence an exact dyadic rational, or has an exact meaning that a ball encloses. So the system is definite, and the
following is a theorem about it, not an approximation. Near a candidate the weights are restricted to an affine space
``w + T s`` across the fibre, with exact floats, so that ``G(s) = 0`` has as many equations as unknowns. Let ``Y`` be
any matrix near the inverse of ``G'(s)``, and ``X`` the polydisc of radius ``r`` around ``s``. If in every row

    ``|Y G(s)| + r · Σ |I - Y G'(X)| < r``,

then ``u ↦ u - Y G(u)`` maps ``X`` into itself and contracts it, so ``X`` contains exactly one solution, and it is
regular. A regular solution persists when the parameters move a little; so ``n`` of them with ``n`` different images
show that a generic section has at least ``n`` points, or a generic target at least ``n`` critical points.

References
----------
Krawczyk, "Newton-Algorithmen zur Bestimmung von Nullstellen mit Fehlerschranken", Computing 4 (1969). Breiding, Rose,
Timme, "Certifying zeros of polynomial systems using interval arithmetic", arXiv 2011.05000. Johansson, "Arb: efficient
arbitrary-precision midpoint-radius interval arithmetic", arXiv 1611.02831.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from polygeom.engines.jets import JetEngine
from polygeom.ideal.counting.systems import CriticalPoints, Sections
from polygeom.ideal.counting.tracking import Array

_BITS = 128


def certified(system: Sections | CriticalPoints, w: Array, parameters: Array) -> int:
    """How many different solutions the given approximate ones prove to exist.

    Parameters
    ----------
    system:
        The equations.
    w:
        ``(B, P)``: approximate solutions.
    parameters:
        The right-hand side of the section, or the target; exact as it stands.

    Returns
    -------
    A proved number of regular solutions with different images, at most ``B``. If the dimension in ``system.outputs`` is
    right, the degree of the neurovariety, or its number of critical points, is at least as large. For critical points
    the rank of the Jacobian is proved to be full at each of them.
    """
    import flint

    precision, flint.ctx.prec = flint.ctx.prec, _BITS
    try:
        exact = (
            _ExactSection(system, parameters) if isinstance(system, Sections) else _ExactDistance(system, parameters)
        )
        frames = system.frame(w)
        images = [_image_of_certified(exact, row, frame) for row, frame in zip(w, frames, strict=True)]
        return _separate([image for image in images if image is not None])
    finally:
        flint.ctx.prec = precision


class _Exact(Protocol):
    """Square equations on balls."""

    def equations(self, w: Array, directions: Array) -> tuple[Array, Array, Any]:
        """At weights ``(P,)``: the equations, their derivatives in the directions, and one coordinate of the image."""

    def immersed(self, w: Array, directions: Array) -> bool:
        """Whether the directions are proved to move the image independently."""


def _image_of_certified(exact: _Exact, w: Array, frame: Array) -> Any | None:
    """A ball that contains one coordinate of an exact solution's image; None if there is no proof."""
    origin, directions = _balls(w), _balls(frame)
    centre = _balls(np.zeros(frame.shape[1]))
    for _ in range(3):  # Newton's method beyond the precision of floats, always from exact midpoints
        value, matrix, _ = exact.equations(origin + directions @ centre, directions)
        if (inverse := _inverse(matrix)) is None:
            return None
        centre = _midpoints(centre - inverse @ value)
    value, _, _ = exact.equations(origin + directions @ centre, directions)
    offset = [_size(entry) for entry in inverse @ value]
    radius = 4 * max(offset) + 1e-30 * float(np.abs(w).max())
    box = origin + directions @ _widened(centre, radius)
    _, spread, image = exact.equations(box, directions)
    row_sums = _distance_from_identity(inverse @ spread)
    if not all(o + radius * size < radius for o, size in zip(offset, row_sums, strict=True)):
        return None
    return image if exact.immersed(box, directions) else None


class _ExactSection:
    """A section with exact entries."""

    def __init__(self, system: Sections, parameters: Array) -> None:
        self._outputs, self._engine = system.outputs, JetEngine(1, _constant)
        self._points = _balls(system.outputs.points)
        self._matrix, self._right = _balls(system.matrix), _balls(parameters)

    def equations(self, w: Array, directions: Array) -> tuple[Array, Array, Any]:
        jet = self._outputs.everything.outputs(w[None], self._points, self._engine)
        assert jet.gradient is not None
        slopes = jet.gradient[0].T @ directions
        return self._matrix @ jet.value[0] - self._right, self._matrix @ slopes, jet.value[0, 0]

    def immersed(self, w: Array, directions: Array) -> bool:
        return True  # the derivative of the equations, proved to be regular, factors through that of the image


class _ExactDistance:
    """The critical equations with exact entries: plain coefficients, the form and the target as they are meant."""

    def __init__(self, system: CriticalPoints, parameters: Array) -> None:
        self._outputs = system.outputs
        self._points = _balls(system.outputs.points)
        self._readout = _exact_readout(system)
        self._form = _each(_constant, system.exact_form)
        self._target = _balls(parameters) * _balls(system.outputs.scales)

    def equations(self, w: Array, directions: Array) -> tuple[Array, Array, Any]:
        jet = self._outputs.everything.outputs(w[None], self._points, JetEngine(2, _constant))
        assert jet.gradient is not None
        assert jet.hessian is not None
        coefficients = self._readout @ jet.value[0]
        covector = self._form @ (coefficients - self._target)
        slopes = directions.T @ jet.gradient[0] @ self._readout.T
        bent = directions.T @ (jet.hessian[0] @ (covector @ self._readout)) @ directions
        return slopes @ covector, slopes @ self._form @ slopes.T + bent, coefficients[0]

    def immersed(self, w: Array, directions: Array) -> bool:
        jet = self._outputs.everything.outputs(w[None], self._points, JetEngine(1, _constant))
        assert jet.gradient is not None
        slopes = directions.T @ jet.gradient[0]
        try:
            inverse = np.linalg.pinv(slopes.astype(complex))
        except np.linalg.LinAlgError:
            return False
        return max(_distance_from_identity(slopes @ _balls(inverse))) < 1.0


def _exact_readout(system: CriticalPoints) -> Array:
    """Enclosure of the matrix from outputs at the points to plain coefficients."""
    import flint

    points = _balls(system.outputs.points.reshape(len(system.outputs.points), -1))
    count, outputs = len(points), system.outputs.network.output_dimension
    table = flint.acb_mat(
        [[_monomial(point, alpha) for alpha in system.outputs.exponents.tolist()] for point in points]
    ).inv()
    readout = np.full((count * outputs, count * outputs), flint.acb(0), dtype=object)
    for o in range(outputs):
        for i in range(count):
            for j in range(count):
                readout[o * count + i, o * count + j] = table[i, j]
    return readout


def _monomial(point: Array, exponents: list[int]) -> Any:
    import flint

    value = flint.acb(1)
    for x, e in zip(point, exponents, strict=True):
        value *= x**e
    return value


def _inverse(matrix: Array) -> Array | None:
    """A float matrix near the inverse, as exact balls."""
    try:
        return _balls(np.linalg.inv(matrix.astype(complex)))
    except np.linalg.LinAlgError:
        return None


def _distance_from_identity(matrix: Array) -> list[float]:
    """Upper bounds for the sums of absolute values in the rows of ``I - matrix``."""
    return [sum(_size(entry - (i == j)) for j, entry in enumerate(row)) for i, row in enumerate(matrix)]


def _constant(c: Any) -> Any:
    import flint

    return flint.acb(flint.fmpq(c.numerator, c.denominator))


def _balls(numbers: Array) -> Array:
    """Floats as exact complex balls."""
    import flint

    return _each(lambda number: flint.acb(complex(number)), numbers)


def _midpoints(balls: Array) -> Array:
    """The midpoints, exact."""
    return _each(lambda ball: ball.mid(), balls)


def _widened(balls: Array, radius: float) -> Array:
    """Squares of half side ``radius`` around exact numbers."""
    import flint

    ball = flint.acb(flint.arb(0, radius), flint.arb(0, radius))
    return _each(lambda number: number + ball, balls)


def _each(function: Callable[[Any], Any], numbers: Array) -> Array:
    result = np.empty(numbers.shape, dtype=object)
    for position in np.ndindex(numbers.shape):
        result[position] = function(numbers[position])
    return result


def _size(ball: Any) -> float:
    """A float that is at least the absolute value of everything in the ball."""
    return float(abs(ball).abs_upper()) * (1 + 1e-9) + 5e-324  # more than the rounding here and in later sums


def _separate(images: list[Any]) -> int:
    """The size of a set of pairwise disjoint balls, chosen greedily."""
    kept: list[Any] = []
    for image in images:
        if not any(image.overlaps(other) for other in kept):
            kept.append(image)
    return len(kept)
