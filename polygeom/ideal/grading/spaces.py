"""The monomials of one degree and weight: listing them, numbering them, evaluating them.

A monomial is a row of coordinate numbers in increasing order. Its key is the sum of random 64-bit numbers of its
coordinates, so the key of a product is the sum of the keys, whatever the order of the factors; within one weight space
keys are checked to be different, so that looking a monomial up by its key is exact.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from polygeom.ideal.grading.forms import Forms
from polygeom.ideal.grading.grading import Grading, Weight
from polygeom.modular import PrimeField, Residues

Monomials = NDArray[np.int64]
Keys = NDArray[np.uint64]

MOST_LISTED = 1 << 20
"""Largest number of factors in the monomials of a degree that are listed for all weights at once."""
MOST_CANDIDATES = 1 << 22
"""Largest number of entries compared at a time while monomials are listed."""


class Spaces:
    """The weight spaces of the polynomial ring in some of the coordinates.

    Parameters
    ----------
    grading:
        The weights of the coordinates.
    kept:
        Numbers of the coordinates to use, increasing; a set that permutations within the blocks map to itself.
    """

    def __init__(self, grading: Grading, kept: Sequence[int]) -> None:
        self.grading = grading
        self.kept = np.array(kept, dtype=np.int64)
        weights = grading.weights[self.kept]
        self._weights = weights
        # for every coordinate, the largest and smallest entries of the weights from it on
        self._most = np.flip(np.maximum.accumulate(np.flip(weights, axis=0), axis=0), axis=0)
        self._least = np.flip(np.minimum.accumulate(np.flip(weights, axis=0), axis=0), axis=0)
        self._numbers = np.random.default_rng(0).integers(0, 2**64, size=grading.size, dtype=np.uint64)
        self._lists: dict[tuple[int, Weight], Monomials] = {}
        self._listed: dict[int, dict[Weight, Monomials] | None] = {}
        self._moves: dict[Weight, tuple[Weight, NDArray[np.int64]]] = {}

    def dominant_weights(self, degree: int) -> list[Weight]:
        """All dominant weights of monomials of a degree, in decreasing order."""
        listed = self.listed(degree)
        return self.grading.dominant_weights(degree, self.kept.tolist()) if listed is None else list(listed)

    def listed(self, degree: int) -> Mapping[Weight, Monomials] | None:
        """All monomials of a degree, each list as from `monomials`, by decreasing weight.

        None where permutations act, for then few weights stand for all, and where there are too many monomials.
        """
        if degree not in self._listed:
            few = degree * math.comb(len(self.kept) + degree - 1, degree) <= MOST_LISTED
            self._listed[degree] = self._by_weight(degree) if few and self.grading.rigid else None
        return self._listed[degree]

    def _by_weight(self, degree: int) -> dict[Weight, Monomials]:
        chosen = Forms(len(self.kept)).monomials(degree)
        weights = self._weights[chosen].sum(axis=1)
        mixed = np.random.default_rng(1).integers(-(2**62), 2**62, size=weights.shape[1])
        order = np.argsort(weights @ mixed, kind="stable")
        new = np.ones(len(order), dtype=bool)
        new[1:] = (weights[order[1:]] != weights[order[:-1]]).any(axis=1)
        starts = np.flatnonzero(new)
        names = list(map(tuple, weights[order[starts]].tolist()))
        if len(set(names)) < len(names):
            raise AssertionError("two weights have one key; the random numbers of the columns are unlucky")
        lists = np.split(self.kept[chosen[order]], starts[1:])
        return dict(sorted(zip(names, lists, strict=True), key=lambda pair: pair[0], reverse=True))

    def monomials(self, degree: int, weight: Weight) -> Monomials:
        """All monomials of a degree and a weight, ``(N, degree)``, in lexicographic order."""
        known = self._listed.get(degree)
        if known is not None:
            return known[weight] if weight in known else np.zeros((0, degree), dtype=np.int64)
        partial = np.zeros((1, 0), dtype=np.int64)
        last = np.zeros(1, dtype=np.int64)
        left = np.array([weight], dtype=np.int64).reshape(1, -1)
        for step in range(degree):
            rows, chosen = self._extensions(last, left, degree - step - 1)
            partial = np.concatenate([partial[rows], chosen[:, None]], axis=1)
            last, left = chosen, left[rows] - self._weights[chosen]
        return self.kept[partial] if degree else partial

    def _extensions(
        self, last: NDArray[np.int64], left: NDArray[np.int64], more: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Pairs of a partial monomial and its next factor, such that ``more`` factors can still complete the weight."""
        none = np.zeros(0, dtype=np.int64)
        rows, chosen = [none], [none]
        size = len(self.kept)
        step = max(1, MOST_CANDIDATES // max(1, size * left.shape[1]))
        low, high = self._weights + more * self._least, self._weights + more * self._most
        for start in range(0, len(last), step):
            part = left[start : start + step, None, :]
            possible = ((part >= low) & (part <= high)).all(axis=2)
            possible &= np.arange(size) >= last[start : start + step, None]
            r, c = np.nonzero(possible)
            rows.append(r + start)
            chosen.append(c)
        return np.concatenate(rows), np.concatenate(chosen)

    def cached(self, degree: int, weight: Weight) -> Monomials:
        """`monomials` in no particular order; weights of one orbit are listed once."""
        dominant, move = self._move(weight)
        if (degree, dominant) not in self._lists:
            self._lists[degree, dominant] = self.monomials(degree, dominant)
        return move[self._lists[degree, dominant]]

    def _move(self, weight: Weight) -> tuple[Weight, NDArray[np.int64]]:
        if weight not in self._moves:
            self._moves[weight] = self.grading.move(weight)
        return self._moves[weight]

    def keys(self, monomials: Monomials) -> Keys:
        """Keys ``(N,)`` of monomials ``(N, degree)``."""
        keys: Keys = self._numbers[monomials].sum(axis=1, dtype=np.uint64)
        return keys


class Index:
    """Positions of the monomials of one weight space by their keys."""

    def __init__(self, keys: Keys) -> None:
        self._order = np.argsort(keys)
        self._sorted = keys[self._order]
        if len(keys) and np.any(self._sorted[1:] == self._sorted[:-1]):
            raise AssertionError("two monomials have one key; the random numbers of the coordinates are unlucky")

    def positions(self, keys: Keys) -> NDArray[np.int64]:
        """Positions of keys that are known to occur."""
        return self._order[np.searchsorted(self._sorted, keys)]


def evaluate(monomials: Monomials, points: Residues, spaces: Spaces, field: PrimeField) -> Residues:
    """Values ``(N, P)`` of monomials at points ``(coordinates, P)``; halves that several share are evaluated once."""
    degree = monomials.shape[1]
    if degree == 0:
        return np.ones((len(monomials), points.shape[1]))
    if degree == 1:
        return points[monomials[:, 0]]
    factors = []
    for a, b in itertools.pairwise([0, degree // 2, degree]):
        half = monomials[:, a:b]
        _, first, inverse = np.unique(spaces.keys(half), return_index=True, return_inverse=True)
        values = evaluate(half[first], points, spaces, field)
        factors.append(values[inverse])
    return field.multiply(factors[0], factors[1])
