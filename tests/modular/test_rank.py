"""Rank, stability and Schur complements agree with FLINT, whatever the method."""

from __future__ import annotations

import flint
import numpy as np
import pytest

from polygeom.modular import P22, P23, PrimeField, eliminate_columns_stable, rank, rank_stable

P21 = 2097143


def flint_rank(a: np.ndarray, p: int) -> int:
    return flint.nmod_mat(*a.shape, [int(x) % p for x in a.ravel()], p).rank() if a.size else 0


@pytest.mark.parametrize("method", ["numpy", "numba"])
@pytest.mark.parametrize("p", [3, 7, 101, P21, P22, P23, 2**26 - 5])
def test_random_matrices_of_known_rank(p: int, method: str, rng: np.random.Generator) -> None:
    field = PrimeField(p)
    for _ in range(10):
        rows, columns = (int(n) for n in rng.integers(1, 120, size=2))
        inner = int(rng.integers(1, min(rows, columns) + 1))
        a = field.matmul(field.random(rng, (rows, inner)), field.random(rng, (inner, columns)))
        head = int(rng.integers(0, rows + 1))
        expected = flint_rank(a, p)
        assert rank(a, p, method=method) == expected
        assert rank_stable(a, head, p, method=method) == (flint_rank(a[:head], p), flint_rank(a[:head], p) == expected)
        first = int(rng.integers(0, columns + 1))
        e = a.copy()
        k, _ = eliminate_columns_stable(e, first, head, p, method=method)
        assert k == flint_rank(a[:head, :first], p)
        assert k + flint_rank(e[k:head, first:], p) == flint_rank(a[:head], p)
