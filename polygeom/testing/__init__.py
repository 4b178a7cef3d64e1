"""Conformance cases for classes of your own: a layer, an engine or a bound inherits the tests that ours pass.

`check_layer`, `EngineConformance` and `check_rule` raise `AssertionError` with what differs. Nothing here needs pytest;
a class that inherits from `EngineConformance` is collected by it.
"""

from __future__ import annotations

from polygeom.testing.engines import EngineConformance, Subject
from polygeom.testing.formulas import FORMULAS
from polygeom.testing.layers import check_layer
from polygeom.testing.rules import check_rule
from polygeom.testing.zoo import TEXTS, ZOO

__all__ = ["FORMULAS", "TEXTS", "ZOO", "EngineConformance", "Subject", "check_layer", "check_rule"]
