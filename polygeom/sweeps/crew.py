"""Who runs the tasks of a sweep: supervised workers of this process, or any executor.

No executor can stop a running task, so the deadline is always kept by a `Supervisor` next to the work.
"""

from __future__ import annotations

import itertools
import os
import threading
import weakref
from concurrent.futures import Executor, Future
from typing import Any, Protocol

from polygeom.errors import PolygeomError
from polygeom.supervision.crew import close_all
from polygeom.supervision.limits import Limits
from polygeom.supervision.process import StopSignal
from polygeom.supervision.supervisor import Supervisor
from polygeom.sweeps.task import Task

_LEAST_CAPACITY = 16  # how many tasks an executor runs at once is not part of its interface

IDLE = 10.0
"""Seconds after which a worker started through a foreign executor ends by itself when no task comes."""


class Crew(Protocol):
    """Takes tasks; each future gives `Outcome.as_dict()`."""

    capacity: int
    """How many tasks run at the same time."""

    def submit(self, task: Task) -> Future[dict[str, Any]]:
        """Hand over a task."""

    def stop(self) -> None:
        """End what is running, as far as it runs where we can reach it."""

    def close(self) -> None:
        """Release everything; no task is running any more, or `stop` has been called."""


def check_executor(executor: Any) -> None:
    """Refuse what takes no tasks; None is no executor.

    Raises
    ------
    PolygeomError
        If it has no method ``submit``.
    """
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise PolygeomError(f"executor must be a concurrent.futures.Executor, got {type(executor).__name__}")


class ExecutorCrew:
    """An executor of the caller's. `stop` reaches the tasks it runs in this process; elsewhere their deadlines do."""

    _numbers = itertools.count()

    def __init__(self, executor: Executor, capacity: int, limits: Limits) -> None:
        check_executor(executor)
        self.capacity = max(capacity, _LEAST_CAPACITY)
        self._executor, self._limits = executor, limits
        self._name = f"{os.getpid()}-{next(self._numbers)}"
        self._stop = _signals[self._name] = StopSignal()

    def submit(self, task: Task) -> Future[dict[str, Any]]:
        """Hand over a task."""
        return self._executor.submit(supervise, task.as_dict(), self._limits.timeout, self._limits.memory, self._name)

    def stop(self) -> None:
        """End the workers below this process."""
        self._stop.set()

    def close(self) -> None:
        """End the workers below this process that are at rest."""
        resting = [seat for seat in _everyone if seat.owner == os.getpid() and seat.lock.acquire(blocking=False)]
        close_all([seat.supervisor for seat in resting])
        for seat in resting:
            seat.lock.release()
        del _signals[self._name]
        # The descriptors are released with the last task that may still look at them.


def supervise(task: dict[str, Any], timeout: float | None, memory: int | None, sweep: str = "") -> dict[str, Any]:
    """Run one task under supervision, here: the function that a foreign executor is given.

    Each thread that calls it keeps a worker for the next call; the worker ends by itself after `IDLE` seconds.

    Parameters
    ----------
    task:
        `Task.as_dict()`.
    timeout, memory:
        As for `Supervisor.run`.
    sweep:
        Name of the sweep, by which it can stop the task when it lives in this process.

    Returns
    -------
    `Outcome.as_dict()`.
    """
    seat: _Seat | None = getattr(_here, "seat", None)
    if seat is None or seat.owner != os.getpid():
        seat = _here.seat = _Seat()
        _everyone.add(seat)
    with seat.lock:
        seat.supervisor.stop = _signals.get(sweep)
        try:
            return seat.supervisor.run(Task.from_dict(task), timeout, memory).as_dict()
        except BaseException:
            seat.supervisor.close()
            raise
        finally:
            seat.supervisor.stop = None


class _Seat:
    """The supervisor of one thread of an executor."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.lock = threading.Lock()
        self.supervisor = Supervisor(idle=IDLE)


# State of a process, not of a sweep: an executor's process outlives the calls of `supervise`, and so do the workers it
# keeps.
_here = threading.local()
_everyone: weakref.WeakSet[_Seat] = weakref.WeakSet()
_signals: dict[str, StopSignal] = {}
