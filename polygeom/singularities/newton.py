"""Ideals of polynomials at the origin: the Newton polyhedron bounds their threshold, and is it where nondegenerate.

An ideal lies in that of all monomials of its Newton polyhedron, so the threshold of these is an upper bound. If on no
compact face the terms of the generators on it have a common zero without zero coordinates, both ideals have the same
threshold: ``Σ g_j²`` and the sum of the squared monomials bound each other near the origin. Real zeros decide about the
real threshold; that there are no complex ones is shown by a Gröbner basis, that there are no real ones by signs.

For one generator ``g`` zeros on faces are allowed where its terms there have a derivative: then ``g = 0`` is a smooth
hypersurface after the toric blow-up, and counts with 1/2.

References
----------
Varchenko, Funct. Anal. Appl. 10 (1976). Lin, arXiv 1003.5338, Section 4 (sos-nondegenerate ideals).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations
from typing import Any

from polygeom._dataclass import dataclass
from polygeom.singularities.polyhedra import Exponents, minimal, monomial_threshold
from polygeom.singularities.threshold import Threshold

Polynomial = dict[Exponents, Fraction]
"""Terms by exponents."""
MOST_HYPERPLANES = 20_000
"""Candidates for facets beyond which a polyhedron is not taken apart."""
_MOST_PROBES = 300
_PROBES = (Fraction(1), Fraction(1, 3), Fraction(5, 2), Fraction(7), Fraction(1, 11))


@dataclass(frozen=True, slots=True)
class Newton:
    """The threshold of the Newton polyhedron, an upper bound, and the exact one where that is known."""

    bound: Threshold
    exact: Threshold | None
    reason: str = ""


def newton_threshold(generators: Sequence[Polynomial]) -> Newton:
    """The threshold at the origin of the ideal of polynomials that vanish there.

    Parameters
    ----------
    generators:
        Polynomials in as many variables as their exponents are long, none of them zero or with a constant term.

    Examples
    --------
    >>> cusp = [{(2, 0): Fraction(1), (0, 3): Fraction(-1)}]
    >>> str(newton_threshold(cusp).exact)
    '5/12'
    >>> newton_threshold([{(2, 0): Fraction(1), (1, 1): Fraction(-2), (0, 2): Fraction(1)}]).exact is None  # (x - y)²
    True
    """
    support = sorted({alpha for g in generators for alpha in g})
    bound = monomial_threshold(support)
    if all(len(g) == 1 for g in generators):
        return Newton(bound, bound, "a monomial ideal")
    facets = _facets(support)
    if facets is None:
        return Newton(bound, None)
    faces = list(_compact_faces(support, facets))
    if all(_no_zeros([_on(g, face) for g in generators]) for face in faces):
        return Newton(bound, bound, "nondegenerate on its Newton polyhedron")
    if len(generators) == 1 and all(_smooth(_on(generators[0], face)) for face in faces):
        found = _hypersurface(generators[0], bound, support, facets)
        return Newton(bound, found, "a hypersurface, nondegenerate on its Newton polyhedron" if found else "")
    return Newton(bound, None)


def _on(g: Polynomial, face: frozenset[Exponents]) -> Polynomial:
    return {alpha: value for alpha, value in g.items() if alpha in face}


Facet = tuple[tuple[int, ...], int]
"""Integer weights ``a ≥ 0`` and the least ``a · α``."""


def _facets(support: list[Exponents]) -> list[Facet] | None:
    """All facets of the polyhedron, those of coordinate planes among them."""
    import flint

    vertices, size = minimal(support), len(support[0])
    rays = [tuple(int(i == j) for i in range(size)) for j in range(size)]
    if len(vertices) * math.comb(len(vertices) - 1 + size, size - 1) > MOST_HYPERPLANES:
        return None
    found = set()
    for base in vertices:
        steps = [tuple(a - b for a, b in zip(v, base, strict=True)) for v in vertices if v != base] + rays
        for chosen in combinations(steps, size - 1):
            matrix = flint.fmpz_mat(size - 1, size, [x for step in chosen for x in step])
            kernel, nullity = matrix.nullspace()
            if nullity != 1:
                continue
            normal = [int(kernel[i, 0]) for i in range(size)]
            if max(normal) <= 0:
                normal = [-x for x in normal]
            if min(normal) < 0:
                continue
            divisor = math.gcd(*normal)
            weights = tuple(x // divisor for x in normal)
            level = sum(a * b for a, b in zip(weights, base, strict=True))
            if all(sum(a * b for a, b in zip(weights, v, strict=True)) >= level for v in vertices):
                found.add((weights, level))
    return sorted(found)


def _compact_faces(support: list[Exponents], facets: list[Facet]) -> Iterator[frozenset[Exponents]]:
    """The terms on each compact face: intersections of facets whose weights, added, are all positive."""
    on = [
        frozenset(v for v in support if sum(a * b for a, b in zip(w, v, strict=True)) == level) for w, level in facets
    ]
    weights = [frozenset(i for i, a in enumerate(w) if a) for w, _ in facets]
    seen: dict[frozenset[Exponents], frozenset[int]] = {}
    queue = [points for points in on if points]
    while queue:
        points = queue.pop()
        full = frozenset().union(*(w for p, w in zip(on, weights, strict=True) if points <= p))
        if points in seen:
            continue
        seen[points] = full
        queue += [points & other for other in on if points & other and not points <= other]
    yield from (points for points, full in seen.items() if len(full) == len(support[0]))


def _no_zeros(parts: list[Polynomial]) -> bool:
    """Whether polynomials are shown to have no common real zero with all coordinates different from zero."""
    parts = [part for part in parts if part]
    if any(len(part) == 1 or _definite(part) for part in parts):
        return True
    return _inconsistent(parts)


def _definite(part: Polynomial) -> bool:
    """Terms that are all of one sign, up to a monomial that they share."""
    base = next(iter(part))
    even = all((a - b) % 2 == 0 for alpha in part for a, b in zip(alpha, base, strict=True))
    return even and len({value > 0 for value in part.values()}) == 1


def _smooth(part: Polynomial) -> bool:
    """Whether a polynomial and its derivatives have no common zero off the coordinate planes."""
    size = len(next(iter(part), ()))
    slopes = [{alpha: alpha[i] * value for alpha, value in part.items() if alpha[i]} for i in range(size)]
    return _no_zeros([part, *slopes])


def _inconsistent(parts: list[Polynomial]) -> bool:
    """Whether there is no common complex zero off the coordinate planes, by a Gröbner basis."""
    import sympy

    size = len(next(iter(parts[0])))
    x = sympy.symbols(f"x0:{size}")
    helper = sympy.Symbol("h")
    shifted = [_without_monomial(part) for part in parts]
    system = [
        sum(
            sympy.Rational(c.numerator, c.denominator) * math.prod(v**a for v, a in zip(x, alpha, strict=True))
            for alpha, c in part.items()
        )
        for part in shifted
    ]
    used = sorted({v for one in system for v in sympy.sympify(one).free_symbols}, key=str)
    basis: Any = sympy.groebner([*system, 1 - helper * math.prod(used)], helper, *used, order="grevlex")
    return list(basis.exprs) == [1]


def _without_monomial(part: Polynomial) -> Polynomial:
    low = [min(column) for column in zip(*part, strict=True)]
    return {tuple(a - b for a, b in zip(alpha, low, strict=True)): value for alpha, value in part.items()}


def _hypersurface(g: Polynomial, bound: Threshold, support: list[Exponents], facets: list[Facet]) -> Threshold | None:
    """The toric divisors and the smooth hypersurface ``g = 0`` itself, whose value is 1/2 where it has real points."""
    half = Fraction(1, 2)
    if bound.value < half:
        return bound
    tight = [w_level for w_level in facets if sum(w_level[0]) == 2 * bound.value * w_level[1]]
    face = frozenset(
        v for v in support if all(sum(a * b for a, b in zip(w, v, strict=True)) == level for w, level in tight)
    )
    if not _changes_sign(_on(g, face)):
        return None
    return Threshold(half, bound.multiplicity + 1 if bound.value == half else 1)


def _changes_sign(part: Polynomial) -> bool:
    """Whether values of both signs are found off the coordinate planes."""
    if len(part) < 2:
        return False
    size, signs = len(next(iter(part))), set()
    values = [sign * probe for probe in _PROBES for sign in (1, -1)]
    for number in range(_MOST_PROBES):
        x = [values[number * (2 * i + 1) // 3**i % len(values)] for i in range(size)]
        value = sum(c * math.prod(v**a for v, a in zip(x, alpha, strict=True)) for alpha, c in part.items())
        signs.add(value > 0 if value else None)
    return {True, False} <= signs
