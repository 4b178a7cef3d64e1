"""The table of activation degree thresholds: computed in parts, and read."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from polygeom.dimensions.survey.batch import tables
from polygeom.dimensions.survey.thresholds import cut_thresholds, thresholds
from polygeom.errors import PolygeomError
from polygeom.storage.durable import write_file
from polygeom.storage.reading import read_file, unpack_gzip
from polygeom.supervision import Limits
from polygeom.sweeps.progress import Board
from polygeom.sweeps.run import Plan, perform
from polygeom.sweeps.task import Task

if TYPE_CHECKING:
    import pandas

WIDEST, DEEPEST = 10, 4
"""The table that comes with the package: depth 2 to 4, inputs and hidden widths from 2 to 10, outputs from 1 to 10."""
FILE = Path(__file__).with_name("thresholds.csv.gz")
NAMES = ("widths", "threshold", "defective", "cut", "proved")
TARGET = "polygeom.tables.atlas.thresholds:run"
ALGORITHM = 1
CHUNK = 4096
_MOST = 2**26


def prepare() -> None:
    """Load the compiled kernels, before the time of a task begins."""
    tables()


def architectures(depth: int, widest: int, start: int, stop: int) -> np.ndarray:
    """Architectures of a depth, those from number ``start`` on: inputs and hidden widths from 2, outputs from 1."""
    shape = (widest - 1,) * depth + (widest,)
    rows: np.ndarray = np.stack(np.unravel_index(np.arange(start, stop), shape), axis=1) + 2
    rows[:, -1] -= 1
    return rows


def run(task: dict[str, Any]) -> dict[str, Any]:
    """Rows of the table for the architectures ``{"depth", "widest", "start", "stop"}``, as one text of CSV."""
    rows = architectures(**task["argument"])
    found = thresholds(rows, rng=task["seed"])
    cut = cut_thresholds(rows, found.defective.shape[1])
    lines = []
    for widths, value, defective, formula, proved in zip(
        rows.tolist(), found.threshold.tolist(), found.defective, cut.tolist(), found.proved.tolist(), strict=True
    ):
        degrees = " ".join(map(str, np.flatnonzero(defective).tolist()))
        lines.append(f'"[{",".join(map(str, widths))}]",{value},{degrees},{formula},{proved}\n')
    return {"text": "".join(lines)}


def build_thresholds(
    path: str | os.PathLike[str],
    *,
    widest: int = WIDEST,
    deepest: int = DEEPEST,
    workers: int = 1,
    journal: str | os.PathLike[str] | None = None,
    executor: Executor | None = None,
    progress: bool | None = False,
) -> int:
    """Write the table of all architectures up to a width and a depth as compressed CSV; the number of rows.

    Parameters
    ----------
    widest, deepest:
        Largest width and depth.
    workers, journal, executor, progress:
        As for `polygeom.tables.atlas.build.build_atlas`: the bytes do not depend on them.

    Raises
    ------
    PolygeomError
        When a part fails.
    """
    asked = list(_parts(widest, deepest))
    if workers == 1 and executor is None and journal is None:
        results = [run({"argument": argument, "seed": 0}) for argument in asked]
    else:
        board = Board(len(asked), progress, name="thresholds")
        plans = (Plan(Task(TARGET, argument, 0, ALGORITHM), {}) for argument in asked)
        with perform(plans, len(asked), board, workers, Limits(None, None), journal, executor) as records:
            outcomes = [record["outcome"] for record in records]
        if failed := [outcome["message"] for outcome in outcomes if outcome["status"] != "ok"]:
            raise PolygeomError(
                f"threshold: {len(failed)} parts failed, the first with {failed[0]}; run the same again"
            )
        results = [outcome["result"] for outcome in outcomes]
    text = ",".join(NAMES) + "\n" + "".join(result["text"] for result in results)
    write_file(path, gzip.compress(text.encode(), compresslevel=9, mtime=0), "out")
    return text.count("\n") - 1


def _parts(widest: int, deepest: int) -> Iterator[dict[str, Any]]:
    for depth in range(2, deepest + 1):
        count = (widest - 1) ** depth * widest
        for start in range(0, count, CHUNK):
            yield {"depth": depth, "widest": widest, "start": start, "stop": min(start + CHUNK, count)}


def load_thresholds(path: str | os.PathLike[str] | None = None) -> pandas.DataFrame:
    """Activation degree thresholds as a pandas frame, one row for each architecture.

    Columns: ``widths``; ``threshold``; ``defective``, the degrees of which the architecture is defective, separated by
    spaces; ``cut``, what the formula `polygeom.dimensions.survey.thresholds.cut_thresholds` gives; ``proved``.

    Raises
    ------
    PolygeomError
        If the file cannot be read or is no such table.

    Examples
    --------
    >>> table = load_thresholds().set_index("widths")
    >>> int(table.loc["[2,2,4,1]", "threshold"]), table.loc["[2,2,4,1]", "defective"]
    (6, '3 4 5 6')
    """
    import pandas as pd

    source = FILE if path is None else Path(path)
    data = read_file(source, "thresholds", most=_MOST)
    kinds = {"widths": "string", "threshold": "Int64", "defective": "string", "cut": "Int64", "proved": "boolean"}
    try:
        data = unpack_gzip(data, "thresholds", most=_MOST) if data.startswith(b"\x1f\x8b") else data
        table = pd.read_csv(io.BytesIO(data), dtype=kinds, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise PolygeomError(
            f"thresholds: cannot read {source}: {error}; write it with polygeom threshold --all"
        ) from error
    if tuple(table.columns) != NAMES:
        raise PolygeomError(f"thresholds: {source} has other columns; write it with polygeom threshold --all")
    return table
