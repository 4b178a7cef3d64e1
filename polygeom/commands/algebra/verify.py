"""``polygeom verify``: check a certificate by a path independent of the computation that made it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from polygeom.commands.limits import shows_progress, ticking
from polygeom.dimensions.proofs.outcome import Verification
from polygeom.errors import BudgetError, CertificateError, PolygeomError

VALID, NOT_VALID, NOT_A_CERTIFICATE, TOO_LARGE = range(4)
"""Exit statuses; with several files the largest one that occurs."""
GRACE = 1.0
"""Seconds beyond the limit after which a check that has not noticed it is ended."""
LIBRARIES = 200 * 10**6
"""Bytes beyond the limit that loading what checks may take."""


@click.command()
@click.argument("files", nargs=-1, metavar="FILE...")
@click.option("--timeout", type=float, metavar="SECONDS", help="Seconds for each file; 600 if not given.")
@click.option("--memory", metavar="SIZE", help="Most memory, such as 200MB; 4GB if not given.")
@click.option("-q", "--quiet", is_flag=True, help="Only the exit status.")
@click.option("--standalone", is_flag=True, help="Print a checker that needs Python alone: --standalone > check.py")
def verify(files: tuple[str, ...], timeout: float | None, memory: str | None, quiet: bool, standalone: bool) -> int:
    """Check each certificate FILE, made with the option --certificate, by other arithmetic (FLINT).

    \b
    Exit status: 0 if every certificate is valid, 1 if one is not valid, 2 if one is not a certificate,
    3 if one is too large for the limits; the largest of them with several files.

    What each step needs is estimated before it. With --timeout or --memory the check has a process of its own besides,
    which is ended when it exceeds them all the same.
    """
    from polygeom import certificates

    if standalone:
        click.echo(certificates.standalone(), nl=False)
        return VALID
    if not files:
        raise PolygeomError("verify: no FILE; write the path of a file made by --certificate")
    check, shown = _within_limits(timeout, memory), shows_progress(quiet)
    statuses = []
    for file in files:
        try:
            with ticking(f"{file}: checking", shown):
                outcome = check(file)
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


def _within_limits(timeout: float | None, memory: str | None) -> Callable[[str], Verification]:
    """The check of a file: here if no limit is given, else in a process that ends with the limits."""
    from polygeom import certificates

    if timeout is None and memory is None:
        return lambda file: certificates.verify(certificates.read_certificate(file))
    from polygeom.dimensions.proofs.limits import MEMORY, SECONDS, Budget
    from polygeom.supervision import Call, Limits, Status, parse_memory, run_alone

    size, seconds = parse_memory(memory) or MEMORY, SECONDS if timeout is None else timeout

    def check(file: str) -> Verification:
        Budget(seconds, size)  # refuses what are no limits
        task = {"file": str(Path(file).absolute()), "timeout": seconds, "memory": size}
        call = Call("polygeom.certificates:verify_file", task)
        outcome = run_alone(call, Limits(seconds + GRACE, size + LIBRARIES))
        if outcome.status is Status.OK:
            found = dict(outcome.result or {})
            return Verification(**{**found, "checks": tuple(found["checks"])})
        if outcome.status is Status.INVALID:
            raise CertificateError(outcome.message)
        raise BudgetError(outcome.message.removeprefix("BudgetError: "))

    return check
