"""One job at a time in a process that can be killed: whatever happens in there comes back as an `Outcome`.

Why not a pool from elsewhere: pebble's pool kills, but on the wall clock, one worker after another, and lets the
workers' own children live; the standard pools cannot stop a running task at all.
"""

from __future__ import annotations

import sys
import time
import weakref
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from polygeom.supervision import child
from polygeom.supervision.job import Job, Outcome, Status
from polygeom.supervision.process import StopSignal, WorkerProcess

DEATHS = 3
"""After so many dead workers a task is `Status.CRASHED`."""

START_LIMIT = 120.0
"""Seconds a new worker has for its imports and for `prepare` where a task has no deadline."""

START = 10.0
"""Seconds it has in any case where a task has one; more only if the deadline is later. What a start takes does not
count against a task's time, but a start that hangs ends the task with `Status.TIMEOUT`."""

GROWTH = 256 * 2**20
"""A worker that keeps this many bytes more than after its first task is replaced after its task."""

LOADED = 2**30
"""So many bytes its first task may leave: mostly libraries, which the next worker would have to load again."""


class Supervisor:
    """Runs tasks one after another in a worker process, which is kept between tasks and replaced when a task spoils it.

    Parameters
    ----------
    stop:
        Ends the running task, and all later ones, with `Status.CANCELLED`.
    idle:
        Let the worker end by itself after so many seconds without a task.

    Use it from one thread at a time, and as a context manager: leaving it ends the worker and all that the worker has
    started.

    Examples
    --------
    >>> from polygeom.supervision import Call
    >>> task = {"argument": {"network": "[2,3,1] r=2"}, "seed": 0}
    >>> with Supervisor() as supervisor:
    ...     outcome = supervisor.run(Call("polygeom.dimensions.task:run", task), timeout=60)
    >>> outcome.status.value, outcome.result["dimension"]
    ('ok', 3)
    """

    def __init__(self, stop: StopSignal | None = None, *, idle: float | None = None) -> None:
        self.stop, self._idle = stop, idle
        self._process: WorkerProcess | None = None
        self._finalizer: weakref.finalize[Any, Any] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def worker(self) -> int | None:
        """Process id of the worker, if there is one."""
        return None if self._process is None else self._process.pid

    def run(self, task: Job, timeout: float | None = None, memory: int | None = None) -> Outcome:
        """Run ``task`` and return what became of it; never raises for anything that the task does.

        Parameters
        ----------
        task:
            What to run.
        timeout:
            Seconds, by a clock that cannot be set, over all attempts together. Then SIGTERM, 0.2 s later SIGKILL, for
            the worker and all processes below it. The start of a worker, imports, has as much time again, and `START`
            seconds in any case.
        memory:
            Bytes that the worker and the processes below it may use beyond what the worker uses at rest.

        Returns
        -------
        The outcome. A worker that dies is replaced and the task is tried again, until `DEATHS` workers have died.
        """
        endings: list[str] = []
        left = timeout
        while True:
            outcome = self._attempt(task, left, memory)
            if outcome.status is Status.TIMEOUT:
                message = outcome.message or f"stopped after {timeout:g} s"
                return replace(outcome, message=message, deaths=len(endings))
            if outcome.deaths == 0:
                return replace(outcome, deaths=len(endings))
            endings.append(outcome.message)
            if len(endings) == DEATHS:
                return replace(outcome, deaths=DEATHS, message=_summary(endings))
            if left is not None:
                left = max(0.0, left - outcome.elapsed)

    def close(self) -> None:
        """End the worker and everything below it."""
        self._end()

    def _end(self) -> str:
        process, self._process = self._process, None
        if self._finalizer is not None:
            self._finalizer.detach()
        return "" if process is None else process.end()

    def _attempt(self, task: Job, timeout: float | None, memory: int | None) -> Outcome:
        """One attempt; ``deaths=1`` in the answer says that it cost a worker its life."""
        process = self._ready(task.target, timeout)
        if isinstance(process, Outcome):
            return process
        start = time.monotonic()
        deadline = None if timeout is None else start + timeout
        reply = process.exchange({"task": task.as_dict(), "memory": memory}, deadline, memory, self.stop)
        elapsed = time.monotonic() - start
        if isinstance(reply, Status):
            ending = self._end()
            message = {
                Status.CRASHED: ending,
                Status.MEMORY: child.too_much(memory),
                Status.CANCELLED: CANCELLED,
            }.get(reply, "")
            return Outcome(reply, message=message, elapsed=elapsed, deaths=int(reply is Status.CRASHED))
        if reply["spoiled"] or process.resting > process.at_rest + (LOADED if process.new else GROWTH):
            self._end()
        elif process.new:
            process.at_rest, process.new = process.resting, False
        return Outcome(Status(reply["status"]), reply["result"], reply["message"], elapsed, reply["peak_memory"])

    def _ready(self, target: str, timeout: float | None) -> WorkerProcess | Outcome:
        """A worker that has imported ``target``, or why there is none."""
        if self.stop is not None and self.stop.is_set():
            self._end()
            return Outcome(Status.CANCELLED, message=CANCELLED)
        if self._process is not None and (self._process.target != target or self._process.ended):
            self._end()
        if self._process is not None:
            return self._process
        process = self._process = WorkerProcess(target, idle=self._idle)
        self._finalizer = weakref.finalize(self, process.end)
        limit = START_LIMIT if timeout is None else max(START, timeout)
        order = {"target": target, "path": [str(Path(entry).absolute()) for entry in sys.path], "idle": self._idle}
        reply = process.exchange(order, time.monotonic() + limit, None, self.stop)
        if isinstance(reply, dict) and reply["status"] == "ready":
            process.at_rest = reply["memory_now"]
            return process
        ending = self._end()
        if reply is Status.CANCELLED:
            return Outcome(Status.CANCELLED, message=CANCELLED)
        if isinstance(reply, dict):
            return Outcome(Status.CRASHED, message=f"worker did not start: {reply['message']}")
        if reply is Status.TIMEOUT:
            status = Status.CRASHED if timeout is None else Status.TIMEOUT
            return Outcome(status, message=f"worker did not start: not ready after {limit:g} s", elapsed=limit)
        return Outcome(Status.CRASHED, message=f"worker did not start: {ending}", deaths=1)


CANCELLED = "stopped before it was finished; run it again to compute it"


def _summary(endings: list[str]) -> str:
    if len(set(endings)) == 1:
        return f"{len(endings)} times: {endings[0]}"
    return "; ".join(endings)
