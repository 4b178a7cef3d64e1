"""Regression with a kernel: exact solutions with their condition number, and leading eigenfunctions (Nyström).

The least-norm function that takes the values ``y`` at the rows ``x`` is ``f(z) = Σ_i w_i k(x_i, z)`` with ``K w = y``,
``K`` the kernel matrix. When ``K`` is badly conditioned, digits of ``w`` are lost, and what small eigenvalues are
rounded to decides the answer: a pseudo-inverse with one cutoff or another can give predictions that differ many times
over. Here the system is solved as it stands, or refused when it is singular; the condition number is part of the
answer, and eigenvalues are dropped only on request.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from polygeom._dataclass import dataclass
from polygeom.checks import seed
from polygeom.errors import BudgetError, PolygeomError
from polygeom.learning import checks
from polygeom.learning import targets as fitting
from polygeom.learning.kernels.algebra import Kernel
from polygeom.learning.kernels.conditions import check_condition, condition_number, estimated_condition, limit
from polygeom.learning.kernels.kernels import blocks, gram

if TYPE_CHECKING:
    import pandas

MEMORY_BUDGET = 2**30
"""Bytes that matrices of kernel values may take unless told otherwise: 1 GiB."""

_ADVICE = "write ridge=1e-10, or cutoff=1e-12; equal rows must have equal values"


@dataclass(frozen=True, eq=False)
class KernelMachine:
    """A function ``f(z) = Σ_i w_i k(x_i, z)``.

    Attributes
    ----------
    kernel:
        ``k``.
    centres:
        The rows ``x``, shape ``(N, D)``.
    weights:
        ``w``, shape ``(N,)`` or ``(N, C)``.
    method:
        How the weights were found: ``"cholesky"``, ``"lu"``, ``"eigen-cut"``, ``"eigenpro"``.
    condition:
        Largest over smallest modulus of the eigenvalues of the matrix that was solved (among those kept): relative
        errors of ``y`` and of rounding are amplified by up to this number. NaN for iterative methods.
    table:
        The log of an iterative method, one row for each record; None for direct ones.
    """

    kernel: Kernel
    centres: Tensor
    weights: Tensor
    method: str
    condition: float = math.nan
    table: pandas.DataFrame | None = None

    def predict(self, inputs: Any, *, memory: int = MEMORY_BUDGET) -> Tensor:
        """Values at rows of shape ``(M, D)``, in blocks whose kernel values take at most ``memory`` bytes.

        Returns
        -------
        Shape ``(M,)`` or ``(M, C)``, as the weights.
        """
        inputs = row_points(inputs, self.centres)
        block = block_rows(len(self.centres), inputs.element_size(), memory)
        return torch.cat([self.kernel(rows, self.centres) @ self.weights for rows in blocks(inputs, block)])

    def error(self, inputs: Any, labels: Any, *, threshold: float | None = None) -> float:
        """The share of rows that are put into another class than their label.

        Parameters
        ----------
        inputs:
            Rows ``(M, D)``.
        labels:
            With ``C ≥ 2`` columns of weights the class is that of the largest value: labels are integers ``0 … C - 1``,
            ``(M,)``, or one-hot rows ``(M, C)``. With one there are two classes, above and below a threshold: labels
            -1 and 1 for the threshold 0, or 0 and 1 (or booleans) for the threshold 1/2.
        threshold:
            For one column; None for the one that goes with the labels.

        Raises
        ------
        PolygeomError
            For other labels, and where labels of one column are all 1, which says no threshold.
        """
        values = self.predict(inputs)
        columns = 1 if values.ndim == 1 else values.shape[1]
        given = fitting.as_many(labels, len(values), name="labels", of="rows").to(values.device)
        if columns > 1:
            if given.shape == values.shape:
                if not (((given == 0) | (given == 1)).all() and (given.sum(dim=1) == 1).all()):
                    raise PolygeomError("labels of shape (M, C) must be one-hot, a single 1 in every row; got others")
                given = given.to(values.dtype).argmax(dim=1)
            elif given.is_floating_point() and (given == given.round()).all():
                given = given.long()
            classes = fitting.classes(given, values.shape, values, name="labels")
            return float((values.argmax(1) != classes).double().mean())
        signs = fitting.values(given, values.shape, values, name="labels").reshape(-1)
        low = float(signs.min())
        if low not in (-1.0, 0.0, 1.0) or not ((signs == low) | (signs == 1)).all():
            raise PolygeomError("labels of one column must be 0 and 1, or -1 and 1, got others")
        if threshold is None and low == 1 and given.dtype is not torch.bool:
            raise PolygeomError("labels are all 1, which says no threshold; write threshold=0 or threshold=0.5")
        limit = threshold if threshold is not None else 0.0 if low == -1 else 0.5
        return float(((values.reshape(-1) > limit) != (signs == 1)).double().mean())

    def mse(self, inputs: Any, targets: Any) -> float:
        """The mean of squared differences between values at ``inputs`` and ``targets``, over rows and columns.

        ``targets`` has the shape of the values, axes of length 1 aside.
        """
        values = self.predict(inputs)
        return float((values - fitting.values(targets, values.shape, values, name="targets")).square().mean())


def solve(
    kernel: Kernel,
    inputs: Any,
    targets: Any,
    *,
    ridge: float = 0.0,
    cutoff: float | None = None,
    condition: bool = True,
    memory: int = MEMORY_BUDGET,
) -> KernelMachine:
    """The least-norm function of the kernel's space with the values ``targets`` at ``inputs``, by a direct method.

    Cholesky decomposition; LU for kernels that are indefinite. A matrix that is singular in its precision is refused,
    and one of which fewer than two digits of the solution are certain draws a `ConditionWarning`.

    Parameters
    ----------
    kernel:
        See `polygeom.learning.kernels.kernels`.
    inputs, targets:
        Shapes ``(N, D)`` and ``(N,)`` or ``(N, C)``. All computation is in the precision of ``inputs``: float64 for
        interpolation.
    ridge:
        Added to the diagonal: minimises ``Σ |f(x_i) - y_i|² + ridge |f|²``.
    cutoff:
        Drop eigenvalues up to ``cutoff`` times the largest. It changes the answer, hence never by itself.
    condition:
        Whether to compute the condition number exactly, which takes a few times longer than the solution; otherwise
        it is estimated from below.
    memory:
        Bytes that the matrix and its factor may take.

    Raises
    ------
    PolygeomError
        When the matrix is singular to working precision: its condition number is at least ``1 / (N ε)``.
    BudgetError
        When the matrix does not fit; `polygeom.learning.kernels.eigenpro` needs less.

    Examples
    --------
    >>> from polygeom.learning.kernels import Laplacian, solve
    >>> inputs = torch.linspace(0, 1, 5, dtype=torch.float64)[:, None]
    >>> machine = solve(Laplacian(), inputs, inputs[:, 0] ** 2)
    >>> machine.method, round(machine.condition, 1), round(machine.predict(inputs)[2].item(), 12)
    ('cholesky', 25.7, 0.25)
    """
    inputs, targets = samples(inputs, targets)
    need = 2 * len(inputs) ** 2 * inputs.element_size()
    if need > memory:
        raise BudgetError(
            f"solve: the kernel matrix of {len(inputs)} rows and its factor take {need} bytes, memory is "
            f"{memory}; raise it, or use polygeom.learning.kernels.eigenpro"
        )
    if ridge < 0:
        raise PolygeomError(f"ridge must be at least 0, got {ridge}")
    matrix = gram(kernel, inputs)
    matrix.diagonal().add_(ridge)
    if cutoff is not None:
        return _eigen_cut(kernel, inputs, targets, matrix, cutoff)
    factor, failed = torch.linalg.cholesky_ex(matrix)
    method = "lu" if failed else "cholesky"
    apply = _lu(matrix) if failed else _cholesky(factor)
    found = condition_number(matrix) if condition else estimated_condition(matrix, apply)
    check_condition(matrix, found, _ADVICE)
    weights = apply(targets.reshape(len(targets), -1)).reshape(targets.shape)
    return KernelMachine(kernel, inputs.clone(), weights, method, found)


def samples(inputs: Any, targets: Any) -> tuple[Tensor, Tensor]:
    """Rows ``(N, D)`` of floats, integers as float64, and one value or row for each in the same precision."""
    inputs = data_rows(inputs)
    targets = checks.tensor(targets, "targets").detach()
    if targets.ndim not in (1, 2) or len(targets) != len(inputs) or not targets.numel():
        raise PolygeomError(
            f"targets must have shape ({len(inputs)},) or ({len(inputs)}, C), got {tuple(targets.shape)}"
        )
    if not torch.isfinite(targets).all():
        raise PolygeomError("targets must be finite, got NaN or infinite entries; leave those rows out")
    return inputs, targets.to(inputs)


def data_rows(inputs: Any) -> Tensor:
    """Rows ``(N, D)`` of finite floats; integers as float64."""
    inputs = checks.tensor(inputs, "inputs")
    like = inputs if inputs.is_floating_point() else torch.zeros((), dtype=torch.float64, device=inputs.device)
    found: Tensor = checks.points(inputs, like)
    if found.ndim != 2:
        raise PolygeomError(
            f"inputs must be rows, shape (N, D), got {tuple(found.shape)}; write inputs.reshape(len(inputs), -1)"
        )
    return found


def row_points(x: Any, centres: Tensor, name: str = "inputs") -> Tensor:
    """Rows in the precision of the centres, of the same length."""
    found: Tensor = checks.points(x, centres, name=name)
    if found.ndim != 2 or found.shape[1] != centres.shape[1]:
        raise PolygeomError(f"{name} must be rows of shape (M, {centres.shape[1]}), got {tuple(found.shape)}")
    return found


def block_rows(columns: int, element_size: int, memory: int, copies: int = 3) -> int:
    """How many rows of kernel values fit: a kernel holds about ``copies`` arrays of their size while it computes.

    Raises
    ------
    BudgetError
        When it is none.
    """
    rows = memory // (copies * max(1, columns) * element_size)
    if rows < 1:
        raise BudgetError(
            f"one row of {columns} kernel values takes {copies * columns * element_size} bytes, memory is "
            f"{memory}; raise it"
        )
    return int(rows)


def _cholesky(factor: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda v: torch.cholesky_solve(v, factor)


def _lu(matrix: Tensor) -> Callable[[Tensor], Tensor]:
    factor, pivots, singular = torch.linalg.lu_factor_ex(matrix)
    if singular:
        return lambda v: torch.full_like(v, math.inf)
    return lambda v: torch.linalg.lu_solve(factor, pivots, v)


def _eigen_cut(kernel: Kernel, x: Tensor, y: Tensor, matrix: Tensor, cutoff: float) -> KernelMachine:
    if not 0 <= cutoff < 1:
        raise PolygeomError(f"cutoff must be in [0, 1), a fraction of the largest eigenvalue, got {cutoff}")
    values, vectors = torch.linalg.eigh(matrix)
    kept = values > cutoff * values[-1]
    values, vectors = values[kept], vectors[:, kept]
    if not len(values) or values[-1] / values[0] >= limit(len(matrix), matrix.dtype):
        least = 1 / limit(len(matrix), matrix.dtype)
        raise PolygeomError(
            f"cutoff must be above the rounding of the eigenvalues, {least:.1e} times the largest, got {cutoff}; "
            "write cutoff=1e-12"
        )
    coordinates = vectors.T @ y.reshape(len(y), -1)
    weights = (vectors @ (coordinates / values[:, None])).reshape(y.shape)
    return KernelMachine(kernel, x.clone(), weights, "eigen-cut", float(values[-1] / values[0]))


@dataclass(frozen=True, eq=False)
class Eigenfunctions:
    """Leading eigenvalues and eigenfunctions of a kernel with respect to a sample.

    Attributes
    ----------
    kernel:
        ``k``.
    centres:
        The ``s`` sample rows that the functions are made of, shape ``(s, D)``.
    indices:
        Which rows of the given data they are.
    values:
        Eigenvalues of ``K / s``, largest first, shape ``(q,)``. Those of the kernel matrix of ``n`` rows of the same
        kind are about ``n`` times as large.
    vectors:
        Orthonormal eigenvectors of ``K``, shape ``(s, q)``; the entry of largest modulus of each is positive.
    """

    kernel: Kernel
    centres: Tensor
    indices: Tensor
    values: Tensor
    vectors: Tensor

    def __call__(self, x: Any) -> Tensor:
        """The eigenfunctions ``φ_j(z) = Σ_i k(z, x_i) u_ij / (λ_j sqrt(s))`` at rows ``x``, shape ``(N, q)``.

        On the centres they are ``sqrt(s) u_ij``: orthogonal, with mean square one.
        """
        return (
            self.kernel(row_points(x, self.centres), self.centres)
            @ self.vectors
            / (self.values * math.sqrt(len(self.centres)))
        )


def nystrom(kernel: Kernel, inputs: Any, count: int, *, subsample: int | None = None, rng: int = 0) -> Eigenfunctions:
    """The ``count`` leading eigenfunctions of a kernel, from a random subsample of the rows (Williams and Seeger 2000).

    Parameters
    ----------
    kernel:
        See `polygeom.learning.kernels.kernels`.
    inputs:
        Shape ``(N, D)``.
    count:
        How many eigenfunctions.
    subsample:
        How many rows, drawn without repetition; all of them, in order, if None. Then the values and vectors are exact.
    rng:
        Seed of the draw.

    Raises
    ------
    PolygeomError
        When ``count`` exceeds the subsample, or an eigenvalue asked for is zero to working precision.

    Examples
    --------
    >>> from polygeom.learning.kernels import Gaussian, nystrom
    >>> inputs = torch.randn(200, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    >>> system = nystrom(Gaussian(2.0), inputs, 4, subsample=50)
    >>> system(inputs).shape
    torch.Size([200, 4])
    """
    inputs = data_rows(inputs)
    size = len(inputs) if subsample is None else subsample
    if not 1 <= count <= size <= len(inputs):
        raise PolygeomError(
            f"count and subsample must satisfy 1 <= count <= subsample <= {len(inputs)} rows, got {count} and {size}"
        )
    indices = torch.arange(len(inputs)) if subsample is None else draw(len(inputs), size, rng)
    centres = inputs[indices.to(inputs.device)]
    values, vectors = torch.linalg.eigh(gram(kernel, centres) / size)
    values, vectors = values.flip(0)[:count], vectors.flip(1)[:, :count]
    smallest = torch.finfo(inputs.dtype).eps * size * values[0]
    if values[-1] <= smallest:
        rank = int((values > smallest).sum())
        raise PolygeomError(f"count must be at most {rank}, the numerical rank of the kernel matrix, got {count}")
    largest = vectors.abs().argmax(0)
    return Eigenfunctions(kernel, centres, indices, values, vectors * vectors.gather(0, largest[None]).sign())


def draw(size: int, count: int, rng: int | torch.Generator) -> Tensor:
    """``count`` different numbers below ``size`` in random order, by a generator of their own."""
    generator = rng if isinstance(rng, torch.Generator) else torch.Generator().manual_seed(seed(rng))
    return torch.randperm(size, generator=generator)[:count]
