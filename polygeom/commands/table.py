"""``polygeom table``: look at a CSV of a sweep, filter it, and ask whether a conjecture holds on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from polygeom.commands.printing import overview, print_rows
from polygeom.errors import PolygeomError

if TYPE_CHECKING:
    import pandas


@click.command()
@click.argument("file", metavar="FILE.csv")
@click.option("--where", multiple=True, metavar="CONDITION", help='Keep rows with, for example, "defect > 0".')
@click.option(
    "--check", multiple=True, metavar="CONDITION", help="Do all rows kept satisfy it? Print those that do not."
)
@click.option("--sort", multiple=True, metavar="COLUMN", help="Sort by a column; -COLUMN for the largest first.")
@click.option("--by", multiple=True, metavar="COLUMN", help="Count rows for every value of a column.")
@click.option("--explain", "explained", is_flag=True, help="Add a column that says why a network is defective.")
@click.option("--conjectures", is_flag=True, help="Say which conjectures of the literature the rows contradict.")
@click.option("--limit", default=40, show_default=True, help="Print at most this many rows.")
@click.option("--out", metavar="OUT.csv", help="Write the rows kept.")
def table(
    file: str,
    where: tuple[str, ...],
    check: tuple[str, ...],
    sort: tuple[str, ...],
    by: tuple[str, ...],
    explained: bool,
    conjectures: bool,
    limit: int,
    out: str | None,
) -> int:
    """Summarise the table FILE.csv of a sweep, filter its rows, or check a conjecture over them.

    \b
    CONDITION compares a column with a number, a word or another column:
      "defect > 0"   "proved = yes"   "status != ok"   "dimension < expected_dimension"
    Besides the columns of the table there are depth, degree, largest_width, non_increasing and unimodal,
    computed from the widths of multilayer perceptrons.

    \b
    Is every network with non-increasing widths of the expected dimension?
      polygeom table T.csv --where "non_increasing = yes" --where "status = ok" --check "defect = 0"

    The exit status is 1 if a --check has counterexamples.
    """
    from polygeom.tables import read_table, select, sorted_by, with_explanation, with_shape, write_table

    given = read_table(file)
    written = list(given.columns)
    rows = with_shape(given)
    for condition in where:
        rows = rows[select(rows, condition)]
    rows = sorted_by(rows, sort)
    if explained:
        rows = with_explanation(rows)
        written = [*(name for name in written if name != "explanation"), "explanation"]
    if out is not None:
        write_table(rows[written], out)
    if conjectures:
        _survey(rows)
        return 0
    if check:
        return _report(rows, check, limit)
    for column in by:
        _count(rows, column)
    if not by:
        print_rows(rows, limit)
    click.echo(overview(rows))
    return 0


def _survey(rows: pandas.DataFrame) -> None:
    from polygeom.tables import survey

    for _, row in survey(rows[rows["status"] == "ok"]).iterrows():
        click.echo(f"{row['conjecture']}: {row['against']} of {row['rows']} rows against it ({row['statement']})")


def _report(rows: pandas.DataFrame, checks: tuple[str, ...], limit: int) -> int:
    from polygeom.tables import select

    contradicted = False
    for condition in checks:
        against = rows[~select(rows, condition)]
        contradicted = contradicted or len(against) > 0
        click.echo(f"{condition}: holds for {len(rows) - len(against)} of {len(rows)} rows")
        if len(against):
            print_rows(against, limit)
    return 1 if contradicted else 0


def _count(rows: pandas.DataFrame, column: str) -> None:
    if column not in rows.columns:
        raise PolygeomError(f"--by: {column!r} is no column; write one of {', '.join(rows.columns)}")
    for value, count in rows[column].value_counts(dropna=False).sort_index().items():
        click.echo(f"{column} = {value}: {count}")
