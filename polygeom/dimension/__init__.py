"""How big: the dimension of the neurovariety of a network, with what is proved about it.

The package is also its main function: ``polygeom.dimension("[3,3,3] r=2")``.
"""

from typing import TYPE_CHECKING

from polygeom._callable import make_callable
from polygeom._lazy import attach
from polygeom.dimension.bounds.bound import Bound
from polygeom.dimension.bounds.search import upper_bound
from polygeom.dimension.compute import dimension
from polygeom.dimension.result import DimensionResult

if TYPE_CHECKING:
    from polygeom.dimension.proofs.certificate import certify, write_certificate
    from polygeom.dimension.proofs.outcome import Verification
    from polygeom.dimension.proofs.verification import verify

__all__ = [
    "Bound",
    "DimensionResult",
    "Verification",
    "certify",
    "dimension",
    "upper_bound",
    "verify",
    "write_certificate",
]

# A dimension without a certificate loads nothing that reads certificates.
__getattr__, __dir__ = attach(
    __name__,
    {
        "certify": "polygeom.dimension.proofs.certificate",
        "write_certificate": "polygeom.dimension.proofs.certificate",
        "Verification": "polygeom.dimension.proofs.outcome",
        "verify": "polygeom.dimension.proofs.verification",
    },
)

make_callable(__name__)
