"""Tables and summaries as plain text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import pandas

SHOWN = (
    "network",
    "parameters",
    "ambient_dimension",
    "expected_dimension",
    "dimension",
    "defect",
    "filling",
    "identifiable",
)
"""Columns of the printed table, before the one that says what is proved."""
_HEADS = {"ambient_dimension": "ambient", "expected_dimension": "expected"}


def as_line(answer: Mapping[str, Any]) -> str:
    """One line of JSON."""
    import json  # here: most commands print text, and loading it takes a hundredth of theirs

    return json.dumps(answer)


def print_rows(table: pandas.DataFrame, limit: int) -> None:
    """Print the first ``limit`` rows with the columns a reader looks for first; blank where a row has no result."""
    shown = table.head(limit)
    heads = [_HEADS.get(name, name) for name in SHOWN] + ["status"]
    rows = [[cell(row[name]) for name in SHOWN] + [_status(row)] for _, row in shown.iterrows()]
    if "explanation" in shown.columns:
        heads.append("explanation")
        rows = [[*row, cell(why)] for row, why in zip(rows, shown["explanation"], strict=True)]
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]
    for row in [heads, *rows]:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True)]
        click.echo("  ".join(cells).rstrip())
    if len(table) > len(shown):
        click.echo(f"… and {len(table) - len(shown)} more rows")


def keep_certificate(certificate: Mapping[str, Any], path: str) -> None:
    """Write it to the file and say how it is checked."""
    from polygeom.dimensions.proofs.certificate import write_certificate

    write_certificate(certificate, path)
    click.echo(f"certificate written to {path}; check it with polygeom verify {path}", err=True)


def print_columns(table: pandas.DataFrame, columns: str, limit: int) -> None:
    """Print some columns of the first ``limit`` rows, their names separated by commas.

    Raises
    ------
    PolygeomError
        For a name that is no column.
    """
    from polygeom.tables.columns import derived_names, with_columns

    names = split_columns(columns)
    shown = table.head(limit)
    if further := derived_names(names, list(table.columns)):
        shown = with_columns(shown, further)
    rows = [names, *([cell(row[name]) for name in names] for _, row in shown.iterrows())]
    widths = [max(len(row[i]) for row in rows) for i in range(len(names))]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    if len(table) > limit:
        click.echo(f"… and {len(table) - limit} more rows")


def split_columns(text: str | None) -> list[str]:
    """The names of columns in what is written after ``--columns``."""
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def cell(value: object) -> str:
    """A value as text: yes, no, blank where it is missing."""
    import pandas

    if pandas.isna(value):  # type: ignore[call-overload]
        return ""
    return {"True": "yes", "False": "no"}.get(str(value), str(value))


def _status(row: pandas.Series) -> str:
    if row["status"] != "ok":
        return str(row["status"])
    return {"": "as read", "yes": "proved"}.get(cell(row["proved"]), "probable")


def overview(table: pandas.DataFrame) -> str:
    """One line: how many rows, how many proved, defective, filling, identifiable, and what failed."""
    done = table[table["status"] == "ok"]
    parts = [
        f"{len(table)} networks",
        f"{int(done['proved'].sum())} proved",
        f"{int((~done['proved'].fillna(True).astype(bool)).sum())} probable",
        f"{int((done['defect'] > 0).sum())} defective",
        f"{int(done['filling'].sum())} filling",
        f"{int(done['identifiable'].sum())} identifiable",
    ]
    failed = table.loc[table["status"] != "ok", "status"].value_counts()
    return ", ".join([*parts, *(f"{count} {status}" for status, count in failed.items())])
