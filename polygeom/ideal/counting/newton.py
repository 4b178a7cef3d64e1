"""The degree of a map from its monomials: normalised volumes of Newton polytopes."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from polygeom.network import Network
from polygeom.network.grammar.expressions import Quotient
from polygeom.network.layers.formula import Formula

Point = tuple[int, ...]
MOST_POINTS, MOST_FACETS = 400, 20_000
"""Largest number of monomials, and of facets of their hull on the way: some ten seconds, 10 MB."""


def newton_degree(network: Network, dimension: int, until: float = math.inf) -> tuple[int, bool] | None:
    """An upper bound for the degree of a map's closure, and whether it is the degree; None where it says nothing.

    A general section of codimension ``k``, the dimension, is given by ``k`` general combinations of the coordinates and
    1, over a common denominator. Let ``Λ`` be the lattice spanned by the differences of the exponents of all
    numerators. If its rank is ``k``, they are Laurent polynomials on a torus with characters ``Λ`` and have at most as
    many isolated common zeros there as the volume of the exponents' hull, in units of the smallest simplex of ``Λ``
    (Bernstein 1975, Kushnirenko 1976); every point of the section comes from one of them. If all coordinates are
    Laurent monomials, the coefficients are general, so that the bound is attained, and different zeros are different
    points, as ``Λ`` is spanned by the exponents of the coordinates.

    Parameters
    ----------
    network:
        A map, a network whose only layer is a formula without features; for others the answer is None.
    dimension:
        The dimension of its closure, proved.
    until:
        When to give up, by `time.monotonic`.

    Examples
    --------
    >>> from polygeom import maps
    >>> newton_degree(maps.from_text("s^4, s^3*t, s*t^3, t^4"), 2)
    (4, True)
    >>> newton_degree(maps.from_text("(1-t^2)/(1+t^2), 2*t/(1+t^2)"), 1)
    (2, False)
    """
    layers = [node.layer for node in network.nodes]
    if len(layers) != 2 or not isinstance(layers[1], Formula) or not layers[1].is_map:
        return None
    quotients = layers[1].compiled.quotients
    parts = supports(quotients)
    exponents = list(dict.fromkeys(point for part in parts for point in part))
    if len(exponents) > MOST_POINTS:
        return None
    points = lattice_coordinates(exponents)
    if len(points[0]) != dimension or (volume := normalised_volume(points, until)) is None:
        return None
    return volume, all(len(q.numerator) <= 1 == len(q.denominator) for q in quotients)


def supports(quotients: Sequence[Quotient]) -> list[list[Point]]:
    """For the formulas and 1, points whose hull has the exponents of the numerator over a common denominator.

    That is divided by its monomial factor, so exponents may be negative; products add hulls.

    Examples
    --------
    >>> from polygeom.network.grammar.expressions import read_quotient
    >>> supports([read_quotient("1/a", ("a",)), read_quotient("a/(a+1)", ("a",))])
    [[(0,), (-1,)], [(1,)], [(1,), (0,)]]
    """
    proper = list(dict.fromkeys(q.denominator for q in quotients if len(q.denominator) > 1))
    parts = []
    for q in quotients:
        part = [term for term, _ in q.numerator]
        if len(q.denominator) == 1:
            part = [tuple(a - b for a, b in zip(term, q.denominator[0][0], strict=True)) for term in part]
        parts.append(_product(part, [d for d in proper if d != q.denominator]))
    return [*parts, _product([(0,) * len(quotients[0].variables)], proper)]


def _product(part: list[Point], factors: Sequence[Sequence[tuple[Point, int]]]) -> list[Point]:
    for factor in factors:
        sums = (tuple(a + b for a, b in zip(p, term, strict=True)) for p in part for term, _ in factor)
        part = list(dict.fromkeys(sums))
        if len(part) > MOST_POINTS:
            break
    return part


def lattice_coordinates(points: Sequence[Point]) -> list[Point]:
    """The points in a basis of the lattice that their differences span, the first one as the origin.

    Examples
    --------
    >>> lattice_coordinates([(0, 2), (2, 0), (4, -2)])
    [(0,), (1,), (2,)]
    """
    moved = [[a - b for a, b in zip(point, points[0], strict=True)] for point in points]
    reduced = _matrix(moved).hnf() if moved[0] else _matrix(len(moved), 0)
    basis = [row for row in reduced.tolist() if any(row)]
    pivots = [next(j for j, entry in enumerate(row) if entry) for row in basis]
    found = []
    for point in moved:
        rest, own = [*point], []
        for row, j in zip(basis, pivots, strict=True):
            own.append(int(rest[j] // row[j]))
            rest = [a - own[-1] * int(b) for a, b in zip(rest, row, strict=True)]
        found.append(tuple(own))
    return found


def normalised_volume(points: Sequence[Point], until: float = math.inf) -> int | None:
    """The volume of the hull in units of a smallest simplex, exactly; None beyond `MOST_FACETS` or the time.

    The points, which span the space, are put one after another: every facet of the hull so far that a new one sees
    becomes a simplex with it (placing triangulation; De Loera, Rambau, Santos, *Triangulations*, 4.3). A facet is a
    simplex; hulls with larger ones are cut, as what lies in the plane of a facet does not see it.

    Examples
    --------
    >>> normalised_volume([(0, 0), (1, 0), (0, 1), (1, 1)])
    2
    """
    size = len(points[0])
    if size == 0:
        return 1
    first = _independent(points)
    inside = [sum(points[i][j] for i in first) for j in range(size)]

    def facet(corners: frozenset[int]) -> tuple[list[int], int]:
        """Normal and offset, positive inside; `inside` is a point inside times ``size + 1``."""
        origin, *others = (points[i] for i in corners)
        rows = [[a - b for a, b in zip(point, origin, strict=True)] for point in others]
        normal = [int(row[0]) for row in _matrix(rows).nullspace()[0].tolist()] if rows else [1]
        offset = sum(a * b for a, b in zip(normal, origin, strict=True))
        sign = 1 if sum(a * b for a, b in zip(normal, inside, strict=True)) > (size + 1) * offset else -1
        return [sign * a for a in normal], sign * offset

    volume = _simplex(points, first)
    facets = {corners: facet(corners) for corners in map(frozenset, combinations(first, size))}
    for new, point in enumerate(points):
        seen = [c for c, (n, o) in facets.items() if sum(a * b for a, b in zip(n, point, strict=True)) < o]
        ridges: set[frozenset[int]] = set()
        for corners in seen:
            volume += _simplex(points, [*corners, new])
            del facets[corners]
            for corner in corners:
                ridges ^= {corners - {corner}}
        facets.update({corners: facet(corners) for ridge in ridges for corners in [ridge | {new}]})
        if len(facets) > MOST_FACETS or time.monotonic() > until:
            return None
    return volume


def _matrix(*entries: Any) -> Any:
    """An integer matrix of FLINT, which is loaded at the first one: most degrees are known without."""
    from flint import fmpz_mat

    return fmpz_mat(*entries)


def _independent(points: Sequence[Point]) -> list[int]:
    """Positions of corners of a simplex."""
    chosen = [0]
    rows: list[list[int]] = []
    for i, point in enumerate(points):
        row = [a - b for a, b in zip(point, points[0], strict=True)]
        if _matrix([*rows, row]).rank() > len(rows):
            chosen.append(i)
            rows.append(row)
    return chosen


def _simplex(points: Sequence[Point], corners: Sequence[int]) -> int:
    origin, *others = (points[i] for i in corners)
    return abs(int(_matrix([[a - b for a, b in zip(point, origin, strict=True)] for point in others]).det()))
