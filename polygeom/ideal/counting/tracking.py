"""Following the solutions of polynomial equations in a network's weights while parameters move along a segment, over ℂ.

A solution is known up to weights that give the same function, so at each step only the directions across these fibres
count: the step is made in the affine space through the current weights that is orthogonal to the fibre. No choice of
coordinates has to be good everywhere; what makes a path difficult is the geometry of the neurovariety alone.

Predictor and corrector: a Runge–Kutta step of order four along Davidenko's differential equation, then Newton's method;
each path has its own step size. Nothing here is a proof. A path that jumps to another solution still ends at a
solution, and what is claimed about solutions is certified afterwards (`polygeom.ideal.counting.balls`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

Array = np.ndarray


class System(Protocol):
    """``k`` equations ``G(w, p) = 0`` on weights ``w``, affine-linear in the parameters ``p``.

    ``k`` is the dimension of the neurovariety; there may be more weights than that.
    """

    def frame(self, w: Array) -> Array:
        """``(B, P, k)``: for each row of ``(B, P)`` weights, ``k`` orthonormal directions across the fibre."""

    def along(self, w: Array, frame: Array, start: Array, end: Array, t: Array) -> tuple[Array, Array, Array]:
        """``G``, its derivatives in the directions of ``frame``, and ``dG/dt``, at ``p = (1 - t) start + t end``.

        Parameters
        ----------
        w:
            ``(B, P)`` complex.
        frame:
            ``(B, P, k)`` complex; the equations themselves may depend on it.
        start, end:
            ``(B, m)`` complex, or ``(1, m)`` when all paths share them.
        t:
            ``(B,)`` real.

        Returns
        -------
        Arrays of shapes ``(B, k)``, ``(B, k, k)`` and ``(B, k)``.
        """


@dataclass(frozen=True, slots=True)
class Steps:
    """How carefully to follow a path: sizes of steps in ``t``, and how far Newton's method may move a prediction.

    Attributes
    ----------
    first, least, largest:
        Steps; a path whose step falls below ``least`` is given up.
    aim:
        Relative correction that the next step is chosen for.
    far:
        Relative correction above which a step is repeated with half its size.
    settled:
        Relative correction at which Newton's method has converged well enough to go on.
    most:
        Rounds of steps before the remaining paths are given up.
    """

    first: float = 0.05
    least: float = 1e-7
    largest: float = 0.25
    aim: float = 1e-3
    far: float = 3e-2
    settled: float = 1e-6
    most: int = 600


_STEPS = Steps()
_ORDER = 5
"""The error of a prediction grows with this power of the step."""


def track(system: System, w: Array, start: Array, end: Array, steps: Steps = _STEPS) -> tuple[Array, Array]:
    """Follow solutions at ``start`` to solutions at ``end``.

    Parameters
    ----------
    system:
        The equations.
    w:
        ``(B, P)``: solutions at the parameters ``start``.
    start, end:
        ``(m,)``: parameters, or ``(B, m)`` when every path has its own.
    steps:
        How carefully.

    Returns
    -------
    ``(B, P)`` end points and a mask ``(B,)``: where it is False the path was given up and the row means nothing.

    References
    ----------
    Morgan, Sommese, "Coefficient-parameter polynomial continuation", Appl. Math. Comput. 29 (1989).
    """
    w, start, end = w.astype(complex), np.atleast_2d(start), np.atleast_2d(end)
    t, step = np.zeros(len(w)), np.full(len(w), steps.first)
    alive = np.ones(len(w), dtype=bool)
    with np.errstate(all="ignore"):  # a diverging path overflows; it is then given up
        for _ in range(steps.most):
            (active,) = np.nonzero(alive & (t < 1.0))
            if not len(active):
                break
            h = np.minimum(step[active], 1.0 - t[active])
            segment = _rows(start, active), _rows(end, active)
            frame = system.frame(w[active])
            guess = _runge_kutta(system, w[active], frame, *segment, t[active], h)
            reached, first, last = _correct(system, guess, frame, *segment, t[active] + h, steps)
            good = (last < steps.settled) & (first < steps.far)
            went = active[good]
            w[went] = reached[good]
            t[went] = np.where(h[good] >= 1.0 - t[went], 1.0, t[went] + h[good])
            growth = np.clip((steps.aim / (first[good] + 1e-300)) ** (1 / _ORDER), 0.5, 2.0)
            step[went] = np.minimum(h[good] * growth, steps.largest)
            step[active[~good]] = h[~good] / 2
            alive[step < steps.least] = False
    (arrived,) = np.nonzero(alive & (t >= 1.0))
    if len(arrived):
        w[arrived], size = refine(system, w[arrived], _rows(end, arrived))
        arrived = arrived[size < 1e-10]
    return w, np.isin(np.arange(len(w)), arrived)


def refine(system: System, w: Array, parameters: Array, rounds: int = 4) -> tuple[Array, Array]:
    """Newton's method at fixed parameters: the iterates ``(B, P)`` and the relative size ``(B,)`` of the last step."""
    parameters = np.atleast_2d(parameters)
    size = np.full(len(w), np.inf)
    here = np.zeros(len(w))
    with np.errstate(all="ignore"):
        frame = system.frame(w)
        for _ in range(rounds):
            value, matrix, _ = system.along(w, frame, parameters, parameters, here)
            move = _move(frame, matrix, value)
            w = w - move
            size = _relative(move, w)
    return w, size


def _rows(parameters: Array, paths: Array) -> Array:
    return parameters if len(parameters) == 1 else parameters[paths]


def _runge_kutta(system: System, w: Array, frame: Array, start: Array, end: Array, t: Array, h: Array) -> Array:
    def velocity(at: Array, when: Array) -> Array:
        _, matrix, slope = system.along(at, frame, start, end, when)
        return _move(frame, matrix, -slope)

    half, whole = h[:, None] / 2, h[:, None]
    a = velocity(w, t)
    b = velocity(w + half * a, t + h / 2)
    c = velocity(w + half * b, t + h / 2)
    d = velocity(w + whole * c, t + h)
    moved: Array = w + whole / 6 * (a + 2 * b + 2 * c + d)
    return moved


def _correct(
    system: System, w: Array, frame: Array, start: Array, end: Array, t: Array, steps: Steps
) -> tuple[Array, Array, Array]:
    """At most three Newton steps; the iterate and the relative sizes of the first and of the last step."""
    first = last = np.full(len(w), np.inf)
    for number in range(3):
        value, matrix, _ = system.along(w, frame, start, end, t)
        move = _move(frame, matrix, value)
        w = w - move
        last = _relative(move, w)
        if number == 0:
            first = last
        if (last < steps.settled).all():
            break
    return w, first, np.where(np.isfinite(last), last, np.inf)


def _relative(move: Array, w: Array) -> Array:
    size: Array = np.linalg.norm(move, axis=1) / (1e-300 + np.linalg.norm(w, axis=1))
    return size


def _move(frame: Array, matrix: Array, right: Array) -> Array:
    """``frame matrix⁻¹ right`` for a batch; NaN where a matrix is singular."""
    move: Array = (frame @ _solved(matrix, right)[..., None])[..., 0]
    return move


def _solved(matrix: Array, right: Array) -> Array:
    try:
        return np.linalg.solve(matrix, right[..., None])[..., 0]
    except np.linalg.LinAlgError:
        result = np.full(right.shape, np.nan, dtype=complex)
        for row in range(len(matrix)):
            try:
                result[row] = np.linalg.solve(matrix[row], right[row])
            except np.linalg.LinAlgError:
                continue
        return result
