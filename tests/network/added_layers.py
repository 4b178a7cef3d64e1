"""Layers that are checked by `polygeom.testing.check_layer`: a line for each, a small network in which it occurs."""

from __future__ import annotations

ADDED = (
    "x=input(4,2); a=depthwise(x,2,stride=2); b=power(a,2); c=flatten(b); dense(c,1)",
)  # fmt: skip
