"""Ctrl-C and termination as a request that a long job can honour without losing anything."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any, Self

PATIENCE = 5.0
"""Seconds that the job has for stopping, during which further signals are ignored."""


class Interrupts:
    """While entered in the main thread, SIGINT, SIGTERM and SIGHUP set ``requested`` instead of ending the program.

    A signal that the program handles itself, or ignores, keeps its handling. In another thread nothing changes, since
    Python handles signals in the main thread alone.

    Parameters
    ----------
    wake:
        Called once, from the signal handler, when the request comes.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self.requested: int | None = None
        self._wake = wake
        self._since = 0.0
        self._at_once = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number, default in (
                (signal.SIGINT, signal.default_int_handler),
                (signal.SIGTERM, signal.SIG_DFL),
                (signal.SIGHUP, signal.SIG_DFL),
            ):
                if signal.getsignal(number) is default:
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Code of the caller's runs, which may wait for long: a signal raises `KeyboardInterrupt` in it."""
        self._at_once = True
        try:
            yield
        finally:
            self._at_once = False

    def stopping(self) -> bool:
        """Whether a stop has been requested."""
        return self.requested is not None

    def deliver(self) -> None:
        """Let the signal that was requested have its usual effect, after leaving the context."""
        if self.requested == signal.SIGINT:
            raise KeyboardInterrupt
        if self.requested is not None:
            signal.raise_signal(self.requested)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested is None:
            self.requested, self._since = number, time.monotonic()
            self._wake()
        elif time.monotonic() - self._since < PATIENCE:
            return
        else:
            raise KeyboardInterrupt
        if self._at_once:
            raise KeyboardInterrupt
