"""``polygeom contains``: does a function belong to a neurovariety?"""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from polygeom.commands.inputs import map_option, one_with_maps
from polygeom.errors import PolygeomError

EXIT = {True: 0, False: 1, None: 3}
"""Exit status for yes, no, unknown."""


@click.command()
@click.argument("network", metavar="NETWORK", required=False)
@click.argument("function", metavar="FUNCTION", required=False)
@map_option
@click.option("--max-degree", type=int, help="Use equations up to this degree.")
@click.option("--timeout", type=float, help="Seconds for the search for equations; 60 if there is no --max-degree.")
@click.option("--seed", default=0, show_default=True, help="Seed of all random choices.")
@click.option("--json", "as_json", is_flag=True, help="The answer as one JSON object.")
def contains(
    network: str | None,
    function: str | None,
    maps: tuple[str, ...],
    max_degree: int | None,
    timeout: float | None,
    seed: int,
    as_json: bool,
) -> int:
    """Say whether FUNCTION is in the neurovariety of NETWORK, the closure of what it computes over the complex numbers.

    FUNCTION is one polynomial in x1, x2, … for each output, separated by semicolons: "x1^2 + 3*x1*x2; x2^2/2";
    for a map, one number for each coordinate, "1; 1/2; 0". The exit status is 0 for yes, 1 for no, 3 for unknown.
    """
    from polygeom.ideal import Neurovariety

    if maps and function is None:
        network, function = None, network
    if function is None:
        raise PolygeomError('FUNCTION is missing; write polygeom contains "[2,2,1] r=4" "x1^3*x2"')
    answer = Neurovariety(one_with_maps(network, maps), rng=seed).contains(
        function, max_degree=max_degree, timeout=timeout
    )
    click.echo(json.dumps(asdict(answer)) if as_json else str(answer))
    return EXIT[answer.answer]
