"""Maps given by formulas, as the checker reads and differentiates them by itself.

The text is the one that polygeom writes, ``map(s,t: x=s^2, y=1/2*s*t, z=(s+t)/(s-t))``: every coordinate is a sum of
terms, or a sum or a single term over a sum in parentheses. No other text is read, so none can be read in two ways.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.dimensions.proofs.limits import Budget

Monomial = tuple[int, ...]
Terms = Mapping[Monomial, Fraction]

PRIME = 2**61 - 1
"""Linear symmetries are found modulo this prime, lifted and checked exactly."""
MOST_EXPONENT = 10**6
_WORD = r"[A-Za-z_][A-Za-z0-9_]{0,39}"
_NUMBER = r"(?:0|[1-9][0-9]*)(?:/[1-9][0-9]*)?"
_MAP = re.compile(rf"map\(((?:{_WORD}(?:,(?!:))?)*): ([^:]+)\)")
_COORDINATE = re.compile(rf"(?:({_WORD})=)?(?:\(([^()]+)\)|([^()]+?))(?:/\(([^()]+)\))?")
_TERM = re.compile(rf"[+-]?(?:{_NUMBER}|{_WORD}(?:\^[1-9][0-9]*)?)(?:\*{_WORD}(?:\^[1-9][0-9]*)?)*")


@dataclass(frozen=True, eq=False)
class Map:
    """Quotients of polynomials in parameters, by exponents; ``names`` are those of the coordinates."""

    parameters: tuple[str, ...]
    names: tuple[str, ...]
    quotients: tuple[tuple[Terms, Terms], ...]

    @property
    def varying(self) -> int:
        """How many coordinates are not constant."""
        return sum(not _proportional(top, bottom) for top, bottom in self.quotients)


def read_map(text: str) -> Map:
    """The map of a text; raises ValueError where the text is not as polygeom writes it.

    >>> read_map("map(s,t: s^2, -1/2*s*t, s/(s+t))").quotients[1][0]
    {(1, 1): Fraction(-1, 2)}
    """
    match = _MAP.fullmatch(text)
    if match is None:
        raise ValueError(text)
    parameters = tuple(match[1].split(",")) if match[1] else ()
    names, quotients = [], []
    for piece in match[2].split(", "):
        found = _COORDINATE.fullmatch(piece)
        if found is None or (found[2] is not None and found[4] is None):
            raise ValueError(piece)
        top = _terms(found[2] or found[3], parameters)
        if found[4] is not None and found[2] is None and len(top) != 1:  # a+b/(c) would have two meanings
            raise ValueError(piece)
        bottom = {(0,) * len(parameters): Fraction(1)} if found[4] is None else _terms(found[4], parameters)
        if not bottom:
            raise ValueError(piece)
        names.append(found[1])
        quotients.append((top, bottom))
    own = [f"y{i}" for i in range(1, len(names) + 1)] if names[0] is None else names
    if {name is None for name in names} == {True, False} or any(
        len(set(words)) != len(words) for words in (own, parameters)
    ):
        raise ValueError(text)
    return Map(parameters, tuple(own), tuple(quotients))


def _terms(text: str, parameters: tuple[str, ...]) -> dict[Monomial, Fraction]:
    pieces = [match.group() for match in _TERM.finditer(text)]
    if "".join(pieces) != text or text[0] == "+" or any(piece[0] not in "+-" for piece in pieces[1:]):
        raise ValueError(text)
    terms: dict[Monomial, Fraction] = {}
    for piece in pieces:
        sign = -1 if piece[0] == "-" else 1
        factors = piece.lstrip("+-").split("*")
        number = Fraction(factors.pop(0)) if factors[0][0].isdigit() else Fraction(1)
        exponents = [0] * len(parameters)
        for factor in factors:
            name, _, power = factor.partition("^")
            exponents[parameters.index(name)] += int(power or 1)
        if max(exponents, default=0) > MOST_EXPONENT or tuple(exponents) in terms or (number == 0 and text != "0"):
            raise ValueError(text)
        if number:
            terms[tuple(exponents)] = sign * number
    return terms


def _proportional(a: Terms, b: Terms) -> bool:
    """Whether ``a`` is a number times ``b``."""
    return not a or (a.keys() == b.keys() and len({a[m] / b[m] for m in b}) == 1)


def slopes(map_: Map, p: int, weights: Sequence[int], budget: Budget) -> list[list[int]]:
    """For every coordinate N / D the derivatives of it by all parameters times D², modulo p.

    Where all coefficients are integers modulo p, a minor that is not zero modulo p is not zero, whatever D is there.

    Raises
    ------
    ValueError
        If p divides the denominator of a coefficient.
    """
    rows = []
    for quotient in map_.quotients:
        budget.step("the derivatives of the map", 20.0 * sum(map(len, quotient)) * (1 + len(weights)))
        (top, up), (bottom, down) = (_value_and_slopes(part, p, weights) for part in quotient)
        rows.append([(bottom * a - top * b) % p for a, b in zip(up, down, strict=True)])
    return rows


def _value_and_slopes(terms: Terms, p: int, weights: Sequence[int]) -> tuple[int, list[int]]:
    value, slope = 0, [0] * len(weights)
    for monomial, c in terms.items():
        powers = [(k, e, pow(weights[k], e - 1, p)) for k, e in enumerate(monomial) if e]
        factor = c.numerator * pow(c.denominator, -1, p) % p
        term = factor
        for k, _, power in powers:
            term = term * power % p * weights[k] % p
        value += term
        for k, e, power in powers:
            rest = factor * e * power % p
            for other, _, larger in powers:
                if other != k:
                    rest = rest * larger % p * weights[other] % p
            slope[k] += rest
    return value % p, [s % p for s in slope]


def gauge(map_: Map, asked: int, budget: Budget) -> int:
    """At least how many dimensions a generic fibre has: by scalings, then, where they are fewer than ``asked``, by
    affine vector fields ``w ↦ A w + b`` on the parameters along which every coordinate is constant.
    """
    found = _scalings(map_, budget)
    return found if found >= asked else max(found, _affine(map_, budget))


def _scalings(map_: Map, budget: Budget) -> int:
    """Dimension of the exponents e for which ``w_k t^e_k`` leaves all coordinates alone."""
    import flint

    n = len(map_.parameters)
    rows = set()
    for top, bottom in map_.quotients:
        first = next(iter(bottom))
        rows |= {tuple(a - b for a, b in zip(m, first, strict=True)) for m in (*top, *bottom)}
    budget.rank("the scalings", len(rows), n)
    entries = [e for row in rows for e in row]
    return n - int(flint.fmpz_mat(len(rows), n, entries).rank())


def _affine(map_: Map, budget: Budget) -> int:
    """The rank, at one point, of the affine fields that are found modulo `PRIME` and hold over the rationals."""
    import flint

    n = len(map_.parameters)
    unknowns = n * (n + 1)
    draw = random.Random(unknowns)
    rows: list[int] = []
    done, wanted = 0, 1
    while done < wanted:
        w = [draw.randrange(1, PRIME) for _ in range(n)]
        gradients = slopes(map_, PRIME, w, budget)
        if not done:
            rank = flint.nmod_mat(len(gradients), n, [g for row in gradients for g in row], PRIME).rank()
            wanted = 2 + unknowns // max(1, int(rank))
            budget.rank("the linear symmetries", wanted * len(gradients), unknowns)
        rows += [g * x % PRIME for row in gradients for g in row for x in (*w, 1)]
        done += 1
    kernel, nullity = flint.nmod_mat(done * len(map_.quotients), unknowns, rows, PRIME).nullspace()
    if not nullity:
        return 0
    table = [int(kernel[i, j]) for j in range(nullity) for i in range(unknowns)]
    reduced, _ = flint.nmod_mat(nullity, unknowns, table, PRIME).rref()
    point = [draw.randrange(1, PRIME) for _ in range(n)] + [1]
    values = []
    for row in reduced.tolist():
        field = [_fraction(int(c)) for c in row]
        if None not in field and constant_along(map_, [Fraction(c or 0) for c in field], budget):
            residues = np.array([int(c) for c in row], dtype=object).reshape(n, n + 1)
            values += [int(c) for c in residues @ np.array(point, dtype=object) % PRIME]
    return int(flint.nmod_mat(len(values) // n, n, values, PRIME).rank()) if values else 0


def _fraction(residue: int) -> Fraction | None:
    """The fraction of small numerator and denominator with this residue modulo `PRIME`."""
    bound = 2**29
    a, b, x, y = PRIME, residue, 0, 1
    while b > bound:
        q = a // b
        a, b, x, y = b, a - q * b, y, x - q * y
    return Fraction(b, y) if abs(y) <= bound else None


def constant_along(map_: Map, field: Sequence[Fraction], budget: Budget) -> bool:
    """Whether ``Σ_k (A w + b)_k ∂_k`` takes every coordinate to zero, as polynomials over the rationals."""
    context, quotients = polynomials(map_)
    n = len(map_.parameters)
    unit = [*context.gens()[:n], context.constant(1)]
    flow = []
    for k in range(n):
        row = field[k * (n + 1) : (k + 1) * (n + 1)]
        flow.append(sum((rational(c) * g for c, g in zip(row, unit, strict=True) if c), context.constant(0)))
    for top, bottom in quotients:
        budget.step("the linear symmetries", 50.0 * n * (1 + len(top) * len(bottom)))
        along = [sum((v * part.derivative(k) for k, v in enumerate(flow) if v), 0 * bottom) for part in (top, bottom)]
        if bottom * along[0] != top * along[1]:
            return False
    return True


def rational(c: Fraction) -> Any:
    """A fraction for FLINT."""
    import flint

    return flint.fmpq(c.numerator, c.denominator)


def polynomials(map_: Map) -> tuple[Any, list[tuple[Any, Any]]]:
    """Numerators and denominators as FLINT polynomials, and their ring."""
    import flint

    names = [f"w{k}" for k in range(len(map_.parameters))] or ["w"]
    context = flint.fmpq_mpoly_ctx.get(names, flint.Ordering.degrevlex)
    pad = (0,) * (len(names) - len(map_.parameters))
    made = [
        tuple(context.from_dict({(*m, *pad): rational(c) for m, c in part.items()}) for part in quotient)
        for quotient in map_.quotients
    ]
    return context, [(top, bottom) for top, bottom in made]
