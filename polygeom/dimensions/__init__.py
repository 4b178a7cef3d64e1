"""How big: the dimension of the neurovariety of a network, with what is proved about it.

Its main function is ``polygeom.dimension("[3,3,3] r=2")``.
"""

from typing import TYPE_CHECKING

from polygeom._lazy import attach
from polygeom.dimensions.bounds.search import upper_bound
from polygeom.dimensions.compute import dimension
from polygeom.dimensions.result import DimensionResult

if TYPE_CHECKING:
    from polygeom.dimensions.proofs.certificate import certify

__all__ = [
    "DimensionResult",
    "certify",
    "dimension",
    "upper_bound",
]

# A dimension without a certificate loads nothing that reads certificates.
__getattr__, __dir__ = attach(__name__, {"certify": "polygeom.dimensions.proofs.certificate"})
