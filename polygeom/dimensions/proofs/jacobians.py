"""Derivatives of a program's outputs by its weights modulo a prime, and ranks.

Residues are below p < 2^26, so products are below 2^52 and sums of 2^11 of them below 2^63: exact in int64. Derivatives
are propagated backwards, one output at a time, for some points at once. FLINT takes ranks of small matrices; for large
ones, numpy's products of floating-point matrices are faster, and exact while sums stay below 2^53.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache

import numpy as np

from polygeom.dimensions.proofs.limits import LARGE, Budget
from polygeom.dimensions.proofs.programs import Program, Step

Array = np.ndarray

LARGEST_PRIME = 2**26
_TERMS = 2**11
_STRIP = 256
_NARROW = 16


@lru_cache(maxsize=1024)
def is_odd_prime(p: int) -> bool:
    """Whether p is an odd prime that the arithmetic of this module allows."""
    return 2 < p < LARGEST_PRIME and p % 2 == 1 and all(p % d for d in range(3, math.isqrt(p) + 1, 2))


def rank(rows: Array, p: int) -> int:
    """Rank modulo p of an integer matrix; p < 2^63, and an odd prime below 2^26 for a large matrix."""
    import flint

    if not rows.size:
        return 0
    if min(rows.shape) >= LARGE and p < LARGEST_PRIME:
        return rank_of_large(rows, p)
    table = flint.fmpz_mat(rows.shape[0], rows.shape[1], rows.ravel().tolist())  # faster than residues one by one
    return int(flint.nmod_mat(table, p).rank())


def rank_of_large(rows: Array, p: int) -> int:
    """`rank` by elimination of strips of columns, those with few entries first: they leave most rows alone."""
    table = _floats(rows, p)
    there = np.ascontiguousarray((table != 0).T)
    count, first = np.count_nonzero(there, axis=1), there.argmax(axis=1)
    order = np.lexsort((first, count))
    table, count, first = np.take(table, order, axis=1), count[order], first[order]
    ends = np.flatnonzero((np.diff(count) != 0) | (np.diff(first) != 0)) + 1  # of columns that may meet the same rows
    left, found, k, width = np.arange(len(table)), 0, 0, table.shape[1]
    while k < width:
        end = min([k + _STRIP, width, *ends[ends >= k + _NARROW][:1]])
        strip = slice(k, end)
        met = left[table[left, strip].any(axis=1)]
        pivots, others, factors = _echelon(table[met, strip], p)
        found += len(pivots)
        for j in range(end, width, 4 * _STRIP):  # some at a time: the copies stay small
            part = slice(j, j + 4 * _STRIP)
            table[met[others], part] = _minus(table[met[others], part], factors, table[met[pivots], part], p)
        left, k = np.setdiff1d(left, met[pivots], assume_unique=True), end
    return found


def nullspace(rows: Array, p: int) -> Array:
    """Residues whose columns are a basis of what a matrix ``(m, n)`` with m > 0 takes to 0 modulo p < 2^26."""
    import flint

    height, width = rows.shape
    if min(height, width) < LARGE // 4:
        table = flint.fmpz_mat(height, width, rows.ravel().tolist())
        columns, count = flint.nmod_mat(table, p).nullspace()
        found = [[int(columns[i, j]) for j in range(count)] for i in range(width)]
        return np.array(found, dtype=np.int64).reshape(width, count)
    pivots, others, factors = _echelon(_floats(rows.T, p), p)
    basis = np.zeros((width, len(others)), dtype=np.int64)
    basis[others, np.arange(len(others))] = 1
    basis[pivots] = -factors.T.astype(np.int64) % p
    return basis


def independent_rows(rows: Array, p: int) -> tuple[Array, Array, Array]:
    """Numbers of independent rows that span all rows mod p < 2^26, of the others, and the factors that make these."""
    pivots, others, factors = _echelon(_floats(rows, p), p)
    return pivots, others, factors.astype(np.int64) % p


def _echelon(table: Array, p: int) -> tuple[Array, Array, Array]:
    """Independent rows that span all rows, the other rows, and the factors that make the others of the former.

    By halves of the columns: with factors S on the left half, what the others have on the right beyond S times the
    pivots is such a table again.
    """
    height, width = table.shape
    if not height:
        return np.arange(0), np.arange(0), np.zeros((0, 0))
    if width <= _NARROW:
        return _echelon_of_few(table, p)
    half = width // 2
    pivots, others, factors = _echelon(table[:, :half], p)
    rest = _minus(table[others, half:], factors, table[pivots, half:], p)
    more, last, below = _echelon(rest, p)
    above = _minus(factors[last], below, factors[more], p)
    return np.concatenate([pivots, others[more]]), others[last], np.concatenate([above, below], axis=1)


def _echelon_of_few(table: Array, p: int) -> tuple[Array, Array, Array]:
    """`_echelon` column by column: of every row what is left, and in front of which pivots the rest of it stands."""
    height, width = table.shape
    both = np.concatenate([table.T, np.empty((width, height))])
    pivots: list[int] = []
    for k in range(width):
        there = both[k].nonzero()[0]
        if len(there):
            pivot, end = int(there[0]), width + len(pivots)
            factors = _reduced(both[k] * float(pow(int(both[k, pivot]), -1, p)), p)
            later = both[k + 1 : end]
            later -= np.multiply.outer(later[:, pivot], factors)
            _reduced(later, p)
            both[end] = factors
            pivots.append(pivot)
    others = np.delete(np.arange(height), pivots)
    return np.array(pivots, dtype=np.int64), others, both[width : width + len(pivots), others].T


def _minus(z: Array, x: Array, y: Array, p: int) -> Array:
    """``z - x y`` of residues in floating point, in pieces in which no sum exceeds 2^53; ``z`` is used up."""
    size = p // 2 + 3
    terms = min(_TERMS, (2**53 - size) // size**2)
    for k in range(0, x.shape[1], terms):
        z -= x[:, k : k + terms] @ y[k : k + terms]
        _reduced(z, p)
    return z


def _floats(rows: Array, p: int) -> Array:
    """Residues of integers in floating point, those of `_reduced`."""
    small = not rows.size or max(int(rows.max()), -int(rows.min())) <= 2**53
    return _reduced((rows if small else rows % p).astype(np.float64), p)


def _reduced(z: Array, p: int) -> Array:
    """Integers up to 2^53, and 2^11 (p / 2 + 3)^2, in place, as residues below p, of at most ``p / 2 + 2``.

    The quotient is wrong by at most ``2^-52 |z| / p`` before it is rounded.
    """
    quotient = np.rint(z * (1 / p))
    quotient *= p
    z -= quotient
    return z


def jacobian(program: Program, p: int, weights: Array, points: Array, budget: Budget) -> Array:
    """All derivatives of all outputs at all points by all weights.

    Parameters
    ----------
    weights:
        Residues ``(weights,)``.
    points:
        Residues ``(N, inputs)``.

    Returns
    -------
    Residues ``(outputs · N, weights)``, outputs first.

    Raises
    ------
    BudgetError
        If that does not fit into the budget; asked beforehand.
    """
    count, outputs, values = len(points), program.outputs, sum(map(math.prod, program.shapes))
    size = 8 * count * outputs * program.weights
    budget.step("the Jacobian", 2 * count * (1 + outputs) * (program.weights + values) * _reuse(program), 2 * size)
    rows = np.zeros((outputs, count, program.weights), dtype=np.int64)
    step = max(1, 2**20 // max(1, values + program.weights))
    for first in range(0, count, step):
        budget.step("the Jacobian")
        part = slice(first, first + step)
        x = points[part].reshape(-1, *program.shapes[0])
        values_there = forward(program, p, weights, x)
        for output in range(outputs):
            rows[output, part] = _backward(program, p, weights, values_there, output)
            if rows[output, part].max(initial=0) >= p:
                rows[output, part] %= p
    return rows.reshape(outputs * count, -1)


def _reuse(program: Program) -> int:
    """How often one weight is used at a point: the number of rows that a matrix is applied to, summed over ties."""
    rows = [math.prod(program.shapes[-1][:-1])]
    rows += [math.prod(program.shapes[s.reads[0]][:-1]) for s in program.steps if s.word in ("linear", "matmul")]
    return max(1, *rows)


def dot(x: Array, y: Array, p: int) -> Array:
    """Product modulo p < 2^26 of matrices of residues."""
    if x.shape[-1] == 1:
        return np.asarray(x * y % p)
    out: Array = x[..., :_TERMS] @ y[..., :_TERMS, :] % p
    for k in range(_TERMS, x.shape[-1], _TERMS):
        out += x[..., k : k + _TERMS] @ y[..., k : k + _TERMS, :] % p
    return out % p


def product(x: Array, y: Array, p: int) -> Array:
    """`dot` of large matrices ``(…, m, n)`` and ``(n, k)``, in floating point."""
    left, right = (_reduced(z.astype(np.float64), p) for z in (x.reshape(math.prod(x.shape[:-1]), x.shape[-1]), y))
    out = -_minus(np.zeros((len(left), y.shape[1])), left, right, p)
    return out.astype(np.int64).reshape(*x.shape[:-1], y.shape[1]) % p


def _power(x: Array, exponent: int, p: int) -> Array:
    out = np.ones_like(x)
    for bit in bin(exponent)[2:]:
        out = out * out % p
        if bit == "1":
            out = out * x % p
    return out


def _horner(x: Array, coefficients: Sequence[Fraction], p: int) -> Array:
    out = np.zeros_like(x)
    for c in reversed(coefficients):
        out = (out * x + c.numerator * pow(c.denominator, -1, p)) % p
    return out


def _matrix(step: Step, weights: Array) -> Array:
    matrix: Array = np.where(step.data < 0, 0, weights[np.maximum(step.data, 0)])
    return matrix


def forward(program: Program, p: int, weights: Array, x: Array) -> list[Array]:
    """All values of a program at points ``x``, residues ``(N, …)``."""
    values = [x]
    for step in program.steps:
        a, *b = (values[i] for i in step.reads)
        values.append(_VALUES[step.word](step, weights, p, a, *b))
    return values


_VALUES: dict[str, Callable[..., Array]] = {
    "linear": lambda s, w, p, x: dot(x, _matrix(s, w).T, p),
    "bias": lambda s, w, p, x: (x + w[s.data]) % p,
    "gather": lambda s, w, p, x: x.reshape(len(x), -1)[:, s.data],
    "add": lambda s, w, p, x, y: (x + y) % p,
    "multiply": lambda s, w, p, x, y: x * y % p,
    "matmul": lambda s, w, p, x, y: dot(x, y, p),
    "power": lambda s, w, p, x: _power(x, s.data, p),
    "polynomial": lambda s, w, p, x: _horner(x, s.data, p),
}


def _backward(program: Program, p: int, weights: Array, values: list[Array], output: int) -> Array:
    """Derivatives ``(N, weights)`` of one output: sums of residues, not more than there are uses of a weight."""
    count = len(values[0])
    slopes: list[Array | None] = [None] * len(values)
    last = np.zeros((count, program.outputs), dtype=np.int64)
    last[:, output] = 1
    slopes[-1] = last.reshape(values[-1].shape)
    rows = np.zeros((count, program.weights), dtype=np.int64)
    for number in range(len(program.steps), 0, -1):
        step, slope = program.steps[number - 1], slopes[number]
        if slope is None:
            continue
        reads = [values[i] for i in step.reads]
        if step.word in ("linear", "bias"):
            _add_weights(step, rows, slope, reads[0], p)
        for i, part in zip(step.reads, _SLOPES[step.word](step, weights, p, slope, *reads), strict=True):
            known = slopes[i]
            slopes[i] = part if known is None else (known + part) % p
    return rows


def _add_weights(step: Step, rows: Array, slope: Array, x: Array, p: int) -> None:
    count = len(slope)
    flat = slope.reshape(count, -1, slope.shape[-1])
    if step.word == "bias":
        parts = flat.sum(axis=1) % p
    else:
        parts = dot(flat.transpose(0, 2, 1), x.reshape(count, -1, x.shape[-1]), p)
    places = step.data.ravel()
    if places.size and places[0] >= 0 and np.array_equal(places, np.arange(places[0], places[0] + len(places))):
        part = slice(places[0], places[0] + len(places))
        rows[:, part] += parts.reshape(count, -1)
        return
    places, parts = places[places >= 0], parts.reshape(count, -1)[:, places >= 0]
    if len(np.unique(places)) == len(places):
        rows[:, places] += parts
    else:
        np.add.at(rows.T, places, parts.T)


def _scatter(step: Step, slope: Array, x: Array, p: int) -> Array:
    out = np.zeros((len(x), x[0].size), dtype=np.int64)
    np.add.at(out.T, step.data.ravel(), slope.reshape(len(x), -1).T)
    return out.reshape(x.shape) % p


def _derivative(coefficients: Sequence[Fraction]) -> list[Fraction]:
    return [k * c for k, c in enumerate(coefficients)][1:]


_SLOPES: dict[str, Callable[..., tuple[Array, ...]]] = {
    "linear": lambda s, w, p, dy, x: (dot(dy, _matrix(s, w), p),),
    "bias": lambda s, w, p, dy, x: (dy,),
    "gather": lambda s, w, p, dy, x: (_scatter(s, dy, x, p),),
    "add": lambda s, w, p, dy, x, y: (dy, dy),
    "multiply": lambda s, w, p, dy, x, y: (dy * y % p, dy * x % p),
    "matmul": lambda s, w, p, dy, x, y: (dot(dy, y.swapaxes(1, 2), p), dot(x.swapaxes(1, 2), dy, p)),
    "power": lambda s, w, p, dy, x: (s.data * _power(x, s.data - 1, p) % p * dy % p,),
    "polynomial": lambda s, w, p, dy, x: (_horner(x, _derivative(s.data), p) * dy % p,),
}
"""Slopes of what a step reads, from the slope ``dy`` of its value."""
