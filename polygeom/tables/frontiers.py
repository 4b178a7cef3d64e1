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

from polygeom.dimensions.counts import ambient_dimension
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
GROWTH = 2.5

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

    A depth is tried if it would take less, were the number of architectures to grow by the last factor again and a rank
    by the power ``GROWTH`` of the ambient dimension. That is too little where factors grow: what takes longer than
    ``limit`` nevertheless is stopped, and its row is left out.
    """
    last = before = None
    depth = 2
    while _expected(last, before, (inputs, outputs, degree)) <= limit:
        one = known.get((inputs, outputs, degree, depth))
        if one is None:
            one = _computed(inputs, outputs, degree, depth, limit)
            if one is None:
                return
        yield one
        last, before = one, last
        depth += 1


def _expected(last: Row | None, before: Row | None, question: tuple[int, int, int]) -> float:
    """Seconds that the next depth will take at least, as far as the last two tell."""
    if last is None or before is None:
        return 0.0
    inputs, outputs, degree = question
    ambient = ambient_dimension((inputs, outputs), (degree,) * int(last["depth"]))
    factor = last["architectures"] / before["architectures"]
    return float(last["seconds"] * factor * (ambient / last["ambient_dimension"]) ** GROWTH)


def _computed(inputs: int, outputs: int, degree: int, depth: int, limit: float) -> Row | None:
    """One row; None for a list that was stopped or is refused. Loading what is compiled is not counted."""
    try:
        frontier(inputs, outputs, degree, 2)
        started = time.process_time()
        found = frontier(inputs, outputs, degree, depth, timeout=limit)
    except BudgetError:
        return None
    return None if found.open else row(found, time.process_time() - started)


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


def shown(table: Mapping[tuple[int, ...], Row]) -> str:
    """The table in Markdown: how many architectures, and in brackets the share of those that are not unimodal."""
    questions = list(dict.fromkeys(key[:3] for key in table))
    depths = sorted({key[3] for key in table})
    lines = ["| inputs, outputs, $r$ | " + " | ".join(f"$L = {depth}$" for depth in depths) + " |"]
    lines.append("| --- " * (len(depths) + 1) + "|")
    for question in questions:
        cells = [_cell(table.get((*question, depth))) for depth in depths]
        lines.append(f"| {', '.join(map(str, question))} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(one: Row | None) -> str:
    if one is None:
        return ""
    share = one["not_unimodal"] / one["architectures"]
    return f"{one['architectures']:,} ({100 * share:.0f} %)" if one["not_unimodal"] else f"{one['architectures']:,}"


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
