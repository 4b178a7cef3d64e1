"""Compute the atlas, whole or a sample of it."""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import groupby
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from polygeom.dimensions import dimension
from polygeom.dimensions.explain import EXPLAINED, NO_DEFECT, explain_known
from polygeom.network import mlp
from polygeom.storage.durable import write_file
from polygeom.tables.atlas.table import BOX, DEGREES, NAMES, architectures

if TYPE_CHECKING:
    import pandas

Widths = tuple[int, ...]
Row = dict[str, Any]


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
    box: dict[int, int] = BOX,
    degrees: Sequence[int] = DEGREES,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Row]:
    """All rows of the atlas of a box, in order.

    Parameters
    ----------
    box, degrees:
        As `polygeom.tables.atlas.BOX` and `polygeom.tables.atlas.DEGREES`.
    workers:
        Processes that compute. The rows do not depend on it.
    progress:
        Called now and then with the rows done and the rows in all.
    """
    every = list(architectures(box))
    chunks = [(every[i : i + 64], tuple(degrees)) for i in range(0, len(every), 64)]
    filling: set[tuple[Widths, int]] = set()
    done = 0
    for (part, _), rows in zip(chunks, _computed(chunks, workers), strict=True):
        done += len(rows)
        for widths, group in zip(part, _by_architecture(rows), strict=True):
            for row in group:
                if row["filling"]:
                    filling.add((widths, row["activation"]))
                row["minimal_filling"] = row["filling"] and not any(
                    (smaller, row["activation"]) in filling for smaller in predecessors(widths)
                )
                yield row
        if progress is not None:
            progress(done, len(every) * len(degrees))


def predecessors(widths: Widths) -> Iterator[Widths]:
    """The architectures with one hidden width lowered by one.

    >>> list(predecessors((2, 3, 1, 1)))
    [(2, 2, 1, 1)]
    """
    for k in range(1, len(widths) - 1):
        if widths[k] > 1:
            yield (*widths[:k], widths[k] - 1, *widths[k + 1 :])


def _by_architecture(rows: list[Row]) -> Iterator[list[Row]]:
    return (list(group) for _, group in groupby(rows, key=lambda row: str(row["widths"])))


def _computed(chunks: Sequence[tuple[list[Widths], tuple[int, ...]]], workers: int) -> Iterator[list[Row]]:
    if workers == 1:
        yield from map(_rows, chunks)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(_rows, chunks)


def _rows(chunk: tuple[list[Widths], tuple[int, ...]]) -> list[Row]:
    widths_list, degrees = chunk
    return [atlas_row(widths, degree) for widths in widths_list for degree in degrees]


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


def write_atlas(rows: Iterable[Row], path: str | os.PathLike[str]) -> int:
    """Write rows as compressed CSV, atomically; the bytes depend on the rows alone. Returns their number."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(NAMES)
    count = 0
    for row in rows:
        writer.writerow(["" if row[name] is None else row[name] for name in NAMES])
        count += 1
    packed = gzip.compress(text.getvalue().encode(), compresslevel=9, mtime=0)
    write_file(path, packed, "out")
    return count
