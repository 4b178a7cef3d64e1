"""Several jobs at once: threads of this process that each own a supervised worker."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from polygeom.supervision.job import Job
from polygeom.supervision.limits import Limits
from polygeom.supervision.process import StopSignal
from polygeom.supervision.supervisor import Supervisor


class LocalCrew:
    """``workers`` threads, each with a supervised worker process of its own, so that all deadlines are kept at once."""

    def __init__(self, workers: int, limits: Limits) -> None:
        self.capacity = workers
        self._limits = limits
        self._stop = StopSignal()
        self._seats = threading.local()
        self._supervisors: list[Supervisor] = []
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="polygeom-crew")

    def submit(self, task: Job, limits: Limits | None = None) -> Future[dict[str, Any]]:
        """Hand over a job, whose future gives `Outcome.as_dict`; ``limits`` replace those of the crew."""
        return self._threads.submit(self._run, task, limits or self._limits)

    def _run(self, task: Job, limits: Limits) -> dict[str, Any]:
        supervisor: Supervisor | None = getattr(self._seats, "supervisor", None)
        if supervisor is None:
            supervisor = self._seats.supervisor = Supervisor(self._stop)
            self._supervisors.append(supervisor)
        return supervisor.run(task, limits.timeout, limits.memory).as_dict()

    def stop(self) -> None:
        """End all workers at once; running jobs give `Status.CANCELLED`, waiting ones are cancelled."""
        self._stop.set()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def close(self) -> None:
        """End threads and workers."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        close_all(self._supervisors)
        self._stop.close()


def close_all(supervisors: list[Supervisor]) -> None:
    """Close many supervisors in the time of one."""
    if supervisors:
        with ThreadPoolExecutor(len(supervisors)) as threads:
            list(threads.map(Supervisor.close, supervisors))
