"""How long and how large a check may become, asked before every step: no certificate, however odd, runs away."""

from __future__ import annotations

import time

from polygeom import checks
from polygeom.errors import BudgetError, PolygeomError

SECONDS = 600.0
MEMORY = 4 * 2**30
"""Limits of a check unless the caller sets others."""
PER_SECOND = 2e8
"""Elementary steps that a second is taken to suffice for; in FLINT and numpy they are faster."""
LARGE = 256
"""Rows and columns from which on a matrix is eliminated in floating point rather than by FLINT."""


class Budget:
    """Seconds and bytes that a check may use.

    Parameters
    ----------
    seconds:
        From now on; positive.
    memory:
        Bytes of the largest table, estimated before it is made.

    Raises
    ------
    PolygeomError
        If a limit is not positive.
    """

    def __init__(self, seconds: float = SECONDS, memory: int = MEMORY) -> None:
        seconds = checks.seconds(seconds)
        if type(memory) is not int or memory < 1:
            raise PolygeomError(f"memory must be a positive number of bytes, got {memory!r:.40}; write memory=2*10**9")
        self._end, self.seconds, self.memory = time.monotonic() + seconds, seconds, memory

    def step(self, what: str, operations: float = 0, size: float = 0) -> None:
        """Refuse a step that would take too long or need too many bytes.

        Raises
        ------
        BudgetError
            Saying what was too much and how to allow more.
        """
        if size > self.memory:
            raise BudgetError(
                f"certificate: {what} needs about {size / 2**20:.0f} MiB, more than the limit of "
                f"{self.memory / 2**20:.0f} MiB; allow more with memory"
            )
        if time.monotonic() + operations / PER_SECOND > self._end:
            raise BudgetError(
                f"certificate: {what} does not fit into the limit of {self.seconds:g} s; allow more with timeout"
            )

    def rank(self, what: str, rows: int, columns: int) -> None:
        """`step` for the rank of a matrix modulo a prime, with the lists or copies that it is made of."""
        least = min(rows, columns)
        steps, size = (0.2 * least, 48) if least < LARGE else (0.04 * least + 50, 32)
        self.step(what, steps * rows * columns, size * rows * columns)
