"""Whether a count is evaluated by compiled kernels, or without them while that is over sooner than they are loaded.

Both give the same results, to rounding. Loading the kernels takes longer than a whole small count without them; with
many paths they are up to a hundred times faster. This is the one place where that is weighed.
"""

from __future__ import annotations

import sys
from types import ModuleType

_COMPILED = "polygeom.ideal.counting.paths.kernels"
_BUDGET = 0.26
"""Seconds of expected work without kernels after which they are loaded, which takes twice as long."""
_INSTRUCTION, _ENTRY = 1.5e-5, 2e-8
"""Seconds that evaluating one instruction of a program takes, and more for each number that it makes."""
FOLLOWED = 60
"""Evaluations that following a batch of paths takes, about."""
_BATCHES = 6
"""A count follows at least so many batches of paths, and about so many for each solution while there are few."""


class Route:
    """The work that one count has asked for so far, and what should do the next.

    Work is counted, not timed, so that a count is the same on every machine. Kernels that are loaded are used.

    Parameters
    ----------
    codimension:
        Of the variety: one that lies in no hyperplane has at least one more as its degree, so that most long counts
        are seen to be long at the beginning.
    """

    def __init__(self, codimension: int) -> None:
        self.solutions, self.work = 1 + max(0, codimension), 0.0

    def kernels(self, evaluations: int, instructions: int, entries: int) -> ModuleType:
        """`polygeom.ideal.counting.paths.kernels` or its twin `polygeom.ideal.counting.paths.plain`.

        Parameters
        ----------
        evaluations, instructions, entries:
            How often the next call evaluates a program, its instructions, and the numbers that each of them makes.
        """
        cost = instructions * (_INSTRUCTION + _ENTRY * entries)
        self.work += evaluations * cost
        if max(self.work, self.solutions * _BATCHES * FOLLOWED * cost) > _BUDGET or _COMPILED in sys.modules:
            from polygeom.ideal.counting.paths import kernels

            return kernels
        from polygeom.ideal.counting.paths import plain

        return plain
