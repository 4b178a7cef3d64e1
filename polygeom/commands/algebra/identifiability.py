"""``polygeom identifiability``: are the weights determined by the function, and why?"""

from __future__ import annotations

import json

import click

from polygeom.commands.inputs import network_texts, takes_maps
from polygeom.commands.limits import check_timeout, within
from polygeom.errors import PolygeomError


@click.command()
@click.argument("networks", nargs=-1, metavar="NETWORK... | -")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--seed", default=0, show_default=True, help="Seed of the random weights, points and primes.")
@click.option("--critical", is_flag=True, help="Where the rank drops instead: subnetworks, or other weights.")
@click.option("--timeout", type=float, help="With --critical: seconds for each network.")
@takes_maps
def identifiability(networks: tuple[str, ...], as_json: bool, seed: int, critical: bool, timeout: float | None) -> int:
    """Whether each NETWORK is finitely identifiable, and the theorem or rank that says so.

    A generic function of an identifiable network has finitely many weights, up to the scalings of hidden neurons. With
    --critical: at which weights of a small perceptron the Jacobian of weights to functions has less than its generic
    rank, subnetworks and others; the exit status is 3 where that was not decided.
    """
    check_timeout(timeout)
    if timeout is not None and not critical:
        raise PolygeomError("--timeout is for --critical; leave it out")
    if critical:
        answers = [_critical(text, seed, timeout, as_json) for text in network_texts(networks)]
        return max(answers, default=0)
    from polygeom.dimensions.identifiability import identifiability as compute

    for text in network_texts(networks):
        found = compute(text, rng=seed)
        click.echo(json.dumps(found.as_dict()) if as_json else str(found))
    return 0


def _critical(network: str, seed: int, timeout: float | None, as_json: bool) -> int:
    question = {"network": network, "seed": seed, "timeout": timeout}
    answer = within("polygeom.singularities.task:critical", question, timeout)
    if answer is None:
        unfinished = {"network": network, "only_subnetworks": None, "status": "unknown", "timeout": timeout}
        answer = {"locus": unfinished, "text": f"{network}: undecided within {timeout:g} s (unknown)"}
    click.echo(json.dumps(answer["locus"]) if as_json else answer["text"])
    return 3 if answer["locus"]["only_subnetworks"] is None else 0
