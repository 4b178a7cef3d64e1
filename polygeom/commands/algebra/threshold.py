"""``polygeom threshold``: for which activation degrees an architecture is defective."""

from __future__ import annotations

import json
import re
from typing import Any

import click

from polygeom.commands.limits import check_timeout, crew, only_with, takes_workers, within
from polygeom.errors import PolygeomError
from polygeom.storage.durable import output_file


@click.command()
@click.argument("widths", nargs=-1, metavar="WIDTHS...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--seed", default=0, show_default=True, help="Seed of the random weights, points and primes.")
@click.option(
    "--where", multiple=True, metavar="CONDITION", help='Rows of the table with, for example, "threshold > 9".'
)
@click.option("--limit", default=20, show_default=True, help="With --where: print at most this many rows.")
@click.option("--all", "box", metavar="WIDTH:DEPTH", help="Compute the table up to a width and a depth, such as 10:4.")
@click.option("--singular", is_flag=True, help="From which degree on only subnetworks are critical.")
@click.option("--timeout", type=float, help="With --singular: seconds for each of WIDTHS.")
@click.option("--out", metavar="FILE", help="With --all: the file to write, CSV; compressed without --singular.")
@takes_workers("Processes that compute.", "--all")
def threshold(
    widths: tuple[str, ...], where: tuple[str, ...], box: str | None, singular: bool, as_json: bool, **options: Any
) -> int:
    """Activation degree threshold of each architecture WIDTHS, for example "[2,2,4,1]".

    All activation degrees from 2 on are decided: small ones by their dimension, large ones by a theorem.

    \b
    A table of all 73,710 architectures up to width 10 and depth 4 comes with the package:
      polygeom threshold --where "threshold > 12"
      polygeom threshold --all 10:4 --workers 2 --out thresholds.csv.gz
    With --singular: from which activation degree on the Jacobian of weights to functions loses rank at subnetworks
    alone; the table of all architectures with at most 12 weights is made by
      polygeom threshold --singular --all 12 --out critical.csv
    """
    from polygeom.dimensions.identifiability import threshold as compute

    seed, timeout = options["seed"], options["timeout"]
    build = {name: options[name] for name in ("out", "workers", "dask")}
    if box is None:
        only_with(build, "is for --all; leave it out")
    if sum((bool(widths), bool(where), box is not None)) != 1:
        raise click.UsageError('write WIDTHS such as "[2,2,4,1]", or --where CONDITION, or --all WIDTH:DEPTH')
    if singular and where:
        raise PolygeomError("--singular has no --where; leave it out")
    if timeout is not None and (not singular or box is not None):
        raise PolygeomError("--timeout is for --singular with WIDTHS; leave it out")
    check_timeout(timeout)
    if box is not None:
        return _all_singular(box, **build) if singular else _all(box, **build)
    if singular:
        return _singular(widths, {"rng": seed, "timeout": timeout}, as_json)
    if where:
        return _show(where, options["limit"])
    for text in widths:
        found = compute(_widths(text), rng=seed)
        click.echo(json.dumps(found.as_dict()) if as_json else str(found))
    return 0


def _all(box: str, out: str | None, workers: int | None, dask: str | None) -> int:
    from polygeom.tables.atlas.thresholds import build_thresholds

    found = re.fullmatch(r"([0-9]{1,2}):([0-9]{1,2})", box, re.ASCII)
    widest, deepest = (int(found[1]), int(found[2])) if found else (0, 0)
    if not (2 <= widest <= 40 and 2 <= deepest <= 8 and widest ** (deepest + 1) <= 10_000_000):
        raise PolygeomError(
            f"--all must be a largest width and depth with at most 10^7 rows, got {box!r:.40}; write 10:4"
        )
    if out is None or (workers is not None and workers < 1):
        raise PolygeomError(
            "--all needs a file and at least one worker; write polygeom threshold --all 10:4 --out FILE.csv.gz"
        )
    output_file(out, "--out")
    with crew(dask, workers or 1) as (executor, tasks):
        count = build_thresholds(
            out,
            widest=widest,
            deepest=deepest,
            workers=tasks,
            journal=f"{out}.journal",
            executor=executor,
            progress=None,
        )
    click.echo(f"{count} rows written to {out}", err=True)
    return 0


def _all_singular(most: str, out: str | None, workers: int | None, dask: str | None) -> int:
    from polygeom.singularities.critical.table import build_table

    if out is None or not re.fullmatch(r"[0-9]{1,3}", most, re.ASCII) or (workers is not None and workers < 1):
        advice = "write polygeom threshold --singular --all 12 --out FILE.csv"
        raise PolygeomError(f"--all needs a number of weights, a file and at least one worker; {advice}")
    with crew(dask, workers or 1) as (executor, tasks):
        count = build_table(out, int(most), workers=tasks, executor=executor, progress=None)
    click.echo(f"{count} rows written to {out}", err=True)
    return 0


def _singular(widths: tuple[str, ...], options: dict[str, Any], as_json: bool) -> int:
    worst = 0
    for text in widths:
        question = {"widths": _widths(text), **options}
        answer = within("polygeom.singularities.task:least_degree", question, options["timeout"])
        if answer is None:
            unfinished = {"network": text, "value": None, "status": "unknown", "timeout": options["timeout"]}
            answer = {"found": unfinished, "text": f"{text}: unknown, not found within {options['timeout']:g} s"}
        click.echo(json.dumps(answer["found"]) if as_json else answer["text"])
        worst = 3 if answer["found"]["value"] is None else worst
    return worst


def _show(where: tuple[str, ...], limit: int) -> int:
    from polygeom.tables import select
    from polygeom.tables.atlas.thresholds import load_thresholds

    table = load_thresholds()
    for condition in where:
        table = table[select(table, condition)]
    for row in table.head(limit).to_dict("records"):
        told = f"  defective for r = {row['defective'].replace(' ', ', ')}" if row["defective"] else ""
        click.echo(f"{row['widths']}  {row['threshold']}{told}")
    click.echo(f"{len(table)} architectures, {int((table['threshold'] == table['cut']).sum())} of them as cutting says")
    return 0


def _widths(text: str) -> list[int]:
    if not re.fullmatch(r"\s*\[?\s*[0-9]{1,6}(\s*,\s*[0-9]{1,6}){1,99}\s*\]?\s*", text, re.ASCII):
        raise PolygeomError(f'widths must be like [2,2,4,1], got {text[:60]!r}; write polygeom threshold "[2,2,4,1]"')
    return [int(w) for w in text.strip(" \t[]").split(",")]
