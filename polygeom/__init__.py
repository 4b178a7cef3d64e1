"""polygeom: dimensions, equations and training behaviour of polynomial neural networks.

>>> import polygeom
>>> result = polygeom.dimension("[3,3,3] r=2")
>>> result.dimension, result.proved
(15, True)

The names below are imported when they are first used, so ``import polygeom`` itself is light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from polygeom._lazy import give
from polygeom._version import __version__

if TYPE_CHECKING:
    from polygeom.certificates import verify
    from polygeom.dimensions import dimension
    from polygeom.dimensions.explain import explain
    from polygeom.dimensions.frontier.search import frontier
    from polygeom.dimensions.identifiability import identifiability, threshold
    from polygeom.errors import PolygeomError
    from polygeom.exchange.onnx_models import from_onnx
    from polygeom.exchange.torch_models import from_torch
    from polygeom.ideal import Neurovariety, degree, ed_degree, fibre, learning_degree
    from polygeom.network import Network, parse
    from polygeom.network.selection import architectures
    from polygeom.report import portrait
    from polygeom.singularities import learning_coefficient
    from polygeom.tables.atlas import load_atlas
    from polygeom.tables.dimensions import sweep


# The module each public name is found in.
_HOMES = {
    "Network": "polygeom.network",
    "parse": "polygeom.network",
    "dimension": "polygeom.dimensions",
    "verify": "polygeom.certificates",
    "architectures": "polygeom.network.selection",
    "frontier": "polygeom.dimensions.frontier.search",
    "threshold": "polygeom.dimensions.identifiability",
    "identifiability": "polygeom.dimensions.identifiability",
    "explain": "polygeom.dimensions.explain",
    "load_atlas": "polygeom.tables.atlas",
    "Neurovariety": "polygeom.ideal",
    "degree": "polygeom.ideal",
    "ed_degree": "polygeom.ideal",
    "learning_degree": "polygeom.ideal",
    "fibre": "polygeom.ideal",
    "learning_coefficient": "polygeom.singularities",
    "from_torch": "polygeom.exchange.torch_models",
    "from_onnx": "polygeom.exchange.onnx_models",
    "sweep": "polygeom.tables.dimensions",
    "portrait": "polygeom.report",
    "PolygeomError": "polygeom.errors",
}

# `Network` stands on a low floor; these of its methods are computed on higher ones.
give(gauge="polygeom.symmetry.gauge:gauge", to_torch="polygeom.engines.torch_module:NetworkModule")

__all__ = [
    "Network",
    "parse",
    "dimension",
    "verify",
    "architectures",
    "frontier",
    "threshold",
    "identifiability",
    "explain",
    "load_atlas",
    "Neurovariety",
    "degree",
    "ed_degree",
    "learning_degree",
    "fibre",
    "learning_coefficient",
    "from_onnx",
    "from_torch",
    "sweep",
    "portrait",
    "PolygeomError",
    "__version__",
]


_ROOMS = (
    "datasets",
    "dimensions",
    "errors",
    "exchange",
    "experiments",
    "ideal",
    "learning",
    "maps",
    "network",
    "tables",
)
"""Rooms that can be reached without an import of their own: ``polygeom.network.mlp([2, 3, 1], 2)``."""


def __getattr__(name: str) -> object:
    if name in _ROOMS:
        return importlib.import_module(f"polygeom.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'polygeom' has no attribute {name!r}; it offers {', '.join(_HOMES)}")
    value: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})
