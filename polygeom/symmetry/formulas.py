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

from polygeom.network.grammar.expressions import Quotient, Terms
from polygeom.network.layers.formula import Compiled

MOST_PARAMETERS = 30
"""Largest number of parameters for which linear fields are sought."""
_PRIME = 33554393  # below 2^25
_SPARE = 4

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
    rows: list[int] = []
    points = done = 0
    while done <= points:
        w = [rng.randrange(1, _PRIME) for _ in range(count)]
        gradients = [_gradient(quotient, w) for quotient in compiled.quotients]
        if not points:  # each point gives as many independent equations as the Jacobian has rank
            rank = flint.nmod_mat(len(gradients), count, [g for row in gradients for g in row], _PRIME).rank()
            points = unknowns // max(1, int(rank)) + _SPARE
        rows += [g * x % _PRIME for row in gradients for g in row for x in (*w, 1)]
        done += 1
    number = done * len(compiled.quotients)
    kernel, nullity = flint.nmod_mat(number, unknowns, rows, _PRIME).nullspace()
    if nullity == 0:
        return None
    basis = [int(kernel[i, j]) for j in range(nullity) for i in range(unknowns)]
    reduced, _ = flint.nmod_mat(nullity, unknowns, basis, _PRIME).rref()
    return reduced


def _gradient(quotient: Quotient, w: Sequence[int]) -> list[int]:
    """``D dN - N dD`` modulo the prime."""
    (top, slopes), (bottom, others) = (_values(part, w) for part in (quotient.numerator, quotient.denominator))
    return [(bottom * a - top * b) % _PRIME for a, b in zip(slopes, others, strict=True)]


def _values(terms: Terms, w: Sequence[int]) -> tuple[int, list[int]]:
    """A polynomial and its derivatives at a point without zeros, modulo the prime."""
    inverses = [pow(x, -1, _PRIME) for x in w]
    value, slopes = 0, [0] * len(w)
    for exponents, c in terms:
        term = c
        for x, e in zip(w, exponents, strict=True):
            if e:
                term = term * pow(x, e, _PRIME) % _PRIME
        value += term
        for j, e in enumerate(exponents):
            if e:
                slopes[j] = (slopes[j] + e * term * inverses[j]) % _PRIME
    return value % _PRIME, slopes


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
