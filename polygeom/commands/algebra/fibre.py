"""``polygeom fibre``: how many weights give the same function."""

from __future__ import annotations

import json

import click

from polygeom.commands.inputs import takes_maps
from polygeom.commands.limits import check_timeout, counted, counting, crew, shows_progress, takes_workers


@click.command()
@click.argument("network", metavar="NETWORK", required=False)
@click.option("--method", default="auto", show_default=True, metavar="auto|all|theorem|monodromy", help="How.")
@click.option("--real", type=click.IntRange(1), metavar="N", help="Count real weights over N random real functions.")
@click.option("--timeout", type=float, help="Seconds for everything; what is proved until then is the answer.")
@takes_workers("Processes that follow paths; the numbers do not depend on it.")
@click.option("--seed", default=0, show_default=True, help="Seed of all random choices.")
@click.option("--json", "as_json", is_flag=True, help="The answer as one JSON object.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
@takes_maps
def fibre(
    network: str,
    method: str,
    real: int | None,
    timeout: float | None,
    workers: int,
    dask: str | None,
    seed: int,
    as_json: bool,
    quiet: bool,
) -> int:
    """How many weights of NETWORK give the same generic function, up to scalings and permutations of its neurons.

    One: the network is globally identifiable, the weights can be recovered from the function. The answer says whether
    it rests on a theorem or on solutions followed over the complex numbers. With --real, for a network that fills its
    space: over how many of N random real functions there are 0, 1, 2, … real weights.
    """
    check_timeout(timeout)
    if timeout is not None:
        question = {"network": network, "method": method, "real": real, "seed": seed, "workers": workers, "dask": dask}
        return counted("polygeom.ideal.task:fibre_within", question, "counting weights", timeout, as_json, quiet)
    if real is not None:
        from polygeom.ideal.counting.real import real_fibres

        with crew(dask, workers) as (executor, tasks):
            answer = real_fibres(network, real, rng=seed, workers=tasks, executor=executor)
        click.echo(json.dumps(answer.as_dict()) if as_json else str(answer))
        return 0
    from polygeom.ideal.counting.fibre import fibre as count

    with crew(dask, workers) as (executor, tasks), counting("weights", shows_progress(quiet)) as progress:
        found = count(network, method=method, rng=seed, progress=progress, workers=tasks, executor=executor)
    click.echo(json.dumps(found.as_dict()) if as_json else str(found))
    return 0 if found.value is not None or found.infinite else 1
