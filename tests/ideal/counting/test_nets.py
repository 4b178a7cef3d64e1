"""The generic ED degree of `[3,3,m] r=2`: the hypotheses of the theorem, and its numbers by other formulas."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
import sympy
from ideal.counting.test_degrees_by_localisation import degree_by_localisation

from polygeom.ideal.counting import formulas
from polygeom.ideal.counting.invariants import ed_degree

X = x, y, z = sympy.symbols("x y z")
MONOMIALS = [a * b for a, b in itertools.combinations_with_replacement(X, 2)]
ORBITS = {
    "three points": [[x, 0], [y, y], [0, z]],  # the minors are x y, x z, y z
    "a point with a tangent, and another": [[x, 0], [y, x], [0, z]],
    "a point with a curve of second order": [[x, 0], [y, x], [z, y]],
    "a fat point": [[x, 0], [y, x], [0, y]],
    "multiples of one form": [[z, 0], [0, z], [x, y]],
}
"""Matrices of linear forms whose minors are nets of the five orbits of PGL(3) on the variety of nets."""


def minors(rows: list[list[sympy.Expr]]) -> list[sympy.Poly]:
    pairs = ((1, 2), (2, 0), (0, 1))
    return [sympy.Poly(rows[i][0] * rows[j][1] - rows[i][1] * rows[j][0], *X) for i, j in pairs]


def coefficients(polynomial: sympy.Poly) -> list[int]:
    return [int(polynomial.coeff_monomial(m)) for m in MONOMIALS]


def tangent(rows: list[list[sympy.Expr]]) -> tuple[np.ndarray, np.ndarray]:
    """The net, ``(3, 6)``, and the tangent space of the nets in the maps from it to quadrics modulo it."""
    net = np.array([coefficients(f) for f in minors(rows)], dtype=float)
    e = sympy.Symbol("e")
    directions = []
    for i, j, v in itertools.product(range(3), range(2), X):
        moved = [list(row) for row in rows]
        moved[i][j] = moved[i][j] + e * v
        slopes = [sympy.Poly(f.as_expr().expand().coeff(e, 1), *X) for f in minors_of(moved, e)]
        directions.append([coefficients(f) for f in slopes])
    inside = net.T @ np.linalg.pinv(net.T)
    return net, np.array(directions, dtype=float) @ (np.eye(6) - inside).T


def minors_of(rows: list[list[sympy.Expr]], e: sympy.Symbol) -> list[sympy.Poly]:
    pairs = ((1, 2), (2, 0), (0, 1))
    return [sympy.Poly(rows[i][0] * rows[j][1] - rows[i][1] * rows[j][0], *X, e) for i, j in pairs]


@pytest.mark.parametrize("orbit", ORBITS)
def test_the_nets_are_immersed_in_the_grassmannian(orbit: str) -> None:
    """So the covectors that vanish on the tangent space have three dimensions everywhere."""
    net, directions = tangent(ORBITS[orbit])
    assert np.linalg.matrix_rank(net) == 3
    assert np.linalg.matrix_rank(directions.reshape(18, 18), tol=1e-9) == 6


@pytest.mark.parametrize(("orbit", "codimension"), [("three points", 0), ("a point with a tangent, and another", 1)])
def test_covectors_with_a_small_image_are_few(orbit: str, codimension: int) -> None:
    """``K``, the covectors in ``U ⊗ P``, is an algebra of commuting matrices times one of them. Where its elements with
    an image in ``I`` have the dimension ``k`` for a family of spaces ``I``, ``k + dim < 3 + codimension``: for general
    ``I`` is ``k = 0``, and otherwise ``I`` contains an ideal of the algebra, of which there are finitely many."""
    net, directions = tangent(ORBITS[orbit])
    _, _, quotient = np.linalg.svd(net)
    maps = directions @ quotient[3:].T  # (18, 3, 3): from the net to quadrics modulo it
    _, _, rows = np.linalg.svd(maps.reshape(18, 9))
    matrices = [row.reshape(3, 3).T for row in rows[6:]]  # K: from the dual of the net to U, the dual of the quotient
    rng = np.random.default_rng(0)
    unit = np.linalg.inv(sum(c * m for c, m in zip(rng.standard_normal(3), matrices, strict=True)))
    algebra = [m @ unit for m in matrices]
    for a, b in itertools.combinations(algebra, 2):
        np.testing.assert_allclose(a @ b, b @ a, atol=1e-8)
    values = np.linalg.eigvals(sum(c * a for c, a in zip(rng.standard_normal(3), algebra, strict=True)))
    gaps = sorted(abs(a - b) for a, b in itertools.combinations(values, 2))
    assert (gaps[0] < 1e-6) == (codimension == 1)  # the algebra of three points, or of a tangent and a point
    for size in (1, 2):
        for _ in range(5):  # annihilators of a general line or plane I: no element of K has its image there
            conditions = rng.standard_normal((3 - size, 3))
            table = np.array([(conditions @ a).ravel() for a in algebra])
            assert np.linalg.matrix_rank(table, tol=1e-7) == 3


def test_thirteen_fixed_points_and_the_euler_characteristic() -> None:
    points = list(formulas.net_fixed_points())
    assert len(points) == 13
    assert all(len(t) == 6 and 0 not in t for t, _, _ in points)
    volume = [sum(Fraction(sum(u) ** k, math.prod(t)) for t, u, _ in points) for k in range(7)]
    assert volume[:6] == [0] * 6  # integrals of classes below the top degree
    assert volume[6] == 57  # the degree of the nets in the Grassmannian


def test_polar_degrees_by_the_chern_classes_of_a_resolution() -> None:
    """The bundle of all ``P(W ⊗ U)`` is a resolution of the neurovariety; that its Chern classes give the polar degrees
    is another way to say that no other conormal variety lies in ``Z``."""
    for outputs in (3, 4):
        dimension = 3 * outputs + 5
        classes = [chern_number(j, outputs) for j in range(dimension + 1)]
        polar = [
            sum((-1) ** j * math.comb(dimension - j + 1, i + 1) * classes[j] for j in range(dimension - i + 1))
            for i in range(dimension + 1)
        ]
        found = formulas.net_polar_degrees(outputs)
        assert found[: dimension + 1] == polar
        assert not any(found[dimension + 1 :])


def chern_number(j: int, outputs: int) -> Fraction:
    """Degree of the Chern class of degree ``j`` of the bundle ``P(W ⊗ U)``, of dimension ``3 m + 5``."""
    rank = 3 * outputs
    total = Fraction(0)
    for tangent_, u, _ in formulas.net_fixed_points():
        base, fibre = (formulas._chern(roots) for roots in (tangent_, u * outputs))
        segre = formulas._segre(u * outputs, 6)
        for a, k in itertools.product(range(7), repeat=2):
            b = j - a
            s = rank + 5 - j + b - k - rank + 1
            if k <= b <= rank and s >= 0 and a + k + s == 6:
                part = base[a] * fibre[k] * segre[s] * math.comb(rank - k, b - k)
                total += Fraction(part, math.prod(tangent_))
    return total


def test_the_degree_is_that_on_the_hilbert_scheme() -> None:
    for outputs in (3, 4):
        polar = [d for d in formulas.net_polar_degrees(outputs) if d]
        assert polar[-1] == degree_by_localisation(3, outputs, 2)


@pytest.mark.parametrize(("outputs", "value"), [(3, 30529), (4, 329885)])
def test_the_theorem_is_found(outputs: int, value: int) -> None:
    count = ed_degree(f"[3,3,{outputs}] r=2")
    assert (count.value, count.status, count.evidence[0].route) == (value, "proved", "theorem")
    assert ed_degree("[3,3,3] r=2", "unit", method="theorem").upper == 30529


def test_two_outputs_fill_their_space() -> None:
    """Two general quadrics are diagonal in one basis: there the theorem says nothing, and is not asked."""
    assert ed_degree("[3,3,2] r=2").value == 1
