"""How big: the dimension of the neurovariety of a network, with what is proved about it.

The package is also its main function: ``polygeom.dimension("[3,3,3] r=2")``.
"""

from polygeom._callable import make_callable
from polygeom.dimension.bounds import Bound, upper_bound
from polygeom.dimension.compute import dimension
from polygeom.dimension.result import DimensionResult

__all__ = ["Bound", "DimensionResult", "dimension", "upper_bound"]

make_callable(__name__)
