"""Maps given by formulas: polynomial and rational parametrisations of varieties, from text, sympy, matrices and files.

A map is a network without inputs, of one layer (`polygeom.network.layers.formula.Formula`) whose weights are the
parameters; so everything that takes a network takes a map, and its text, ``map(s,t: s^3, s^2*t, s*t^2, t^3)``, is read
wherever the text of a network is.

>>> import polygeom
>>> from polygeom import maps
>>> polygeom.dimension(maps.from_text("s^3, s^2*t, s*t^2, t^3")).dimension
2
"""

from polygeom.maps.build import from_matrix, from_sympy, from_text, minors, toric
from polygeom.maps.files import read_map
from polygeom.maps.gallery import (
    essential_matrices,
    gaussian_graphical_model,
    grassmannian,
    rational_normal_curve,
    rational_normal_scroll,
    segre,
    tree_model,
    veronese,
)
from polygeom.maps.parametrisation import Parametrisation

__all__ = [
    "Parametrisation",
    "essential_matrices",
    "from_matrix",
    "from_sympy",
    "from_text",
    "gaussian_graphical_model",
    "grassmannian",
    "minors",
    "rational_normal_curve",
    "rational_normal_scroll",
    "read_map",
    "segre",
    "toric",
    "tree_model",
    "veronese",
]
