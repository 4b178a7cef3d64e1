"""Arguments for completeness, lifting and substitution at their limits, with parts that a test sets."""

from __future__ import annotations

import time
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import flint
import numpy as np
import pytest

from polygeom.errors import BudgetError, PolygeomError
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.ideal.grading.quotients import TooLargeError
from polygeom.ideal.grading.spaces import Spaces
from polygeom.ideal.search import completeness, interpolation, lifting, membership, sections
from polygeom.ideal.search.batch import solve_spaces
from polygeom.ideal.search.completeness import Completeness, prove_complete
from polygeom.ideal.search.equations import Equation, generated
from polygeom.ideal.search.interpolation import Interpolation
from polygeom.ideal.search.lifting import lift_relations, primes_below, primitive, small_multiples
from polygeom.ideal.search.membership import Substitution, fixed_weights
from polygeom.ideal.search.sections import orbit_degrees, section
from polygeom.modular import P22, as_field

FIELD = as_field(P22)


def spaces_of(kept: int, size: int, copies: int = 1) -> Any:
    return SimpleNamespace(kept=range(kept), grading=SimpleNamespace(size=size, orbit_size=lambda _: copies))


def equations_of(*degrees: int) -> list[Any]:
    return [SimpleNamespace(degree=degree, weight=()) for degree in degrees]


def argue(kept: int, size: int, dimension: int, *degrees: int, copies: int = 1) -> Completeness | None:
    return prove_complete(equations_of(*degrees), spaces_of(kept, size, copies), dimension, FIELD, (1,), 0)


def test_spaces_and_hypersurfaces_need_no_sections() -> None:
    filling = argue(3, 3, 3)
    assert filling == Completeness("the network is filling: there is no equation", 1, (1,), "filling")
    linear = argue(3, 4, 3)
    assert linear is not None
    assert linear.reason == "the linear equations define a space that the neurovariety fills"
    assert (linear.degree, linear.h_vector, linear.argument, linear.seeds, linear.orbits) == (
        1,
        (1,),
        "filling",
        (),
        (),
    )
    surface = argue(4, 4, 3, 5)
    assert surface is not None
    assert (surface.degree, surface.h_vector, surface.argument) == (5, (1,) * 5, "hypersurface")
    assert "its equation of least degree, 5," in surface.reason
    assert argue(4, 4, 3) is None
    assert argue(4, 4, 3, 5, copies=2) is None
    assert argue(4, 4, 3, 5, 6) is None
    assert argue(3, 3, 4, 5) is None
    assert argue(4, 4, 2) is None


class Sections:
    """Sections whose rings and orbits a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, h: tuple[int, ...], *orbits: tuple[int, ...] | None) -> None:
        self.h, self.orbits, self.calls = h, list(orbits), list[dict[str, Any]]()
        monkeypatch.setattr(completeness, "section", self.section)
        monkeypatch.setattr(completeness, "orbit_degrees", self.degrees)
        self.lengths: list[tuple[int, int]] = []

    def section(
        self, equations: Any, spaces: Any, variables: int, field: Any, seed: int, top: int, *more: Any, **options: Any
    ) -> Any:
        self.calls.append({"variables": variables, "seed": seed, "top": top, "expected": more, **options})
        return SimpleNamespace(hilbert=(*self.h, 0))

    def degrees(self, points: Any, field: Any, length: int, seed: int) -> tuple[int, ...] | None:
        self.lengths.append((length, seed))
        return self.orbits.pop(0) if len(self.orbits) > 1 else self.orbits[0]


def by_sections(
    hilbert: tuple[int, ...] = (1, 5), copies: int = 2, seed: int = 7, dimension: int = 3
) -> Completeness | None:
    return prove_complete(equations_of(2), spaces_of(5, 5, copies), dimension, FIELD, hilbert, seed)


def test_sections_decide_when_one_degree_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Sections(monkeypatch, (1, 2, 1), (1, 3), None, (1, 3), (4,))
    found = by_sections()
    assert found is not None
    assert (found.degree, found.h_vector, found.argument) == (4, (1, 2, 1), "section")
    assert found.seeds == (7, 8, 11), "those without a decision are not told"
    assert found.orbits == ((1, 3), (4,))
    first, *others = seen.calls
    assert (first["variables"], first["seed"], first["top"], first["expected"]) == (2, 7, 40, ((1, 2),))
    assert (first["finite"], first["deadline"]) == (True, None)
    assert [(one["variables"], one["seed"], one["top"], one["pure"]) for one in others] == [
        (3, 7 + number, 3, True) for number in range(1, 5)
    ]
    assert seen.lengths == [(4, 7 + number) for number in range(1, 5)]


def test_sections_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Sections(monkeypatch, (1, 2), (1, 1, 1))
    assert by_sections() is None
    assert len(seen.calls) == 1 + completeness.MOST_SECTIONS
    seen = Sections(monkeypatch, (1, 2), *[None] * (completeness.MOST_SECTIONS - 1), (3,))
    assert by_sections() is not None
    seen = Sections(monkeypatch, (1, 2), *[None] * completeness.MOST_SECTIONS, (3,))
    assert by_sections() is None


def test_an_argument_that_nobody_can_check_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Length 3 and codimension 2: 24 · 3² · 2 · 3² = 3888."""
    Sections(monkeypatch, (1, 2), (3,))
    for most, proved in ((3888, True), (3887, False)):
        monkeypatch.setattr(completeness, "MOST_BYTES", most)
        assert (by_sections() is not None) is proved


def test_sections_are_tried_only_where_there_is_hope(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Sections(monkeypatch, (1, 2), (3,))
    assert by_sections(copies=1) is None, "fewer equations than the codimension"
    assert by_sections(hilbert=(1, 2)) is None, "no Hilbert function of this dimension"
    monkeypatch.setattr(completeness, "MOST_COLUMNS", 1)
    assert by_sections() is None, "2 · 2 columns for 2 divisors"
    assert seen.calls == []
    monkeypatch.setattr(completeness, "MOST_COLUMNS", 2)
    assert by_sections() is not None
    assert by_sections(hilbert=(1, 5, 14)) is None, "another Hilbert function: 1, 5, 12"
    assert by_sections(hilbert=(1, 5, 12)) is not None
    for most, proved in ((3, True), (2, False)):
        monkeypatch.setattr(completeness, "MOST_LENGTH", most)
        assert (by_sections() is not None) is proved
    monkeypatch.setattr(completeness, "section", lambda *_, **__: SimpleNamespace(hilbert=(1, 2, 1)))
    assert by_sections() is None, "not of finite length"

    def large(*_: Any, **__: Any) -> Any:
        raise TooLargeError("many")

    monkeypatch.setattr(completeness, "section", large)
    assert by_sections() is None


def minors() -> tuple[list[Equation], Spaces]:
    """The 3 × 3 minors of a symmetric matrix of four rows: codimension 3, degree 10."""
    search = Interpolation("[4,2,1] r=2")
    for _ in range(3):
        search.advance()
    return [e for e in search.equations if e.degree > 1], Spaces(search.grading, search.kept)


def test_sections_give_up_at_their_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    equations, spaces = minors()
    assert section(equations, spaces, 3, FIELD, 0, 9, finite=True).hilbert == (1, 3, 6, 0)
    assert section(equations, spaces, 3, FIELD, 0, 2).hilbert == (1, 3, 6)
    assert len(section(equations, spaces, 3, FIELD, 0, 9).multiply) == 3
    for name, most, options in (
        ("MOST_FORMS", 10, {}),
        ("MOST_LENGTH", 10, {"finite": True}),
        ("MOST_LENGTH", 6, {}),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(sections, name, most)
            assert section(equations, spaces, 3, FIELD, 0, 9, **options).hilbert[:3] == (1, 3, 6)  # type: ignore[arg-type]
            patch.setattr(sections, name, most - 1)
            with pytest.raises(TooLargeError, match=f"more than {most - 1} "):
                section(equations, spaces, 3, FIELD, 0, 9, **options)  # type: ignore[arg-type]
    with pytest.raises(BudgetError, match="the time was over while completeness"):
        section(equations, spaces, 3, FIELD, 0, 9, deadline=time.monotonic() - 1)
    assert section(equations, spaces, 3, FIELD, 0, 9, deadline=time.monotonic() + 1000).hilbert == (1, 3, 6, 0)


def test_orbits_are_told_only_of_different_points() -> None:
    def ring(*matrices: list[list[int]], hilbert: tuple[int, ...] = (1, 2, 2)) -> Any:
        """Multiplication by each variable from the last degree but one to the last, ``(points, variables, points)``."""
        table = np.array(matrices, dtype=np.float64)
        return SimpleNamespace(hilbert=hilbert, multiply=(table,))

    one, other = [[1, 0], [0, 1]], [[1, 0], [0, 2]]
    assert orbit_degrees(ring(one, other), FIELD, 2, 0) == (1, 1)
    assert orbit_degrees(ring(one, one), FIELD, 2, 0) is None, "a double point"
    assert orbit_degrees(ring([[1, 0], [0, 0]], [[2, 0], [0, 0]]), FIELD, 2, 0) is None, "a point too few"
    assert orbit_degrees(ring(one, other, hilbert=(1, 3, 2)), FIELD, 2, 0) is None
    assert orbit_degrees(ring(one, other, hilbert=(1, 2, 3)), FIELD, 2, 0) is None
    assert orbit_degrees(SimpleNamespace(hilbert=(2, 2), multiply=()), FIELD, 2, 0) is None  # type: ignore[arg-type]
    nonresidue = next(a for a in range(2, 50) if pow(a, (P22 - 1) // 2, P22) != 1)
    assert orbit_degrees(ring(one, [[0, nonresidue], [1, 0]]), FIELD, 2, 0) == (2,)


# Lifting


def test_small_integers_are_guessed_up_to_their_limits() -> None:
    half = (P22 + 1) // 2
    rows = np.array([[1000.0, 1.0], [1001.0, 1.0], [float(half - P22), 1.0]])
    assert small_multiples(rows, FIELD) == [(1000, 1), None, (1, 2)]
    for n, found in ((60, (1, 60)), (61, None)):
        inverse = pow(n, -1, P22)
        balanced = inverse if inverse <= P22 // 2 else inverse - P22
        assert small_multiples(np.array([[float(balanced), 1.0]]), FIELD) == [found]
    assert small_multiples(np.zeros((0, 2)), FIELD) == []


def test_primes_fall() -> None:
    assert list(primes_below(20)) == [19, 17, 13, 11, 7, 5, 3]
    assert next(primes_below(19)) == 17


@pytest.mark.parametrize(
    ("vector", "result"),
    [
        ([0, 0], [0, 0]),
        ([0, -2, 4], [0, 1, -2]),
        ([Fraction(1, 2), Fraction(-1, 3), 0], [3, -2, 0]),
        ([Fraction(-3), Fraction(6)], [1, -2]),
        ([6, 4], [3, 2]),
    ],
)
def test_multiples_are_primitive(vector: list[Any], result: list[int]) -> None:
    assert primitive(vector) == result
    assert all(type(c) is int for c in primitive(vector))


def relation(*entries: Fraction) -> Any:
    """Values modulo any prime that satisfy this relation alone."""

    def values(numbers: Any, q: int, count: int) -> Any:
        assert list(numbers) == list(range(len(entries)))
        field, draw = as_field(q), np.random.default_rng(q)
        table = draw.integers(0, q, (len(entries) - 1, count))
        row = [c.numerator * pow(c.denominator, -1, q) % q for c in entries]
        last = sum(int(c) * v for c, v in zip(row, table.astype(object), strict=False)) % q
        last = -last * pow(row[-1], -1, q) % q
        return field.encode(np.array([*table.astype(object), last], dtype=object))

    return values


def test_relations_are_lifted_with_as_many_primes_as_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    for entries in (
        [Fraction(1, 3), Fraction(-5, 7), Fraction(1)],
        [Fraction(123456789012345678901, 98765432109876543211), Fraction(-2), Fraction(1)],
    ):
        values = relation(*entries)
        asked: list[tuple[int, int]] = []

        def counted(numbers: Any, q: int, count: int, values: Any = values, asked: Any = asked) -> Any:
            asked.append((q, count))
            return values(numbers, q, count)

        row = [c.numerator * pow(c.denominator, -1, P22) % P22 for c in entries]
        found = lift_relations(FIELD.encode(np.array([row], dtype=object)), P22, counted)
        assert found == [tuple(primitive(entries))]
        assert {count for _, count in asked} == {3 + lifting.SPARE}
        assert [q for q, _ in asked] == [q for q, _ in zip(primes_below(P22), asked, strict=False)]
        assert len(asked) < 20
    monkeypatch.setattr(lifting, "MOST_PRIMES", 3)
    with pytest.raises(BudgetError, match="an equation of 3 terms was not lifted with 4 primes"):
        lift_relations(FIELD.encode(np.array([row], dtype=object)), P22, values)
    with pytest.raises(BudgetError, match="with 2 primes"):
        lift_relations(FIELD.encode(np.array([row], dtype=object)), P22, values, time.monotonic() - 1)
    with pytest.raises(PolygeomError, match="prime must be large, got 5"):
        lift_relations(np.array([[1.0, 2.0, 1.0]]), 5, values)


def test_bases_are_the_identity_on_the_same_columns() -> None:
    """Told by the last entry of each row that is not zero, whatever stands before it."""
    one = np.array([[3.0, 1, 0, 0], [5, 0, 0, 1]])
    for other, same in (
        ([[1.0, 1, 0, 0], [0, 0, 1, 1]], True),
        ([[0.0, 1, 0, 0], [1, 1, 1, 1]], True),
        ([[3.0, 0, 1, 0], [5, 0, 0, 1]], False),
        ([[1.0, 0, 0, 0], [5, 0, 0, 1]], False),
        ([[3.0, 1, 0, 0], [5, 0, 1, 0]], False),
    ):
        assert lifting._same_pivots(one, np.array(other)) is same


def test_what_has_a_limit_is_done_by_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """They can be ended when time is over; without a limit one process works where it stands."""
    asked: list[str] = []
    monkeypatch.setattr(interpolation, "is_quick", lambda *_: False)

    def here(*given: Any) -> Any:
        asked.append("here")
        return solve_spaces(*given)

    def crew(*given: Any) -> Any:
        asked.append("crew")
        return solve_spaces(*given)

    monkeypatch.setattr(interpolation, "solve_spaces", here)
    monkeypatch.setattr(Interpolation, "crew", SimpleNamespace(solve=crew))
    Interpolation("[2,2,1] r=2").advance()
    Interpolation("[2,2,1] r=2").advance(time.monotonic() + 60)
    Interpolation("[2,2,1] r=2", memory=2**33).advance()
    assert asked == ["here", "crew", "crew"]


# Substitution


def test_weights_that_symmetries_fix() -> None:
    assert fixed_weights(Coordinates("[2,3,1] r=2")) == {0: 1, 1: 1, 2: 1, 4: 1, 6: 1}, "scalings alone unless told"
    both = fixed_weights(Coordinates("[2,2,2] r=3"), outputs=True, inputs=True)
    assert both == {0: 1, 1: 0, 2: 0, 3: 1, 4: 1, 5: 0, 6: 0, 7: 1}
    assert fixed_weights(Coordinates("[2,2,2] r=3"), outputs=True).keys() >= {4, 5, 6, 7}
    for outputs, inputs in ((False, False), (True, False), (False, True)):
        fixed = fixed_weights(Coordinates("[2,2,2] r=3"), outputs, inputs)
        assert (
            fixed.items()
            >= ({4: 1, 5: 0, 6: 0, 7: 1} if outputs else {0: 1, 1: 0, 2: 0, 3: 1} if inputs else {}).items()
        )
        assert set(fixed.values()) <= {0, 1}


def test_products_of_terms_are_counted() -> None:
    """The three coefficients of a square of a linear form, and an equation of degree two between them."""
    coordinates = Coordinates("x=input(2); a=dense(x,1); b=dense(x,1); c=product(a,b); dense(c,1)")
    least = next(n for n in range(1, 200) if _made(coordinates, n))
    assert not _made(coordinates, least - 1)
    substitution = Substitution(coordinates, most_products=10**6)
    equation = Equation(2, (), np.array([[0, 2], [1, 1]]), np.ones(2), (4, -1))
    assert not substitution.vanishes(equation)
    with pytest.raises(BudgetError, match="the time was over during a proof"):
        substitution.vanishes(equation, time.monotonic() - 1)
    assert not substitution.vanishes(equation, time.monotonic() + 1000)
    enough = [n for n in range(40) if _proved(coordinates, equation, n)]
    assert enough
    assert enough == list(range(enough[0], 40))
    assert enough[0] > 3


def test_products_with_denominators_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """s + t, then (s + t) (s - t + 1) = s^2 - t^2 + s + t, which both numerators are multiplied by."""
    spent: list[int] = []
    monkeypatch.setattr(membership._Engine, "spend", lambda _, products: spent.append(products))
    Substitution(Coordinates("map(s,t: s/(s+t), t/(s-t+1))"))
    assert spent[:4] == [1 * 2, 2 * 3, 4, 4]


def _made(coordinates: Coordinates, most: int) -> bool:
    try:
        Substitution(coordinates, most_products=most)
    except BudgetError:
        return False
    return True


def _proved(coordinates: Coordinates, equation: Equation, most: int) -> bool:
    substitution = Substitution(coordinates)
    substitution.most_products = most
    try:
        substitution.vanishes(equation)
    except BudgetError:
        return False
    return True


def test_an_engine_counts_down_to_nothing() -> None:
    engine = membership._Engine(flint.fmpz_mpoly_ctx.get(["w"], flint.Ordering.lex), 5)
    engine.spend(5)
    with pytest.raises(BudgetError, match="allow more with most_products"):
        engine.spend(1)


def test_many_multiples_are_combined() -> None:
    equations, spaces = minors()
    weight = max(spaces.dominant_weights(5), key=lambda w: len(spaces.monomials(5, w)))
    keys = spaces.keys(spaces.monomials(5, weight))
    every = generated(equations, 5, weight, keys, spaces, FIELD, None)
    rows = len(every)
    for most, height in ((rows, rows), (10, min(rows, 26) if rows <= 29 else 26), (100, rows if rows <= 146 else 118)):
        assert len(generated(equations, 5, weight, keys, spaces, FIELD, most)) == height
    assert generated(equations, 2, (4, 4, 0, 0, 0), keys, spaces, FIELD, None).shape == (0, len(keys))


def test_monomial_coordinates_are_told_apart() -> None:
    """Where every coordinate is one product of weights, equations are checked without polynomials."""
    products = Substitution(Coordinates("x=input(2); a=scale(x); dense(a,2)"))
    assert products._terms is not None
    exponents, coefficients = products._terms
    assert len(exponents) == 5
    assert [int(c) for c in coefficients] == [1] * 5
    assert Substitution(Coordinates("[2,2,1] r=2"))._terms is None
