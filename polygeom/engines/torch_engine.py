"""The primitives of networks on torch tensors: plain differentiable functions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor, nn

from polygeom.network.constants import Constants


class TorchEngine:
    """The primitives of `polygeom.network.primitives` on tensors: point values ``(N, *shape)``, weights ``shape``."""

    def linear(self, x: Tensor, w: Tensor) -> Tensor:
        return nn.functional.linear(x, w)

    def bias(self, x: Tensor, b: Tensor) -> Tensor:
        return x + b

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y

    def multiply(self, x: Tensor, y: Tensor) -> Tensor:
        return x * y

    def power(self, x: Tensor, exponent: int) -> Tensor:
        return x if exponent == 1 else x**exponent

    def polynomial(self, x: Tensor, coefficients: Sequence[Fraction]) -> Tensor:
        value = torch.full_like(x, float(coefficients[-1]))
        for c in reversed(coefficients[:-1]):
            value = value * x + float(c)
        return value

    def inverse(self, x: Tensor) -> Tensor:
        return 1 / x

    def combine(self, x: Tensor, matrix: Constants) -> Tensor:
        dense = torch.as_tensor(matrix.dense().astype(float), dtype=x.dtype, device=x.device)
        return nn.functional.linear(x, dense)

    def matmul(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.matmul(x, y)

    def reindex(self, x: Tensor, index: np.ndarray) -> Tensor:
        flat = x.flatten(start_dim=1)
        return _take(flat, index, x.device).reshape(x.shape[0], *index.shape)

    def arrange(self, w: Tensor, index: np.ndarray) -> Tensor:
        return _take(w.reshape(1, -1), index, w.device).reshape(index.shape)


def _take(flat: Tensor, index: np.ndarray, device: torch.device) -> Tensor:
    """Columns of ``flat`` at the positions of ``index``; -1 gives zero."""
    if index.flags.writeable or torch.compiler.is_compiling():
        positions, kept = _positions(index, device)
    else:
        positions, kept = _kept_positions(_Constant(index), device)
    taken = flat.index_select(1, positions)
    return taken if kept is None else taken * kept.to(flat.dtype)


def _positions(index: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor | None]:
    """Positions to take, and where they are not -1 unless that is everywhere."""
    positions = torch.as_tensor(np.maximum(index, 0).ravel(), device=device)
    kept = torch.as_tensor((index >= 0).ravel(), device=device) if (index < 0).any() else None
    return positions, kept


class _Constant:
    """An index that no one writes to: the same object is the same index, so that its tensor is made once."""

    __slots__ = ("index",)

    def __init__(self, index: np.ndarray) -> None:
        self.index = index

    def __hash__(self) -> int:
        return id(self.index)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Constant) and other.index is self.index


@lru_cache(maxsize=256)
def _kept_positions(constant: _Constant, device: torch.device) -> tuple[Tensor, Tensor | None]:
    with torch.inference_mode(False):  # an inference tensor would be refused by autograd later
        return _positions(constant.index, device)
