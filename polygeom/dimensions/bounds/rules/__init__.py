"""The rules, one a file: every module below this folder is read and enters its rule in `RULES`.

`closed` are formulas, `reductions` lead to smaller networks of the same kind, `spaces` bound the space in which the
functions of a layer lie, and `networks` are for networks that are not plain perceptrons.
"""

from __future__ import annotations

from polygeom._lazy import import_below
from polygeom.dimensions.bounds.bound import RULES

for _room in ("closed", "reductions", "spaces"):  # those about perceptrons
    import_below(f"{__name__}.{_room}", [f"{path}/{_room}" for path in __path__])
RULES.rest = lambda: import_below(__name__, __path__)
