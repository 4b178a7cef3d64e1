"""A limit for what looks at no clock: an exception in the middle of it, raised by an alarm of the system."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from polygeom.errors import BudgetError

GRACE = 1.5
"""Seconds that may pass beyond a limit, to tell what has been found."""
AGAIN = 1.0
"""Seconds after which the alarm rings again, where its exception was taken for one that another way goes around."""


@contextmanager
def last_resort(timeout: float | None) -> Iterator[None]:
    """End what runs on after the time by an exception: for steps that look at no clock.

    Raises
    ------
    BudgetError
        `GRACE` seconds after the timeout, at the next instruction of Python; and again every `AGAIN` seconds until it
        arrives here.
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
    clock = signal.setitimer(signal.ITIMER_REAL, timeout + GRACE, AGAIN)
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
