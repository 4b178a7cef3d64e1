"""Tables of other people: any CSV of architectures and dimensions, read by naming its columns, and computed again."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from polygeom.errors import PolygeomError
from polygeom.network import parse
from polygeom.storage.reading import read_text
from polygeom.tables.published import RESULTS, read_published_format
from polygeom.tables.table import frame, parse_cell, read_table

if TYPE_CHECKING:
    import pandas

OURS = ("network", "widths", "degrees", "dimension", "expected_dimension", "ambient_dimension", "defect", "parameters")
"""Columns that a foreign table may have under other names: either ``network``, or ``widths`` and ``degrees``."""
COMPARED = ("dimension", "expected_dimension", "ambient_dimension", "defect", "parameters")
_INTEGERS = re.compile(r"\d+")


def read_columns(text: str) -> dict[str, str]:
    """``widths=architecture,dimension=dimension_computed`` as a mapping from our columns to theirs.

    >>> read_columns("widths=architecture,degrees=exponent")
    {'widths': 'architecture', 'degrees': 'exponent'}
    """
    columns = {}
    for part in text.split(","):
        ours, equals, theirs = part.partition("=")
        if not equals or ours.strip() not in OURS or not theirs.strip():
            raise PolygeomError(
                f"columns: {part!r:.60} is not OURS=THEIRS with one of {', '.join(OURS)}; "
                "write widths=architecture,degrees=exponent,dimension=dimension_computed"
            )
        columns[ours.strip()] = theirs.strip()
    return columns


def read_any(path: str | os.PathLike[str], columns: Mapping[str, str] | None = None) -> pandas.DataFrame:
    """Read a table of a sweep, of a published batch run, or of anyone.

    Parameters
    ----------
    path:
        A CSV file. Without ``columns`` its header decides: that of polygeom, or that of the published batch format.
    columns:
        Names of its columns by ours (`OURS`). Widths may be written ``[2, 3, 1]``, ``2-3-1`` or ``(2,3,1)``, degrees as
        one integer or as a list. Further columns are left out.

    Raises
    ------
    PolygeomError
        When the file cannot be read, lacks a column, or a cell does not fit: with the line.
    """
    header, lines = _cells(path)
    if columns is None:
        return read_published_format(path) if tuple(header) == RESULTS else read_table(path)
    missing = [theirs for theirs in columns.values() if theirs not in header]
    if missing:
        raise PolygeomError(f"{path}: there is no column {missing[0]!r}; write one of {', '.join(header)}")
    if "network" not in columns and not {"widths", "degrees"} <= columns.keys():
        raise PolygeomError(
            f"columns must name network, or widths and degrees, got {', '.join(columns)}; "
            "write widths=architecture,degrees=exponent"
        )
    places = {ours: header.index(theirs) for ours, theirs in columns.items()}
    rows = []
    for number, line in lines:
        if len(line) != len(header):
            raise PolygeomError(f"{path}, line {number}: {len(line)} cells instead of {len(header)}; mend the line")
        try:
            rows.append(_row({ours: line[k].strip() for ours, k in places.items()}))
        except (PolygeomError, ValueError) as error:
            raise PolygeomError(f"{path}, line {number}: {error}") from None
    return frame(rows)


def _cells(path: str | os.PathLike[str]) -> tuple[list[str], list[tuple[int, list[str]]]]:
    text = read_text(path, "table")
    reader = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
    try:
        lines = [(reader.line_num, line) for line in reader if line]
    except csv.Error as error:
        raise PolygeomError(f"{path}, line {reader.line_num}: {error}; save it as CSV") from None
    if not lines:
        raise PolygeomError(f"{path}: the file is empty; write a header and rows")
    return [cell.strip() for cell in lines[0][1]], lines[1:]


def _row(cells: Mapping[str, str]) -> dict[str, Any]:
    """A row of ours; empty cells of numbers are left empty."""
    if "network" in cells:
        network = parse(cells["network"])
    else:
        widths, degrees = (list(map(int, _INTEGERS.findall(cells[name]))) for name in ("widths", "degrees"))
        if len(widths) < 2:
            raise PolygeomError(f"widths must be at least two integers, got {cells['widths']!r:.40}; write [2, 3, 1]")
        text = f"[{','.join(map(str, widths))}]"
        network = parse(f"{text} r={','.join(map(str, degrees))}" if len(widths) > 2 else text)
    row: dict[str, Any] = {"network": network.text, "parameters": network.parameter_count, "status": "ok"}
    if network.widths is not None and network.activation_degrees is not None:
        row["widths"] = f"[{','.join(map(str, network.widths))}]"
        row["activation"] = ",".join(map(str, dict.fromkeys(network.activation_degrees)))
        if len(set(network.activation_degrees)) > 1:
            row["activation"] = ",".join(map(str, network.activation_degrees))
    for name in COMPARED:
        if name in cells:
            row[name] = parse_cell(name, cells[name])
    if row.get("dimension") is None:
        row["status"] = "timeout"
    return row
