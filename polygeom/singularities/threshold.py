"""Real log canonical thresholds as exact pairs, and how they combine.

For functions ``g_1, …, g_k`` that vanish at a point, let ``K = Σ g_j²``. The integral of ``K(w)^z φ(w) dw`` over a
small ball continues to a meromorphic function of ``z``; its largest pole is ``-λ``, of order ``m``. The pair depends on
the ideal of the ``g_j`` alone (Watanabe, *Algebraic Geometry and Statistical Learning Theory*, 2009).
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from polygeom._dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Threshold:
    """``λ`` and its multiplicity ``m``.

    Examples
    --------
    >>> line = Threshold(Fraction(1, 2))  # the ideal of one coordinate
    >>> line.product(line), line.sum(line)
    (Threshold(value=Fraction(1, 2), multiplicity=2), Threshold(value=Fraction(1, 1), multiplicity=1))
    """

    value: Fraction
    multiplicity: int = 1

    def sum(self, other: Threshold) -> Threshold:
        """That of ``I + J`` in separate variables: the values add, the orders of the poles, less one, too."""
        return Threshold(self.value + other.value, self.multiplicity + other.multiplicity - 1)

    def product(self, other: Threshold) -> Threshold:
        """That of ``I · J`` in separate variables: the integrals multiply, so the larger pole wins."""
        if self.value != other.value:
            return min(self, other, key=lambda one: one.value)
        return Threshold(self.value, self.multiplicity + other.multiplicity)

    def __str__(self) -> str:
        return f"{self.value}" + (f" (multiplicity {self.multiplicity})" if self.multiplicity > 1 else "")


def coordinates(count: int) -> Threshold:
    """That of ``count`` independent coordinates: ``count / 2``.

    Zero coordinates are the zero ideal on nothing, which adds nothing.
    """
    return Threshold(Fraction(count, 2))


def least(thresholds: Iterable[Threshold]) -> Threshold:
    """The pair of a compact set from those of its points: the smallest value, among these the largest multiplicity."""
    return min(thresholds, key=lambda one: (one.value, -one.multiplicity))
