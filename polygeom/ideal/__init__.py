"""Which equations cut a neurovariety out, and what is proved about them."""

from __future__ import annotations

from polygeom.ideal.counting.fibre import fibre
from polygeom.ideal.counting.invariants import degree, ed_degree, learning_degree
from polygeom.ideal.neurovariety import Neurovariety
from polygeom.ideal.result import IdealResult
from polygeom.ideal.search.search import interpolate

__all__ = [
    "Neurovariety",
    "IdealResult",
    "interpolate",
    "degree",
    "ed_degree",
    "learning_degree",
    "fibre",
]
