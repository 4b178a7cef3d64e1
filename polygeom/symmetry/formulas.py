"""Linear symmetries of maps: affine vector fields on the parameters along which all coordinates are constant.

A field ``w ↦ A w + b`` is a symmetry when ``dφ(w) (A w + b) = 0`` for all ``w``, linear equations for ``A`` and ``b``.
They are solved modulo a prime at random points, each solution is lifted to the rationals, and what is lifted is checked
as an identity of polynomials; so the rank of these fields at a point is a proved lower bound for the dimension of
generic fibres.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polygeom import modular
from polygeom.network.grammar.expressions import Terms
from polygeom.network.layers.formula import Compiled

MOST_PARAMETERS = 30
"""Largest number of parameters for which linear fields are sought."""
_PRIME = 33554393  # below 2^25
_SPARE = 4
_SMALL = (Fraction(0), Fraction(1))

Integers = NDArray[np.int64]
Field = list[list[Fraction]]
"""``[A | b]``, one row for each parameter."""


def linear_rank(compiled: Compiled) -> int:
    """The rank at a random point of the proved linear symmetries of formulas without features.

    >>> from polygeom.network import parse
    >>> linear_rank(parse("map(a,b,c,d: a*d-b*c)").nodes[1].layer.compiled)
    3
    """
    count = compiled.weights
    if not 0 < count <= MOST_PARAMETERS:
        return 0
    rng = random.Random(count)
    fields = [field for field in _lifted(_solutions(compiled, rng), count) if _is_symmetry(compiled, field)]
    if not fields:
        return 0
    import flint

    w = [rng.randrange(1, _PRIME) for _ in range(count)] + [1]
    rows = [sum(_residue(c) * x for c, x in zip(row, w, strict=True)) % _PRIME for field in fields for row in field]
    return int(flint.nmod_mat(len(fields), count, rows, _PRIME).rank())


def _residue(c: Fraction) -> int:
    return c.numerator * pow(c.denominator, -1, _PRIME) % _PRIME


def _solutions(compiled: Compiled, rng: random.Random) -> Any:
    """A reduced basis of the solutions modulo the prime, as the rows of a matrix; None if there is none."""
    import flint

    count = compiled.weights
    unknowns = count * (count + 1)
    first = _points(1, count, rng)
    slopes = _gradients(compiled, first)
    # each point gives as many independent equations as the Jacobian has rank
    rank = modular.rank(slopes[0].astype(np.float64), _PRIME)
    others = _points(unknowns // max(1, rank) + _SPARE, count, rng)
    points = np.concatenate([first, others])
    slopes = np.concatenate([slopes, _gradients(compiled, others)])
    ones = np.ones((len(points), 1), dtype=np.int64)
    rows = slopes[:, :, :, None] * np.concatenate([points, ones], axis=1)[:, None, None, :] % _PRIME
    kernel = modular.nullspace(rows.reshape(-1, unknowns).astype(np.float64), _PRIME)
    if not len(kernel):
        return None
    entries = modular.as_field(_PRIME).decode(kernel)
    return flint.nmod_mat(len(kernel), unknowns, entries.ravel().tolist(), _PRIME).rref()[0]


def _points(number: int, count: int, rng: random.Random) -> Integers:
    """Random points without zeros, ``(number, count)``."""
    return np.array([[rng.randrange(1, _PRIME) for _ in range(count)] for _ in range(number)], dtype=np.int64)


def _gradients(compiled: Compiled, points: Integers) -> Integers:
    """``D dN - N dD`` modulo the prime for every coordinate N / D, ``(points, coordinates, parameters)``."""
    tops, bottoms = ([getattr(q, part) for q in compiled.quotients] for part in ("numerator", "denominator"))
    (top, slopes), (bottom, others) = (_values(parts, points) for parts in (tops, bottoms))
    return (bottom[:, :, None] * slopes - top[:, :, None] * others) % _PRIME


def _values(polynomials: Sequence[Terms], points: Integers) -> tuple[Integers, Integers]:
    """Polynomials and their derivatives at points without zeros, modulo the prime.

    Returns
    -------
    ``(points, polynomials)`` and ``(points, polynomials, parameters)``.
    """
    number, count = points.shape
    terms = [(k, exponents, c % _PRIME) for k, part in enumerate(polynomials) for exponents, c in part]
    exponents = np.array([e for _, e, _ in terms], dtype=np.int64).reshape(len(terms), count)
    values = np.tile(np.array([c for *_, c in terms], dtype=np.int64), (number, 1))
    inverses = np.array([[pow(x, -1, _PRIME) for x in row] for row in points.tolist()], dtype=np.int64)
    for j in range(count):
        different, places = np.unique(exponents[:, j], return_inverse=True)
        powers = [[pow(x, e, _PRIME) for e in different.tolist()] for x in points[:, j].tolist()]
        values = values * np.array(powers, dtype=np.int64).reshape(number, -1)[:, places] % _PRIME
    owners = np.array([k for k, *_ in terms], dtype=np.int64)
    totals = np.zeros((len(polynomials), number), dtype=np.int64)
    slopes = np.zeros((count, len(polynomials), number), dtype=np.int64)
    np.add.at(totals, owners, values.T)
    for j in range(count):
        own = np.flatnonzero(exponents[:, j])
        parts = values[:, own] * (exponents[own, j] % _PRIME) % _PRIME * inverses[:, j : j + 1] % _PRIME
        np.add.at(slopes[j], owners[own], parts.T)
    return totals.T % _PRIME, slopes.transpose(2, 1, 0) % _PRIME


def _lifted(solutions: Any, count: int) -> list[Field]:
    """The solutions whose entries are small fractions, as fields."""
    fields = []
    for k in range(0 if solutions is None else solutions.nrows()):
        entries = [_fraction(int(solutions[k, j])) for j in range(solutions.ncols())]
        if None not in entries:
            values = [Fraction(e) for e in entries if e is not None]
            fields.append([values[j * (count + 1) : (j + 1) * (count + 1)] for j in range(count)])
    return fields


def _fraction(residue: int) -> Fraction | None:
    """The fraction with numerator and denominator up to 4000 that reduces to a residue."""
    if residue < 2:
        return _SMALL[residue]
    bound = 4000
    old, new, old_factor, factor = _PRIME, residue % _PRIME, 0, 1
    while new > bound:
        quotient = old // new
        old, new = new, old - quotient * new
        old_factor, factor = factor, old_factor - quotient * factor
    return None if abs(factor) > bound else Fraction(new, factor)


def _is_symmetry(compiled: Compiled, field: Field) -> bool:
    """Whether all coordinates are constant along a field: an exact identity of polynomials."""
    import flint

    names = [f"w{k}" for k in range(compiled.weights)]
    context = flint.fmpq_mpoly_ctx.get(names, flint.Ordering.degrevlex)
    generators = [*context.gens(), context.constant(1)]
    zero = context.constant(0)
    flow = [
        sum((flint.fmpq(c.numerator, c.denominator) * g for c, g in zip(row, generators, strict=True) if c), zero)
        for row in field
    ]
    for quotient in compiled.quotients:
        top, bottom = (context.from_dict(dict(part)) for part in (quotient.numerator, quotient.denominator))
        change = sum(
            (v * (bottom * top.derivative(k) - top * bottom.derivative(k)) for k, v in enumerate(flow) if v), zero
        )
        if change:
            return False
    return True
