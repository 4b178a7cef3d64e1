"""Hand tasks out, store what comes back, and pass over what an earlier run has stored: the loop of a sweep."""

from __future__ import annotations

import queue
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Future
from dataclasses import replace
from typing import Any, Protocol

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.supervision import Limits, Outcome, Status
from polygeom.supervision.child import plain
from polygeom.supervision.interrupts import Interrupts
from polygeom.supervision.supervisor import CANCELLED
from polygeom.sweeps.crew import Crew
from polygeom.sweeps.progress import Board
from polygeom.sweeps.records import Check, answers, is_settled, make_record
from polygeom.sweeps.task import Task

FAILURES = 3
"""After so many failures of the executor itself a task is `Status.CRASHED`."""

BATCH = 256
"""Tasks done together in one call."""
_LEAST_BATCH = 64
_AHEAD = 4
_LEAST_WINDOW = 16
_WAIT = 0.5


class Store(Protocol):
    """Where records go: a `Journal`, or memory."""

    def get(self, key: str) -> dict[str, Any] | None:
        """The latest record with this key."""

    def append(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Keep records."""


@dataclass(frozen=True)
class Plan:
    """A task with what is known before it runs; ``problem`` says why it cannot run.

    ``together`` names a function, as ``"module:function"``, that does many such tasks in one call: from a task with the
    argument ``{"arguments": […]}`` and their common seed to ``{"results": […]}``, one result of each.
    """

    task: Task
    facts: Mapping[str, Any]
    problem: str = ""
    together: str = ""


@dataclass
class _Job:
    """What one future stands for: the task it does, and the plans it does it for."""

    task: Task
    plans: list[Plan]
    failures: int = 0


class Runner:
    """One run of a sweep: `run` works until every plan has a record or a stop is requested.

    Parameters
    ----------
    crew, store, board, limits:
        Who works, where records go, who is told, and what a task may use.
    retry:
        Statuses that are computed again although they are stored.
    check:
        What is wrong with a result, in words.
    """

    def __init__(
        self,
        crew: Crew,
        store: Store,
        board: Board,
        limits: Limits,
        retry: Collection[str] = (),
        check: Check | None = None,
    ) -> None:
        self.order: list[str] = []
        """Keys of the plans so far, in the order of the input, with repetitions."""
        self.cancelled: dict[str, dict[str, Any]] = {}
        """Records of tasks that somebody cancelled: they are in no store."""
        self._crew, self._store, self._board = crew, store, board
        self._limits, self._retry, self._check = limits, retry, check
        self._seen: set[str] = set()
        self._flying: dict[Future[dict[str, Any]], _Job] = {}
        self._landed: queue.SimpleQueue[Future[dict[str, Any]] | None] = queue.SimpleQueue()
        self._broken: BaseException | None = None
        self._gathered: list[Plan] = []
        self._together = True
        self._window = max(_LEAST_WINDOW, _AHEAD * crew.capacity)

    def wake(self) -> None:
        """Make `run` look at its surroundings; may be called from a signal handler."""
        self._landed.put(None)

    def run(self, plans: Iterator[Plan], interrupts: Interrupts) -> None:
        """Work on the plans until all have a record, or until a stop is requested."""
        more = True
        while (more or self._flying) and not interrupts.stopping():
            records: list[dict[str, Any]] = []
            if more:
                more = self._fill(plans, interrupts, records)
            wait = _WAIT if self._flying and not records and (not more or len(self._flying) >= self._window) else 0.0
            records += self._collect(wait)
            self._keep(records)
            self._board.refresh()
            if self._broken is not None:
                why = plain(f"{type(self._broken).__name__}: {self._broken}")
                raise PolygeomError(
                    f"the executor takes no more tasks ({why}); finished rows are in the journal, if there is one: "
                    "run the same command with a new executor to go on"
                ) from self._broken
        if interrupts.stopping():
            self._stop()

    def _fill(self, plans: Iterator[Plan], interrupts: Interrupts, records: list[dict[str, Any]]) -> bool:
        """Hand out tasks up to the window; False when the plans are used up."""
        for _ in range(self._window):
            if len(self._flying) >= self._window or interrupts.stopping() or self._broken is not None:
                return True
            try:
                with interrupts.at_once():
                    plan = next(plans, None)
            except KeyboardInterrupt:
                if not interrupts.stopping():
                    raise
                return True
            if plan is None:
                self._hand_out()
                return False
            self._take(plan, records)
        return True

    def _take(self, plan: Plan, records: list[dict[str, Any]]) -> None:
        key = plan.task.key
        self.order.append(key)
        if key in self._seen:
            if self._board.total is not None:
                self._board.total -= 1
            return
        self._seen.add(key)
        stored = self._store.get(key)
        if (
            stored is not None
            and answers(stored, plan.task, plan.facts, self._check)
            and is_settled(stored, self._limits, self._retry)
        ):
            self._board.count(stored, resumed=True)
        elif plan.problem:
            outcome = Outcome(Status.INVALID, message=plan.problem)
            records.append(make_record(plan.task, plan.facts, self._limits, outcome, self._check))
        elif plan.together and self._together:
            if self._gathered and _common(self._gathered[0]) != _common(plan):
                self._hand_out()
            self._gathered.append(plan)
            if len(self._gathered) >= BATCH:
                self._hand_out()
        else:
            self._submit(_Job(plan.task, [plan]))

    def _hand_out(self) -> None:
        """Submit the plans gathered, in one task if they are many."""
        plans, self._gathered = self._gathered, []
        if len(plans) < _LEAST_BATCH or not self._together:
            for plan in plans:
                self._submit(_Job(plan.task, [plan]))
            return
        target, seed = _common(plans[0])
        self._submit(_Job(Task(target, {"arguments": [dict(plan.task.argument) for plan in plans]}, seed), plans))

    def _submit(self, job: _Job) -> None:
        try:
            future = self._crew.submit(job.task)
        except RuntimeError as error:  # shut down or broken
            self._broken = error
            return
        self._flying[future] = job
        future.add_done_callback(self._landed.put)

    def _collect(self, wait: float) -> list[dict[str, Any]]:
        """The records of what has landed, after waiting for the first for at most ``wait`` seconds."""
        records: list[dict[str, Any]] = []
        try:
            future = self._landed.get(timeout=wait) if wait else self._landed.get_nowait()
            while True:
                if future is not None:
                    records += self._land(future)
                future = self._landed.get_nowait()
        except queue.Empty:
            return records

    def _land(self, future: Future[dict[str, Any]]) -> list[dict[str, Any]]:
        job = self._flying.pop(future)
        error = None if future.cancelled() else future.exception()
        if future.cancelled():
            outcome = Outcome(Status.CANCELLED, message=CANCELLED)
        elif error is None:
            outcome = Outcome.from_dict(future.result())
        elif isinstance(error, BrokenExecutor):
            self._broken = error
            return []
        else:
            job.failures += 1
            if job.failures < FAILURES:
                self._submit(job)
                return []
            text = plain(f"{type(error).__name__}: {error}")
            outcome = Outcome(Status.CRASHED, message=f"{FAILURES} times: the executor failed: {text}")
        if job.task is job.plans[0].task or outcome.status is Status.CANCELLED:
            return [make_record(plan.task, plan.facts, self._limits, outcome, self._check) for plan in job.plans]
        return self._parted(job, outcome)

    def _parted(self, job: _Job, outcome: Outcome) -> list[dict[str, Any]]:
        """The records of plans that were done together; where that failed they are done one by one, as all later."""
        results = (outcome.result or {}).get("results")
        if outcome.status is not Status.OK or not isinstance(results, list) or len(results) != len(job.plans):
            self._together = False
            for plan in job.plans:
                self._submit(_Job(plan.task, [plan]))
            return []
        elapsed = outcome.elapsed / len(results)
        outcomes = [replace(outcome, result=result, elapsed=elapsed) for result in results]
        return [
            make_record(plan.task, plan.facts, self._limits, one, self._check)
            for plan, one in zip(job.plans, outcomes, strict=True)
        ]

    def _keep(self, records: list[dict[str, Any]]) -> None:
        """Store records, and only then tell that they are done."""
        finished = []
        for record in records:
            if record["outcome"]["status"] == Status.CANCELLED:
                self.cancelled[record["key"]] = record
            else:
                finished.append(record)
        self._store.append(finished)
        for record in finished:
            self._board.count(record)

    def _stop(self) -> None:
        """End what runs, and keep what had finished by then."""
        self._crew.stop()
        for future in list(self._flying):
            future.cancel()
        self._keep(self._collect(0.0))


def _common(plan: Plan) -> tuple[str, int]:
    """What plans that are done together have in common: the function, and the seed."""
    return plan.together, plan.task.seed


class Memory:
    """A store for a sweep without a journal."""

    def __init__(self) -> None:
        self._records: dict[str, dict[str, Any]] = {}

    def get(self, key: str) -> dict[str, Any] | None:
        """The latest record with this key."""
        return self._records.get(key)

    def append(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Keep records."""
        self._records.update((record["key"], dict(record)) for record in records)
