"""Ideals in two variables, resolved by blowing up points: no theorem on polyhedra is used.

A point is described by generators, by the exponents of the exceptional lines ``x = 0`` and ``y = 0`` in the ideal
(``a``) and in the measure (``k``, the exponent plus one). Blowing it up gives a new line with exponents ``a_x + a_y +
order`` and ``k_x + k_y``; its points where the generators still vanish are looked at again, until they are coordinates.
Points with irrational coordinates are not followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from polygeom._dataclass import dataclass
from polygeom.errors import BudgetError
from polygeom.singularities.newton import Polynomial
from polygeom.singularities.threshold import Threshold, least

MOST_BLOWUPS = 40
"""Deeper than this no point is followed."""


@dataclass(frozen=True, slots=True)
class _Point:
    """Generators as sympy polynomials, and the two lines: order in the ideal, exponent of the measure plus one."""

    generators: tuple[Any, ...]
    x: tuple[int, int] = (0, 1)
    y: tuple[int, int] = (0, 1)


def plane_threshold(generators: Sequence[Polynomial]) -> Threshold:
    """The threshold at the origin of an ideal of polynomials in two variables.

    Raises
    ------
    BudgetError
        Where a point with irrational coordinates, or more than `MOST_BLOWUPS` blow-ups in a row, would be needed.

    Examples
    --------
    >>> str(plane_threshold([{(2, 0): Fraction(1), (0, 3): Fraction(-1)}]))
    '5/12'
    >>> str(plane_threshold([{(2, 0): Fraction(1), (1, 1): Fraction(-2), (0, 2): Fraction(1)}]))  # (x - y)²
    '1/4'
    """
    import sympy

    x, y = sympy.symbols("x y")
    polys = tuple(
        sympy.Poly({alpha: sympy.Rational(c.numerator, c.denominator) for alpha, c in g.items()}, x, y, domain="QQ")
        for g in generators
    )
    return _at(_Point(polys), MOST_BLOWUPS)


def _at(point: _Point, left: int) -> Threshold:
    """The threshold of a point whose ideal is that of the lines times that of the generators."""
    point = _without_lines(point)
    lines = [Threshold(Fraction(k, 2 * a)) for a, k in (point.x, point.y) if a]
    if any(g.eval((0, 0)) != 0 for g in point.generators):
        return _crossing(lines)
    if left == 0:
        raise BudgetError(f"blow-ups: more than {MOST_BLOWUPS} in a row; the ideal is not resolved")
    if (done := _coordinate(point, lines)) is not None:
        return done
    return _blown_up(point, left)


def _crossing(lines: list[Threshold]) -> Threshold:
    """Normal crossings of lines: the smallest value, as often as it occurs."""
    value = min(one.value for one in lines)
    return Threshold(value, sum(one.value == value for one in lines))


def _without_lines(point: _Point) -> _Point:
    """The powers of ``x`` and ``y`` that divide all generators, moved into the lines."""
    a = min(min(alpha[0] for alpha in g.monoms()) for g in point.generators)
    b = min(min(alpha[1] for alpha in g.monoms()) for g in point.generators)
    lowered = tuple(_divided(g, a, b) for g in point.generators)
    return _Point(lowered, (point.x[0] + a, point.x[1]), (point.y[0] + b, point.y[1]))


def _divided(g: Any, a: int, b: int) -> Any:
    return g.from_dict({(i - a, j - b): c for (i, j), c in g.terms()}, *g.gens, domain="QQ")


def _coordinate(point: _Point, lines: list[Threshold]) -> Threshold | None:
    """A principal ideal whose generator is a smooth curve, transverse to the at most one line through the point."""
    if len(point.generators) > 1:
        common = point.generators[0]
        for g in point.generators[1:]:
            common = common.gcd(g)
        if common.eval((0, 0)) != 0 or not any(g.quo(common).eval((0, 0)) != 0 for g in point.generators):
            return None
    else:
        common = point.generators[0]
    slope = [common.diff(v).eval((0, 0)) for v in common.gens]
    if not any(slope):
        return None
    # transverse to x = 0 where the derivative along y is not zero, and the other way round
    if (point.x[0] and slope[1] == 0) or (point.y[0] and slope[0] == 0) or len(lines) == 2:
        return None
    return _crossing([*lines, Threshold(Fraction(1, 2))])


def _blown_up(point: _Point, left: int) -> Threshold:
    """The two charts of the blow-up of the origin, and the points of the new line where the generators vanish."""
    import sympy

    x, y = point.generators[0].gens
    order = min(min(sum(alpha) for alpha in g.monoms()) for g in point.generators)
    new = (point.x[0] + point.y[0] + order, point.x[1] + point.y[1])
    found = [Threshold(Fraction(new[1], 2 * new[0]))]
    first = [sympy.Poly(g.as_expr().subs(y, x * y), x, y, domain="QQ") for g in point.generators]
    strict = [_divided(g, order, 0) for g in first]
    on_line = sympy.Poly(0, y, domain="QQ")
    for g in strict:
        on_line = on_line.gcd(sympy.Poly(g.as_expr().subs(x, 0), y, domain="QQ"))
    roots = {sympy.Integer(0)}
    if on_line.degree() > 0:
        for factor, _ in on_line.factor_list()[1]:
            if factor.degree() > 1 and factor.count_roots() > 0:
                raise BudgetError("blow-ups: a point with irrational coordinates; the ideal is not resolved")
            roots |= set(factor.ground_roots())
    for root in sorted(roots):
        moved = tuple(sympy.Poly(g.as_expr().subs(y, y + root), x, y, domain="QQ") for g in strict)
        found.append(_at(_Point(moved, new, point.y if root == 0 else (0, 1)), left - 1))
    second = [sympy.Poly(g.as_expr().subs(x, x * y), x, y, domain="QQ") for g in point.generators]
    found.append(_at(_Point(tuple(_divided(g, 0, order) for g in second), point.x, new), left - 1))
    return least(found)
