"""Small functions of the checker about graphs and rules, each against a brute force or what its words say."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from polygeom.dimensions.bounds.bound import RULES
from polygeom.dimensions.bounds.graphs import plain_text
from polygeom.dimensions.proofs import monomials, symmetries
from polygeom.dimensions.proofs.graphs import formulas, parts, products, steps
from polygeom.dimensions.proofs.graphs.cuts import Cut
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.programs import Program, read
from polygeom.dimensions.proofs.rules import Step
from polygeom.network import parse


def program_of(text: str) -> Program:
    return read(plain_text(parse(text)))


def test_what_a_statement_needs() -> None:
    program = program_of("x=input(2); a=dense(x,2); b=power(a,2); c=dense(x,2); d=sum(b,c); e=dense(d,2); sum(e,x)")
    lines = parts.lines_of(program)
    assert [parts.needed(lines, v) for v in (0, 2, 3, 4)] == [{0}, {0, 1, 2}, {0, 3}, {0, 1, 2, 3, 4}]
    assert [v for v in range(-1, 8) if parts.is_cut(lines, v)] == []
    chain = parts.lines_of(program_of("x=input(2); a=dense(x,2); b=power(a,2); dense(b,2)"))
    assert [v for v in range(-1, 5) if parts.is_cut(chain, v)] == [
        1,
        2,
    ]
    shared = parts.lines_of(program_of("x=input(2); a=dense(x,2); b=power(a,2); dense(b,2,shares=a)"))
    assert [v for v in range(4) if parts.is_cut(shared, v)] == []
    assert [parts.owner(shared, number) for number in range(4)] == [0, 1, 2, 1]
    taken = parts.taken(chain, [2, 3], 1, (7,), [("dense", (0,), [4], {})])
    assert taken == [
        ("input", (), [7], {}),
        ("dense", (0,), [4], {}),
        ("power", (1,), [2], {}),
        ("dense", (2,), [2], {}),
    ]
    assert parts.canonical([("polynomial", (0,), [[0, 0, 1]], {}), ("polynomial", (0,), [[0, 1, 1]], {})]) == [
        ("power", (0,), [2], {}),
        ("polynomial", (0,), [[0, 1, 1]], {}),
    ]
    for odd in ([], [[0, 0, 1], [0, 0, 1]], [[0, 2, 1]], [[1, 0, 1]]):
        assert parts.canonical([("polynomial", (0,), odd, {})]) == [("polynomial", (0,), odd, {})]
    negative = [("polynomial", (0,), [[0, 0, -1]], {})]
    assert parts.canonical(negative) == negative
    assert parts.canonical([("polynomial", (0,), [[0, 2]], {})]) == [("polynomial", (0,), [[0, 2]], {})]
    assert [layer.word for layer in parts.readers(program, 0)] == ["dense", "dense", "sum"]


def test_powers_of_forms_at_a_cut() -> None:
    for text, v, forms in (
        ("x=input(2); a=dense(x,3); b=power(a,2); dense(b,1)", 2, (2, 3, 2)),
        ("x=input(2); a=dense(x,3); b=bias(a); c=power(b,4); dense(c,1)", 3, (3, 3, 4)),
        ("x=input(2); a=dense(x,3); b=bias(a); c=power(b,4); dense(c,1)", 2, None),
        ("x=input(2,2); a=dense(x,3); b=power(a,2); dense(b,1)", 2, None),
        ("x=input(2); a=dense(x,3); b=power(a,2); c=dense(b,2); d=power(c,2); dense(d,1)", 4, None),
    ):
        assert products._forms(Cut(program_of(text), v)) == forms, text
    assert [products._multiples(3, d) for d in (-2, -1, 0, 1, 2)] == [0, 0, 1, 3, 6]
    cut = Cut(program_of("x=input(2); a=dense(x,3); b=power(a,2); c=dense(b,2); d=power(c,2); dense(d,1)"), 2)
    assert products._between(cut, 2, 4, Budget()) == {2: 6}
    assert products._between(cut, 0, 2, Budget()) == {2: 3}
    assert products._left(cut, {2: 6}, Budget()) == 6 - 1, "three quadrics in two values: one conic"
    assert products._left(cut, {1: 3}, Budget()) == 3
    assert [second.v for second, _ in products._later(cut, Budget())] == [3, 4]


def test_spaces_of_activations() -> None:
    for statement, n, biased, size in (
        (("power", (0,), [2], {}), 3, False, 6),
        (("power", (0,), [2], {}), 3, True, 10),
        (("polynomial", (0,), [[0, 1, 0, 1]], {}), 2, False, 2 + 4),
        (("polynomial", (0,), [[0, 1, 0, 1]], {}), 2, True, 10),
        (("polynomial", (0,), [[1, 1]], {}), 2, False, 3),
    ):
        assert steps._features(statement, n, biased) == size
    assert [steps._degree(("power", (), [3], {})), steps._degree(("polynomial", (), [[0, 1, 1]], {}))] == [3, 2]
    assert [steps._degree(("polynomial", (), [values], {})) for values in ([0, 1], [0, 0, 1, 1])] == [0, 0]


def step_of(value: int, name: str, **more: Any) -> Step:
    return Step(value, name, [], [], 0, [], **more)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x=input(3); a=dense(x,2); b=dense(x,2); c=product(a,b); dense(c,1)", 6),
        ("x=input(5); a=dense(x,2); b=dense(x,2); c=product(a,b); dense(c,1)", 4 * 5 - 6),
        ("x=input(3); a=dense(x,1); b=dense(x,1); c=product(a,b); d=dense(c,1); bias(d)", 2 * 3 - 1 + 1),
        ("[3,2,1] r=2 bias", 2 * 3 - 1 + 2 + 1),
        ("x=input(3); a=dense(x,2); b=bias(a); c=power(b,2); dense(c,1)", 2 * 3 - 1 + 2),
        ("x=input(3); a=dense(x,2); b=bias(a); c=polynomial(b,[1,2,1]); dense(c,1)", 2 * 3 - 1 + 2),
        ("x=input(3); a=dense(x,2); b=bias(a); c=polynomial(b,[4,4,1]); dense(c,1)", 2 * 3 - 1 + 2),
        ("x=input(3); a=dense(x,2); b=bias(a); c=polynomial(b,[1,1,1]); dense(c,1)", 2 * 3 - 1 + 2 + 1),
        ("x=input(3); a=dense(x,3); b=polynomial(a,[0,1,1]); dense(b,1)", 3 * 3 - 3 + 3),
    ],
)
def test_quadratic_functions_have_their_dimension(text: str, value: int) -> None:
    program = program_of(text)
    held = [v for v in range(40) if formulas._quadratic_function(program, step_of(v, "quadratic function"), Budget())]
    assert held == [value]
    rule = RULES["quadratic function"].networks
    assert rule is not None
    assert [one.constant for one in rule(parse(text))] == [value], "the search says the same"


@pytest.mark.parametrize(
    "text",
    [
        "x=input(1,3); a=dense(x,2); b=power(a,2); c=dense(b,1); attention(c,1,1)",
        "x=input(1,3); a=dense(x,2); b=attention(a,1,2); c=power(b,2); dense(c,1)",
        "x=input(3); a=dense(x,2); b=power(a,2); c=scale(b); dense(c,1)",
        "x=input(2,2); a=attention(x,2,2); b=attention(a,2,1); sum(b,b)",
        "x=input(2,2); a=attention(x,2,1); b=product(a,a); sum(a,b)",
    ],
)
def test_formulas_are_for_their_networks_alone(text: str) -> None:
    program = program_of(text)
    for name, check in formulas.FORMULA_RULES.items():
        assert not any(check(program, step_of(v, name), Budget()) for v in range(40))


def test_what_follows_a_matrix_decides_what_it_takes_up() -> None:
    for text in ("x=input(2,2); a=dense(x,2); attention(a,1,1)", "x=input(2,2); a=attention(x,1,2); bias(a)"):
        program = program_of(text)
        assert (parts.absorbs(program, False), parts.absorbs(program, True)) == (True, False)
    for text in (
        "x=input(3); a=convolution(x,2); b=bias(a); c=power(b,2); d=dense(c,1); bias(d)",
        "[2,2,1] p=0,1,1 bias",
    ):
        assert symmetries.homogenised(program_of(text)) is None
    assert symmetries.one_token(read("[1,2]")) == -1
    program = program_of("x=input(2,2); a=attention(x,2,2); b=dense(a,3); c=bias(b); power(c,2)")
    below, above = "x0=input(2,2); attention(x0,2,2)", "x0=input(2,2); x1=dense(x0,3); x2=bias(x1); power(x2,2)"
    leaves = [Step(20, "ambient", [], [], 0, [], text) for text in (below, above)]
    held = [
        c for c in range(-9, 0) if steps._graph_cut(program, Step(40 + c, "graph cut", [], [], 1, leaves), Budget())
    ]
    assert held == list(range(-4, 0)), "a matrix is mixed in, no shift"
    twice = "x0=input(2); x1=dense(x0,4); x2=power(x1,2); x3=power(x2,2); dense(x3,1)"
    part = Step(7, "ambient", [], [], 0, [], twice.replace(",4)", ",3)"))
    assert not steps._graph_surplus(read(twice), Step(7, "graph surplus", [], [], 2, [part]), Budget())
    both = "x0=input(2); x1=dense(x0,4); x2=power(x1,2); x3=dense(x2,1); x4=dense(x1,1); sum(x3,x4)"
    part = Step(7, "ambient", [], [], 0, [], both.replace(",4)", ",3)"))
    assert not steps._graph_surplus(read(both), Step(7, "graph surplus", [], [], 2, [part]), Budget())
    scaled = "x0=input(2); x1=polynomial(x0,[1,1,1]); scale(x1)"
    part = Step(7, "ambient", [], [], 0, [], "x0=input(2); x1=bias(x0); x2=power(x1,2); scale(x2)")
    assert not steps._shifted_square(read(scaled), Step(7, "shifted square", [], [], 0, [part]), Budget())


def test_heads_of_full_rank_have_their_dimension() -> None:
    for d, h in itertools.product((2, 3), (2, 3)):
        heads = "; ".join(f"h{k}=attention(x,{d},1)" for k in range(h))
        program = program_of(f"x=input(2,{d}); {heads}; sum({','.join(f'h{k}' for k in range(h))})")
        value = h * (d - h) + d * (d * (d + 1) // 2 - (d - h) * (d - h + 1) // 2)
        held = [v for v in range(60) if formulas._full_heads(program, step_of(v, "heads of full rank"), Budget())]
        assert held == ([value] if h <= d else []), (d, h)


def mixings(text: str) -> list[tuple[int, list[Any], list[Any]]]:
    found = symmetries._mixings(program_of(text))
    return [(m, [w.tolist() for w in made], [w.tolist() for w in read]) for m, made, read in found]


def test_features_that_are_mixed() -> None:
    assert mixings("x=input(3,2); a=dense(x,2); dense(a,1)") == [(2, [[[0, 1], [2, 3]]], [[[4, 5]]])]
    biased = mixings("x=input(2); a=dense(x,2); b=bias(a); dense(b,1)")
    assert biased == [(2, [[[0, 1], [2, 3]], [[4], [5]]], [[[6, 7]]])]
    added = mixings("x=input(2); a=dense(x,2); b=dense(x,2); c=sum(a,b); dense(c,1)")
    assert added == [(2, [[[0, 1], [2, 3]], [[4, 5], [6, 7]]], [[[8, 9]]])]
    for text in (
        "x=input(2); a=dense(x,1); dense(a,2)",
        "x=input(2); a=dense(x,2); b=power(a,2); dense(b,2)",
        "x=input(2); a=dense(x,2); b=sum(a,x); dense(b,2)",
        "x=input(2); a=dense(x,2); sum(a,a)",
        "x=input(2); a=dense(x,2); b=dense(a,2); sum(b,a)",
        "x=input(2); a=dense(x,2); b=dense(a,2,shares=a); power(b,2)",
    ):
        assert mixings(text) == [], text


def test_matrices_that_are_taken_up() -> None:
    def of(text: str, number: int) -> tuple[Any, Any]:
        program = program_of(text)
        layer = program.layers[number]
        both = symmetries.rows_of(layer, program), symmetries.columns_of(layer, program)
        rows, columns = (None if found is None else [w.tolist() for w in found] for found in both)
        return rows, columns

    assert of("x=input(2); dense(x,1)", 1) == ([[[0, 1]]], [[[0, 1]]])
    assert of("x=input(2); bias(x)", 1) == ([[[0], [1]]], None)
    assert of("x=input(2); scale(x)", 1) == (None, None)
    assert of("x=input(2,2); attention(x,1,1)", 1) == ([[[4, 5]]], [[[0, 1]], [[2, 3]], [[4, 5]]])
    assert of("x=input(3); convolution(x,2,1)", 1) == (None, None)
    assert of("x=input(3); convolution(x,2,1,2)", 1) == ([[[0, 1], [2, 3]]], None)
    assert of("x=input(3,2); convolution(x,2)", 1) == ([[[0, 1, 2, 3]]], [[[0, 1], [2, 3]]])
    assert of("x=input(2); power(x,2)", 1) == (None, None)
    assert of("x=input(2); a=dense(x,2); dense(a,2,shares=a)", 1) == (None, None)
    assert of("x=input(2); a=dense(x,2); sum(a,x)", 2) == ([], None)


def test_biases_that_are_shifted() -> None:
    def shifts(text: str, count: int) -> list[list[list[int]]]:
        return [rows.tolist() for rows in symmetries._shifts(program_of(text), np.arange(10, 10 + count))]

    one = "x=input(1); a=dense(x,2); b=bias(a); c=dense(b,1); d=bias(c); power(d,2)"
    assert shifts(one, 7) == [[[0, 0, 1, 0, 0, 0, -14], [0, 0, 0, 1, 0, 0, -15]]]
    for text in (
        "x=input(1); a=dense(x,2); b=bias(a); c=dense(b,1); power(c,2)",
        "x=input(1); a=dense(x,2); b=bias(a); c=power(b,2); d=dense(c,1); bias(d)",
        "x=input(1); a=dense(x,2); b=bias(a); c=dense(b,1); d=bias(c); sum(d,c)",
        "x=input(1); a=dense(x,1); b=bias(a); c=dense(b,1); d=bias(c,shares=b); power(d,2)",
        "x=input(1,2); a=bias(x); b=attention(a,1,2); bias(b)",
        "x=input(1,2); a=bias(x); b=dense(a,2); attention(b,1,1)",
    ):
        assert shifts(text, 9) == [], text


def test_degrees_of_values_are_sums() -> None:
    budget = Budget()
    for a, times in itertools.product(({0, 1}, {1}, {1, 3}, {0, 2, 3}), range(1, 6)):
        every = {sum(word) for word in itertools.product(a, repeat=times)}
        assert symmetries._multiple(a, times, budget) == every
        assert symmetries._polynomial_degrees(a, (0,) * times + (1,), budget) == every  # type: ignore[arg-type]
        entry = {(d, 1): d == 3 for d in a}
        raised = monomials._raised(entry, times, 2, budget)
        assert {k for k, _ in raised} == every
        for k, weighted in raised.items():
            words = [
                word for word in itertools.product(entry, repeat=times) if tuple(map(sum, zip(*word, strict=True))) == k
            ]
            assert weighted == any(entry[one] for word in words for one in word)
    assert symmetries._polynomial_degrees({1, 2}, (1, 0, 5), budget) == {0, 2, 3, 4}  # type: ignore[arg-type]
    program = program_of("x=input(2); a=dense(x,2); b=power(a,2); c=bias(b); d=polynomial(c,[0,0,1]); sum(d,a)")
    assert symmetries.degree_set(program, budget) == [0, 1, 2, 4]


def changed(text: str, value: int, part: str, layer: int) -> Iterator[tuple[str, int, str, int]]:
    yield text, value - 1, part, layer
    yield text, value, part, layer + 1
    yield text, value, text, layer
    yield "x0=input(2); x1=dense(x0,4); x2=power(x1,3); x3=dense(x2,2); sum(x0,x3)", value, part, layer


@pytest.mark.parametrize(
    ("name", "text", "constant", "part", "layer"),
    [
        (
            "graph outputs",
            "x=input(2); a=dense(x,2); b=power(a,2); c=sum(b,a); dense(c,3)",
            2,
            "x=input(2); a=dense(x,2); b=power(a,2); c=sum(b,a); dense(c,2)",
            0,
        ),
        (
            "graph outputs",
            "x=input(2); a=dense(x,2); b=power(a,2); c=sum(b,a); d=dense(c,4); bias(d)",
            2 * 3,
            "x=input(2); a=dense(x,2); b=power(a,2); c=sum(b,a); d=dense(c,2); bias(d)",
            0,
        ),
        (
            "graph surplus",
            "x=input(2); a=dense(x,4); b=power(a,2); c=dense(b,2); sum(x,c)",
            0,
            "x=input(2); a=dense(x,3); b=power(a,2); c=dense(b,2); sum(x,c)",
            2,
        ),
        (
            "one token at a time",
            "x=input(3,4,2); a=dense(x,2); b=power(a,2); sum(b,a)",
            0,
            "x=input(2); a=dense(x,2); b=power(a,2); sum(b,a)",
            0,
        ),
        (
            "shifted square",
            "x=input(2); a=polynomial(x,[1,1,1]); dense(a,2)",
            0,
            "x=input(2); a=bias(x); b=power(a,2); dense(b,2)",
            0,
        ),
    ],
)
def test_steps_have_one_part_one_place_and_their_constant(
    name: str, text: str, constant: int, part: str, layer: int
) -> None:
    text, part = plain_text(parse(text)), plain_text(parse(part))

    def holds(text: str, value: int, part: str, layer: int, times: int = 1) -> bool:
        leaf = Step(7, "ambient", [], [], 0, [], part)
        return steps.GRAPH_RULES[name](
            read(text), Step(value + 7 * times, name, [], [], layer, [leaf] * times), Budget()
        )

    assert holds(text, constant, part, layer)
    assert holds(text, constant + 1, part, layer)
    for wrong in changed(text, constant, part, layer):
        assert not holds(*wrong), wrong
    assert not holds(text, constant, part, layer, 2)


@pytest.mark.parametrize(
    ("text", "mixed", "absorbed", "shifted"),
    [
        ("x=input(2); dense(x,2)", True, True, False),
        ("x=input(2); a=dense(x,2); bias(a)", True, True, True),
        ("x=input(2); a=dense(x,2); b=bias(a); c=dense(x,2); sum(b,c)", True, True, False),
        ("x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,2); sum(a,c)", False, True, False),
        ("x=input(2); a=dense(x,2); b=dense(a,2); sum(a,b)", True, True, False),
        ("x=input(2); a=dense(x,2); sum(a,x)", False, False, False),
        ("x=input(2); bias(x)", False, False, False),
        ("x=input(2); scale(x)", False, False, False),
        ("x=input(2); a=dense(x,2); power(a,2)", False, True, False),
        ("x=input(2); a=dense(x,2); b=bias(a); c=dense(x,2); d=bias(c); product(b,d)", False, True, True),
        ("x=input(2); a=dense(x,2); b=bias(a); c=dense(a,2); d=bias(c); product(b,d)", False, True, False),
        ("x=input(2); a=dense(x,2); b=bias(a); c=dense(x,2,shares=a); d=bias(c); product(b,d)", False, False, False),
        ("x=input(2); a=dense(x,2); b=bias(a); c=dense(x,2); d=bias(c,shares=b); product(b,d)", False, True, False),
        ("x=input(3,2); attention(x,1,2)", True, True, False),
        ("x=input(3,2); a=convolution(x,2,1,2); bias(a)", True, True, False),
        ("x=input(3); a=convolution(x,2); power(a,2)", False, False, False),
    ],
)
def test_matrices_that_a_network_takes_up(text: str, mixed: bool, absorbed: bool, shifted: bool) -> None:
    """Behind its outputs, before its inputs, and there with a shift."""
    program = program_of(text)
    assert parts.mixes(program) is mixed
    assert parts.absorbs(program, False) is absorbed
    assert parts.absorbs(program, True) is shifted
