"""How many minimal filling architectures there are by depth, and how many of them are not unimodal.

``python -m polygeom.tables.frontiers FILE`` writes the table of the page *Minimal filling architectures*. Rows that the
file has already are kept, so that it goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import csv
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from polygeom.dimensions.frontier.result import Frontier
from polygeom.dimensions.frontier.search import frontier
from polygeom.errors import BudgetError, PolygeomError
from polygeom.storage.durable import write_file
from polygeom.storage.reading import read_text

QUESTIONS = ((2, 1, 2), (2, 1, 3), (3, 1, 2), (3, 1, 3), (2, 2, 2), (2, 2, 3), (3, 2, 2), (3, 2, 3))
"""Inputs, outputs and activation degree."""
KEY = ("inputs", "outputs", "degree", "depth")
COLUMNS = (
    *KEY,
    "ambient_dimension",
    "architectures",
    "not_unimodal",
    "boxes",
    "complete",
    "ranks",
    "bounds",
    "seconds",
)
_QUICK = 1.0

Row = dict[str, int | float | bool]


def row(found: Frontier, seconds: float) -> Row:
    """What the table says of one list; ``seconds`` are those of a processor."""
    return {
        "inputs": found.inputs,
        "outputs": found.outputs,
        "degree": found.degrees[0],
        "depth": len(found.degrees) + 1,
        "ambient_dimension": found.ambient_dimension,
        "architectures": len(found.architectures),
        "not_unimodal": sum(not one.unimodal for one in found.architectures),
        "boxes": len(found.excluded),
        "complete": found.complete,
        "ranks": found.ranks,
        "bounds": found.bounds,
        "seconds": round(seconds, 2),
    }


def rows(inputs: int, outputs: int, degree: int, limit: float, known: Mapping[tuple[int, ...], Row]) -> Iterator[Row]:
    """The rows of one question for depth 2, 3, … while a list takes at most ``limit`` seconds.

    Stops before a depth that would take longer if its time grew by the last factor again, which is too little: factors
    grow too. What takes longer nevertheless is stopped, and its row is left out.
    """
    before = last = 0.0
    depth = 2
    while last <= _QUICK or last * last / before <= limit:
        one = known.get((inputs, outputs, degree, depth))
        if one is None:
            started = time.process_time()
            try:
                found = frontier(inputs, outputs, degree, depth, timeout=limit)
            except BudgetError:
                return
            if found.open:
                return
            one = row(found, time.process_time() - started)
        yield one
        before, last = max(last, 1e-3), float(one["seconds"])
        depth += 1


def read(path: Path) -> dict[tuple[int, ...], Row]:
    """The rows of a table by inputs, outputs, degree and depth; none where there is no file.

    Raises
    ------
    PolygeomError
        If the file is not such a table.
    """
    if not path.exists():
        return {}
    reader = csv.DictReader(io.StringIO(read_text(path, "table")))
    try:
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise ValueError
        found = [{name: _value(name, str(line[name])) for name in COLUMNS} for line in reader]
    except (KeyError, ValueError, csv.Error):
        raise PolygeomError(
            f"table: {path.name} is no table of frontiers; name another file, or remove this one"
        ) from None
    return {tuple(int(one[name]) for name in KEY): one for one in found}


def _value(name: str, text: str) -> int | float | bool:
    if name == "complete":
        return {"True": True, "False": False}[text]
    return float(text) if name == "seconds" else int(text)


def write(path: Path, table: Mapping[tuple[int, ...], Row]) -> None:
    """Write a table in the order of the questions."""
    order: dict[tuple[int, ...], int] = {question: number for number, question in enumerate(QUESTIONS)}
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table[key] for key in sorted(table, key=lambda key: (order.get(key[:3], len(order)), key)))
    write_file(path, text.getvalue().encode(), "table")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the table, row by row."""
    parser = argparse.ArgumentParser(
        prog="python -m polygeom.tables.frontiers", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("file", type=Path, help="the table, in which known rows are kept")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long one list may take (10)")
    given = parser.parse_args(arguments)
    table = read(given.file)
    for question in QUESTIONS:
        for one in rows(*question, 60 * given.minutes, dict(table)):
            table[tuple(int(one[name]) for name in KEY)] = one
            write(given.file, table)


if __name__ == "__main__":
    main()
