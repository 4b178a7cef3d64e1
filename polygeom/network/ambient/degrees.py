"""Sets of degrees: which monomials a polynomial of a network may have, told by total degrees or by multidegrees.

Two arithmetics with the same few operations. Sets are upper bounds for what the polynomials contain; for generic
weights they are attained unless cancellation is forced by the architecture.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

from polygeom._dataclass import dataclass
from polygeom.errors import BudgetError

DegreeSet = tuple[tuple[int, int], ...]
"""Total degrees as disjoint, sorted, non-adjacent closed intervals ``((low, high), …)``."""
Exponents = tuple[int, ...]

_MOST_INTERVALS = 1024
_MOST_PAIRS = 50_000
MOST_MULTIDEGREES = 400
"""Largest set of multidegrees; beyond it total degrees are used."""


def _refuse() -> NoReturn:
    raise BudgetError(
        "network: the degrees of its output form too many separate intervals; "
        "write an activation with fewer gaps or fewer layers"
    )


@dataclass(frozen=True)
class TotalDegrees:
    """Sets of total degrees, in ``variables`` variables.

    Examples
    --------
    >>> two = TotalDegrees(3)
    >>> two.product(((1, 2),), ((1, 1), (4, 4))), two.count(((1, 2),))
    (((2, 3), (5, 6)), 9)
    """

    variables: int
    zero: DegreeSet = ()
    one: DegreeSet = ((0, 0),)

    def union(self, sets: Iterable[DegreeSet]) -> DegreeSet:
        """The degrees in any of several sets."""
        return _merge(interval for each in sets for interval in each)

    def product(self, x: DegreeSet, y: DegreeSet) -> DegreeSet:
        """The degrees of products."""
        if len(x) * len(y) > _MOST_PAIRS:
            _refuse()
        return _merge((a + c, b + d) for a, b in x for c, d in y)

    def input(self, position: int) -> DegreeSet:
        """The degree of an input."""
        return ((1, 1),)

    def count(self, degrees: DegreeSet) -> int:
        """The number of monomials of these degrees."""
        return sum(_up_to(self.variables, high) - _up_to(self.variables, low - 1) for low, high in degrees)

    def monomials(self, degrees: DegreeSet) -> Iterator[Exponents]:
        """The monomials of these degrees, by falling degree, then lexicographically decreasing."""
        for low, high in reversed(degrees):
            for degree in range(high, low - 1, -1):
                yield from exponent_vectors(self.variables, degree)

    def difference(self, x: DegreeSet, y: DegreeSet) -> DegreeSet:
        """The degrees in ``x`` and not in ``y``."""
        return _merge((d, d) for low, high in x for d in range(low, high + 1) if not any(a <= d <= b for a, b in y))

    def describe(self, degrees: DegreeSet) -> str:
        """In words, for results."""
        parts = [str(low) if low == high else f"{low} to {high}" for low, high in degrees]
        return f"degree {', '.join(parts)}" if parts else "no degree"


@dataclass(frozen=True)
class Multidegrees:
    """Sets of multidegrees, for inputs in groups; a set is frozen.

    Attributes
    ----------
    groups:
        The inputs of each group.

    Examples
    --------
    >>> tensors = Multidegrees(((0, 1, 2), (3, 4)))
    >>> bilinear = tensors.product(tensors.input(0), tensors.input(3))
    >>> tensors.count(bilinear), next(tensors.monomials(bilinear))
    (6, (1, 0, 0, 1, 0))
    """

    groups: tuple[tuple[int, ...], ...]

    @property
    def variables(self) -> int:
        """Number of inputs."""
        return sum(map(len, self.groups))

    @property
    def zero(self) -> frozenset[Exponents]:
        """No monomial."""
        return frozenset()

    @property
    def one(self) -> frozenset[Exponents]:
        """Constants."""
        return frozenset([(0,) * len(self.groups)])

    def union(self, sets: Iterable[frozenset[Exponents]]) -> frozenset[Exponents]:
        """The multidegrees in any of several sets."""
        return _few(frozenset().union(*sets))

    def product(self, x: frozenset[Exponents], y: frozenset[Exponents]) -> frozenset[Exponents]:
        """The multidegrees of products."""
        if len(x) * len(y) > _MOST_PAIRS:
            _refuse()
        return _few(frozenset(tuple(map(sum, zip(a, b, strict=True))) for a in x for b in y))

    def input(self, position: int) -> frozenset[Exponents]:
        """The multidegree of an input."""
        return frozenset([tuple(int(position in group) for group in self.groups)])

    def count(self, degrees: frozenset[Exponents]) -> int:
        """The number of monomials of these multidegrees."""
        return sum(
            math.prod(math.comb(len(group) + d - 1, d) for group, d in zip(self.groups, each, strict=True))
            for each in degrees
        )

    def monomials(self, degrees: frozenset[Exponents]) -> Iterator[Exponents]:
        """The monomials of these multidegrees, by falling degree, then lexicographically decreasing."""
        found = []
        for each in degrees:
            parts = [exponent_vectors(len(group), d) for group, d in zip(self.groups, each, strict=True)]
            for choice in itertools.product(*parts):
                exponents = [0] * self.variables
                for group, part in zip(self.groups, choice, strict=True):
                    for position, e in zip(group, part, strict=True):
                        exponents[position] = e
                found.append(tuple(exponents))
        return iter(sorted(found, key=lambda alpha: (sum(alpha), alpha), reverse=True))

    def difference(self, x: frozenset[Exponents], y: frozenset[Exponents]) -> frozenset[Exponents]:
        """The multidegrees in ``x`` and not in ``y``."""
        return x - y

    def describe(self, degrees: frozenset[Exponents]) -> str:
        """In words, for results."""
        shown = sorted(degrees, reverse=True)
        more = f" and {len(shown) - 4} more" if len(shown) > 4 else ""
        sizes = ", ".join(str(len(group)) for group in self.groups)
        texts = ", ".join(f"({','.join(map(str, each))})" for each in shown[:4])
        return f"multidegree {texts}{more} in groups of {sizes} inputs"


Degrees = TotalDegrees | Multidegrees
"""One of the arithmetics."""


def power(degrees: Any, x: Any, exponent: int) -> Any:
    """The degrees of a power in one of the arithmetics, by squaring."""
    result = degrees.one
    square = x
    while exponent:
        if exponent & 1:
            result = square if result == degrees.one else degrees.product(result, square)
        exponent >>= 1
        if exponent:
            square = degrees.product(square, square)
    return result


def exponent_vectors(variables: int, degree: int) -> Iterator[Exponents]:
    """The exponent vectors of one degree, lexicographically decreasing.

    Examples
    --------
    >>> list(exponent_vectors(2, 2))
    [(2, 0), (1, 1), (0, 2)]
    """
    if variables == 1:
        yield (degree,)
        return
    for first in range(degree, -1, -1):
        for rest in exponent_vectors(variables - 1, degree - first):
            yield (first, *rest)


def _up_to(variables: int, degree: int) -> int:
    """The number of monomials of degree at most ``degree``."""
    return math.comb(variables + degree, variables) if degree >= 0 else 0


def _few(degrees: frozenset[Exponents]) -> frozenset[Exponents]:
    if len(degrees) > MOST_MULTIDEGREES:
        _refuse()
    return degrees


def _merge(intervals: Iterable[tuple[int, int]]) -> DegreeSet:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(intervals):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    if len(merged) > _MOST_INTERVALS:
        _refuse()
    return tuple(merged)
