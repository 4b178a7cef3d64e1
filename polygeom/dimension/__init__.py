"""How big: the dimension of the neurovariety of a network, with what is proved about it.

The package is also its main function: ``polygeom.dimension("[3,3,3] r=2")``.
"""

from polygeom._callable import make_callable
from polygeom.dimension.bounds.bound import Bound
from polygeom.dimension.bounds.search import upper_bound
from polygeom.dimension.compute import dimension
from polygeom.dimension.proofs.certificate import certify, write_certificate
from polygeom.dimension.proofs.outcome import Verification
from polygeom.dimension.proofs.verification import verify
from polygeom.dimension.result import DimensionResult

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

make_callable(__name__)
