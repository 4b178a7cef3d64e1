"""The rule *identifications*, against the span of products of powers of linear forms."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from msgspec import structs

from polygeom.dimensions.bounds.bound import RULES, Bound, Instance
from polygeom.dimensions.bounds.identified_points import _field_with_root, conditions, possible_conditions
from polygeom.dimensions.bounds.search import check, upper_bound
from polygeom.dimensions.compute import dimension
from polygeom.dimensions.counts import monomials
from polygeom.dimensions.explain import explain
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.rules import Step, _instance
from polygeom.network import mlp

P = 4194301


def span(n: int, m: int, r: int, t: int, rng: np.random.Generator) -> int:
    """Dimension of the products of ``t`` of the ``r``-th powers of ``m`` random linear forms, by values at points."""
    import flint

    forms = [[int(a) for a in row] for row in rng.integers(1, P, size=(m, n))]
    rows = []
    for _ in range(comb(n + r * t - 1, n - 1) + 3):
        x = [int(a) for a in rng.integers(0, P, size=n)]
        features = [pow(sum(a * b for a, b in zip(form, x, strict=True)), r, P) for form in forms]
        values = [1]  # products of degree 0; then of the features from i on, in a fixed order
        table = {0: [1]}
        for feature in features:
            for degree in range(1, t + 1):
                table.setdefault(degree, [])
            for degree in range(1, t + 1):
                table[degree] = table[degree] + [v * feature % P for v in table[degree - 1]]
        values = table[t]
        rows.append(values)
    return int(flint.nmod_mat(len(rows), len(rows[0]), [v for row in rows for v in row], P).rank())


@pytest.mark.parametrize(
    ("n", "m", "r", "t", "sharp"),
    [
        (3, 5, 3, 3, True),
        (3, 5, 3, 5, False),
        (3, 5, 4, 4, True),
        (4, 6, 2, 2, True),
        (4, 6, 2, 4, True),
        (4, 7, 3, 2, True),
    ],
)
def test_products_of_powers_span_no_more_than_the_conditions_leave(
    n: int, m: int, r: int, t: int, sharp: bool, rng: np.random.Generator
) -> None:
    products = comb(m + t - 1, t)
    left = comb(n + r * t - 1, n - 1) - conditions(n, m, r, t)
    found = span(n, m, r, t, rng)
    assert found <= min(products, left)
    assert (found == min(products, left)) == sharp


@pytest.mark.parametrize(
    ("n", "m", "r", "t", "pairs"),
    [(3, 5, 3, 9, 15), (3, 5, 4, 8, 75), (3, 5, 2, 4, 0), (2, 4, 3, 3, 0), (3, 6, 3, 3, 0)],
)
def test_isolated_pairs_are_counted(n: int, m: int, r: int, t: int, pairs: int) -> None:
    """For m = 2n - 1 the pairs are isolated; (3,5,3) is the double point formula, (3,5,4) counts root vectors."""
    assert possible_conditions(n, m, r, t) == pairs
    if pairs:
        assert conditions(n, m, r, t) == pairs


@pytest.mark.parametrize(("widths", "r", "value"), [((3, 5, 30, 50, 1), 3, 401), ((3, 5, 35, 1), 3, 45)])
def test_networks_reach_the_bound(widths: tuple[int, ...], r: int, value: int) -> None:
    degrees = (r,) * (len(widths) - 2)
    bound = upper_bound(widths, degrees)
    result = dimension(mlp(widths, r))
    assert (bound.value, result.dimension, result.proved) == (value, value, True)
    assert check(bound)


def test_the_rule_is_named_and_a_wrong_step_refused() -> None:
    bound = upper_bound((3, 5, 30, 50, 1), (3, 3, 3))
    assert (bound.rule, bound.layer, bound.parts[1].widths) == ("identifications", 1, (391, 1))
    assert "identifications at layer 1" in explain("[3,5,30,50,1] r=3").causes
    smaller = Bound(390, "parameters", (390, 1), ())
    assert not check(Bound(400, bound.rule, bound.widths, bound.degrees, 1, (bound.parts[0], smaller)))


@pytest.mark.parametrize("r", [2, 3, 4, 5, 6, 12])
def test_roots_of_unity_have_their_order(r: int) -> None:
    field, root = _field_with_root(r)
    assert [d for d in range(1, r + 1) if pow(root, d, field.p) == 1] == [r]


def test_products_of_eight_squares_miss_a_quartic_apolar_to_four_fourth_powers(rng: np.random.Generator) -> None:
    """The rule *pencil*: 34 of 35 quartics, although there are 36 products."""
    assert span(4, 8, 2, 2, rng) == 34
    assert span(4, 7, 2, 2, rng) == 28
    assert span(4, 9, 2, 2, rng) == 35


@pytest.mark.parametrize(
    ("network", "value"), [("[4,8,35,22] r=2", 763), ("[4,8,35,22,15] r=2", 1071), ("[4,8,35,22,15,1] r=2", 966)]
)
def test_networks_over_eight_squares_reach_the_bound_of_the_pencil(network: str, value: int) -> None:
    result = dimension(network)
    assert (result.dimension, result.proved) == (value, True)
    assert any("pencil" in cause for cause in explain(result).causes)


def test_only_the_span_of_the_features_matters() -> None:
    """The rule *span*: five of six quadrics in three variables, then a wide network."""
    bound = upper_bound((3, 5, 40), (2,))
    assert bound.value == 5 * 40 + 5 * (6 - 5)
    wide = upper_bound((3, 5, 12, 40), (2, 2))
    found = dimension("[3,5,12,40] r=2")
    assert (found.dimension, found.proved) == (wide.value, True)
    assert check(wide)


@pytest.mark.thorough
def test_the_rule_applies_between_two_and_twice_the_inputs() -> None:
    """Whatever the other widths are; the space is that of all forms less the conditions."""
    rule = RULES["identifications"].perceptrons
    assert rule is not None

    def found(*widths: int, degrees: tuple[int, ...] = (3, 6), limit: int = 10**9) -> list[Instance]:
        return list(rule(widths, degrees, limit))

    (one,) = found(3, 5, 30, 1)
    assert one == Instance(-5, (((3, 5), ()), ((monomials(3, 18) - conditions(3, 5, 3, 6), 1), ())), 1)
    for last in (1, 2, 4, 50):
        assert [part[0] for part in found(3, 5, 30, last)[0].parts] == [(3, 5), (one.parts[1][0][0], last)]
    for widths in ((3, 4, 30, 1), (3, 6, 30, 1), (3, 5, 30), (3, 5), (2, 4, 30, 1), (2, 3, 30, 1)):
        assert found(*widths, degrees=(3, 6)[: len(widths) - 2]) == []
    assert found(3, 5, 30, 1, degrees=(3, 1)) == []
    assert found(3, 5, 30, 1, degrees=(1, 6)) == []
    assert found(3, 5, 30, 1, limit=6) == []
    assert found(3, 5, 30, 1, limit=monomials(5, 6)) == found(3, 5, 30, 1)
    assert [len(i.parts[1][0]) for i in found(3, 5, 30, 4, 1, degrees=(3, 6, 1))] == [3, 2]
    budget = Budget(60, 2**30)
    for space, holds in ((one.parts[1][0][0], True), (one.parts[1][0][0] - 1, False)):
        parts = [Step(15, "parameters", [3, 5], [], 0, []), Step(space, "parameters", [space, 1], [], 0, [])]
        step = Step(10 + space, "identifications", [3, 5, 30, 1], [3, 6], 1, parts)
        assert _instance(step, budget) is holds
        for wrong in (
            structs.replace(step, layer=0),
            structs.replace(step, parts=parts[:1]),
            structs.replace(step, value=9),
        ):
            assert not _instance(wrong, budget)
