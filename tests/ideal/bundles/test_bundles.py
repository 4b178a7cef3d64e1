"""Bundles of pencils: their sections, modules degree by degree, bounds for degrees, proofs by values."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from polygeom.errors import BudgetError, PolygeomError
from polygeom.ideal import Neurovariety
from polygeom.ideal.bundles import pieces, regularity, vanishing
from polygeom.ideal.bundles.pencils import Pencils, pencils_around, pencils_of
from polygeom.ideal.bundles.pieces import Module, Presentation
from polygeom.ideal.bundles.presentation import sections
from polygeom.ideal.bundles.regularity import Bound, Cuts
from polygeom.ideal.counting.formulas import pencil_degree
from polygeom.ideal.grading.quotients import TooLargeError
from polygeom.ideal.proofs.certificate import certify
from polygeom.ideal.search import interpolation
from polygeom.ideal.search import search as searching
from polygeom.ideal.search.completeness import prove_bounded, series
from polygeom.ideal.search.interpolation import Interpolation
from polygeom.ideal.search.membership import Substitution, plain_integers
from polygeom.ideal.search.search import interpolate
from polygeom.modular import P22, PrimeField
from polygeom.network import parse

FIELD = PrimeField(P22)
CUBES = Pencils(3, 3, 1)


@pytest.mark.parametrize(
    "bundle",
    [
        Pencils(2, 3, 1),
        Pencils(2, 2, 2),
        *(pytest.param(b, marks=pytest.mark.thorough) for b in (CUBES, Pencils(4, 1, 2))),
    ],
)
def test_sections_are_counted_in_three_ways(bundle: Pencils) -> None:
    """Euler characteristics, the module of the presentation, and the degree from a Segre class."""
    presentation = sections(bundle, FIELD, 1)
    assert presentation is not None
    assert presentation.generators[0] == (0, 0)
    module = Module(presentation, FIELD)
    counted = [bundle.sections(degree) for degree in range(12)]
    assert [module.dimension(degree) for degree in range(5)] == counted[:5]
    for _ in range(bundle.dimension - 1):  # (1 - t)^(dimension - 1) leaves the degree
        counted = [b - a for a, b in zip([0, *counted], counted, strict=False)]
    assert set(counted[4:]) == {pencil_degree(bundle.first, bundle.rest, bundle.outputs)}


def test_sections_are_refused_where_values_do_not_tell_them_apart() -> None:
    assert sections(Pencils(2, 2, 1), PrimeField(3), 0) is None  # the theorem needs p > rR
    assert Cuts(CUBES, PrimeField(7)).bound([1, 10, 55, 220]) is None


@pytest.mark.parametrize(
    "network",
    [
        "[2,3,1] r=3",
        "[3,2,1] r=3",
        "[2,2] r=3",
        "[2,2,2,1] r=1,3",
        "[2,2,2,1] r=2,1",
        "[2,2,2,1] r=3 bias",
        "[2,2,1] p=0,1,1",
    ],
)
def test_neighbours_are_no_bundles_of_pencils(network: str) -> None:
    assert pencils_around(parse(network)) is None


def test_a_bundle_of_another_dimension_is_none() -> None:
    network = parse("[2,2,2,1] r=2,4")  # two fourth powers are not all forms of degree four
    assert pencils_around(network) == Pencils(2, 4, 1)
    assert [pencils_of(network, d) for d in (6, 7, 8)] == [None, Pencils(2, 4, 1), None]


def test_what_is_too_large_is_no_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sections(Pencils(2, 1, 40), FIELD, 0) is None  # some hundred gigabytes
    cuts = Cuts(Pencils(2, 2, 1), FIELD)
    monkeypatch.setattr(pieces, "MOST_BYTES", 10)
    with pytest.raises(TooLargeError):
        Module(cubic((0, 0, 0, 0)), FIELD).dimension(2)
    stub: Any = SimpleNamespace(bound=lambda *_: Module(cubic((0, 0, 0, 0)), FIELD).dimension(2), bundle=cuts.bundle)
    assert prove_bounded(stub, [1, 5, 15]) is None


def cuts_of(module: Presentation, monkeypatch: pytest.MonkeyPatch) -> tuple[Cuts, Callable[[int], Bound | None]]:
    """Cuts of a module in the place of sections modulo polynomials, and the bound if it is known to a degree."""
    generators = tuple((d, w) for d, w in module.generators)
    relations = tuple((d, w, {(g + 1, m): c for (g, m), c in terms.items()}) for d, w, terms in module.relations)
    whole = Presentation(module.variables, ((0, 0), *generators), relations)
    monkeypatch.setattr(regularity, "sections", lambda *_: whole)
    known = Module(module, FIELD)
    bundle: Any = SimpleNamespace(sections=known.dimension, dimension=len(module.variables))
    cuts = Cuts(bundle, FIELD)
    return cuts, lambda top: cuts.bound([0] * (top + 1))


def test_the_cuts_find_the_regularity_of_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """In variables x, y, z; the first form is x, the second the last variable."""
    free = Presentation((0, 0, 0), ((1, 0),), ())
    bound = cuts_of(free, monkeypatch)[1](4)
    assert bound is not None
    assert (bound.quotient, bound.regularity) == (1, 2)
    assert bound.hilbert == (0,) * len(bound.hilbert)
    # (y² + xz, yz, z² + xy): regularity 1 modulo x, but x annihilates something in degree 2, the first that can be
    terms: list[dict[Any, float]] = [
        {(0, (1, 1)): 1.0, (0, (0, 2)): 1.0},
        {(0, (1, 2)): 1.0},
        {(0, (2, 2)): 1.0, (0, (0, 1)): 1.0},
    ]
    curve = Presentation((0, 0, 0), ((0, 0),), tuple((2, 0, t) for t in terms))
    cuts, to_degree = cuts_of(curve, monkeypatch)
    assert [m.dimension(d) for m in cuts._modules[:2] for d in range(4)] == [1, 3, 3, 1, 1, 2, 0, 0]
    assert [to_degree(top) for top in range(4)] == [None] * 4
    bound = to_degree(4)
    assert bound is not None
    assert (bound.quotient, bound.regularity) == (2, 3)
    # (z², zx⁴): what x annihilates ends in degree 4; (x², xy⁴, z): it never ends
    embedded = Presentation((0, 0), ((0, 0),), ((2, 0, {(0, (1, 1)): 1.0}), (5, 0, {(0, (0, 0, 0, 0, 1)): 1.0})))
    to_degree = cuts_of(embedded, monkeypatch)[1]
    assert to_degree(5) is None
    bound = to_degree(6)
    assert bound is not None
    assert bound.quotient == 4
    unlucky = Presentation((0, 0), ((0, 0),), ((2, 0, {(0, (0, 0)): 1.0}), (5, 0, {(0, (0, 1, 1, 1, 1)): 1.0})))
    assert cuts_of(unlucky, monkeypatch)[1](12) is None


def cubic(weights: tuple[int, ...]) -> Presentation:
    """The coordinate ring of the twisted cubic."""
    minors = [((0, 2), (1, 1)), ((0, 3), (1, 2)), ((1, 3), (2, 2))]
    relations = [(2, sum(weights[k] for k in a), {(0, a): 1.0, (0, b): -1.0}) for a, b in minors]
    return Presentation(weights, ((0, 0),), tuple(relations))


def test_modules_degree_by_degree() -> None:
    for weights in ((0, 1, 2, 3), (0, 0, 0, 0)):
        whole = cubic(weights)
        assert [Module(whole, FIELD).dimension(d) for d in range(8)] == [1, 4, 7, 10, 13, 16, 19, 22]
        line = whole.cut(3, [5, 7, 11], FIELD)  # a general section: three points
        assert [Module(line, FIELD).dimension(d) for d in range(6)] == [1, 3, 3, 3, 3, 3]
        assert [Module(line.cut(2, [3, 4], FIELD), FIELD).dimension(d) for d in range(5)] == [1, 2, 0, 0, 0]
        tangent = whole.cut(0, [0, 0, 0], FIELD)
        assert [Module(tangent, FIELD).dimension(d) for d in range(6)] == [1, 3, 3, 3, 3, 3]
        assert Module(whole.without(0), FIELD).dimension(3) == 0
    free = Module(Presentation((0, 0, 0), ((1, 0), (2, 0)), ()), FIELD)
    assert [free.dimension(d) for d in range(5)] == [0, 1, 3 + 1, 6 + 3, 10 + 6]
    with pytest.raises(BudgetError, match="regularity"):
        Module(cubic((0, 1, 2, 3)), FIELD).dimension(2, deadline=0.0)


@pytest.mark.thorough
def test_what_is_left_of_the_sections_on_the_cubes() -> None:
    """Modulo polynomials and four forms: Macaulay2 1.21 finds the same with four general forms modulo 32003."""
    modules = Cuts(CUBES, FIELD, 5)._modules
    assert [modules[4].dimension(d) for d in range(8)] == [0, 10, 65, 100, 100, 46, 0, 0]
    assert [modules[2].dimension(d) for d in range(5)] == [0, 10, 85, 260, 535]
    assert [modules[0].dimension(d) for d in range(4)] == [0, 10, 105, 460]


@pytest.mark.parametrize(
    ("network", "dimension", "h", "expected"),
    [
        pytest.param("[2,2,2,2] r=2", 8, (1, 2, 3, 4, 5), 4, marks=pytest.mark.thorough),
        ("[2,2,2] r=3", 6, (1, 2, 3), 2),
        ("[2,2,2] r=4", 6, (1, 4, 10), 2),
        ("[2,2,3] r=2", 8, (1, 1, 1), 2),
    ],
)
def test_the_bound_is_attained_where_the_ideal_is_known(
    network: str, dimension: int, h: tuple[int, ...], expected: int
) -> None:
    bundle = pencils_of(parse(network), dimension)
    assert bundle is not None
    assert pencils_of(parse(network), dimension - 1) is None
    cuts = Cuts(bundle, FIELD)
    known = series(h, dimension, expected + 20)
    assert cuts.bound(known[: expected + 1]) is None
    bound = cuts.bound(known[: expected + 2])
    assert bound is not None
    assert (bound.regularity, bound.generators) == (expected, expected + 1)
    assert bound.hilbert == known[: len(bound.hilbert)]
    assert len(bound.hilbert) == expected + dimension + 1
    for wrong in (-1, 1):  # the last value of all that were known follows from the others
        longer = known[: expected + 4]
        assert cuts.bound(longer) == bound
        assert cuts.bound((*longer[:-1], longer[-1] + wrong)) is None


@pytest.mark.parametrize(
    ("network", "degrees", "h", "tried"),
    [
        ("[2,2,2] r=3", {3: 4}, (1, 2, 3), 4),
        pytest.param("[2,2,2,2] r=2", {5: 6}, (1, 2, 3, 4, 5), 6, marks=pytest.mark.thorough),
    ],
)
def test_the_search_ends_by_the_bound_alone(
    monkeypatch: pytest.MonkeyPatch, network: str, degrees: dict[int, int], h: tuple[int, ...], tried: int
) -> None:
    expected = interpolate(network)
    assert expected.completeness is not None
    assert (expected.completeness.argument, expected.completeness.h_vector) == ("section", h)
    monkeypatch.setattr(searching._Runner, "_try_sections", lambda *_: None)
    found = interpolate(network)
    assert found.completeness is not None
    assert (found.completeness.argument, found.result.degrees) == ("regularity", degrees)
    assert (found.completeness.degree, found.completeness.h_vector) == (sum(h), h)
    assert found.result.completeness.startswith(
        f"complete because the coordinate ring has regularity at most {tried - 2}"
    )
    assert found.interpolation.degree == tried  # tried first in the degree after the last generators
    certificate = certify(found)
    assert certificate["completeness"] is None
    assert certificate["claim"]["completeness"] is None
    assert certificate["claim"]["complete_to"] == tried


def test_values_prove_what_substitution_proves(monkeypatch: pytest.MonkeyPatch) -> None:
    for network, degree in [("[2,2,2,1] r=3", 5), ("[2,2,2] r=3", 3)]:
        search = Interpolation(network)
        while search.degree < degree:
            search.advance()
        prover, coordinates = search.ground.vanishing, search.coordinates
        assert prover is not None
        direct = Substitution(coordinates)
        for equation in [e for e in search.equations if e.degree == degree][:3]:
            integers = plain_integers(equation, coordinates)
            assert prover.vanishes(equation.monomials, integers)
            assert direct.vanishes(equation)
            for change in (1, 6 * P22):  # the second is nothing modulo the first prime
                wrong = [*integers[:-1], integers[-1] + change]
                assert not prover.vanishes(equation.monomials, wrong)
        with pytest.raises(BudgetError, match="time was over"):
            prover.vanishes(equation.monomials, integers, deadline=0.0)
        monkeypatch.setattr(vanishing, "MOST_VALUES", 10)
        with pytest.raises(BudgetError, match="too many"):
            prover.vanishes(equation.monomials, integers)
        monkeypatch.undo()


def test_points_of_a_proof_determine_a_polynomial() -> None:
    """The lattice is unisolvent: monomials of that degree are independent at its points."""
    points = np.array(vanishing._lattice(3, 4))
    assert points.shape == (math.comb(7, 3), 4)
    assert (points[:, 0] == 1).all()
    assert points[:, 1:].sum(axis=1).max() == 4
    exponents = [(a, b, c) for a in range(5) for b in range(5 - a) for c in range(5 - a - b)]
    values = np.array([[x**a * y**b * z**c for a, b, c in exponents] for _, x, y, z in points.tolist()])
    assert np.linalg.matrix_rank(values.astype(float)) == len(exponents)


@pytest.mark.thorough
def test_regularity_of_the_cubes_after_three_forms() -> None:
    """``[2,2,2,1] r=3`` needs its Hilbert function to degree 12; before, the bound waits for more."""
    cuts = Cuts(CUBES, FIELD)
    known: list[int] = [1, 10, 55, 220, 715, 2000, 4964, 11030, 22202]
    assert all(cuts.bound(known[:n]) is None for n in range(1, 10))
    assert [cuts._modules[3].dimension(d) for d in range(6, 10)] == [258, 168, 143, 143]  # as by Macaulay2


@pytest.mark.slow
def test_the_cubes_are_complete(tmp_path: Any) -> None:
    """``[2,2,2,1] r=3``: all minimal generators. The Hilbert function in degree 14 was known by ranks of values."""
    variety = Neurovariety("[2,2,2,1] r=3")
    found = variety.search(max_degree=12)
    assert found.result.completeness.startswith("complete because the coordinate ring has regularity at most 11")
    assert found.completeness is not None
    assert found.completeness.degree == 70
    assert variety.hilbert_function(14) == CUBES.sections(14) - 84494


def by_group(monkeypatch: pytest.MonkeyPatch, least: int, top: int) -> Interpolation:
    monkeypatch.setattr(interpolation, "BY_GROUP", least)
    search = Interpolation("[2,2,2,1] r=3", lift=6)
    for _ in range(top):
        search.advance()
    return search


@pytest.mark.thorough
def test_the_group_carries_generators_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of three irreducible parts begin at one weight; what comes out spans what is found weight by weight."""
    carried, alone = by_group(monkeypatch, 5, 7), by_group(monkeypatch, 99, 7)
    assert [r.spaces for r in carried.reports] == [r.spaces for r in alone.reports]  # those of degree 7 divide by them
    assert [(e.degree, e.weight) for e in carried.equations] == [(e.degree, e.weight) for e in alone.equations]
    digits = []
    direct = Substitution(carried.coordinates)
    for search in (carried, alone):
        found = [e for e in search.equations if e.degree == 6]
        assert all(e.proved for e in found)
        assert sum(search.grading.orbit_size(e.weight) for e in found) == 21
        digits.append(max(len(str(c)) for e in found for c in e.integers or ()))
    assert direct.vanishes(next(e for e in carried.equations if e.weight == (6, 28, 26)))
    assert digits[0] <= digits[1]


def test_what_the_group_cannot_carry_stays() -> None:
    search = Interpolation("[2,2,2,1] r=3", lift=0)
    for _ in range(5):
        search.advance()
    results = [(s, [e for e in search.equations if e.weight == s.weight]) for s in search.reports[-1].spaces]
    kept = list(interpolation.carried_down(results, {}, search.grading, FIELD))
    assert [e for _, found in kept for e in found] == list(search.equations)
    assert search.equations[0].integers is None


def test_bounds_count_as_the_sequences_say() -> None:
    assert (Bound(10, ()).regularity, Bound(10, ()).generators) == (11, 12)
    assert (Bound(-1, ()).regularity, Bound(1, ()).generators) == (2, 3)  # no further sections: reg M alone counts


def test_degrees_up_to_the_bound_have_to_be_known() -> None:
    hilbert = series((1, 2, 3), 6, 20)
    cuts: Any = SimpleNamespace(
        bound=lambda *_: Bound(5, hilbert), bundle=Pencils(3, 1, 2), field=FIELD
    )  # generators to degree 7
    assert prove_bounded(cuts, hilbert[:7]) is None
    found = prove_bounded(cuts, hilbert[:8])
    assert found is not None
    assert (found.degree, found.h_vector) == (6, (1, 2, 3))
    cuts.bound = lambda *_: None
    assert prove_bounded(cuts, hilbert) is None


def test_sections_that_are_missing_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = Pencils(2, 2, 1)
    assert sections(bundle, FIELD, 0) is not None
    counted = {degree: bundle.sections(degree) for degree in range(4)}
    for wrong in (1, 2, 3):
        monkeypatch.setattr(Pencils, "sections", lambda _, degree, wrong=wrong: counted[degree] + (degree == wrong))
        assert sections(bundle, FIELD, 0) is None


def test_an_equation_of_some_pencils_is_none() -> None:
    """Where ``m = x`` the last three coefficients are 36, 9 and 1 times the first."""
    prover = Interpolation("[2,2,2,1] r=3").ground.vanishing
    assert prover is not None
    assert not prover.vanishes(np.array([[7, 9], [8, 8]]), [9, -4])
    values = next(prover._coordinates([2], 16, FIELD))
    assert not FIELD.subtract(9 * FIELD.multiply(values[7], values[9]), 4 * FIELD.power(values[8], 2)).any()


def test_terms_of_several_weights_are_no_equation_to_prove() -> None:
    prover = Interpolation("[2,2,2,1] r=3").ground.vanishing
    assert prover is not None
    with pytest.raises(PolygeomError, match="one weight"):
        prover.vanishes(np.array([[7, 9], [8, 9]]), [1, 1])


def test_points_and_primes_of_a_proof_are_enough() -> None:
    prover = Interpolation("[2,2,2,1] r=3").ground.vanishing
    assert prover is not None
    monomials = np.array([[7, 9], [8, 8]])
    assert prover._degrees(monomials) == ([2], 16)
    values = np.concatenate(list(prover._coordinates([2], 16, FIELD)), axis=1)
    assert values.shape == (10, (16 + 1) * math.comb(2 + 3, 3))
    # for each w but 1 as many as the lattice has points, (x + y)^9 once for all w; for w = 1 three multiples of it
    assert len(np.unique(values, axis=1).T) == 16 * 9 + 3
    # coordinates without signs at w = F_j = 1: four times binomial coefficients, 36, 9 and 1
    assert prover._bound(monomials, [9, -4]) == 1 + 9 * (4 * 36) * (4 * 1) + 4 * (4 * 9) ** 2
    for bound, number in ((P22, 1), (P22 + 1, 2), (P22**3, 4)):
        primes = [field.p for field in prover._fields(bound, 16)]
        assert len(set(primes)) == len(primes) == number
        assert math.prod(primes) >= bound > math.prod(primes[:-1])
    with pytest.raises(BudgetError, match="degree is too large"):
        list(prover._fields(2, P22))


@pytest.mark.parametrize(("network", "lift"), [("[2,2,2] r=3", 2), ("[2,2,3] r=2", 6)])
def test_no_bound_for_what_is_not_proved_or_not_looked_at(
    monkeypatch: pytest.MonkeyPatch, network: str, lift: int
) -> None:
    """Equations that were not written out; a hypersurface, of whose degrees only invariants are looked at."""
    monkeypatch.setattr(searching._Runner, "_try_sections", lambda *_: None)
    found = interpolate(network, max_degree=6, lift=lift)
    assert found.completeness is None
    assert found.result.completeness.startswith("unknown beyond degree")
