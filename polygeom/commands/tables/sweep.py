"""``polygeom sweep``: many networks, each under a deadline, into a journal and a CSV table."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from polygeom.commands.inputs import network_texts, takes_maps
from polygeom.commands.limits import crew, takes_workers
from polygeom.commands.printing import overview, print_columns, print_rows, split_columns
from polygeom.errors import PolygeomError
from polygeom.storage.durable import output_file

if TYPE_CHECKING:
    from polygeom.network.selection import Selection

MOST_NETWORKS = 10_000_000


@click.command()
@click.argument("families", nargs=-1, metavar="FAMILY... | -")
@click.option("--from", "files", multiple=True, metavar="FILE", help="Read families from FILE, one a line.")
@click.option("--shape", metavar="SHAPE", help="Keep pyramidal, non-decreasing, monotone or unimodal widths only.")
@click.option("--max-parameters", type=int, metavar="N", help="Keep networks with at most N weights.")
@click.option("--max-ambient", type=int, metavar="N", help="Keep networks with ambient dimension at most N.")
@click.option("--timeout", type=float, metavar="SECONDS", help="Deadline of one network; compiled code is stopped.")
@click.option("--memory", metavar="SIZE", help="Most memory for one network, such as 2GB.")
@takes_workers("Networks computed at the same time.")
@click.option("--out", metavar="FILE.csv", help="Write the table; results are kept in FILE.csv.journal as they come.")
@click.option("--journal", metavar="FILE", help="Keep results here instead.")
@click.option(
    "--published-format", "published", metavar="PREFIX", help="Also write the files of the public batch runs."
)
@click.option("--method", default="auto", metavar="auto|generic", help="generic: the route that uses no structure.")
@click.option("--error", default=1e-9, show_default=True, help="Stop when the proved error bound is this small.")
@click.option("--seed", "rng", default=0, show_default=True, help="Seed of every network's random choices.")
@click.option("--retry", multiple=True, metavar="STATUS", help="Compute rows of this status again, such as crashed.")
@click.option(
    "--columns",
    metavar="NAME,…",
    help="Print these columns, such as network,learning_coefficient; --out has those that it lacks at its end.",
)
@click.option("--limit", default=40, show_default=True, help="Print a table of at most this many rows.")
@click.option("-q", "--quiet", is_flag=True, help="No progress and no table.")
@takes_maps
def sweep(
    families: tuple[str, ...],
    files: tuple[str, ...],
    workers: int,
    dask: str | None,
    out: str | None,
    journal: str | None,
    published: str | None,
    columns: str | None,
    limit: int,
    quiet: bool,
    **options: Any,
) -> int:
    """Dimensions of all networks of each FAMILY.

    \b
    FAMILY is a network with ranges, for example
      "[2..4,2..6,1..3] r=2"      every width in its range
      "[3,2..5,1] r=2..4"         every activation degree in a range
      "[2|5|9,4,1] r=2"           a choice of widths
      "[3,2..5^1..3,1] r=2"       one to three hidden layers
      "map(s,t: s^2, s*t, t^2)"   one map; --map FILE reads it from a file
      -                           read families from standard input, one a line

    Columns that follow from a row without computing: depth, degree, largest_width, non_increasing, unimodal,
    learning_coefficient, explanation and fibre; write, for example, --columns network,dimension,learning_coefficient.

    Run the same command again to go on after an interruption: finished rows are not computed twice. Ctrl-C stops
    within two seconds and loses nothing that was stored.
    """
    from polygeom.network.selection import architectures
    from polygeom.tables import dimensions
    from polygeom.tables import published as published_format

    if published is not None:
        for path in published_format.published_paths(published):
            output_file(path, "--published-format")
    if not families and not files:
        raise click.UsageError('no family given; write for example polygeom sweep "[2..4,2..4,1] r=2"')
    filters = {name: options.pop(name) for name in ("shape", "max_parameters", "max_ambient")}
    method = {name: options.pop(name) for name in ("method", "error")}
    chosen = architectures(list(network_texts(families, files)), **filters)
    total = chosen.count()
    if total > MOST_NETWORKS:
        raise PolygeomError(f"sweep: {total} networks are more than {MOST_NETWORKS}; write narrower ranges")
    if not quiet:
        click.echo(f"{total} networks", err=True)

    try:
        with crew(dask, workers) as (executor, tasks):
            table = dimensions.sweep(
                _Counted(chosen, total),
                workers=tasks,
                executor=executor,
                journal=journal,
                out=out,
                progress=False if quiet else None,
                options=method,
                columns=split_columns(columns),
                **options,
            )
    except KeyboardInterrupt:
        if journal is not None or out is not None:
            kept = journal if journal is not None else f"{out}.journal"
            click.echo(f"what is finished is stored in {kept}; run the same command again to go on", err=True)
        raise
    if published is not None:
        published_format.write_published_format(table, published)
    if not quiet:
        if columns is not None:
            print_columns(table, columns, limit)
        else:
            print_rows(table, limit)
        click.echo(overview(table))
        if out is not None:
            click.echo(f"table written to {out}", err=True)
    sys.stdout.flush()
    return 0 if table["status"].eq("ok").all() else 1


class _Counted:
    """The texts of a selection, with their number known beforehand."""

    def __init__(self, chosen: Selection, total: int) -> None:
        self._chosen, self._total = chosen, total

    def __len__(self) -> int:
        return self._total

    def __iter__(self) -> Iterator[str]:
        return self._chosen.texts()
