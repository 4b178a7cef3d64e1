"""The two files of the published batch runs on neurovarieties, so that notebooks made for those read ours unchanged."""

from __future__ import annotations

import ast
import csv
import io
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polygeom.errors import PolygeomError
from polygeom.storage import durable
from polygeom.storage.reading import read_text
from polygeom.tables.table import csv_bytes, frame, parse_cell

if TYPE_CHECKING:
    import pandas

RESULTS = (
    "Widths",
    "Activation",
    "Ambient Dimension",
    "Expected Dimension",
    "Dimension",
    "Defect",
    "Time Taken (seconds)",
)
UNFINISHED = ("Widths", "Activation")
_SOURCES = ("ambient_dimension", "expected_dimension", "dimension", "defect", "elapsed")


def published_paths(prefix: str | os.PathLike[str]) -> tuple[Path, Path]:
    """The two files: ``PREFIX.csv`` with the results, ``PREFIX_timeouts.csv`` with the architectures that have none.

    Examples
    --------
    >>> [path.name for path in published_paths("runs/quadratic")]
    ['quadratic.csv', 'quadratic_timeouts.csv']
    """
    base = Path(prefix)
    return base.with_name(f"{base.name}.csv"), base.with_name(f"{base.name}_timeouts.csv")


def write_published_format(table: pandas.DataFrame, prefix: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Write the files ``PREFIX.csv`` and ``PREFIX_timeouts.csv``, each atomically.

    Widths are written as ``[2, 3, 1]``, which `ast.literal_eval` reads; the activation as an integer, or as such a list
    when the degrees of the layers differ. An architecture without a result for whatever reason goes to the second file;
    rows of status ``invalid`` and ``cancelled`` go to neither.

    Parameters
    ----------
    table:
        As `sweep` or `read_table` returns it.
    prefix:
        Start of the file names.

    Returns
    -------
    The paths of the two files.

    Raises
    ------
    PolygeomError
        When the table has a network that is no multilayer perceptron with monomial activations and without biases: the
        format has no words for it.
    """
    results, unfinished = [], []
    for row in table.to_dict("records"):
        if row["status"] in ("invalid", "cancelled"):
            continue
        if not row["widths"]:
            raise PolygeomError(
                "the published format holds multilayer perceptrons with monomial activations and no biases; "
                f"got {row['network']}; filter the table by its column 'widths' first"
            )
        name = [_spaced(row["widths"]), _activation(row["activation"])]
        if row["status"] == "ok":
            results.append(name + [str(row[source]) for source in _SOURCES])
        else:
            unfinished.append(name)
    paths = published_paths(prefix)
    for path, header, rows in ((paths[0], RESULTS, results), (paths[1], UNFINISHED, unfinished)):
        durable.write_file(path, csv_bytes([header, *rows]), "prefix")
    return paths


def read_published_format(prefix: str | os.PathLike[str]) -> pandas.DataFrame:
    """Read the two files of a published batch run, or of `write_published_format`, as a table of a sweep.

    Parameters
    ----------
    prefix:
        Start of the file names, or the path of the file of results itself. The second file may be missing.

    Returns
    -------
    A table with the columns of a sweep; what the format does not have is empty.

    Raises
    ------
    PolygeomError
        When a file cannot be read or is not of this format.
    """
    results, unfinished = published_paths(prefix)
    if Path(prefix).suffix == ".csv" and Path(prefix).exists():
        results, unfinished = published_paths(Path(prefix).with_suffix(""))
    rows = [
        _network(cells, f"{results}, line {number}") | _values(cells, f"{results}, line {number}") | {"status": "ok"}
        for number, cells in _cells(results, RESULTS)
    ]
    if unfinished.exists():
        rows += [
            _network(cells, f"{unfinished}, line {number}") | {"status": "timeout"}
            for number, cells in _cells(unfinished, UNFINISHED)
        ]
    return frame(rows)


def _spaced(widths: str) -> str:
    return str(list(ast.literal_eval(widths)))


def _activation(text: str) -> str:
    """One degree as it is, several as a list; 1 for a network without hidden layers, where the degree says nothing."""
    degrees = [int(part) for part in text.split(",") if part]
    if len(set(degrees)) <= 1:
        return str(degrees[0] if degrees else 1)
    return str(degrees)


def _cells(path: Path, header: tuple[str, ...]) -> list[tuple[int, dict[str, str]]]:
    text = read_text(path, "table")
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
    try:
        lines = [(reader.line_num, [cell.strip() for cell in line]) for line in reader if line]
    except csv.Error as error:
        raise PolygeomError(f"{path}, line {reader.line_num}: {error}") from None
    if not lines or tuple(lines[0][1]) != header:
        raise PolygeomError(f"{path}: the first line must be {','.join(header)}")
    for number, line in lines:
        if len(line) != len(header):
            raise PolygeomError(f"{path}, line {number}: {len(line)} cells instead of {len(header)}")
    return [(number, dict(zip(header, line, strict=True))) for number, line in lines[1:]]


def _network(cells: dict[str, str], place: str) -> dict[str, Any]:
    widths = _integers(cells["Widths"], place, "Widths")
    degrees = _integers(cells["Activation"], place, "Activation")
    hidden = max(0, len(widths) - 2)
    degrees = degrees * hidden if len(degrees) == 1 else degrees
    if len(widths) < 2 or len(degrees) != hidden:
        raise PolygeomError(
            f"{place}: {len(widths)} widths need {hidden} activation degrees or one, got {cells['Activation']}"
        )
    activation = ",".join(str(degree) for degree in (degrees[:1] if len(set(degrees)) == 1 else degrees))
    written = "[" + ",".join(str(width) for width in widths) + "]"
    return {
        "network": f"{written} r={activation}" if activation else written,
        "widths": written,
        "activation": activation,
        "parameters": sum(a * b for a, b in itertools.pairwise(widths)),
    }


def _integers(text: str, place: str, name: str) -> list[int]:
    parts = text.strip("[]() ").split(",") if len(text) < 10_000 else [""]
    if not all(part.strip().isascii() and part.strip().isdigit() and len(part) < 20 for part in parts):
        raise PolygeomError(f"{place}: {name} must be written as [2, 3, 1], got {text[:40]!r}")
    return [int(part) for part in parts]


def _values(cells: dict[str, str], place: str) -> dict[str, Any]:
    try:
        return {name: parse_cell(name, cells[title]) for name, title in zip(_SOURCES, RESULTS[2:], strict=True)}
    except ValueError as error:
        raise PolygeomError(f"{place}: {error}") from None
