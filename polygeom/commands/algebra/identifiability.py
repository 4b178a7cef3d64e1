"""``polygeom identifiability``: are the weights determined by the function, and why?"""

from __future__ import annotations

import json

import click

from polygeom.commands.inputs import network_texts, takes_maps


@click.command()
@click.argument("networks", nargs=-1, metavar="NETWORK... | -")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--seed", default=0, show_default=True, help="Seed of the random weights, points and primes.")
@takes_maps
def identifiability(networks: tuple[str, ...], as_json: bool, seed: int) -> None:
    """Whether each NETWORK is finitely identifiable, and the theorem or rank that says so.

    A generic function of an identifiable network has finitely many weights, up to the scalings of hidden neurons.
    """
    from polygeom.dimensions.identifiability import identifiability as compute

    for text in network_texts(networks):
        found = compute(text, rng=seed)
        click.echo(json.dumps(found.as_dict()) if as_json else str(found))
