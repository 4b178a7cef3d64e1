"""The function `sweep`: many networks in, a table of dimensions out."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Sized
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

from polygeom._dataclass import dataclass
from polygeom.checks import seed
from polygeom.dimensions.task import small_perceptron
from polygeom.errors import FormatError, PolygeomError
from polygeom.storage.durable import output_file, reserved
from polygeom.supervision import Limits, Status, parse_memory, parse_timeout
from polygeom.supervision.child import plain
from polygeom.sweeps.crew import check_executor
from polygeom.sweeps.journal import read_journal
from polygeom.sweeps.progress import Board
from polygeom.sweeps.run import Plan, perform
from polygeom.sweeps.task import Task, resolve
from polygeom.tables.table import NAMES, check_values, contradiction, frame, rows_bytes, table_bytes

if TYPE_CHECKING:
    import numpy
    import pandas

    from polygeom.network import Network

DIMENSION = "polygeom.dimensions.task:run"
"""What a sweep computes unless told otherwise."""
TOGETHER = "polygeom.dimensions.survey.task:run"
"""What computes many small perceptrons in one call, with the same results."""
MANY = 1000
"""Networks of a sweep from which on that is worth loading its kernels."""
PROOFS = ("proved", "probable", "timeout", "memory", "crashed")
"""What the progress of a sweep tells in any case."""


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
    target: str = DIMENSION,
    options: Mapping[str, Any] | None = None,
    retry: Collection[str] = (),
    columns: Sequence[str] = (),
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
        CSV file for the table, replaced at the end in one step; no other sweep may write it meanwhile.
    progress:
        A bar on a terminal, otherwise a line every 30 seconds; False for silence, True for a last line in any case.
    rng:
        Seed of every task, or a generator that one seed is drawn from. The same seed gives the same rows, whatever the
        number of workers.
    executor:
        Any `concurrent.futures.Executor` to run the tasks on; each is still supervised where it runs.
    target:
        What to compute: a function as ``"package.module:function"``, from a task whose argument is
        ``{"network": text, "options": {…}}`` to values for columns of the table. Its module may have a number
        ``ALGORITHM``, to raise when stored rows no longer count, and a function ``describe`` from the text of a network
        to columns that are known without computing.
    options:
        Further arguments for each task, such as ``{"error": 1e-12}``: plain JSON data.
    retry:
        Statuses, for example ``["crashed"]``, to compute again although the journal has them. Tasks that ran out of
        time or memory are computed again by themselves when this call allows more.
    columns:
        Further columns out of `polygeom.tables.columns.DERIVED`, such as ``["learning_coefficient"]``. They follow from
        the rows and are added at the end, so that a journal answers with others, too; where one cannot be told for a
        row, its ``message`` says why.

    Returns
    -------
    A frame with the columns `polygeom.tables.table.NAMES` and ``columns``, its rows in the order of the input. Rows of
    status ``ok`` prove what their columns ``lower`` and ``upper`` say.

    Raises
    ------
    PolygeomError
        For arguments that cannot be used, a journal that cannot be used, and a disk that is full: never for a task.
    KeyboardInterrupt
        After Ctrl-C, within two seconds, with everything that was finished stored.

    Examples
    --------
    >>> from polygeom.tables import sweep
    >>> table = sweep(["[2,3,1] r=2", "[2,3"], timeout=60)
    >>> table["status"].tolist()
    ['ok', 'invalid']
    """
    from polygeom.tables.columns import derived_names, with_columns

    limits = Limits(parse_timeout(timeout), parse_memory(memory))
    further = derived_names([columns] if isinstance(columns, str) else columns, NAMES)
    items, total = _items(networks)
    settings = _Settings.of(target, _options(options), seed(rng), many=(total or 0) >= MANY)
    _check(workers, executor, retry)
    written = None if out is None else output_file(out, "out")
    if journal is None and written is not None:
        journal = written.with_name(f"{written.name}.journal")
    board = Board(total, progress, always=PROOFS, status=proof_of)
    with contextlib.ExitStack() as stack:
        write = None if written is None else stack.enter_context(reserved(written, "out"))
        records = stack.enter_context(
            perform(settings.plans(items), total, board, workers, limits, journal, executor, retry, check_result)
        )
        rows = [row_of(record) for record in records]
        table = frame(rows)
        if further:
            table = with_columns(table, further)
        if write is not None:
            write(table_bytes(table) if further else rows_bytes(rows))
    return table


def table_of_journal(path: str | os.PathLike[str]) -> pandas.DataFrame:
    """The table of everything in a journal, in the order in which it was computed; also while a sweep is writing it.

    Raises
    ------
    PolygeomError
        When the file is no journal, or damaged.
    """
    return frame(row_of(record) for record in read_journal(path))


_OWN = ("network", "status", "message", "elapsed")


def row_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """The row of the table that a record stands for."""
    task, outcome = record["task"], record["outcome"]
    row: dict[str, Any] = dict.fromkeys(NAMES)
    row.update(seed=task["seed"], version=record["version"], network=task["argument"]["network"])
    row.update(record["facts"])
    row.update(_cells(outcome["result"] or {}))
    row.update({name: outcome[name] for name in ("status", "message", "elapsed")})
    return row


def check_result(result: Mapping[str, Any]) -> str:
    """What in the result of a task does not fit the columns of the table, or contradicts itself, in words."""
    cells = _cells(result)
    return check_values(cells) or contradiction(cells)


def _cells(result: Mapping[str, Any]) -> dict[str, Any]:
    wanted = {name: result[name] for name in NAMES if name not in _OWN and result.get(name) is not None}
    return {
        name: " ".join(str(item) for item in value) if isinstance(value, list) else value
        for name, value in wanted.items()
    }


def proof_of(record: Mapping[str, Any]) -> str:
    """What the progress of a sweep counts a finished record as."""
    outcome = record["outcome"]
    if outcome["status"] != "ok":
        return str(outcome["status"])
    return "proved" if (outcome["result"] or {}).get("proved") else "probable"


@dataclass(frozen=True)
class _Settings:
    """What all tasks of a sweep have in common."""

    target: str
    algorithm: int
    describe: Callable[[str], dict[str, Any]] | None
    options: Mapping[str, Any]
    seed: int
    many: bool

    @classmethod
    def of(cls, target: str, options: Mapping[str, Any], seed: int, *, many: bool) -> _Settings:
        module = sys.modules[resolve(Task(target).target).__module__]
        many &= target == DIMENSION and not options.keys() - {"method", "error"}
        many &= options.get("method", "auto") == "auto"
        return cls(target, getattr(module, "ALGORITHM", 1), getattr(module, "describe", None), options, seed, many)

    def plans(self, items: Iterable[Any]) -> Iterator[Plan]:
        """A plan for each item, made when it is asked for."""
        for item in items:
            text = item if isinstance(item, str) else getattr(item, "text", None)
            if not isinstance(text, str):
                problem = f"a network must be text such as '[2,3,1] r=2', or a Network; got {type(item).__name__}"
                yield Plan(self._task(plain(repr(item), 200)), {}, problem)
                continue
            try:
                facts = {} if self.describe is None else self.describe(text)
            except PolygeomError as error:
                problem = _in_one_line(error)
            except Exception as error:  # noqa: BLE001 - trouble with one network is that network's row
                problem = plain(f"{type(error).__name__}: {error}")
            else:
                together = TOGETHER if self.many and small_perceptron(text) else ""
                yield Plan(self._task(facts.get("network", text)), facts, together=together)
                continue
            yield Plan(self._task(plain(text, 200)), {}, problem)

    def _task(self, text: str) -> Task:
        return Task(self.target, {"network": text, "options": self.options}, self.seed, self.algorithm)


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


def _check(workers: Any, executor: Any, retry: Any) -> None:
    if not isinstance(workers, int) or isinstance(workers, bool) or not 1 <= workers <= 10_000:
        raise PolygeomError(
            f"workers must be a number from 1 to 10000, got {workers!r}; write workers={os.cpu_count()}"
        )
    check_executor(executor)
    if isinstance(retry, str) or not set(retry) <= {str(status) for status in Status}:
        raise PolygeomError(f"retry must be a list of statuses such as ['crashed'], got {retry!r}")
