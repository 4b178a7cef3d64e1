"""Expanded outputs against values of the program, vector fields and equations against ranks known by hand."""

from __future__ import annotations

import random
from fractions import Fraction

import flint
import numpy as np
import pytest

from polygeom.dimensions.bounds.graphs import plain_text
from polygeom.dimensions.proofs.graphs import cuts
from polygeom.dimensions.proofs.graphs.expansion import (
    MOST_TERMS,
    Expansion,
    _residue,
    dimension_by_equations,
    fields_rank,
    linear_span,
)
from polygeom.dimensions.proofs.jacobians import _reuse, forward, jacobian
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.programs import Program, read
from polygeom.dimensions.proofs.symmetries import PRIME
from polygeom.errors import BudgetError
from polygeom.network import parse

P = 2**21 - 9
PROGRAMS = [
    "x=input(2,3); a=dense(x,2); b=bias(a); c=power(b,2); d=polynomial(c,[1,1/2,3]); scale(d)",
    "x=input(2,2); a=attention(x,1,2); sum(x,a)",
    "x=input(3,2); a=dense(x,2); b=bias(a); power(b,2)",
    "x=input(2,2); a=dense(x,2); b=dense(x,2); c=product(a,b); flatten(c)",
    "x=input(3); a=dense(x,2); b=power(a,3); c=sum(b,a); dense(c,2)",
    "convolutional(4,kernels=[2,2],degrees=2)",
    "x=input(3); a=convolution(x,2); power(a,2)",
    "x=input(3); a=dense(x,2); b=bias(a); c=sum(b,b); polynomial(c,[1/2,0,1])",
]


def program_of(text: str) -> Program:
    return read(plain_text(parse(text)))


@pytest.mark.parametrize("text", PROGRAMS)
def test_expanded_outputs_have_the_values_and_slopes_of_the_program(text: str) -> None:
    program = program_of(text)
    draw = random.Random(3)
    point = [draw.randrange(P) for _ in range(program.inputs + program.weights)]
    weights = np.array(point[program.inputs :], dtype=np.int64)
    x = np.array(point[: program.inputs], dtype=np.int64)
    outputs = Expansion(program, Budget()).outputs()

    def value(polynomial: object) -> int:
        total = 0
        for exponents, c in polynomial.to_dict().items():  # type: ignore[attr-defined]
            term = int(c.p) * pow(int(c.q), -1, P)
            for base, e in zip(point, exponents, strict=True):
                term = term * pow(base, int(e), P) % P
            total += term
        return total % P

    there = forward(program, P, weights, x.reshape(1, *program.shapes[0]))[-1].ravel().tolist()
    assert [value(output) for output in outputs] == [int(v) % P for v in there]
    slopes = [[value(o.derivative(program.inputs + k)) for k in range(program.weights)] for o in outputs]
    assert slopes == (jacobian(program, P, weights, x[None, :], Budget()) % P).tolist()


TWICE = "x=input(1); a=scale(x); scale(a)"  # y = w1 w0 x


def test_fields_are_counted_where_the_outputs_stay() -> None:
    program = program_of(TWICE)
    up, down = (0, 1, 1, [0]), (1, -1, 1, [1])
    assert fields_rank(program, [[up, down]], Budget()) == 1
    assert fields_rank(program, [[(0, 3, 7, [0, 1]), (1, -3, 7, [1, 1])]], Budget()) == 1
    assert fields_rank(program, [[up, down], [(0, 2, 1, [0]), (1, -2, 1, [1])]], Budget()) == 1
    assert fields_rank(program, [[up, up, down, down]], Budget()) == 1
    assert fields_rank(program, [[up, down], [(0, 1, 2, [0]), (1, -2, 4, [1])]], Budget()) == 1
    assert fields_rank(program, [[up, down], [(0, 1, 2, [0]), (0, 1, 3, [0]), (1, -5, 6, [1])]], Budget()) == 1
    for wrong in (
        [up],
        [up, (1, 1, 1, [1])],
        [up, (1, -1, 2, [1])],
        [up, (1, -1, 1, [0])],
        [up, (1, -1, 1, [1, 1])],
        [up, (2, -1, 1, [1])],
        [up, (1, -1, 1, [2])],
    ):
        assert fields_rank(program, [wrong], Budget()) == -1
        assert fields_rank(program, [[up, down], wrong], Budget()) == -1
    three = program_of("x=input(1); a=scale(x); b=scale(x); c=scale(x); sum(a,b,c)")
    apart = [[(0, 1, 1, []), (2, -1, 1, [])], [(1, 1, 1, []), (2, -1, 1, [])]]
    assert fields_rank(three, apart, Budget()) == 2
    four = program_of("x=input(2); a=scale(x); scale(a)")
    each = [[(k, 1, 1, [k]), (k + 2, -1, 1, [k + 2])] for k in range(2)]
    assert fields_rank(four, each, Budget()) == 2
    assert fields_rank(four, [*each, [*each[0], *each[1]]], Budget()) == 2
    assert fields_rank(four, [], Budget()) == 0


def test_equations_are_counted_where_they_hold() -> None:
    """The square of a linear form in two variables: a^2, 2ab, b^2, with one equation 4 a^2 b^2 = (2ab)^2."""
    program = program_of("x=input(2); a=dense(x,1); power(a,2)")
    cone = [(4, 1, [0, 2]), (-1, 1, [1, 1])]
    assert dimension_by_equations(program, [cone], Budget()) == 2
    assert dimension_by_equations(program, [cone, [(8, 3, [0, 2]), (-2, 3, [1, 1])]], Budget()) == 2
    assert dimension_by_equations(program, [cone, [(4, 1, [0, 0, 2]), (-1, 1, [0, 1, 1])]], Budget()) == 2
    assert dimension_by_equations(program, [], Budget()) == 3
    assert dimension_by_equations(program, [cone, [(4, 2, [0, 2]), (-2, 4, [1, 1])]], Budget()) == 2
    assert dimension_by_equations(program, [cone, [(4, 2, [0, 2]), (-1, 3, [1, 1]), (-1, 6, [1, 1])]], Budget()) == 2
    for wrong in (
        [(4, 1, [0, 2])],
        [(4, 1, [0, 2]), (-1, 2, [1, 1])],
        [(4, 1, [0, 2]), (-1, 1, [1, 3])],
        [(1, 1, [0])],
    ):
        assert dimension_by_equations(program, [wrong], Budget()) == -1
        assert dimension_by_equations(program, [cone, wrong], Budget()) == -1
    twice = program_of("x=input(1); a=scale(x); b=power(a,2); c=polynomial(a,[0,1,0,2]); sum(b,c)")
    assert (
        dimension_by_equations(twice, [[(2, 1, [0, 0, 0]), (-1, 1, [2])], [(1, 1, [0, 0]), (-1, 1, [1])]], Budget())
        == 1
    )


def test_coefficients_with_a_constant_vary_too() -> None:
    """w + 1 is one coefficient that varies, 1 is none."""
    assert dimension_by_equations(program_of("x=input(1); a=scale(x); sum(a,x)"), [], Budget()) == 1
    skip = program_of("x=input(1); a=scale(x); b=power(a,2); sum(b,x)")
    assert dimension_by_equations(skip, [], Budget()) == 1


def test_values_of_coefficients() -> None:
    terms = {(2, 0): flint.fmpq(3, 2), (0, 1): flint.fmpq(-5, 7), (0, 0): flint.fmpq(1, 3)}
    value = Fraction(3, 2) * 4**2 - Fraction(5, 7) * 9 + Fraction(1, 3)
    assert _residue(terms, [4, 9]) == value.numerator * pow(value.denominator, -1, PRIME) % PRIME
    assert _residue({}, [4, 9]) == 0


@pytest.mark.parametrize(
    ("text", "independent", "with_one"),
    [
        ("x=input(3,2); dense(x,2)", True, True),
        ("x=input(2,3); dense(x,2)", True, True),
        ("x=input(3,2); a=dense(x,1); dense(a,2)", False, False),
        ("x=input(3,2); a=dense(x,3); power(a,2)", True, True),
        ("x=input(3,2); a=dense(x,4); power(a,2)", False, False),
        ("x=input(3); a=dense(x,1); b=polynomial(a,[0,1,1]); dense(b,1)", True, True),
        ("x=input(3); a=dense(x,2); polynomial(a,[1,1,1])", True, True),
        ("x=input(1); a=dense(x,3); polynomial(a,[1,1,1])", True, False),
        ("x=input(1); a=dense(x,4); polynomial(a,[1,1,1])", False, False),
    ],
)
def test_features_at_a_cut(text: str, independent: bool, with_one: bool) -> None:
    """Those of the last axis, at all tokens together; and with the constant."""
    program = program_of(text)
    assert (cuts.independent(program, False, Budget()), cuts.independent(program, True, Budget())) == (
        independent,
        with_one,
    )


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("x=input(2); a=dense(x,1); power(a,2)", 3),
        ("x=input(1); a=scale(x); b=sum(a,a); sum(b,x)", 1),
        ("x=input(1); a=scale(x); b=scale(x); sum(a,b)", 1),
        ("x=input(2); a=convolution(x,1); power(a,2)", 1),
        ("x=input(1); power(x,2)", 0),
    ],
)
def test_the_linear_span_of_coefficients(text: str, span: int) -> None:
    assert linear_span(program_of(text), Budget()) == span


def test_a_product_has_a_largest_number_of_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = Expansion(program_of("x=input(2); dense(x,2)"), Budget())
    total = ring.total([*ring.inputs, *ring.weights])
    for most, fits in ((36, True), (35, False)):
        monkeypatch.setattr("polygeom.dimensions.proofs.graphs.expansion.MOST_TERMS", most)
        if fits:
            assert len(ring.times(total, total)) == 21
        else:
            with pytest.raises(BudgetError, match="the expansion of the outputs"):
                ring.times(total, total)
    assert MOST_TERMS > 1000
    assert ring.power(ring.inputs[0], 5) == ring.inputs[0] ** 5
    assert ring.power(ring.inputs[0], 1) == ring.inputs[0]


def test_weights_are_used_once_for_each_row() -> None:
    for text, times in (
        ("x=input(2); dense(x,2)", 1),
        ("x=input(3,2); dense(x,2)", 3),
        ("x=input(3,2); a=dense(x,2); flatten(a)", 3),
        ("x=input(2); power(x,2)", 1),
    ):
        assert _reuse(program_of(text)) == times


@pytest.mark.parametrize(
    "text",
    [
        "[3,3,3,3] r=2 tied",
        "[2,2,2,2,2] r=2 tied",
        "[3,3,2,3,3,3] r=2 tied",
        "[2,3,3,2] r=2 tied",
        "[2,2,2,2] r=2 bias tied",
        "[2,2,2] p=1,1,1 bias",
    ],
)
def test_matrices_that_are_tied_are_those_between_hidden_layers(text: str) -> None:
    network = parse(text)
    program = read(text)
    assert program.weights == network.parameter_count
    assert program_of(text).weights == network.parameter_count
