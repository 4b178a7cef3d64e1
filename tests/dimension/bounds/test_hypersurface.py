"""The rule *hypersurface*: features of a layer one wider than an earlier one satisfy an equation."""

from __future__ import annotations

import itertools
from math import comb

import numpy as np
import pytest

from polygeom.dimensions.bounds.bound import Bound
from polygeom.dimensions.bounds.search import check, reductions, upper_bound
from polygeom.dimensions.compute import dimension
from polygeom.network import mlp

P = 4194301


def rank_mod_p(rows: list[list[int]]) -> int:
    import flint

    return int(flint.nmod_mat(len(rows), len(rows[0]), [x for row in rows for x in row], P).rank())


def span_of_products(forms: int, degree: int, t: int, rng: np.random.Generator, square: bool) -> int:
    """Dimension of the products of ``t`` of ``forms`` random binary forms, by multiplying coefficients."""
    drawn = []
    for _ in range(forms):
        form = [int(x) for x in rng.integers(0, P, size=degree + 1)]
        drawn.append(product(form, form) if square else form)
    rows = []
    for chosen in itertools.combinations_with_replacement(drawn, t):
        row = [1]
        for form in chosen:
            row = product(row, form)
        rows.append(row)
    return rank_mod_p(rows)


def product(a: list[int], b: list[int]) -> list[int]:
    out = [0] * (len(a) + len(b) - 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            out[i + j] = (out[i + j] + x * y) % P
    return out


@pytest.mark.parametrize(("degree", "square", "t"), [(3, False, 4), (2, True, 4), (4, False, 5), (2, True, 6)])
def test_forms_on_a_plane_curve_are_as_many_as_the_rule_says(
    degree: int, square: bool, t: int, rng: np.random.Generator
) -> None:
    curve = degree * (2 if square else 1)
    h = comb(t + 2, 2) - (comb(t - curve + 2, 2) if t >= curve else 0)
    assert span_of_products(3, degree, t, rng, square) == h


@pytest.mark.parametrize(
    ("widths", "value", "layer"),
    [((2, 3, 5, 3, 6, 15, 45, 129, 1), 120, 3), ((2, 3, 5, 3, 6, 15, 45, 1), 56, 3), ((3, 4, 10, 40, 1), 42, 1)],
)
def test_networks_with_one_such_layer_have_the_dimension_of_the_bound(
    widths: tuple[int, ...], value: int, layer: int
) -> None:
    bound = upper_bound(widths, (2,) * (len(widths) - 2))
    assert (bound.value, bound.rule, bound.layer, check(bound)) == (value, "hypersurface", layer, True)
    result = dimension(mlp(widths, 2))
    assert (result.dimension, result.proved) == (value, True)


def test_the_equation_is_between_features_of_any_two_layers() -> None:
    found = [rule for rule in reductions((5, 6, 2, 3, 6, 9, 1), (2, 2, 2, 2, 3)) if rule[0] == "hypersurface"]
    assert ("hypersurface", 3, -3, (((5, 6, 2, 3), (2, 2)), ((6, 6, 9, 1), (2, 2, 3)))) not in found
    assert ("hypersurface", 3, -3, (((5, 6, 2, 3), (2, 2)), ((5, 9, 1), (3,)))) in found


def test_a_wrong_step_is_refused() -> None:
    bound = upper_bound((2, 3, 5, 3, 6, 15, 45, 129, 1), (2,) * 7)
    wrong = Bound(bound.value - 1, bound.rule, bound.widths, bound.degrees, bound.layer, bound.parts)
    assert not check(wrong)
    assert not check(Bound(bound.value, bound.rule, bound.widths, bound.degrees, 4, bound.parts))
