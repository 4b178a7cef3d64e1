"""The function `sweep`: many networks in, a table out."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sized
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polygeom.errors import FormatError, PolygeomError
from polygeom.supervision import Limits, LocalCrew, Status, parse_memory, parse_timeout
from polygeom.supervision.child import plain
from polygeom.supervision.interrupts import Interrupts
from polygeom.sweep.crew import Crew, ExecutorCrew
from polygeom.sweep.environment import environment
from polygeom.sweep.journal import Journal, read_journal
from polygeom.sweep.progress import Board
from polygeom.sweep.records import row_of
from polygeom.sweep.runner import Memory, Plan, Runner
from polygeom.sweep.task import Task, kind_of, resolve
from polygeom.tables.table import frame, write_rows

if TYPE_CHECKING:
    import numpy
    import pandas

    from polygeom.network import Network


def sweep(
    networks: Iterable[str | Network] | str | Network,
    *,
    timeout: float | None = None,
    memory: int | str | None = None,
    workers: int = 1,
    journal: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
    rng: int | numpy.random.Generator = 0,
    executor: Executor | None = None,
    kind: str = "dimension",
    options: Mapping[str, Any] | None = None,
    retry: Collection[str] = (),
) -> pandas.DataFrame:
    """Compute many networks, each under a deadline and a memory limit; a table with one row for each comes back.

    Nothing that happens to one task ends the sweep: it becomes the row's ``status`` and ``message``. With a journal,
    results are on the disk as they come, and the same call goes on where an earlier one stopped, however it stopped.

    Parameters
    ----------
    networks:
        Texts or networks, from a list or a generator, which is read only as fast as tasks are handed out. Text that is
        no network gives a row of status ``invalid``.
    timeout:
        Seconds for one task; compiled code is stopped, too.
    memory:
        Bytes for one task, or text such as ``"2GB"``, beyond the 100 MB or so of a worker at rest.
    workers:
        Number of tasks at the same time. With ``executor``, how many it can run, as a hint for how many to hand out
        ahead.
    journal:
        File of the results, appended to. Its default is ``OUT.journal`` when ``out`` is given.
    out:
        CSV file for the table, replaced at the end in one step.
    progress:
        A bar on a terminal, otherwise a line every 30 seconds; False for silence, True for a last line in any case.
    rng:
        Seed of every task, or a generator that one seed is drawn from. The same seed gives the same rows, whatever the
        number of workers.
    executor:
        Any `concurrent.futures.Executor` to run the tasks on; each is still supervised where it runs.
    kind:
        What to compute: ``"dimension"``, or a function as ``"package.module:function"`` that takes `Task.as_dict` and
        returns values for columns of the table.
    options:
        Further arguments for each task, such as ``{"error": 1e-12}``: plain JSON data.
    retry:
        Statuses, for example ``["crashed"]``, to compute again although the journal has them. Tasks that ran out of
        time or memory are computed again by themselves when this call allows more.

    Returns
    -------
    A frame with the columns `polygeom.sweep.NAMES`, its rows in the order of the input. Rows of status ``ok`` prove
    what their columns ``lower`` and ``upper`` say.

    Raises
    ------
    PolygeomError
        For arguments that cannot be used, a journal that cannot be used, and a disk that is full: never for a task.
    KeyboardInterrupt
        After Ctrl-C, within two seconds, with everything that was finished stored.

    Examples
    --------
    >>> from polygeom.sweep import sweep
    >>> table = sweep(["[2,3,1] r=2", "[2,3"], timeout=60)
    >>> table["status"].tolist()
    ['ok', 'invalid']
    """
    limits = Limits(parse_timeout(timeout), parse_memory(memory))
    settings = _Settings(kind, _options(options), _seed(rng))
    items, total = _items(networks)
    _check(workers, executor, retry)
    target = None if out is None else _in_existing_folder(out, "out")
    if journal is None and target is not None:
        journal = target.with_name(f"{target.name}.journal")
    with perform(
        settings.plans(items), total, Board(total, progress), workers, limits, journal, executor, retry
    ) as records:
        rows = [row_of(record) for record in records]
        if target is not None:
            write_rows(rows, target)
    return frame(rows)


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
) -> Iterator[list[dict[str, Any]]]:
    """Run plans to their end, or to an interruption, and give their records in order; `sweep` for any kind of task.

    The body of the ``with`` statement runs while the journal is still ours, also after Ctrl-C, which takes effect when
    the body is done: it is the place to write what there is.

    Parameters
    ----------
    plans, total:
        What to do, and how much it is, if that is known.
    board, workers, limits, journal, executor, retry:
        As `sweep` makes them of its arguments.

    Raises
    ------
    PolygeomError, KeyboardInterrupt
        As `sweep` does.
    """
    with contextlib.ExitStack() as stack:
        store = Memory() if journal is None else stack.enter_context(Journal(_in_existing_folder(journal, "journal")))
        stack.callback(board.close)
        crew: Crew = LocalCrew(workers, limits) if executor is None else ExecutorCrew(executor, workers, limits)
        stack.callback(crew.close)
        runner = Runner(crew, store, board, limits, retry)
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


def table_of_journal(path: str | os.PathLike[str]) -> pandas.DataFrame:
    """The table of everything in a journal, in the order in which it was computed; also while a sweep is writing it.

    Raises
    ------
    PolygeomError
        When the file is no journal, or damaged.
    """
    return frame(row_of(record) for record in read_journal(path))


@dataclass(frozen=True)
class _Settings:
    """What all tasks of a sweep have in common."""

    kind: str
    options: Mapping[str, Any]
    seed: int

    def plans(self, items: Iterable[Any]) -> Iterator[Plan]:
        """A plan for each item, made when it is asked for."""
        path = kind_of(self.kind).describe
        describe = None if path is None else resolve(path)
        for item in items:
            text = item if isinstance(item, str) else getattr(item, "text", None)
            if not isinstance(text, str):
                problem = f"a network must be text such as '[2,3,1] r=2', or a Network; got {type(item).__name__}"
                yield Plan(self._task(plain(repr(item), 200)), {}, problem)
                continue
            try:
                facts = {} if describe is None else describe(text)
            except PolygeomError as error:
                yield Plan(self._task(plain(text, 200)), {}, _in_one_line(error))
                continue
            except Exception as error:  # noqa: BLE001 - trouble with one network is that network's row
                yield Plan(self._task(plain(text, 200)), {}, plain(f"{type(error).__name__}: {error}"))
                continue
            yield Plan(self._task(facts.get("network", text)), facts)

    def _task(self, text: str) -> Task:
        return Task(self.kind, text, self.options, self.seed)


def _in_one_line(error: PolygeomError) -> str:
    if isinstance(error, FormatError):
        return plain(f"{error.problem} (at position {error.position}); {error.hint}")
    return plain(str(error))


def _items(networks: Any) -> tuple[Iterable[Any], int | None]:
    """The networks as an iterable, and their number when it is known."""
    if isinstance(networks, str) or isinstance(getattr(networks, "text", None), str):
        return [networks], 1
    if isinstance(networks, (os.PathLike, bytes)) or not isinstance(networks, Iterable):
        raise PolygeomError(
            f"networks must be a list of networks such as ['[2,3,1] r=2'], got {type(networks).__name__}; "
            "read a file into a list first"
        )
    return networks, len(networks) if isinstance(networks, Sized) else None


def _options(options: Mapping[str, Any] | None) -> dict[str, Any]:
    try:
        text = json.dumps({} if options is None else dict(options), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise PolygeomError(f"options must be plain JSON data such as {{'error': 1e-12}}: {error}") from None
    copy: dict[str, Any] = json.loads(text)
    return copy


def _seed(rng: Any) -> int:
    if isinstance(rng, int) and not isinstance(rng, bool) and 0 <= rng < 2**63:
        return rng
    if hasattr(rng, "integers"):
        return int(rng.integers(2**63 - 1))
    raise PolygeomError(
        f"rng must be a seed from 0 to 2^63-1, or a numpy.random.Generator; got {rng!r:.60}, write rng=0"
    )


def _check(workers: Any, executor: Any, retry: Any) -> None:
    if not isinstance(workers, int) or isinstance(workers, bool) or not 1 <= workers <= 10_000:
        raise PolygeomError(
            f"workers must be a number from 1 to 10000, got {workers!r}; write workers={os.cpu_count()}"
        )
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise PolygeomError(f"executor must be a concurrent.futures.Executor, got {type(executor).__name__}")
    if isinstance(retry, str) or not set(retry) <= {str(status) for status in Status}:
        raise PolygeomError(f"retry must be a list of statuses such as ['crashed'], got {retry!r}")


def _in_existing_folder(path: str | os.PathLike[str], name: str) -> Path:
    found = Path(path)
    if not found.parent.is_dir() or found.is_dir():
        raise PolygeomError(
            f"{name} must be a file in a folder that exists, got {os.fspath(path)!r}; create the folder first"
        )
    return found
