"""The function `perform`: tasks in, records out, through crashes and interruptions."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Collection, Iterator
from concurrent.futures import Executor
from typing import Any

from polygeom.errors import PolygeomError
from polygeom.storage.durable import output_file
from polygeom.supervision import Limits, LocalCrew
from polygeom.supervision.interrupts import Interrupts
from polygeom.sweeps.crew import Crew, ExecutorCrew
from polygeom.sweeps.environment import environment
from polygeom.sweeps.journal import Journal
from polygeom.sweeps.progress import Board
from polygeom.sweeps.records import Check
from polygeom.sweeps.runner import Memory, Plan, Runner

__all__ = ["Plan", "perform"]


@contextlib.contextmanager
def perform(
    plans: Iterator[Plan],
    total: int | None,
    board: Board,
    workers: int,
    limits: Limits,
    journal: str | os.PathLike[str] | None,
    executor: Executor | None = None,
    retry: Collection[str] = (),
    check: Check | None = None,
) -> Iterator[list[dict[str, Any]]]:
    """Run plans to their end, or to an interruption, and give their records in the order of the plans.

    Nothing that happens to one task ends the run: it becomes the ``status`` and ``message`` of its record. With a
    journal, records are on the disk as they come, and the same call goes on where an earlier one stopped.

    The body of the ``with`` statement runs while the journal is still ours, also after Ctrl-C, which takes effect when
    the body is done: it is the place to write what there is.

    Parameters
    ----------
    plans, total:
        What to do, read only as fast as tasks are handed out, and how much it is, if that is known.
    board:
        Who is told how far it is.
    workers:
        Number of tasks at the same time. With ``executor``, how many it can run, as a hint for how many to hand out
        ahead.
    limits:
        Time and memory of one task.
    journal:
        File of the records, appended to; None keeps them in memory.
    executor:
        Any `concurrent.futures.Executor` to run the tasks on; each is still supervised where it runs.
    retry:
        Statuses, for example ``["crashed"]``, to compute again although the journal has them.
    check:
        What is wrong with a result, in words; such a task is ``crashed``.

    Raises
    ------
    PolygeomError
        For a journal that cannot be used and a disk that is full: never for a task.
    KeyboardInterrupt
        After Ctrl-C, within two seconds, with everything that was finished stored.
    """
    with contextlib.ExitStack() as stack:
        store = Memory() if journal is None else stack.enter_context(Journal(output_file(journal, "journal")))
        stack.callback(board.close)
        crew: Crew = LocalCrew(workers, limits) if executor is None else ExecutorCrew(executor, workers, limits)
        stack.callback(crew.close)
        runner = Runner(crew, store, board, limits, retry, check)
        interrupts = stack.enter_context(Interrupts(runner.wake))
        try:
            if isinstance(store, Journal):
                store.note(environment())
            runner.run(plans, interrupts)
        except OSError as error:
            raise PolygeomError(
                f"{board.name}: {journal}: {error.strerror}; the rows stored before are safe: make room and run the "
                "same again"
            ) from error
        except BaseException:
            crew.stop()
            raise
        records = (store.get(key) for key in runner.order)
        if not interrupts.stopping():
            records = (record or runner.cancelled[key] for record, key in zip(records, runner.order, strict=True))
        yield [record for record in records if record is not None]
    interrupts.deliver()
