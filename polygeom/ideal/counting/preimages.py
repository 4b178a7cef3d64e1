"""How many parameters of a map give a generic point: the points of a fibre modulo a prime, by linear algebra.

Over a random point ``y = f(w)`` the fibre is where ``N_i - y_i D_i = 0`` for all coordinates ``N_i / D_i``, and where a
further variable times all denominators is 1. Where it is finite, the dimension of that quotient ring
(`polygeom.ideal.counting.quotient`) is its number of points, each once: a generic fibre has no multiple points.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from polygeom.errors import BudgetError
from polygeom.ideal.counting.evidence import EQUATIONS, Evidence
from polygeom.ideal.counting.quotient import quotient_dimension
from polygeom.modular import PrimeField, as_field, random_prime
from polygeom.network.ambient.degrees import Exponents
from polygeom.network.grammar.expressions import Terms
from polygeom.network.layers.formula import Formula

TRIALS = 2


def by_equations(formula: Formula, seed: int, until: float | None = None) -> Evidence:
    """The number of parameters over a generic point of a map with finite fibres.

    Nothing is proved by it: a point modulo a prime may be special, which two points at two primes make unlikely.
    """
    rng = np.random.default_rng(seed)
    counts = []
    for _ in range(TRIALS):
        field = as_field(random_prime(rng))
        try:
            counts.append(quotient_dimension(_fibre(formula, field, rng), field, until=until))
        except BudgetError as error:
            return Evidence(EQUATIONS, None, None, None, False, str(error).split(";")[0])
    likely = len(set(counts)) == 1
    reason = (
        f"{counts[0]} points over a random point at each of {TRIALS} primes" if likely else f"{counts} points differ"
    )
    return Evidence(EQUATIONS, counts[0] if likely else None, None, None, likely, reason)


def _fibre(formula: Formula, field: PrimeField, rng: np.random.Generator) -> list[dict[Exponents, int]]:
    """Polynomials whose common zeros are the fibre through random parameters."""
    quotients = formula.compiled.quotients
    size = len(formula.weights)
    extra = any(q.constant is None for q in quotients)
    while True:
        point = [int(x) for x in rng.integers(1, field.p, size)]
        values = [(_value(q.numerator, point, field.p), _value(q.denominator, point, field.p)) for q in quotients]
        if all(bottom for _, bottom in values):
            break
    found = []
    for quotient, (top, bottom) in zip(quotients, values, strict=True):
        polynomial: Counter[Exponents] = Counter()
        for exponents, c in quotient.numerator:
            polynomial[exponents] += c * bottom
        for exponents, c in quotient.denominator:
            polynomial[exponents] -= c * top
        found.append({(*e, 0) if extra else e: c % field.p for e, c in polynomial.items() if c % field.p})
    if extra:
        inverse = {(0,) * size + (1,): 1}
        for denominator in formula.compiled.denominators:
            inverse = _product(inverse, denominator, field.p)
        inverse[(0,) * (size + 1)] = -1
        found.append(inverse)
    return [polynomial for polynomial in found if polynomial]


def _value(terms: Terms, point: list[int], p: int) -> int:
    total = 0
    for exponents, c in terms:
        for x, e in zip(point, exponents, strict=True):
            c = c * pow(x, e, p) % p
        total += c
    return total % p


def _product(a: dict[Exponents, int], b: Terms, p: int) -> dict[Exponents, int]:
    out: Counter[Exponents] = Counter()
    for e, x in a.items():
        for f, y in b:
            out[tuple(i + j for i, j in zip(e, (*f, 0), strict=True))] += x * y
    return {e: c % p for e, c in out.items() if c % p}
