"""Parametrisations whose dimension, equations and degree are in the literature."""

from __future__ import annotations

from typing import Any

import pytest

import polygeom
from polygeom import maps
from polygeom.network import Network

CYCLE = maps.gaussian_graphical_model(4, [(1, 2), (2, 3), (3, 4), (1, 4)])
QUARTET = maps.tree_model([(0, 1), (0, 2), (0, 5), (5, 3), (5, 4)])

DIMENSIONS: list[tuple[str, Network, int, bool, str]] = [
    ("tensors of rank 3", maps.segre([3, 3, 3], 3), 21, True, "secants of Segre varieties: Strassen 1983"),
    ("tensors of rank 4", maps.segre([3, 3, 3], 4), 26, False, "Strassen 1983: a hypersurface of degree 9"),
    ("tensors of rank 5", maps.segre([3, 3, 3], 5), 27, True, "Strassen 1983"),
    ("(2,2,2,2) of rank 3", maps.segre([2, 2, 2, 2], 3), 14, True, "Catalisano, Geramita, Gimigliano 2011: defective"),
    ("Plücker (2,5)", maps.grassmannian(2, 5), 7, True, "k (n - k) + 1"),
    ("Plücker (3,6)", maps.grassmannian(3, 6), 10, True, "k (n - k) + 1"),
    ("essential matrices", maps.essential_matrices(), 6, True, "Demazure 1988; a cone over a variety of dimension 5"),
    ("quadrics of rank 2", maps.veronese(3, 2, 2), 5, True, "symmetric matrices"),
]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("network", "value", "proved"),
    [
        pytest.param(*case[1:4], id=case[0], marks=[pytest.mark.slow] if case[0] == "tensors of rank 4" else [])
        for case in DIMENSIONS
    ],
)
def test_dimensions(network: Network, value: int, proved: bool) -> None:
    result = polygeom.dimension(network)
    assert (result.dimension, result.proved) == (value, proved)
    assert result.lower <= value <= result.upper


IDEALS: list[tuple[str, Network, dict[int, int], tuple[int, ...], str]] = [
    ("rational normal quartic", maps.rational_normal_curve(4), {2: 6}, (1, 3), "2 x 2 minors of a Hankel matrix"),
    ("scroll S(2,3)", maps.rational_normal_scroll(2, 3), {2: 10}, (1, 4), "2 x 2 minors, degree a + b"),
    ("Segre 2 x 2 x 2", maps.segre([2, 2, 2]), {2: 9}, (1, 4, 1), "degree 3!"),
    ("Segre 3 x 3", maps.segre([3, 3]), {2: 9}, (1, 4, 1), "2 x 2 minors, degree C(4,2)"),
    ("Veronese surface", maps.veronese(3, 2), {2: 6}, (1, 3), "degree 4"),
    ("quadrics of rank 2", maps.veronese(3, 2, 2), {3: 1}, (1, 1, 1), "the determinant"),
    ("G(2,5)", maps.grassmannian(2, 5), {2: 5}, (1, 3, 1), "Plücker relations, degree 5"),
    ("G(3,6)", maps.grassmannian(3, 6), {2: 35}, (1, 10, 20, 10, 1), "Kleiman, Laksov 1972; 42 Young tableaux, 3 x 3"),
    ("essential matrices", maps.essential_matrices(), {3: 10}, (1, 3, 6), "Demazure 1988: ten cubics, degree 10"),
    ("Gaussian 4-cycle", CYCLE, {3: 2}, (1, 2, 3, 2, 1), "Sturmfels, Uhler 2010: ML degree and degree 9"),
    ("quartet tree", QUARTET, {1: 8, 2: 2}, (1, 2, 1), "Sturmfels, Sullivant 2005: toric in other coordinates"),
    ("Whitney umbrella", maps.from_text("x=u*v, y=u, z=v^2"), {3: 1}, (1, 1, 1), "x^2 = y^2 z"),
    ("Cayley cubic", maps.from_text("1/a, 1/b, 1/c, -1/(a+b+c)"), {3: 1}, (1, 1, 1), "1/x + 1/y + 1/z + 1/w = 0"),
    ("circle", maps.from_text("(1-t^2)/(1+t^2), 2*t/(1+t^2)"), {2: 1}, (1, 1), "x^2 + y^2 = 1"),
]  # fmt: skip


@pytest.mark.parametrize(("network", "counts", "h_vector"), [case[1:4] for case in IDEALS], ids=[c[0] for c in IDEALS])
def test_ideals(network: Network, counts: dict[int, int], h_vector: tuple[int, ...]) -> None:
    variety = polygeom.Neurovariety(network)
    result = variety.ideal()
    assert result.degrees == counts
    assert all(g.proved_member for g in result.generators)
    assert result.complete
    assert variety.h_vector == h_vector
    assert variety.degree.value == sum(h_vector)
    assert variety.degree.status == "proved"
    assert str(variety.contains(variety.random_point())).startswith("yes (proved)")


def test_the_equations_of_rational_maps_are_the_known_ones() -> None:
    cayley = polygeom.Neurovariety(maps.from_text("x=1/a, y=1/b, z=1/c, w=-1/(a+b+c)"))
    (equation,) = cayley.equations()
    assert str(equation) == "x*y*z + x*y*w + x*z*w + y*z*w"
    (circle,) = polygeom.Neurovariety(maps.from_text("x=(1-t^2)/(1+t^2), y=2*t/(1+t^2)")).equations()
    assert str(circle) == "x**2 + y**2 - 1"


@pytest.mark.parametrize(
    ("text", "equations"),
    [
        ("map(s: x=0, y=s, z=s^2)", ["x", "y**2 - z"]),
        ("map(s: x=s, y=0)", ["y"]),
        ("map(s: x=0)", ["x"]),
        ("map(: x=0, y=1/3)", ["x", "3*y - 1"]),
    ],
)
def test_coordinates_that_are_zero_or_constant_have_equations(text: str, equations: list[str]) -> None:
    assert [str(e) for e in polygeom.Neurovariety(text).equations()] == equations


@pytest.mark.slow
def test_degrees_by_monodromy() -> None:
    degree = polygeom.degree(maps.grassmannian(3, 6), method="monodromy")
    assert (degree.value, degree.status) == (42, "probable")
    strassen = polygeom.degree(maps.segre([3, 3, 3], 4), method="monodromy")
    assert strassen.value == 9


def test_critical_points_of_the_distance() -> None:
    """ED degrees: the twisted cubic 7 generic (Draisma et al., arXiv 1309.0049, Example 5.10); the circle 2."""
    assert polygeom.ed_degree(maps.rational_normal_curve(3)).value == 7
    circle: Any = maps.from_text("(1-t^2)/(1+t^2), 2*t/(1+t^2)")
    assert polygeom.ed_degree(circle, "unit").value == 2


@pytest.mark.thorough
def test_defects_are_explained_or_said_not_to_be() -> None:
    assert polygeom.explain(maps.grassmannian(2, 5)).verdict == "no defect"
    assert polygeom.explain(maps.segre([2, 2, 2, 2], 3)).verdict == "explained"
    assert polygeom.explain(maps.segre([3, 3, 3], 4)).verdict == "unexplained"
