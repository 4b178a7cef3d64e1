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
    from polygeom.dimension import DimensionResult, dimension
    from polygeom.dimension.explain import explain
    from polygeom.dimension.frontier.search import frontier
    from polygeom.dimension.identifiability import identifiability, threshold
    from polygeom.errors import BudgetError, FormatError, PolygeomError
    from polygeom.exchange.torch_models import from_torch
    from polygeom.ideal import Neurovariety, degree, ed_degree, fibre, learning_degree
    from polygeom.network import (
        Network,
        ccp,
        convolutional,
        expand,
        lightning_attention,
        linear,
        mlp,
        ncp,
        parse,
        product_network,
    )
    from polygeom.network.selection import architectures
    from polygeom.report import Portrait, portrait
    from polygeom.tables.atlas import load_atlas
    from polygeom.tables.dimensions import sweep


# The module each public name is found in. "dimension" is a package that can be called like the function it is named
# after, so the name stands for the package itself.
_HOMES = {
    "Network": "polygeom.network",
    "parse": "polygeom.network",
    "expand": "polygeom.network",
    "mlp": "polygeom.network",
    "linear": "polygeom.network",
    "ccp": "polygeom.network",
    "ncp": "polygeom.network",
    "product_network": "polygeom.network",
    "convolutional": "polygeom.network",
    "lightning_attention": "polygeom.network",
    "dimension": "polygeom.dimension",
    "DimensionResult": "polygeom.dimension",
    "verify": "polygeom.certificates",
    "architectures": "polygeom.network.selection",
    "frontier": "polygeom.dimension.frontier.search",
    "threshold": "polygeom.dimension.identifiability",
    "identifiability": "polygeom.dimension.identifiability",
    "explain": "polygeom.dimension.explain",
    "load_atlas": "polygeom.tables.atlas",
    "Neurovariety": "polygeom.ideal",
    "degree": "polygeom.ideal",
    "ed_degree": "polygeom.ideal",
    "learning_degree": "polygeom.ideal",
    "fibre": "polygeom.ideal",
    "from_torch": "polygeom.exchange.torch_models",
    "sweep": "polygeom.tables.dimensions",
    "portrait": "polygeom.report",
    "Portrait": "polygeom.report",
    "PolygeomError": "polygeom.errors",
    "FormatError": "polygeom.errors",
    "BudgetError": "polygeom.errors",
}

# `Network` stands on a low floor; these of its methods are computed on higher ones.
give(gauge="polygeom.symmetry.gauge:gauge", to_torch="polygeom.engines.torch_module:NetworkModule")

__all__ = [
    "Network",
    "parse",
    "expand",
    "mlp",
    "linear",
    "ccp",
    "ncp",
    "product_network",
    "convolutional",
    "lightning_attention",
    "dimension",
    "DimensionResult",
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
    "from_torch",
    "sweep",
    "portrait",
    "Portrait",
    "PolygeomError",
    "FormatError",
    "BudgetError",
    "__version__",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'polygeom' has no attribute {name!r}; it offers {', '.join(_HOMES)}")
    module = importlib.import_module(_HOMES[name])
    value: object = module if module.__name__ == f"polygeom.{name}" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
