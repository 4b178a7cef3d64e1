"""Degrees of maps by Newton polytopes: known toric varieties, and volumes by another program."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from scipy.spatial import ConvexHull

import polygeom
from polygeom import maps
from polygeom.ideal.counting.newton import newton_degree, normalised_volume
from polygeom.network import Network

TORIC: list[tuple[str, Network, int]] = [
    ("curve with a gap", maps.from_text("s^4, s^3*t, s*t^3, t^4"), 4),
    ("rational normal curve", maps.rational_normal_curve(12), 12),
    ("scroll", maps.rational_normal_scroll(2, 3, 4), 9),
    ("Segre 3 x 3 x 3: 6!/(2! 2! 2!)", maps.segre([3, 3, 3]), 90),
    ("Veronese: 5^2", maps.veronese(3, 5), 25),
    ("parabola, met twice by its parameters", maps.from_text("t^2, t^4"), 2),
    ("hyperbola", maps.from_text("a/b, b/a"), 2),
    ("a point", maps.from_text("map(: x=2, y=1/3)"), 1),
    ("a line with a constant coordinate", maps.from_text("map(s: x=s^3, y=5, z=0)"), 1),
]


@pytest.mark.parametrize(("network", "degree"), [case[1:] for case in TORIC], ids=[case[0] for case in TORIC])
def test_the_degree_of_a_toric_variety_is_a_volume(network: Network, degree: int) -> None:
    assert newton_degree(network, polygeom.dimension(network).dimension) == (degree, True)


def test_the_theorem_agrees_with_equations_and_paths() -> None:
    for text in ("s^4, s^3*t, s*t^3, t^4", "t^2, t^4", "a/b, b/a, a", "a^2*b, a*b^2, a*b"):
        found = polygeom.degree(maps.from_text(text), method="all")
        assert found.status == "proved"
        assert {e.value for e in found.evidence if e.likely} == {found.value}
        assert len([e for e in found.evidence if e.likely]) >= 2


def test_a_bound_that_meets_certified_points_is_a_proof() -> None:
    """A rational quartic whose coordinates are no monomials."""
    found = polygeom.degree(maps.from_text("1+t^4, t+2*t^3, t^2-t^4, t-3*t^4"), method="all", timeout=20)
    theorem = found.evidence[0]
    assert (theorem.value, theorem.upper, found.value, found.status) == (None, 4, 4, "proved")


def test_bounds_are_above_degrees() -> None:
    for network, dimension, degree in (
        (maps.from_text("1/a, 1/b, 1/c, -1/(a+b+c)"), 3, 3),
        (maps.from_text("(1-t^2)/(1+t^2), 2*t/(1+t^2)"), 1, 2),
        (maps.from_text("1/(t+1), t/(t-1)"), 1, 2),
        (maps.from_text("u*v, u, v^2"), 2, 3),
        (maps.essential_matrices(), 6, 10),
    ):
        bound = newton_degree(network, dimension)
        assert bound is not None
        assert bound[0] >= degree
        assert bound[1] is (str(network) == "map(u,v: u*v, u, v^2)")


def test_networks_and_degenerate_maps_have_no_bound() -> None:
    assert newton_degree(polygeom.parse("[2,2,1] r=2"), 3) is None
    assert newton_degree(maps.grassmannian(2, 4), 5) is None  # 8 parameters: the exponents span more than the dimension


def test_volumes_are_those_of_qhull() -> None:
    rng = random.Random(5)
    compared = 0
    while compared < 60:
        size = rng.randint(2, 5)
        points = [tuple(rng.randint(-3, 4) for _ in range(size)) for _ in range(rng.randint(size + 1, 14))]
        if np.linalg.matrix_rank(np.array(points) - np.array(points[0])) < size:
            continue
        volume = normalised_volume(points)
        assert volume == pytest.approx(ConvexHull(np.array(points)).volume * math.factorial(size))
        compared += 1


def test_large_hulls_and_short_times_are_given_up() -> None:
    points = [tuple(int(b) for b in f"{k:08b}") for k in range(256)]
    assert normalised_volume(points, until=0.0) is None
