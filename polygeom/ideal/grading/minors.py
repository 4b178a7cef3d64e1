"""Semi-invariants of GL(outputs): polynomials in the maximal minors of the matrix of coefficients.

Where GL(outputs) acts, the equation of a hypersurface is multiplied by a power of the determinant. So it is a
polynomial in the maximal minors of the matrix with a row for each output and a column for each monomial of the inputs
(first fundamental theorem), and there is one such polynomial in which the minors of every product form a chain: the
*standard* products are a basis (Hodge). They are far fewer than the monomials of the same weight: 90 instead of 22,370
in degree 12 for three outputs that are binary quartics.

References
----------
Weyl, The Classical Groups, II.6. Fulton, Young Tableaux, 8-9.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from polygeom.errors import BudgetError
from polygeom.ideal.grading.grading import Grading, Integers, Weight
from polygeom.ideal.grading.spaces import Monomials
from polygeom.modular import PrimeField, Residues

MOST_MINORS = 5000
"""Maximal minors up to which a search is made in them; beyond, it is made in monomials."""
MOST_STANDARD = 200_000
"""Standard products of one degree and weight that are listed."""

Chain = tuple[int, ...]


class Minors:
    """The maximal minors of the matrix of coordinates, ``(outputs, columns)``, and their standard products.

    Parameters
    ----------
    grading:
        The weights of the coordinates; GL(outputs) acts.
    table:
        Number of the coordinate in each row and column.

    Examples
    --------
    >>> from polygeom.ideal.grading.coordinates import Coordinates
    >>> minors = Minors.of(Grading.of(Coordinates("[2,2,3] r=2")), tuple(range(9)))
    >>> [len(minors.standard(degree, (degree // 3,) * 3 + (degree,) * 2)) for degree in (3, 6)]
    [1, 1]
    """

    def __init__(self, grading: Grading, table: Integers) -> None:
        self.grading, self.table = grading, table
        rows, columns = table.shape
        self.choices = list(itertools.combinations(range(columns), rows))
        self.weights = np.array([grading.weights[table[range(rows), c]].sum(axis=0) for c in self.choices])

    @classmethod
    def of(cls, grading: Grading, kept: Sequence[int]) -> Minors | None:
        """None where GL(outputs) does not act, or minors would be no help: for one output, or far too many."""
        rows = grading.outputs
        if rows < 2 or not grading.cone:
            return None
        entries = grading.coordinates.entries
        columns = [[k for k in kept if entries[k][0] == output] for output in range(rows)]
        monomials = [[entries[k][1] for k in numbers] for numbers in columns]
        if any(other != monomials[0] for other in monomials) or len(monomials[0]) < rows:
            return None
        if math.comb(len(monomials[0]), rows) > MOST_MINORS:
            return None
        return cls(grading, np.array(columns, dtype=np.int64))

    @cached_property
    def _after(self) -> list[list[int]]:
        """For every minor those that may follow it in a chain: entry by entry not smaller."""
        array = np.array(self.choices)
        return [np.flatnonzero((array >= c).all(axis=1)).tolist() for c in array]

    def standard(self, degree: int, weight: Weight) -> list[Chain]:
        """All standard products of a degree and weight, as chains of numbers of minors.

        Raises
        ------
        BudgetError
            If there are too many to list.
        """
        rows = len(self.table)
        if degree % rows:
            return []
        target = np.array(weight, dtype=np.int64)
        low, high = self.weights.min(axis=0), self.weights.max(axis=0)
        found: list[Chain] = []

        def extend(chain: Chain, left: Integers, more: int) -> None:
            if not more:
                found.append(chain)
                if len(found) > MOST_STANDARD:
                    raise BudgetError(
                        f"degree {degree} has more than {MOST_STANDARD} products of minors; lower max_degree="
                    )
                return
            for k in self._after[chain[-1]] if chain else range(len(self.choices)):
                rest = left - self.weights[k]
                if (rest >= (more - 1) * low).all() and (rest <= (more - 1) * high).all():
                    extend((*chain, k), rest, more - 1)

        extend((), target, degree // rows)
        return found

    def count(self, degree: int, weight: Weight) -> int:
        """The number of monomials in the coordinates of the matrix of a degree and weight."""
        weights = self.grading.weights[self.table.ravel()]
        ways = np.zeros((degree + 1, *(w + 1 for w in weight)), dtype=object)
        ways[(0,) * ways.ndim] = 1
        for step in np.column_stack([np.ones(len(weights), dtype=np.int64), weights]).tolist():
            more = ways.copy()
            for times in range(1, degree + 1):
                shift = [times * s for s in step]
                if any(s >= size for s, size in zip(shift, ways.shape, strict=True)):
                    break
                there = tuple(slice(s, None) for s in shift)
                here = tuple(slice(None, size - s) for s, size in zip(shift, ways.shape, strict=True))
                more[there] += ways[here]
            ways = more
        return int(ways[(-1,) * ways.ndim])

    def values(self, chains: Sequence[Chain], points: Residues, field: PrimeField) -> Residues:
        """Values ``(N, P)`` of products of minors at points ``(coordinates, P)``."""
        minors = self._minors(points, field)
        numbers = np.array(chains, dtype=np.int64).reshape(len(chains), -1)
        values = minors[numbers[:, 0]]
        for column in numbers.T[1:]:
            values = field.multiply(values, minors[column])
        return values

    def _minors(self, points: Residues, field: PrimeField) -> Residues:
        """All maximal minors at the points, row by row by expansion along the last row."""
        entries = points[self.table]
        rows, columns = self.table.shape
        known: dict[tuple[int, ...], Residues] = {(c,): entries[0, c] for c in range(columns)}
        for row in range(1, rows):
            larger = {}
            for chosen in itertools.combinations(range(columns), row + 1):
                total = np.zeros(points.shape[1])
                for place, c in enumerate(chosen):
                    term = field.multiply(entries[row, c], known[chosen[:place] + chosen[place + 1 :]])
                    total = total - term if (row - place) % 2 else total + term
                larger[chosen] = field.reduce(total)
            known = larger
        return np.array([known[c] for c in self.choices])

    def expand(self, chains: Sequence[Chain], integers: Sequence[int]) -> tuple[Monomials, tuple[int, ...]]:
        """A combination of products of minors as monomials ``(N, degree)`` with coefficients, zero terms left out."""
        total = self._expand([(chain, c) for chain, c in zip(chains, integers, strict=True) if c], 0)
        terms = sorted(total.items())
        degree = len(self.table) * len(chains[0])
        return np.array([m for m, _ in terms], dtype=np.int64).reshape(-1, degree), tuple(c for _, c in terms)

    def _expand(self, terms: Sequence[tuple[Chain, int]], depth: int) -> Counter[tuple[int, ...]]:
        """The sum of products that share their first ``depth`` minors, without these, by Horner's rule."""
        total: Counter[tuple[int, ...]] = Counter()
        if depth == len(terms[0][0]):
            total[()] = sum(c for _, c in terms)
            return total
        for k, group in itertools.groupby(terms, key=lambda term: term[0][depth]):
            rest = self._expand(list(group), depth + 1)
            for factors, sign in self._terms(k):
                for monomial, c in rest.items():
                    total[tuple(sorted((*factors, *monomial)))] += sign * c
        return Counter({m: c for m, c in total.items() if c})

    def _terms(self, k: int) -> Iterator[tuple[tuple[int, ...], int]]:
        """The monomials of a minor with their signs."""
        choice = self.choices[k]
        for order in itertools.permutations(range(len(choice))):
            inversions = sum(a > b for a, b in itertools.combinations(order, 2))
            factors = tuple(int(self.table[row, choice[place]]) for row, place in enumerate(order))
            yield factors, -1 if inversions % 2 else 1
