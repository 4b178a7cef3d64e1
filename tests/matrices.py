"""Matrices mod p whose rank is known by construction, and two opinions on ranks that share no code with polygeom."""

from __future__ import annotations

from collections.abc import Iterator

import flint
import numpy as np

from polygeom.modular import PrimeField

P21 = 2097143
P24 = 16777213
P25 = 33554393
P26 = 2**26 - 5
"""The largest primes below 2^21, 2^24, 2^25 and 2^26: 8192, 127, 32 and 8 products between two reductions."""


def as_flint(a: np.ndarray, p: int) -> flint.nmod_mat:
    return flint.nmod_mat(*a.shape, (a.astype(np.int64) % p).ravel().tolist(), p)


def flint_rank(a: np.ndarray, p: int) -> int:
    return as_flint(a, p).rank() if a.size else 0


def flint_echelon(a: np.ndarray, p: int) -> np.ndarray:
    """Reduced row echelon form without zero rows, entries in [0, p)."""
    if not a.size:
        return np.zeros((0, a.shape[1]), np.int64)
    form, rank = as_flint(a, p).rref()
    return np.array([[int(x) for x in row] for row in form.table()], np.int64)[:rank].reshape(rank, a.shape[1])


def python_echelon(a: np.ndarray, p: int) -> tuple[list[list[int]], list[int]]:
    """The same in Python integers, entry by entry, with its pivot columns."""
    rows = [[int(x) % p for x in row] for row in a]
    pivots: list[int] = []
    for j in range(a.shape[1]):
        k = len(pivots)
        i = next((i for i in range(k, len(rows)) if rows[i][j]), None)
        if i is None:
            continue
        rows[k], rows[i] = rows[i], rows[k]
        inverse = pow(rows[k][j], -1, p)
        rows[k] = [x * inverse % p for x in rows[k]]
        for i in range(len(rows)):
            if i != k and rows[i][j]:
                factor = rows[i][j]
                rows[i] = [(x - factor * y) % p for x, y in zip(rows[i], rows[k], strict=True)]
        pivots.append(j)
    return rows[: len(pivots)], pivots


def scrambled(field: PrimeField, rng: np.random.Generator, shape: tuple[int, int], rank: int) -> np.ndarray:
    """A matrix of exactly this rank: a diagonal, hidden by random elementary operations on rows and columns."""
    a = np.zeros(shape)
    a[np.arange(rank), np.arange(rank)] = field.random(rng, rank) if field.p > 3 else 1.0
    a[np.arange(rank), np.arange(rank)] += a[np.arange(rank), np.arange(rank)] == 0
    for axis, size in enumerate(shape):
        for _ in range(2 * size if size > 1 else 0):
            i, k = rng.choice(size, 2, replace=False)
            factor = field.random(rng, ())
            lines = a if axis == 0 else a.T
            lines[i] = field.add(lines[i], field.multiply(factor, lines[k]))
    return a


def families(field: PrimeField, rng: np.random.Generator, largest: int) -> Iterator[tuple[str, np.ndarray]]:
    """Ordinary and adversarial matrices of up to ``largest`` rows and columns, some of two or three times as many."""
    m, n = (int(size) for size in rng.integers(1, largest + 1, size=2))
    k = int(rng.integers(0, min(m, n) + 1))
    yield "random", field.random(rng, (m, n))
    yield "product", field.matmul(field.random(rng, (m, k)), field.random(rng, (k, n)))
    yield "scrambled", scrambled(field, rng, (min(m, 60), min(n, 60)), min(k, 60, m, n))
    yield "zero", np.zeros((m, n))
    yield "sparse", field.random(rng, (m, n)) * (rng.random((m, n)) < 0.02)
    yield "half empty", field.random(rng, (m, n)) * (rng.random((m, n)) < 0.5)
    columns = field.random(rng, (m, n))[:, rng.integers(0, n, n)]
    columns[:, ::3] = 0.0
    yield "zero and repeated columns", columns
    yield "repeated rows", np.repeat(field.random(rng, (m, n)), 3, axis=0)[: max(m, 1)]
    yield "every second column repeated", np.repeat(field.random(rng, (m, n)), 2, axis=1)
    yield "swaps", np.tril(field.random(rng, (n, n)))[::-1].copy()
    yield "permutation", np.eye(n)[rng.permutation(n)]
    late = field.random(rng, (m, n))
    late[: m // 2, : n // 2] = 0.0
    yield "pivots in late rows", late
    yield "staircase", np.triu(field.random(rng, (m, n)), k=int(rng.integers(-m, n)))
    yield "tall", field.random(rng, (3 * m, max(n // 3, 1)))
    yield "wide", field.random(rng, (max(m // 3, 1), 3 * n))
    yield "row", field.random(rng, (1, n))
    yield "column", field.random(rng, (m, 1))
    yield "no rows", np.zeros((0, n))
    yield "no columns", np.zeros((m, 0))
    blocks = np.zeros((2 * m, 2 * n))
    blocks[:m, :n], blocks[m:, n:] = columns[:m, :n], field.random(rng, (m, n))
    yield "block diagonal", blocks
    yield "one sign", np.full((m, n), float(field.p // 2))
    yield "almost one sign", np.where(rng.random((m, n)) < 0.9, 1.0, -1.0) * (field.p // 2)


def extreme(field: PrimeField, rank: int, size: int, block: int, left: int, right: int) -> np.ndarray:
    """L U for L (size, rank) and U (rank, size) with constant entries outside identity blocks on the diagonal.

    L_it = left for t < b(i), U_tj = right for t < b(j), where b(i) is the first index of the block of i (of ``block``
    indices, up to ``rank``). An elimination without row exchanges meets exactly these factors, so with large constants
    every sum of products in it grows as fast as entries allow. The rank is ``rank`` for any prime.
    """
    index = np.arange(size)
    first = np.where(index < rank, index - index % block, rank)
    i, j = index[:, None], index[None, :]
    a = left * right * np.minimum(first[:, None], first[None, :])
    a = a + np.where((j < first[:, None]) & (j < rank), left, 0) + np.where((i < first[None, :]) & (i < rank), right, 0)
    return field.encode(a + ((i == j) & (i < rank)))
