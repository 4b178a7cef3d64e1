"""Gaussian elimination mod p: rank, Schur complements, echelon form, nullspace, linear systems.

Matrices are float64 arrays of balanced residues (see ``PrimeField``); other arrays of integers are encoded first. All
answers are exact. The pivot of a column is its first non-zero entry in the current order of rows, for every method.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.errors import BudgetError, PolygeomError
from polygeom.modular import _backend, _elimination_numpy, _threads
from polygeom.modular._backend import Method
from polygeom.modular.arithmetic import PrimeField, Residues, as_field

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class InconsistentError(PolygeomError):
    """A linear system without solution."""


def rank(
    a: ArrayLike,
    p: int | PrimeField,
    *,
    limit: int | None = None,
    overwrite: bool = False,
    memory: int | None = None,
    method: Method = "auto",
) -> int:
    """Rank mod p of a matrix, exact.

    Parameters
    ----------
    a:
        Matrix (rows, columns), any shape including zero rows or columns. A torch tensor, of integers or float64, is
        worked on where it is, on a graphics processor for ``device="cuda"``, with the same algorithm and bounds.
    p:
        An odd prime below 2^26, or its ``PrimeField``.
    limit:
        Stop as soon as this many pivots are found; the result is then min(rank, limit). Where a proved upper bound of
        the rank is known it saves the last steps (give the bound plus one to notice a rank above it).
    overwrite:
        Work in ``a`` itself if it is a C-contiguous float64 array of balanced residues; its content is then lost.
    memory:
        Bytes this call may allocate; None for no limit.
    method:
        ``"numba"`` (compiled; needs numba and scipy), ``"numpy"``, or ``"auto"``: numpy until compiled kernels pay off.

    Raises
    ------
    BudgetError
        If more than ``memory`` bytes would be needed.
    PolygeomError
        If ``a`` is not a matrix of integers or ``p`` not a prime in range.

    Examples
    --------
    >>> rank([[1, 2, 3], [2, 4, 6], [0, 0, 5]], 7), rank([[1, 2, 3], [2, 4, 6], [0, 0, 5]], 5)
    (2, 1)
    """
    field = as_field(p)
    rows, columns = _shape(a)
    bound: int = min(rows, columns) if limit is None else max(0, min(limit, rows, columns))
    if type(a).__module__.partition(".")[0] == "torch":
        return _rank_of_tensor(a, field, bound, overwrite, memory, method)
    work = _prepared(a, field, overwrite, memory)
    return min(_eliminate(work, columns, rows, bound, field, method)[0], bound)


def rank_stable(
    a: ArrayLike,
    rows: int,
    p: int | PrimeField,
    *,
    limit: int | None = None,
    overwrite: bool = False,
    memory: int | None = None,
    method: Method = "auto",
) -> tuple[int, bool]:
    """Rank mod p of the first ``rows`` rows, and whether the rows below ("tail") would leave it unchanged.

    Pivots are taken in the first ``rows`` rows only; tail rows are eliminated along. Parameters and errors as for
    ``rank``; with ``limit`` both ranks are understood as min(rank, limit).

    Examples
    --------
    >>> rank_stable([[1, 2], [2, 4], [3, 6]], 2, 7), rank_stable([[1, 2], [2, 4], [3, 5]], 2, 7)
    ((1, True), (1, False))
    """
    field = as_field(p)
    work = _prepared(a, field, overwrite, memory)
    _check_range("rows", rows, work.shape[0])
    columns = work.shape[1]
    stop = columns + 1 if limit is None else limit
    found, unstable = _eliminate(work, columns, rows, stop, field, method)[:2]
    return min(found, max(stop, 0)), found >= stop or not unstable


def eliminate_columns(e: Residues, columns: int, rows: int, p: int | PrimeField, *, method: Method = "auto") -> int:
    """Eliminate the first columns of a matrix in place and return their rank k.

    Afterwards the rows k.. of the remaining columns hold the Schur complement, reduced, with the rows possibly
    exchanged; the first ``columns`` columns and the rows above hold remnants of the elimination.

    Parameters
    ----------
    e:
        C-contiguous float64 array (height, width) of balanced residues; overwritten.
    columns:
        How many columns to eliminate, 0 <= columns <= width.
    rows:
        Pivots are taken in the first ``rows`` rows only, 0 <= rows <= height; the others are eliminated along and stay
        where they are.
    p, method:
        As for ``rank``.

    Examples
    --------
    >>> e = np.array([[1.0, 2.0], [3.0, 4.0]])
    >>> eliminate_columns(e, 1, 2, 7), float(e[1, 1])
    (1, -2.0)
    """
    return eliminate_columns_stable(e, columns, rows, p, method=method)[0]


def eliminate_columns_stable(
    e: Residues, columns: int, rows: int, p: int | PrimeField, *, method: Method = "auto"
) -> tuple[int, bool]:
    """``eliminate_columns``, and whether the rows from ``rows`` on would leave the rank of the columns unchanged.

    If not, the Schur complement is not completed in those rows.
    """
    field = as_field(p)
    if not (isinstance(e, np.ndarray) and e.ndim == 2 and e.dtype == np.float64 and e.flags.carray):
        raise PolygeomError(
            "e must be a writable C-contiguous float64 matrix of balanced residues; write e = field.encode(e)"
        )
    _check_balanced(e, field)
    _check_range("columns", columns, e.shape[1])
    _check_range("rows", rows, e.shape[0])
    found, unstable = _eliminate(e, columns, rows, columns + 1, field, method)[:2]
    return found, not unstable


@dataclass(frozen=True, eq=False)
class Echelon:
    """The reduced row echelon form of a matrix mod p, without its zero rows.

    Attributes
    ----------
    matrix:
        Balanced residues (rank, columns), read-only: identity on the pivot columns.
    pivots:
        The pivot columns, increasing: the first columns, from the left, that raise the rank.
    rank:
        Their number.
    """

    matrix: Residues
    pivots: tuple[int, ...]
    rank: int


def echelon_form(a: ArrayLike, p: int | PrimeField, *, memory: int | None = None, method: Method = "auto") -> Echelon:
    """Reduced row echelon form mod p; parameters and errors as for ``rank``.

    Examples
    --------
    >>> form = echelon_form([[0, 2, 4], [0, 1, 3]], 7)
    >>> form.pivots, form.matrix
    ((1, 2), array([[0., 1., 0.],
           [0., 0., 1.]]))
    """
    field = as_field(p)
    rows, columns = _shape(a)
    _check_memory(memory, 3 * 8 * rows * columns)
    pivots, free, entries = _solved_columns(_prepared(a, field, False, None), columns, field, method)
    matrix = np.zeros((len(pivots), columns))
    matrix[np.arange(len(pivots)), pivots] = 1.0
    matrix[:, free] = entries
    matrix.flags.writeable = False
    return Echelon(matrix, tuple(pivots.tolist()), len(pivots))


def pivot_columns(
    a: ArrayLike,
    p: int | PrimeField,
    *,
    overwrite: bool = False,
    memory: int | None = None,
    method: Method = "auto",
) -> tuple[int, ...]:
    """The columns that raise the rank, from the left: the pivots of ``echelon_form``, without the rest of it.

    Parameters and errors as for ``rank``.

    Examples
    --------
    >>> pivot_columns([[0, 2, 4], [0, 1, 3]], 7)
    (1, 2)
    """
    field = as_field(p)
    work = _prepared(a, field, overwrite, memory)
    rows, columns = work.shape
    return tuple(_eliminate(work, columns, rows, columns + 1, field, method)[2].tolist())


def nullspace(a: ArrayLike, p: int | PrimeField, *, memory: int | None = None, method: Method = "auto") -> Residues:
    """Basis of the vectors x with a x = 0 mod p, as the rows of a matrix (columns - rank, columns).

    The basis is the identity on the columns without pivot, so it is determined by ``a``. Parameters and errors as for
    ``rank``.

    Examples
    --------
    >>> nullspace([[1, 2, 3]], 7)
    array([[-2.,  1.,  0.],
           [-3.,  0.,  1.]])
    """
    field = as_field(p)
    rows, columns = _shape(a)
    _check_memory(memory, 8 * (2 * rows * columns + columns * columns))
    pivots, free, entries = _solved_columns(_prepared(a, field, False, None), columns, field, method)
    basis = np.zeros((len(free), columns))
    basis[np.arange(len(free)), free] = 1.0
    basis[:, pivots] = -entries.T
    return basis


def solve(
    a: ArrayLike, b: ArrayLike, p: int | PrimeField, *, memory: int | None = None, method: Method = "auto"
) -> Residues:
    """The solution x of a x = b mod p that is zero on the columns without pivot.

    Parameters
    ----------
    a:
        Matrix (rows, columns).
    b:
        Right sides, (rows,) or (rows, k); x has shape (columns,) or (columns, k).
    p, memory, method:
        As for ``rank``.

    Raises
    ------
    InconsistentError
        If some right side has no solution.

    Examples
    --------
    >>> solve([[2, 1], [1, 1]], [1, 0], 7)
    array([ 1., -1.])
    """
    field = as_field(p)
    left, right = _prepared(a, field, False, memory), field.encode(b)
    rows, columns = left.shape
    if right.ndim not in (1, 2) or right.shape[0] != rows:
        raise PolygeomError(f"b must have one entry or row per row of a ({rows}), got shape {right.shape}")
    sides = right if right.ndim == 2 else right[:, None]
    work = np.concatenate([left, sides], axis=1)
    pivots, free, entries = _solved_columns(work, columns, field, method)
    if pivots.size and pivots[-1] >= columns:
        raise InconsistentError(f"a x = b has no solution mod {field.p}; check a and b, or use another prime")
    x = np.zeros((columns, sides.shape[1]))
    x[pivots] = entries[:, free >= columns]
    return x.reshape((columns, *right.shape[1:]))


def _rank_of_tensor(
    a: ArrayLike, field: PrimeField, bound: int, overwrite: bool, memory: int | None, method: Method
) -> int:
    if method != "auto":
        raise PolygeomError(f"method belongs to arrays, got {method!r} and a torch tensor; write method='auto'")
    from polygeom.modular import _elimination_torch

    rows, columns = _shape(a)
    _check_memory(memory, 8 * rows * columns * (1 if overwrite else 2))
    return _elimination_torch.rank(a, field, bound, overwrite)


def _prepared(a: ArrayLike, field: PrimeField, overwrite: bool, memory: int | None) -> Residues:
    """The matrix as a C-contiguous array of balanced residues that may be overwritten."""
    rows, columns = _shape(a)
    if not isinstance(a, np.ndarray) or a.dtype != np.float64:
        _check_memory(memory, 8 * rows * columns)
        return field.encode(a)
    if not (overwrite and a.flags.carray):
        _check_memory(memory, 8 * rows * columns)
        a = np.array(a, order="C")
    if not _backend.elementwise().is_balanced(a, field.half):
        a[...] = field.encode(a)
    return a


def _shape(a: ArrayLike) -> tuple[int, int]:
    shape = np.shape(a)
    if len(shape) != 2:
        raise PolygeomError(f"a must be a matrix (two dimensions), got shape {shape}; write a.reshape(rows, columns)")
    return shape


def _check_balanced(e: Residues, field: PrimeField) -> None:
    if not _backend.elementwise().is_balanced(e, field.half):
        raise PolygeomError(
            f"e must hold integers of magnitude at most {field.half} (balanced residues); write e = field.encode(e)"
        )


def _check_range(name: str, value: int, largest: int) -> None:
    if not 0 <= value <= largest:
        raise PolygeomError(f"{name} must be from 0 to {largest} for a matrix of this shape, got {value}")


def _check_memory(memory: int | None, needed: int) -> None:
    if memory is not None and needed > memory:
        raise BudgetError(f"this matrix needs {needed} bytes of working memory, allowed are {memory}; raise memory=")


def _eliminate(
    a: Residues, columns: int, rows: int, limit: int, field: PrimeField, method: str, complete: bool = False
) -> tuple[int, bool, NDArray[np.int64], Sequence[int]]:
    """Eliminate in place: rank, whether the tail rows raise it, pivot columns, borders of the diagonal blocks.

    With ``complete`` all pivot rows are brought up to date in all columns. Between two borders the pivot rows have
    independent pivot columns and nothing to the left of the first of them.
    """
    height, width = a.shape
    steps = min(rows, columns)
    if steps == 0 and (rows == height or columns == 0):
        return 0, False, np.zeros(0, np.int64), [0]
    work = steps * height * width
    compiled = _backend.compiled_elimination(method, 2e-5 * steps + 2e-12 * work)
    kernels = compiled or _elimination_numpy
    arguments = (a, columns, rows, limit, complete, field.p, field.max_products)
    result: tuple[int, bool, NDArray[np.int64], Sequence[int]]
    if work < _threads.SMALL:
        result = kernels.eliminate(*arguments)
    else:
        with _threads.limited(compiled is not None):
            result = kernels.eliminate(*arguments)
    return result


def _solved_columns(
    work: Residues, columns: int, field: PrimeField, method: str
) -> tuple[NDArray[np.int64], NDArray[np.int64], Residues]:
    """Pivot columns, other columns, entries of the reduced echelon form in those others; overwrites ``work``."""
    height, width = work.shape
    found, _, pivots, borders = _eliminate(work, width, height, width + 1, field, method, complete=True)
    free = np.setdiff1d(np.arange(width), pivots)
    upper = work[:found]
    for start, stop in pairwise(borders):
        upper[start:stop, : pivots[start]] = 0.0
    entries = upper[:, free]
    if entries.size:
        _back_substitute(upper[:, pivots], entries, list(borders), field)
    return pivots, free, entries


def _back_substitute(diagonal: Residues, x: Residues, borders: list[int], field: PrimeField) -> None:
    """Solve a block upper triangular system in place, by halving the list of block borders."""
    start, stop = borders[0], borders[-1]
    if len(borders) == 2 or stop - start <= 32:
        block = _elimination_numpy.inverse(diagonal[start:stop, start:stop], field.p, field.max_products)
        x[start:stop] = field.matmul(block, x[start:stop])
        return
    middle = len(borders) // 2
    cut = borders[middle]
    _back_substitute(diagonal, x, borders[middle:], field)
    change = field.matmul(diagonal[start:cut, cut:stop], x[cut:stop])
    x[start:cut] = field.subtract(x[start:cut], change)
    _back_substitute(diagonal, x, borders[: middle + 1], field)
