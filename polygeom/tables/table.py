"""The table of a sweep: its columns, as rows of plain data, as a CSV file and as a pandas frame.

A file is written from rows of plain data without pandas, so that it can be written quickly at any moment; reading a
file and building a frame use explicit types, so that an integer column with a blank stays one of integers.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.storage import durable
from polygeom.storage.reading import read_text

if TYPE_CHECKING:
    import pandas

SCHEMA = 1
"""Version of the columns below. A change of their names, order or meaning raises it."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table: ``kind`` is text, integer, number or truth; text is never missing, the others may be."""

    name: str
    kind: str
    meaning: str


COLUMNS: tuple[Column, ...] = (
    Column("network", "text", "canonical text of the network"),
    Column(
        "widths",
        "text",
        "widths [d_0,…,d_L] of a multilayer perceptron with monomial activations and no biases, else empty",
    ),
    Column(
        "activation", "text", "its activation degree, or degrees r_1,…,r_{L-1} separated by commas when they differ"
    ),
    Column("parameters", "integer", "number of weights"),
    Column("ambient_dimension", "integer", "number of coefficients of the outputs"),
    Column("expected_dimension", "integer", "the smaller of the ambient dimension and parameters minus symmetries"),
    Column(
        "dimension", "integer", "dimension (affine) of the neurovariety; the proved lower bound when `proved` is False"
    ),
    Column("lower", "integer", "proved lower bound"),
    Column("upper", "integer", "proved upper bound"),
    Column("proved", "truth", "whether the bounds agree"),
    Column("bound", "text", "name of the theorem behind the upper bound"),
    Column("defect", "integer", "expected dimension minus dimension"),
    Column("filling", "truth", "whether the dimension is the ambient dimension"),
    Column("identifiable", "truth", "whether the weights are determined up to symmetries and finitely many choices"),
    Column("gauge", "integer", "dimension of the known continuous symmetries"),
    Column("status", "text", "ok, timeout, memory, crashed, invalid or cancelled; all but ok leave the results empty"),
    Column("message", "text", "what went wrong, in one line"),
    Column("error_bound", "number", "bound on the probability that `dimension` is too small; 0 when proved"),
    Column("trials", "integer", "number of independent random trials"),
    Column("primes", "text", "the primes used, separated by spaces"),
    Column("seed", "integer", "seed that reproduces the row"),
    Column("points", "integer", "number of points at which the tangent space was evaluated"),
    Column("method", "text", "how the rank was computed, or the theorem that gives the dimension without one"),
    Column("version", "text", "version of polygeom"),
    Column("elapsed", "number", "seconds; not reproducible, every other column is"),
)
"""The columns of schema 1, in the order in which a file has them."""

NAMES: tuple[str, ...] = tuple(column.name for column in COLUMNS)
TIMINGS: tuple[str, ...] = ("elapsed",)
"""Columns that differ from run to run."""

_KINDS = {column.name: column.kind for column in COLUMNS}
_UNSAFE = re.compile(r"'*[=+\-@\t\r]")
_SPECIAL = re.compile(r'[",\r\n]')
_INTEGER = re.compile(r"-?[0-9]{1,4000}", re.ASCII)
_NUMBER = re.compile(
    r"[-+]?([0-9]{1,400}\.?[0-9]{0,400}|\.[0-9]{1,400})(e[-+]?[0-9]{1,4})?|[-+]?inf", re.ASCII | re.IGNORECASE
)
_WANTED = {"text": "text", "integer": "an integer", "number": "a number", "truth": "True or False"}
_TRUTHS = {"true": True, "false": False, "1": True, "0": False}


def read_table(path: str | os.PathLike[str]) -> pandas.DataFrame:
    """Read a CSV file of a sweep.

    Parameters
    ----------
    path:
        A file that has at least the columns `NAMES`, in any order; further columns are kept as text at the end.

    Returns
    -------
    A frame with the columns of `NAMES`: text as ``string``, integers as ``Int64`` (``object`` with Python integers in a
    table where one exceeds 2⁶³−1), numbers as ``Float64``, truth values as ``boolean``.

    Raises
    ------
    PolygeomError
        When the file cannot be read, lacks a column, has a cell that does not fit its column, or a row that
        contradicts itself.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_rows([{"network": "[2,3,1] r=2", "dimension": 3, "status": "ok"}], f"{folder}/table.csv")
    ...     read_table(f"{folder}/table.csv")[["dimension", "lower"]].dtypes.astype(str).tolist()
    ['Int64', 'Int64']
    """
    names, lines = _read_csv(path)
    if missing := [name for name in NAMES if name not in names]:
        raise PolygeomError(
            f"{path}: the columns {', '.join(missing)} are missing; this is no table of a sweep (schema {SCHEMA})"
        )
    rows = []
    for number, line in lines:
        try:
            row = {name: parse_cell(name, text) for name, text in zip(names, line, strict=True)}
            if row["status"] == "ok" and (problem := contradiction(row)):
                raise ValueError(problem)
            rows.append(row)
        except ValueError as error:
            raise PolygeomError(f"{path}, line {number}: {error}") from None
    return frame(rows, extra=[name for name in names if name not in _KINDS])


def write_table(table: pandas.DataFrame, path: str | os.PathLike[str], *, timings: bool = True) -> None:
    """Write a frame with the columns `NAMES` to a CSV file, atomically; the bytes depend on the frame's values alone.

    Parameters
    ----------
    table:
        As `sweep` or `read_table` returns it. Columns that the schema does not know are written after the others, as
        text.
    path:
        The file to write or replace.
    timings:
        False leaves out `TIMINGS`, so that the files of two runs can be compared byte by byte.

    Raises
    ------
    PolygeomError
        When a column is missing or the file cannot be written.
    """
    durable.write_file(path, table_bytes(table, timings=timings), "out")


def table_bytes(table: pandas.DataFrame, *, timings: bool = True) -> bytes:
    """A frame as `write_table` writes it."""
    import pandas as pd

    if missing := [name for name in NAMES if name not in table.columns]:
        raise PolygeomError(
            f"write_table: the columns {', '.join(missing)} are missing; use a table that sweep returned"
        )
    names = [*NAMES, *(str(name) for name in table.columns if name not in _KINDS)]
    columns = [[None if pd.isna(value) else value for value in table[name].tolist()] for name in names]
    rows = (dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True))
    return rows_bytes(rows, names=[name for name in names if timings or name not in TIMINGS])


def write_rows(
    rows: Iterable[Mapping[str, Any]], path: str | os.PathLike[str], *, names: Sequence[str] = NAMES
) -> None:
    """Write rows of plain data to a CSV file, atomically: afterwards the file is the old one or the new one.

    Raises
    ------
    PolygeomError
        When the file cannot be written.
    """
    durable.write_file(path, rows_bytes(rows, names=names), "out")


def rows_bytes(rows: Iterable[Mapping[str, Any]], *, names: Sequence[str] = NAMES) -> bytes:
    """Rows of plain data as CSV.

    Text that a spreadsheet would take for a formula gets an apostrophe in front, which `read_table` removes.
    """
    kinds = [(name, _KINDS.get(name, "text")) for name in names]
    cells = ([_format_cell(kind, row.get(name)) for name, kind in kinds] for row in rows)
    return csv_bytes([list(names), *cells])


def csv_bytes(lines: Iterable[Iterable[str]]) -> bytes:
    """Cells as CSV in UTF-8. (The `csv` module leaves a lone carriage return unquoted, which then ends the line.)"""
    text = "".join(",".join(map(_quote, line)) + "\n" for line in lines)
    return text.encode(errors="replace")


def _quote(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if _SPECIAL.search(cell) else cell


def frame(rows: Iterable[Mapping[str, Any]], *, extra: Sequence[str] = ()) -> pandas.DataFrame:
    """A pandas frame of rows of plain data, with the types that `read_table` describes."""
    import pandas as pd

    rows = list(rows)
    data: dict[str, Any] = {}
    for name in (*NAMES, *extra):
        values = [row.get(name) for row in rows]
        kind = _KINDS.get(name, "text")
        if kind == "text":
            data[name] = pd.array(["" if value is None else str(value) for value in values], dtype="string")
        elif kind == "number":
            data[name] = pd.array(values, dtype="Float64")
        elif kind == "truth":
            data[name] = pd.array(values, dtype="boolean")
        elif all(value is None or -(2**63) <= value < 2**63 for value in values):
            data[name] = pd.array(values, dtype="Int64")
        else:
            data[name] = pd.Series([pd.NA if value is None else value for value in values], dtype=object)
    return pd.DataFrame(data)


def check_values(row: Mapping[str, Any]) -> str:
    """What in a row of plain data does not fit the columns, as a message; empty when everything fits."""
    types: dict[str, tuple[type, ...]] = {"text": (str,), "integer": (int,), "number": (int, float), "truth": (bool,)}
    for name, value in row.items():
        kind = _KINDS.get(name)
        if kind is None or value is None:
            continue
        if not isinstance(value, types[kind]) or (kind != "truth" and isinstance(value, bool)):
            return f"{name} must be {_WANTED[kind]}, got {value!r:.40}"
    return ""


def contradiction(row: Mapping[str, Any]) -> str:
    """What in a row of plain data contradicts itself, as a message; empty when nothing does. Blanks contradict nothing.

    >>> contradiction({"dimension": 4, "lower": 4, "upper": 5, "proved": True})
    'proved must be False where lower is 4 and upper 5'
    """
    dimension, lower, upper, proved = (row.get(name) for name in ("dimension", "lower", "upper", "proved"))
    if lower is not None and upper is not None:
        if lower > upper:
            return f"lower must be at most upper, got {lower} and {upper}"
        if proved is not None and proved is not (lower == upper):
            return f"proved must be {lower == upper} where lower is {lower} and upper {upper}"
    if dimension is not None:
        if not (dimension if lower is None else lower) <= dimension <= (dimension if upper is None else upper):
            return f"dimension must lie between lower and upper, got {dimension}, {lower} and {upper}"
        ambient, expected = row.get("ambient_dimension"), row.get("expected_dimension")
        free, gauge = row.get("parameters"), row.get("gauge")
        if ambient is not None and (dimension > ambient or row.get("filling") not in (None, dimension == ambient)):
            return f"filling must be {dimension == ambient} where dimension is {dimension} of {ambient}"
        if expected is not None and row.get("defect") not in (None, expected - dimension):
            return f"defect must be {expected - dimension} where dimension is {dimension} instead of {expected}"
        if row.get("identifiable") and free is not None and gauge is not None and dimension != free - gauge:
            return f"identifiable must be False where dimension is {dimension}, parameters {free} and gauge {gauge}"
    if proved and row.get("error_bound"):
        return f"error_bound must be 0 where proved, got {row['error_bound']}"
    return ""


def _format_cell(kind: str, value: Any) -> str:
    if value is None:
        return ""
    if kind == "integer":
        return str(int(value))
    if kind == "number":
        return repr(float(value))
    if kind == "truth":
        return str(bool(value))
    text = str(value).replace("\0", "�")
    return f"'{text}" if _UNSAFE.match(text) else text


def parse_cell(name: str, text: str) -> Any:
    """The value of a cell of column ``name``; `ValueError` says what is wrong with it."""
    kind = _KINDS.get(name, "text")
    if kind == "text":
        return text[1:] if text.startswith("'") and _UNSAFE.match(text) else text
    text = text.strip(" ")
    if text == "":
        return None
    if kind == "integer" and _INTEGER.fullmatch(text):
        return int(text)
    if kind == "truth" and text.lower() in _TRUTHS:
        return _TRUTHS[text.lower()]
    if kind == "number" and _NUMBER.fullmatch(text):
        return float(text)
    raise ValueError(f"{name} must be {_WANTED[kind]} or empty, got {text[:40]!r}")


def _read_csv(path: str | os.PathLike[str]) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and lines of a CSV file, with the number of the line in the file where each row ends."""
    text = read_text(path, "table")
    reader = csv.reader(io.StringIO(text, newline=""))
    lines: list[tuple[int, list[str]]] = []
    try:
        names = next(reader, [])
        if repeated := [name for name, times in Counter(names).items() if times > 1]:
            raise PolygeomError(f"{path}: the columns {', '.join(repeated)[:200]} occur more than once")
        for line in filter(None, reader):
            if len(line) != len(names):
                raise PolygeomError(
                    f"{path}, line {reader.line_num}: {len(line)} cells, but the header names {len(names)} columns"
                )
            lines.append((reader.line_num, line))
    except csv.Error as error:
        raise PolygeomError(f"{path}, line {reader.line_num}: {error}") from None
    if not names:
        raise PolygeomError(f"{path} is empty; a table starts with the names of its columns")
    return names, lines
