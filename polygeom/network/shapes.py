"""How the widths of a network run from input to output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise


def is_non_increasing(widths: Sequence[int]) -> bool:
    """Whether ``d_0 ≥ d_1 ≥ … ≥ d_L`` (pyramidal).

    >>> is_non_increasing((4, 4, 2)), is_non_increasing((2, 3, 1))
    (True, False)
    """
    return all(a >= b for a, b in pairwise(widths))


def is_non_decreasing(widths: Sequence[int]) -> bool:
    """Whether ``d_0 ≤ d_1 ≤ … ≤ d_L``.

    >>> is_non_decreasing((2, 2, 3))
    True
    """
    return all(a <= b for a, b in pairwise(widths))


def is_unimodal(widths: Sequence[int]) -> bool:
    """Whether the widths rise, not necessarily strictly, and then fall.

    >>> is_unimodal((2, 3, 3, 1)), is_unimodal((2, 3, 4, 5, 4, 6, 4, 1))
    (True, False)
    """
    falling = [a > b for a, b in pairwise(widths) if a != b]
    return falling == sorted(falling)


SHAPES: dict[str, Callable[[Sequence[int]], bool]] = {
    "non-increasing": is_non_increasing,
    "pyramidal": is_non_increasing,
    "non-decreasing": is_non_decreasing,
    "monotone": lambda widths: is_non_increasing(widths) or is_non_decreasing(widths),
    "unimodal": is_unimodal,
}
"""Shapes by name."""
