"""Ideals that are known in closed form: the same spaces of equations, exactly, over Q."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from math import comb
from typing import Any

import flint
import pytest
import sympy

from polygeom.ideal import Neurovariety
from polygeom.ideal.grading.coordinates import Coordinates


def symbols(coordinates: Coordinates) -> dict[str, sympy.Symbol]:
    return {name: sympy.Symbol(name) for name in coordinates.names}


def minors(matrix: sympy.Matrix, size: int) -> list[sympy.Expr]:
    rows, columns = matrix.shape
    return [
        matrix.extract(list(r), list(c)).det()
        for r in itertools.combinations(range(rows), size)
        for c in itertools.combinations(range(columns), size)
    ]


def span_rank(polynomials: Sequence[Any]) -> int:
    monomials = sorted({m for p in polynomials for m in p})
    rows = [
        [flint.fmpq(int(p[m].numerator), int(p[m].denominator)) if m in p else 0 for m in monomials]
        for p in polynomials
    ]
    return flint.fmpq_mat(rows).rank()


def assert_same_span(network: str, known: Sequence[sympy.Expr]) -> None:
    """The equations found and the known ones span one space; all of them have one degree."""
    variety = Neurovariety(network)
    ring = variety.coordinates.ring
    expected = [ring.from_expr(sympy.expand(e)) for e in known]
    found = list(variety.equations())
    assert len(found) == span_rank(found) == span_rank(expected) == span_rank([*found, *expected])


@pytest.mark.parametrize(("n", "rank", "m"), [(2, 1, 2), (3, 1, 2), (3, 2, 3), (2, 1, 4), (3, 2, 4)])
def test_linear_networks_give_minors(n: int, rank: int, m: int) -> None:
    coordinates = Coordinates(f"[{n},{rank},{m}] r=1")
    c = symbols(coordinates)
    matrix = sympy.Matrix(m, n, lambda i, j: c[coordinates.names[i * n + j]])
    assert_same_span(coordinates.network.text, minors(matrix, rank + 1))


@pytest.mark.parametrize(("n", "rank"), [(2, 1), (3, 1), (3, 2), (4, 2), (4, 3)])
def test_quadratic_networks_give_minors_of_symmetric_matrices(n: int, rank: int) -> None:
    coordinates = Coordinates(f"[{n},{rank},1] r=2")
    c = symbols(coordinates)

    def entry(i: int, j: int) -> sympy.Expr:
        alpha = [0] * n
        alpha[i] += 1
        alpha[j] += 1
        name = coordinates.names[coordinates.position(0, alpha)]
        return c[name] if i == j else c[name] / 2

    assert_same_span(coordinates.network.text, minors(sympy.Matrix(n, n, entry), rank + 1))


@pytest.mark.parametrize(("degree", "rank"), [(3, 1), (4, 1), (4, 2), (5, 2), (6, 3)])
def test_binary_forms_give_minors_of_catalecticants(degree: int, rank: int) -> None:
    coordinates = Coordinates(f"[2,{rank},1] r={degree}")
    a = [sympy.Symbol(name) / comb(degree, k) for k, name in enumerate(coordinates.names)]
    size = degree // 2 + 1
    matrix = sympy.Matrix(size, degree + 2 - size, lambda i, j: a[i + j])
    assert_same_span(coordinates.network.text, minors(matrix, rank + 1))


def test_two_outputs_of_two_inputs_give_a_determinant() -> None:
    coordinates = Coordinates("[2,2,3] r=2")
    matrix = sympy.Matrix(3, 3, [sympy.Symbol(name) for name in coordinates.names])
    assert_same_span("[2,2,3] r=2", [matrix.det()])


def test_sums_of_three_cubes_give_the_invariant_of_aronhold() -> None:
    """Salmon's formula for the invariant S of a ternary cubic, a x³ + 3 a₂ x² y + … + 6 m x y z."""
    coordinates = Coordinates("[3,3,1] r=3")
    a = {alpha: sympy.Symbol(name) for (_, alpha), name in zip(coordinates.entries, coordinates.names, strict=True)}
    a1, b2, c3, m = a[3, 0, 0], a[0, 3, 0], a[0, 0, 3], a[1, 1, 1] / 6
    a2, a3, b1, b3, c1, c2 = (a[key] / 3 for key in [(2, 1, 0), (2, 0, 1), (1, 2, 0), (0, 2, 1), (1, 0, 2), (0, 1, 2)])
    invariant = (
        a1 * b2 * c3 * m
        - (b2 * c3 * a2 * a3 + c3 * a1 * b1 * b3 + a1 * b2 * c1 * c2)
        - m * (a1 * b3 * c2 + b2 * c1 * a3 + c3 * a2 * b1)
        + (a1 * b1 * c2**2 + a1 * c1 * b3**2 + b2 * a2 * c1**2 + b2 * c2 * a3**2 + c3 * b3 * a2**2 + c3 * a3 * b1**2)
        - m**4
        + 2 * m**2 * (b1 * c1 + c2 * a2 + a3 * b3)
        - 3 * m * (a2 * b3 * c1 + a3 * b1 * c2)
        - (b1**2 * c1**2 + c2**2 * a2**2 + a3**2 * b3**2)
        + (c2 * a2 * a3 * b3 + a3 * b3 * b1 * c1 + b1 * c1 * c2 * a2)
    )
    assert_same_span("[3,3,1] r=3", [invariant])


def test_rank_one_with_several_outputs_gives_minors_of_the_flattening() -> None:
    """Outputs proportional to one power of a linear form: 2 × 2 minors of the coefficients against derivatives."""
    coordinates = Coordinates("[2,1,2] r=3")
    a = [[sympy.Symbol(coordinates.names[4 * i + k]) / comb(3, k) for k in range(4)] for i in range(2)]
    matrix = sympy.Matrix(2, 6, lambda j, k: a[k // 3][k % 3 + j])
    assert_same_span("[2,1,2] r=3", minors(matrix, 2))


def test_a_bias_homogenises() -> None:
    """One neuron with bias and activation x²: the squares of affine forms, as for one input more without biases."""
    coordinates = Coordinates("x=input(2); a=dense(x,1); b=bias(a); c=power(b,2); dense(c,1)")
    values = {
        alpha: sympy.Symbol(name) for (_, alpha), name in zip(coordinates.entries, coordinates.names, strict=True)
    }

    def entry(i: int, j: int) -> sympy.Expr:
        alpha = [0, 0]
        for k in (i, j):
            if k < 2:
                alpha[k] += 1
        return values[tuple(alpha)] / (1 if i == j else 2)

    assert_same_span(coordinates.network.text, minors(sympy.Matrix(3, 3, entry), 2))


def test_a_product_of_two_linear_forms_is_singular() -> None:
    """A Π-net of rank one and degree two in three variables without constant terms: reducible quadrics."""
    coordinates = Coordinates("product_network(3,rank=1,degree=2)")
    c = {alpha: sympy.Symbol(name) for (_, alpha), name in zip(coordinates.entries, coordinates.names, strict=True)}

    def entry(i: int, j: int) -> sympy.Expr:
        alpha = [0, 0, 0]
        alpha[i] += 1
        alpha[j] += 1
        return c[tuple(alpha)] * (2 if i == j else 1)

    assert_same_span(coordinates.network.text, [sympy.Matrix(3, 3, entry).det()])
