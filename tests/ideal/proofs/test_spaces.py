"""Weight spaces of the checker, function by function: monomials, ranks of values and multiples, primes."""

from __future__ import annotations

import itertools
import json
import math
import random
from collections import Counter
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import flint
import numpy as np
import pytest

from polygeom.dimensions.proofs.decoding import decode
from polygeom.dimensions.proofs.limits import Budget
from polygeom.errors import BudgetError
from polygeom.ideal import interpolate
from polygeom.ideal.proofs import spaces
from polygeom.ideal.proofs.certificate import certify
from polygeom.ideal.proofs.claims import Claim, Equation, IdealCertificate
from polygeom.ideal.proofs.coefficients import PRIME, Coefficients
from polygeom.ideal.proofs.spaces import Monomials, Space, _primes


def claim_of(network: str, top: int | None = None, **changes: Any) -> Claim:
    data = json.loads(json.dumps(certify(interpolate(network, top)))) | changes
    return Claim(decode(data, IdealCertificate), Budget())


@pytest.fixture(scope="module")
def minors() -> Claim:
    """The 2 × 2 minors of a symmetric matrix of four rows: 20 quadrics."""
    return claim_of("[4,1,1] r=2")


@pytest.mark.parametrize("network", ["[3,1,1] r=2", "[2,1,2] r=2", "[2,1,2] r=2 bias", "[2,2,2] r=3"])
def test_the_monomials_of_a_weight_are_all_there_are(network: str) -> None:
    claim = claim_of(network, 2)
    every = list(range(claim.size))
    for kept in (every, every[1:], every[::2]):
        table = Monomials(claim, kept)
        for degree in range(4):
            expected: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
            for m in itertools.combinations_with_replacement(kept, degree):
                weight = (
                    tuple(map(sum, zip(*(claim.weights[k] for k in m), strict=True)))
                    if m
                    else (0,) * len(claim.weights[0])
                )
                expected.setdefault(weight, []).append(m)
            for weight, wanted in expected.items():
                assert sorted(table.of(degree, weight)) == wanted
            dominant = {claim.dominant(weight) for weight in expected}
            if kept == every:
                assert table.dominant_weights(degree) == dominant
            none = tuple(w + 1 for w in max(expected))
            assert none in expected or table.of(degree, none) == []


def test_the_monomials_are_counted(minors: Claim, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[float] = []
    monkeypatch.setattr(minors.budget, "step", lambda what, operations=0, size=0: sizes.append(size))
    table = Monomials(minors, list(range(minors.size)))
    weights = sorted(table.dominant_weights(2))
    sizes.clear()
    listed = [len(table.of(2, weight)) for weight in weights]
    assert sizes == [150.0 * (1 + k + sum(listed[: k + 1])) for k in range(len(listed))]
    assert [len(table.of(2, weight)) for weight in weights] == listed
    assert len(sizes) == len(listed), "known ones cost nothing"


def rank_over_q(rows: Sequence[dict[int, int]], width: int) -> int:
    table = flint.fmpz_mat(len(rows), width, [row.get(k, 0) for row in rows for k in range(width)])
    return int(table.rank())


def quadrics(claim: Claim) -> list[Space]:
    table = Monomials(claim, list(claim.kept))
    return [Space(2, weight, table, claim) for weight in sorted(table.dominant_weights(2))]


def test_values_and_multiples_have_the_ranks_of_the_parts_of_the_ring(minors: Claim) -> None:
    coefficients = Coefficients(minors)
    listed = {tuple(w): (count, rank) for w, count, rank in minors.data.degrees[1].spaces}
    cubic = Monomials(minors, list(minors.kept))
    for space in quadrics(minors):
        count, rank = listed[space.weight]
        assert len(space.monomials) == count
        assert space.value_rank(coefficients, rank) == rank
        equations = count - rank
        assert space.generated(equations)
        assert not space.generated(equations + 1)
        assert space.minimal(equations)
    for weight in sorted(cubic.dominant_weights(3)):
        space = Space(3, weight, cubic, minors)
        rows = list(space._rows(3))
        rank = rank_over_q(rows, len(space.monomials)) if rows else 0
        assert rank == len(space.monomials) - space.value_rank(coefficients, len(space.monomials))
        assert space.generated(rank)
        assert not space.generated(rank + 1)
        assert space.minimal(rank), "there are no equations of this degree"


@pytest.mark.parametrize("route", ["leads", "mixed", "all"])
def test_each_route_to_the_rank_of_multiples(minors: Claim, monkeypatch: pytest.MonkeyPatch, route: str) -> None:
    """Leading monomials; random combinations, where there are many rows; all rows."""
    table = Monomials(minors, list(minors.kept))
    space = max((Space(6, w, table, minors) for w in table.dominant_weights(6)), key=lambda one: len(one.monomials))
    rows = list(space._rows(6))
    rank = rank_over_q(rows, len(space.monomials))
    asked: list[int] = []
    honest, mixed = Space._has_leads, Space._mixed
    if route != "leads":
        monkeypatch.setattr(Space, "_has_leads", lambda *_: False)
    if route == "all":
        monkeypatch.setattr(Space, "_mixed", lambda self, rows, height: np.zeros((1, 1), dtype=np.int64))
    if route == "mixed":
        monkeypatch.setattr(
            Space, "_mixed", lambda self, rows, height: (asked.append(height), mixed(self, rows, height))[1]
        )
        monkeypatch.setattr(Space, "_matrix", lambda *_: np.zeros((1, 1), dtype=np.int64))
    if route == "leads":
        assert honest(space, 1)
        assert not honest(space, rank + 1)
    assert len(rows) > 2 * (rank + 20 + rank // 50)
    assert space.generated(rank)
    assert not space.generated(rank + 1)
    assert space.generated(0)
    if route == "mixed":
        assert asked[0] == rank + 20 + rank // 50
        matrix = mixed(space, rows, 30)
        assert matrix.shape == (30, len(space.monomials))
        assert 0 <= matrix.min() <= matrix.max() < PRIME
        both = [*rows, *({k: int(c) for k, c in enumerate(row) if c} for row in matrix.tolist())]
        table_mod_p = flint.nmod_mat(
            len(both),
            len(space.monomials),
            [row.get(k, 0) % PRIME for row in both for k in range(len(space.monomials))],
            PRIME,
        )
        assert table_mod_p.rank() == rank, "combinations of the rows"


def test_one_equation_too_many_is_not_minimal(minors: Claim) -> None:
    """The sum of two equations, or a multiple of one of lower degree."""
    space = max(quadrics(minors), key=lambda one: len(one.monomials))
    own = [e for e in minors.equations if e.weight == space.weight]
    assert len(own) == 2
    assert space.minimal(2)
    assert not space.minimal(1)
    assert not space.minimal(3), "with two equations of the lowest degree no rank of three"


def test_primes_are_as_many_as_a_minor_needs() -> None:
    for bits in (0.0, 60.0, 61.5, 100.0, 122.0, 123.5, 500.0):
        found = list(_primes(bits))
        assert len(set(found)) == len(found)
        assert all(flint.fmpz(p).is_prime() and 2**61 < p < 2**62 for p in found)
        assert math.log2(math.prod(found)) > bits
        assert len(found) == 1 or math.log2(math.prod(found[:-1])) < bits + 2
    assert next(_primes(0)) == 2**62 - 57
    first, second = itertools.islice(_primes(500.0), 2)
    assert not any(flint.fmpz(n).is_prime() for n in range(second + 1, first))


def test_leading_monomials_are_those_of_four_orders(minors: Claim, monkeypatch: pytest.MonkeyPatch) -> None:
    table = Monomials(minors, list(minors.kept))
    leads = table.leads
    terms = [
        [tuple(sorted(move[k] for k in m)) for m, _ in e.terms]
        for e in minors.equations
        for _, move in minors.copies(e)
    ]
    ends = [
        {min(t) for t in terms},
        {max(t) for t in terms},
        {min(t, key=lambda m: m[::-1]) for t in terms},
        {max(t, key=lambda m: m[::-1]) for t in terms},
    ]
    assert leads == [{2: end} for end in ends]
    copies = sum(minors.orbit_size(e.weight) for e in minors.equations)
    for most, expected in ((copies, leads), (copies - 1, [{}] * 4)):
        monkeypatch.setattr(spaces, "MOST_COPIES", most)
        assert Monomials(minors, list(minors.kept)).leads == expected
    fewer = Monomials(minors, [k for k in minors.kept if k])
    assert all(0 not in m for one in fewer.leads for found in one.values() for m in found)


def test_values_of_coordinates_are_theirs(minors: Claim) -> None:
    """At weights drawn from one seed: more points go on where fewer ended."""
    halves = "x=input(2); a=dense(x,1); b=polynomial(a,[0,1/2,1/3]); dense(b,2)"
    for claim in (minors, claim_of("[2,1,2] r=2 bias", 1), claim_of(halves, 1)):
        coefficients = Coefficients(claim)
        few, many = coefficients.modulo(3).copy(), coefficients.modulo(5)
        assert few.shape == (3, claim.size)
        assert many.shape[0] >= 5
        assert (many[:3] == few).all()
        assert (coefficients.modulo(2) == few[:2]).all()
        draw = random.Random(PRIME)
        for row in few.tolist():
            weights = [draw.randrange(PRIME) for _ in range(claim.program.weights)]
            for value, polynomial in zip(row, coefficients.polynomials, strict=True):
                expected = sum(
                    int(c.numerator)
                    * pow(int(c.denominator), -1, PRIME)
                    * math.prod(pow(w, e, PRIME) for w, e in zip(weights, es, strict=True))
                    for es, c in polynomial.items()
                )
                assert value == expected % PRIME


def test_a_rank_that_does_not_fit_is_refused(minors: Claim) -> None:
    tight = Claim(minors.data, Budget(60, 2**10))
    table = Monomials(minors, list(minors.kept))
    space = Space(2, quadrics(minors)[-1].weight, table, tight)
    with pytest.raises(BudgetError, match="rank of the equations"):
        space._matrix([{0: 1}] * 100, PRIME)
    matrix = Space(2, space.weight, table, minors)._matrix([{0: -1}, {}], PRIME)
    assert Counter(matrix.ravel().tolist()) == {0: matrix.size - 1, PRIME - 1: 1}


def test_the_last_weight_is_the_same_for_exchanged_coordinates() -> None:
    """That of the homogenising coordinate, where there is one."""
    claim = claim_of("[2,1,2] r=2 bias", 1)
    coefficients, weights = Coefficients(claim), claim.weights
    assert coefficients._columns_are_those_of_blocks()
    claim.cone = False
    for last, fits in (((0, 0, 0, 0), True), ((1, 1, 2, 2), True), ((1, 0, 0, 0), False), ((0, 0, 0, 1), False)):
        claim.weights = [*weights, last]
        assert coefficients._columns_are_those_of_blocks() is fits, last


def test_no_time_goes_into_multiples_of_linear_equations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a coordinate that is not kept, so none of their multiples lies in the ring of those that are."""
    claim = claim_of("x=input(2); a=dense(x,1); b=power(a,2); c=dense(b,2); sum(x,c)", 2)
    assert sum(equation.degree == 1 for equation in claim.equations) == 4
    asked: list[int] = []
    multiples = Space._multiples
    monkeypatch.setattr(
        Space,
        "_multiples",
        lambda self, equation, *rest: (asked.append(equation.degree), multiples(self, equation, *rest))[1],
    )
    table = Monomials(claim, list(claim.kept))
    for degree in (2, 3):
        for weight in table.dominant_weights(degree):
            list(Space(degree, weight, table, claim)._rows(degree))
    assert set(asked) == {2}


def test_a_multiple_of_an_equation_is_not_minimal(minors: Claim) -> None:
    """A quadric times a coordinate, listed among the cubics."""
    table = Monomials(minors, list(minors.kept))
    spaces = [Space(3, weight, table, minors) for weight in sorted(table.dominant_weights(3))]
    space, rank = next((s, rank_over_q(rows, len(s.monomials))) for s in spaces if len(rows := list(s._rows(3))) > 3)
    row = next(space._rows(2))
    terms = tuple(sorted((space.monomials[k], c) for k, c in row.items()))
    known = minors.equations
    try:
        minors.equations = [*known, Equation(3, space.weight, terms)]
        assert space.generated(rank)
        assert not space.minimal(rank)
        assert space.minimal(rank + 1), "as far as ranks go"
    finally:
        minors.equations = known
    assert space.minimal(rank)


def test_ranks_over_the_rationals_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Coefficients that are zero modulo the first primes."""
    first, second = itertools.islice(_primes(100.0), 2)
    own = SimpleNamespace(degree=2, weight=())
    space = Space.__new__(Space)
    space.degree, space.weight, space.monomials = 2, (), [(0, 0), (0, 1)]
    space.claim = SimpleNamespace(equations=[own], budget=Budget())  # type: ignore[assignment]
    for rows, rank in (
        ([{0: first}], 1),
        ([{0: first * second}], 1),
        ([{0: first}, {1: first}], 2),
        ([{0: 1}, {1: first}], 2),
        ([{0: 1, 1: 1}, {0: 1, 1: first + 1}], 2),
    ):
        monkeypatch.setattr(Space, "_rows", lambda *_, rows=rows: iter(rows))
        assert space.minimal(rank) is False, "the rows alone have this rank"
        assert space.minimal(rank + 1)
