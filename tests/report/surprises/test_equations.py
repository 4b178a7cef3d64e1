"""Second routes for the rows on equations."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from polygeom.modular import PrimeField, rank

PRIME = 2097143


def cubes_of_cubes(count: int, generator: np.random.Generator) -> np.ndarray:
    """Coefficients of random functions of [2,2,2,1] r=3 modulo a prime, by plain products of polynomials."""

    def times(a: list[int], b: list[int]) -> list[int]:
        product = [0] * (len(a) + len(b) - 1)
        for i, j in itertools.product(range(len(a)), range(len(b))):
            product[i + j] = (product[i + j] + a[i] * b[j]) % PRIME
        return product

    def cube(a: list[int]) -> list[int]:
        return times(a, times(a, a))

    def mix(factors: list[int], parts: list[list[int]]) -> list[int]:
        return [sum(f * c for f, c in zip(factors, column, strict=True)) % PRIME for column in zip(*parts, strict=True)]

    rows = []
    for _ in range(count):
        w1, w2, w3 = (generator.integers(0, PRIME, shape).tolist() for shape in ((2, 2), (2, 2), (2,)))
        inner = [cube(line) for line in w1]
        rows.append(mix(w3, [cube(mix(row, inner)) for row in w2]))
    return np.array(rows)


@pytest.mark.parametrize(("degree", "expected"), [(4, 715), pytest.param(5, 2000, marks=pytest.mark.slow)])
def test_equations_before_the_count(degree: int, expected: int) -> None:
    """Ranks of all monomials at random functions: full in degree 4, two short of 2,002 in degree 5."""
    monomials = list(itertools.combinations_with_replacement(range(10), degree))
    functions = cubes_of_cubes(len(monomials) + 5, np.random.default_rng(0))
    columns = []
    for monomial in monomials:
        column = np.ones(len(functions), dtype=np.int64)
        for k in monomial:
            column = column * functions[:, k] % PRIME
        columns.append(column)
    field = PrimeField(PRIME)
    assert rank(np.array(columns, dtype=float).T, field) == expected


def test_equations_before_the_count_by_weights() -> None:
    """Five exponents that are multiples of three never add up to 22 or 23, the weights of a covariant of order one."""
    sums = {sum(five) for five in itertools.product((0, 3, 6, 9), repeat=5)}
    assert {22, 23} & sums == set()
    assert {21, 24} <= sums


def catalecticant(functions: np.ndarray) -> np.ndarray:
    """The 4 × 3 matrix of two binary cubics in divided coefficients."""
    return np.array([[f[i], f[i + 1], f[i + 2]] for f in functions for i in range(2)])


def test_singular_locus() -> None:
    """Ranks of the differentials of the four 3 × 3 minors: 2 where the variety is smooth, 0 at multiples of a cube."""
    generator = np.random.default_rng(0)

    def cube(line: np.ndarray) -> np.ndarray:
        return np.array([line[0] ** (3 - k) * line[1] ** k for k in range(4)])

    def tangent(line: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.imag(cube(line + 1e-30j * other)) / 1e-30

    def differentials(point: np.ndarray) -> np.ndarray:
        rows = []
        for step in np.eye(8):
            matrix = catalecticant((point + 1e-30j * step).reshape(2, 4))
            rows.append([np.linalg.det(np.delete(matrix, k, 0)).imag / 1e-30 for k in range(4)])
        return np.array(rows)

    def height(point: np.ndarray) -> int:
        values = np.linalg.svd(differentials(point / np.linalg.norm(point)), compute_uv=False)
        return int((values > 1e-9).sum())

    line, other, v, w = generator.standard_normal((4, 2))
    assert height((np.outer(v, cube(line)) + np.outer(w, cube(other))).ravel()) == 2
    assert height((np.outer(v, cube(line) + cube(other))).ravel()) == 2  # proportional cubics
    assert height((np.outer(v, tangent(line, other)) + np.outer(w, cube(line))).ravel()) == 2  # tangents
    assert height(np.outer(v, tangent(line, other)).ravel()) == 2
    assert height(np.outer(v, cube(line)).ravel()) == 0


@pytest.mark.slow
def test_nine_quartics() -> None:
    from polygeom import degree

    assert degree("[3,3,3] r=2", method="monodromy", timeout=600).lower == 30
