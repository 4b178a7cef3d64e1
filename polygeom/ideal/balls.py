"""Proofs in ball arithmetic that floating-point solutions are near exact ones, and that these are different.

Every number in a section — points, coefficients, right-hand sides — is a float, hence an exact dyadic rational. So the
section is a definite linear space, and the following is a theorem about it, not an approximation. Near a candidate the
weights are restricted to an affine space ``w + T s`` across the fibre, again with exact floats, so that ``G(s) = 0``
has as many equations as unknowns. Let ``Y`` be any matrix near the inverse of ``G'(s)``, and ``X`` the polydisc of
radius ``r`` around ``s``. If in every row

    ``|Y G(s)| + r · Σ |I - Y G'(X)| < r``,

then ``u ↦ u - Y G(u)`` maps ``X`` into itself and contracts it, so ``X`` contains exactly one solution, and it is
regular. A regular solution persists when the section moves a little; so ``n`` of them with ``n`` different images show
that a generic section has at least ``n`` points: the degree is at least ``n``.

References
----------
Krawczyk, "Newton-Algorithmen zur Bestimmung von Nullstellen mit Fehlerschranken", Computing 4 (1969). Breiding, Rose,
Timme, "Certifying zeros of polynomial systems using interval arithmetic", arXiv 2011.05000. Johansson, "Arb: efficient
arbitrary-precision midpoint-radius interval arithmetic", arXiv 1611.02831.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from polygeom.engines.jets import JetEngine
from polygeom.ideal.systems import Sections
from polygeom.ideal.tracking import Array

_BITS = 128


def certified(system: Sections, w: Array, parameters: Array) -> int:
    """How many different points of a section the given approximate solutions prove to exist.

    Parameters
    ----------
    system:
        The section, of codimension ``k = system.outputs.dimension``.
    w:
        ``(B, P)``: approximate solutions.
    parameters:
        ``(k,)``: the section's right-hand side, exact as it stands.

    Returns
    -------
    A proved number of regular solutions with different images, at most ``B``. If the neurovariety has dimension ``k``, its
    degree is at least as large.
    """
    import flint

    precision, flint.ctx.prec = flint.ctx.prec, _BITS
    try:
        section = _ExactSection(system, parameters)
        frames = system.frame(w)
        images = [section.image_of_certified(row, frame) for row, frame in zip(w, frames, strict=True)]
        return _separate([image for image in images if image is not None])
    finally:
        flint.ctx.prec = precision


class _ExactSection:
    """A section with exact entries."""

    def __init__(self, system: Sections, parameters: Array) -> None:
        import flint

        self._outputs = system.outputs
        self._engine = JetEngine(1, lambda c: flint.acb(flint.fmpq(c.numerator, c.denominator)))
        self._points = _balls(system.outputs.points)
        self._matrix = _balls(system.matrix)
        self._right = _balls(parameters)

    def image_of_certified(self, w: Array, frame: Array) -> Any | None:
        """A ball that contains the first coordinate of an exact solution's image; None if there is no proof."""
        origin, directions = _balls(w), _balls(frame)
        centre = _balls(np.zeros(frame.shape[1]))
        for _ in range(3):  # Newton's method beyond the precision of floats, always from exact midpoints
            value, matrix, _ = self._equations(origin + directions @ centre, directions)
            try:
                inverse = _balls(np.linalg.inv(matrix.astype(complex)))
            except np.linalg.LinAlgError:
                return None
            centre = _midpoints(centre - inverse @ value)
        value, _, _ = self._equations(origin + directions @ centre, directions)
        offset = [_size(entry) for entry in inverse @ value]
        radius = 4 * max(offset) + 1e-30 * float(np.abs(w).max())
        box = _widened(centre, radius)
        _, spread, image = self._equations(origin + directions @ box, directions)
        remainder = inverse @ spread
        for i in range(len(remainder)):
            remainder[i, i] -= 1
            if not offset[i] + radius * sum(_size(entry) for entry in remainder[i]) < radius:
                return None
        return image[0]

    def _equations(self, w: Array, directions: Array) -> tuple[Array, Array, Array]:
        """The equations, their derivatives in the directions, and the outputs at the points."""
        jet = self._outputs.everything.outputs(w[None], self._points, self._engine)
        assert jet.gradient is not None
        return self._matrix @ jet.value[0] - self._right, self._matrix @ (jet.gradient[0].T @ directions), jet.value[0]


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
