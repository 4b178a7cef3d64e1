"""Sums, multiples and products of kernels: ``2 * k``, ``k + l``, ``k * l``, ``k + 1``, and unit diagonals.

All of them are positive definite when their parts are: sums and positive multiples by definition, products by Schur
(1911), constants as the kernel of constant functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeGuard

from torch import Tensor

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.learning.checks import rows

Kernel = Callable[[Tensor, Tensor], Tensor]


class Composable:
    """What kernels inherit to be added and multiplied, with each other, with functions of two tensors, with numbers.

    Examples
    --------
    >>> import torch
    >>> from polygeom.learning.kernels import Gaussian, Polynomial
    >>> kernel = 2 * Gaussian(1.5) + Polynomial(2) * Polynomial(1) + 1
    >>> x = torch.tensor([[1.0, 2.0]])
    >>> kernel(x, x).item()
    128.0
    """

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        raise NotImplementedError

    def __add__(self, other: Kernel | float) -> SumOfKernels:
        return SumOfKernels(self, _operand(other, "k + 1"))

    def __radd__(self, other: Kernel | float) -> SumOfKernels:
        return SumOfKernels(_operand(other, "1 + k"), self)

    def __mul__(self, other: Kernel | float) -> ProductOfKernels | Multiple:
        return Multiple(self, other) if _is_number(other) else ProductOfKernels(self, _operand(other, "2 * k"))

    def __rmul__(self, other: Kernel | float) -> ProductOfKernels | Multiple:
        return Multiple(self, other) if _is_number(other) else ProductOfKernels(_operand(other, "2 * k"), self)


@dataclass(frozen=True)
class Constant(Composable):
    """``c`` at all pairs of rows: the kernel of constant functions, which lets a sum with it learn a mean."""

    value: float = 1.0

    def __post_init__(self) -> None:
        _check_factor("the constant", self.value)

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = rows(x, y)
        return x.new_full((len(x), len(y)), self.value)


@dataclass(frozen=True)
class Multiple(Composable):
    """``factor · k``, for a positive factor."""

    kernel: Kernel
    factor: float = 1.0

    def __post_init__(self) -> None:
        _check_factor("the factor", self.factor)

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        return self.factor * self.kernel(x, y)


@dataclass(frozen=True)
class SumOfKernels(Composable):
    """``k + l``: its functions are the sums of functions of both."""

    left: Kernel
    right: Kernel

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        return self.left(x, y) + self.right(x, y)


@dataclass(frozen=True)
class ProductOfKernels(Composable):
    """``k · l``, entry by entry."""

    left: Kernel
    right: Kernel

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        return self.left(x, y) * self.right(x, y)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _operand(value: Any, example: str) -> Kernel:
    if _is_number(value):
        return Constant(float(value))
    if not callable(value):
        raise PolygeomError(f"a kernel combines with kernels and numbers, got {value!r}; write {example}")
    return value  # type: ignore[no-any-return]


def _check_factor(what: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise PolygeomError(f"{what} must be positive and finite, where the kernel stays positive, got {value}")
