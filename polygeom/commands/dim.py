"""``polygeom dim``: the dimension of one or several networks."""

from __future__ import annotations

import json
from pathlib import Path

import click

from polygeom.commands.inputs import map_option, network_texts, with_maps
from polygeom.errors import PolygeomError


@click.command()
@click.argument("networks", nargs=-1, metavar="NETWORK... | -")
@map_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--method", default="auto", metavar="auto|generic", help="generic: the route that uses no structure.")
@click.option("--error", default=1e-9, show_default=True, help="Stop when the proved error bound is this small.")
@click.option("--seed", default=0, show_default=True, help="Seed of the random weights, points and primes.")
@click.option("--memory", metavar="SIZE", help="Most memory for one Jacobian, such as 2GB.")
@click.option("--certificate", metavar="FILE", help="Write a certificate that polygeom verify checks (one network).")
def dim(
    networks: tuple[str, ...],
    maps: tuple[str, ...],
    as_json: bool,
    method: str,
    error: float,
    seed: int,
    memory: str | None,
    certificate: str | None,
) -> int:
    """Affine dimension of the neurovariety of each NETWORK, with proved bounds.

    \b
    NETWORK is, for example,
      "[2,3,1] r=2"          widths and activation degree: x -> x^2, last layer linear, no biases
      "[2,3,3,1] r=2,3"      one degree for each hidden layer
      "[2,3,1] r=2 bias"     with biases
      "map(s,t: s^2, s*t, t^2)"   a map given by formulas; --map FILE reads one from a file
      -                      read networks from standard input, one a line

    The answer is proved when the rank of an integer Jacobian meets a theorem's upper bound; otherwise it is
    probable, with a proved bound for the probability of error.
    """
    from polygeom.dimension import dimension

    networks = tuple(with_maps(networks, maps))
    if certificate is not None:
        _check_certificate(networks, certificate)
    limit = None if memory is None else _bytes(memory)
    failed = 0
    for text in network_texts(networks):
        try:
            result = dimension(text, method=method, error=error, rng=seed, memory=limit)
        except PolygeomError as problem:
            if len(networks) == 1 and networks[0] != "-":
                raise
            failed += 1
            click.echo(f"polygeom: {text}: {problem}", err=True)
            continue
        click.echo(json.dumps(result.as_dict()) if as_json else str(result))
    if certificate is not None:
        from polygeom.dimension.proofs.certificate import certify, write_certificate

        write_certificate(certify(networks[0], result=result, rng=seed), certificate)
        click.echo(f"certificate written to {certificate}; check it with polygeom verify {certificate}", err=True)
    return 1 if failed else 0


def _check_certificate(networks: tuple[str, ...], path: str) -> None:
    if len(networks) != 1 or networks[0] == "-":
        raise PolygeomError(
            f"--certificate is for one network, got {len(networks)}; write polygeom dim NETWORK --certificate FILE"
        )
    if not Path(path).resolve().parent.is_dir():
        raise PolygeomError(f"--certificate: no folder {Path(path).parent}; write a path in a folder that exists")


def _bytes(memory: str) -> int | None:
    from polygeom.supervision import parse_memory

    return parse_memory(memory)
