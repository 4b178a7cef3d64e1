"""The checker's own elimination of large matrices has the ranks that FLINT has, and its sums never pass 2^53."""

from __future__ import annotations

import numpy as np
import pytest
from matrices import P26, families, flint_rank

from polygeom.dimensions.proofs import jacobians
from polygeom.dimensions.proofs.limits import LARGE
from polygeom.modular import PrimeField


@pytest.mark.parametrize("p", [3, 5, 257, 4194301, 33554393, P26])
def test_ranks_by_elimination_are_those_of_flint(
    p: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jacobians, "_STRIP", 7)
    odd = rng.integers(0, 9, (40, 20)) @ rng.integers(0, 9, (20, 7 + 28 + 1))
    for name, matrix in [*families(PrimeField(p), rng, 45), ("a column more than the pieces", odd)]:
        rows = matrix.astype(np.int64)
        assert not rows.size or jacobians.rank_of_large(rows, p) == flint_rank(rows, p), name


@pytest.mark.parametrize("p", [4194301, P26, 2147483647])
def test_large_matrices_are_eliminated_exactly(p: int, rng: np.random.Generator) -> None:
    """Sums of 256 products, in one piece or in 36; FLINT has to take the largest prime."""
    rows = rng.integers(0, p, (LARGE + 20, LARGE + 40))
    rows[:, 7] = 3 * rows[:, 11] % p
    rows[5] = rows[9]
    assert jacobians.rank(rows, p) == flint_rank(rows, p) == LARGE + 19


@pytest.mark.parametrize("p", [3, 4194301])
def test_nullspaces_by_elimination_are_those_of_flint(
    p: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, matrix in families(PrimeField(p), rng, 30):
        rows = matrix.astype(np.int64)
        for least in (0, 10**6):
            monkeypatch.setattr(jacobians, "LARGE", least)
            basis = jacobians.nullspace(rows, p) if rows.size else np.zeros((rows.shape[1], rows.shape[1]))
            assert not (rows % p @ basis % p).any(), name
            assert basis.shape[1] == rows.shape[1] - flint_rank(rows, p), name
            assert not rows.size or flint_rank(basis, p) == basis.shape[1], name


@pytest.mark.parametrize("p", [5, 4194301, P26])
def test_no_sum_is_rounded(p: int) -> None:
    """The largest residues, all of one sign: their products add up to what the pieces are made for."""
    size = p // 2 + 2
    x, y = np.full((2, 5000), float(size)), np.full((5000, 2), -float(size))
    z = jacobians._minus(np.full((2, 2), float(size)), x, y, p)
    assert (z % p == (size + 5000 * size * size) % p).all()
    assert (abs(z) < p).all()


def test_products_of_the_largest_residues_do_not_overflow() -> None:
    x = np.full((1, 6000), P26 - 1)
    assert jacobians.dot(x, x.T, P26)[0, 0] == 6000
    assert jacobians.product(x, x.T, P26)[0, 0] == 6000


@pytest.mark.parametrize("p", [3, 4194301, P26])
def test_products_in_floating_point_are_those_of_integers(p: int, rng: np.random.Generator) -> None:
    for shape in ((4, 700, 5), (0, 3, 2), (3, 0, 2), (3, 1, 2)):
        x, y = rng.integers(0, p, (2, *shape[:2])), rng.integers(0, p, shape[1:])
        expected = (x.astype(object) @ y.astype(object)) % p if shape[1] else np.zeros((2, shape[0], shape[2]), int)
        assert (jacobians.product(x, y, p) == expected).all()
        if shape[1]:
            assert (jacobians.dot(x, y, p) == expected).all()


def test_products_of_many_matrices_are_cut_along_their_sums() -> None:
    x = np.full((3, 1, 6000), P26 - 1)
    y = np.full((3, 6000, 2), P26 - 1)
    assert (jacobians.dot(x, y, P26) == 6000).all()
    assert (jacobians.dot(x.reshape(3, 6000), y[0], P26) == 6000).all()
