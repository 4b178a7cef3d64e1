"""Blocked elimination of a matrix of balanced residues, compiled: panels in loops, everything else in BLAS products.

The matrix is factored panel by panel (PLE, "pivots, lower, echelon"). After panel q, with s the lowest set bit of q+1,
the next s panels receive the pivots of the last s in one triangular solve and one product: the recursive halving of the
columns, written as a binary counter because numba cannot cache recursive functions.

Overflow bound. An entry is a reduced number plus pending products of reduced numbers; ``pending`` counts them per panel
of columns, and every update first checks that the count stays at most ``kmax``, where kmax H^2 + 2H <= 2^53
(``PrimeField.max_products``), reducing or splitting the product if it would not. Factors are always reduced. Panels are
no wider than kmax, so that a panel column, and a row of a triangular base block, is reduced once per sweep.

The pivot of a column is its first non-zero entry in the current order of rows, as in ``_elimination_numpy``.

All compiled code of the elimination is in this file: numba's cache looks for changes in the file of the entry alone.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg"
# (numba infers types from calls and supplies the first argument of an intrinsic)

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import get_cython_function_address, intrinsic
from numpy.typing import NDArray

from polygeom.modular._elimination_numpy import check_bound
from polygeom.modular._jit import entry, inner

Residues = NDArray[np.float64]

DGEMM = get_cython_function_address("scipy.linalg.cython_blas", "dgemm")
BASE = 32
"""Rows of a triangular block solved without BLAS."""
STRIP = 1024
"""Rows of a panel column treated together: eight multiplier columns of this length stay in the first-level cache."""
PANELS = ((512, 8), (3000, 16), (1 << 62, 32))
"""Width of the panels for up to so many columns: wide panels lengthen the products, narrow ones shorten the loops."""

_SCALARS = (types.int32,) * 3 + (types.float64,)
_SIGNATURE = types.void(
    types.intp, *_SCALARS, types.intp, types.int32, types.intp, types.int32, types.float64, types.intp, types.int32
)


@intrinsic
def _dgemm(typing, address, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc):
    """Call Fortran's dgemm('N', 'N', ...), every argument by reference; the matrices come as addresses.

    The address of dgemm is an ordinary argument too: as a constant in the code it would keep numba from caching it.
    (np.dot is no substitute, it needs contiguous operands and cannot accumulate.)
    """

    def generate(context, builder, signature, arguments):
        pointer = ir.IntType(8).as_pointer()
        function = builder.inttoptr(arguments[0], ir.FunctionType(ir.VoidType(), [pointer] * 13).as_pointer())
        no_transpose = cgutils.alloca_once_value(builder, ir.Constant(ir.IntType(8), ord("N")))
        references = [no_transpose, no_transpose]
        for argument, kind in zip(arguments[1:], signature.args[1:], strict=True):
            if kind == types.intp:
                references.append(builder.inttoptr(argument, pointer))
            else:
                references.append(builder.bitcast(cgutils.alloca_once_value(builder, argument), pointer))
        builder.call(function, references)
        return context.get_dummy_value()

    return _SIGNATURE, generate


@inner
def _subtract_product(dgemm, a, row, col, m, n, pivot, k):
    """a[row:row+m, col:col+n] -= a[row:row+m, pivot:pivot+k] @ a[pivot:pivot+k, col:col+n], not reduced.

    A row-major matrix is the transpose of a column-major one, so the factors are swapped. LP64 interface: each
    dimension must be below 2^31.
    """
    if m <= 0 or n <= 0 or k <= 0:
        return
    stride = a.shape[1]
    start = a.ctypes.data
    left = start + 8 * (row * stride + pivot)
    right = start + 8 * (pivot * stride + col)
    target = start + 8 * (row * stride + col)
    ld = types.int32(stride)
    _dgemm(dgemm, types.int32(n), types.int32(m), types.int32(k), -1.0, right, ld, left, ld, 1.0, target, ld)


@inner
def _reduce_block(a, row, row_end, col, col_end, p):
    inverse = 1.0 / p
    for i in range(row, row_end):
        line = a[i]
        for j in range(col, col_end):
            line[j] = line[j] - p * np.rint(line[j] * inverse)


@inner
def inverse_of(x, p):
    """Inverse of a non-zero balanced residue, balanced, by the extended Euclidean algorithm."""
    prime = np.int64(p)
    r, s = prime, np.int64(x) % prime
    u, v = np.int64(0), np.int64(1)
    while s != 0:
        q = r // s
        r, s = s, r - q * s
        u, v = v, u - q * v
    y = np.float64(u % prime)
    return y - p * np.rint(y / p)


@inner
def _load_panel(a, row, row_end, col, width, panel, p):
    """panel[j, i] = a[row+i, col+j], reduced: columns of the panel become contiguous."""
    inverse = 1.0 / p
    for start in range(row, row_end, 64):
        stop = min(start + 64, row_end)
        for j in range(width):
            column = panel[j]
            for i in range(start, stop):
                x = a[i, col + j]
                column[i - row] = x - p * np.rint(x * inverse)


@inner
def _subtract_columns(v, panel, found, start, stop):
    """v -= sum over the multiplier columns t < found of panel[t] * v[t], on the rows start..stop, not reduced."""
    t = 0
    while t + 8 <= found:
        u0, u1, u2, u3 = v[t], v[t + 1], v[t + 2], v[t + 3]
        u4, u5, u6, u7 = v[t + 4], v[t + 5], v[t + 6], v[t + 7]
        l0, l1, l2, l3 = panel[t], panel[t + 1], panel[t + 2], panel[t + 3]
        l4, l5, l6, l7 = panel[t + 4], panel[t + 5], panel[t + 6], panel[t + 7]
        for i in range(start, stop):
            x = v[i] - l0[i] * u0 - l1[i] * u1 - l2[i] * u2 - l3[i] * u3
            v[i] = x - l4[i] * u4 - l5[i] * u5 - l6[i] * u6 - l7[i] * u7
        t += 8
    while t < found:
        u0 = v[t]
        l0 = panel[t]
        for i in range(start, stop):
            v[i] = v[i] - l0[i] * u0
        t += 1


@inner
def _eliminate_column(v, panel, found, size, p):
    """Apply the pivots found so far in the panel to its column v, the pivot rows first; at most ``found`` products."""
    inverse = 1.0 / p
    for t in range(1, found):
        x = v[t]
        for s in range(t):
            x -= panel[s, t] * v[s]
        v[t] = x - p * np.rint(x * inverse)
    for start in range(found, size, STRIP):
        stop = min(start + STRIP, size)
        _subtract_columns(v, panel, found, start, stop)
        for i in range(start, stop):
            v[i] = v[i] - p * np.rint(v[i] * inverse)


@inner
def _first_nonzero(v, start, stop):
    for i in range(start, stop):
        if v[i] != 0.0:
            return i
    return -1


@inner
def _swap_rows(a, i, k):
    for j in range(a.shape[1]):
        a[i, j], a[k, j] = a[k, j], a[i, j]


@inner
def _factor_panel(a, row, rows, col, width, panel, p, pivots, flag):
    """Factor a[row:, col:col+width]; pivots in rows < ``rows``; returns how many were found.

    Multipliers of the t-th pivot go below the diagonal of column row+t, whose old content is dead by then; the pivot
    rows keep their eliminated entries to the right of their pivot. ``flag[0]`` is set when a column without pivot has a
    non-zero entry in a row from ``rows`` on, so that those rows would raise the rank.
    """
    size, allowed = a.shape[0] - row, rows - row
    inverse = 1.0 / p
    _load_panel(a, row, a.shape[0], col, width, panel, p)
    found = 0
    columns = np.empty(width, np.int64)
    upper = np.empty((width, width))
    for j in range(width):
        v = panel[j]
        _eliminate_column(v, panel, found, size, p)
        for t in range(found):
            upper[t, j] = v[t]
        i = _first_nonzero(v, found, allowed)
        if i < 0:
            if _first_nonzero(v, max(allowed, found), size) >= 0:
                flag[0] = 1
            continue
        if i != found:
            _swap_rows(a, row + i, row + found)
            for t in range(width):
                panel[t, i], panel[t, found] = panel[t, found], panel[t, i]
        upper[found, j] = v[found]
        columns[found] = j
        pivots[row + found] = col + j
        scale = inverse_of(v[found], p)
        target = panel[found]
        for k in range(found + 1, size):
            x = v[k] * scale
            target[k] = x - p * np.rint(x * inverse)
        found += 1
    _store_panel(a, row, col, width, panel, upper, columns, found)
    return found


@inner
def _store_panel(a, row, col, width, panel, upper, columns, found):
    for t in range(found):
        for j in range(columns[t], width):
            a[row + t, col + j] = upper[t, j]
    for start in range(row, a.shape[0], 64):
        stop = min(start + 64, a.shape[0])
        for t in range(found):
            multipliers = panel[t]
            for i in range(max(start, row + t + 1), stop):
                a[i, row + t] = multipliers[i - row]


@inner
def _solve_base(a, row, count, col, col_end, p):
    """Rows row..row+count of the columns col..col_end, times the inverse of the unit lower block on the diagonal."""
    inverse = 1.0 / p
    for start in range(col, col_end, 512):
        stop = min(start + 512, col_end)
        for i in range(row, row + count):
            line = a[i]
            t = row
            while t + 4 <= i:
                l0, l1, l2, l3 = line[t], line[t + 1], line[t + 2], line[t + 3]
                r0, r1, r2, r3 = a[t], a[t + 1], a[t + 2], a[t + 3]
                for j in range(start, stop):
                    line[j] = line[j] - l0 * r0[j] - l1 * r1[j] - l2 * r2[j] - l3 * r3[j]
                t += 4
            while t < i:
                l0 = line[t]
                r0 = a[t]
                for j in range(start, stop):
                    line[j] = line[j] - l0 * r0[j]
                t += 1
            for j in range(start, stop):
                line[j] = line[j] - p * np.rint(line[j] * inverse)


@inner
def _subtract(dgemm, a, row, row_end, pivot, pivot_end, col, col_end, p, kmax, pending):
    """a[row:row_end, col:col_end] -= a[.., pivot:pivot_end] @ a[pivot:pivot_end, ..]; returns the pending products."""
    start = pivot
    while start < pivot_end:
        count = min(pivot_end - start, kmax)
        if pending + count > kmax:
            _reduce_block(a, row, row_end, col, col_end, p)
            pending = 0
        assert pending + count <= kmax
        _subtract_product(dgemm, a, row, col, row_end - row, col_end - col, start, count)
        pending += count
        start += count
    return pending


@inner
def _solve_rows(dgemm, a, pivot, pivot_end, col, col_end, p, kmax, pending):
    """Multiply the pivot rows, columns col..col_end, by the inverse of their unit lower triangle; they end reduced."""
    base = min(BASE, kmax)
    blocks = (pivot_end - pivot + base - 1) // base
    counts = np.full(blocks + 1, pending, np.int64)
    for q in range(blocks):
        low = pivot + q * base
        high = min(low + base, pivot_end)
        if counts[q] + high - low > kmax:
            _reduce_block(a, low, high, col, col_end, p)
        _solve_base(a, low, high - low, col, col_end, p)
        span = (q + 1) & -(q + 1)
        end = min(high + span * base, pivot_end)
        after = _subtract(dgemm, a, high, end, high - span * base, high, col, col_end, p, kmax, counts[q + 1])
        for z in range(q + 1, min(q + 1 + span, blocks)):
            counts[z] = after


@inner
def _propagate(dgemm, a, pivot, pivot_end, col, col_end, p, kmax, pending):
    """Apply the pivot rows to the columns col..col_end, of them and of the rows below; returns the pending products."""
    _solve_rows(dgemm, a, pivot, pivot_end, col, col_end, p, kmax, pending)
    return _subtract(dgemm, a, pivot_end, a.shape[0], pivot, pivot_end, col, col_end, p, kmax, pending)


@entry("UniTuple(int64, 2)(intp, float64[:, ::1], int64, int64, int64, boolean, float64, int64, int64, int64[::1])")
def _eliminate(dgemm, a, columns, rows, limit, complete, p, kmax, width, pivots):
    panels = (columns + width - 1) // width
    starts = np.zeros(panels + 1, np.int64)
    pending = np.zeros(panels + 1, np.int64)
    panel = np.empty((width, a.shape[0]))
    flag = np.zeros(1, np.int64)
    rank = 0
    for q in range(panels):
        col = q * width
        if rank < a.shape[0]:
            rank += _factor_panel(a, rank, rows, col, min(width, columns - col), panel, p, pivots, flag)
        starts[q + 1] = rank
        if not complete and (rank >= limit or rank == a.shape[0] or (rank == rows and flag[0] == 1)):
            break
        span = (q + 1) & -(q + 1)
        next_col = min(col + width, columns)
        end_col = min(next_col + span * width, columns)
        pivot = starts[q + 1 - span]
        if next_col < end_col and pivot < rank:
            after = _propagate(dgemm, a, pivot, rank, next_col, end_col, p, kmax, pending[q + 1])
            for z in range(q + 1, min(q + 1 + span, panels)):
                pending[z] = after
    if columns < a.shape[1] and 0 < rank < a.shape[0]:
        _propagate(dgemm, a, 0, rank, columns, a.shape[1], p, kmax, 0)
        _reduce_block(a, rank, a.shape[0], columns, a.shape[1], p)
    return rank, flag[0]


def eliminate(
    a: Residues, columns: int, rows: int, limit: int, complete: bool, p: int, kmax: int, width: int = 0
) -> tuple[int, bool, NDArray[np.int64], Sequence[int]]:
    """Eliminate the first columns of a C-contiguous matrix in place; results as in ``elimination._eliminate``."""
    check_bound(p, kmax)
    pivots = np.empty(min(rows, columns), np.int64)
    panel = min(width or next(wide for most, wide in PANELS if columns <= most), kmax)
    rank, unstable = _eliminate(DGEMM, a, columns, rows, limit, complete, p, kmax, panel, pivots)
    return rank, unstable != 0, pivots[:rank], range(rank + 1)
