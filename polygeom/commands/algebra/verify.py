"""``polygeom verify``: check a certificate by a path independent of the computation that made it."""

from __future__ import annotations

import click

from polygeom.errors import BudgetError, CertificateError, PolygeomError

VALID, NOT_VALID, NOT_A_CERTIFICATE, TOO_LARGE = range(4)
"""Exit statuses; with several files the largest one that occurs."""


@click.command()
@click.argument("files", nargs=-1, metavar="FILE...")
@click.option("--timeout", type=float, default=600, show_default=True, help="Seconds for each file.")
@click.option("--memory", default="4GB", show_default=True, metavar="SIZE", help="Most memory, such as 200MB.")
@click.option("-q", "--quiet", is_flag=True, help="Only the exit status.")
@click.option("--standalone", is_flag=True, help="Print a checker that needs Python alone: --standalone > check.py")
def verify(files: tuple[str, ...], timeout: float, memory: str, quiet: bool, standalone: bool) -> int:
    """Check each certificate FILE, made with the option --certificate, by other arithmetic (FLINT).

    \b
    Exit status: 0 if every certificate is valid, 1 if one is not valid, 2 if one is not a certificate,
    3 if one is too large for the limits; the largest of them with several files.
    """
    from polygeom import certificates
    from polygeom.dimensions.proofs.limits import MEMORY
    from polygeom.supervision import parse_memory

    if standalone:
        click.echo(certificates.standalone(), nl=False)
        return VALID
    if not files:
        raise PolygeomError("verify: no FILE; write the path of a file made by --certificate")
    size = parse_memory(memory) or MEMORY
    statuses = []
    for file in files:
        try:
            certificate = certificates.read_certificate(file, memory=size)
            outcome = certificates.verify(certificate, timeout=timeout, memory=size)
        except CertificateError as error:
            click.echo(f"{file}: NOT A CERTIFICATE: {error}", err=True)
            statuses.append(NOT_A_CERTIFICATE)
            continue
        except BudgetError as error:
            click.echo(f"{file}: TOO LARGE FOR THE LIMIT: {error}", err=True)
            statuses.append(TOO_LARGE)
            continue
        statuses.append(VALID if outcome.valid else NOT_VALID)
        if not quiet:
            click.echo(f"{file}: {outcome}")
    return max(statuses)
