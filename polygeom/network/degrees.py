"""Which total degrees occur in the output of a network: an engine whose values are sets of degrees.

A value is a *degree set*: disjoint, sorted, non-adjacent closed intervals ``((low, high), …)``. Every feature of a
layer gets the same set, an upper bound for what its polynomials contain; for generic weights the bound is attained
unless cancellation is forced by the architecture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, NoReturn

from polygeom.errors import BudgetError

DegreeSet = tuple[tuple[int, int], ...]

_MOST_INTERVALS = 1024
_MOST_PAIRS = 50_000


def _refuse() -> NoReturn:
    raise BudgetError(
        "network: the degrees of its output form too many separate intervals; "
        "write an activation with fewer gaps or fewer layers"
    )


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


class DegreeEngine:
    """Engine over degree sets; weights are ``None``. See `polygeom.network.primitives` for the primitives."""

    def linear(self, x: DegreeSet, w: Any) -> DegreeSet:
        return x

    def bias(self, x: DegreeSet, b: Any) -> DegreeSet:
        return _merge((*x, (0, 0)))

    def add(self, x: DegreeSet, y: DegreeSet) -> DegreeSet:
        return _merge((*x, *y))

    def multiply(self, x: DegreeSet, y: DegreeSet) -> DegreeSet:
        if len(x) * len(y) > _MOST_PAIRS:
            _refuse()
        return _merge((a + c, b + d) for a, b in x for c, d in y)

    def power(self, x: DegreeSet, exponent: int) -> DegreeSet:
        result: DegreeSet | None = None
        square = x
        while exponent:
            if exponent & 1:
                result = square if result is None else self.multiply(result, square)
            exponent >>= 1
            if exponent:
                square = self.multiply(square, square)
        assert result is not None
        return result

    def polynomial(self, x: DegreeSet, coefficients: Sequence[Fraction]) -> DegreeSet:
        terms: list[tuple[int, int]] = [(0, 0)] if coefficients[0] else []
        for k, c in enumerate(coefficients[1:], start=1):
            if c:
                terms += self.power(x, k)
        return _merge(terms)

    def matmul(self, x: DegreeSet, y: DegreeSet) -> DegreeSet:
        return self.multiply(x, y)

    def reindex(self, x: DegreeSet, index: Any) -> DegreeSet:
        return x

    def arrange(self, w: Any, index: Any) -> Any:
        return w
