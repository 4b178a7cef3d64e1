"""Names of representations: from the numbers of equations of each weight to highest weights.

Where GL(outputs) or GL(inputs) acts, the minimal generators of one degree form a representation, the sum of irreducible
ones; an irreducible one is named by its highest weight, two partitions. The multiplicity of a dominant weight λ as a
highest weight is the alternating sum of the dimensions of the weight spaces λ + ρ - σ(ρ) over permutations σ, where
ρ = (k, …, 2, 1) (Weyl's character formula; Fulton, Harris, Representation Theory, Section 24.1).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence

from polygeom.ideal.grading.grading import Grading, Weight

MOST_PERMUTATIONS = 50_000
"""Largest number of pairs of permutations that are summed over."""


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
    if math.factorial(a) * math.factorial(b) > MOST_PERMUTATIONS:
        return None
    shifts = [(s * t, (*p, *q)) for s, p in _shifts(a) for t, q in _shifts(b)]
    found = {}
    for weight in sorted(dimensions, reverse=True):
        total = 0
        for sign, shift in shifts:
            moved = [x + y for x, y in zip(weight, shift, strict=False)]
            if min(moved, default=0) >= 0:
                total += sign * dimensions.get(grading.dominant([*moved, *weight[a + b :]]), 0)
        if total:
            found[weight] = total
    return found


def _shifts(size: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Sign and ``ρ - σ(ρ)`` for all permutations σ."""
    for order in itertools.permutations(range(size)):
        inversions = sum(order[i] > order[j] for i in range(size) for j in range(i + 1, size))
        yield (-1) ** inversions, tuple(order[i] - i for i in range(size))


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
