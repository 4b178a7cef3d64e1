"""Compute the atlas, whole or a sample of it."""

from __future__ import annotations

import gzip
import importlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from polygeom.dimensions import dimension
from polygeom.dimensions.counts import ambient_dimension
from polygeom.dimensions.explain import EXPLAINED, NO_DEFECT, explain_known
from polygeom.errors import MissingPackageError, PolygeomError
from polygeom.network import mlp
from polygeom.storage.durable import write_file
from polygeom.supervision import Limits
from polygeom.sweeps.progress import Board
from polygeom.sweeps.run import Plan, perform
from polygeom.sweeps.task import Task
from polygeom.tables.atlas import chunk
from polygeom.tables.atlas.table import BOX, COLUMNS, DEGREES, NAMES

if TYPE_CHECKING:
    import pandas

Widths = tuple[int, ...]
Row = dict[str, Any]
Columns = dict[str, np.ndarray]

TARGET = "polygeom.tables.atlas.chunk:run"
CHUNK = 2048
"""Architectures of one task."""


def atlas_row(widths: Widths, degree: int) -> Row:
    """One row, except for ``minimal_filling``, which needs the rows of smaller architectures.

    >>> row = atlas_row((2, 2, 1), 2)
    >>> row["dimension"], row["bound"], row["filling"]
    (3, 'ambient', True)
    """
    network = mlp(widths, degree)
    found = dimension(network)
    reason = explain_known(network, found.dimension, found.expected_dimension)
    rule = reason.chain[0].rule
    return {
        "widths": "[" + ",".join(map(str, widths)) + "]",
        "activation": degree,
        "depth": len(widths) - 1,
        "parameters": found.parameters,
        "ambient_dimension": found.ambient_dimension,
        "expected_dimension": found.expected_dimension,
        "dimension": found.dimension,
        "upper": found.upper,
        "defect": found.defect,
        "proved": found.proved,
        "bound": rule,
        "explanation": {NO_DEFECT: "", EXPLAINED: ", ".join(reason.causes) or rule}.get(reason.verdict, reason.verdict),
        "identifiable": found.identifiable,
        "filling": found.filling,
    }


def build_atlas(
    box: Mapping[int, int] = BOX,
    degrees: Sequence[int] = DEGREES,
    *,
    workers: int = 1,
    journal: str | os.PathLike[str] | None = None,
    executor: Executor | None = None,
    progress: bool | None = False,
) -> Columns:
    """The atlas of a box, as columns of one length.

    Parameters
    ----------
    box, degrees:
        As `polygeom.tables.atlas.BOX` and `polygeom.tables.atlas.DEGREES`.
    workers, executor, progress:
        As for `polygeom.tables.sweep`. The rows do not depend on them. One worker without a journal is this process.
    journal:
        File in which finished parts are kept, so that the same call goes on after an interruption.

    Raises
    ------
    PolygeomError
        When a part fails, or the box has a number of coefficients above 2^63.
    """
    asked = list(_chunks(box, tuple(degrees)))
    if workers == 1 and executor is None and journal is None:
        return _assembled(asked, [chunk.run({"argument": argument, "seed": 0}) for argument in asked])
    plans = (Plan(Task(TARGET, argument, 0, chunk.ALGORITHM), {}) for argument in asked)
    board = Board(len(asked), progress, name="atlas")
    with perform(plans, len(asked), board, workers, Limits(None, None), journal, executor) as records:
        results = [record["outcome"] for record in records]
    failed = [outcome["message"] for outcome in results if outcome["status"] != "ok"]
    if failed or len(results) != len(asked):
        raise PolygeomError(f"atlas: {len(failed)} parts failed, the first with {failed[:1]}; run the same again")
    return _assembled(asked, [outcome["result"] for outcome in results])


def _chunks(box: Mapping[int, int], degrees: Sequence[int]) -> Iterator[dict[str, Any]]:
    """The arguments of the tasks, in the order of the table."""
    for depth in sorted(box):
        width = box[depth]
        for start in range(0, width ** (depth + 1), CHUNK):
            stop = min(start + CHUNK, width ** (depth + 1))
            yield {"depth": depth, "width": width, "start": start, "stop": stop, "degrees": list(degrees)}


def _assembled(asked: Sequence[dict[str, Any]], results: Sequence[dict[str, Any]]) -> Columns:
    parts: dict[str, list[Any]] = {name: [] for name in NAMES}
    for depth, group in groupby(zip(asked, results, strict=True), key=lambda pair: int(pair[0]["depth"])):
        pairs = list(group)
        width, degrees = pairs[0][0]["width"], pairs[0][0]["degrees"]
        widths = chunk.architectures(depth, width, 0, width ** (depth + 1))
        columns = _computed(widths, degrees, [result for _, result in pairs])
        for name, values in columns.items():
            parts[name].append(values)
    return {name: np.concatenate(values) for name, values in parts.items()}


def _computed(widths: np.ndarray, degrees: Sequence[int], results: Sequence[dict[str, Any]]) -> Columns:
    """The columns of all architectures of one depth."""
    rows, depth = np.repeat(widths, len(degrees), axis=0), widths.shape[1] - 1
    numbers = np.concatenate([chunk.unpack(result)[0] for result in results], axis=1).astype(np.int64)
    texts = [np.array(chunk.unpack(result)[1], dtype=object) for result in results]
    ends = np.cumsum([result["rows"] for result in results])[:-1]
    bound = [names[part] for names, part in zip(texts, np.split(numbers[2], ends), strict=True)]
    why = [names[part] for names, part in zip(texts, np.split(numbers[3], ends), strict=True)]
    dimension, upper = numbers[0], numbers[1]
    ambient = _ambient(widths, degrees)
    parameters = (rows[:, :-1] * rows[:, 1:]).sum(axis=1)
    free = parameters - rows[:, 1:-1].sum(axis=1)
    expected, proved, filling = np.minimum(ambient, free), dimension == upper, dimension == ambient
    identifiable = (dimension == free).astype(object)
    identifiable[(dimension < free) & (upper >= free) & ~proved] = None
    names = ["[" + ",".join(map(str, w)) + "]" for w in widths.tolist()]
    return {
        "widths": np.repeat(np.array(names, dtype=object), len(degrees)),
        "activation": np.tile(np.array(degrees), len(widths)),
        "depth": np.full(len(rows), depth),
        "parameters": parameters,
        "ambient_dimension": ambient,
        "expected_dimension": expected,
        "dimension": dimension,
        "upper": upper,
        "defect": expected - dimension,
        "proved": proved,
        "bound": np.concatenate(bound),
        "explanation": np.concatenate(why),
        "identifiable": identifiable,
        "filling": filling,
        "minimal_filling": _minimal(filling, int(widths.max()), depth, len(degrees)),
    }


def _ambient(widths: np.ndarray, degrees: Sequence[int]) -> np.ndarray:
    """Numbers of coefficients, ``(architectures · degrees,)``."""
    width, hidden = int(widths.max()), widths.shape[1] - 2
    table = [[[ambient_dimension((n, m), (r,) * hidden) for r in degrees] for m in range(1, width + 1)]
             for n in range(1, width + 1)]  # fmt: skip
    if max(table[-1][-1]) >= 2**63:
        raise PolygeomError("box: an architecture has more than 2^63 coefficients; write smaller widths or degrees")
    found: np.ndarray = np.array(table, np.int64)[widths[:, 0] - 1, widths[:, -1] - 1].ravel()
    return found


def _minimal(filling: np.ndarray, width: int, depth: int, degrees: int) -> np.ndarray:
    """Which filling architectures have no filling one with one hidden neuron less."""
    fills = filling.reshape((width,) * (depth + 1) + (degrees,))
    minimal = fills.copy()
    for axis in range(1, depth):
        lower = np.zeros_like(fills)
        lower[(slice(None),) * axis + (slice(1, None),)] = fills[(slice(None),) * axis + (slice(None, -1),)]
        minimal &= ~lower
    return minimal.ravel()


def predecessors(widths: Widths) -> Iterator[Widths]:
    """The architectures with one hidden width lowered by one.

    >>> list(predecessors((2, 3, 1, 1)))
    [(2, 2, 1, 1)]
    """
    for k in range(1, len(widths) - 1):
        if widths[k] > 1:
            yield (*widths[:k], widths[k] - 1, *widths[k + 1 :])


def differing_rows(table: pandas.DataFrame) -> list[str]:
    """Compute the rows of a table of the atlas again, each from nothing, and describe those that differ.

    ``minimal_filling`` is computed from the dimensions of the architectures below, not from the table.
    """
    wrong = []
    for old in table.to_dict("records"):
        widths = tuple(int(w) for w in old["widths"].strip("[]").split(","))
        new = atlas_row(widths, int(old["activation"]))
        lower = (dimension(mlp(smaller, int(old["activation"]))).filling for smaller in predecessors(widths))
        new["minimal_filling"] = new["filling"] and not any(lower)
        wrong += [
            f"{old['network']}: {name} is {plain(old[name])}, computed again {new[name]}"
            for name in NAMES
            if plain(old[name]) != new[name]
        ]
    return wrong


def plain(value: Any) -> Any:
    """A cell of a frame as plain data, None where it is missing."""
    import pandas as pd

    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value


def write_atlas(columns: Columns, path: str | os.PathLike[str], *, level: int = 9) -> int:
    """Write an atlas as compressed CSV, atomically; the bytes depend on the rows and the level alone.

    Returns the number of rows.
    """
    texts = [_cells(columns[name]) for name in NAMES]
    lines = "\n".join(map(",".join, zip(*texts, strict=True)))
    data = f"{','.join(NAMES)}\n{lines}\n" if lines else f"{','.join(NAMES)}\n"
    write_file(path, gzip.compress(data.encode(), compresslevel=level, mtime=0), "out")
    return len(texts[0])


def _cells(values: np.ndarray) -> list[str]:
    """A column as cells of CSV; what holds a comma is quoted."""
    if values.dtype != object:
        return list(map(str, values.tolist()))
    return ["" if v is None else f'"{v}"' if "," in (text := str(v)) else text for v in values.tolist()]


def write_parquet(columns: Columns, path: str | os.PathLike[str]) -> None:
    """Write an atlas as Parquet, with the texts of the networks, to be read in a second or two.

    Raises
    ------
    MissingPackageError
        Without the extra ``parquet``.
    """
    try:
        pyarrow: Any = importlib.import_module("pyarrow")
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise MissingPackageError("an atlas in Parquet", "pyarrow") from error
    networks = [f"{w} r={r}" for w, r in zip(columns["widths"].tolist(), columns["activation"].tolist(), strict=True)]
    kinds = {"Int64": pyarrow.int64(), "string": pyarrow.string(), "boolean": pyarrow.bool_()}
    arrays = [pyarrow.array(networks, pyarrow.string())]
    arrays += [pyarrow.array(columns[column.name], kinds[column.kind]) for column in COLUMNS]
    buffer = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_arrays(arrays, ["network", *NAMES]), buffer, compression="zstd")
    write_file(path, buffer.getvalue(), "out")
