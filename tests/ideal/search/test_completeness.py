"""The argument for completeness holds for ideals of neurovarieties and for no smaller ideal."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from polygeom.ideal.grading.grading import Grading
from polygeom.ideal.grading.spaces import Spaces
from polygeom.ideal.search.completeness import Completeness, prove_complete, series
from polygeom.ideal.search.equations import Equation
from polygeom.ideal.search.interpolation import Interpolation
from polygeom.ideal.search.search import proved_degree
from polygeom.ideal.search.sections import orbit_degrees, section, subset_sums
from polygeom.modular import P22, P23, as_field


def equations_of(network: str, top: int) -> tuple[Interpolation, Spaces, list[Equation]]:
    search = Interpolation(network)
    for _ in range(top):
        search.advance()
    return search, Spaces(search.grading, search.kept), [e for e in search.equations if e.degree > 1]


def argue(
    search: Interpolation, spaces: Spaces, equations: Sequence[Equation], n: int, seed: int = 0
) -> Completeness | None:
    return prove_complete(equations, spaces, n, as_field(P22), search.hilbert_function[:1], seed)


@pytest.mark.parametrize("seed", range(3))
def test_the_degree_does_not_depend_on_the_section(seed: int) -> None:
    search, spaces, equations = equations_of("[2,2,2,2] r=2", 5)
    found = argue(search, spaces, equations, 8, seed)
    assert found is not None
    assert (found.degree, found.h_vector) == (15, (1, 2, 3, 4, 5))
    assert all(sum(orbits) == 15 for orbits in found.orbits)


@pytest.mark.parametrize(
    ("network", "top", "n"),
    [("[2,2,2] r=3", 3, 6), ("[4,2,1] r=2", 3, 7), pytest.param("[3,3,3] r=2", 4, 15, marks=pytest.mark.slow)],
)
def test_a_part_of_the_generators_is_not_enough(network: str, top: int, n: int) -> None:
    """Two of the equations cut out a complete intersection: Cohen-Macaulay, but reducible."""
    search, spaces, equations = equations_of(network, top)
    assert argue(search, spaces, equations, n) is not None
    rng = np.random.default_rng(0)
    codimension = len(spaces.kept) - n
    few = [combined(search, equations, rng) for _ in range(codimension)]
    assert argue(search, unsymmetric(search), few, n) is None


def combined(search: Interpolation, equations: Sequence[Equation], rng: np.random.Generator) -> Equation:
    """A random combination of all copies of equations of one degree, as one equation of an ungraded ring."""
    field = as_field(P22)
    parts = [
        (np.sort(move[e.monomials], axis=1), field.multiply(e.coefficients, field.random(rng, (1,))))
        for e in equations
        for _, move in search.grading.copies(e.weight)
    ]
    monomials = np.concatenate([m for m, _ in parts])
    coefficients = np.concatenate([c for _, c in parts])
    return Equation(equations[0].degree, (), monomials, coefficients)


def unsymmetric(search: Interpolation) -> Spaces:
    size = search.grading.size
    return Spaces(Grading(search.coordinates, ((),) * size, 0, 0, True), range(size))


def test_a_union_of_two_neurovarieties_is_seen_as_reducible() -> None:
    """A product of two hypersurfaces of one ring, cut down to codimension two with a third, irreducible one."""
    search, _, (determinant,) = equations_of("[3,2,1] r=2", 3)
    spaces = unsymmetric(search)
    rng = np.random.default_rng(1)
    field = as_field(P22)
    pairs = np.array([[i, j] for i in range(6) for j in range(i, 6)])
    quadric = Equation(2, (), pairs, field.random(rng, (21,)))
    irreducible = Equation(3, (), determinant.monomials, determinant.coefficients)
    whole = prove_complete([irreducible, quadric], spaces, 4, field, (1,), 0)
    assert whole is not None
    assert whole.degree == 6
    lines = [Equation(1, (), np.arange(6)[:, None], field.random(rng, (6,))) for _ in range(2)]
    product = Equation(
        2,
        (),
        np.array([[i, j] for i in range(6) for j in range(6)]),
        field.multiply(np.repeat(lines[0].coefficients, 6), np.tile(lines[1].coefficients, 6)),
    )
    assert prove_complete([irreducible, product], spaces, 4, field, (1,), 0) is None


def test_a_double_structure_is_refused() -> None:
    """The square of an equation defines the same set, with multiplicity two."""
    search, _, (determinant,) = equations_of("[3,2,1] r=2", 3)
    spaces = unsymmetric(search)
    field = as_field(P22)
    rng = np.random.default_rng(2)
    line = Equation(2, (), np.array([[i, j] for i in range(6) for j in range(6)]), np.zeros(36))
    form = field.random(rng, (6,))
    square = Equation(2, (), line.monomials, field.multiply(np.repeat(form, 6), np.tile(form, 6)))
    cubic = Equation(3, (), determinant.monomials, determinant.coefficients)
    assert prove_complete([cubic, square], spaces, 4, field, (1,), 0) is None


def test_the_wrong_dimension_is_refused() -> None:
    search, spaces, equations = equations_of("[2,2,2] r=3", 3)
    assert argue(search, spaces, equations, 5) is None
    assert argue(search, spaces, equations, 7) is None


def test_a_hilbert_function_that_does_not_fit_is_refused() -> None:
    _, spaces, equations = equations_of("[2,2,2] r=3", 3)
    assert prove_complete(equations, spaces, 6, as_field(P22), series((1, 2, 3), 6, 6), 0) is not None
    assert prove_complete(equations, spaces, 6, as_field(P22), series((1, 2, 2), 6, 6), 0) is None


def test_sections_are_those_of_known_varieties() -> None:
    """Symmetric 4 × 4 matrices of rank at most 2 have degree 10 and codimension 3."""
    _, spaces, equations = equations_of("[4,2,1] r=2", 3)
    field = as_field(P23)
    equations = [
        Equation(e.degree, e.weight, e.monomials, field.encode(np.array(e.integers, dtype=object))) for e in equations
    ]
    assert section(equations, spaces, 3, field, 0, 9).hilbert == (1, 3, 6, 0)
    assert section(equations, spaces, 2, field, 0, 9).hilbert == (1, 2, 3, 0)
    points = section(equations, spaces, 4, field, 0, 3)
    assert points.hilbert == (1, 4, 10, 10)
    assert section(equations, spaces, 4, field, 0, 4, (1, 4, 10, 10)).hilbert == (1, 4, 10, 10, 10)
    for other in (9, 11):  # the search for a section ends where a dimension is another than expected
        assert section(equations, spaces, 4, field, 0, 4, (1, 4, other)).hilbert == (1, 4, 10)
    degrees = orbit_degrees(points, field, 10, 0)
    assert degrees is not None
    assert sum(degrees) == 10
    assert max(subset_sums(degrees)) == 10


def test_an_argument_that_leaves_two_degrees_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """The length is among what the orbits leave, but so is one less: equality is asked for."""
    search, spaces, equations = equations_of("[4,2,1] r=2", 3)
    assert argue(search, spaces, equations, 7) is not None
    monkeypatch.setattr("polygeom.ideal.search.completeness.orbit_degrees", lambda *_: (1, 9))
    assert argue(search, spaces, equations, 7) is None


def test_degrees_count_as_proved_up_to_the_first_unproved_equation() -> None:
    sure, open_ = SimpleNamespace(proved=True), SimpleNamespace(proved=False)
    found = ((1, []), (2, [sure]), (3, [sure, open_]), (4, []))
    reports: Any = [SimpleNamespace(degree=degree, equations=equations) for degree, equations in found]
    assert [proved_degree(reports[:n]) for n in range(5)] == [0, 1, 2, 2, 2]


def test_the_series_is_compared_even_where_the_section_does_not_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking early whether there is hope spares time; it is not the proof."""

    def blind(*arguments: Any, **options: Any) -> Any:
        return section(*arguments[:6], **options)

    _, spaces, equations = equations_of("[2,2,2] r=3", 3)
    monkeypatch.setattr("polygeom.ideal.search.completeness.section", blind)
    assert prove_complete(equations, spaces, 6, as_field(P22), series((1, 2, 3), 6, 6), 0) is not None
    assert prove_complete(equations, spaces, 6, as_field(P22), series((1, 2, 2), 6, 6), 0) is None
