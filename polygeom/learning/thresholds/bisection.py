"""Counts at numbers of samples around a threshold: found by bisection, then a window around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

C = TypeVar("C")


def counts_around(
    count: Callable[[int], C], below: Callable[[C], bool], most: int, before: int, after: int
) -> tuple[C, ...]:
    """What ``count`` gives at numbers of samples around the largest one from which it looks as ``below`` a threshold.

    Parameters
    ----------
    count:
        What is measured with so many samples; once for each number.
    below:
        Whether a count belongs to a number of samples below the threshold. 0 is taken to be below, ``most`` above.
    most:
        The first number of samples that is not tried.
    before, after:
        How many numbers of samples are measured up to the threshold and beyond it, besides those of the bisection.

    Examples
    --------
    >>> counts_around(lambda n: n, lambda n: n <= 5, 12, 2, 1)
    (3, 4, 5, 6)
    """
    counts: dict[int, C] = {}

    def measured(samples: int) -> C:
        if samples not in counts:
            counts[samples] = count(samples)
        return counts[samples]

    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if below(measured(middle)) else (low, middle)
    for samples in range(max(1, low - before + 1), low + after + 1):
        measured(samples)
    return tuple(counts[n] for n in sorted(counts))


__all__ = ["counts_around"]
