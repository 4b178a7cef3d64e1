"""``polygeom degree``: the degree of a neurovariety, its distance degrees and learning degrees."""

from __future__ import annotations

import json
import sys
from fractions import Fraction
from typing import Any, TextIO

import click

from polygeom.commands.inputs import map_option, one_with_maps
from polygeom.errors import FormatError, PolygeomError


@click.command()
@click.argument("network", metavar="NETWORK", required=False)
@map_option
@click.option("--form", metavar="generic|unit|bombieri-weyl", help="Count critical points of a distance instead.")
@click.option("--inputs", type=click.File(), metavar="FILE", help="Count those of the loss at these inputs instead.")
@click.option(
    "--method", default="auto", show_default=True, metavar="auto|all|theorem|equations|monodromy", help="How."
)
@click.option("--timeout", type=float, help="Seconds for the search for equations; 20 if not given.")
@click.option("--max-degree", type=int, help="Last degree in which equations are sought.")
@click.option("--seed", default=0, show_default=True, help="Seed of all random choices.")
@click.option("--json", "as_json", is_flag=True, help="The answer as one JSON object.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
def degree(
    network: str | None,
    maps: tuple[str, ...],
    form: str | None,
    inputs: TextIO | None,
    timeout: float | None,
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
    whether that is a proof.
    """
    from polygeom.ideal import Neurovariety
    from polygeom.ideal.counting import invariants

    if timeout is not None and timeout <= 0:
        raise PolygeomError(f"--timeout must be positive, got {timeout}; write --timeout 20")
    if form is not None and inputs is not None:
        raise PolygeomError("--form and --inputs count different points; write one of them")
    variety = Neurovariety(one_with_maps(network, maps), rng=seed)
    progress = None if quiet or not sys.stderr.isatty() else _progress
    options |= {"timeout": timeout or invariants.SEARCH_TIMEOUT, "progress": progress}
    if inputs is not None:
        count = invariants.learning_degree(variety, _rows(inputs), **options)
    elif form is not None:
        count = invariants.ed_degree(variety, form, **options)
    else:
        count = invariants.degree(variety, **options)
    if progress is not None:
        click.echo("\r\033[K", err=True, nl=False)
    if as_json:
        search = variety.found
        argument = None if search is None else search.completeness
        h_vector = None if argument is None else list(argument.h_vector)
        click.echo(json.dumps(count.as_dict() | {"h_vector": h_vector}))
    else:
        click.echo(str(count))
    return 0 if count.value is not None else 1


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


def _progress(loops: int, solutions: int) -> None:
    click.echo(f"\rafter {loops} loops {solutions} solutions", err=True, nl=False)
