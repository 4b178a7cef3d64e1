"""Which points a layer of powers of linear forms does not tell apart, and how many forms this excludes.

Let ``ℓ_1, …, ℓ_m`` be linear forms in ``n`` variables and ``ℓ_i(x) = ω_i ℓ_i(y)`` for r-th roots of unity ``ω_i``. Then
every polynomial ``f`` in the powers ``ℓ_i^r`` has ``f(x) = f(y)``. For each choice of ``ω`` these are ``m`` linear
equations for the ``2n`` coordinates of ``(x, y)``, so there are such pairs as long as ``m < 2n``. The forms of degree
``r t`` that are polynomials in the powers therefore lie in a subspace, whose codimension is at least the rank of the
functionals ``f ↦ f(x) - f(y)``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations_with_replacement, product

import numpy as np

from polygeom.dimensions.counts import monomials
from polygeom.modular import PrimeField, is_prime, nullspace, rank

Array = np.ndarray

MOST_COLUMNS = 3000
_MOST_CHOICES = 3000
_SEED = 20


@lru_cache(maxsize=4096)
def possible_conditions(n: int, m: int, r: int, t: int) -> int:
    """An upper bound for `conditions` by counting alone; 0 where there are none or too many to compute.

    >>> possible_conditions(3, 5, 3, 9), possible_conditions(3, 5, 2, 4)
    (15, 0)
    """
    if not n + 2 <= m < 2 * n or r < 2 or r ** (m - 1) > _MOST_CHOICES or monomials(n, r * t) > MOST_COLUMNS:
        return 0
    return sum(1 for _ in _choices(n, m, r)) * monomials(2 * n - m, r * t)


@lru_cache(maxsize=4096)
def conditions(n: int, m: int, r: int, t: int) -> int:
    """Codimension of the forms of degree ``r t`` that polynomials in ``m`` r-th powers of generic linear forms reach.

    A proved lower bound: the rank of the functionals at chosen integer forms and points modulo a prime that has r-th
    roots of unity. Their coefficients are polynomials in the coefficients of the linear forms and a parameter of each
    pair of points, so that their rank at generic ones is not smaller.

    >>> conditions(3, 5, 3, 9)
    15
    """
    field, root = _field_with_root(r)
    p = field.p
    rng = np.random.default_rng(_SEED)
    forms = rng.integers(1, p, size=(m, n))
    exponents = np.array(list(_exponents(n, r * t)))
    kernels = [kernel for w in _choices(n, m, r) if (kernel := _pairs(forms, w, root, p, field)) is not None]
    rows = np.zeros((0, len(exponents)))
    found = -1
    while kernels and len(rows) <= 4 * MOST_COLUMNS:
        new = [_functional(rng.integers(0, p, size=len(k)) @ k % p, n, exponents, p) for k in kernels]
        rows = np.concatenate([rows, field.encode(np.array(new))])
        before, found = found, rank(rows, field)
        if found == before:
            break
    return max(found, 0)


def _choices(n: int, m: int, r: int) -> Iterator[tuple[int, ...]]:
    """Exponents of roots of unity, up to a common factor and exchange of the points, that force no ``x = ω y``.

    Where ``n`` generic forms have the same factor ``ω`` between them, ``x = ω y``, and nothing is learnt.
    """
    for rest in product(range(r), repeat=m - 1):
        w = (0, *rest)
        if max(Counter(w).values()) < n and w <= tuple(-e % r for e in w):
            yield w


def _pairs(forms: Array, w: tuple[int, ...], root: int, p: int, field: PrimeField) -> Array | None:
    """A basis of the pairs ``(x, y)``; None at forms for which there are more than for generic ones."""
    factors = np.array([pow(root, e, p) for e in w])[:, None]
    m, n = forms.shape
    kernel = nullspace(field.encode(np.concatenate([forms, -factors * forms % p], axis=1)), field)
    return np.asarray(field.decode(kernel)) if len(kernel) == 2 * n - m else None


def _functional(pair: Array, n: int, exponents: Array, p: int) -> Array:
    values: Array = (_monomials(pair[:n], exponents, p) - _monomials(pair[n:], exponents, p)) % p
    return values


def _monomials(point: Array, exponents: Array, p: int) -> Array:
    value: Array = np.ones(len(exponents), dtype=np.int64)
    for coordinate, column in zip(point, exponents.T, strict=True):
        powers = np.ones(int(column.max()) + 1, dtype=np.int64)
        for e in range(1, len(powers)):
            powers[e] = powers[e - 1] * int(coordinate) % p
        np.multiply(value, powers[column], out=value)
        np.mod(value, p, out=value)
    return value


def _exponents(n: int, degree: int) -> Iterator[tuple[int, ...]]:
    for chosen in combinations_with_replacement(range(n), degree):
        counts = Counter(chosen)
        yield tuple(counts[i] for i in range(n))


@lru_cache(maxsize=64)
def _field_with_root(r: int) -> tuple[PrimeField, int]:
    """A prime ``p ≡ 1 mod r`` of 22 bits and a primitive r-th root of unity modulo it."""
    p = next(q for q in range(r * (2**21 // r) + 1, 2**23, r) if q > 2**21 and is_prime(q))
    divisors = [d for d in range(1, r) if r % d == 0]
    for g in range(2, p):
        root = pow(g, (p - 1) // r, p)
        if all(pow(root, d, p) != 1 for d in divisors):
            return PrimeField(p), root
    raise AssertionError("a cyclic group has a generator")
