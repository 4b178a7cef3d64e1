"""Condition numbers of symmetric systems: what is singular is refused, what is nearly so is said.

A solution of ``K w = y`` has relative errors of up to ``ε · condition``, ``ε`` the rounding of the precision. From a
condition of ``1 / (n ε)`` the smallest eigenvalues are rounding errors themselves, and so is what is divided by them.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from polygeom.errors import PolygeomError

_STEPS = 4
_DIGITS = 1e-2


class ConditionWarning(UserWarning):
    """A system so badly conditioned that fewer than two digits of the solution are certain."""


def condition_number(matrix: Tensor) -> float:
    """Largest over smallest modulus of the eigenvalues of a symmetric matrix; infinite if one is zero.

    Examples
    --------
    >>> condition_number(torch.diag(torch.tensor([4.0, -2.0])))
    2.0
    """
    return _ratio(torch.linalg.eigvalsh(matrix).abs())


def _ratio(sizes: Tensor) -> float:
    return float(sizes.max() / sizes.min()) if sizes.min() > 0 else math.inf


def limit(size: int, dtype: torch.dtype) -> float:
    """The condition from which a matrix of ``size`` rows is singular in its precision, ``1 / (n ε)``."""
    return 1 / (size * torch.finfo(dtype).eps)


def estimated_condition(matrix: Tensor, solve: Callable[[Tensor], Tensor]) -> float:
    """A lower estimate of the condition number from a few products with the matrix and its inverse.

    Parameters
    ----------
    matrix:
        Symmetric, ``(n, n)``.
    solve:
        ``v ↦ matrix⁻¹ v`` for columns ``(n, k)``.
    """
    generator = torch.Generator().manual_seed(0)
    start = torch.randn((len(matrix), 2), generator=generator, dtype=torch.float64).to(matrix)
    sizes = []
    for apply in (lambda v: matrix @ v, solve):
        v, size = start, torch.ones(2)
        for _ in range(_STEPS):
            v = v / torch.linalg.vector_norm(v, dim=0).clamp_min(torch.finfo(v.dtype).tiny)
            v = apply(v)
            size = torch.linalg.vector_norm(v, dim=0)
        sizes.append(float(size.max()))
    product = sizes[0] * sizes[1]
    return product if math.isfinite(product) else math.inf


def check_condition(matrix: Tensor, condition: float, advice: str) -> None:
    """Refuse a matrix that is singular in its precision, and warn of one that is nearly so.

    Raises
    ------
    PolygeomError
        When ``condition`` is at least `limit`; it says the numerical rank.
    """
    worst = limit(len(matrix), matrix.dtype)
    if not condition < worst:
        sizes = torch.linalg.eigvalsh(matrix).abs()
        rank = int((sizes > sizes.max() / worst).sum())
        raise PolygeomError(
            f"the kernel matrix must be invertible to working precision, but its condition number is {condition:.1e} "
            f"(rank {rank} of {len(matrix)} in {matrix.dtype}); {advice}"
        )
    if condition * torch.finfo(matrix.dtype).eps > _DIGITS:
        warnings.warn(
            f"the kernel matrix has condition number {condition:.1e}: fewer than two digits of the solution are "
            f"certain; {advice}",
            ConditionWarning,
            stacklevel=3,
        )


__all__ = ["ConditionWarning", "check_condition", "condition_number", "estimated_condition", "limit"]
