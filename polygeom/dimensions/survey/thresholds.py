"""Activation degree thresholds of many architectures: most degrees by a theorem or a bound, few by a rank."""

from __future__ import annotations

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.dimensions.counts import ambient_dimension
from polygeom.dimensions.survey.batch import survey, tables

Array = np.ndarray


@dataclass(frozen=True)
class Thresholds:
    """What `polygeom.dimensions.identifiability.threshold` says of many architectures.

    Attributes
    ----------
    threshold:
        Integers ``(N,)``.
    defective:
        Truth values ``(N, R)``: whether the architecture is defective for r = 0, …, R - 1.
    proved:
        Whether every defect, and that there are no others, is proved.
    """

    threshold: Array
    defective: Array
    proved: Array


def thresholds(widths: Array, *, rng: int = 0) -> Thresholds:
    """Thresholds of architectures of one depth with inputs and hidden layers of at least two neurons.

    For each r below the range of the theorem (arXiv 2506.17093, Corollary 17) one of these decides: Theorem 11 of that
    paper, which says that the dimension is the expected one; an upper bound below the expected dimension; a rank that
    reaches it. What none decides is computed alone.

    Examples
    --------
    >>> found = thresholds(np.array([[2, 2, 4, 1], [5, 7, 3, 1]]))
    >>> found.threshold.tolist(), np.flatnonzero(found.defective[0]).tolist()
    ([6, 2], [3, 4, 5, 6])
    """
    rows = np.ascontiguousarray(widths, np.int64)
    hidden = rows[:, 1:-1]
    last = 2 * hidden.max(axis=1) - 2
    last[(rows == rows[:, :1]).all(axis=1)] = 1  # equal widths: never defective
    free = (rows[:, 1:] * rows[:, :-1]).sum(axis=1) - hidden.sum(axis=1)
    defective = np.zeros((len(rows), int(last.max(initial=1)) + 1), bool)
    proved = np.ones(len(rows), bool)
    for r in range(2, defective.shape[1]):
        asked = np.flatnonzero(last >= r)
        expected = np.minimum(_ambient(rows[asked], r), free[asked])
        open_ = ~((expected == free[asked]) & _localised(rows[asked], r))
        asked, expected = asked[open_], expected[open_]
        below, above = _by_bounds(rows[asked], r, expected)
        defective[asked[below], r] = True
        asked, expected = asked[above], expected[above]
        if len(asked):
            found = survey(rows[asked], r, rng=rng)
            defective[asked, r] = found.dimension < expected
            proved[asked] &= (found.dimension == expected) | (found.upper < expected)
    order = np.arange(defective.shape[1])
    return Thresholds(np.maximum(1, (defective * order).max(axis=1)), defective, proved)


def cut_thresholds(widths: Array, degrees: int) -> Array:
    """The largest r < ``degrees`` at which cutting the network into pieces shows a defect, at least 1: a formula.

    With ``e(a, b)`` the expected dimension of the layers from a to b, it is the largest r for which some layers
    ``0 < c_1 < … < c_k < L`` have ``e(0, c_1) + e(c_1, c_2) + … + e(c_k, L) - d_{c_1} - … - d_{c_k} < e(0, L)``. By the
    rule *cut* the threshold is at least that.

    Examples
    --------
    >>> cut_thresholds(np.array([[2, 2, 4, 1], [2, 3, 3, 5]]), 12).tolist()
    [6, 2]
    """
    rows = np.ascontiguousarray(widths, np.int64)
    found = np.ones(len(rows), np.int64)
    top = rows.shape[1] - 1
    for r in range(2, degrees):
        best = np.zeros(
            (top + 1, len(rows)), np.int64
        )  # the smallest sum for the layers from 0 to b, whole piece or cut
        for b in range(1, top + 1):
            best[b] = _expected(rows[:, : b + 1], r)
            for c in range(1, b):
                best[b] = np.minimum(best[b], best[c] + _expected(rows[:, c : b + 1], r) - rows[:, c])
        found[best[top] < _expected(rows, r)] = r
    return found


def _expected(rows: Array, r: int) -> Array:
    """Expected dimensions; of two layers the number of their weights."""
    free = (rows[:, 1:] * rows[:, :-1]).sum(axis=1) - rows[:, 1:-1].sum(axis=1)
    least: Array = np.minimum(free, _ambient(rows, r))
    return least


def _ambient(rows: Array, r: int) -> Array:
    """Numbers of coefficients, as far as they are below 2^40: the number of free weights is smaller anyway."""
    hidden, n, m = rows.shape[1] - 2, int(rows[:, 0].max(initial=1)), int(rows[:, -1].max(initial=1))
    table = [[min(ambient_dimension((a, b), (r,) * hidden), 1 << 40) for b in range(1, m + 1)] for a in range(1, n + 1)]
    found: Array = np.array(table)[rows[:, 0] - 1, rows[:, -1] - 1]
    return found


def _localised(rows: Array, r: int) -> Array:
    """Whether every pair of layers is identifiable by arXiv 2506.17093, Proposition 12, so that Theorem 11 applies."""
    good, narrow = np.ones(len(rows), bool), rows[:, 0]
    for k in range(1, rows.shape[1] - 1):
        d, m = rows[:, k], rows[:, k + 1]
        good &= r * (np.minimum(narrow, d) - 1) >= 2 * d - np.minimum(d, m)
        narrow = np.minimum(narrow, d)
    return good


def _by_bounds(rows: Array, r: int, expected: Array) -> tuple[Array, Array]:
    """Which rows a bound proves defective, and the others."""
    known = tables()
    if known is None:
        return np.zeros(len(rows), bool), np.ones(len(rows), bool)
    values = known[0].find(rows, r)[:, 0]
    known[0].trim()
    below = (values >= 0) & (values < expected)
    return below, ~below


__all__ = ["Thresholds", "cut_thresholds", "thresholds"]
