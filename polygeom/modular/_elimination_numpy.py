"""Blocked elimination of a matrix of balanced residues in numpy alone; the twin of ``_elimination_numba``.

Same pivots, same order of rows, same remainder mod p as the compiled kernels. Of a panel only a small square block S is
handled entry by entry: if it is invertible, the multipliers of all rows below are (panel) S^-1, one product. So the
diagonal blocks of the lower factor are identities, and pivot rows stay as they were when their panel was reached.

Overflow bound. An entry is a reduced number plus pending products of reduced numbers; ``pending`` counts them per panel
of columns, and every update first checks that the count stays at most ``kmax``, where kmax H^2 + 2H <= 2^53
(``PrimeField.max_products``), reducing or splitting the product if it would not. Factors are always reduced.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Residues = NDArray[np.float64]
Inverted = tuple[list[int], list[tuple[int, int]], Residues]

BLOCK = 1 << 19
"""Entries of a product computed at a time, so that it is subtracted while still in the cache."""


def check_bound(p: int, kmax: int) -> None:
    """The overflow bound of this file, asserted where a kernel starts: kmax H^2 + 2H <= 2^53 with H = (p+3)/2."""
    half = (p + 3) // 2
    assert kmax >= 1
    assert kmax * half * half + 2 * half <= 2**53


def _reduced(x: Residues, p: float) -> Residues:
    """Reduce a small or medium array in place and return it."""
    q = x * (1.0 / p)
    np.rint(q, out=q)
    q *= p
    x -= q
    return x


def _reduce_block(x: Residues, p: float) -> None:
    """Reduce a rectangle of the matrix in place, by groups of rows that fit the cache."""
    height, width = x.shape
    step = max(1, (1 << 15) // max(width, 1))
    for start in range(0, height, step):
        _reduced(x[start : start + step], p)


def _multiply(a: Residues, b: Residues, p: float) -> Residues:
    """Reduced product whose inner dimension, at most the panel width, is within the bound."""
    out: Residues = a @ b
    _reduce_block(out, p)
    return out


def _inverse(x: float, p: float) -> float:
    residue = pow(int(x), -1, int(p))
    return float(residue - int(p) if 2 * residue > p else residue)


def invert_top(top: Residues, p: float, kmax: int, whole: bool) -> Inverted | None:
    """Gauss-Jordan on the top block of a panel: pivot columns, row swaps, inverse of the pivot block after the swaps.

    ``whole`` says that no other row could hold a pivot. Otherwise a column without pivot here proves nothing and the
    answer is None. Rows and columns are reduced when they are used, the rest after kmax products.
    """
    height, width = top.shape
    work = np.concatenate([top, np.eye(height)], axis=1)
    columns: list[int] = []
    swaps: list[tuple[int, int]] = []
    pending = 0
    for j in range(width):
        k = len(columns)
        if k == height:
            break
        column = _reduced(work[:, j].copy(), p)
        i = k if column[k] else _first_nonzero(column, k, height)
        if i < 0:
            if not whole:
                return None
            continue
        if i != k:
            work[[i, k]] = work[[k, i]]
            column[[i, k]] = column[[k, i]]
            swaps.append((i, k))
        if pending == kmax:
            _reduced(work, p)
            pending = 0
        scale = _inverse(column[k], p)
        line = _reduced(_reduced(work[k].copy(), p) * scale, p)
        column[k] = 0.0
        work -= column[:, None] * line
        work[k] = line
        pending += 1
        columns.append(j)
    k = len(columns)
    order = np.arange(height)
    for i, j in swaps:
        order[[i, j]] = order[[j, i]]
    return columns, swaps, _reduced(work[:k, width:][:, order[:k]], p)


def _first_nonzero(v: Residues, start: int, stop: int) -> int:
    found = np.flatnonzero(v[start:stop])
    return start + int(found[0]) if found.size else -1


class Elimination:
    """One elimination: the matrix, and per panel the rank before it and the products pending in its columns."""

    def __init__(self, a: Residues, columns: int, rows: int, p: float, kmax: int, width: int) -> None:
        self.a, self.columns, self.rows, self.p, self.kmax = a, columns, rows, p, kmax
        self.width = min(width, kmax)
        self.panels = -(-columns // self.width)
        self.starts = [0] * (self.panels + 1)
        self.pending = [0] * (self.panels + 1)
        self.pivots: list[int] = []
        self.unstable = False

    def run(self, limit: int, complete: bool) -> int:
        a, width = self.a, self.width
        height, rank = a.shape[0], 0
        for q in range(self.panels):
            col = q * width
            if rank < height:
                rank = self.factor_panel(rank, col, min(col + width, self.columns), q)
            self.starts[q + 1] = rank
            if not complete and (rank >= limit or rank == height or (rank == self.rows and self.unstable)):
                break
            span = (q + 1) & -(q + 1)
            next_col = min(col + width, self.columns)
            end_col = min(next_col + span * width, self.columns)
            if next_col < end_col and self.starts[q + 1 - span] < rank:
                after = self.propagate(q + 1 - span, q + 1, next_col, end_col, self.pending[q + 1])
                last = min(q + 1 + span, self.panels)
                self.pending[q + 1 : last] = [after] * (last - q - 1)
        if self.columns < a.shape[1] and 0 < rank < height:
            self.propagate(0, self.panels, self.columns, a.shape[1], 0)
            self.reduce(a[rank:, self.columns :])
        return rank

    def reduce(self, x: Residues) -> None:
        """Reduce a rectangle of the matrix in place."""
        _reduce_block(x, self.p)

    def minus(self, target: Residues, left: Residues, right: Residues) -> None:
        """``target -= left @ right``, in place, by blocks that stay in the cache."""
        step = max(64, BLOCK // max(target.shape[1], 1))
        for i in range(0, target.shape[0], step):
            target[i : i + step] -= left[i : i + step] @ right

    def subtract(self, row: int, end: int, pivot: int, pivot_end: int, col: int, col_end: int, pending: int) -> int:
        """a[row:end, col:col_end] -= a[row:end, pivot:pivot_end] @ a[pivot:pivot_end, col:col_end]; returns pending."""
        a = self.a
        target = a[row:end, col:col_end]
        for first in range(pivot, pivot_end, self.kmax):
            last = min(first + self.kmax, pivot_end)
            if pending + last - first > self.kmax:
                self.reduce(target)
                pending = 0
            assert pending + last - first <= self.kmax
            self.minus(target, a[row:end, first:last], a[first:last, col:col_end])
            pending += last - first
        return pending

    def propagate(self, first: int, last: int, col: int, col_end: int, pending: int) -> int:
        """Apply the pivots of the panels first..last to the columns col..col_end; returns the pending products.

        Forward substitution over the identity blocks of the panels, in the order of a binary counter, then one product
        for all rows below.
        """
        starts = self.starts
        counts = [pending] * (last - first + 1)
        for i in range(last - first):
            row, end = starts[first + i], starts[first + i + 1]
            if counts[i] and row < end:
                self.reduce(self.a[row:end, col:col_end])
            span = (i + 1) & -(i + 1)
            until = min(i + 1 + span, last - first)
            if i + 1 < until:
                pivot, below = starts[first + i + 1 - span], starts[first + until]
                after = self.subtract(end, below, pivot, end, col, col_end, counts[i + 1])
                counts[i + 1 : until] = [after] * (until - i - 1)
        return self.subtract(starts[last], self.a.shape[0], starts[first], starts[last], col, col_end, pending)

    def factor_panel(self, rank: int, col: int, end: int, q: int) -> int:
        """Find the pivots of a panel, bring their rows to the top, store the multipliers; returns the new rank."""
        a = self.a
        panel = a[rank:, col:end]
        if self.pending[q]:
            self.reduce(panel)
        allowed = self.rows - rank
        top = min(end - col, allowed)
        result = invert_top(panel[:top], self.p, self.kmax, whole=top == allowed)
        if result is None:
            columns, multipliers = self.factor_columns(rank, col, end)
        else:
            columns, swaps, inverse = result
            for i, k in swaps:
                a[[rank + i, rank + k]] = a[[rank + k, rank + i]]
            chosen = panel if len(columns) == end - col else panel[:, columns]
            multipliers = _multiply(chosen[len(columns) :], inverse, self.p)
        found = len(columns)
        if self.rows < a.shape[0] and found < end - col and not self.unstable:
            tail = panel[allowed:] - multipliers[allowed - found :] @ panel[:found]
            self.unstable = bool(_reduced(tail, self.p).any())
        a[rank + found :, rank : rank + found] = multipliers
        self.pivots.extend(col + j for j in columns)
        return rank + found

    def factor_columns(self, rank: int, col: int, end: int) -> tuple[list[int], Residues]:
        """The same for any panel: column by column, all rows, keeping the inverse of the lower triangle up to date."""
        a, p, allowed = self.a, self.p, self.rows - rank
        panel = np.array(a[rank:, col:end].T, order="C")
        lower = np.zeros((end - col, panel.shape[1]))
        inverse = np.zeros((end - col, end - col))
        columns: list[int] = []
        for j, v in enumerate(panel):
            k = len(columns)
            if k == allowed:
                break
            if k:
                eliminated = _reduced(inverse[:k, :k] @ v[:k], p)
                v[k:] -= eliminated @ lower[:k, k:]
                _reduced(v[k:], p)
            i = k if v[k] else _first_nonzero(v, k, allowed)
            if i < 0:
                continue
            if i != k:
                for rows in (a[rank:], panel.T, lower.T):
                    rows[[i, k]] = rows[[k, i]]
            lower[k, k + 1 :] = _reduced(v[k + 1 :] * _inverse(v[k], p), p)
            inverse[k, :k] = -_reduced(lower[:k, k] @ inverse[:k, :k], p)
            inverse[k, k] = 1.0
            columns.append(j)
        k = len(columns)
        return columns, _multiply(lower[:k, k:].T, inverse[:k, :k], p)


def eliminate(
    a: Residues, columns: int, rows: int, limit: int, complete: bool, p: int, kmax: int, width: int = 32
) -> tuple[int, bool, NDArray[np.int64], Sequence[int]]:
    """Eliminate the first columns of a C-contiguous matrix in place; results as in ``elimination._eliminate``."""
    check_bound(p, kmax)
    state = Elimination(a, columns, rows, float(p), kmax, width)
    rank = state.run(limit, complete)
    return rank, state.unstable, np.array(state.pivots, dtype=np.int64), sorted(set(state.starts) | {rank})


def inverse(a: Residues, p: int, kmax: int) -> Residues:
    """Inverse mod p of a small invertible matrix of balanced residues."""
    result = invert_top(a, float(p), kmax, whole=True)
    assert result is not None
    assert len(result[0]) == a.shape[0], "the matrix is not invertible"
    _, swaps, block = result
    for i, k in reversed(swaps):
        block[:, [i, k]] = block[:, [k, i]]
    return block
