"""Every theorem against a route that does not know it: polynomials, blow-ups, arcs."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from polygeom.errors import BudgetError, PolygeomError
from polygeom.network import parse
from polygeom.singularities import learning_coefficient
from polygeom.singularities.blowups import plane_threshold
from polygeom.singularities.explicit import explicit_threshold
from polygeom.singularities.linear import aoyagi, two_layers_at
from polygeom.singularities.newton import newton_threshold
from polygeom.singularities.polyhedra import monomial_threshold
from polygeom.singularities.ranks import only_double_points
from polygeom.singularities.remainders import _Chart, _double
from polygeom.singularities.strata import Stratum, exact

F = Fraction
SMALL = [
    ("[3,2,1] r=2", ("dead 2", "deaf 1", "silent 2", "duplicate 1=2", "collinear 1=2", "cancel 1=2")),
    ("[2,2,1] r=3", ("dead 2", "deaf 1", "silent 2", "duplicate 1=2")),
    ("[2,2,1] r=4", ("dead 1", "deaf 2", "duplicate 1=2")),
    ("[3,2,1] r=3", ("dead 1",)),
    ("[2,2,2] r=2", ("dead 2", "deaf 2", "duplicate 1=2")),
    ("[2,2,2] r=3", ("dead 2", "deaf 1", "duplicate 1=2")),
    ("[3,2,2] r=2", ("dead 1",)),
    ("[2,2,2] r=1", ("rank 1",)),
    ("[1,1,1,1] r=1", ("rank 0",)),
]


@pytest.mark.parametrize(("network", "at"), [(network, at) for network, many in SMALL for at in many])
def test_theorems_against_polynomials(network: str, at: str) -> None:
    """Elimination and Newton polyhedra know no tangent spaces, tori or charts."""
    known = parse(network)
    weights = Stratum.parse(at).weights(known, np.random.default_rng((3, 4)))
    found, theorem = explicit_threshold(known, weights), learning_coefficient(network, at, rng=3)
    assert found is not None
    assert found.exact is not None
    assert (found.exact.value, found.exact.multiplicity) == (theorem.value, theorem.multiplicity)


def test_linear_networks_against_arcs() -> None:
    for widths in product(range(1, 7), repeat=3):
        for rank in range(min(widths) + 1):
            assert aoyagi(widths, rank) == two_layers_at(*widths, rank, rank, rank)


def test_linear_networks_of_full_rank_are_half_the_dimension() -> None:
    for widths in product(range(1, 4), repeat=4):
        rank = min(widths)
        assert aoyagi(widths, rank).value == F(rank * (widths[0] + widths[-1] - rank), 2)
        assert aoyagi(widths, 0) == aoyagi(widths[::-1], 0)


def test_independent_directions_and_double_points_agree() -> None:
    """From degree 4 on both theorems apply to independent live neurons and one output."""
    for n, live, degree in ((2, 1, 4), (2, 2, 5), (3, 2, 4), (3, 3, 5)):
        rows = [[F(int(i == j)) for j in range(n)] for i in range(live)]
        assert only_double_points(rows, degree)
        for kind in ("dead", "deaf", "copy", "silent copy"):
            assert _Chart(n, live, 1, degree, True).threshold(kind) == _double(kind, n, degree)


PLANE = [
    ([{(2, 0): 1, (0, 3): -1}], "5/12", 1),
    ([{(2, 0): 1, (0, 2): -1}], "1/2", 2),
    ([{(2, 0): 1, (0, 2): 1}], "1/2", 1),
    ([{(3, 0): 1, (0, 5): 1}], "4/15", 1),
    ([{(2, 1): 1}, {(0, 3): 1}], "1/3", 1),
    ([{(1, 0): 1}, {(0, 1): 1}], "1", 1),
    ([{(2, 3): 1}], "1/6", 1),
]


@pytest.mark.parametrize(("generators", "value", "multiplicity"), PLANE)
def test_polyhedra_against_blow_ups(
    generators: list[dict[tuple[int, int], int]], value: str, multiplicity: int
) -> None:
    polynomials = [{alpha: F(c) for alpha, c in g.items()} for g in generators]
    found, resolved = newton_threshold(polynomials), plane_threshold(polynomials)
    assert (resolved.value, resolved.multiplicity) == (F(value), multiplicity)
    assert found.exact is None or found.exact == resolved


def test_degenerate_polyhedra_are_bounds_only() -> None:
    square = [{(2, 0): F(1), (1, 1): F(-2), (0, 2): F(1)}]
    assert newton_threshold(square).exact is None
    assert newton_threshold(square).bound.value > plane_threshold(square).value == F(1, 4)
    parabola = [{(0, 2): F(1), (2, 1): F(-2), (4, 0): F(1)}, {(5, 0): F(1)}]
    assert newton_threshold(parabola).exact is None
    assert plane_threshold(parabola).value == F(7, 20)  # after y → y + x²: (y², x⁵)
    with pytest.raises(BudgetError, match="irrational"):
        plane_threshold([{(0, 4): F(1), (2, 2): F(-4), (4, 0): F(4)}])


def _by_bases(exponents: list[tuple[int, ...]], measure: list[int]) -> Fraction:
    """The least ``Σ a_i κ_i`` over all vertices of ``a ≥ 0, a · α ≥ 1``: brute force."""
    from itertools import combinations

    import sympy

    size, best = len(measure), None
    walls = [(alpha, 1) for alpha in exponents] + [(tuple(int(i == j) for i in range(size)), 0) for j in range(size)]
    for chosen in combinations(walls, size):
        matrix = sympy.Matrix([list(wall) for wall, _ in chosen])
        if matrix.det() == 0:
            continue
        a = [F(int(x.p), int(x.q)) for x in matrix.inv() * sympy.Matrix([level for _, level in chosen])]
        if min(a) >= 0 and all(sum(x * y for x, y in zip(a, alpha, strict=True)) >= 1 for alpha in exponents):
            value = sum(x * k for x, k in zip(a, measure, strict=True))
            best = value if best is None else min(best, value)
    assert best is not None
    return best / 2


def test_linear_programs_against_all_vertices() -> None:
    rng = np.random.default_rng(5)
    for _ in range(12):
        size = int(rng.integers(2, 4))
        exponents = [tuple(map(int, rng.integers(0, 4, size))) for _ in range(4)]
        exponents = [alpha for alpha in exponents if any(alpha)] or [(1,) * size]
        measure = list(map(int, rng.integers(1, 4, size)))
        assert monomial_threshold(exponents, measure).value == _by_bases(exponents, measure)


def test_multiplicities_of_products() -> None:
    for exponents in product(range(1, 4), repeat=3):
        largest = max(exponents)
        found = monomial_threshold([exponents])
        assert (found.value, found.multiplicity) == (F(1, 2 * largest), exponents.count(largest))


def test_weights_and_strata_agree() -> None:
    given = {"W1": [[1, 2, 3], [0, 0, 0]], "W2": [["1/3", 0]]}
    assert learning_coefficient("[3,2,1] r=2", given).value == 2
    assert learning_coefficient("[3,2,1] r=2", {"W1": np.eye(2, 3), "W2": np.ones((1, 2))}).value == F(5, 2)
    assert exact([[0.5]]).tolist() == [[F(1, 2)]]


@pytest.mark.parametrize(
    ("network", "at", "words"),
    [
        ("[3,2,1] r=2", "dead 3", "hidden neurons are"),
        ("[3,2,1] r=2", "dead", "is not one of"),
        ("[3,2,1] r=2", "asleep 1", "is not one of"),
        ("[3,2,1] r=2", "duplicate 1", "pair"),
        ("[3,2,1] r=2", "duplicate 1=1", "two neurons"),
        ("[3,2,1] r=2", "rank 1", "linear networks"),
        ("[3,2,1] r=1", "rank 4", "least width"),
        ("ccp(2,rank=2,degree=2)", "dead 1", "no perceptron"),
        ("[3,2,1] r=2", {"W1": [[1]]}, "exactly"),
        ("[3,2,1] r=2", {"W1": [[1]], "W2": [[1]]}, "shape"),
        ("[3,2,1] r=2", {"W1": [[1, 2, float("nan")]] * 2, "W2": [[1, 1]]}, "finite"),
        ("[3,2,1] r=2", {"W1": [[1, 2, "1/0"]] * 2, "W2": [[1, 1]]}, "finite"),
        ("[3,2,1] r=2", 3, "at must be"),
    ],
)
def test_refusals(network: str, at: object, words: str) -> None:
    with pytest.raises(PolygeomError, match=words):
        learning_coefficient(network, at)  # type: ignore[arg-type]
