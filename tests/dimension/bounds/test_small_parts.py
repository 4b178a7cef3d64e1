"""What the searches for bounds are made of, function by function, at their borders."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import pytest

from polygeom.dimensions.bounds import equations as equation_search
from polygeom.dimensions.bounds import expansion, fields, graphs, spaces
from polygeom.dimensions.bounds.architecture import feature_span, layers_to_try, orbit, parameters_bound
from polygeom.dimensions.bounds.bound import RULES, Bound
from polygeom.dimensions.bounds.equations import equations
from polygeom.dimensions.bounds.fields import as_fraction
from polygeom.dimensions.bounds.graphs import plain_text
from polygeom.dimensions.bounds.identified_points import _choices, _field_with_root, conditions, possible_conditions
from polygeom.dimensions.bounds.rules.graphs import surplus
from polygeom.dimensions.proofs.graphs import bounds as checked
from polygeom.dimensions.proofs.graphs import products
from polygeom.dimensions.proofs.graphs.bounds import bound_holds
from polygeom.dimensions.proofs.graphs.cuts import Cut
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.programs import Program, read
from polygeom.dimensions.proofs.rules import Step
from polygeom.errors import BudgetError
from polygeom.network import Polynomial, Power, mlp, parse


def test_orbits_of_hidden_layers() -> None:
    """A torus, or GL where nothing is applied and the layer is narrower than its neighbours."""
    assert parameters_bound((3, 2, 3), (1,)) == 12 - 4
    assert parameters_bound((3, 2, 3), (2,)) == 12 - 2
    assert parameters_bound((2, 2, 3), (1,)) == 10 - 2
    assert parameters_bound((3, 2, 2), (1,)) == 10 - 2
    assert parameters_bound((3, 1), ()) == 3
    assert orbit((3, 3, 3), (1,), 1) == 9
    assert orbit((2, 3, 3), (1,), 1) == 3, "two inputs span two features"
    assert orbit((3, 3, 3), (2,), 1) == 3
    assert orbit((2, 3, 3, 3), (2, 1), 2) == 9
    assert orbit((2, 3, 4, 3), (2, 1), 2) == 4


@pytest.mark.parametrize(
    ("widths", "degrees"), [((2, 3, 4), (2, 3)), ((2, 5, 9), (3, 2)), ((1, 3, 3), (2, 2)), ((3, 2, 4), (2, 2))]
)
def test_features_span_at_least_so_much(widths: tuple[int, ...], degrees: tuple[int, ...]) -> None:
    """Against the rank of activations of the last layer at random weights and points."""
    rng = np.random.default_rng(1)
    values = rng.standard_normal((60, widths[0]))
    for a, b, r in zip(widths, widths[1:], degrees, strict=False):
        values = (values @ rng.standard_normal((a, b))) ** r
        values /= np.abs(values).max()
    assert feature_span(widths, degrees) <= np.linalg.matrix_rank(values)
    assert feature_span(widths[:2], ()) == widths[0]
    assert feature_span(widths[:2], degrees[:1]) == min(widths[1], math.comb(widths[0] + degrees[0] - 1, degrees[0]))
    m = feature_span(widths[:2], degrees[:1])
    assert feature_span(widths, degrees) == min(widths[2], degrees[1] * (m - 1) + 1)


def test_of_deep_networks_the_narrowest_layers_are_tried() -> None:
    assert list(layers_to_try((1,) * 16)) == list(range(1, 15))
    for length, count in ((17, 8), (32, 8), (33, 1), (40, 1)):
        widths = (1, *range(100, 100 - length + 2, -1), 1)
        assert list(layers_to_try(widths)) == list(range(length - 1 - count, length - 1))


def test_products_have_a_largest_number_of_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = flint.fmpq_mpoly_ctx.get(["a", "b", "c"], flint.Ordering.lex)
    total: Any = sum(ring.gens(), ring.constant(0))
    for most, fits in ((9, True), (8, False)):
        monkeypatch.setattr(expansion, "MOST_TERMS", most)
        network = parse("x=input(3); a=dense(x,1); power(a,2)")
        if fits:
            assert len(expansion.product(total, total)) == 6
            assert len(expansion.expand(network).outputs[0]) == 6
        else:
            with pytest.raises(BudgetError, match="too many terms to expand"):
                expansion.product(total, total)
            with pytest.raises(BudgetError, match="too many terms to expand"):
                expansion.expand(network)
    monkeypatch.setattr(expansion, "MOST_TERMS", 1)
    made = expansion.expand(parse("x=input(2); dense(x,2)"))
    assert [str(output) for output in made.outputs] == ["x0*w0 + x1*w1", "x0*w2 + x1*w3"]
    assert [str(w) for w in made.weights] == ["w0", "w1", "w2", "w3"]
    with pytest.raises(BudgetError):
        expansion.expand(parse("x=input(2); a=dense(x,1); dense(a,1)"))


def test_fractions_with_small_denominators_are_recognised() -> None:
    p = fields.PRIME
    for numerator, denominator, known in (
        (1000, 1, True),
        (-1000, 1, True),
        (1, 12, True),
        (-7, 11, True),
        (1, 13, False),
    ):
        found = as_fraction(numerator * pow(denominator, -1, p) % p)
        assert (found == Fraction(numerator, denominator)) is known
    assert as_fraction(0) == 0
    assert as_fraction(1001) is None or as_fraction(1001) != 1001


def test_fields_are_as_many_as_weights_beyond_the_dimension(monkeypatch: pytest.MonkeyPatch) -> None:
    """Squares with linear and constant terms move along one more than their scalings."""
    network = parse("[2,2,1] p=1,1,1")
    found = fields.fields(network, 5)
    assert len(found) == network.parameter_count - 5
    assert fields._proved(network, list(found))
    assert not fields._proved(network, [((0, 1, 1, (0,)),)])
    doubled = tuple((k, 2 * a, b, m) for k, a, b, m in found[0])
    assert fields._proved(network, [doubled])
    w = np.arange(2, 2 + network.parameter_count)
    row = fields._value(((0, 3, 2, (1, 1)), (0, 1, 1, ()), (2, -1, 1, (0,))), w, network.parameter_count)
    half = (fields.PRIME + 1) // 2
    assert row == [(27 * half + 1) % fields.PRIME, 0, fields.PRIME - 2, *[0] * (network.parameter_count - 3)]
    assert fields.fields(network, network.parameter_count) == ()
    monkeypatch.setattr(fields, "MOST_WEIGHTS", network.parameter_count)
    assert len(fields.fields(network, 5)) == len(found)
    monkeypatch.setattr(fields, "MOST_WEIGHTS", network.parameter_count - 1)
    assert fields.fields(network, 5) == ()
    assert fields.fields(parse("[2,2,1] r=2"), 3) == (), "no more than the scalings"


def test_weights_of_fields_follow_from_scalings() -> None:
    gradings = fields._gradings(parse("x=input(1); a=scale(x); scale(a)"))
    assert len(gradings) == 2
    assert any(a != 0 for a in gradings[0])
    ansatz = fields._ansatz(parse("x=input(1); a=scale(x); scale(a)"))
    together = next(group for group in ansatz if (0, (0,)) in group)
    assert (1, (1,)) in together
    sizes = [len(group) for group in ansatz]
    assert sizes == sorted(sizes)
    assert sum(sizes) == 2 * (1 + 2 + 3), "all monomials up to degree two, times two weights"


def test_equations_are_as_many_as_the_codimension(monkeypatch: pytest.MonkeyPatch) -> None:
    """A square of a linear form in two variables, and the 2 × 2 minors of a matrix of rank one."""
    conic = parse("x=input(2); a=dense(x,1); power(a,2)")
    size, found = equations(conic, 2)
    assert (size, len(found)) == (3, 1)
    ((terms,),) = (found,)
    assert {m: Fraction(a, b) for a, b, m in terms}.keys() == {(0, 2), (1, 1)}
    ratio = {m: Fraction(a, b) for a, b, m in terms}
    assert ratio[0, 2] == -4 * ratio[1, 1]
    assert equations(conic, 3) == (3, ())
    for name, most, count in (
        ("MOST_WEIGHTS", 2, 1),
        ("MOST_WEIGHTS", 1, 0),
        ("MOST_DEGREE", 2, 1),
        ("MOST_DEGREE", 1, 0),
        ("MOST_MONOMIALS", 10, 1),
        ("MOST_MONOMIALS", 9, 0),
        ("MOST_UNKNOWNS", 2, 1),
        ("MOST_UNKNOWNS", 1, 0),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(equation_search, name, most)
            assert len(equations(conic, 2)[1]) == count, (name, most)
    segre = parse("x=input(3); a=dense(x,1); b=dense(a,3)")
    size, found = equations(segre, 5)
    assert (size, len(found)) == (9, 4)
    ring = expansion.expand(segre)
    coordinates = list(equation_search.coordinates_of(ring, 3))
    assert len(list(equation_search._proved(ring, 3, coordinates, list(found)))) == 4
    assert list(equation_search._proved(ring, 3, coordinates, [((1, 1, (0,)),)])) == []
    linear = parse("x=input(2); a=convolution(x,1); power(a,2)")
    assert equations(linear, 1)[0] == 2
    assert [sorted(m for *_, m in one) for one in equations(linear, 1)[1]] == [[(0,), (1,)]]


def test_differentials_of_equations() -> None:
    equation = ((4, 1, (0, 2)), (-1, 3, (1, 1)), (5, 1, (2,)))
    third = pow(3, -1, fields.PRIME)
    assert equation_search._differential(equation, [2, 3, 7]) == [28, -6 * third % fields.PRIME, 13]


def test_values_before_and_between_cuts() -> None:
    network = parse("x=input(2); a=dense(x,3); b=bias(a); c=power(b,2); d=dense(c,2); e=power(d,3); dense(e,1)")
    assert spaces.powers_of_forms(network, 3) == spaces.Powers(3, 3, 2)
    assert spaces.powers_of_forms(network, 2) is None
    assert spaces.powers_of_forms(network, 5) is None
    assert spaces.powers_of_forms(parse("x=input(2); a=dense(x,3); b=power(a,2); dense(b,1)"), 2) == spaces.Powers(
        2, 3, 2
    )
    assert spaces.powers_of_forms(parse("x=input(2,2); a=dense(x,3); b=power(a,2); dense(b,1)"), 2) is None
    assert spaces.degrees_between(network, 3, 4) == {1: 3}
    assert spaces.degrees_between(network, 3, 5) == {3: 10}
    assert spaces.degrees_between(network, 4, 5) == {3: 2}
    found = list(spaces.pairs(network))
    assert [(pair.first, pair.second) for pair in found] == list(itertools.combinations(range(1, 6), 2))


def test_a_space_is_read_with_and_without_constants() -> None:
    network = parse("x=input(2); a=dense(x,3); b=power(a,2); c=dense(b,3); d=power(c,2); dense(d,1)")
    pair = spaces.Cuts(2, 4, {2: 6})
    (one,) = spaces.reads_space(network, pair, 5, 7)
    assert (one.constant, one.layer, one.parts[0].input_dimension) == (7, 2, 5)  # type: ignore[union-attr]
    both = list(spaces.reads_space(network, pair._replace(degrees={0: 1, 2: 6}), 5, 7))
    assert [part.parts[0].input_dimension for part in both] == [5, 4]  # type: ignore[union-attr]
    assert len(list(spaces.reads_space(network, pair._replace(degrees={0: 1}), 1, 7))) == 1


def test_spaces_of_activations_are_counted() -> None:
    """``Σ_k c_k f_k`` over the exponents, or with a bias all polynomials up to the largest; never above the most."""
    cubic = Polynomial((0, 1, 0, 1))
    for activation, n, bias, size in (
        (Power(2), 3, False, 6),
        (Power(2), 3, True, 10),
        (cubic, 2, False, 2 + 4),
        (cubic, 2, True, 10),
        (Polynomial((1, 1, 1)), 2, False, 1 + 2 + 3),
    ):
        assert surplus._space(activation, n, bias, 100) == size
        assert surplus._space(activation, n, bias, size - 1) == size - 1


def test_points_that_forms_do_not_tell_apart() -> None:
    assert possible_conditions(3, 5, 3, 9) == 15
    assert [possible_conditions(*case) for case in ((3, 4, 3, 2), (3, 6, 3, 2), (4, 7, 1, 2), (3, 5, 9, 2))] == [0] * 4
    words = list(_choices(3, 5, 3))
    assert len(set(words)) == len(words)
    for w in itertools.product(range(3), repeat=4):
        word = (0, *w)
        other = tuple(-e % 3 for e in word)
        assert ((word in words) or (other in words)) == (max(Counter(word).values()) < 3)
    for r in (2, 3, 4, 6):
        field, root = _field_with_root(r)
        assert field.p % r == 1
        assert [pow(root, k, field.p) == 1 for k in range(1, r + 1)] == [False] * (r - 1) + [True]
    assert conditions(3, 5, 3, 9) == 15


def test_ranks_of_large_networks_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    network = parse("[2,2,1] r=2")
    assert graphs.rank_of(network) == 3
    assert graphs.rank_of(((2, 2, 1), (2,))) == 3
    for most, value in ((6, 3), (5, 0)):
        monkeypatch.setattr(graphs, "MOST_WEIGHTS", most)
        graphs.rank_of.cache_clear()
        assert graphs.rank_of(network) == value
        assert graphs.rank_of(((2, 2, 1), (2,))) == value
    graphs.rank_of.cache_clear()
    assert graphs.narrowed(parse("x=input(2); a=dense(x,5); b=power(a,2); dense(b,1)"), {1: 3}).parameter_count == 9
    assert graphs.ancestors(parse("x=input(2); a=dense(x,2); b=dense(x,2); sum(a,b)"), 2) == {0, 2}


POWER_ONE = "x=input(3); a=dense(x,2); b=bias(a); c=power(b,1); dense(c,1)"


@pytest.mark.parametrize("name", ["quadratic function", "heads of full rank", "one token at a time", "shifted square"])
def test_rules_that_ask_for_one_form_say_nothing_of_others(name: str) -> None:
    """Two outputs, shared weights, a skip, other activations."""
    others = {
        "quadratic function": [
            "[3,2,2] r=2 bias",
            "[3,2,1] r=3 bias",
            "[3,2,2,1] r=2 bias",
            "[3,2,1] p=0,0,1,1",
            POWER_ONE,
        ],
        "heads of full rank": [
            "x=input(2,2); a=attention(x,2,2); sum(a,a)",
            "x=input(2,2); a=attention(x,2,1); dense(a,1)",
            "x=input(2,2); a=dense(x,1); b=dense(x,1); sum(a,b)",
        ],
        "one token at a time": ["x=input(2); dense(x,2)", "x=input(2,2); a=dense(x,2); flatten(a)"],
        "shifted square": [
            "x=input(2); a=polynomial(x,[1,0,1]); dense(a,2)",
            "x=input(2); a=polynomial(x,[1,1,1,1]); dense(a,2)",
            "x=input(2); a=bias(x); b=polynomial(a,[1,1,1]); dense(b,2)",
            "x=input(2,2); a=polynomial(x,[1,1,1]); dense(a,2)",
            "x=input(2); polynomial(x,[1,1,1])",
            "x=input(2); a=dense(x,2); b=power(a,2); dense(b,2)",
        ],
    }
    rule = RULES[name].networks
    assert rule is not None
    for text in others[name]:
        assert list(rule(parse(text))) == [], text
        program = read(plain_text(parse(text)))
        held = [v for v in range(60) if bound_holds(program, Step(v, name, [], [], 0, []), Budget())]
        assert held == [], f"no number is allowed for {text}"
    assert mlp((2, 2, 1), (2,)).parameter_count == 6


def test_constants_are_left_out_only_where_there_are_some() -> None:
    """What reads a space of polynomials reads one input less, and shifts, if 1 is among them."""
    network = parse("x=input(2); a=dense(x,3); b=power(a,2); c=dense(b,3); d=power(c,2); dense(d,1)")
    second = Cut(read(plain_text(network)), 4)
    for counts, space, allowed in (
        ({2: 6}, 5, {(5, False)}),
        ({1: 3, 2: 6}, 5, {(5, False)}),
        ({0: 1, 2: 6}, 5, {(5, False), (4, True)}),
        ({0: 1}, 1, {(1, False)}),
    ):
        found = set()
        for inputs, shift in itertools.product(range(1, 7), (False, True)):
            part = graphs.outer(network, 4, shift, (inputs,))
            case = part.widths is not None
            widths, degrees = (list(part.widths), list(part.activation_degrees or ())) if part.widths else ([], [])
            step = Step(1, "ambient", widths, degrees, 0, [], "" if case else plain_text(part))
            if products._reads(second, counts, space, step):
                found.add((inputs, shift))
        assert found == allowed, (counts, space)


@pytest.mark.parametrize("name", ["graph outputs", "graph surplus", "graph span", "cells"])
def test_a_network_is_no_part_of_itself(name: str) -> None:
    """A step that only repeats what is to be shown is none, though it is true."""
    for text in (
        "x=input(2); a=dense(x,3); b=power(a,2); c=sum(b,a); dense(c,3)",
        "x=input(2); a=dense(x,2); b=power(a,2); c=sum(b,a); dense(c,2)",
        "[2,2,2] r=2 bias",
    ):
        program = read(plain_text(parse(text)))
        itself = Step(10, "ambient", [], [], 0, [], plain_text(parse(text)))
        for layer in range(len(program.layers)):
            step = Step(10, name, [], [], layer, [itself])
            assert not bound_holds_once(program, step), (text, layer)


def bound_holds_once(program: Program, step: Step) -> bool:
    return checked._instance(program, step, Budget())


def test_bounds_say_what_they_rest_on() -> None:
    leaf = Bound(4, "parameters", (2, 2), ())
    other = Bound(2, "ambient", (), (), network="x0=input(2); bias(x0)")
    assert str(Bound(6, "cut", (2, 2, 1), (2,), 1, (leaf,))) == "cut at layer 1, from (2,2) ≤ 4 [parameters]"
    assert str(Bound(6, "graph cut", (), (), 2, (leaf, other))) == (
        "graph cut at node 2, from (2,2) ≤ 4 [parameters] and x0=input(2); bias(x0) ≤ 2 [ambient]"
    )
    assert other.subject == "x0=input(2); bias(x0)"


def test_constants_are_added_by_a_bias_of_its_own() -> None:
    for text, shifts in (
        ("x=input(2); a=dense(x,2); b=bias(a); c=power(b,2); d=dense(c,2); bias(d)", True),
        ("x=input(2); a=dense(x,2); b=bias(a); c=power(b,2); d=dense(c,2); bias(d,shares=b)", False),
        ("x=input(2); a=dense(x,2); b=bias(a); c=power(b,2); dense(c,2)", False),
    ):
        assert graphs.shifts_output(parse(text)) is shifts, text
