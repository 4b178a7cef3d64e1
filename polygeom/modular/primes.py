"""Primes below 2^26: a deterministic primality test and uniformly random primes."""

from __future__ import annotations

import numpy as np

from polygeom.errors import PolygeomError

P22 = 4194301
"""The largest prime below 2^22: the default modulus, 2047 products fit between two reductions."""
P23 = 8388593
"""The largest prime below 2^23: a larger pool of primes, 512 products fit between two reductions."""
LARGEST_BITS = 26
"""Primes of the package are below 2^26, so that at least eight products fit between two reductions."""

_WITNESSES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)
_PROVED_BELOW = 318665857834031151167461


def is_prime(n: int) -> bool:
    """Say whether ``n`` is prime; proved for every ``n`` below 3.18e23.

    Strong probable prime test to the first twelve prime bases, which has no composite survivor below that bound
    (Sorenson and Webster, arXiv:1509.00864).

    Raises
    ------
    PolygeomError
        If ``n`` is at least the bound, where the answer would not be a proof.

    Examples
    --------
    >>> is_prime(4194301), is_prime(4194303)
    (True, False)
    """
    if n >= _PROVED_BELOW:
        raise PolygeomError(f"n must be below {_PROVED_BELOW} for a proved answer, got {n}; use a smaller n")
    if n < 2:
        return False
    for q in _WITNESSES:
        if n % q == 0:
            return n == q
    twos = ((n - 1) & (1 - n)).bit_length() - 1
    odd = (n - 1) >> twos
    return all(_is_strong_probable_prime(n, base, odd, twos) for base in _WITNESSES)


def _is_strong_probable_prime(n: int, base: int, odd: int, twos: int) -> bool:
    x = pow(base, odd, n)
    if x in (1, n - 1):
        return True
    for _ in range(twos - 1):
        x = x * x % n
        if x == n - 1:
            return True
    return False


def random_prime(rng: int | np.random.Generator, bits: int = 22) -> int:
    """Draw a prime uniformly from those in (2^(bits-1), 2^bits), by rejection.

    Parameters
    ----------
    rng:
        Seed or Generator; a Generator is advanced.
    bits:
        Size of the prime, 3 to 26. There are 140336 primes of 22 bits and 268216 of 23 bits.

    Examples
    --------
    >>> 2**21 < random_prime(0) < 2**22
    True
    """
    if not 3 <= bits <= LARGEST_BITS:
        raise PolygeomError(f"bits must be from 3 to {LARGEST_BITS}, got {bits}; write bits=22")
    generator = np.random.default_rng(rng)
    while True:
        candidate = int(generator.integers(1 << (bits - 2), 1 << (bits - 1))) * 2 + 1
        if is_prime(candidate):
            return candidate
