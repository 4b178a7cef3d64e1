"""Many small eliminations at once give the bases that each of them gives alone."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from polygeom.modular import P22, as_field, nullspace
from polygeom.modular.batches import nullspaces


@pytest.mark.parametrize("p", [3, 7, P22])
@pytest.mark.parametrize("shape", [(1, 1, 1), (40, 3, 5), (30, 6, 4), (5, 4, 4), (3, 0, 3), (0, 2, 2), (4, 2, 0)])
def test_a_batch_gives_what_its_members_give(p: int, shape: tuple[int, int, int]) -> None:
    field = as_field(p)
    rng = np.random.default_rng(p)
    matrices = field.random(rng, shape)
    matrices[rng.random(shape) < 0.4] = 0
    kept = matrices.copy()
    for matrix, basis in zip(kept, nullspaces(matrices, field), strict=True):
        assert np.array_equal(basis, nullspace(matrix, field))
    assert np.array_equal(matrices, kept)


def test_members_may_have_different_ranks() -> None:
    """Against sympy: outer products of low rank, scrambled."""
    field = as_field(101)
    rng = np.random.default_rng(1)
    stack = [field.matmul(field.random(rng, (5, k)), field.random(rng, (k, 6))) if k else np.zeros((5, 6))
             for k in range(5)]  # fmt: skip
    for matrix, basis in zip(stack, nullspaces(np.stack(stack), field), strict=True):
        domain = sympy.GF(101, symmetric=False)
        exact = sympy.polys.matrices.DomainMatrix(
            [[domain(int(c)) for c in row] for row in matrix.tolist()], matrix.shape, domain
        )
        assert len(basis) == 6 - exact.rank()
        assert not field.matmul(matrix, basis.T).any()
