"""``polygeom degree``: the degree of a neurovariety, its distance degrees and learning degrees."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any, TextIO

import click

from polygeom.commands.inputs import takes_maps
from polygeom.commands.limits import check_timeout, counted, counting, crew, shows_progress, takes_workers
from polygeom.errors import FormatError, PolygeomError


@click.command()
@click.argument("network", metavar="NETWORK", required=False)
@click.option("--form", metavar="generic|unit|bombieri-weyl", help="Count critical points of a distance instead.")
@click.option("--inputs", type=click.File(), metavar="FILE", help="Count those of the loss at these inputs instead.")
@click.option(
    "--method", default="auto", show_default=True, metavar="auto|all|theorem|equations|monodromy", help="How."
)
@click.option("--timeout", type=float, help="Seconds for everything; what is proved until then is the answer.")
@click.option("--max-degree", type=int, help="Last degree in which equations are sought.")
@takes_workers("Processes that follow paths and look for equations; the numbers do not depend on it.")
@click.option("--seed", default=0, show_default=True, help="Seed of all random choices.")
@click.option("--json", "as_json", is_flag=True, help="The answer as one JSON object.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
@takes_maps
def degree(
    network: str,
    form: str | None,
    inputs: TextIO | None,
    timeout: float | None,
    workers: int,
    dask: str | None,
    seed: int,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Degree of the neurovariety of NETWORK: in how many points a generic linear space of complementary dimension meets
    it. With --form its Euclidean distance degree: the critical points of the distance to a generic function. With
    --inputs its learning degree: the critical points of the squared loss at these inputs for generic labels. The file
    has one input on each line, its entries separated by blanks or commas: integers, fractions or decimals; - is
    standard input.

    The answer says what it rests on: a theorem, the equations, or solutions followed over the complex numbers, and
    whether that is a proof. The exit status is 1 if no number was found.
    """
    check_timeout(timeout)
    if form is not None and inputs is not None:
        raise PolygeomError("--form and --inputs count different points; write one of them")
    rows = None if inputs is None else _rows(inputs)
    if timeout is not None:
        from polygeom.network import parse

        texts = None if rows is None else [[str(c) for c in row] for row in rows]  # JSON has no fractions
        question = {"network": parse(network).text, "form": form, "inputs": texts, "options": options, "seed": seed}
        question |= {"workers": workers, "dask": dask}
        return counted("polygeom.ideal.task:count_within", question, "counting", timeout, as_json, quiet)
    from polygeom.ideal.task import count

    with crew(dask, workers) as (executor, tasks), counting("solutions", shows_progress(quiet)) as progress:
        found, h_vector = count(network, form, rows, {**options, "progress": progress}, seed, tasks, executor)
    click.echo(json.dumps(found.as_dict() | {"h_vector": h_vector}) if as_json else str(found))
    return 0 if found.value is not None else 1


def _rows(file: TextIO) -> list[list[Fraction]]:
    rows: list[list[Fraction]] = []
    for number, line in enumerate(file, start=1):
        try:
            row = [Fraction(entry) for entry in line.replace(",", " ").split()]
        except (ValueError, ZeroDivisionError):
            advice = "one input on each line, such as 1, 1/2, -0.25"
            raise FormatError(f"not a row of numbers: {line.strip()[:60]!r}", file.name, number, advice) from None
        if rows and row and len(row) != len(rows[0]):
            advice = "as many numbers on every line as the network has inputs"
            raise FormatError(f"{len(row)} numbers, {len(rows[0])} before", file.name, number, advice)
        rows += [row] if row else []
    return rows
