"""``polygeom explain``: why a network is smaller than expected."""

from __future__ import annotations

import json

import click

from polygeom.commands.inputs import network_texts, takes_maps


@click.command()
@click.argument("networks", nargs=-1, metavar="NETWORK... | -")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--seed", default=0, show_default=True, help="Seed of the random weights, points and primes.")
@takes_maps
def explain(networks: tuple[str, ...], as_json: bool, seed: int) -> None:
    """The chain of bounds that explains the dimension of each NETWORK, or "unexplained" where no bound reaches it."""
    from polygeom.dimensions.explain import explain as compute

    for text in network_texts(networks):
        found = compute(text, rng=seed)
        click.echo(json.dumps(found.as_dict()) if as_json else str(found))
