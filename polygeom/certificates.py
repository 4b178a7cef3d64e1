"""One door for everything polygeom certifies: dimensions, ideals and frontiers.

``verify(certificate)`` finds the checker of the certificate's kind. The checkers are small, read networks by
themselves, and share nothing with the code that finds results but integers modulo a prime through FLINT; what a valid
certificate says, field by field, is in ``docs/certificates.md``. `standalone` is the text of a second checker, one
file of plain Python without polygeom.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from polygeom.dimensions.proofs import decoding
from polygeom.dimensions.proofs.limits import MEMORY, SECONDS, Budget
from polygeom.dimensions.proofs.outcome import Verification
from polygeom.errors import CertificateError

__all__ = ["CHECKERS", "Verification", "read_certificate", "standalone", "verify"]

CHECKERS = {
    "dimension": ("polygeom.dimensions.proofs.verification", "DimensionCertificate"),
    "frontier": ("polygeom.dimensions.proofs.frontier_check", "FrontierCertificate"),
    "ideal": ("polygeom.ideal.proofs.verification", "IdealCertificate"),
}
"""For each kind of certificate the file whose ``check`` checks it, and the type it is decoded to."""


def verify(
    certificate: Mapping[str, Any] | str | Path, *, timeout: float = SECONDS, memory: int = MEMORY
) -> Verification:
    """Check every claim of a certificate, whatever it certifies.

    Parameters
    ----------
    certificate:
        Plain data as ``certify`` makes it, its JSON text, or the path of a file.
    timeout, memory:
        Seconds and bytes that the check may use. Both are estimated before every step, so that a certificate that asks
        for too much is refused early.

    Returns
    -------
    `Verification`: whether the certificate is valid, and the steps. *Valid* means that the sentence in ``claim`` is
    proved, over the rationals.

    Raises
    ------
    CertificateError
        If it is not a certificate: not JSON, a field missing, unknown or of another form.
    BudgetError
        If the check does not fit into the limits. Nothing is said about the certificate then.

    Examples
    --------
    >>> import polygeom
    >>> from polygeom.dimensions import certify
    >>> outcome = polygeom.verify(certify("[3,3,3] r=2"))
    >>> outcome.valid, outcome.claim
    (True, 'the dimension of [3,3,3] r=2 is 15')
    """
    budget = Budget(timeout, memory)
    if isinstance(certificate, str) and certificate.lstrip().startswith("{"):
        certificate = decoding.loads(certificate)
    elif isinstance(certificate, str | Path):
        certificate = read_certificate(certificate, memory=memory)
    elif not isinstance(certificate, dict):
        raise CertificateError(
            f"certificate: must be a dict, JSON text or a path, got {type(certificate).__name__:.40}; "
            "write what certify() returned"
        )
    kind = certificate.get("kind")
    if not isinstance(kind, str) or kind not in CHECKERS:
        raise CertificateError(
            f"certificate: kind must be one of {', '.join(CHECKERS)}, got {kind!r:.40}; write it again"
        )
    module = importlib.import_module(CHECKERS[kind][0])
    outcome: Verification = module.check(decoding.decode(certificate, getattr(module, CHECKERS[kind][1])), budget)
    return outcome


def verify_file(task: Mapping[str, Any]) -> dict[str, Any]:
    """`verify` of the file of a task ``{"file", "timeout", "memory"}``, as plain data: for a process of its own."""
    certificate = read_certificate(task["file"], memory=task["memory"])
    found = verify(certificate, timeout=task["timeout"], memory=task["memory"])
    return {"valid": found.valid, "checks": list(found.checks), "claim": found.claim}


def read_certificate(path: str | Path, *, memory: int = MEMORY) -> dict[str, Any]:
    """The plain data of a certificate file.

    Raises
    ------
    CertificateError
        If it cannot be read, is not JSON, repeats a key or has no kind.
    BudgetError
        If it is too large for ``memory`` bytes.
    """
    return decoding.read(path, memory)


def standalone() -> str:
    """The text of the second checker: ``python check.py FILE`` needs Python alone; python-flint makes it faster."""
    return (Path(__file__).parent / "standalone.txt").read_text(encoding="utf-8")
