"""Time limits and progress of commands: a limit holds whatever the work does, and long work shows that it goes on."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click

from polygeom.errors import BudgetError, PolygeomError

GRACE = 1.5
"""Seconds after which a count is ended that has not ended by itself with the lower bound that it has."""


def within(
    target: str, argument: Mapping[str, Any], timeout: float | None, progress: Callable[[float], None] | None = None
) -> dict[str, Any] | None:
    """The answer of a function ``"module:function"``, from a process of its own; None if the time was over.

    Parameters
    ----------
    target, argument:
        As for `polygeom.supervision.Call`.
    timeout:
        Seconds; the process ends at most a second later.
    progress:
        Called about once a second with the seconds so far.

    Raises
    ------
    PolygeomError
        With the message of the function, if it refused its argument.
    """
    from polygeom.supervision import Call, Limits, Status, run_alone

    outcome = run_alone(Call(target, argument), Limits(timeout), progress)
    if outcome.status is Status.OK:
        return dict(outcome.result or {})
    if outcome.status is Status.TIMEOUT:
        return None
    if outcome.status is Status.MEMORY:
        raise BudgetError(outcome.message.removeprefix("BudgetError: "))
    raise PolygeomError(outcome.message.removeprefix("PolygeomError: "))


def check_timeout(timeout: float | None, name: str = "--timeout") -> None:
    """Refuse what is no positive number of seconds."""
    if timeout is not None and not 0 < timeout < 1e9:
        raise PolygeomError(f"{name} must be a positive number of seconds, got {timeout}; write {name} 20")


def shows_progress(quiet: bool = False) -> bool:
    """Whether somebody looks at standard error."""
    return sys.stderr.isatty() and not quiet


@contextmanager
def ticking(label: str, shown: bool) -> Iterator[Callable[[float], None] | None]:
    """Show ``label`` and the seconds since the start on one line of standard error, from the second one on.

    Yields
    ------
    What does the same for those who count the seconds themselves; None if nothing is shown.
    """
    if not shown:
        yield None
        return
    over, started = threading.Event(), time.monotonic()

    def tell(seconds: float) -> None:
        click.echo(f"\r\033[K{label}, {seconds:.0f} s ", err=True, nl=False)

    def tick() -> None:
        while not over.wait(1.0):
            tell(time.monotonic() - started)

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield tell
    finally:
        over.set()
        thread.join()
        click.echo("\r\033[K", err=True, nl=False)
