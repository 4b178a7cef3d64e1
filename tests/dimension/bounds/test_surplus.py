"""Neurons beyond what the features of a layer span change nothing."""

from __future__ import annotations

import itertools

import pytest

from polygeom.dimensions.bounds.search import check, reductions, upper_bound
from polygeom.dimensions.compute import dimension
from polygeom.dimensions.counts import saturated_widths, without_surplus
from polygeom.network import mlp


def test_narrowing_keeps_the_dimension(multiplier: int) -> None:
    changed = 0
    for widths in itertools.product((2, 3), (1, 2, 5 + multiplier), (1, 2, 7), (1, 2, 6), (1, 3)):
        for degrees in ((2, 2, 2), (3, 2, 1)):
            narrow = without_surplus(widths, degrees)
            assert all(a <= b for a, b in zip(narrow, widths, strict=True))
            if narrow != widths:
                changed += 1
                wide = dimension(mlp(widths, degrees), method="generic", error=1e-2)
                assert wide.dimension == dimension(mlp(narrow, degrees), error=1e-2).dimension
    assert changed > 50


def test_saturated_widths_are_what_is_left_of_very_wide_layers() -> None:
    degrees = (2, 2, 3)
    assert saturated_widths(2, degrees) == (3, 5, 13)
    assert without_surplus((2, 10**6, 10**6, 10**6, 1), degrees) == (2, 3, 5, 13, 1)


def test_the_rule_is_an_equality_that_check_accepts() -> None:
    bound = upper_bound((2, 2, 50, 60, 1), (2, 2, 2))
    assert bound.rule == "surplus"
    assert check(bound)
    assert bound.value == upper_bound((2, 2, 3, 6, 1), (2, 2, 2)).value


@pytest.mark.parametrize("widths", [(2, 3, 5, 1), (4, 4, 4, 4)])
def test_nothing_is_removed_without_need(widths: tuple[int, ...]) -> None:
    assert without_surplus(widths, (2, 2)) == widths
    assert all(rule[0] != "surplus" for rule in reductions(widths, (2, 2)))
