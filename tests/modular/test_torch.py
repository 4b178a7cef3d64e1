"""The elimination on torch tensors against the compiled one and FLINT, on the CPU."""

from __future__ import annotations

import numpy as np
import pytest
from matrices import P26, extreme, families, flint_rank, scrambled

from polygeom.errors import BudgetError, PolygeomError
from polygeom.modular import P22, P23, PrimeField, rank

torch = pytest.importorskip("torch")


THOROUGH = pytest.param(130, marks=pytest.mark.thorough)


@pytest.mark.parametrize("largest", [5, 30, THOROUGH])
@pytest.mark.parametrize("p", [3, P22, P26])
def test_ranks_are_those_of_the_other_kernels(p: int, largest: int, rng: np.random.Generator, multiplier: int) -> None:
    from polygeom.modular import _elimination_torch

    field = PrimeField(p)
    for _ in range(multiplier):
        for name, a in families(field, rng, largest):
            expected = flint_rank(a, p)
            tensor = torch.from_numpy(a.copy())
            before = tensor.clone()
            assert rank(tensor, p) == rank(a, p) == expected, (name, a.shape)
            assert torch.equal(tensor, before)
            small = _elimination_torch.rank(tensor, field, min(a.shape), overwrite=False, width=8)
            assert small == expected, (name, a.shape)
            assert rank(tensor, p, limit=expected // 2) == expected // 2


def test_rank_by_construction_beyond_one_panel(rng: np.random.Generator) -> None:
    field = PrimeField(P22)
    for shape, r in [((150, 150), 150), ((150, 140), 95), ((130, 200), 65), ((200, 100), 1)]:
        a = scrambled(field, rng, shape, r)
        assert rank(torch.from_numpy(a), P22) == r


@pytest.mark.parametrize(("left", "right"), [(1, 1), (1, -1)])
@pytest.mark.parametrize("p", [P23, P26])
def test_no_product_overflows(p: int, left: int, right: int) -> None:
    """Factors that are all as large as entries can be: sums of products grow as fast as the bound allows."""
    field = PrimeField(p)
    true_rank = field.max_products + 70
    large = p // 2 - (p // 2 + 1) % 2  # odd, so that rounded sums are wrong
    a = extreme(field, true_rank, true_rank + 30, min(64, field.max_products), left * large, right * large)
    assert rank(torch.from_numpy(a), p) == true_rank


def test_tensors_of_integers_and_others() -> None:
    wide = torch.tensor([[P22 + 1, 2, 3], [2, 4, 6], [0, 0, 5]])
    assert (rank(wide, P22), rank(wide.int(), 2 * 3 + 1), rank(wide.double(), 5)) == (2, 3, 2)
    own = torch.eye(3, dtype=torch.float64) * 8
    assert rank(own, 7, overwrite=True) == 3
    assert rank(torch.zeros((0, 4), dtype=torch.int64), 7) == rank(torch.zeros((4, 0), dtype=torch.int64), 7) == 0
    with pytest.raises(PolygeomError, match=r"integers or of float64, got torch.float32; write a.double\(\)"):
        rank(torch.ones((2, 2)), 7)
    with pytest.raises(PolygeomError, match="must be integers of magnitude"):
        rank(torch.tensor([[0.5]], dtype=torch.float64), 7)
    with pytest.raises(PolygeomError, match="must be integers of magnitude"):
        rank(torch.tensor([[float("nan")]], dtype=torch.float64), 7)
    with pytest.raises(PolygeomError, match="method belongs to arrays"):
        rank(wide, 7, method="numpy")
    with pytest.raises(BudgetError):
        rank(wide, 7, memory=10)
