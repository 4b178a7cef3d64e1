"""Upper bounds that count only, so that a search meets architectures which only ranks exclude."""

from __future__ import annotations

import pytest

from polygeom.dimensions.bounds.bound import Bound
from polygeom.dimensions.counts import ambient_dimension, parameter_count, without_surplus
from polygeom.dimensions.frontier import decision


def weak_bound(widths: tuple[int, ...], degrees: tuple[int, ...], *, thorough: bool = True) -> Bound:
    """Parameters and coefficients alone."""
    narrow = without_surplus(widths, degrees)
    value = min(parameter_count(narrow) - sum(narrow[1:-1]), ambient_dimension(widths, degrees))
    return Bound(value, "parameters", widths, degrees)


def weaken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let searches know nothing better."""
    monkeypatch.setattr(decision, "upper_bound", weak_bound)
    monkeypatch.setattr(decision, "MANY", 2**99)
