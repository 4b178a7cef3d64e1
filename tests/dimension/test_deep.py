"""Thousands of layers: answered, and nothing recurses once for each."""

from __future__ import annotations

import pytest

import polygeom
from polygeom.dimensions import certify
from polygeom.dimensions.bounds.search import MOST_HIDDEN, upper_bound
from polygeom.dimensions.counts import without_idle_layers


def perceptron(width: int, layers: int, degree: int) -> str:
    return f"[{','.join([str(width)] * (layers + 1))}] r={degree}"


@pytest.mark.parametrize("layers", [1200, pytest.param(5000, marks=pytest.mark.slow)])
def test_thousands_of_linear_layers_are_one(layers: int) -> None:
    network = perceptron(2, layers, 1)
    result = polygeom.dimension(network)
    assert (result.dimension, result.proved, result.filling) == (4, True, True)
    assert polygeom.explain(network).defect == 0
    assert polygeom.verify(certify(network, result=result)).valid


@pytest.mark.thorough
def test_more_than_a_thousand_layers_of_squares() -> None:
    """Two weights a neuron, up to a scaling of each; all 2 x 2 matrices of the last layers together reach that."""
    result = polygeom.dimension(perceptron(2, 1200, 2))
    assert (result.dimension, result.proved) == (4 * 1200 - 2 * 1199, True)


def test_a_deep_bound_is_one_without_parts_and_a_short_one_as_before() -> None:
    deep = upper_bound((2,) * (MOST_HIDDEN + 3), (2,) * (MOST_HIDDEN + 1))
    assert (deep.rule, deep.parts) == ("parameters", ())
    narrow = upper_bound((3, 2, *(1,) * MOST_HIDDEN, 3), (2,) * (MOST_HIDDEN + 1))
    assert (narrow.rule, narrow.parts) == ("parameters", ())
    assert upper_bound((5, 5, 5, 1), (2, 2)).value == 35


def test_idle_layers_go_in_any_order() -> None:
    """Narrow ones stay; one that goes lets the one below it go."""
    assert without_idle_layers((3, 2, 4, 3, 1), (1, 1, 1)) == ((3, 1), ())
    assert without_idle_layers((3, 2, 3), (1,)) == ((3, 2, 3), (1,))
    assert without_idle_layers((3, 4, 2, 1), (1, 2)) == ((3, 2, 1), (2,))
    assert without_idle_layers((4, 2, 3, 4), (1, 1)) == ((4, 2, 4), (1,))
