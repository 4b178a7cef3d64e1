"""How big: the dimension of the neurovariety of a network, with what is proved about it.

Its main function is ``polygeom.dimension("[3,3,3] r=2")``.
"""

from typing import TYPE_CHECKING

from polygeom._lazy import attach

if TYPE_CHECKING:
    from polygeom.dimensions.bounds.search import upper_bound
    from polygeom.dimensions.compute import dimension
    from polygeom.dimensions.proofs.certificate import certify
    from polygeom.dimensions.result import DimensionResult

__all__ = [
    "DimensionResult",
    "certify",
    "dimension",
    "upper_bound",
]

# What checks certificates loads nothing that makes dimensions, and the other way round.
__getattr__, __dir__ = attach(
    __name__,
    {
        "DimensionResult": "polygeom.dimensions.result",
        "certify": "polygeom.dimensions.proofs.certificate",
        "dimension": "polygeom.dimensions.compute",
        "upper_bound": "polygeom.dimensions.bounds.search",
    },
)
