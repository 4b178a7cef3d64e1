"""From residues mod several primes back to integers and fractions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import gcd, isqrt, prod
from typing import TYPE_CHECKING

import numpy as np

from polygeom.errors import PolygeomError
from polygeom.modular.arithmetic import as_field

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class LiftError(PolygeomError):
    """The residues belong to no integer or fraction of the size that their primes can tell apart."""


def crt(residues: Sequence[int], primes: Sequence[int]) -> int:
    """The integer in [0, m), m the product of the primes, with the given residues (Chinese remainder theorem).

    Parameters
    ----------
    residues:
        One integer per prime, of any sign and size.
    primes:
        Distinct primes (pairwise coprime moduli suffice).

    Raises
    ------
    PolygeomError
        If the lists differ in length or two moduli have a common divisor.

    Examples
    --------
    >>> crt([2, 3], [5, 7])
    17
    """
    if len(residues) != len(primes):
        raise PolygeomError(f"residues must be as many as primes ({len(primes)}), got {len(residues)}")
    value, modulus = 0, 1
    for residue, prime in zip(residues, primes, strict=True):
        if gcd(modulus, prime) != 1:
            raise PolygeomError(f"primes must be distinct primes, got {list(primes)}; leave out repeated ones")
        value += modulus * ((residue - value) * pow(modulus, -1, prime) % prime)
        modulus *= prime
    return value


def rational_reconstruction(
    a: int, m: int, *, numerator: int | None = None, denominator: int | None = None
) -> Fraction:
    """The fraction ``n/d`` with ``|n| <= numerator``, ``0 < d <= denominator`` and ``n = a d mod m``.

    There is at most one if 2 * numerator * denominator < m, which is required; it is found by the extended Euclidean
    algorithm (Wang's method; von zur Gathen and Gerhard, Modern Computer Algebra, theorem 5.26).

    Parameters
    ----------
    a, m:
        Residue and modulus, m >= 2.
    numerator, denominator:
        Bounds; both are the square root of m/2 unless given.

    Raises
    ------
    LiftError
        If there is no such fraction.

    Examples
    --------
    >>> rational_reconstruction(3 * pow(7, -1, 10007) % 10007, 10007)
    Fraction(3, 7)
    """
    largest = isqrt(max(m - 1, 0) // 2)
    top = largest if numerator is None else numerator
    bottom = largest if denominator is None else denominator
    if m < 2 or top < 0 or bottom < 1 or 2 * top * bottom >= m:
        raise PolygeomError(
            f"bounds must satisfy 2*numerator*denominator < m, got {top} and {bottom} for m={m}; use more primes"
        )
    r, s = m, a % m
    u, v = 0, 1
    while s > top:
        q = r // s
        r, s = s, r - q * s
        u, v = v, u - q * v
    n, d = (s, v) if v > 0 else (-s, -v)
    if d > bottom or gcd(n, d) != 1 or gcd(d, m) != 1:
        raise LiftError(f"no fraction with numerator up to {top} and denominator up to {bottom} is {a} mod {m}")
    return Fraction(n, d)


def lift(vectors_by_prime: Mapping[int, ArrayLike]) -> list[Fraction]:
    """The vector of fractions with the given residues mod several primes.

    The answer has these residues, so it is right mod every prime given; it is the only such vector whose numerators
    and denominators are at most the square root of m/(2p), m the product of the primes and p the largest. The factor p
    is kept back as a check: residues that belong to no such vector pass it with a chance of about 1/p per entry.

    Parameters
    ----------
    vectors_by_prime:
        For every prime (at least two) the residues of the vector, integers or balanced residues.

    Raises
    ------
    LiftError
        If some entry belongs to no such fraction; more primes reach larger fractions.

    Examples
    --------
    >>> lift({p: [pow(3, -1, p), -2] for p in (10007, 10009, 10037)})
    [Fraction(1, 3), Fraction(-2, 1)]
    """
    primes = list(vectors_by_prime)
    if len(primes) < 2:
        raise PolygeomError(f"vectors_by_prime must have at least two primes, got {primes}; the last one is a check")
    columns = [as_field(p).decode(as_field(p).encode(vector)) for p, vector in vectors_by_prime.items()]
    if len({column.shape for column in columns}) != 1 or columns[0].ndim != 1:
        raise PolygeomError(f"the vectors must have one length, got shapes {[column.shape for column in columns]}")
    modulus = prod(primes)
    bound = isqrt((modulus // max(primes) - 1) // 2)
    return _fractions([crt(entry, primes) for entry in np.stack(columns, axis=1).tolist()], modulus, bound)


def _fractions(values: list[int], modulus: int, bound: int) -> list[Fraction]:
    """Reconstruct each value, trying the denominator of the entry before it first: vectors tend to share one."""
    shared = 1
    fractions = []
    for value in values:
        n = value * shared % modulus
        n -= modulus if 2 * n > modulus else 0
        if abs(n) > bound:
            fraction = rational_reconstruction(value, modulus, numerator=bound, denominator=bound)
            shared = fraction.denominator
        else:
            fraction = Fraction(n, shared)
        fractions.append(fraction)
    return fractions
