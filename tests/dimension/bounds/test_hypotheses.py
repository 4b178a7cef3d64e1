"""Where a hypothesis of a rule for parts fails, the rule is silent and the checker refuses what it would have said."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec import convert

from polygeom.dimensions.bounds import expansion, fields
from polygeom.dimensions.bounds.bound import RULES, Bound
from polygeom.dimensions.bounds.graphs import cells, mixes_output, plain_text
from polygeom.dimensions.bounds.rules.graphs import linear_span
from polygeom.dimensions.bounds.search import part_bound
from polygeom.dimensions.proofs.graphs import cuts
from polygeom.dimensions.proofs.graphs.bounds import bound_holds
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.programs import read
from polygeom.dimensions.proofs.rules import Step
from polygeom.engines.symbolic import coefficient_map
from polygeom.errors import BudgetError
from polygeom.network import parse

FIRST, LINEAR = "x=input(2); a=dense(x,2)", "[2,2]"
SILENT = {
    # rule, network, node, constant, parts that it would bound by
    "a cut that is none": ("graph cut", f"{FIRST}; b=power(a,2); c=sum(b,x); dense(c,1)", 1, 0, [LINEAR, "[2,1]"]),
    "weights on both sides": (
        "graph cut", f"{FIRST}; b=power(a,2); dense(b,2,shares=a)", 1, -2,
        [LINEAR, "x=input(2); b=power(x,2); dense(b,2)"],
    ),
    "mixing of powers": (
        "graph cut", f"{FIRST}; b=power(a,2); c=dense(b,2); d=power(c,3); dense(d,1)", 2, -4,
        [f"{FIRST}; power(a,2)", "[2,2,1] r=3"],
    ),
    "scalings without a torus": (
        "graph cut", f"{FIRST}; b=polynomial(a,[1,1,0,1]); dense(b,1)", 1, -2,
        [LINEAR, "x=input(2); b=polynomial(x,[1,1,0,1]); dense(b,1)"],
    ),
    "dependent features": (
        "graph cut", "x=input(1); a=dense(x,2); b=polynomial(a,[1,1,1]); c=dense(b,3); d=dense(c,1); power(d,2)", 3, -9,
        ["x=input(1); a=dense(x,2); b=polynomial(a,[1,1,1]); dense(b,3)", "x=input(3); d=dense(x,1); power(d,2)"],
    ),
    "a shift without a bias": (
        "graph cut", "x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,2); d=dense(c,2); e=bias(d); power(e,2)", 3, -6,
        [f"{FIRST}; b=power(a,2); dense(b,2)", "x=input(2); d=dense(x,2); e=bias(d); power(e,2)"],
    ),
    "a span of too many": ("graph span", f"{FIRST}; b=power(a,2); dense(b,1)", 2, -1, ["[2,1]"]),
    "a span read by powers": (
        "graph span", "x=input(2); a=dense(x,1); b=power(a,2); power(b,2)", 1, 1,
        ["x=input(1); b=power(x,2); power(b,2)"],
    ),
    "a span of fewer than its features": (
        "graph span", "x=input(1); a=dense(x,2); b=power(a,2); dense(b,1)", 2, -2, ["[2,1]"]
    ),
    "a shift that nothing takes up": (
        "graph cut", "x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,1); d=bias(c); e=dense(d,2); power(e,2)", 4, -2,
        [f"{FIRST}; b=power(a,2); c=dense(b,1); bias(c)", "x=input(1); e=dense(x,2); power(e,2)"],
    ),
    "tokens side by side": (
        "one token at a time", "x=input(2,2); a=flatten(x); dense(a,1)", 0, 0, ["x=input(2); a=flatten(x); dense(a,1)"]
    ),
    "a lift to fewer": ("graph lift", f"{FIRST}; b=power(a,2); dense(b,1)", 2, 0, ["[2,1]"]),
    "features read twice": (
        "graph surplus", "x=input(1); a=dense(x,2); b=power(a,2); c=dense(b,2); product(c,b)", 2, 0,
        ["x=input(1); a=dense(x,1); b=power(a,2); c=dense(b,1); product(c,b)"],
    ),
    "forms that are read besides": (
        "graph surplus", "x=input(1); a=dense(x,4); c=dense(a,1); b=power(a,2); d=dense(b,1); sum(c,d)", 3, 0,
        ["x=input(1); a=dense(x,1); c=dense(a,1); b=power(a,2); d=dense(b,1); sum(c,d)"],
    ),
    "features raised to powers": (
        "graph surplus", "x=input(3); a=dense(x,7); b=power(a,2); c=power(b,3); dense(c,1)", 2, 0,
        ["x=input(3); a=dense(x,6); b=power(a,2); c=power(b,3); dense(c,1)"],
    ),
    "no surplus": (
        "graph surplus", f"{FIRST}; b=power(a,2); c=dense(b,1); power(c,2)", 2, 0,
        ["x=input(2); a=dense(x,1); b=power(a,2); c=dense(b,1); power(c,2)"],
    ),
    "features that span the constants": (
        "graph cut", "x=input(1); a=dense(x,2); b=bias(a); c=polynomial(b,[1,1,1]); dense(c,1)", 2, -6,
        ["x=input(1); a=dense(x,2); bias(a)",
         "x=input(2); a=dense(x,2); b=bias(a); c=polynomial(b,[1,1,1]); dense(c,1)"],
    ),
    "outputs of a tied matrix": (
        "graph outputs", "x=input(2); a=dense(x,2); b=dense(a,2,shares=a); c=power(b,2); dense(c,3)", 0, 1,
        ["x=input(2); a=dense(x,2); b=dense(a,2,shares=a); c=power(b,2); dense(c,2)"],
    ),
    "outputs whose matrix is tied": (
        "graph outputs", "x=input(2); a=dense(x,3); b=power(a,2); c=dense(b,2); d=power(c,2); dense(d,3,shares=a)",
        0, 2, ["x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,2); d=power(c,2); dense(d,2,shares=a)"],
    ),
    "outputs whose matrix is tied and whose bias is not": (
        "graph outputs",
        "x=input(2); a=dense(x,3); b=power(a,2); c=dense(b,2); d=power(c,2); e=dense(d,3,shares=a); bias(e)",
        0, 3, ["x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,2); d=power(c,2); e=dense(d,2,shares=a); bias(e)"],
    ),
    "a part that is read inside": ("cells", f"{FIRST}; b=power(a,2); c=dense(b,2); sum(c,a)", 0, 0, ["[2,2,2] r=2"]),
    "weights outside the parts": (
        "cells", f"{FIRST}; b=power(a,2); c=dense(b,2); d=sum(x,c); bias(d)", 0, 1,
        [f"{FIRST}; b=power(a,2); c=dense(b,2); sum(x,c)"],
    ),
    "tied parts": (
        "cells", f"{FIRST}; b=power(a,2); c=dense(x,2,shares=a); d=power(c,3); sum(b,d)", 0, 0,
        ["x=input(2); a=dense(x,2); power(a,2)", "x=input(2); a=dense(x,2); power(a,3)"],
    ),
    "tokens that meet": (
        "one token at a time", "x=input(2,2); attention(x,1,2)", 0, 0,
        ["x=input(1,2); attention(x,1,2)"],
    ),
    "a form of smaller rank": ("quadratic function", ("x=input(4); a=dense(x,1); b=dense(x,1); c=product(a,b); "
                               "dense(c,1)"), 0, 6, []),
    "a constant at the end": ("quadratic function", ("x=input(4); a=dense(x,1); b=dense(x,1); c=product(a,b); "
                              "d=dense(c,1); bias(d)"), 0, 7, []),
    "products of a layer and the input": ("quadratic function", ("x=input(2); a=dense(x,2); b=product(a,x); "
                                          "c=product(a,b); dense(c,1)"), 0, 3, []),
    "two quadratic outputs": ("quadratic function", "[3,2,2] r=2 bias", 0, 8, []),
    "an output bias": ("quadratic function", "[3,2,1] r=2 bias", 0, 7, []),
    "cubes in place of squares": ("quadratic function", "[3,2,1] r=3 bias", 0, 8, []),
    "a cubic activation": ("quadratic function", "[3,2,1] p=1,1,1,1", 0, 7, []),
    "more forms than inputs": ("quadratic function", "[2,6,1] r=2 bias", 0, 4, []),
    "a constant that is free": (
        "quadratic function", "x=input(3); a=dense(x,2); b=bias(a); c=polynomial(b,[1,1,1]); dense(c,1)", 0, 7, []
    ),
    "a square and a branch": (
        "quadratic function", "x=input(3); a=dense(x,2); b=power(a,2); c=sum(b,a); dense(c,1)", 0, 6, []
    ),
    "heads with two outputs": (
        "heads of full rank", "x=input(2,2); a=attention(x,2,2); b=attention(x,2,2); sum(a,b)", 0, 6, []
    ),
    "more heads than features": (
        "heads of full rank", "x=input(2,2); a=attention(x,2,1); b=attention(x,2,1); c=attention(x,2,1); sum(a,b,c)",
        0, 3, [],
    ),
    "a head of a head": (
        "heads of full rank", "x=input(2,2); a=attention(x,2,2); b=attention(a,2,1); c=attention(x,2,1); sum(b,c)",
        0, 6, [],
    ),
    "a head that reads a head": (
        "heads of full rank", "x=input(2,2); a=attention(x,2,1); b=attention(a,1,1); sum(a,b)", 0, 6, []
    ),
    "a head beside the identity": ("heads of full rank", "x=input(2,1); a=attention(x,1,1); sum(x,a)", 0, 1, []),
    "too many quadrics that vanish": ("heads of full rank", "x=input(2,2); a=attention(x,2,1); sum(a,a)", 0, 4, []),
    "a square without a linear term": (
        "shifted square", "[2,2,1] p=1,0,1", 0, 0,
        ["x=input(2); a=dense(x,2); b=bias(a); c=power(b,2); dense(c,1)"],
    ),
    "a square of constants": (
        "shifted square", "x=input(1); a=dense(x,2); b=bias(a); c=polynomial(b,[1,1,1]); dense(c,1)", 0, 0,
        ["x=input(1); a=dense(x,2); b=bias(a); c=bias(b); d=power(c,2); dense(d,1)"],
    ),
    "a square of constants in two variables": (
        "shifted square", "x=input(2); a=dense(x,2); b=bias(a); c=polynomial(b,[1,1,1]); dense(c,1)", 0, 0,
        ["x=input(2); a=dense(x,2); b=bias(a); c=bias(b); d=power(c,2); dense(d,1)"],
    ),
    "a part counted twice": (
        "cells", f"{FIRST}; b=power(a,2); c=dense(b,2); sum(x,c)", 0, -8, ["[2,2,2] r=2", "[2,2,2] r=2"]
    ),
    "a span of matrices": (
        "graph span", "x=input(2,3); a=dense(x,1); b=power(a,2); c=flatten(b); dense(c,1)", 1, 8,
        ["x=input(2,1); d=dense(x,1); b=power(d,2); c=flatten(b); dense(c,1)"],
    ),
    "a lift of matrices": (
        "graph lift", "x=input(2,3); a=dense(x,1); b=power(a,2); c=flatten(b); dense(c,1)", 1, 0,
        ["x=input(6); d=dense(x,1); b=power(d,2); c=flatten(b); dense(c,1)"],
    ),
    "a square read twice": (
        "shifted square", "x=input(1); a=polynomial(x,[1,1,1]); b=dense(a,1); c=product(a,b); dense(c,1)", 0, 0,
        ["x=input(1); a=bias(x); b=power(a,2); dense(b,1)"],
    ),
    "a square of tokens": (
        "shifted square", "x=input(2,2); a=dense(x,2); b=polynomial(a,[1,1,1]); dense(b,1)", 0, 0,
        ["x=input(2,2); a=dense(x,2); b=bias(a); c=power(b,2); dense(c,1)"],
    ),
}  # fmt: skip


def forged(rule: str, layer: int, constant: int, parts: list[str]) -> Step:
    bounds = tuple(part_bound(parse(part), True) for part in parts)
    value = constant + sum(bound.value for bound in bounds)
    return convert(Bound(max(0, value), rule, (), (), layer, bounds).as_dict(), Step)


@pytest.mark.parametrize(("rule", "text", "layer", "constant", "parts"), SILENT.values(), ids=SILENT.keys())
def test_a_rule_is_silent(rule: str, text: str, layer: int, constant: int, parts: list[str]) -> None:
    network, wanted = parse(text), [parse(part) for part in parts]
    for instance in RULES[rule].networks(network):
        same = (instance.layer, list(instance.parts)) == (layer, wanted)
        assert not (same and instance.constant <= constant), instance
    assert not bound_holds(read(plain_text(network)), forged(rule, layer, constant, parts), Budget(60, 2**30))


@pytest.mark.parametrize("rule", ["monomials", "linear span"])
def test_expansions_are_not_believed(rule: str) -> None:
    text = "x=input(2,2); a=attention(x,1,1); b=attention(x,1,1); sum(a,b)"
    (instance,) = RULES[rule].networks(parse(text))
    for value, holds in ((instance.constant, True), (instance.constant - 1, False)):
        step = convert(Bound(value, rule, (), ()).as_dict(), Step)
        assert bound_holds(read(plain_text(parse(text))), step, Budget(60, 2**30)) is holds


def test_fields_are_not_believed() -> None:
    network = parse("[2,2,1] p=1,1,1")
    (instance,) = RULES["vector fields"].networks(network)
    (field,) = instance.fields
    program = read(plain_text(network))

    def holds(value: int, *given: object) -> bool:
        bound = Bound(value, "vector fields", (), (), fields=given)  # type: ignore[arg-type]
        return bound_holds(program, convert(bound.as_dict(), Step), Budget(60, 2**30))

    (k, a, b, m), *rest = field
    assert instance.constant == 5
    assert holds(5, field)
    assert not holds(4, field)
    assert not holds(4, field, field)
    assert not holds(4, field, tuple((k, 2 * a, b, m) for k, a, b, m in field))
    assert not holds(5, ((k, a + 1, b, m), *rest))
    assert not holds(5, tuple(rest))
    assert fields._proved(network, [field])
    assert not fields._proved(network, [field, ((k, a + 1, b, m), *rest)])
    assert not holds(5, ((99, a, b, m), *rest))
    for more in (0, 1, 9):
        assert not holds(network.parameter_count + more, ((99, a, b, m), *rest))
        assert not holds(network.parameter_count + more, ((k, a + 1, b, m), *rest))
    assert holds(network.parameter_count, ((0, 0, 1, ()),))
    assert not holds(network.parameter_count - 1, ((0, 0, 1, ()),))
    assert not holds(5)
    assert not holds(network.parameter_count)


def test_no_more_fields_than_scalings_are_none() -> None:
    network = parse("[2,2,2] r=3")
    assert (network.parameter_count, network.gauge) == (8, 2)
    assert fields.fields(network, 6) == ()
    assert list(RULES["vector fields"].networks(network)) == []


def test_coefficients_are_fractions_before_they_are_counted() -> None:
    """w/2 and w^2/3: neither is zero."""
    coefficients = coefficient_map(parse("x=input(1); a=dense(x,1); polynomial(a,[1/7,1/2,1/3])"))
    assert linear_span._independent(list(coefficients.values())) == 2


def test_sums_and_biases_hand_mixed_features_on() -> None:
    """What reads the features besides the output must take the matrix back; a bias or a sum need not."""
    assert mixes_output(parse("x=input(2); a=dense(x,2); b=bias(a); c=dense(x,2); sum(b,c)"))
    assert not mixes_output(parse("x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,2); sum(a,c)"))


def test_a_part_that_shares_weights_with_the_last_layer_is_no_cell() -> None:
    text = "x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,2); d=power(c,2); dense(d,2{})"
    assert list(cells(parse(text.format("")))) == [(0, [1, 2, 3, 4])]
    assert list(cells(parse(text.format(",shares=c")))) == [(1, [2, 3, 4, 5])]


def test_long_products_are_refused_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expansion, "MOST_TERMS", 9)
    x, y = np.array([None, None]), np.array([None])
    x[:], y[0] = [(1, 2), (1, 2, 3)], (1, 2, 3)
    expansion._bounded(x, y)
    y[0] = (1, 2, 3, 4)
    with pytest.raises(BudgetError, match="too many terms"):
        expansion._bounded(x, y)
    with pytest.raises(BudgetError, match="too many terms"):
        expansion.product(x[1], y[0])


def test_the_rank_at_a_cut_is_estimated_before() -> None:
    asked = []

    class Asked(Budget):
        def step(self, what: str, operations: float = 0, size: float = 0) -> None:
            asked.append((what, operations > 0, size > 0))

    assert cuts.independent(read("x0=input(2); x1=dense(x0,2); power(x1,2)"), False, Asked(1, 1))
    assert asked == [("values at a cut", True, False), ("values at a cut", True, True)]


def test_one_value_before_two_gives_no_equation_of_a_hypersurface() -> None:
    """The rule is about values in three coordinates or more."""
    widths, degrees = (2, 1, 2, 2, 1), (2, 2, 2)
    parts = tuple(part_bound(part, True) for part in (((2, 1, 2), (2,)), ((1, 1), ())))
    constant = -2
    bound = Bound(constant + sum(part.value for part in parts), "hypersurface", widths, degrees, 2, parts)
    assert not bound_holds(read("[2,1,2,2,1] r=2"), convert(bound.as_dict(), Step), Budget(60, 2**30))
