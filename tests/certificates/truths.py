"""What is true of the networks and maps of the tests, known without any checker and without the search.

Numbers of well-known varieties are from the literature. For any other text the coordinates are written as quotients of
polynomials in the weights (by sympy, from the formulas or from the symbolic engine), and dimension, Hilbert function
and numbers of minimal generators follow by plain linear algebra modulo a prime at random points, without weights,
orbits, kept coordinates or proofs.
"""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import flint

from polygeom.engines.symbolic import coefficient_map
from polygeom.errors import PolygeomError
from polygeom.network import parse

Data = dict[str, Any]
Terms = tuple[tuple[tuple[int, ...], int], ...]
"""Exponents and coefficients modulo `PRIME`."""

PRIME = 2**61 - 1


@dataclass(frozen=True)
class Truth:
    """Dimension, numbers of minimal generators by degree, numerator of the Hilbert series (of the cone)."""

    dimension: int
    counts: dict[int, int]
    h: tuple[int, ...]
    cone: bool = True

    def hilbert(self, top: int) -> list[int]:
        return series(self.h, self.dimension + (not self.cone), top)


def series(h: tuple[int, ...], n: int, top: int) -> list[int]:
    """Coefficients of the series ``h(t) / (1 - t)^n``."""
    if not n:
        return [h[d] if d < len(h) else 0 for d in range(top + 1)]
    return [sum(c * math.comb(d - k + n - 1, n - 1) for k, c in enumerate(h) if k <= d) for d in range(top + 1)]


TRUTHS = {
    "[3,2,1] r=2": Truth(5, {3: 1}, (1, 1, 1)),  # determinant of symmetric 3 x 3 matrices
    "[4,2,1] r=2": Truth(7, {3: 10}, (1, 3, 6)),  # symmetric 4 x 4 matrices of rank at most 2 (degree 10)
    "[2,2,1] r=4": Truth(4, {3: 1}, (1, 1, 1)),  # catalecticant
    "[2,1,1] r=2": Truth(2, {2: 1}, (1, 1)),  # discriminant
    "[3,1,1] r=2": Truth(3, {2: 6}, (1, 3)),  # Veronese surface, degree 4
    "[2,2,3] r=2": Truth(8, {3: 1}, (1, 1, 1)),  # determinant of 3 x 3 matrices
    "[2,3,1] r=2": Truth(3, {}, (1,)),  # all binary quadratic forms
    "[2,1,2] r=2": Truth(3, {2: 6}, (1, 3)),  # rank one: Segre of P^1 and a conic, degree 4
    "map(s,t: x=s^3, y=s^2*t, z=s*t^2, w=t^3)": Truth(2, {2: 3}, (1, 2)),  # twisted cubic
    "map(t: x=(1-t^2)/(1+t^2), y=2*t/(1+t^2))": Truth(1, {2: 1}, (1, 1), cone=False),  # circle
    "map(a,b,c: 1/(a), 1/(b), 1/(c), -1/(a+b+c))": Truth(3, {3: 1}, (1, 1, 1)),  # four-nodal cubic of Cayley
    "map(u,v: x=u*v, y=u, z=v^2)": Truth(2, {3: 1}, (1, 1, 1), cone=False),  # Whitney's umbrella x^2 = y^2 z
    "map(t: t^2, t^3)": Truth(1, {3: 1}, (1, 1, 1), cone=False),  # cusp
    "map(a,b,c,d: a*c, a*d, b*c, b*d)": Truth(3, {2: 1}, (1, 1)),  # 2 x 2 matrices of rank one
}
"""From the literature on determinants, Veronese varieties and classical curves and surfaces."""
DIMENSIONS = {"[3,3,3] r=2": 15, "[4,5,3,1] r=2": 26, "[2,2,1] r=2 bias": 6, "[3,2,5] r=1": 12, "[2,5]": 10}
FRONTIERS = {(2, 1, (2, 2)): {(2, 2, 2, 1)}, (2, 1, (2, 2, 2)): {(2, 3, 3, 2, 1)}}
"""Minimal filling architectures, arXiv 2605.09609."""


def true(data: Data) -> bool:
    """Whether a certificate that was called valid says what is so."""
    claim = data["claim"]
    if data["kind"] == "frontier":
        return _true_frontier(data)
    text = data["network"]
    if not _is_text(text):
        return False
    if data["kind"] == "dimension":
        dimension = dimension_of(text)
        sure = claim["lower"] <= dimension <= claim["upper"]
        return sure and claim["dimension"] == claim["lower"] and claim["proved"] == (claim["upper"] == claim["lower"])
    cone, top = data["grading"]["cone"], claim["complete_to"]
    right = data["coordinates"] == names(text) and data["dimension"]["network"] == text and true(data["dimension"])
    right &= not cone or is_cone(text)
    hilbert, counts = numbers(text, cone, top)
    right &= claim["hilbert_function"] == hilbert
    right &= claim["counts"] == {str(d): n for d, n in counts.items() if n}
    if claim["completeness"] is None:
        right &= claim["degree"] is None and claim["h_vector"] is None
    else:
        h = tuple(claim["h_vector"])
        further, more = numbers(text, cone, top + 1)
        right &= claim["degree"] == sum(h) and sum(more.values()) == sum(counts.values())
        right &= further == series(h, dimension_of(text) + (not cone), top + 1)
        right &= text not in TRUTHS or h == TRUTHS[text].h
    return right and all(vanishes(text, e, cone) for e in data["equations"])


def numbers(text: str, cone: bool, top: int) -> tuple[list[int], dict[int, int]]:
    """Hilbert function and numbers of minimal generators up to a degree, known or computed."""
    truth = TRUTHS.get(text)
    if truth is None or truth.cone != cone:
        return survey(text, cone, top)
    return truth.hilbert(top), {d: n for d, n in truth.counts.items() if d <= top}


def _true_frontier(data: Data) -> bool:
    claim = data["claim"]
    known = FRONTIERS[data["inputs"], data["outputs"], tuple(data["degrees"])]
    found = [tuple(entry["widths"]) for entry in data["architectures"]]
    right = set(found) <= known and len(found) == len(set(found)) == claim["count"]
    stars = ",*" * len(data["degrees"])
    right &= data["network"].startswith(f"({data['inputs']}{stars},{data['outputs']}) r=")
    return right and (set(found) == known or not claim["complete"])


def _is_text(text: str) -> bool:
    try:
        parse(text)
    except PolygeomError:
        return False
    return True


# --- the coordinates as quotients of polynomials


@dataclass(frozen=True)
class Formulas:
    """Numerators and denominators of the coordinates, modulo `PRIME`, in ``count`` parameters."""

    count: int
    quotients: tuple[tuple[Terms, Terms], ...]

    def at(self, point: list[int]) -> tuple[list[int], list[list[int]]]:
        """Values and gradients at a point without zeros, modulo `PRIME`."""
        values, gradients = [], []
        for top, bottom in self.quotients:
            (a, da), (b, db) = _evaluated(top, point), _evaluated(bottom, point)
            inverse = pow(b, -1, PRIME)
            values.append(a * inverse % PRIME)
            gradients.append([(x * b - a * y) * inverse * inverse % PRIME for x, y in zip(da, db, strict=True)])
        return values, gradients


def _evaluated(terms: Terms, point: list[int]) -> tuple[int, list[int]]:
    value, gradient = 0, [0] * len(point)
    for exponents, c in terms:
        term = c
        for w, e in zip(point, exponents, strict=True):
            term = term * pow(w, e, PRIME) % PRIME
        value += term
        for k, e in enumerate(exponents):
            if e:
                gradient[k] += term * e * pow(point[k], -1, PRIME)
    return value % PRIME, gradient


def _residue(c: Any) -> int:
    return int(c.numerator) * pow(int(c.denominator), -1, PRIME) % PRIME


@lru_cache(maxsize=4096)
def formulas(text: str) -> Formulas:
    """The coordinates of a map or a network: coefficients by output and exponents, as polygeom names them."""
    if not text.startswith("map("):
        network = parse(text)
        known = coefficient_map(network)
        made = []
        for entry in _entries(text):
            polynomial = known.get(entry)
            terms = () if polynomial is None else tuple((tuple(e), _residue(c)) for e, c in polynomial.terms())
            made.append((terms, (((0,) * network.parameter_count, 1),)))
        return Formulas(network.parameter_count, tuple(made))
    import sympy

    head, _, body = text[4:-1].partition(": ")
    parameters = head.split(",") if head else []
    symbols = {name: sympy.Symbol(name) for name in parameters}
    dummy = [*symbols.values()] or [sympy.Symbol("nothing")]
    quotients = []
    for piece in body.split(", "):
        formula = sympy.sympify(piece.rpartition("=")[2].replace("^", "**"), locals=symbols)
        parts = []
        for part in sympy.fraction(sympy.together(formula)):
            terms = sympy.Poly(part, *dummy, domain="QQ").terms()
            parts.append(tuple((e[: len(parameters)], _residue(c)) for e, c in terms if c))
        quotients.append((parts[0], parts[1]))
    return Formulas(len(parameters), tuple(quotients))


@lru_cache(maxsize=4096)
def _entries(text: str) -> tuple[Any, ...]:
    from polygeom.ideal.grading.coordinates import Coordinates

    return tuple(Coordinates(parse(text)).entries)


@lru_cache(maxsize=4096)
def names(text: str) -> list[str]:
    """The names of the coordinates."""
    if text.startswith("map("):
        pieces = text[4:-1].partition(": ")[2].split(", ")
        return [piece.partition("=")[0] if "=" in piece else f"y{k}" for k, piece in enumerate(pieces, start=1)]
    from polygeom.ideal.grading.coordinates import Coordinates

    return list(Coordinates(parse(text)).names)


# --- what follows from them


def _points(text: str, count: int, seed: int) -> list[tuple[list[int], list[list[int]]]]:
    rng, known = random.Random(seed), formulas(text)
    return [known.at([rng.randrange(1, PRIME) for _ in range(known.count)]) for _ in range(count)]


def _rank(rows: list[list[int]]) -> int:
    return int(flint.nmod_mat(len(rows), len(rows[0]), [x for row in rows for x in row], PRIME).rank()) if rows else 0


@lru_cache(maxsize=4096)
def dimension_of(text: str) -> int:
    """The dimension: the rank of the derivatives at two random points, which is too small with probability < 10^-12."""
    if text in DIMENSIONS or text in TRUTHS:
        return DIMENSIONS[text] if text in DIMENSIONS else TRUTHS[text].dimension
    return computed_dimension(text)


def computed_dimension(text: str) -> int:
    return max((_rank(gradients) if gradients and gradients[0] else 0) for _, gradients in _points(text, 2, 1))


@lru_cache(maxsize=4096)
def is_cone(text: str) -> bool:
    """Whether the closure of the image is a cone: its points are in their tangent spaces."""
    ((values, gradients),) = _points(text, 1, 2)
    columns = [list(column) for column in zip(*gradients, strict=True)]
    return _rank([*columns, values]) == _rank(columns)


@lru_cache(maxsize=4096)
def survey(text: str, cone: bool, top: int) -> tuple[list[int], dict[int, int]]:
    """Hilbert function and numbers of minimal generators up to a degree."""
    size = len(names(text)) + (not cone)
    most = math.comb(size + top - 1, top) + 5
    points = [values + [1] * (not cone) for values, _ in _points(text, most, 3)]
    hilbert, counts, before = [1], dict[int, int](), list[dict[tuple[int, ...], int]]()
    for degree in range(1, top + 1):
        monomials = list(itertools.combinations_with_replacement(range(size), degree))
        number = {m: k for k, m in enumerate(monomials)}
        rows = []
        for point in points[: len(monomials) + 5]:
            value = {(): 1}
            for _ in range(degree):
                value = {
                    (*m, k): v * point[k] % PRIME for m, v in value.items() for k in range(m[-1] if m else 0, size)
                }
            rows.append([value[m] for m in monomials])
        entries = [x for row in rows for x in row]
        kernel, nullity = flint.nmod_mat(len(rows), len(monomials), entries, PRIME).nullspace()
        basis = [{m: int(kernel[k, j]) for k, m in enumerate(monomials) if kernel[k, j]} for j in range(nullity)]
        multiples = []
        for equation in before:
            for k in range(size):
                row = [0] * len(monomials)
                for m, c in equation.items():
                    row[number[tuple(sorted((*m, k)))]] = c
                multiples.append(row)
        hilbert.append(len(monomials) - nullity)
        counts[degree] = nullity - _rank(multiples)
        before = basis
    return hilbert, counts


def polynomial(equation: Data) -> dict[tuple[int, ...], int]:
    """Monomials, as increasing coordinates, and coefficients of a listed equation."""
    return {tuple(m): int(c) for m, c in equation["terms"]}


@lru_cache(maxsize=1024)
def _values(text: str) -> list[list[int]]:
    return [values for values, _ in _points(text, 3, 4)]


def vanishes(text: str, equation: Data, cone: bool) -> bool:
    """Whether an equation in its only form is zero at random points and not zero itself."""
    terms = polynomial(equation)
    nonzero = len(terms) == len(equation["terms"]) and all(terms.values()) and terms
    points = [values + [1] * (not cone) for values in _values(text)]
    return bool(nonzero) and all(
        sum(c * math.prod(point[k] for k in m) for m, c in terms.items()) % PRIME == 0 for point in points
    )
