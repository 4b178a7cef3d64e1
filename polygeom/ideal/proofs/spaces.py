"""Weight spaces: their monomials, the rank of the values of these, and the rank of the multiples of equations."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import cached_property
from operator import add, sub

import numpy as np

from polygeom.dimensions.proofs.jacobians import rank
from polygeom.ideal.proofs.claims import Claim, Equation, Monomial, Weight
from polygeom.ideal.proofs.coefficients import PRIME, Coefficients

Array = np.ndarray
Row = dict[int, int]

MOST_COPIES = 20_000
"""Largest number of equations with their copies whose leading monomials are listed."""

POINTS = 10
"""Points beyond the claimed rank at which monomials are evaluated."""


class Monomials:
    """The monomials of every degree and weight in the coordinates of a list, made when they are asked for."""

    def __init__(self, claim: Claim, coordinates: list[int]) -> None:
        self._claim, self._coordinates = claim, coordinates
        self._known: dict[tuple[int, Weight], list[Monomial]] = {}
        self._total = 0
        self._single: dict[Weight, list[Monomial]] = {}
        for k in coordinates:
            self._single.setdefault(claim.weights[k], []).append((k,))
        weights = [claim.weights[k] for k in coordinates]
        self._factors = [
            (k, weight, [(i, b) for i, b in enumerate(weight) if b])
            for k, weight in zip(coordinates, weights, strict=True)
        ]
        self._ends = [
            max((n + 1 for n, weight in enumerate(weights) if weight[i]), default=0)
            for i in range(len(claim.weights[0]))
        ]
        self._dominant = [{(0,) * len(claim.weights[0])}]

    def of(self, degree: int, weight: Weight) -> list[Monomial]:
        """All monomials of a degree and weight, each an increasing tuple of coordinates."""
        if degree == 0:
            return [] if any(weight) else [()]
        if degree == 1:
            return self._single.get(weight, [])
        known = self._known.get((degree, weight))
        if known is None:
            known = []
            # the first coordinate of a monomial is not behind all that have one of the positive entries
            end = min([end for end, w in zip(self._ends, weight, strict=True) if w], default=None)
            for k, own, factor in self._factors[:end]:
                for i, b in factor:  # most coordinates do not divide, which their first entries show
                    if weight[i] < b:
                        break
                else:
                    known += [(k, *m) for m in self.of(degree - 1, tuple(map(sub, weight, own))) if m[0] >= k]
            self._known[degree, weight] = known
            self._total += 1 + len(known)
            self._claim.budget.step("the monomials", 10.0 * len(self._coordinates), 150.0 * self._total)
        return known

    def dominant_weights(self, degree: int) -> set[Weight]:
        """The dominant weights of the monomials of a degree, if exchanges permute the weights of the coordinates."""
        steps = {self._claim.weights[k] for k in self._coordinates}
        while len(self._dominant) <= degree:
            current = self._dominant[-1]
            self._claim.budget.step("the weights", 30.0 * len(current) * len(steps), 200.0 * len(current) * len(steps))
            self._dominant.append({self._claim.dominant(tuple(map(add, w, step))) for w in current for step in steps})
        return self._dominant[degree]

    @cached_property
    def leads(self) -> list[dict[int, set[Monomial]]]:
        """For four orders of monomials, by degree, the leading ones of all equations and copies in these coordinates.

        The orders are the lexicographic and the reverse one, from either end. All are compatible with multiplication.
        """
        found: list[dict[int, set[Monomial]]] = [{} for _ in range(4)]
        allowed, claim = set(self._coordinates), self._claim
        if sum(claim.orbit_size(e.weight) for e in claim.equations) > MOST_COPIES:
            return found
        for equation in claim.equations:
            for _, move in claim.copies(equation):
                terms = [tuple(sorted([move[k] for k in m])) for m, _ in equation.terms]
                claim.budget.step("the leading monomials", 10.0 * len(terms))
                if allowed.issuperset(itertools.chain.from_iterable(terms)):
                    turned = [m[::-1] for m in terms]
                    leading = min(terms), max(terms), min(turned)[::-1], max(turned)[::-1]
                    for leads, monomial in zip(found, leading, strict=True):
                        leads.setdefault(equation.degree, set()).add(monomial)
        return found


class Space:
    """One weight space of polynomials in the coordinates that are kept, or in all of them in degree 1."""

    def __init__(self, degree: int, weight: Weight, monomials: Monomials, claim: Claim) -> None:
        self.degree, self.weight, self.claim = degree, weight, claim
        self._table = monomials
        self.monomials = monomials.of(degree, weight)
        self._number = {m: n for n, m in enumerate(self.monomials)}

    def value_rank(self, coefficients: Coefficients, claimed: int) -> int:
        """Rank of the values of the monomials at a few more points than ``claimed``, modulo a prime.

        Values at points of the neurovariety: the rank is at most the dimension of this part of its coordinate ring.
        """
        self.claim.budget.rank("the rank of the values", len(self.monomials), claimed + POINTS)
        points = coefficients.modulo(claimed + POINTS)
        columns = np.ones((len(self.monomials), len(points)), dtype=np.int64)
        factors = np.array(self.monomials, dtype=np.int64).reshape(len(self.monomials), self.degree)
        for k in range(self.degree):
            columns = columns * points[:, factors[:, k]].T % PRIME
        return rank(columns, PRIME)

    def generated(self, claimed: int) -> bool:
        """Whether the multiples of all equations have at least the rank ``claimed`` modulo a prime."""
        if claimed == 0:
            return True
        if self._has_leads(claimed):
            return True
        rows = [*self._rows(self.degree)]
        height = claimed + 20 + claimed // 50
        if len(rows) > 2 * height:
            mixed = self._mixed(rows, height)
            self.claim.budget.rank("the rank of the equations", *mixed.shape)
            if rank(mixed, PRIME) >= claimed:
                return True
        return len(rows) >= claimed and rank(self._matrix(rows, PRIME), PRIME) >= claimed

    def _has_leads(self, claimed: int) -> bool:
        """Whether so many monomials are multiples of leading monomials of equations, in one of some orders.

        Multiples with different leading monomials are independent, so the rank of all multiples is not smaller.
        """
        return any(
            sum(
                any(not leads[e].isdisjoint(itertools.combinations(m, e)) for e in leads if e <= self.degree)
                for m in self.monomials
            )
            >= claimed
            for leads in self._table.leads
        )

    def minimal(self, claimed: int) -> bool:
        """Whether no equation of this degree and weight can be left out, given that all have rank ``claimed``.

        With n of them, the multiples of equations of lower degree must have rank ``claimed - n`` over Q, not more:
        so have them modulo primes whose product is larger than every minor (Hadamard).
        """
        new = sum((e.degree, e.weight) == (self.degree, self.weight) for e in self.claim.equations)
        if new == 0:
            return True
        rows = [*self._rows(self.degree - 1)]
        if new > claimed or not rows:
            return new == claimed
        bits = (claimed - new + 1) * max(math.log2(sum(c * c for c in row.values())) / 2 for row in rows)
        return all(rank(self._matrix(rows, p), p) <= claimed - new for p in _primes(bits))

    def _rows(self, top: int) -> Iterator[Row]:
        """Multiples of the equations of degree at most ``top``, and of their copies, by the numbers of monomials."""
        for equation in self.claim.equations:
            if equation.degree > top or (equation.degree == 1 and self.degree > 1):
                continue
            if equation.degree == self.degree:
                if equation.weight == self.weight:
                    yield {self._number[m]: c for m, c in equation.terms}
                continue
            for copy, move in self.claim.copies(equation, self.weight):
                rest = tuple([a - b for a, b in zip(self.weight, copy, strict=True)])
                yield from self._multiples(equation, move, self._table.of(self.degree - equation.degree, rest))

    def _multiples(self, equation: Equation, move: list[int], factors: list[Monomial]) -> Iterator[Row]:
        terms = [([move[k] for k in m], c) for m, c in equation.terms]
        self.claim.budget.step("the multiples of the equations", 10.0 * len(terms) * len(factors))
        for factor in factors:
            row = {}
            for monomial, c in terms:
                number = self._number.get(tuple(sorted([*monomial, *factor])))
                if number is None:  # a copy with coordinates that are not kept is passed over
                    break
                row[number] = c
            else:
                yield row

    def _matrix(self, rows: list[Row], p: int) -> Array:
        self.claim.budget.rank("the rank of the equations", len(rows), len(self.monomials))
        matrix = np.zeros((len(rows), len(self.monomials)), dtype=np.int64)
        for n, row in enumerate(rows):
            for k, c in row.items():
                matrix[n, k] = c % p
        return matrix

    def _mixed(self, rows: list[Row], height: int) -> Array:
        """Combinations of the rows with random factors: their rank is at most that of the rows."""
        draw = np.random.default_rng(len(rows))
        owner = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
        columns = np.array([k for row in rows for k in row])
        values = np.array([c % PRIME for row in rows for c in row.values()], dtype=np.int64)
        matrix = np.zeros(height * len(self.monomials), dtype=np.int64)
        for _ in range(3):
            targets, factors = draw.integers(0, height, len(rows)), draw.integers(0, PRIME, len(rows))
            np.add.at(matrix, targets[owner] * len(self.monomials) + columns, factors[owner] * values % PRIME)
        return (matrix % PRIME).reshape(height, -1)


def _primes(bits: float) -> Iterator[int]:
    """Primes below 2^62 with a product of more than this many bits; at least one."""
    import flint

    p, total = 2**62, 0.0
    while total <= bits + 1:
        p -= 1
        while not flint.fmpz(p).is_prime():
            p -= 1
        total += 61.9
        yield p
