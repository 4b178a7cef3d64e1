"""How large a network may be, and the checks of numbers: a network is a small description, cheap to read."""

from __future__ import annotations

import re
from fractions import Fraction
from numbers import Rational
from typing import Any

from polygeom.errors import PolygeomError

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

MOST_DIGITS = 1000
"""Largest number of digits of a given weight and of its denominator; those of floats have at most 324."""

_LONG = re.compile(r"[0-9_]{1002}|[eE][+-]?[0-9_]{4}")
_RATIONAL = re.compile(r"-?[0-9]{1,20}(/[0-9]{1,20})?")


def shown(value: object, most: int = 40) -> str:
    """``repr(value)`` cut to ``most`` characters, also for integers that Python refuses to print."""
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= most else text[: most - 1] + "…"


def exact_weight(where: str, value: object) -> Fraction:
    """The fraction that a given weight is: an integer, a fraction, a text such as "1/3", or a float.

    Parameters
    ----------
    where:
        The argument and the array, for the message.

    Raises
    ------
    PolygeomError
        If it is no number, not finite, or has more than `MOST_DIGITS` digits; asked before it is computed.
    """
    try:
        entry: Any = value.item() if hasattr(value, "item") else value
        if not (isinstance(entry, str) and _LONG.search(entry)):
            number = Fraction(entry)
            if max(abs(number.numerator), number.denominator) < 10**MOST_DIGITS:
                return number
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        pass
    raise PolygeomError(
        f"{where} must consist of finite numbers of at most {MOST_DIGITS} digits, got {shown(value)}; "
        'write integers, floats or "1/3"'
    ) from None


def positive(layer: str, name: str, value: int, largest: int = LARGEST_WIDTH) -> None:
    """Refuse a ``value`` that is not an int from 1 to ``largest``."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise PolygeomError(
            f"{layer}: {name} must be a positive integer, got {shown(value)}; write for example {name}=2"
        )
    if value > largest:
        raise PolygeomError(f"{layer}: {name} must be at most {largest}; write a smaller number")


def rational(c: object) -> Fraction:
    """A coefficient of a polynomial activation as a fraction; floats are refused, since they are not what was meant."""
    if isinstance(c, str) and _RATIONAL.fullmatch(c):
        numerator, _, denominator = c.partition("/")
        c = Fraction(int(numerator), int(denominator or 1)) if int(denominator or 1) else c
    if isinstance(c, bool) or not isinstance(c, Rational):
        raise PolygeomError(
            f"polynomial: coefficients must be integers or fractions, got {shown(c)}; write 1/2 for one half, "
            "in Python Fraction(1, 2)"
        )
    exact = Fraction(int(c.numerator), int(c.denominator))
    if max(abs(exact.numerator), exact.denominator) > LARGEST_COEFFICIENT:
        raise PolygeomError(
            f"polynomial: numerators and denominators must be at most {LARGEST_COEFFICIENT}; write a shorter fraction"
        )
    return exact


def capped_monomials(variables: int, degree: int, cap: int) -> int:
    """``min(C(variables + degree - 1, degree), cap)``, monomials of one degree, without astronomically large binomials.

    >>> capped_monomials(500, 2**100, 10**6)
    1000000
    """
    few, many = (degree, variables - 1) if degree < variables else (variables - 1, degree)
    total = 1
    for i in range(1, few + 1):
        total = total * (many + i) // i  # C(many + i, i), at least doubled
        if total >= cap:
            return cap
    return min(total, cap)
