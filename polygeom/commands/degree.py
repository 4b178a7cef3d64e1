"""``polygeom degree``: the degree of a neurovariety."""

from __future__ import annotations

import json

import click

from polygeom.errors import PolygeomError


@click.command()
@click.argument("network", metavar="NETWORK")
@click.option("--timeout", type=float, help="Seconds for the search for equations; 60 if not given.")
@click.option("--max-degree", type=int, help="Last degree in which equations are sought.")
@click.option("--seed", default=0, show_default=True, help="Seed of all random choices.")
@click.option("--json", "as_json", is_flag=True, help="The answer as one JSON object.")
def degree(network: str, timeout: float | None, max_degree: int | None, seed: int, as_json: bool) -> int:
    """Degree of the neurovariety of NETWORK: in how many points a generic linear space of complementary dimension meets
    it.

    The degree is proved when the equations are proved complete.
    """
    from polygeom.ideal import Neurovariety

    variety = Neurovariety(network, rng=seed)
    search = variety.search(max_degree, timeout=timeout)
    argument = search.completeness
    if argument is None:
        raise PolygeomError(
            f"no proof of the degree: equations are {search.result.completeness}; raise --timeout or --max-degree"
        )
    if as_json:
        data = {"network": variety.network.text, "degree": argument.degree, "h_vector": list(argument.h_vector)}
        click.echo(json.dumps(data | {"proved": True, "reason": argument.reason}))
    else:
        click.echo(f"{variety.network}: degree {argument.degree} (proved)")
        click.echo(f"  h-vector {', '.join(map(str, argument.h_vector))}; {argument.reason}")
    return 0
