"""``polygeom coefficient``: the learning coefficient of a network at generic weights or at a subnetwork."""

from __future__ import annotations

import json
from typing import Any

import click

from polygeom.commands.inputs import takes_maps
from polygeom.commands.limits import check_timeout, shows_progress, ticking, within
from polygeom.errors import PolygeomError

_CLAUSES = ("dead", "silent", "deaf", "duplicate", "collinear", "cancel", "rank")


@click.command()
@click.argument("network", required=False, metavar="NETWORK")
@click.option("--dead", metavar="1,3", help="Neurons with incoming and outgoing weights zero; 2:3 is in layer 2.")
@click.option("--silent", metavar="1", help="Neurons with outgoing weights zero alone.")
@click.option("--deaf", metavar="1", help="Neurons with incoming weights zero alone.")
@click.option("--duplicate", metavar="1=2", help="Pairs of neurons with equal incoming weights.")
@click.option("--collinear", metavar="1=2", help="Pairs of neurons with proportional incoming weights.")
@click.option("--cancel", metavar="1=2", help="Pairs with equal incoming and opposite outgoing weights.")
@click.option("--rank", metavar="R", help="For linear networks: the most singular weights of a matrix of this rank.")
@click.option("--weights", metavar="FILE.json", help="Weights by name instead, numbers or texts such as 1/3.")
@click.option("--seed", default=0, show_default=True, help="Seed of the other weights and of the primes.")
@click.option("--timeout", type=float, help="Seconds for everything.")
@click.option("--json", "as_json", is_flag=True, help="The answer as one JSON object.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
@takes_maps
def coefficient(
    network: str,
    weights: str | None,
    seed: int,
    timeout: float | None,
    as_json: bool,
    quiet: bool,
    **clauses: str | None,
) -> int:
    """Learning coefficient (real log canonical threshold) of NETWORK with its multiplicity.

    It governs Bayesian generalisation: the error after n samples is about λ/n. At generic weights it is half the
    dimension; at the subnetworks that the options describe it is smaller. The exit status is 0 where it is known, 3
    where there are bounds only, 1 when the time was over.

    \b
      polygeom coefficient "[3,2,1] r=2"
      polygeom coefficient "[3,3,1] r=2" --dead 3
      polygeom coefficient "[4,4,4] r=1" --rank 2
    """
    check_timeout(timeout)
    text = "; ".join(f"{name} {value}" for name in _CLAUSES if (value := clauses[name]) is not None)
    if text and weights is not None:
        raise PolygeomError("--weights says everything about the weights; leave out the other options")
    argument = {"network": network, "at": text or None, "weights": _read(weights), "seed": seed}
    from polygeom.singularities.task import run, shown

    with ticking(f"{network:.60}: learning coefficient", shows_progress(quiet)):
        found = run(argument) if timeout is None else within("polygeom.singularities.task:run", argument, timeout)
    if found is None:
        click.echo(f"{network}: no learning coefficient within {timeout:g} s (timeout)")
        return 1
    click.echo(json.dumps(found) if as_json else shown(found))
    return 0 if found["value"] is not None else 3


def _read(path: str | None) -> dict[str, Any] | None:
    """The weights in a file, arrays as nested lists."""
    from polygeom.dimensions.special import read_weights

    if path is None:
        return None
    return {name: value.tolist() if hasattr(value, "tolist") else value for name, value in read_weights(path).items()}
