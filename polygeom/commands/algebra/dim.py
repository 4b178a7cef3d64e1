"""``polygeom dim``: the dimension of one or several networks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from polygeom.commands.inputs import network_texts, takes_maps
from polygeom.commands.limits import check_timeout, shows_progress, ticking, within
from polygeom.commands.printing import as_line, keep_certificate
from polygeom.errors import PolygeomError

if TYPE_CHECKING:
    from polygeom.dimensions import DimensionResult


@click.command()
@click.argument("networks", nargs=-1, metavar="NETWORK... | -")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--method", default="auto", metavar="auto|generic", help="generic: the route that uses no structure.")
@click.option("--error", default=1e-9, show_default=True, help="Stop when the proved error bound is this small.")
@click.option("--seed", default=0, show_default=True, help="Seed of the random weights, points and primes.")
@click.option("--memory", metavar="SIZE", help="Most memory for one Jacobian, such as 2GB.")
@click.option("--timeout", type=float, metavar="SECONDS", help="Stop each network after so many seconds.")
@click.option("--certificate", metavar="FILE", help="Write a certificate that polygeom verify checks (one network).")
@click.option("--at", metavar="FILE", help="Exact rank at the weights in FILE, or at dead, equal, dead:2, … neurons.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
@takes_maps
def dim(
    networks: tuple[str, ...],
    as_json: bool,
    seed: int,
    timeout: float | None,
    certificate: str | None,
    at: str | None,
    quiet: bool,
    **options: Any,
) -> int:
    """Affine dimension of the neurovariety of each NETWORK, with proved bounds.

    \b
    NETWORK is, for example,
      "[2,3,1] r=2"          widths and activation degree: x -> x^2, last layer linear, no biases
      "[2,3,3,1] r=2,3"      one degree for each hidden layer
      "[2,3,1] r=2 bias"     with biases
      -                      read networks from standard input, one a line

    The answer is proved when the rank of an integer Jacobian meets a theorem's upper bound; otherwise it is
    probable, with a proved bound for the probability of error. A network that is not finished within --timeout is
    said so, with the bounds that are proved; the exit status is then 1.

    With --at the rank of the derivative at given weights is computed instead, over the rational numbers: how many
    dimensions small changes of these weights reach. FILE is JSON, {"W1": [[1, 2], [3, "1/2"]], "W2": [[1, 1]]}, or an
    .npz archive with one array for each weight.
    """
    check_timeout(timeout)
    if at is not None:
        if (certificate, timeout, options) != (None, None, {"method": "auto", "error": 1e-9, "memory": None}):
            raise PolygeomError(
                "--at: the rank at given weights has no other options than --seed and --json; leave them out"
            )
        return _ranks_at(networks, at, seed, as_json)
    if certificate is not None:
        _check_certificate(networks, certificate)
    if options["memory"] is not None:
        from polygeom.supervision import parse_memory

        options["memory"] = parse_memory(options["memory"])
    ends = time.monotonic() + timeout if timeout is not None else None
    failed, result = False, None
    for text in network_texts(networks):
        try:
            result = _dimension(text, options, seed, timeout, shows_progress(quiet))
        except PolygeomError as problem:
            if len(networks) == 1 and networks[0] != "-":
                raise
            failed = True
            click.echo(f"polygeom: {text}: {problem}", err=True)
            continue
        if result is None:
            failed = True
            click.echo(_unfinished(text, timeout, as_json))
        else:
            click.echo(as_line(result.as_dict()) if as_json else str(result))
    if certificate is not None and result is not None:
        _certify(result, seed, ends, certificate)
    return 1 if failed else 0


def _ranks_at(networks: tuple[str, ...], at: str, seed: int, as_json: bool) -> int:
    from pathlib import Path

    from polygeom.dimensions.special import SPECIAL, rank_at, read_weights, special_weights

    for text in network_texts(networks):
        special = at.partition(":")[0] in SPECIAL and not Path(at).exists()
        weights = special_weights(text, at, rng=seed) if special else read_weights(at)
        found = rank_at(text, weights, rng=seed)
        click.echo(as_line(found.as_dict()) if as_json else str(found))
    return 0


def _certify(result: DimensionResult, seed: int, ends: float | None, path: str) -> None:
    from polygeom.dimensions.proofs.certificate import certify

    if ends is None:
        written: dict[str, Any] | None = certify(result.network, result=result, rng=seed)
    else:
        argument = {"result": result.as_dict(), "seed": seed}
        written = within("polygeom.dimensions.task:certificate", argument, max(0.1, ends - time.monotonic()))
    if written is None:
        raise PolygeomError("--certificate: the time was over before it was made; write a larger --timeout")
    keep_certificate(written, path)


def _dimension(
    text: str, options: dict[str, Any], seed: int, timeout: float | None, shown: bool
) -> DimensionResult | None:
    """The dimension of one network; None if the time was over."""
    from polygeom.dimensions import DimensionResult, dimension
    from polygeom.network import parse

    parse(text)  # a text that is none is refused here, with the place of the mistake
    with ticking(f"{text:.60}: rank of the Jacobian", shown):
        if timeout is None:
            return dimension(text, rng=seed, **options)
        task = {"argument": {"network": text, "options": options}, "seed": seed}
        answer = within("polygeom.dimensions.task:run", task, timeout)
    return None if answer is None else DimensionResult.from_dict(answer)


def _unfinished(text: str, timeout: float | None, as_json: bool) -> str:
    """What is known without a rank: the upper bound of a perceptron, which takes milliseconds."""
    from polygeom.dimensions.bounds.search import proved_bound
    from polygeom.network import parse

    network = parse(text)
    bound = proved_bound(network, thorough=False) if network.widths is not None else None
    if as_json:
        known = {"upper": None, "bound": ""} if bound is None else {"upper": bound.value, "bound": str(bound)}
        return as_line({"network": network.text, "status": "timeout", "timeout": timeout} | known)
    most = "" if bound is None else f"; proved to be at most {bound.value}: {bound}"
    return f"{network.text}: no dimension within {timeout:g} s (timeout){most}"


def _check_certificate(networks: tuple[str, ...], path: str) -> None:
    if len(networks) != 1 or networks[0] == "-":
        raise PolygeomError(
            f"--certificate is for one network, got {len(networks)}; write polygeom dim NETWORK --certificate FILE"
        )
    from polygeom.storage.durable import output_file

    output_file(path, "--certificate")
