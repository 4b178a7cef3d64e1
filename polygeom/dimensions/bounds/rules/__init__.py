"""The rules, one a file: every module below this folder is read and enters its rule in `RULES`.

`closed` are formulas, `reductions` lead to smaller networks of the same kind, `spaces` bound the space in which the
functions of a layer lie, and `networks` are for networks that are not plain perceptrons.
"""

from __future__ import annotations

from polygeom._lazy import import_below

import_below(__name__, __path__)
