"""Counting solutions by monodromy: carry one solution around loops in parameter space until no new ones appear.

The solutions of `polygeom.ideal.counting.systems` form one orbit of the monodromy group, since weights and parameters
together form an irreducible variety; so every solution is reachable from one, and the number found is a lower bound
that stabilises. For linear sections the *trace test* says when to stop: as the section moves parallel to itself, the
sum of all solutions moves along a line, and the sum of some of them does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from polygeom.ideal.counting.systems import CriticalPoints, Sections, complex_normal
from polygeom.ideal.counting.tracking import Array, Steps, refine, track

_LOOSE = Steps(least=1e-4, aim=3e-3, far=0.1, most=80)
"""For loops: a path that is given up, or jumps, costs nothing but the chance of a new solution."""
_CAREFUL = Steps(least=1e-7, most=600)
_BATCH = 24
"""Paths followed together while there are few solutions: several loops at once cost little more than one."""
_SAME = 1e-6
_STRAIGHT = 1e-6


@dataclass(frozen=True, eq=False)
class Solutions:
    """What monodromy found.

    Attributes
    ----------
    count:
        Number of distinct points of the neurovariety.
    weights:
        ``(count, P)``: weights of each.
    parameters:
        ``(m,)``: parameters at which these are the solutions.
    trace:
        Relative deviation of the trace from a line, None if it was not measured; below ``1e-6`` the test is passed.
    loops, idle:
        Loops made, and how many of the last ones found nothing new.
    lost:
        Fraction of the paths that were given up.
    """

    count: int
    weights: Array
    parameters: Array
    trace: float | None
    loops: int
    idle: int
    lost: float

    @property
    def complete(self) -> bool:
        """Whether the trace test was passed: numerical evidence, not a proof, that no solution is missing."""
        return self.trace is not None and self.trace < _STRAIGHT


def monodromy(
    system: Sections | CriticalPoints,
    rng: np.random.Generator,
    *,
    idle: int = 12,
    loops: int = 400,
    most: int = 5000,
    progress: Callable[[int, int], None] | None = None,
) -> Solutions:
    """Solutions of a system at random parameters, up to weights that give the same function.

    Parameters
    ----------
    system:
        What to solve.
    rng:
        Source of the loops.
    idle:
        Stop after so many loops without a new solution. Sections stop earlier, once the trace test is passed.
    loops, most:
        Stop after so many loops, or with so many solutions.
    progress:
        Called after each loop with its number and the number of solutions.

    Returns
    -------
    `Solutions`: distinct solutions, hence a lower bound for their number.

    References
    ----------
    Sommese, Verschelde, Wampler, "Symmetric functions applied to decomposing solution sets of polynomial systems",
    SIAM J. Numer. Anal. 40 (2002). Duff, Hill, Jensen, Lee, Leykin, Sommars, "Solving polynomial systems via homotopy
    continuation and monodromy", arXiv 1609.08722.
    """
    w, base = system.start(rng)
    known = _Distinct(rng)
    found = known.add(w, system.outputs.image(w))
    trace: float | None = None
    still = number = paths = lost = 0
    while number < loops and still < idle and len(found) < most:
        together = max(1, _BATCH // len(found))
        w = _around(system, found, base, together, _LOOSE if still < idle // 2 else _CAREFUL, rng)
        number, paths, lost = number + together, paths + together * len(found), lost + together * len(found) - len(w)
        if isinstance(system, CriticalPoints) and len(w):
            w = w[system.proper(w, base)]
        new = known.add(w, system.outputs.image(w)) if len(w) else w
        still = 0 if len(new) else still + together
        found = np.concatenate([found, new])
        if progress is not None:
            progress(number, len(found))
        if isinstance(system, Sections) and still:
            trace = trace_deviation(system, found, base, rng)
            if trace is not None and trace < _STRAIGHT:
                break
    return Solutions(len(found), found, base, trace, number, still, lost / max(1, paths))


def _around(
    system: Sections | CriticalPoints, w: Array, base: Array, loops: int, steps: Steps, rng: np.random.Generator
) -> Array:
    """Where each solution ends after each of ``loops`` random triangles in parameter space; given up paths are left
    out."""
    corners = [np.stack([system.move(base, rng) for _ in range(loops)]).repeat(len(w), axis=0) for _ in range(2)]
    home = np.tile(base, (loops * len(w), 1))
    legs = np.stack([home, *corners, home])
    w = np.tile(w, (loops, 1))
    for leg in range(3):
        w, arrived = track(system, w, legs[leg], legs[leg + 1], steps)
        w, legs = w[arrived], legs[:, arrived]
    return w


class _Distinct:
    """Points told apart by three random linear functionals."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._functionals: Array | None = None
        self._marks = np.empty((0, 3), dtype=complex)

    def add(self, w: Array, points: Array) -> Array:
        """The rows of ``w`` whose points were not known, each once."""
        if self._functionals is None:
            self._functionals = complex_normal(self._rng, points.shape[1], 3)
        marks = points @ self._functionals
        new = []
        for row, mark in enumerate(marks):
            scale = np.abs(mark).max() + 1e-300
            if len(self._marks) and (np.abs(self._marks - mark).max(axis=1) < _SAME * scale).any():
                continue
            self._marks = np.concatenate([self._marks, mark[None]])
            new.append(row)
        return w[new]


def trace_deviation(system: Sections, w: Array, base: Array, rng: np.random.Generator) -> float | None:
    """How far the sum of the given points is from moving along a line while the section moves parallel to itself.

    Returns
    -------
    The second difference of the sum at three parallel sections, relative to the sizes of the points; None when a path
    was given up, twice, so that nothing is known.
    """
    for _ in range(2):
        middle = (base + system.move(base, rng)) / 2
        end = 2 * middle - base
        at_middle, first = track(system, w, base, middle)
        if not first.all():
            continue
        at_end, second = track(system, at_middle, middle, end)
        if not second.all():
            continue
        images = [system.outputs.image(each) for each in (refine(system, w, base)[0], at_middle, at_end)]
        sums = [image.sum(axis=0) for image in images]
        size = max(float(np.abs(image).sum(axis=0).max()) for image in images)
        return float(np.abs(sums[0] - 2 * sums[1] + sums[2]).max()) / size
    return None
