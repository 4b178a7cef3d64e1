"""Symmetries that the checker counts leave the outputs alone, and what it says of degrees and of monomials."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from polygeom.dimensions.bounds.graphs import plain_text
from polygeom.dimensions.proofs import monomials, symmetries
from polygeom.dimensions.proofs.jacobians import jacobian, rank
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.programs import Program, read
from polygeom.errors import BudgetError
from polygeom.network import parse

P = symmetries.PRIME


def program_of(text: str) -> Program:
    return read(plain_text(parse(text)))


FIBRES = {
    # network: scalings, and scalings with the other symmetries
    "x=input(2); a=dense(x,3); b=power(a,2); dense(b,2)": (3, 3),
    "x=input(2); a=dense(x,3); b=dense(a,3); dense(b,2)": (6, 17),
    "x=input(2); b=dense(x,2); a=dense(x,2); c=power(a,2); d=sum(b,c); dense(d,2)": (2, 2),
    "x=input(2); b=dense(x,2); a=dense(x,2); c=power(a,3); d=sum(b,c); e=power(d,2); dense(e,1)": (2, 2),
    "x=input(2); a=dense(x,2); b=dense(x,2); c=power(a,2); d=product(b,c); dense(d,1)": (4, 4),
    "x=input(2); a=dense(x,2); b=power(a,2); c=dense(x,2); d=product(b,c); e=dense(d,2); product(e,x)": (4, 4),
    "x=input(2); a=dense(x,2); b=polynomial(a,[0,0,3]); dense(b,2)": (2, 2),
    "x=input(2); a=dense(x,2); b=polynomial(a,[1,0,3]); dense(b,2)": (0, 0),
    "x=input(2); a=dense(x,2); b=dense(a,2,shares=a); c=power(b,2); dense(c,1)": (1, 1),
    "x=input(2); a=dense(x,2); b=bias(a); c=power(b,2); d=dense(c,2); e=bias(d,shares=b); power(e,2)": (0, 0),
    "x=input(2); a=dense(x,2); b=bias(a); c=dense(b,2); d=bias(c); e=bias(d,shares=b); power(e,2)": (0, 0),
    "x=input(2); a=dense(x,2); b=bias(a); c=dense(b,2); d=bias(c); power(d,2)": (2, 6),
    "x=input(2); a=dense(x,2); b=bias(a); c=dense(b,3); d=dense(b,3); e=bias(c); f=bias(d); product(e,f)": (5, 9),
    "x=input(2); a=dense(x,2); b=bias(a); c=dense(b,3); d=dense(b,3); e=bias(c); product(e,d)": (5, 7),
    "x=input(2); a=dense(x,2); b=bias(a); dense(b,3)": (2, 4),
    "x=input(2); a=scale(x); b=scale(a); scale(b)": (4, 4),
    "x=input(3,2); a=attention(x,2,3); b=dense(a,2); power(b,2)": (6, 13),
    "x=input(3,2); a=attention(x,2,2); b=attention(a,1,1); power(b,2)": (7, 11),
    "x=input(3,2); a=convolution(x,2,1,2); b=convolution(a,2); power(b,3)": (2, 4),
    "x=input(5); a=convolution(x,2); b=convolution(a,2); power(b,2)": (1, 1),
    "x=input(2,3); a=dense(x,2); b=power(a,2); c=flatten(b); dense(c,1)": (2, 2),
    "x=input(2,3); a=dense(x,3); b=sum(a,x); c=dense(b,2); dense(c,1)": (2, 4),
    "x=input(2); a=dense(x,2); b=dense(x,2); c=sum(a,b); d=dense(c,2); power(d,2)": (2, 4),
    "x=input(2); power(x,2)": (0, 0),
}


def rows_of(program: Program, values: np.ndarray) -> Iterator[np.ndarray]:
    yield symmetries._scalings(program, values, Budget())
    yield from symmetries._fields(program, values)


@pytest.mark.parametrize("text", FIBRES)
def test_fields_leave_the_outputs_alone(text: str) -> None:
    program = program_of(text)
    draw = np.random.default_rng(5)
    values = draw.integers(1, P, size=program.weights)
    points = draw.integers(1, P, size=(4, program.inputs))
    slopes = jacobian(program, P, values, points, Budget()).astype(object)
    for rows in rows_of(program, values):
        assert not (slopes @ rows.astype(object).T % P).any()
    found = symmetries.torus(program, Budget()), symmetries.gauge(program, Budget())
    assert found == FIBRES[text]
    points = draw.integers(1, P, size=(program.weights + 2, program.inputs))
    every = rank(jacobian(program, P, values, points, Budget()), P) if program.weights else 0
    assert found[1] <= program.weights - every


@pytest.mark.parametrize(
    ("text", "case"),
    [
        ("[2,3,1] r=2 bias", ((3, 4, 1), (2,))),
        ("x=input(2); a=dense(x,2); b=power(a,3); c=dense(b,2); bias(c)", ((3, 3, 2), (3,))),
        ("x=input(2); a=dense(x,2); bias(a)", ((3, 2), ())),
        ("[2,3,1] r=2", None),
        ("x=input(2); a=dense(x,2); b=bias(a); c=dense(b,2); d=power(c,2); e=power(d,3); dense(e,1)", None),
        ("x=input(2); a=dense(x,2); b=bias(a); c=power(b,2); power(c,3)", None),
        ("x=input(2); a=dense(x,2); b=bias(a); c=dense(b,2); dense(c,1)", None),
        ("x=input(2); a=bias(x); b=dense(a,2); c=power(b,2); dense(c,2)", None),
        ("x=input(2); a=dense(x,2); b=power(a,2); bias(b)", None),
        ("x=input(2); a=dense(x,2); b=power(a,2); c=bias(b); dense(c,1)", None),
        ("x=input(2); a=dense(x,2); b=bias(a); c=power(b,2); dense(c,2,shares=a)", None),
        ("x=input(2); a=dense(x,2); b=bias(a); c=power(b,2); d=dense(c,2); bias(d,shares=b)", None),
        ("x=input(2,2); a=dense(x,2); bias(a)", None),
        ("x=input(2); a=scale(x); b=bias(a); c=power(b,2); dense(c,1)", None),
        ("x=input(2); a=dense(x,2); b=bias(a); c=polynomial(b,[0,1,1]); dense(c,1)", None),
    ],
)
def test_perceptrons_with_biases(text: str, case: object) -> None:
    assert symmetries.homogenised(program_of(text)) == case


def test_attention_on_one_token() -> None:
    for text, value in (
        ("x=input(1,3); attention(x,1,2)", 2 * 3 - 1 + 6 - 1),
        ("x=input(1,3); attention(x,2,1)", 3 * 3 - 3 + 3 - 1),
        ("x=input(2,1); attention(x,1,1)", -1),
        ("x=input(2,2); attention(x,1,1)", -1),
        ("x=input(1,2); a=attention(x,1,2); attention(a,1,1)", -1),
        ("x=input(1,2); dense(x,1)", -1),
    ):
        assert symmetries.one_token(program_of(text)) == value, text


def test_degrees_of_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, degrees in (
        ("x=input(2); a=dense(x,1); polynomial(a,[0,1,0,2])", [1, 3]),
        ("x=input(2); a=dense(x,1); b=bias(a); power(b,3)", [0, 1, 2, 3]),
        ("x=input(2); a=polynomial(x,[1,0,1]); b=sum(a,x); product(b,x)", [1, 2, 3]),
        ("x=input(2); a=product(x,x); b=sum(x,a); power(b,3)", [3, 4, 5, 6]),
        ("x=input(2,2); a=bias(x); attention(a,1,1)", [0, 1, 2, 3]),
    ):
        assert symmetries.degree_set(program_of(text), Budget()) == degrees, text
    monkeypatch.setattr(symmetries, "MOST_DEGREES", 1)
    ten, eleven = set(range(10)), set(range(11))
    assert symmetries._sums(ten, ten, Budget()) == set(range(19))
    for a, b in ((ten, eleven), (eleven, ten), ({0}, set(range(101)))):
        with pytest.raises(BudgetError, match="the degrees"):
            symmetries._sums(a, b, Budget())


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("x=input(4); a=convolution(x,2,2); b=convolution(x,3); product(a,b)", [(0, 1, 2, 3)]),
        ("x=input(4); a=convolution(x,2,2); b=convolution(x,3); product(b,a)", [(0, 1, 2, 3)]),
        ("x=input(4); a=convolution(x,2,2); b=convolution(x,3); sum(a,b)", [(0, 1, 2, 3)]),
        ("x=input(4); a=convolution(x,2,2); polynomial(a,[0,0,1])", [(0, 1), (2, 3)]),
        ("x=input(4); a=convolution(x,2,2); polynomial(a,[0,0,0,1])", [(0, 1), (2, 3)]),
        ("x=input(4); a=scale(x); b=polynomial(a,[1,2]); c=convolution(b,2,2); power(c,2)", [(0, 1), (2, 3)]),
        ("x=input(4); a=scale(x); b=polynomial(a,[1,0,1]); c=convolution(b,2,2); power(c,2)", [(0,), (1,), (2,), (3,)]),
        ("x=input(4); a=scale(x); b=polynomial(a,[0,0,1]); c=convolution(b,2,2); power(c,2)", [(0,), (1,), (2,), (3,)]),
        ("x=input(4); a=scale(x); b=polynomial(a,[0,1,1]); c=convolution(b,2,2); power(c,2)", [(0, 1, 2, 3)]),
        ("x=input(5); a=convolution(x,2,4); power(a,2)", [(0, 1, 2, 3, 4)]),
    ],
)
def test_groups_of_inputs(text: str, groups: list[tuple[int, ...]]) -> None:
    assert monomials.separate_inputs(program_of(text)) == groups


def test_monomials_with_weights_stay_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """In sums and products, whichever comes first."""
    for first, second in ((True, False), (False, True), (True, True), (False, False)):
        weighted = first or second
        assert monomials._union([{(1,): first}, {(1,): second, (2,): first}]) == {(1,): weighted, (2,): first}
        assert monomials._product({(1,): first}, {(2,): second}, Budget()) == {(3,): weighted}
        both = monomials._product({(1,): first, (2,): second}, {(2,): False, (1,): False}, Budget())
        assert both == {(2,): first, (3,): weighted, (4,): second}
    program = read("x0=input(3); x1=dense(x0,2,pattern=[[0,1,-1],[-1,-1,2]]); power(x1,2)")
    each = [(0,), (1,), (2,)]
    assert monomials._followed(program, each, Budget(), 2) == []
    assert list(map(len, monomials._followed(program, each, Budget(), 3))) == [3, 1]
    total = sum(map(len, monomials.coordinates(program, Budget())))
    for most, fits in ((total, True), (total - 1, False)):
        monkeypatch.setattr(monomials, "MOST_COORDINATES", most)
        if fits:
            assert len(monomials.coordinates(program, Budget())) == 2
        else:
            with pytest.raises(BudgetError, match="the coordinates"):
                monomials.coordinates(program, Budget())


def test_a_step_that_nothing_reads_has_no_derivatives() -> None:
    """And those before it have theirs."""
    program = Program(shapes=[(2,)], weights=8)
    for reads, numbers in ((0, [[0, 1], [2, 3]]), (0, [[4, 5]]), (1, [[6, 7]])):
        index = np.array(numbers)
        program.push("linear", (reads,), (len(index),), index)
    values, points = np.arange(2, 10), np.array([[3, 5]])
    made = jacobian(program, 101, values, points, Budget()) % 101
    a, b = 2 * 3 + 3 * 5, 4 * 3 + 5 * 5
    assert made.tolist() == [[v % 101 for v in (8 * 3, 8 * 5, 9 * 3, 9 * 5, 0, 0, a, b)]]
