"""``polygeom explain``: why a network is smaller than expected."""

from __future__ import annotations

import json

import click

from polygeom.commands.inputs import map_option, network_texts, with_maps


@click.command()
@click.argument("networks", nargs=-1, metavar="NETWORK... | -")
@map_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--seed", default=0, show_default=True, help="Seed of the random weights, points and primes.")
def explain(networks: tuple[str, ...], maps: tuple[str, ...], as_json: bool, seed: int) -> None:
    """The chain of bounds that explains the dimension of each NETWORK, or "unexplained" where no bound reaches it."""
    from polygeom.dimension.explain import explain as compute

    for text in network_texts(with_maps(networks, maps)):
        found = compute(text, rng=seed)
        click.echo(json.dumps(found.as_dict()) if as_json else str(found))
