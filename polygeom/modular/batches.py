"""Elimination of many small matrices of one shape at a time: one step for a column of all of them."""

from __future__ import annotations

import numpy as np

from polygeom.modular.arithmetic import PrimeField, Residues


def nullspaces(matrices: Residues, field: PrimeField) -> list[Residues]:
    """The `nullspace` of every matrix of a batch: the same bases, entry by entry.

    Parameters
    ----------
    matrices:
        Balanced residues ``(batch, rows, columns)``.

    Examples
    --------
    >>> from polygeom.modular import as_field
    >>> [basis.tolist() for basis in nullspaces(np.array([[[1.0, 2.0]], [[0.0, 0.0]]]), as_field(7))]
    [[[-2.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]]
    """
    work = np.array(matrices, dtype=np.float64)
    batch, rows, columns = work.shape
    ranks = np.zeros(batch, dtype=np.int64)
    pivots = np.full((batch, columns), -1)
    for c in range(columns):
        usable = (work[:, :, c] != 0) & (np.arange(rows) >= ranks[:, None])
        owners = np.flatnonzero(usable.any(axis=1))
        if not len(owners):
            continue
        found, top = usable[owners].argmax(axis=1), ranks[owners]
        pivot = work[owners, found]
        work[owners, found] = work[owners, top]
        pivot = field.multiply(pivot, field.power(np.ascontiguousarray(pivot[:, c]), field.p - 2)[:, None])
        factors = work[owners, :, c]
        factors[np.arange(len(owners)), top] = 0
        work[owners] = field.reduce(work[owners] - factors[:, :, None] * pivot[:, None, :])
        work[owners, top] = pivot
        pivots[owners, c] = top
        ranks[owners] += 1
    return [_basis(work[b], pivots[b]) for b in range(batch)]


def _basis(reduced: Residues, pivots: np.ndarray) -> Residues:
    """The nullspace of a matrix in reduced echelon form, given the row of the pivot of every column, or -1."""
    free, taken = np.flatnonzero(pivots < 0), np.flatnonzero(pivots >= 0)
    basis = np.zeros((len(free), len(pivots)))
    if len(free):
        basis[np.arange(len(free)), free] = 1.0
        basis[:, taken] = -reduced[np.ix_(pivots[taken], free)].T
    return basis
