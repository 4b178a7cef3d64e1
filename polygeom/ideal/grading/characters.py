"""Names of representations: from the numbers of equations of each weight to highest weights.

Where GL(outputs) or GL(inputs) acts, the minimal generators of one degree form a representation, the sum of irreducible
ones; an irreducible one is named by its highest weight, two partitions. The multiplicity of a dominant weight λ as a
highest weight is the alternating sum of the dimensions of the weight spaces λ + ρ - σ(ρ) over permutations σ, where
ρ = (k, …, 2, 1) (Weyl's character formula; Fulton, Harris, Representation Theory, Section 24.1).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from polygeom.ideal.grading.grading import Grading, Weight

MOST_SHIFTS = 200_000
"""Largest number of pairs of permutations that are summed over, for all weights together."""


def highest_weights(dimensions: Mapping[Weight, int], grading: Grading) -> dict[Weight, int] | None:
    """Multiplicities of the irreducible representations with the given dimensions of dominant weight spaces.

    Returns
    -------
    Highest weight → multiplicity, decreasing; None when there are too many permutations to sum over.

    Examples
    --------
    >>> from polygeom.ideal.grading.coordinates import Coordinates
    >>> grading = Grading.of(Coordinates("[2,3,1] r=2"))
    >>> highest_weights({(1, 2, 0): 1, (1, 1, 1): 1}, grading)
    {(1, 2, 0): 1}
    """
    a, b = grading.outputs, grading.inputs
    found, left = {}, MOST_SHIFTS
    for weight in sorted(dimensions, reverse=True):
        total = 0
        for sign, first in _shifted(weight[:a]):
            for other, second in _shifted(weight[a : a + b]):
                left -= 1
                if left < 0:
                    return None
                moved = grading.dominant([*first, *second, *weight[a + b :]])
                total += sign * other * dimensions.get(moved, 0)
        if total:
            found[weight] = total
    return found


def _shifted(weight: Sequence[int]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Sign and ``λ + ρ - σ(ρ)`` for the permutations σ that leave no entry negative, placed from the last entry on.

    Entry ``i`` of ``ρ - σ(ρ)`` is ``σ(i) - i``, so ``σ(i) ≥ i - λ_i``: where λ is short, few permutations are left.
    """
    size = len(weight)

    def place(i: int, used: frozenset[int], sign: int, tail: tuple[int, ...]) -> Iterator[tuple[int, tuple[int, ...]]]:
        if i < 0:
            yield sign, tail
            return
        for j in range(max(0, i - weight[i]), size):
            if j not in used:
                inversions = sum(k < j for k in used)  # σ(i) = j stands before these
                yield from place(i - 1, used | {j}, sign * (-1) ** inversions, (weight[i] + j - i, *tail))

    yield from place(size - 1, frozenset(), 1, ())


def representation_dimension(weight: Sequence[int]) -> int:
    """Dimension of the irreducible representation of GL(k) with a highest weight of k entries.

    Examples
    --------
    >>> representation_dimension((2, 1, 0))
    8
    """
    numerator = denominator = 1
    for i, j in itertools.combinations(range(len(weight)), 2):
        numerator *= weight[i] - weight[j] + j - i
        denominator *= j - i
    return numerator // denominator
