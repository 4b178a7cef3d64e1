"""``polygeom frontier``: all minimal filling architectures of given inputs, outputs, activation degree and depth."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from polygeom.commands.limits import crew, takes_workers
from polygeom.commands.printing import keep_certificate
from polygeom.errors import PolygeomError
from polygeom.storage.durable import output_file

if TYPE_CHECKING:
    from polygeom.dimensions.frontier.result import Frontier


@click.command()
@click.argument("inputs", type=int)
@click.argument("outputs", type=int)
@click.option("--degree", "-r", required=True, metavar="R|R1,R2,…", help="Activation degree, or one for each layer.")
@click.option("--depth", "-L", required=True, type=int, help="Number of weight matrices, at least 2.")
@click.option("--journal", metavar="FILE", help="Keep every fact in FILE; the same command goes on where it stopped.")
@click.option("--timeout", type=float, help="Stop after this time and say what is undecided.")
@click.option("--certificate", metavar="FILE", help="Write the proof, which polygeom verify checks.")
@click.option("--excluded", is_flag=True, help="Also print what excludes all other architectures.")
@click.option("--json", "as_json", is_flag=True, help="The certificate as JSON on standard output instead of text.")
@click.option("--seed", "rng", default=0, show_default=True, help="Seed of the random weights, points and primes.")
@takes_workers("Processes that compute ranks.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def frontier(
    inputs: int, outputs: int, degree: str, depth: int, certificate: str | None, as_json: bool, **options: Any
) -> int:
    """All minimal filling architectures with INPUTS inputs and OUTPUTS outputs.

    \b
    For example, all of depth 7 with two inputs, one output and squares as activation:
      polygeom frontier 2 1 --degree 2 --depth 7

    An architecture is filling if its functions are dense in the forms of their degree, and minimal if it is not when
    one neuron of a hidden layer is taken away. The list is complete when a named bound excludes every architecture
    that is not at least one of it. Exit status 1 if it is not complete.
    """
    from polygeom.dimensions.frontier.search import frontier as search

    if certificate is not None:
        output_file(certificate, "--certificate")
    board = _Board(options["quiet"])
    limits = {name: options[name] for name in ("journal", "timeout", "rng")}
    degrees = _degrees(degree)
    try:
        with crew(options["dask"], options["workers"]) as (executor, tasks):
            how = limits | {"progress": board.tell, "workers": tasks, "executor": executor}
            found = search(inputs, outputs, degrees, depth, **how)
    except KeyboardInterrupt:
        board.close()
        kept = "use --journal FILE to be able to go on"
        if limits["journal"]:
            kept = f"run the same command again to go on from {limits['journal']}"
        click.echo(f"polygeom: interrupted; {kept}", err=True)
        raise
    board.close()
    _report(found, excluded=options["excluded"], as_json=as_json)
    if certificate is not None:
        keep_certificate(found.certificate(), certificate)
    return 0 if found.complete else 1


def _degrees(text: str) -> int | list[int]:
    parts = text.split(",")
    if not all(part.strip().isascii() and part.strip().isdigit() and len(part) < 10 for part in parts):
        raise PolygeomError(f"--degree must be positive integers, got {text!r}; write --degree 2 or --degree 2,3")
    return int(parts[0]) if len(parts) == 1 else [int(part) for part in parts]


def _report(found: Frontier, *, excluded: bool, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found.certificate()))
        return
    click.echo(str(found))
    if excluded:
        click.echo("excluded:")
        for box in found.excluded:
            click.echo(f"  {box}")
    for widths in found.open[:20]:
        click.echo(f"  ({','.join(map(str, widths))})  undecided")
    click.echo(f"{found.ranks} ranks and {found.bounds} bounds computed in {found.elapsed:.1f} s", err=True)


class _Board:
    """Progress on standard error: one line that is rewritten on a terminal, elsewhere a line every 30 seconds."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._live = sys.stderr.isatty()
        self._told = time.monotonic()
        self._shown = False

    def tell(self, found: int, excluded: int, undecided: int) -> None:
        now = time.monotonic()
        if self._quiet or now - self._told < (0.2 if self._live else 30.0):
            return
        self._told, self._shown = now, True
        text = f"frontier: {found} found, {excluded} boxes excluded, {undecided} undecided"
        click.echo(f"\r{text}\033[K" if self._live else text, err=True, nl=not self._live)

    def close(self) -> None:
        if self._live and self._shown:
            click.echo("\r\033[K", err=True, nl=False)
