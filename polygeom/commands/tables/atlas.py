"""``polygeom atlas``: the table of architectures that comes with the package: read it, check it, rebuild it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from polygeom.errors import PolygeomError
from polygeom.storage.durable import output_file, write_file

if TYPE_CHECKING:
    import pandas

SHOWN = ("network", "ambient_dimension", "expected_dimension", "dimension", "defect", "filling", "explanation")


@click.command()
@click.option("--where", multiple=True, metavar="CONDITION", help='Keep rows with, for example, "defect > 0".')
@click.option("--columns", metavar="NAME,…", help="Print these columns, such as network,learning_coefficient.")
@click.option("--limit", default=20, show_default=True, help="Print at most this many of the rows kept.")
@click.option("--out", metavar="FILE", help="With --rebuild: the file to write. Else: write the rows kept as CSV.")
@click.option("--check", type=int, metavar="N", help="Compute N random rows again and compare.")
@click.option("--rebuild", is_flag=True, help="Compute the whole atlas again and write it to --out.")
@click.option("--workers", default=1, show_default=True, help="Processes that compute, for --rebuild.")
@click.option("--html", metavar="FILE", help="Write the rows kept as a page to explore: one file that loads no other.")
@click.option("--seed", default=0, show_default=True, help="Which rows --check draws.")
def atlas(
    where: tuple[str, ...],
    columns: str | None,
    limit: int,
    out: str | None,
    check: int | None,
    rebuild: bool,
    workers: int,
    html: str | None,
    seed: int,
) -> int:
    """Dimension, defect, filling and identifiability of all small multilayer perceptrons.

    \b
    Without options: what the atlas contains, and the share of rows that are proved.
      polygeom atlas --where "defect > 3" --where "depth = 3"
      polygeom atlas --html atlas.html
      polygeom atlas --check 200
      polygeom atlas --rebuild --workers 2 --out atlas.csv.gz
    """
    from polygeom.commands.printing import print_columns
    from polygeom.tables import select
    from polygeom.tables.atlas import load_atlas

    if rebuild:
        return _rebuild(out, workers)
    table = load_atlas()
    if check is not None:
        return _check(table, check, seed)
    for condition in where:
        table = table[select(table, condition)]
    if html is not None:
        _explore(table, html)
    if (not where and columns is None) or html is not None:
        click.echo(summary(table))
        return 0
    if out is not None:
        _save(table, out)
    elif columns is not None:
        print_columns(table, columns, limit)
    else:
        _print(table.head(limit))
    click.echo(summary(table))
    return 0


def _save(table: pandas.DataFrame, path: str) -> None:
    write_file(path, table.to_csv(index=False).encode(), "--out")


def _explore(table: pandas.DataFrame, path: str) -> None:

    from polygeom.report.explorer import explorer_page

    write_file(path, explorer_page(table).encode(), "--html")
    click.echo(f"{len(table)} networks written to {path}: open it in a browser", err=True)


def summary(table: pandas.DataFrame) -> str:
    """Counts in two lines, with the share of proved rows."""
    if not len(table):
        return "no rows"
    proved = int(table["proved"].sum())
    degrees = ", ".join(map(str, sorted(table["activation"].unique())))
    return (
        f"{len(table)} networks, activation degree {degrees}, depth {table['depth'].min()} to {table['depth'].max()}\n"
        f"{proved} proved ({100 * proved / len(table):.2f} %), {int((table['defect'] > 0).sum())} defective, "
        f"{int((table['explanation'] == 'unexplained').sum())} unexplained, {int(table['filling'].sum())} filling, "
        f"{int(table['minimal_filling'].sum())} of them minimal, {int(table['identifiable'].sum())} identifiable"
    )


def _print(table: pandas.DataFrame) -> None:
    from polygeom.commands.printing import cell

    rows = [list(SHOWN), *([cell(row[name]) for name in SHOWN] for _, row in table.iterrows())]
    widths = [max(len(row[i]) for row in rows) for i in range(len(SHOWN))]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _rebuild(out: str | None, workers: int) -> int:
    from polygeom.tables.atlas.build import build_atlas, write_atlas

    if out is None:
        raise PolygeomError("--rebuild needs a file to write; write polygeom atlas --rebuild --out atlas.csv.gz")
    if workers < 1:
        raise PolygeomError(f"--workers must be at least 1, got {workers}")
    shown = 0

    def progress(done: int, total: int) -> None:
        nonlocal shown
        if done * 20 // total > shown:
            shown = done * 20 // total
            click.echo(f"atlas: {done} of {total} rows", err=True)

    output_file(out, "--out")
    count = write_atlas(build_atlas(workers=workers, progress=progress), out)
    from polygeom.tables.atlas import load_atlas

    click.echo(f"{count} rows written to {out}", err=True)
    click.echo(summary(load_atlas(out)))
    return 0


def _check(table: pandas.DataFrame, count: int, seed: int) -> int:
    from polygeom.tables.atlas.build import differing_rows

    if count < 1:
        raise PolygeomError(f"--check must be a positive number of rows, got {count}")
    sample = table.sample(min(count, len(table)), random_state=seed)
    wrong = differing_rows(sample)
    click.echo(f"{len(sample) - len(wrong)} of {len(sample)} rows computed again agree")
    for text in wrong:
        click.echo(f"  {text}")
    return 1 if wrong else 0
