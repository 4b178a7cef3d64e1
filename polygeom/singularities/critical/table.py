"""The table: from which activation degree on only subnetworks are critical, for all architectures with few weights."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from concurrent.futures import Executor
from itertools import pairwise
from typing import Any

from polygeom.errors import PolygeomError
from polygeom.singularities.critical.least_degree import subnetwork_threshold
from polygeom.storage.durable import output_file, write_file
from polygeom.supervision import Limits
from polygeom.sweeps.progress import Board
from polygeom.sweeps.run import Plan, perform
from polygeom.sweeps.task import Task

NAMES = ("widths", "weights", "from", "beyond", "where", "status", "method", "eliminated")
TARGET = "polygeom.singularities.critical.table:run"
ALGORITHM = 1
MOST_WEIGHTS = 40
EXTRA = 2
SECONDS = 120.0
"""For the eliminations of one architecture; what is not decided then is unknown."""


def few_weights(most: int) -> Iterator[tuple[int, ...]]:
    """All widths with a hidden layer and at most so many weights.

    >>> list(few_weights(3))
    [(1, 1, 1), (1, 1, 1, 1), (1, 1, 2), (2, 1, 1)]
    """

    def grow(widths: tuple[int, ...], left: int) -> Iterator[tuple[int, ...]]:
        if len(widths) > 2:
            yield widths
        for width in range(1, left // widths[-1] + 1):
            yield from grow((*widths, width), left - widths[-1] * width)

    for inputs in range(1, most):
        yield from grow((inputs,), most)


def run(task: dict[str, Any]) -> dict[str, Any]:
    """One row of the table for ``{"widths"}``, as text of CSV."""
    widths = tuple(task["argument"]["widths"])
    found = subnetwork_threshold(widths, extra=EXTRA, timeout=SECONDS, rng=task["seed"])
    weights = sum(a * b for a, b in pairwise(widths))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(
        [
            found.network,
            weights,
            "" if found.value is None else found.value,
            " ".join(map(str, found.beyond)),
            "; ".join(found.where),
            found.status,
            found.reason,
            " ".join(map(str, found.eliminated)),
        ]
    )
    return {"text": text.getvalue()}


def build_table(
    path: str | os.PathLike[str],
    most: int = 12,
    *,
    workers: int = 1,
    progress: bool | None = False,
    executor: Executor | None = None,
) -> int:
    """Write the table of all architectures with at most ``most`` weights and a hidden layer; the number of rows.

    Rows that are done are kept in ``PATH.journal``: the same call goes on where an interrupted one stopped.

    Parameters
    ----------
    path:
        The CSV file: ``widths``; ``weights``, their number; ``from``, the least degree, empty if unknown; ``beyond``,
        the smaller degrees for which other weights are critical; ``where``, those weights for the largest of them;
        ``status``; ``method``, the theorem for large degrees; ``eliminated``, the degrees that elimination decided:
        those that the theorem leaves open, and two more as a check of it.
    most, workers, progress:
        The number of weights, of processes, and whether to show how far it is.
    executor:
        Where they run, if not on this machine: any `concurrent.futures.Executor`, such as that of a dask cluster.

    Raises
    ------
    PolygeomError
        If ``most`` is not from 2 to `MOST_WEIGHTS`, or a row fails.
    """
    if not 2 <= most <= MOST_WEIGHTS:
        raise PolygeomError(f"weights must be from 2 to {MOST_WEIGHTS}, got {most}; write 12")
    output_file(path, "out")
    rows = sorted(few_weights(most), key=lambda w: (len(w), w))
    board = Board(len(rows), progress, name="critical weights")
    plans = (Plan(Task(TARGET, {"widths": list(widths)}, 0, ALGORITHM), {}) for widths in rows)
    limits = Limits(4 * SECONDS, None)
    with perform(plans, len(rows), board, workers, limits, f"{os.fspath(path)}.journal", executor) as records:
        outcomes = [record["outcome"] for record in records]
    if failed := [outcome["message"] for outcome in outcomes if outcome["status"] != "ok"]:
        raise PolygeomError(f"threshold: {len(failed)} rows failed, the first with {failed[0]}; run the same again")
    text = ",".join(NAMES) + "\n" + "".join(outcome["result"]["text"] for outcome in outcomes)
    write_file(path, text.encode(), "out")
    return len(rows)
