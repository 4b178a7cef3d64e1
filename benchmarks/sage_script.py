"""Dimensions as the published Sage scripts compute them, for comparison only.

Random weights mod p, backpropagation at twice as many random points as the outputs have monomials, the rank of the
matrix of all derivatives (the method of arXiv 1905.12207, with enough points), for two primes; the larger rank.
Needs Sage: ``pip install passagemath-linbox passagemath-pari passagemath-flint passagemath-modules``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import comb, prod

from sage.all__sagemath_modules import GF, matrix, random_matrix, random_vector

PRIMES = (100003, 100019)


def dimension(widths: Sequence[int], degrees: Sequence[int]) -> int:
    """The larger of the ranks mod two primes."""
    return max(_rank(widths, degrees, p) for p in PRIMES)


def _rank(widths: Sequence[int], degrees: Sequence[int], p: int) -> int:
    field = GF(p)
    weights = [random_matrix(field, m, n) for n, m in pairwise(widths)]
    degree = prod(degrees)
    samples = 2 * comb(widths[0] + degree - 1, degree)
    rows = []
    for _ in range(samples):
        rows += _gradients(weights, degrees, random_vector(field, widths[0]))
    return int(matrix(field, rows).rank())


def _gradients(weights: list, degrees: Sequence[int], x: object) -> list:
    """The derivatives of every output by all weights at one point."""
    inputs, slopes = [x], []
    for w, r in zip(weights, degrees, strict=False):
        z = w * inputs[-1]
        slopes.append([r * entry ** (r - 1) for entry in z])
        inputs.append(z.apply_map(lambda entry, r=r: entry**r))
    rows = []
    for output in range(weights[-1].nrows()):
        delta = [1 if i == output else 0 for i in range(weights[-1].nrows())]
        parts: list[list] = []
        for layer in range(len(weights) - 1, -1, -1):
            parts.insert(0, [d * a for d in delta for a in inputs[layer]])
            if layer:
                back = matrix(weights[layer].base_ring(), [delta]) * weights[layer]
                delta = [b * s for b, s in zip(back[0], slopes[layer - 1], strict=True)]
        rows.append([entry for part in parts for entry in part])
    return rows
