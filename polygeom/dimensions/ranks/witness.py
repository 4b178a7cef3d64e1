"""The integer weights and points at which a Jacobian is evaluated: drawn from a seed, so that they can be drawn again.

A `Witness` is one such choice. The rank of the Jacobian at a witness mod its prime is a proved lower bound for the
dimension, however the choice was made; random choices only make it likely to be sharp.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.modular import P22, PrimeField, random_prime

Array = np.ndarray

STRUCTURED = "structured point"
SPARSE = "sparse point"
GENERIC = "generic tangent"


def generator(seed: int, trial: int) -> np.random.Generator:
    """The source of randomness of one trial; trials of one seed are independent streams."""
    return np.random.default_rng((seed, trial))


def field_for(rng: np.random.Generator, trial: int, divisors: Sequence[int]) -> PrimeField:
    """The prime of a trial: fixed for trial 0, then uniform in (2^21, 2^22); it divides none of ``divisors``.

    ``divisors`` are the activation degrees (and denominators): a prime that divides one would annihilate derivatives.
    """
    p = P22 if trial == 0 else random_prime(rng)
    for _ in range(64):
        if all(d % p for d in divisors):
            return _field(p)
        p = random_prime(rng)
    raise PolygeomError("network: no prime below 2^22 is prime to all its activation degrees; write smaller degrees")


_FIELDS: dict[int, PrimeField] = {}


def _field(p: int) -> PrimeField:
    if p not in _FIELDS:
        if len(_FIELDS) > 64:
            _FIELDS.clear()
        _FIELDS[p] = PrimeField(p)
    return _FIELDS[p]


def structured_weights(widths: Sequence[int], field: PrimeField, rng: np.random.Generator) -> list[Array]:
    """Generic weights up to symmetry: hidden neurons' first incoming weights are 1, the last matrix is ``[I | M]``.

    Requires ``d_L ≤ d_{L-1}``. The scalings of hidden neurons and GL(d_L) bring generic weights into this form, so the
    rank of the Jacobian at a generic such point is the generic rank.
    """
    entries = field.random(rng, sum(m * n for n, m in pairwise(widths)))  # one draw costs less than one for each layer
    weights, start = [], 0
    for n, m in pairwise(widths):
        weights.append(entries[start : start + m * n].reshape(m, n))
        weights[-1][:, 0] = 1.0
        start += m * n
    outputs = widths[-1]
    weights[-1][:, :outputs] = np.eye(outputs)
    return weights


def sparse_weights(widths: Sequence[int], field: PrimeField, rng: np.random.Generator) -> list[Array]:
    """Special weights: a generic first layer, then identities wrapped around, with random entries instead of ones.

    Row ``j < q = min(m, n)`` of an ``m × n`` layer has its entries in the columns ``j, j + q, j + 2q, …``; rows from
    ``q`` on are dense. Most neurons then reach one output only, so the Jacobian falls apart into blocks.
    """
    weights = [field.random(rng, (widths[1], widths[0]))]
    for n, m in pairwise(widths[1:]):
        q = min(m, n)
        w = np.zeros((m, n))
        column = np.arange(n)
        w[column % q, column] = rng.integers(1, field.p // 2, size=n)
        if m > q:
            w[q:] = field.random(rng, (m - q, n))
        weights.append(w)
    return weights


@dataclass(frozen=True, slots=True)
class Rank:
    """The rank at one witness.

    Attributes
    ----------
    value:
        The rank mod p: a proved lower bound for the dimension.
    stable:
        Whether extra points, not counted in ``points``, would not have raised it.
    points:
        Input points used.
    stages:
        Number of eliminations whose stability was judged by the extra points.
    """

    value: int
    stable: bool
    points: int
    stages: int = 1
