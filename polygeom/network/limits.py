"""How large a network may be: a network is a small description, and reading one must stay cheap."""

from __future__ import annotations

LARGEST_WIDTH = 10**6
"""Largest number of features, tokens, positions, channels or filter entries of one layer."""

LARGEST_DEGREE = 10**6
"""Largest degree of one activation. It is smaller than every prime used for ranks, so no degree vanishes modulo one."""

LARGEST_POLYNOMIAL_DEGREE = 1000
"""Largest degree of a polynomial activation that lists its coefficients."""

LARGEST_COEFFICIENT = 10**18
"""Largest numerator and denominator of a coefficient of a polynomial activation."""

MOST_AXES = 4
"""Largest number of axes of an input point."""

MOST_SYMBOLS = 20_000
"""Largest size of a network: its layers, their inputs, pattern entries and coefficients counted together."""

LONGEST_TEXT = 1_000_000
"""Largest number of characters of a text or JSON; every network within the other limits is shorter."""


def shown(value: object, most: int = 40) -> str:
    """``repr(value)`` cut to ``most`` characters, also for integers that Python refuses to print."""
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= most else text[: most - 1] + "…"
