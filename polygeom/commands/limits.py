"""Time limits and progress of commands: a limit holds whatever the work does, and long work shows that it goes on."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click

from polygeom.errors import BudgetError, PolygeomError

GRACE = 1.5
"""Seconds that a command may take beyond its limit to tell what it has found."""


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


@contextmanager
def last_resort(timeout: float | None) -> Iterator[None]:
    """End what runs on after the time by an exception: for steps that look at no clock.

    Raises
    ------
    BudgetError
        `GRACE` seconds after the timeout, at the next instruction of Python.
    """
    if timeout is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_: int, frame: FrameType | None) -> None:
        if _in_supervision(frame):  # processes are being ended: that must not be interrupted
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            return
        raise BudgetError(f"stopped after {timeout:g} s, in a step that cannot be divided; write a larger --timeout")

    before = signal.signal(signal.SIGALRM, stop)
    clock = signal.setitimer(signal.ITIMER_REAL, timeout + GRACE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *clock)  # somebody else's clock goes on


def _in_supervision(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("polygeom.supervision"):
            return True
        frame = frame.f_back
    return False


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
