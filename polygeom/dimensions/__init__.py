"""How big: the dimension of the neurovariety of a network, with what is proved about it.

Its main function is ``polygeom.dimension("[3,3,3] r=2")``.
"""

from polygeom.dimensions.bounds.bound import Bound
from polygeom.dimensions.bounds.search import upper_bound
from polygeom.dimensions.compute import dimension
from polygeom.dimensions.proofs.certificate import certify
from polygeom.dimensions.result import DimensionResult

__all__ = [
    "Bound",
    "DimensionResult",
    "certify",
    "dimension",
    "upper_bound",
]
