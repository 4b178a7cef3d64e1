"""What the checker reads off random networks of every family: against the search's reading, and derivatives."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import pytest
from dimension.bounds.random_networks import networks

from polygeom.dimensions.bounds.graphs import plain_text
from polygeom.dimensions.proofs import symmetries
from polygeom.dimensions.proofs.graphs.bounds import _FOR_PROGRAMS
from polygeom.dimensions.proofs.graphs.parts import absorbs, lines_of, mixes
from polygeom.dimensions.proofs.jacobians import forward, jacobian
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.monomials import coefficients_that_vary, occurring
from polygeom.dimensions.proofs.programs import Program, from_lines, read
from polygeom.dimensions.proofs.rules import Step
from polygeom.dimensions.proofs.symmetries import PRIME, degree_set, gauge, homogenised, one_token, torus
from polygeom.engines.symbolic import coefficient_map
from polygeom.network import Network, parse
from polygeom.symmetry.gauge import torus_rank

OWN = [
    "[3,3,3,3] r=2 tied",
    "[2,3,3,2] r=1,2",
    "[2,3,3,2] p=1,1",
    "[2,2,3,1] r=1 bias",
    "x=input(2,3); a=attention(x,3,2); b=attention(a,2,1); sum(b,b)",
    "x=input(4,2); a=convolution(x,2,1,3); b=power(a,2); flatten(b)",
    "x=input(2); a=dense(x,3); b=dense(x,3); c=sum(a,b); d=bias(c); e=dense(d,2); f=bias(e); power(f,2)",
    "x=input(2); a=dense(x,3); b=bias(a); c=dense(b,2); d=bias(c); e=dense(b,2); f=bias(e); product(d,f)",
    "x=input(2); a=dense(x,2); b=scale(a); c=power(b,1); d=dense(c,3); e=polynomial(d,[0,2]); dense(e,1)",
]


@cache
def some() -> tuple[tuple[Network, Program], ...]:
    drawn = networks(random.Random(23), 40, 40)
    return tuple((one, read(plain_text(one))) for one in (*map(parse, OWN), *(next(drawn) for _ in range(60))))


def tangent(program: Program) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the checker's choice, and the Jacobian at some points there."""
    values = np.random.default_rng(program.weights).integers(1, PRIME, size=program.weights)
    points = np.random.default_rng(5).integers(1, PRIME, size=(program.weights + 3, program.inputs))
    return values, jacobian(program, PRIME, values, points, Budget())


@pytest.mark.thorough
def test_symmetries_are_directions_in_which_no_output_moves() -> None:
    found = {"scalings": 0, "fields": 0}
    for network, program in some():
        values, rows = tangent(program)
        kernels = {"scalings": [symmetries._scalings(program, values, Budget())]}
        kernels["fields"] = list(symmetries._fields(program, values))
        for name, tables in kernels.items():
            for table in tables:
                moved = rows.astype(object) @ table.T.astype(object) % PRIME
                assert not moved.any(), (network.text, name)
                found[name] += len(table)
        assert gauge(program, Budget()) == network.gauge, network.text
        assert torus(program, Budget()) == torus_rank(network), network.text
    assert min(found.values()) > 50, found


@pytest.mark.thorough
def test_programs_are_networks() -> None:
    varying = 0
    for network, program in some():
        assert program.weights == network.parameter_count
        assert (program.inputs, program.outputs) == (network.input_dimension, network.output_dimension)
        assert program.shapes[-1] == network.output_shape
        assert (program.widths, program.degrees) == (network.widths, network.activation_degrees or ())
        assert degree_set(program, Budget()) == [d for low, high in network.degrees for d in range(low, high + 1)]
        assert program.text == plain_text(network)
        again = from_lines(lines_of(program))
        values = np.random.default_rng(1).integers(1, PRIME, size=program.weights)
        points = np.random.default_rng(2).integers(1, PRIME, size=(3, *program.shapes[0]))
        there = [forward(one, PRIME, values, points)[-1] % PRIME for one in (program, again)]
        assert np.array_equal(*there), "statements say the same"
        if network.degree <= 6 and network.parameter_count <= 24:
            known = coefficient_map(network)
            count = sum(any(map(any, c.monoms())) for c in known.values())
            assert coefficients_that_vary(program, Budget()) == count, network.text
            possible = [set(entry) for entry in occurring(program, Budget())]
            assert all(alpha in possible[i] for i, alpha in known), network.text
            varying += 1
    assert varying > 20


def test_what_homogenises() -> None:
    for text, case in (
        ("[2,3,1] r=2 bias", ((3, 4, 1), (2,))),
        ("[2,3,2,4] r=2,3 bias", ((3, 4, 3, 4), (2, 3))),
        ("[2,3,1] r=2", None),
        ("x=input(2); a=dense(x,2); bias(a)", ((3, 2), ())),
        ("x=input(2); a=dense(x,2); b=bias(a); c=power(b,2); d=power(c,2); dense(d,1)", None),
        ("x=input(2); a=dense(x,2); b=dense(a,2); bias(b)", None),
        ("x=input(2); a=bias(x); dense(a,2)", None),
        ("x=input(2,2); a=dense(x,2); bias(a)", None),
        ("x=input(2); a=dense(x,2); b=bias(a); sum(b,x)", None),
        ("x=input(2); a=dense(x,2); b=bias(a); c=bias(b); power(c,2)", None),
        ("[2,2,2,2,2] r=2 bias tied", None),
    ):
        assert homogenised(read(plain_text(parse(text)))) == case, text


def test_attention_on_one_token() -> None:
    for tokens, features, rank, outputs in ((1, 3, 1, 2), (1, 3, 2, 2), (1, 4, 1, 1), (2, 3, 1, 2)):
        program = read(plain_text(parse(f"x=input({tokens},{features}); attention(x,{rank},{outputs})")))
        s = min(2 * rank, features)
        expected = s * features - s * (s - 1) // 2 + outputs * features - 1
        assert one_token(program) == (expected if tokens == 1 else -1)
        step = Step(expected, "one token", [], [], 0, [])
        assert _FOR_PROGRAMS["one token"](program, step, Budget()) is (tokens == 1)
    assert one_token(read("[2,2,1] r=2")) == -1


def test_matrices_are_absorbed_by_full_ones() -> None:
    """At the input: whatever reads it by full matrices of its own; shifts besides where a bias follows each."""
    for text, matrices, shifts in (
        ("x=input(2); dense(x,2)", True, False),
        ("x=input(2); a=dense(x,2); bias(a)", True, True),
        ("x=input(2); a=dense(x,2); b=bias(a); c=power(a,2); sum(b,c)", True, False),
        ("x=input(2); a=dense(x,2); b=bias(a); c=dense(x,2); sum(b,c)", True, False),
        ("x=input(2); power(x,2)", False, False),
        ("x=input(2,2); attention(x,1,1)", True, False),
        ("x=input(2); a=dense(x,2); sum(a,x)", False, False),
    ):
        program = read(plain_text(parse(text)))
        assert (absorbs(program, False), absorbs(program, True)) == (matrices, shifts), text
    for text, expected in (
        ("x=input(2); dense(x,2)", True),
        ("x=input(2); a=dense(x,2); bias(a)", True),
        ("x=input(2); a=dense(x,2); power(a,2)", False),
        ("x=input(2); a=dense(x,2); power(a,1)", True),
        ("x=input(2); a=dense(x,2); sum(a,x)", False),
        ("x=input(2); a=dense(x,2); b=dense(x,2); sum(a,b)", True),
        ("x=input(2); a=dense(x,2); b=power(a,2); sum(a,b)", False),
    ):
        assert mixes(read(plain_text(parse(text)))) is expected, text


def test_ranks_of_symmetries_are_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []
    monkeypatch.setattr(Budget, "rank", lambda _, what, rows, columns: asked.append((what, columns)))
    program = read("[2,3,2,1] r=1,2")
    gauge(program, Budget())
    torus(program, Budget())
    assert asked == [("the rank of the symmetries", program.weights), ("the rank of the scalings", program.weights)]
