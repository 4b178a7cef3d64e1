"""Which points a layer of powers of linear forms does not tell apart, and how many forms this excludes.

Let ``ℓ_1, …, ℓ_m`` be linear forms in ``n`` variables and ``ℓ_i(x) = ω_i ℓ_i(y)`` for r-th roots of unity ``ω_i``. Then
every polynomial ``f`` in the powers ``ℓ_i^r`` has ``f(x) = f(y)``. For each choice of ``ω`` these are ``m`` linear
equations for the ``2n`` coordinates of ``(x, y)``, so there are such pairs as long as ``m < 2n``. The forms of degree
``r t`` that are polynomials in the powers therefore lie in a subspace, whose codimension is at least the rank of the
functionals ``f ↦ f(x) - f(y)``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product

import numpy as np

from polygeom.dimensions.counts import monomials
from polygeom.modular import PrimeField, is_prime, rank
from polygeom.modular.batches import nullspaces

Array = np.ndarray

MOST_COLUMNS = 3000
_MOST_CHOICES = 3000
_SEED = 20
_TOGETHER = 128


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
    rng = np.random.default_rng(_SEED)
    forms = rng.integers(1, field.p, size=(m, n))
    pairs = _pairs(forms, list(_choices(n, m, r)), root, field)
    rows = np.zeros((0, monomials(n, r * t)))
    found = -1
    while len(pairs) and len(rows) <= 4 * MOST_COLUMNS:
        factors = rng.integers(0, field.p, size=pairs.shape[:2])
        chosen = field.encode((factors[:, :, None] * pairs).sum(axis=1))
        rows = np.concatenate([rows, _functionals(chosen, n, r * t, field)])
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


def _pairs(forms: Array, choices: Sequence[tuple[int, ...]], root: int, field: PrimeField) -> Array:
    """Bases ``(choices, 2n - m, 2n)`` of the pairs ``(x, y)``, as residues, without those larger than generic ones."""
    m, n = forms.shape
    powers = np.array([pow(root, e, field.p) for e in range(max(map(max, choices), default=0) + 1)])
    factors = powers[np.array(choices, np.int64).reshape(-1, m)]
    sides = np.broadcast_to(forms, (len(factors), m, n)), -factors[:, :, None] * forms % field.p
    kernels = nullspaces(field.encode(np.concatenate(sides, axis=2)), field)
    usual = [field.decode(kernel) for kernel in kernels if len(kernel) == 2 * n - m]
    return np.array(usual, np.int64).reshape(len(usual), max(0, 2 * n - m), 2 * n)


def _functionals(pairs: Array, n: int, degree: int, field: PrimeField) -> Array:
    """The values of ``f(x) - f(y)`` at all monomials, a row for each pair; some pairs at a time."""
    found = np.empty((len(pairs), monomials(n, degree)))
    for start in range(0, len(pairs), _TOGETHER):
        x, y = (_monomials(part, degree, field) for part in np.split(pairs[start : start + _TOGETHER], 2, axis=1))
        found[start : start + _TOGETHER] = field.reduce(x - y)
    return found


def _monomials(points: Array, degree: int, field: PrimeField) -> Array:
    """All monomials at points ``(K, n)``, those of each degree from the degree before by one factor each."""
    points = np.ascontiguousarray(points)
    values, last = points, np.arange(points.shape[1])
    for _ in range(degree - 1):  # a monomial x_a x_b …, a ≤ b ≤ …, is multiplied by the variables from its last one on
        counts = points.shape[1] - last
        parents = np.repeat(np.arange(len(last)), counts)
        last = last[parents] + np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        values = field.multiply(values[:, parents], points[:, last])
    return values


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
