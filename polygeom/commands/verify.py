"""``polygeom verify``: check a certificate by a path independent of the computation that made it."""

from __future__ import annotations

import importlib

import click

from polygeom.errors import PolygeomError

CHECKERS = {
    "dimension": "polygeom.dimension.proofs.verification:verify",
    "ideal": "polygeom.ideal.proofs.verification:verify",
    "frontier": "polygeom.dimension.proofs.frontier_check:verify_frontier",
}
"""For each kind of certificate the function that checks it; it returns an object with ``valid`` and ``checks``."""


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("-q", "--quiet", is_flag=True, help="Only the exit status: 0 if every certificate is valid, 1 if not.")
def verify(files: tuple[str, ...], quiet: bool) -> int:
    """Check each certificate FILE, made with the option --certificate, by other arithmetic (FLINT)."""
    from polygeom.dimension.proofs.certificate import read_certificate

    valid = True
    for file in files:
        certificate = read_certificate(file)
        kind = str(certificate["kind"])
        if kind not in CHECKERS:
            raise PolygeomError(f"certificate: {file} has the kind {kind!r}; known kinds: {', '.join(CHECKERS)}")
        module, _, function = CHECKERS[kind].partition(":")
        outcome = getattr(importlib.import_module(module), function)(certificate)
        valid = valid and outcome.valid
        if not quiet:
            click.echo(f"{file}: {certificate.get('network')}: {'valid' if outcome.valid else 'NOT VALID'}")
            for line in outcome.checks:
                click.echo(f"  {line}")
    return 0 if valid else 1
