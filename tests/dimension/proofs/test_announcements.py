"""What the steps of a check say beforehand of their length and size, and where they are too long for any limit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from polygeom.dimensions.bounds.graphs import plain_text
from polygeom.dimensions.proofs import jacobians, maps, monomials, rules, symmetries
from polygeom.dimensions.proofs.graphs import bounds, cuts, expansion, parts
from polygeom.dimensions.proofs.limits import LARGE, Budget
from polygeom.dimensions.proofs.programs import Program, read
from polygeom.dimensions.proofs.rules import Step
from polygeom.dimensions.proofs.verification import Witness, _rank_holds
from polygeom.errors import BudgetError
from polygeom.network import parse

Told = list[tuple[Any, ...]]


class Recorded(Budget):
    """A budget that allows everything and notes what it is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.told: Told = []

    def step(self, what: str, operations: float = 0, size: float = 0) -> None:
        self.told.append((what, operations, size))
        if operations == math.inf:
            raise BudgetError(what)

    def rank(self, what: str, rows: int, columns: int) -> None:
        self.told.append((what, rows, columns))


def told(act: Callable[[Budget], Any]) -> Told:
    budget = Recorded()
    act(budget)
    return budget.told


def program_of(text: str) -> Program:
    return read(plain_text(parse(text)))


SQUARE = "[2,3,1] r=2"


def test_degrees_and_monomials_are_announced() -> None:
    each = ("the degrees of the outputs", 10.0 * symmetries.MOST_DEGREES, 0)
    shifted = program_of("x=input(2); a=bias(x); power(a,2)")
    one, sums = (
        told(lambda b: symmetries.degree_set(read(SQUARE), b)),
        told(lambda b: symmetries.degree_set(shifted, b)),
    )
    assert one == [each] * 3
    assert sums == [each] * 2 + [("the degrees of the outputs", float(n), 0) for n in (1, 2, 4)]
    what = "the monomials of the outputs"
    assert told(lambda b: monomials.occurring(read("[2,2]"), b)) == [(what, 200.0, 0)]
    made = told(lambda b: monomials.occurring(program_of("x=input(2); a=dense(x,1); power(a,2)"), b))
    assert made == [(what, 100.0, 0), (what, 100.0, 0), *((what, 100.0 * n, 0) for n in (1, 2, 4))]
    assert told(lambda b: monomials.coordinates(read(SQUARE), b))[-1] == ("the coordinates", 30.0, 0)


def test_symmetries_are_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    program = program_of("x=input(2); scale(x)")
    what = "the scalings"
    values = np.arange(1, 3)
    rows = told(lambda b: symmetries._scalings(program, values, b))
    assert rows == [(what, 200.0, 0), *[(what, 0, 0)] * 2, (what, 0, 0)], "two exponents are put into two equations"
    twice = program_of("x=input(1); a=scale(x); scale(a)")
    rows = told(lambda b: symmetries._scalings(twice, values, b))
    assert (rows[0], rows[-1]) == ((what, 100.0, 0), (what, 0, 8 * 2))
    assert told(lambda b: symmetries.torus(twice, b))[-1] == ("the rank of the scalings", 1, 2)
    wide = read("[3,2,3] r=1")
    assert told(lambda b: symmetries.gauge(wide, b))[-1] == ("the rank of the symmetries", 2 + 4, 12)
    for memory, count in ((100 * 12 * 6, 6), (100 * 12 * 6 - 1, 2), (1, 2)):
        budget = Recorded()
        budget.memory = memory
        symmetries.gauge(wide, budget)
        assert budget.told[-1] == ("the rank of the symmetries", count, 12), memory
    monkeypatch.setattr(symmetries, "MOST_DEGREES", 1)
    assert symmetries._sums(set(range(10)), set(range(10)), Budget()) == set(range(19))
    with pytest.raises(BudgetError):
        symmetries._sums(set(range(101)), {1}, Budget())


def test_maps_are_announced() -> None:
    map_ = maps.read_map("map(s,t: s^2+t, s/(s+t))")
    what = "the derivatives of the map"
    slopes = [(what, 20.0 * n * 3, 0) for n in (3, 3)]
    assert told(lambda b: maps.slopes(map_, 101, [3, 4], b)) == slopes
    assert told(lambda b: maps._scalings(map_, b)) == [("the scalings", 4, 2)]
    rank = ("the linear symmetries", (2 + 6 // 2) * 2, 6)
    assert told(lambda b: maps._affine(map_, b)) == [*slopes, rank, *slopes * 4]
    flat: Any = [0] * 6
    flow = told(lambda b: maps.constant_along(map_, flat, b))
    assert flow == [("the linear symmetries", 50.0 * 2 * n, 0) for n in (1 + 2 * 1, 1 + 1 * 2)]


def test_expansions_are_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    program = program_of("x=input(2); a=dense(x,1); power(a,2)")
    what = "the expansion of the outputs"
    sizes = [1, 1, 1, 2, 4]
    assert told(lambda b: expansion.Expansion(program, b).outputs()) == [(what, 300.0 * n, 0) for n in sizes]
    assert told(lambda b: expansion.linear_span(program, b))[-1] == ("the linear span of the coefficients", 3, 3)
    made = told(lambda b: cuts.independent(program, True, b))
    assert made == [("values at a cut", 1e3 * 6 * (program.entries + 2), 0), ("values at a cut", 6, 2)]
    lines = parts.lines_of(program)
    assert told(lambda b: list(parts.closed_parts(lines, b))) == [("the parts of the network", 300.0, 0)] * 3
    for most, fits in ((3, True), (2, False)):
        monkeypatch.setattr(parts, "MOST_STATEMENTS", most)
        if fits:
            assert list(parts.closed_parts(lines, Budget())) == [(0, [1]), (0, [1, 2]), (1, [2])]
        else:
            with pytest.raises(BudgetError):
                list(parts.closed_parts(lines, Budget()))


def test_proofs_are_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    what = "the proof of the upper bound"
    leaf = Step(6, "parameters", [2, 3, 1], [2], 0, [])
    assert told(lambda b: rules.holds(leaf, b)) == [(what, rules.MOST_STEPS * 3, 0)]
    surplus = Step(6, "surplus", [2, 3, 1], [2], 0, [leaf])
    for most, holds in ((2, True), (1, False)):
        monkeypatch.setattr(rules, "MOST_STEPS", most)
        assert rules.holds(surplus, Budget()) is holds
    skip = program_of("x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,2); sum(x,c)")
    step = Step(6 + 2, "cells", [], [], 0, [Step(6, "parameters", [2, 2, 2], [2], 0, [])])
    assert told(lambda b: bounds.bound_holds(skip, step, b))[0] == (what, 1000.0 * skip.entries, 0)
    for most, holds in ((1, True), (0, False)):
        monkeypatch.setattr(rules, "MOST_STEPS", most)
        monkeypatch.setattr(rules, "holds", lambda *_: True)
        assert bounds.bound_holds(skip, step, Budget()) is holds


def test_ranks_are_announced() -> None:
    found = told(lambda b: rules.conditions(3, 5, 3, 3, 4, b))
    assert len(found) == 1
    words = sum(max(map(w.count, w)) < 3 for w in rules.choices(3, 5))
    assert found[0] == (
        "the rule identifications",
        min(14 * 4, (-(-14 // words) + rules.monomials(1, 9)) * words),
        220 // 4,
    )
    program = read(SQUARE)
    count = 2 + 1 + 3 + 3 + 1 - 1
    made = told(lambda b: jacobians.jacobian(program, 101, np.arange(9), np.arange(6).reshape(3, 2), b))
    assert made == [("the Jacobian", 2 * 3 * 2 * (9 + count), 2 * 8 * 3 * 9), ("the Jacobian", 0, 0)]
    witness = Witness(3, 101, [*range(1, 10)], [[1, 2], [3, 4], [5, 7]])
    assert told(lambda b: _rank_holds(program, witness, b))[0] == ("the rank of the Jacobian", 3, 9)
    assert _rank_holds(program, Witness(0, 101, [], []), Budget())
    assert not _rank_holds(program, Witness(4, 101, [*range(1, 10)], [[1, 2], [3, 4], [5, 7]]), Budget())
    assert not _rank_holds(program, Witness(10, 101, [*range(1, 10)], [[1, 2]] * 20), Budget())
    assert LARGE == 256
