"""From equations modulo a prime to equations over the integers.

The relations among the values of some monomials (or products of minors), normalised to be the identity on those that
depend on earlier ones, are vectors of rational numbers. Computed modulo several primes they are put together by the
Chinese remainder theorem and rational reconstruction until one more prime confirms them. What comes out is an equation
to be proved (`polygeom.ideal.search.membership`): reconstruction alone proves nothing.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import numpy as np

from polygeom.errors import BudgetError, PolygeomError
from polygeom.ideal.grading.grading import Integers
from polygeom.modular import LiftError, PrimeField, Residues, as_field, is_prime, lift, nullspace

SPARE = 12
"""Points beyond those that the relations need."""
SMALL = 1000
"""Largest coefficient of an equation that is guessed from one prime, …"""
MOST_FACTOR = 60
"""… and largest integer that a relation is multiplied by."""
MOST_PRIMES = 400
"""Primes after which an equation is left unlifted: numerators and denominators of more than a thousand digits."""


def primes_below(bound: int) -> Iterator[int]:
    """Primes below a bound, falling."""
    return (n for n in range(bound - 1, 2, -1) if is_prime(n))


def lift_relations(
    relations: Residues,
    prime: int,
    values: Callable[[Integers, int, int], Residues],
    deadline: float | None = None,
) -> list[tuple[int, ...]]:
    """Integer vectors, without common divisors, that reduce to multiples of the relations mod p.

    Parameters
    ----------
    relations:
        A basis ``(k, N)`` of all relations among N functions mod ``prime``, as `polygeom.modular.nullspace` gives it.
    values:
        ``values(numbers, prime, count)`` gives the values of the functions with these numbers at random points mod a
        prime, ``(len(numbers), count)``.
    deadline:
        Time (of `time.monotonic`) at which to give up.

    Raises
    ------
    BudgetError
        If the deadline passes or `MOST_PRIMES` primes do not suffice.
    """
    used = np.flatnonzero(relations.any(axis=0))
    vectors = {prime: relations[:, used].ravel()}
    attempt = 2
    for q in primes_below(prime):
        found = nullspace(values(used, q, len(used) + SPARE).T, as_field(q))
        if found.shape == (len(relations), len(used)) and _same_pivots(found, relations[:, used]):
            vectors[q] = found.ravel()
        if len(vectors) >= attempt:
            try:
                fractions = lift(vectors)
            except LiftError:
                attempt = len(vectors) + 1 + len(vectors) // 4
            else:
                return _integers(fractions, len(relations), len(used), used, relations.shape[1])
        if len(vectors) > MOST_PRIMES or (deadline is not None and time.monotonic() > deadline):
            raise BudgetError(f"an equation of {len(used)} terms was not lifted with {len(vectors)} primes")
    raise PolygeomError(f"prime must be large, got {prime}; use a prime of 22 bits")


def small_multiples(relations: Residues, field: PrimeField) -> list[tuple[int, ...] | None]:
    """For every relation mod p coprime integers of magnitude up to `SMALL` that reduce to a multiple, None if none do.

    They are guesses, to be proved: of other integers that do there may be several.

    Examples
    --------
    >>> small_multiples(np.array([[-3.0, 1.0]]), as_field(7)), small_multiples(np.array([[0.0, 1.0]]), as_field(7))
    ([(3, -1)], [(0, 1)])
    """
    found: list[tuple[int, ...] | None] = [None] * len(relations)
    left = np.arange(len(relations))
    for factor in range(1, MOST_FACTOR + 1):
        multiples = field.reduce(relations[left] * factor)
        small = np.abs(multiples).max(axis=1, initial=0) <= SMALL
        for k, row in zip(left[small].tolist(), multiples[small].tolist(), strict=True):
            found[k] = tuple(primitive([int(c) for c in row]))
        left = left[~small]
        if not len(left):
            break
    return found


def _same_pivots(a: Residues, b: Residues) -> bool:
    """Whether two bases of relations are the identity on the same columns."""
    last = [a.shape[1] - 1 - np.argmax(np.flip(m != 0, axis=1), axis=1) for m in (a, b)]
    return bool(np.array_equal(*last))


def _integers(
    fractions: Sequence[Fraction], rows: int, width: int, used: np.ndarray, columns: int
) -> list[tuple[int, ...]]:
    vectors = []
    for k in range(rows):
        row = fractions[k * width : (k + 1) * width]
        vector = [0] * columns
        for position, entry in zip(used.tolist(), primitive(row), strict=True):
            vector[position] = entry
        vectors.append(tuple(vector))
    return vectors


def primitive(vector: Sequence[Fraction | int]) -> list[int]:
    """The multiple of a vector with coprime integer entries whose first nonzero entry is positive.

    Examples
    --------
    >>> primitive([Fraction(0), Fraction(-1, 2), Fraction(3, 4)])
    [0, 2, -3]
    """
    if all(type(c) is int for c in vector):
        integers = list(map(int, vector))
    else:
        scale = math.lcm(*(Fraction(c).denominator for c in vector))
        integers = [int(c * scale) for c in vector]
    common = math.gcd(*integers) or 1
    if next((c for c in integers if c), 1) < 0:
        common = -common
    return [c // common for c in integers]


def residues(vector: Sequence[int], field: PrimeField) -> Residues:
    """A vector of integers mod p."""
    return field.encode(np.array(vector, dtype=object))
