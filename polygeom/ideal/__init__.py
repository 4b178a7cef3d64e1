"""Which equations cut a neurovariety out, and what is proved about them."""

from __future__ import annotations

from polygeom.ideal.counting.fibre import Fibre, fibre
from polygeom.ideal.counting.invariants import degree, ed_degree, learning_degree
from polygeom.ideal.inclusion import Inclusion
from polygeom.ideal.neurovariety import Neurovariety
from polygeom.ideal.result import IdealResult
from polygeom.ideal.search.search import interpolate

__all__ = [
    "Neurovariety",
    "IdealResult",
    "Inclusion",
    "interpolate",
    "degree",
    "ed_degree",
    "learning_degree",
    "fibre",
    "Fibre",
]
