"""``polygeom table``: look at a CSV of a sweep, filter it, and ask whether a conjecture holds on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from polygeom.commands.limits import crew, only_with, takes_workers
from polygeom.commands.printing import overview, print_columns, print_rows
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
@click.option("--fibres", is_flag=True, help="Add a column: how many weights give the same function, as far as proved.")
@click.option("--conjectures", is_flag=True, help="Say which conjectures of the literature the rows contradict.")
@click.option("--limit", default=40, show_default=True, help="Print at most this many rows.")
@click.option(
    "--columns",
    metavar="NAME,… | OURS=THEIRS,…",
    help="Print these columns, such as network,learning_coefficient (as in sweep); with = read any CSV.",
)
@click.option(
    "--recheck",
    is_flag=False,
    flag_value="all",
    metavar="[SAMPLE]",
    help="Compute so many rows again, or all, and check certificates of them; list differences; go on with --out.",
)
@click.option("--seed", type=int, help="With --recheck SAMPLE: another seed draws other rows (default 0).")
@click.option("--timeout", type=float, help="With --recheck: seconds for one row.")
@takes_workers("Processes.", "--recheck")
@click.option("--out", metavar="OUT.csv", help="Write the rows kept; with --recheck, the rows computed.")
def table(
    file: str,
    columns: str | None,
    by: tuple[str, ...],
    recheck: str | None,
    limit: int,
    out: str | None,
    **options: Any,
) -> int:
    """Summarise the table FILE.csv of a sweep, filter its rows, or check a conjecture over them.

    \b
    CONDITION compares a column with a number, a word or another column:
      "defect > 0"   "proved = yes"   "status != ok"   "dimension < expected_dimension"
    Besides the columns of the table there are depth, degree, largest_width, non_increasing and unimodal,
    computed from the widths of multilayer perceptrons, and learning_coefficient, half the dimension.

    \b
    Is every network with non-increasing widths of the expected dimension?
      polygeom table T.csv --where "non_increasing = yes" --where "status = ok" --check "defect = 0"

    \b
    FILE.csv may also be of the published batch format, or anyone's:
      polygeom table mfa.csv --columns widths=architecture,degrees=exponent,dimension=dimension_computed --recheck

    \b
    Are the rows true? Compute 50 of them again, and let the checker of polygeom verify confirm what is proved:
      polygeom table T.csv --recheck 50 --timeout 60

    The exit status is 1 if a --check has counterexamples, or --recheck finds a difference.
    """
    from polygeom.tables import read_any, select, with_explanation, with_shape, write_table
    from polygeom.tables.conditions import sorted_by, with_coefficient
    from polygeom.tables.foreign import read_columns
    from polygeom.tables.maps import with_fibres

    shown = columns if columns is not None and "=" not in columns else None
    given = read_any(file, None if columns is None or shown is not None else read_columns(columns))
    written = list(given.columns)
    rows = with_coefficient(with_shape(given))
    for condition in options["where"]:
        rows = rows[select(rows, condition)]
    rows = sorted_by(rows, options["sort"])
    limits = {name: options[name] for name in ("seed", "timeout", "workers", "dask")}
    if recheck is not None:
        return _recheck(rows, None if recheck == "all" else _number(recheck), limit, out, **limits)
    only_with(limits, "has an effect with --recheck only; leave it out, or write --recheck")
    for wanted, column, fill in (("explained", "explanation", with_explanation), ("fibres", "fibre", with_fibres)):
        if options[wanted]:
            rows = fill(rows)
            written = [*(name for name in written if name != column), column]
    if out is not None:
        write_table(rows[written], out)
    if options["conjectures"]:
        _survey(rows)
        return 0
    if options["check"]:
        return _report(rows, options["check"], limit)
    for column in by:
        _count(rows, column)
    if shown is not None:
        print_columns(rows, shown, limit)
    elif not by:
        print_rows(rows, limit)
    click.echo(overview(rows))
    return 0


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text)):
        raise PolygeomError(
            f"--recheck takes a number of rows, or nothing for all, got {text!r:.40}; write --recheck 50"
        )
    return int(text)


def _recheck(
    rows: pandas.DataFrame,
    sample: int | None,
    limit: int,
    out: str | None,
    seed: int | None,
    timeout: float | None,
    workers: int | None,
    dask: str | None,
) -> int:
    from polygeom.dimensions.task import VERIFIED
    from polygeom.tables import recheck

    with crew(dask, workers or 1) as (executor, tasks):
        how: dict[str, Any] = {"timeout": timeout, "workers": tasks, "executor": executor, "out": out}
        found = recheck(rows, sample=sample, rng=seed or 0, **how)
    for _, row in found.head(limit).iterrows():
        if row["ours"]:
            sure = "proved" if row["proved"] else "not proved"
            click.echo(f"{row['network']}: {row['column']} is {row['theirs']} here, {row['ours']} computed ({sure})")
        else:
            click.echo(f"{row['network']}: not computed ({row['column']})")
    ours = found.attrs["table"]
    verified = int(ours["method"].str.endswith(VERIFIED).sum())
    click.echo(
        f"{len(ours)} of {len(rows)} rows computed again, {verified} confirmed by the checker, {len(found)} differences"
    )
    return 1 if len(found) else 0


def _survey(rows: pandas.DataFrame) -> None:
    from polygeom.tables.conjectures import survey

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
