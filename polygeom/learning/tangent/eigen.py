"""Eigenvectors of kernel matrices, exact, matrix-free or from a few columns, saved with what made them.

For eigen*functions*, which have values at any point, see `polygeom.learning.kernels.machines.nystrom`. To both a
`polygeom.learning.tangent.tangent_kernel.TangentKernel` is a kernel like any other.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import scipy.linalg
import scipy.sparse.linalg
import torch

from polygeom._dataclass import dataclass, field
from polygeom.errors import BudgetError, PolygeomError
from polygeom.learning import checks
from polygeom.learning.kernels.algebra import Kernel
from polygeom.learning.kernels.kernels import gram
from polygeom.learning.kernels.machines import MEMORY_BUDGET, data_rows, draw
from polygeom.learning.tangent.operators import TangentOperator
from polygeom.storage.arrays import read_archive, write_archive

Array = np.ndarray
FORMAT = "polygeom eigensystem"


@dataclass(frozen=True, eq=False)
class Eigensystem:
    """Leading eigenpairs of a kernel matrix.

    Eigenvectors are determined up to sign, and within the eigenspace of a repeated eigenvalue up to rotation: compare
    subspaces, not vectors. Here the entry of largest magnitude is positive.

    Attributes
    ----------
    values:
        ``(k,)``, largest first.
    vectors:
        ``(M, k)``, orthonormal columns.
    record:
        Plain data on how they were made: method, and whatever the caller adds (configuration, seed, versions).
    """

    values: Array
    vectors: Array
    record: Mapping[str, object] = field(default_factory=dict)

    def save(self, path: Path | str) -> Path:
        """Write an ``.npz`` file that `load` reads back bit for bit."""
        path = Path(path)
        write_archive(path, FORMAT, {"values": self.values, "vectors": self.vectors}, self.record)
        return path

    @classmethod
    def load(cls, path: Path | str) -> Eigensystem:
        """Read what `save` wrote.

        Raises
        ------
        FormatError
            For other files.
        """
        arrays, record = read_archive(Path(path), FORMAT)
        return cls(arrays["values"], arrays["vectors"], record)


def eigensystem(
    kernel: Array | torch.Tensor, count: int | None = None, *, record: Mapping[str, object] | None = None
) -> Eigensystem:
    """The ``count`` largest eigenvalues of a symmetric matrix ``(M, M)`` with eigenvectors; all of them if None.

    Raises
    ------
    PolygeomError
        When the kernel is not a symmetric matrix or ``count`` is not between 1 and ``M``.

    Examples
    --------
    >>> eigensystem(np.diag([1.0, 3.0, 2.0]), 2).values
    array([3., 2.])
    """
    matrix = _array(kernel)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.allclose(matrix, matrix.T, atol=_slack(matrix)):
        raise PolygeomError(
            f"kernel must be a symmetric matrix, got shape {matrix.shape}; use as_matrix for full kernels"
        )
    size = len(matrix)
    count = _count(count, size)
    values, vectors = scipy.linalg.eigh(matrix, subset_by_index=[size - count, size - 1])
    return _sorted(values, vectors, {"method": "eigh", **(record or {})})


def operator_eigensystem(
    operator: TangentOperator, count: int, *, rng: int = 0, record: Mapping[str, object] | None = None
) -> Eigensystem:
    """Leading eigenpairs of the tangent kernel ``J Jᵀ`` of an operator, by Lanczos iteration; nothing is formed.

    Examples
    --------
    >>> from polygeom.learning.tangent.operators import tangent_operator
    >>> x = torch.tensor([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    >>> operator = tangent_operator(torch.nn.Linear(2, 1, bias=False), x)
    >>> operator_eigensystem(operator, 1).values.round(9)
    array([4.])
    """
    rows = operator.shape[0]
    like = next(iter(operator.function.weights.values()))

    def product(u: Array) -> Array:
        values = torch.as_tensor(u.reshape(len(operator.x), operator.outputs)).to(like)
        return operator.kernel_product(values).reshape(-1).cpu().numpy()

    linear = scipy.sparse.linalg.LinearOperator((rows, rows), matvec=product, dtype=np.float64)
    start = np.random.default_rng(rng).standard_normal(rows)
    try:
        values, vectors = scipy.sparse.linalg.eigsh(linear, k=_count(count, rows - 1), which="LA", v0=start)
    except scipy.sparse.linalg.ArpackError as error:
        raise PolygeomError(
            f"operator: Lanczos iteration fails ({error}), as for a kernel that vanishes at all points; write "
            "eigensystem(as_matrix(empirical_ntk(module, x)))"
        ) from error
    return _sorted(values, vectors, {"method": "lanczos", "rng": rng, **(record or {})})


def nystrom_eigensystem(
    kernel: Kernel,
    inputs: torch.Tensor,
    count: int,
    subsample: int,
    *,
    rng: int | None = 0,
    memory: int = MEMORY_BUDGET,
    record: Mapping[str, object] | None = None,
) -> Eigensystem:
    """Leading eigenpairs of the kernel matrix of all rows, from ``subsample`` of its columns (Nyström's method).

    With ``C`` the columns and ``W`` the square block of ``K`` in them, these are the exact eigenpairs of ``C W⁺ Cᵀ``,
    the smallest positive semidefinite matrix with these columns. Hence eigenvalues are never too large (proved, but for
    rounding) and errors are of second order in what the columns miss. Vectors are orthonormal up to rounding times the
    largest over the smallest eigenvalue asked for. Eigenvalues of ``W`` blown up by ``N / s``, as the eigenfunctions of
    `polygeom.learning.kernels.machines.nystrom` have them, come with a sampling error of about ``1/√s`` from the same
    columns (Williams and Seeger 2000 for both).

    Parameters
    ----------
    kernel:
        See `polygeom.learning.kernels.kernels`; a tangent kernel is one.
    inputs:
        Rows ``(N, D)``.
    count, subsample:
        How many pairs, and columns; ``count <= subsample <= N``.
    rng:
        Seed of the choice of columns; None takes the first.
    memory:
        Bytes for two copies of the columns.

    Raises
    ------
    PolygeomError
        When ``count`` exceeds the subsample or the numerical rank of ``W``.
    BudgetError
        When the columns do not fit.

    Examples
    --------
    >>> from polygeom.learning.kernels import Laplacian
    >>> inputs = torch.randn(200, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    >>> exact = eigensystem(Laplacian()(inputs, inputs), 3).values
    >>> bool((abs(nystrom_eigensystem(Laplacian(), inputs, 3, 150).values / exact - 1) < 0.03).all())
    True
    """
    inputs = data_rows(inputs)
    if not 1 <= count <= subsample <= len(inputs):
        raise PolygeomError(
            f"count and subsample must satisfy 1 <= count <= subsample <= {len(inputs)} rows, got {count} and "
            f"{subsample}"
        )
    if (need := 2 * len(inputs) * subsample * 8) > memory:
        raise BudgetError(
            f"two copies of {subsample} kernel columns of {len(inputs)} rows take {need} bytes, memory is "
            f"{memory}; raise it, or lower subsample"
        )
    chosen = torch.arange(subsample) if rng is None else draw(len(inputs), subsample, rng)
    centres = inputs[chosen.to(inputs.device)]
    values, vectors = scipy.linalg.eigh(_array(gram(kernel, centres)))
    kept = values > np.finfo(np.float64).eps * subsample * values[-1]
    if count > (rank := int(kept.sum())):
        raise PolygeomError(f"count must be at most {rank}, the numerical rank of the columns, got {count}")
    root = _array(kernel(inputs, centres)) @ (vectors[:, kept] / np.sqrt(values[kept]))
    squares, right = scipy.linalg.eigh(root.T @ root, subset_by_index=[rank - count, rank - 1])
    made = {"method": "nystrom", "subsample": subsample, "rng": rng, **(record or {})}
    return _sorted(squares, root @ (right / np.sqrt(squares)), made)


def subspace_overlap(first: Array, second: Array) -> float:
    """``‖Uᵀ V‖² / k`` for orthonormalised bases ``(M, k)``: 1 for equal subspaces, about ``k/M`` for random ones.

    Examples
    --------
    >>> subspace_overlap(np.eye(4)[:, :2], np.eye(4)[:, [1, 0]])
    1.0
    """
    first, second = _array(first), _array(second)
    if first.shape != second.shape:
        raise PolygeomError(f"bases must have equal shapes, got {first.shape} and {second.shape}")
    u, v = np.linalg.qr(first)[0], np.linalg.qr(second)[0]
    return float(np.sum((u.T @ v) ** 2) / first.shape[1])


def _sorted(values: Array, vectors: Array, record: dict[str, object]) -> Eigensystem:
    order = np.argsort(values)[::-1]
    values, vectors = values[order], vectors[:, order]
    largest = vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])]
    return Eigensystem(values, vectors * np.where(largest < 0, -1.0, 1.0), record)


def _array(kernel: Array | torch.Tensor) -> Array:
    return checks.floats(kernel, "kernel", axes=2).detach().double().cpu().numpy()


def _slack(matrix: Array) -> float:
    return 1e-6 * float(np.abs(matrix).max(initial=0.0))


def _count(count: int | None, most: int) -> int:
    count = most if count is None else count
    if not 1 <= count <= most:
        raise PolygeomError(f"count must be between 1 and {most}, got {count}; write count={min(10, max(most, 1))}")
    return count


__all__ = ["Eigensystem", "eigensystem", "nystrom_eigensystem", "operator_eigensystem", "subspace_overlap"]
