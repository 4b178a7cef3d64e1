"""``polygeom contains``: does a function belong to a neurovariety?"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from polygeom.commands.inputs import takes_maps
from polygeom.commands.limits import check_timeout, shows_progress, ticking, within
from polygeom.supervision.alarm import last_resort

if TYPE_CHECKING:
    from polygeom.ideal.inclusion import Inclusion

EXIT = {True: 0, False: 1, None: 3}
"""Exit status for yes, no, unknown."""


@click.command()
@click.argument("network", metavar="NETWORK", required=False)
@click.argument("function", metavar="FUNCTION", required=False)
@click.option("--max-degree", type=int, help="Use equations up to this degree.")
@click.option("--timeout", type=float, help="Seconds for everything. Without it and --max-degree, 60 for the search.")
@click.option("--seed", default=0, show_default=True, help="Seed of all random choices.")
@click.option("--json", "as_json", is_flag=True, help="The answer as one JSON object.")
@takes_maps
def contains(
    network: str, function: str, max_degree: int | None, timeout: float | None, seed: int, as_json: bool
) -> int:
    """Say whether FUNCTION is in the neurovariety of NETWORK, the closure of what it computes over the complex numbers.

    FUNCTION is one polynomial in x1, x2, … for each output, separated by semicolons: "x1^2 + 3*x1*x2; x2^2/2". The
    exit status is 0 for yes, 1 for no, 3 for unknown, as it is when --timeout is over.
    """
    check_timeout(timeout)
    answer = _answer(network, function, max_degree, timeout, seed)
    click.echo(json.dumps(answer.as_dict()) if as_json else str(answer))
    return EXIT[answer.answer]


def _answer(network: str, function: str, max_degree: int | None, timeout: float | None, seed: int) -> Inclusion:
    from polygeom.answers import UNKNOWN
    from polygeom.ideal import Neurovariety
    from polygeom.ideal.grading.coordinates import Coordinates
    from polygeom.ideal.inclusion import Inclusion
    from polygeom.ideal.reading import read_function

    with ticking("looking for equations", shows_progress()):
        if timeout is None:
            return Neurovariety(network, rng=seed).contains(function, max_degree=max_degree)
        with last_resort(timeout):
            read_function(function, Coordinates(network))  # type: ignore[arg-type]  # refused with the place of the mistake
        limits = {"max_degree": max_degree, "timeout": timeout, "seed": seed}
        argument = {"network": network, "function": function, **limits}
        found = within("polygeom.ideal.task:contains", argument, timeout)
    stopped = Inclusion(None, UNKNOWN, f"stopped after {timeout:g} s", network=network, seed=seed)
    return stopped if found is None else Inclusion(**found)
