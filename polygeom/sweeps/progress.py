"""How far a sweep has come: a bar on a terminal and in Jupyter, otherwise a plain line now and then."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from polygeom.supervision.bars import bar, in_notebook

EVERY = 30.0
"""Seconds between two lines."""


def _status(record: Mapping[str, Any]) -> str:
    return str(record["outcome"]["status"])


class Board:
    """Counts what is done and tells it.

    Parameters
    ----------
    total:
        Number of tasks; None when it is not known beforehand.
    show:
        True and False are obeyed; None shows a bar on a terminal or in Jupyter and lines elsewhere. True means the
        same, but the last line comes also when the sweep was short.
    name:
        What is going on, in one word.
    always:
        Which counts are told even when they are zero.
    status:
        From a record to what it is counted as.
    """

    def __init__(
        self,
        total: int | None,
        show: bool | None = None,
        *,
        name: str = "sweep",
        always: tuple[str, ...] = (),
        status: Callable[[Mapping[str, Any]], str] = _status,
    ) -> None:
        self.total, self.name = total, name
        self._always, self._status = always, status
        self.counts: Counter[str] = Counter()
        self.done = self.resumed = 0
        self._start = self._told = time.monotonic()
        self._show = show if sys.stderr is not None else False
        seen = self._show is not False and (sys.stderr.isatty() or in_notebook())
        self._bar = bar(total, name) if seen else None

    def count(self, record: Mapping[str, Any], *, resumed: bool = False) -> None:
        """One task is done; ``resumed`` when an earlier run did it."""
        self.counts[self._status(record)] += 1
        self.done += 1
        self.resumed += resumed

    def refresh(self) -> None:
        """Show the counts, if it is time to."""
        if self._bar is not None:
            self._bar.initial, self._bar.total = self.resumed, self.total
            self._bar.set_postfix_str(self._words(), refresh=False)
            self._bar.update(self.done - self._bar.n)
        elif self._show is not False and time.monotonic() - self._told >= EVERY:
            self._tell()

    def close(self) -> None:
        """Show the final counts and give the terminal back."""
        if self._bar is not None:
            self.refresh()
            self._bar.refresh()
            self._bar.close()
        elif self._show or (self._show is None and self._told > self._start):
            self._tell()

    def line(self) -> str:
        """The counts as one line."""
        left = self._left()
        parts = [f"{self.done} done" if self.total is None else f"{self.done} of {self.total} done", self._words()]
        new = self.done - self.resumed
        if left and new:
            parts.append(f"about {_duration(left * (time.monotonic() - self._start) / new)} to go")
        return f"{self.name}: " + ", ".join(part for part in parts if part)

    def _left(self) -> int | None:
        return None if self.total is None else max(0, self.total - self.done)

    def _words(self) -> str:
        names = [*self._always, *sorted(set(self.counts) - set(self._always))]
        left = self._left()
        return ", ".join([f"{self.counts[name]} {name}" for name in names] + ([] if left is None else [f"{left} left"]))

    def _tell(self) -> None:
        self._told = time.monotonic()
        print(self.line(), file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    for size, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {name}"
    return f"{seconds:.0f} s"
