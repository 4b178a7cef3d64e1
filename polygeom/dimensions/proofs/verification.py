"""Check the certificate of a dimension: the text is read, derivatives taken and bounds followed by code of its own.

Nothing is shared with the computation of dimensions but integers modulo a prime, whose ranks FLINT takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta

from polygeom.dimensions.proofs.decoding import Natural, Record, Text, Version, decode
from polygeom.dimensions.proofs.graphs.bounds import added, bound_holds
from polygeom.dimensions.proofs.jacobians import LARGEST_PRIME, is_odd_prime, jacobian, rank
from polygeom.dimensions.proofs.limits import MEMORY, SECONDS, Budget
from polygeom.dimensions.proofs.maps import slopes
from polygeom.dimensions.proofs.outcome import Verification, run
from polygeom.dimensions.proofs.programs import MOST_ENTRIES, Program, read
from polygeom.dimensions.proofs.rules import Step
from polygeom.errors import CertificateError

Residue = Annotated[int, Meta(ge=0, lt=LARGEST_PRIME)]
Residues = Annotated[list[Residue], Meta(max_length=MOST_ENTRIES)]


class Claim(Record, frozen=True):
    """The claim: bounds, and whether they meet."""

    dimension: Natural
    lower: Natural
    upper: Natural
    proved: bool


class Witness(Record, frozen=True):
    """Weights and points modulo a prime at which the Jacobian has at least this rank."""

    rank: Natural
    prime: Annotated[int, Meta(ge=3, lt=LARGEST_PRIME)]
    weights: Residues
    points: Annotated[list[Residues], Meta(max_length=MOST_ENTRIES)]


class DimensionCertificate(Record, frozen=True):
    """All fields of the certificate of a dimension; see ``docs/certificates.md``."""

    kind: Literal["dimension"]
    format: Literal[2]
    version: Version
    network: Text
    claim: Claim
    lower: Witness
    upper: Step


def verify(certificate: Mapping[str, Any], *, timeout: float = SECONDS, memory: int = MEMORY) -> Verification:
    """Check every claim of a certificate made by `polygeom.dimensions.proofs.certificate.certify`.

    Parameters
    ----------
    certificate:
        Plain data, as read from JSON.
    timeout, memory:
        Seconds and bytes that the check may use.

    Raises
    ------
    CertificateError
        If it is not a certificate of a dimension. A certificate that is false gives ``valid=False``.
    BudgetError
        If the check does not fit into the limits; asked before every step.

    Examples
    --------
    >>> from polygeom.dimensions.proofs.certificate import certify
    >>> verify(certify("[2,2,1] r=2")).valid
    True
    """
    return check(decode(certificate, DimensionCertificate), Budget(timeout, memory))


def check(certificate: DimensionCertificate, budget: Budget) -> Verification:
    """Check a decoded certificate."""
    program, claim, lower, upper = read(certificate.network), certificate.claim, certificate.lower, certificate.upper
    _check_form(program, lower)
    met = claim.lower == claim.upper
    bounds = f"{claim.lower}" if met else f"from {claim.lower} to {claim.upper}"
    believed = "".join(f" if the rule {name} is true" for name in added(upper))
    believed += "".join(f" if the layer {word} is what its class computes" for word in sorted(program.believed))
    return run(
        f"the dimension of {certificate.network} is {bounds}{believed}",
        [
            (lambda: claim.dimension == claim.lower, f"dimension {claim.dimension} is the lower bound"),
            (
                lambda: claim.proved is met,
                f"called {'proved' if claim.proved else 'probable'}, the bounds say {bounds}",
            ),
            (lambda: claim.lower == lower.rank, f"lower bound {claim.lower} follows from rank {lower.rank}"),
            (lambda: claim.upper == upper.value, f"upper bound {claim.upper} follows from {upper.value}"),
            (lambda: claim.lower <= claim.upper, "the bounds do not cross"),
            (
                lambda: bound_holds(program, upper, budget),
                f"upper bound {upper.value} by {upper.rule}: every step is an instance of its rule",
            ),
            (
                lambda: _rank_holds(program, lower, budget),
                f"the Jacobian mod {lower.prime} has at least the rank {lower.rank}",
            ),
        ],
        certificate.network,
        certificate.version,
    )


def _check_form(program: Program, lower: Witness) -> None:
    p = lower.prime
    fits = len(lower.weights) == program.weights and {len(x) for x in lower.points} <= {program.inputs}
    if program.formulas is not None and lower.points != [[0]]:
        raise CertificateError("certificate: points must be [[0]] for a map, which has no inputs; write it again")
    if not fits or not is_odd_prime(p):
        raise CertificateError(
            f"certificate: prime must be odd and prime, with {program.weights} weights and points of "
            f"{program.inputs} numbers modulo it, as the network has; write it again"
        )
    if max(lower.weights, default=0) >= p or max((max(x) for x in lower.points), default=0) >= p:
        raise CertificateError(f"certificate: weights and points must be residues below {p}; write it again")


def _rank_holds(program: Program, lower: Witness, budget: Budget) -> bool:
    rows = program.outputs * len(lower.points)
    if lower.rank > min(rows, program.weights):
        return False
    if lower.rank == 0:
        return True
    budget.rank("the rank of the Jacobian", rows, program.weights)
    if program.formulas is not None:
        try:
            table = slopes(program.formulas, lower.prime, lower.weights, budget)
        except ValueError:  # the prime divides a denominator
            return False
        return rank(np.array(table, dtype=np.int64), lower.prime) >= lower.rank
    weights, points = np.array(lower.weights, dtype=np.int64), np.array(lower.points, dtype=np.int64)
    return rank(jacobian(program, lower.prime, weights, points, budget), lower.prime) >= lower.rank
