"""``polygeom threshold``: for which activation degrees an architecture is defective."""

from __future__ import annotations

import json
import re

import click

from polygeom.errors import PolygeomError


@click.command()
@click.argument("widths", nargs=-1, required=True, metavar="WIDTHS...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--seed", default=0, show_default=True, help="Seed of the random weights, points and primes.")
def threshold(widths: tuple[str, ...], as_json: bool, seed: int) -> None:
    """Activation degree threshold of each architecture WIDTHS, for example "[2,2,4,1]".

    All activation degrees from 2 on are decided: small ones by their dimension, large ones by a theorem.
    """
    from polygeom.dimensions.identifiability import threshold as compute

    for text in widths:
        found = compute(_widths(text), rng=seed)
        click.echo(json.dumps(found.as_dict()) if as_json else str(found))


def _widths(text: str) -> list[int]:
    if not re.fullmatch(r"\s*\[?\s*[0-9]{1,6}(\s*,\s*[0-9]{1,6}){1,99}\s*\]?\s*", text, re.ASCII):
        raise PolygeomError(f'widths must be like [2,2,4,1], got {text[:60]!r}; write polygeom threshold "[2,2,4,1]"')
    return [int(w) for w in text.strip(" \t[]").split(",")]
