"""What all studies share: cases in, rows out, in parallel and resumable, a table and a figure at the end.

A study is a module with

- ``Config``: a frozen dataclass whose fields are made with `option`, each with a default and a line of help;
- ``PRESETS``: configurations by name, ``"quick"`` and ``"published"`` among them;
- ``cases(config)``: the independent pieces of work, each a dict of plain data;
- ``measure(case)``: the rows of one case, to which ``"seed"`` and ``"device"`` have been added. It runs in a worker
  process with one thread;
- ``plot(table)``: a figure, or the axes of one; ``summarise(table)``: a few lines of text.

It may have ``ANY_DEVICE = True`` when ``measure`` computes on ``case["device"]``, which is the CPU for all others;
``REPEATS``, how often a preset is repeated by default; ``ALGORITHM``, a number to raise when stored rows no
longer count; ``FIGURES``, further functions like ``plot`` by name; and ``ARRAYS``, names of columns that tell apart the
rows with an array (a list) in their column ``data``: the command line writes these to one ``.npz`` file. The first line
of its docstring is its description.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from polygeom._version import __version__
from polygeom.errors import MissingPackageError, PolygeomError
from polygeom.experiments import STUDIES

if TYPE_CHECKING:
    import pandas

_NEEDED = ("torch", "sklearn", "matplotlib")
_TARGET = f"{__name__}:perform"


class Study(Protocol):
    """The module of a study; see the docstring of `polygeom.experiments.study`."""

    __name__: str
    __doc__: str | None
    Config: type[Any]
    PRESETS: Mapping[str, Any]

    def cases(self, config: Any) -> list[dict[str, Any]]:
        """Independent pieces of work."""

    def measure(self, case: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Rows of one of them."""

    def plot(self, table: pandas.DataFrame) -> Any:
        """The figure."""

    def summarise(self, table: pandas.DataFrame) -> str:
        """A few lines."""


def option(default: Any, help: str, *, choices: Sequence[Any] | None = None) -> Any:  # noqa: A002 - click's own word
    """A field of a ``Config``: its default, one line of help, and the values it may take (each entry, for a tuple).

    Examples
    --------
    >>> @dataclasses.dataclass(frozen=True)
    ... class Config:
    ...     width: int = option(16, "Hidden width.")
    >>> Config().width
    16
    """
    return dataclasses.field(default=default, metadata={"help": help, "choices": choices})


def load(name: str) -> Study:
    """The module of the study called ``name``: one of `STUDIES`, or any module by its full name.

    Raises
    ------
    PolygeomError
        When there is no such study, or an extra that it needs is not installed.
    """
    if name not in STUDIES and "." not in name:
        raise PolygeomError(f"study must be one of {', '.join(STUDIES)}, got {name!r}; write polygeom study --list")
    try:
        for module in _NEEDED:
            if importlib.util.find_spec(module) is None:
                raise ModuleNotFoundError(name=module)
        return cast(Study, importlib.import_module(STUDIES.get(name, name)))
    except ModuleNotFoundError as error:
        if error.name not in _NEEDED:
            raise
        raise MissingPackageError("a study", *_NEEDED) from error


def configuration(study: Study, preset: str = "quick", **changes: Any) -> Any:
    """The configuration of a preset with some fields changed, checked against their choices.

    Raises
    ------
    PolygeomError
        For a preset, a field or a value that there is not.
    """
    if preset not in study.PRESETS:
        raise PolygeomError(f"preset must be one of {', '.join(study.PRESETS)}, got {preset!r}; write preset='quick'")
    known = {one.name: one for one in dataclasses.fields(study.Config)}
    for name in changes:
        if name not in known:
            raise PolygeomError(f"{name} is no option of this study; it has {', '.join(known)}")
    config = dataclasses.replace(study.PRESETS[preset], **changes)
    check(config)
    return config


def check(config: Any) -> None:
    """Compare the fields of a configuration with the choices they have."""
    for one in dataclasses.fields(config):
        choices, value = one.metadata.get("choices"), getattr(config, one.name)
        for entry in value if isinstance(value, tuple) else (value,):
            if choices is not None and entry not in choices:
                raise PolygeomError(
                    f"{one.name} must be one of {', '.join(map(str, choices))}, got {entry!r}; write {choices[0]}"
                )


def run(
    study: Study | str,
    config: Any = None,
    *,
    repeats: int = 1,
    seed: int = 0,
    device: str = "cpu",
    workers: int = 1,
    out: str | os.PathLike[str] | None = None,
    timeout: float | None = None,
    progress: bool | None = False,
    retry: Iterable[str] = (),
) -> pandas.DataFrame:
    """Run a study: every case of ``config`` for ``repeats`` seeds, each in a worker process of its own.

    Parameters
    ----------
    study:
        Its module, or its name in `polygeom.experiments.STUDIES`.
    config:
        A ``Config`` of the study; its preset ``"quick"`` if None.
    repeats, seed:
        The seeds are ``seed, …, seed + repeats - 1``.
    device:
        Of torch; ``"auto"`` takes an accelerator when there is one.
    workers:
        Cases measured at the same time. Their number does not change the rows on a CPU.
    out:
        Folder for ``journal``, created when it does not exist. The same call goes on where an earlier one was killed:
        finished cases are not measured again.
    timeout:
        Seconds for one case.
    progress:
        As for `polygeom.tables.sweep`.
    retry:
        Statuses, for example ``["invalid"]``, of cases to measure again although the journal has them.

    Returns
    -------
    The rows of all cases in their order, each with its ``seed`` first. ``table.attrs["failures"]`` lists the cases that
    failed: each a dict with ``case``, ``status`` and ``message``.

    Raises
    ------
    PolygeomError
        When every case fails, with the message of the first; and for arguments that cannot be used.
    """
    module = load(study) if isinstance(study, str) else study
    config = module.PRESETS["quick"] if config is None else config
    check(config)
    if type(repeats) is not int or repeats < 1:
        raise PolygeomError(f"repeats must be an integer of at least 1, got {repeats!r}; write repeats=3")
    chosen = {"device": usable_device(module, device)}
    work = [chosen | {"seed": seed + i} | case for i in range(repeats) for case in module.cases(config)]
    records = _measure(module, work, workers, None if out is None else folder(out), timeout, progress, retry)
    rows: list[dict[str, Any]] = []
    failures: list[dict[str, Any]] = []
    for case, record in zip(work, records, strict=False):
        outcome = record["outcome"]
        if outcome["status"] == "ok":
            rows += [{"seed": case["seed"], **row} for row in outcome["result"]["rows"]]
        else:
            failures.append({"case": case, "status": outcome["status"], "message": outcome["message"]})
    if failures and not rows:
        raise PolygeomError(f"every case failed; the first: {failures[0]['message']}")
    import pandas

    table = pandas.DataFrame(rows)
    table.attrs["failures"] = failures
    return table


def _measure(
    module: Study,
    work: list[dict[str, Any]],
    workers: int,
    out: Path | None,
    timeout: float | None,
    progress: bool | None,
    retry: Iterable[str],
) -> list[dict[str, Any]]:
    """The journal's records of all cases."""
    from polygeom.supervision import Limits, parse_timeout
    from polygeom.sweeps.progress import Board
    from polygeom.sweeps.run import Plan
    from polygeom.sweeps.run import perform as perform_all
    from polygeom.sweeps.task import Task

    def plans() -> Iterator[Plan]:
        identity = {"study": module.__name__, "version": __version__}
        for case in work:
            yield Plan(Task(_TARGET, identity | {"case": case}, case["seed"], getattr(module, "ALGORITHM", 1)), {})

    board = Board(len(work), progress, name="study")
    limits = Limits(parse_timeout(timeout))
    journal = None if out is None else out / "journal"
    with perform_all(plans(), len(work), board, workers, limits, journal, retry=list(retry)) as records:
        return records


def prepare() -> None:
    """What a worker does before its first case: import torch, with one thread."""
    import torch

    torch.set_num_threads(1)


def perform(task: Mapping[str, Any]) -> dict[str, Any]:
    """One case in a worker: the target of the study's tasks."""
    module = cast(Study, importlib.import_module(task["argument"]["study"]))
    rows = module.measure(task["argument"]["case"])
    return {"rows": [{name: _plain(value) for name, value in row.items()} for row in rows]}


def _plain(value: Any) -> Any:
    """A number of numpy or torch as one of Python; None for what is not finite, which JSON cannot hold."""
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def usable_device(module: Study, device: str) -> str:
    """What a study computes on: the device asked for, and for ``"auto"`` the best that it can use.

    Raises
    ------
    PolygeomError
        When there is no such device, or the study computes on the CPU alone.
    """
    import torch

    anywhere = getattr(module, "ANY_DEVICE", False)
    if device == "auto":
        return "cuda" if anywhere and torch.cuda.is_available() else "cpu"
    if device != "cpu" and not anywhere:
        raise PolygeomError(f"this study computes on the CPU alone, got device {device!r}; write device='cpu'")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        first = str(error).partition("\n")[0]
        raise PolygeomError(f"device {device!r} cannot be used: {first}; write device='cpu'") from error
    return device


def folder(path: str | os.PathLike[str]) -> Path:
    """The folder, created if its parent exists.

    Raises
    ------
    PolygeomError
        When it cannot be created, or is a file.
    """
    found = Path(path)
    try:
        found.mkdir(exist_ok=True)
    except OSError as error:
        raise PolygeomError(
            f"out: cannot create the folder {os.fspath(path)!r}: {error.strerror}; name one in a folder that exists"
        ) from error
    return found


def mean_and_deviation(table: pandas.DataFrame, by: Sequence[str], values: Sequence[str]) -> pandas.DataFrame:
    """Mean, standard deviation and number of repeats of some columns for each combination of others.

    Returns
    -------
    A frame with the columns ``by``, then ``NAME_mean`` and ``NAME_std`` for each of ``values``, then ``repeats``. The
    deviation divides by ``n - 1``; it is missing for a single repeat. Groups are in the order in which they first come.

    Examples
    --------
    >>> import pandas
    >>> table = pandas.DataFrame({"model": ["a", "b", "a"], "seed": [0, 0, 1], "error": [1.0, 5.0, 3.0]})
    >>> mean_and_deviation(table, ["model"], ["error"])["error_mean"].tolist()
    [2.0, 5.0]
    """
    groups = table.groupby(list(by), sort=False, dropna=False)
    frame = groups[list(values)].agg(["mean", "std"])
    frame.columns = [f"{name}_{what}" for name in values for what in ("mean", "std")]
    frame["repeats"] = groups.size()
    return frame.reset_index()
