"""Following the solutions of polynomial equations in a network's weights while parameters move along a path, over ℂ.

Predictor and corrector: the cubic through the last two points with their tangents is continued, then Newton's method
corrects; each path has its own step size (`polygeom.ideal.counting.paths.kernels`). Nothing here is a proof. A path
that jumps to another solution still ends at a solution, and what is claimed about solutions is certified afterwards
(`polygeom.ideal.counting.paths.proofs`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.ideal.counting.paths.plain import solved
from polygeom.ideal.counting.paths.route import FOLLOWED
from polygeom.ideal.counting.paths.sharing import PathCrew
from polygeom.ideal.counting.paths.systems import Array, System

Batch = tuple[Array, ...]
"""Solutions ``(B, P)``, parameters at both ends ``(B, ·)``, arcs ``(B,)``."""
Limits = tuple[float, float, float, int, int]
"""The entries of `Steps`."""
Piece = tuple[slice, tuple[Array, Array, Array]]
"""Rows of a batch, and what a kernel says about them."""

_LONGEST = 0.25
"""Seconds that one call of a kernel should take, so that a deadline is noticed in time."""
_RESIDUE, _FAR = 1e-6, 1e8
"""What is a solution: residues of equations, and outputs, beside the length of the right sides."""


@dataclass(frozen=True, slots=True)
class Steps:
    """How carefully to follow a path.

    Attributes
    ----------
    aim:
        Relative correction of a predicted point that the next step is chosen for.
    far:
        Relative correction above which a step is repeated with half its size.
    least:
        Step in ``t`` below which a path is given up.
    most:
        Steps after which it is given up.
    fulls:
        Corrections of a step that take derivatives; the others need values alone.
    """

    aim: float = 1e-4
    far: float = 1e-2
    least: float = 1e-6
    most: int = 1000
    fulls: int = 2


STEPS = Steps()


QUICK = Steps(aim=3e-3, far=0.05, least=1e-5, most=300)
CAREFUL = Steps(aim=1e-5, far=1e-3, least=1e-8, most=5000)


class Deadline(Exception):
    """The time is up; what was found so far stands."""


@dataclass
class Tracker:
    """Follows paths of one system, within a time.

    Attributes
    ----------
    system:
        The equations.
    until:
        `time.monotonic` at which `Deadline` is raised; None for no limit.
    crew:
        Who follows long batches of paths; None for this process.
    paths, lost, steps:
        How many paths were followed, given up, and in how many steps.
    """

    system: System
    until: float | None = None
    crew: PathCrew | None = None
    paths: int = 0
    lost: int = 0
    steps: int = 0
    _pace: float = 0.01

    def follow(
        self, w: Array, start: Array, end: Array, gamma: Array | complex = 1.0, steps: Steps = STEPS
    ) -> tuple[Array, Array]:
        """Follow solutions at ``start`` to solutions at ``end``.

        Parameters
        ----------
        w:
            ``(B, P)``: solutions at the parameters ``start``.
        start, end:
            Parameters, one or ``B`` of them.
        gamma:
            One complex number, or ``B`` of them, that choose the arcs from ``start`` to ``end``; 1 is straight.
        steps:
            How carefully.

        Returns
        -------
        ``(B, P)`` end points and a mask ``(B,)``: where it is False the path was given up and the row means nothing.

        Raises
        ------
        Deadline
            When the time is up before all paths have ended.

        References
        ----------
        Morgan, Sommese, "Coefficient-parameter polynomial continuation", Appl. Math. Comput. 29 (1989).
        """
        count = len(w)
        start, end = (self._rows(self.system.right(p), count) for p in (start, end))
        gamma = np.full(count, 1.0, dtype=complex) * gamma
        w = np.ascontiguousarray(w, dtype=complex)
        ends, arrived = np.zeros_like(w), np.zeros(count, dtype=bool)
        limits = (steps.aim, steps.far, steps.least, steps.most, steps.fulls)
        for rows, found in self._pieces((w, start, end, gamma), limits):
            ends[rows], reached, numbers = found
            arrived[rows] = reached >= 1.0
            self.steps += int(numbers.sum())
        arrived &= _solve(self.system, ends, end)
        self.paths, self.lost = self.paths + count, self.lost + count - int(arrived.sum())
        return ends, arrived

    def _pieces(self, batch: Batch, limits: Limits) -> Iterator[Piece]:
        """The ends of a batch, rows by rows: from here, or from the crew where that takes long."""
        count = len(batch[0])
        if self.crew is None or not self.paths or not self.crew.takes(count * self._pace):
            yield from self._here(batch, 0, count, limits)
            return
        size = self.crew.size(count, self._pace)
        pieces = [slice(at, min(count, at + size)) for at in range(0, count, size)]
        parts = [tuple(part[rows] for part in batch) for rows in pieces]
        shared = self.crew.follow(self.system.packed, parts, limits, self.until)
        if shared is None:
            raise Deadline
        for rows, found in zip(pieces, shared, strict=True):
            if found is None:
                yield from self._here(batch, rows.start, rows.stop, limits)
            else:
                yield rows, found

    def _here(self, batch: Batch, at: int, to: int, limits: Limits) -> Iterator[Piece]:
        kernels = self.system.outputs.kernels(FOLLOWED, to - at)
        while at < to:
            if self.until is not None and time.monotonic() > self.until:
                raise Deadline
            began = time.perf_counter()
            rows = slice(at, min(to, at + max(1, int(_LONGEST / self._pace))))
            yield rows, kernels.follow(*self.system.packed, *(part[rows] for part in batch), *limits)
            self._pace = max(1e-6, (time.perf_counter() - began) / (rows.stop - at))
            at = rows.stop

    @staticmethod
    def _rows(parameters: Array, count: int) -> Array:
        return np.array(np.broadcast_to(parameters, (count, parameters.shape[-1])), dtype=complex, order="C")


def _solve(system: System, w: Array, right: Array) -> Array:
    """Mask ``(B,)`` of weights that solve the equations with these right sides, as far as rounding lets one see.

    Beside weights that run off to infinity every correction is small, so small corrections are no sign of a solution. A
    right side of zero has no length to compare with: then residues are compared with the outputs.
    """
    with np.errstate(all="ignore"):
        outputs, length = system.outputs.raw(w), np.linalg.norm(right, axis=1)
        if system.kind == 0:
            off, largest = outputs @ system.matrix.T - right, _RESIDUE * length
            terms = np.linalg.norm(system.matrix) * np.linalg.norm(outputs, axis=1)
            largest = np.where(length > 0, largest, _RESIDUE * terms)
        else:  # where the differential is zero the equations hold however far away
            off, largest = outputs @ system.form.T, np.where(length > 0, _FAR * length, np.inf)
        solved: Array = np.isfinite(w).all(axis=1) & (np.linalg.norm(off, axis=1) <= largest)
    return solved


def track(system: System, w: Array, start: Array, end: Array, steps: Steps = STEPS) -> tuple[Array, Array]:
    """Follow solutions along the segment between two parameters, see `Tracker.follow`."""
    return Tracker(system).follow(w, start, end, 1.0, steps)


def refine(system: System, w: Array, parameters: Array, rounds: int = 4) -> tuple[Array, Array]:
    """Newton's method at fixed parameters: the iterates ``(B, P)`` and the relative size ``(B,)`` of the last step."""
    size = np.full(len(w), np.inf)
    with np.errstate(all="ignore"):
        for _ in range(rounds):
            value, matrix, _, _, frames = system.linearised(w, parameters)
            step = solved(matrix, value)
            w = w - (frames @ step[..., None])[..., 0]
            size = np.linalg.norm(step, axis=1) / (1e-300 + np.linalg.norm(w, axis=1))
    return w, size


def shortened(system: System, w: Array, parameters: Array, rounds: int = 150) -> Array:
    """Weights ``(B, P)`` of the same functions that are less long: small steps along the fibre, each with a correction.

    Where weights are much longer than their images ask for, the terms of the outputs cancel, and proofs fail.
    """
    step = np.full(len(w), 0.1)
    with np.errstate(all="ignore"):
        for _ in range(rounds):
            frames = system.linearised(w, parameters)[-1]
            along = w - (frames @ (np.swapaxes(frames.conj(), 1, 2) @ w[..., None]))[..., 0]
            if (np.linalg.norm(along, axis=1) < 0.1 * np.linalg.norm(w, axis=1)).all():
                break
            trial, size = refine(system, w - step[:, None] * along, parameters, 3)
            better = (size < 1e-6) & (np.linalg.norm(trial, axis=1) < np.linalg.norm(w, axis=1))
            w = np.where(better[:, None], trial, w)
            step = np.where(better, np.minimum(2 * step, 0.5), 0.2 * step)
    return w
