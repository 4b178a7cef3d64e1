"""``polygeom atlas``: the table of architectures that comes with the package: read it, check it, rebuild it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from polygeom.commands.limits import crew, only_with, takes_workers
from polygeom.commands.printing import print_columns
from polygeom.errors import MissingPackageError, PolygeomError
from polygeom.storage.durable import output_file, write_file

if TYPE_CHECKING:
    import pandas

BOX_TEXT = "2:10,3:7,4:6,5:4,6:4 r=2..5"
"""The box of the table that comes with the package."""
MOST_ROWS = 10_000_000
SHOWN = "network,ambient_dimension,expected_dimension,dimension,defect,filling,explanation"


@click.command()
@click.option("--where", multiple=True, metavar="CONDITION", help='Keep rows with, for example, "defect > 0".')
@click.option("--columns", metavar="NAME,…", help="Print these columns, such as network,learning_coefficient.")
@click.option("--limit", default=20, show_default=True, help="Print at most this many of the rows kept.")
@click.option(
    "--out", metavar="FILE", help="With --build or --rebuild: the file to write. Else: write the rows kept as CSV."
)
@click.option("--check", type=int, metavar="N", help="Compute N random rows again and compare.")
@click.option("--rebuild", is_flag=True, help="Compute the whole atlas again and write it to --out.")
@click.option(
    "--build",
    metavar="BOX",
    help='Compute the atlas of another box, such as "2:12,3:8,4:6 r=2..6", and write it to --out.',
)
@takes_workers("Processes that compute.", "--build, --rebuild")
@click.option("--html", metavar="FILE", help="Write the rows kept as a page to explore: one file that loads no other.")
@click.option("--seed", default=0, show_default=True, help="Which rows --check draws.")
def atlas(
    where: tuple[str, ...], columns: str | None, limit: int, out: str | None, html: str | None, **options: Any
) -> int:
    """Dimension, defect, filling and identifiability of all small multilayer perceptrons.

    \b
    Without options: what the atlas contains, and the share of rows that are proved.
      polygeom atlas --where "defect > 3" --where "depth = 3"
      polygeom atlas --html atlas.html
      polygeom atlas --check 200
      polygeom atlas --rebuild --workers 2 --out atlas.csv.gz
      polygeom atlas --build "2:20,3:12,4:8 r=2..6" --workers 2 --out large.csv.gz

    \b
    A box "2:20,3:12 r=2..6" has all widths up to 20 for depth 2 and up to 12 for depth 3. Finished parts are kept in
    FILE.journal, so that the same command goes on after an interruption. With the extra parquet the table is also
    written to FILE.parquet, which loads in a second or two: polygeom.load_atlas("large.parquet").
    """
    from polygeom.tables import select
    from polygeom.tables.atlas import load_atlas

    build, machines = options["build"], {name: options[name] for name in ("workers", "dask")}
    if options["rebuild"] or build is not None:
        return _build(BOX_TEXT if build is None else build, out, **machines, shipped=build is None)
    only_with(machines, "is for --build and --rebuild; leave it out")
    table = load_atlas()
    if options["check"] is not None:
        return _check(table, options["check"], options["seed"])
    for condition in where:
        table = table[select(table, condition)]
    if html is not None:
        _explore(table, html)
    elif out is not None:
        write_file(out, table.to_csv(index=False).encode(), "--out")
    elif columns is not None:
        print_columns(table, columns, limit)
    elif where:
        print_columns(table.head(limit), SHOWN, limit)
    click.echo(summary(table))
    return 0


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


def box_and_degrees(text: str) -> tuple[dict[int, int], list[int]]:
    """The box and the activation degrees of ``"2:12,3:8 r=2..4"``.

    >>> box_and_degrees("2:12,3:8 r=2..4,6")
    ({2: 12, 3: 8}, [2, 3, 4, 6])
    """
    found = re.fullmatch(r"\s*([0-9:,\s]{3,200}?)\s+r\s*=\s*([0-9.,\s]{1,100})", text, re.ASCII)
    pairs = [pair.split(":") for pair in found[1].replace(" ", "").split(",")] if found else []
    spans = [span.split("..") for span in found[2].replace(" ", "").split(",")] if found else []
    try:
        box = {int(depth): int(width) for depth, width in pairs}
        degrees = sorted({r for span in spans for r in range(int(span[0]), int(span[-1]) + 1)})
        fits = len(box) == len(pairs) and all(2 <= depth <= 13 and 1 <= width <= 99 for depth, width in box.items())
        fits &= all(1 <= len(span) <= 2 for span in spans) and bool(degrees) and 2 <= degrees[0] <= degrees[-1] <= 60
    except ValueError:
        fits = False
    if not fits:
        raise PolygeomError(
            f"--build must be depths with their largest widths and activation degrees from 2 on, got {text!r:.60}; "
            'write --build "2:12,3:8,4:6 r=2..6"'
        )
    return box, degrees


def _build(text: str, out: str | None, workers: int | None, dask: str | None, *, shipped: bool) -> int:
    from polygeom.tables.atlas import load_atlas
    from polygeom.tables.atlas.build import build_atlas, write_atlas, write_parquet

    box, degrees = box_and_degrees(text)
    option = "--rebuild" if shipped else "--build BOX"
    if out is None or out.endswith(".parquet"):
        raise PolygeomError(f"{option} needs a file to write; write polygeom atlas {option} --out atlas.csv.gz")
    count = sum(width ** (depth + 1) for depth, width in box.items()) * len(degrees)
    if count > MOST_ROWS:
        raise PolygeomError(f"--build: {count} rows are more than {MOST_ROWS}; write a smaller box")
    output_file(out, "--out")
    if workers is not None and workers < 1:
        raise PolygeomError(f"--workers must be at least 1, got {workers}")
    with crew(dask, workers or 1) as (executor, tasks):
        columns = build_atlas(box, degrees, workers=tasks, journal=f"{out}.journal", executor=executor, progress=None)
    write_atlas(columns, out, level=9 if shipped else 6)
    told = f"{count} rows written to {out}"
    path = f"{out.removesuffix('.gz').removesuffix('.csv')}.parquet"
    try:
        write_parquet(columns, path)
        told += f" and {path}"
    except MissingPackageError as problem:
        told += f"; {problem}"
    click.echo(told, err=True)
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
