"""Running a study: cases in, rows out, in parallel and resumable; results in a folder at the end."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from polygeom._dataclass import dataclass, field
from polygeom._version import __version__
from polygeom.errors import PolygeomError
from polygeom.experiments.folders import CONFIG, claim_folder, draw_all, folder, read_config, write_table
from polygeom.experiments.study import Case, Study, check, load, plain
from polygeom.experiments.weights import FOLDER, keeping

if TYPE_CHECKING:
    import pandas

_TARGET = f"{__name__}:perform"


@dataclass(frozen=True)
class Run:
    """How a study is run: everything that its rows depend on.

    Attributes
    ----------
    study, preset, config:
        What is measured, from which preset it started, and its configuration.
    repeats, seed:
        The seeds are ``seed, …, seed + repeats - 1``.
    device:
        Of torch.
    """

    study: Study[Any, Any]
    preset: str
    config: Any
    repeats: int
    seed: int
    device: str

    @classmethod
    def of(
        cls,
        study: Study[Any, Any] | str,
        preset: str | None = None,
        config: Any = None,
        *,
        repeats: int | None = None,
        seed: int | None = None,
        device: str | None = None,
        **options: Any,
    ) -> Run:
        """A run from what a user says; see `run`."""
        found = load(study) if isinstance(study, str) else study
        told: Mapping[str, Any] = {}
        if isinstance(config, str | os.PathLike):
            told = read_config(config)
            if told["study"] != found.name:
                raise PolygeomError(f"config: {os.fspath(config)} is of the study {told['study']}, not {found.name}")
        preset = told.get("preset", "quick") if preset is None else preset
        if told:
            config = found.configuration(preset, **_options(found, told["config"]))
            config = dataclasses.replace(config, **options)
        elif config is None:
            config = found.configuration(preset, **options)
        elif options:
            raise PolygeomError(f"{', '.join(options)}: give a config or options, not both")
        check(config)
        repeats = told.get("repeats", found.repeats.get(preset, 1)) if repeats is None else repeats
        if type(repeats) is not int or repeats < 1:
            raise PolygeomError(f"repeats must be an integer of at least 1, got {repeats!r}; write repeats=3")
        seed = told.get("seed", 0) if seed is None else seed
        device = usable_device(found, told.get("device", "cpu") if device is None else device)
        return cls(found, preset, config, repeats, seed, device)

    def cases(self) -> list[Case]:
        """The cases of all seeds in their order, each with its seed and the device."""
        return [
            dataclasses.replace(case, seed=self.seed + i, device=self.device)
            for i in range(self.repeats)
            for case in self.study.cases(self.config)
        ]

    def as_dict(self) -> dict[str, Any]:
        """The content of the file `polygeom.experiments.folders.CONFIG`."""
        from polygeom.sweeps.environment import environment

        return {
            "study": self.study.name,
            "preset": self.preset,
            "config": plain(self.config),
            "repeats": self.repeats,
            "seed": self.seed,
            "device": self.device,
            "environment": environment(),
        }


@dataclass(frozen=True)
class StudyResult:
    """What a study found.

    Attributes
    ----------
    run:
        How it was run.
    table:
        The rows of all cases in their order, each with its ``seed`` first.
    failures:
        The cases that failed: each a dict with the `polygeom.experiments.study.Case`, ``status`` and ``message``.
    folder, files:
        Where it was written, and what; None and empty without ``out``.
    """

    run: Run
    table: pandas.DataFrame
    failures: tuple[dict[str, Any], ...] = ()
    folder: Path | None = None
    files: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        """The study's own summary."""
        return self.run.study.summarise(self.table)

    def _repr_html_(self) -> str:
        """The table, for notebooks."""
        return str(self.table.to_html(max_rows=20))


def run(
    study: Study[Any, Any] | str,
    preset: str | None = None,
    *,
    config: Any = None,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    keep_weights: bool = False,
    repeats: int | None = None,
    seed: int | None = None,
    device: str | None = None,
    workers: int = 1,
    timeout: float | None = None,
    progress: bool | None = False,
    retry: Iterable[str] = (),
    executor: Executor | None = None,
    **options: Any,
) -> StudyResult:
    """Run a study: every case for every seed, each in a worker process of its own.

    Parameters
    ----------
    study:
        A study, its name in `polygeom.experiments.STUDIES`, or the full name of a module with a ``STUDY``.
    preset, options:
        Where the configuration starts (``"quick"`` by default), and its fields that differ.
    config:
        A configuration instead, or the ``config.json`` of an earlier run, which is then repeated; arguments that are
        given come before what the file says.
    out:
        Folder for ``config.json``, the table (CSV), the figures (PNG and SVG) and the journal. The same call goes on
        where an earlier one was killed: finished cases are not measured again.
    overwrite:
        Whether results of other options in that folder may be replaced.
    keep_weights:
        Whether trained networks are kept in the folder ``weights`` of ``out``;
        `polygeom.experiments.weights.load_weights` finds them. Cases that were measured without are measured again.
    repeats, seed:
        The seeds are ``seed, …, seed + repeats - 1``.
    device:
        Of torch; ``"auto"`` takes an accelerator when there is one and the study can use it.
    workers:
        Cases measured at the same time. Their number does not change the rows on a CPU.
    timeout:
        Seconds for one case.
    progress:
        As for `polygeom.tables.sweep`.
    retry:
        Statuses, for example ``["invalid"]``, of cases to measure again although the journal has them.
    executor:
        Any `concurrent.futures.Executor` to measure the cases on, ``workers`` at the same time; they must find the same
        files there.

    Raises
    ------
    PolygeomError
        When every case fails, with the message of the first; for arguments that cannot be used or have no effect; and
        when the folder holds results of other options.

    Examples
    --------
    >>> from polygeom.experiments import run
    >>> result = run("kernel-spectrum", workers=2)  # doctest: +SKIP
    """
    plan = Run.of(study, preset, config, repeats=repeats, seed=seed, device=device, **options)
    target = None
    if keep_weights and not (plan.study.trains and out is not None):
        wrong = "this study trains no network" if out is not None else "there is no folder for them; write out="
        raise PolygeomError(f"keep_weights has no effect here: {wrong}")
    if out is not None:
        target = folder(out)
        claim_folder(target, plan.as_dict(), overwrite=overwrite)
    table, failures = measure_all(
        plan, workers, target, timeout, progress, retry, keep_weights=keep_weights, executor=executor
    )
    if target is None:
        return StudyResult(plan, table, failures)
    files = (CONFIG, *write_table(plan.study, table, target), *draw_all(plan.study, table, target))
    return StudyResult(plan, table, failures, target, files)


def measure_all(
    plan: Run,
    workers: int,
    out: Path | None,
    timeout: float | None,
    progress: bool | None,
    retry: Iterable[str],
    *,
    keep_weights: bool = False,
    executor: Executor | None = None,
) -> tuple[pandas.DataFrame, tuple[dict[str, Any], ...]]:
    """The rows of all cases as a table, and the cases that failed."""
    import pandas

    work = plan.cases()
    rows: list[dict[str, Any]] = []
    failures: list[dict[str, Any]] = []
    kept = os.fspath((out / FOLDER).resolve()) if keep_weights and out is not None else None
    records = _records(plan.study, work, workers, out, timeout, progress, retry, kept, executor)
    for case, record in zip(work, records, strict=False):
        outcome = record["outcome"]
        if outcome["status"] == "ok":
            rows += [{"seed": case.seed, **row} for row in outcome["result"]["rows"]]
        else:
            failures.append({"case": case, "status": outcome["status"], "message": outcome["message"]})
    if failures and not rows:
        raise PolygeomError(f"every case failed; the first: {failures[0]['message']}")
    return pandas.DataFrame(rows), tuple(failures)


def _records(
    study: Study[Any, Any],
    work: list[Case],
    workers: int,
    out: Path | None,
    timeout: float | None,
    progress: bool | None,
    retry: Iterable[str],
    kept: str | None,
    executor: Executor | None,
) -> list[dict[str, Any]]:
    """The journal's records of all cases."""
    from polygeom.supervision import Limits, parse_timeout
    from polygeom.sweeps.progress import Board
    from polygeom.sweeps.run import Plan
    from polygeom.sweeps.run import perform as perform_all
    from polygeom.sweeps.task import Task

    files = _digests(work)

    def plans() -> Iterator[Plan]:
        for case in work:
            argument = {"study": study.module, "version": __version__, "case": plain(case)}
            argument |= {} if kept is None else {"weights": kept}
            argument |= {} if not files else {"files": files}
            yield Plan(Task(_TARGET, argument, case.seed, study.algorithm), {})

    board = Board(len(work), progress, name="study")
    limits = Limits(parse_timeout(timeout))
    journal = None if out is None else out / "journal"
    with perform_all(plans(), len(work), board, workers, limits, journal, executor, list(retry)) as records:
        return records


def _digests(work: list[Case]) -> list[str]:
    """Of the user's own data and factories: rows that were measured with others do not count."""
    from polygeom.datasets.own import digest
    from polygeom.experiments.own import sources

    paths = {str(path) for case in work if (path := getattr(case, "data", None)) is not None}
    return [digest(path) for path in sorted(paths)] + sources({getattr(case, "model", "") for case in work})


def prepare() -> None:
    """What a worker does before its first case: import torch, with one thread."""
    import torch

    torch.set_num_threads(1)


def perform(task: Mapping[str, Any]) -> dict[str, Any]:
    """One case in a worker: the target of the study's tasks."""
    argument = task["argument"]
    study = load(argument["study"])
    case = msgspec.convert(argument["case"], study.case)
    with keeping(argument.get("weights"), study.name, case):
        rows = study.measure(case)
    return {"rows": [{name: _plain(value) for name, value in row.items()} for row in rows]}


def _plain(value: Any) -> Any:
    """A number of numpy or torch as one of Python; None for what is not finite, which JSON cannot hold."""
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def usable_device(study: Study[Any, Any], device: str) -> str:
    """What a study computes on: the device asked for, and for ``"auto"`` the best that it can use.

    Raises
    ------
    PolygeomError
        When there is no such device, or the study computes on the CPU alone.
    """
    if device == "cpu":
        return device
    import torch

    if device == "auto":
        return "cuda" if study.any_device and torch.cuda.is_available() else "cpu"
    if not study.any_device:
        raise PolygeomError(f"this study computes on the CPU alone, got device {device!r}; write device='cpu'")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        first = str(error).partition("\n")[0]
        raise PolygeomError(f"device {device!r} cannot be used: {first}; write device='cpu'") from error
    return device


def _options(study: Study[Any, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a configuration from JSON, each of its field's type."""
    known = [one.name for one in dataclasses.fields(study.config)]
    unknown = sorted(set(told) - set(known))
    if unknown:
        raise PolygeomError(f"config: {', '.join(unknown)} is no option of this study; it has {', '.join(known)}")
    try:
        found = msgspec.convert(told, study.config)
    except msgspec.ValidationError as error:
        raise PolygeomError(f"config: {error}") from None
    return {name: getattr(found, name) for name in told}
