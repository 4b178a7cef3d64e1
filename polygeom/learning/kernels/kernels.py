"""Kernels on rows: Gaussian, Laplacian, dispersal, polynomial, and what makes any kernel one with unit diagonal.

A kernel is anything that can be called with two tensors of shapes ``(N, D)`` and ``(N', D)`` and returns the matrix of
values, shape ``(N, N')``: one of those below, of `polygeom.learning.kernels.infinite_width`, or a function of your own.
They compute on the device and in the precision of their arguments: the higher of two, float64 for integers, arrays of
NumPy like tensors (`polygeom.learning.checks.rows`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.autograd.forward_ad import unpack_dual

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.learning.checks import rows
from polygeom.learning.kernels.algebra import Composable, Kernel

_NEAR = 1e-4
_PAIRS_AT_ONCE = 4_000_000
_DIAGONAL_BLOCK = 32
_SIDE = 1024
"""Of the blocks of a large symmetric matrix: eight megabytes of float64."""


def root(squares: Tensor) -> Tensor:
    """The square root, with derivative 0 at 0: the mean of both sides of the cusp of ``|t| = √(t²)``.

    Examples
    --------
    >>> t = torch.tensor([0.0, 4.0], requires_grad=True)
    >>> torch.autograd.grad(root(t).sum(), t)
    (tensor([0.0000, 0.2500]),)
    """
    return power(squares, 0.5)


def power(squares: Tensor, exponent: float) -> Tensor:
    """``squares ** exponent`` for numbers of at least 0, with derivative 0 at 0."""
    if _is_constant(squares):
        return squares**exponent
    positive = squares > 0
    inside = torch.where(positive, squares, torch.ones_like(squares))
    return torch.where(positive, inside**exponent, torch.zeros_like(squares))


def _is_constant(tensor: Tensor) -> bool:
    """Whether nobody can ask for derivatives by it: no graph, no tangent, no transform of `torch.func` around it."""
    try:
        tensor.data_ptr()
    except RuntimeError:  # within `torch.func` a tensor has no memory to look at
        return False
    return not tensor.requires_grad and unpack_dual(tensor).tangent is None  # type: ignore[no-untyped-call]


def squared_distances(x: Tensor, y: Tensor, *, near: float = _NEAR) -> Tensor:
    """Squared Euclidean distances between rows, accurate for near rows too.

    ``|x|² + |y|² - 2 x·y`` is one matrix product, but loses all digits where ``x`` is close to ``y``, and can be
    negative, which turns roots into NaN. Entries below ``near`` times ``|x|² + |y|²`` are therefore computed again from
    the differences; equal rows have distance zero exactly.

    Parameters
    ----------
    x, y:
        Shapes ``(N, D)`` and ``(N', D)``.
    near:
        The relative error is below ``1e-15 / near``.

    Returns
    -------
    Shape ``(N, N')``, no entry negative.

    Examples
    --------
    >>> far = torch.tensor([[1e8, 0.0], [1e8, 3.0]], dtype=torch.float64)
    >>> squared_distances(far, far).tolist()
    [[0.0, 9.0], [9.0, 0.0]]
    """
    x, y = rows(x, y)
    left, right = x.square().sum(1), y.square().sum(1)
    squares = (left[:, None] + right).addmm_(x, y.T, alpha=-2)
    if not squares.numel():
        return squares
    close = small(squares, near * float((left.max() + right.max()).detach()))
    own = near * (left[close // len(y)] + right[close % len(y)])
    return from_differences(squares, close[squares.view(-1)[close] <= own], x, y)


def from_differences(squares: Tensor, entries: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """``squares`` with the numbered entries overwritten by ``|x_i - y_j|²``, computed from the differences."""
    flat = squares.view(-1)
    for some in blocks(entries, max(1, _PAIRS_AT_ONCE // max(1, x.shape[1]))):
        flat[some] = (x[some // len(y)] - y[some % len(y)]).square().sum(1)
    return squares


def small(values: Tensor, most: float) -> Tensor:
    """The numbers of the entries of at most ``most``, row by row; NumPy finds few among many ten times faster."""
    if values.device.type == "cpu":
        with suppress(RuntimeError, TypeError):  # no memory to look at within `torch.func`, no bfloat16 in NumPy
            return torch.from_numpy(np.flatnonzero(values.detach().numpy() <= most))
    return (values <= most).reshape(-1).nonzero().view(-1)


@dataclass(frozen=True)
class Gaussian(Composable):
    """``exp(-|x - y|² / (2 h²))``, positive definite.

    Parameters
    ----------
    bandwidth:
        ``h > 0``.

    Examples
    --------
    >>> Gaussian(2.0)(torch.zeros(1, 2), torch.tensor([[2.0, 2.0]])).item() - math.exp(-1) < 1e-7
    True
    """

    bandwidth: float = 1.0

    def __post_init__(self) -> None:
        _positive("bandwidth", self.bandwidth)

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        return squared_distances(x, y).div_(-2 * self.bandwidth**2).exp_()


@dataclass(frozen=True)
class Laplacian(Composable):
    """``exp(-|x - y| / h)`` with the Euclidean distance, positive definite.

    It has a cusp where rows are equal; derivatives there are the mean of both sides, zero.

    Parameters
    ----------
    bandwidth:
        ``h > 0``.
    """

    bandwidth: float = 1.0

    def __post_init__(self) -> None:
        _positive("bandwidth", self.bandwidth)

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        return root(squared_distances(x, y)).div_(-self.bandwidth).exp_()


@dataclass(frozen=True)
class Dispersal(Composable):
    """``exp(-|x - y|^γ / h)``: the Laplacian kernel for ``γ = 1``, Gaussian of bandwidth ``sqrt(h / 2)`` for ``γ = 2``.

    Positive definite for ``0 < γ ≤ 2`` and for no larger ``γ`` (Schoenberg 1938).

    Parameters
    ----------
    exponent:
        ``γ``.
    bandwidth:
        ``h > 0``.
    """

    exponent: float = 1.0
    bandwidth: float = 1.0

    def __post_init__(self) -> None:
        _positive("bandwidth", self.bandwidth)
        if not 0 < self.exponent <= 2:
            raise PolygeomError(f"exponent must be in (0, 2], where the kernel is positive, got {self.exponent}")

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        return power(squared_distances(x, y), self.exponent / 2).div_(-self.bandwidth).exp_()


@dataclass(frozen=True)
class Polynomial(Composable):
    """``(x·y + c)^D``: all monomials of degree ``D`` (up to ``D`` for ``c > 0``), in the Bombieri–Weyl scaling.

    Its rank on many points in dimension ``d`` is ``C(d + D - 1, D)``, or ``C(d + D, D)`` for ``c > 0``.

    Parameters
    ----------
    degree:
        ``D ≥ 1``.
    offset:
        ``c ≥ 0``.

    Examples
    --------
    >>> Polynomial(3)(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 1.0]])).item()
    27.0
    """

    degree: int
    offset: float = 0.0

    def __post_init__(self) -> None:
        if not (isinstance(self.degree, int) and self.degree >= 1):
            raise PolygeomError(f"degree must be an integer of at least 1, got {self.degree!r}")
        if not 0 <= self.offset < math.inf:
            raise PolygeomError(f"offset must be at least 0, where the kernel is positive, got {self.offset}")

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = rows(x, y)
        return (x @ y.T + self.offset) ** self.degree


@dataclass(frozen=True)
class Normalised(Composable):
    """``k(x, y) / sqrt(k(x, x) k(y, y))``: the kernel ``k`` with unit diagonal.

    Parameters
    ----------
    kernel:
        ``k``; its diagonal must be positive at all points it is used on.

    Examples
    --------
    >>> x = torch.tensor([[1.0, 2.0], [0.0, 5.0]], dtype=torch.float64)
    >>> Normalised(Polynomial(2))(x, x).diagonal().tolist()
    [1.0, 1.0]
    """

    kernel: Kernel

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = rows(x, y)
        left, right = diagonal(self.kernel, x).sqrt(), diagonal(self.kernel, y).sqrt()
        return self.kernel(x, y) / (left[:, None] * right)


def a_kernel(value: Any) -> Kernel:
    """The kernel; words on what to write where it is a name or a class."""
    if callable(value) and not isinstance(value, type):
        return cast("Kernel", value)
    told = value.__name__ if isinstance(value, type) else repr(value)
    raise PolygeomError(f"kernel must be a function of two sets of rows, got {told}; write for example Laplacian(1.0)")


def gram(kernel: Kernel, x: Tensor) -> Tensor:
    """The matrix ``k(x_i, x_j)``, exactly symmetric; shape ``(N, N)``.

    Raises
    ------
    PolygeomError
        When the kernel returns another shape or numbers that are not finite.
    """
    if isinstance(kernel, Gaussian | Laplacian | Dispersal | Polynomial) and len(x) >= 4 * _SIDE:
        return _gram_by_blocks(kernel, x)
    matrix = a_kernel(kernel)(x, x)
    if matrix.shape != (len(x), len(x)):
        raise PolygeomError(
            f"kernel must map tensors of shapes (N, D) and (M, D) to (N, M), got shape {tuple(matrix.shape)} for "
            f"N = M = {len(x)}"
        )
    if not torch.isfinite(matrix).all():
        raise PolygeomError("kernel must have finite values, got some that are not; scale the inputs down")
    return (matrix + matrix.T) / 2


def _gram_by_blocks(kernel: Kernel, x: Tensor) -> Tensor:
    """The same for kernels whose values know of two rows only: one of each pair of blocks, and its mirror image."""
    matrix = x.new_empty(len(x), len(x), dtype=x.dtype if x.is_floating_point() else torch.float64)
    for start in range(0, len(x), _SIDE):
        rows = slice(start, start + _SIDE)
        for other in range(start, len(x), _SIDE):
            columns = slice(other, other + _SIDE)
            block = kernel(x[rows], x[columns])
            if not math.isfinite(float(block.sum())) and not torch.isfinite(block).all():
                raise PolygeomError("kernel must have finite values, got some that are not; scale the inputs down")
            if other == start:
                block = (block + block.T) / 2
            matrix[rows, columns] = block
            matrix[columns, rows] = block.T
    return matrix


def diagonal(kernel: Kernel, x: Tensor) -> Tensor:
    """The values ``k(x_i, x_i)``, shape ``(N,)``, from small blocks of the matrix."""
    return torch.cat([x.new_zeros(0), *(kernel(block, block).diagonal() for block in blocks(x, _DIAGONAL_BLOCK))])


def blocks(rows: Tensor, size: int) -> Iterator[Tensor]:
    """Consecutive parts of at most ``size`` rows."""
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:
        raise PolygeomError(f"{name} must be positive and finite, got {value}; write {name}=1.0")
