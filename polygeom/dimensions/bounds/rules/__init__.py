"""The rules, one a file: every module below this folder is read and enters its rule in `RULES`.

`closed` are formulas, `reductions` lead to smaller networks of the same kind, `spaces` bound the space in which the
functions of a layer lie, and `networks` are for networks that are not plain perceptrons.
"""

from __future__ import annotations

import importlib
import pkgutil

for _module in pkgutil.walk_packages(__path__, f"{__name__}."):
    importlib.import_module(_module.name)
