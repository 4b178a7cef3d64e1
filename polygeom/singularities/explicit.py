"""Small networks at given weights from their coefficients as polynomials: the route that knows no architecture.

Scalings of neurons fix weights that are not zero; variables that occur linearly with a unit as factor are eliminated;
what is left is a Newton polyhedron or, in two variables, resolved by blow-ups. It checks the theorems of
`polygeom.singularities.remainders` without any of them, and settles networks that they do not cover.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.engines.symbolic import coefficient_map
from polygeom.errors import BudgetError, PolygeomError
from polygeom.network import Network
from polygeom.singularities.blowups import plane_threshold
from polygeom.singularities.newton import Polynomial, newton_threshold
from polygeom.singularities.ranks import Weights, exact_rank
from polygeom.singularities.threshold import Threshold, coordinates

MOST_PARAMETERS = 24
MOST_PRODUCTS = 100_000
_MOST_TERMS = 400
_MOST_VARIABLES = 7


@dataclass(frozen=True, slots=True)
class Explicit:
    """The exact threshold if it was found, and a proved upper bound in any case."""

    exact: Threshold | None
    upper: Threshold
    reason: str


def explicit_threshold(network: Network, weights: Weights) -> Explicit | None:
    """The threshold of a small network at given weights from its polynomials; None where they grow too large.

    Parameters
    ----------
    network:
        With at most `MOST_PARAMETERS` weights.
    weights:
        Exact numbers.
    """
    if not 0 < network.parameter_count <= MOST_PARAMETERS:
        return None
    try:
        moved = _moved(network, adapted(network, weights))
    except BudgetError:
        return None
    except PolygeomError:  # quotients have no polynomials
        return None
    found, eliminated = _eliminated(moved)
    if found is None:
        return None
    linear = coordinates(eliminated)
    if not found:
        return Explicit(linear, linear, f"{eliminated} variables eliminated, nothing is left")
    generators = _in_used_variables(_reduced([_terms(g) for g in found]))
    size = len(next(iter(generators[0])))
    told = f"{eliminated} variables eliminated, {len(generators)} polynomials in {size} variables left"
    if size > _MOST_VARIABLES:
        return None
    answer = newton_threshold(generators)
    if answer.exact is not None:
        exact = linear.sum(answer.exact)
        return Explicit(exact, exact, f"{told}: {answer.reason}")
    if size == 2:
        try:
            exact = linear.sum(plane_threshold(generators))
        except BudgetError:
            pass
        else:
            return Explicit(exact, exact, f"{told}: resolved by blow-ups")
    return Explicit(None, linear.sum(answer.bound), f"{told}: their Newton polyhedron above")


def adapted(network: Network, weights: Weights) -> Weights:
    """Weights after linear changes of inputs and outputs of a perceptron that make the first and last layer simple.

    Such changes leave the threshold as it is. Independent rows of the first matrix and columns of the last become unit
    vectors.
    """
    if network.widths is None:
        return weights
    names = list(network.parameters)
    changed = dict(weights)
    changed[names[0]] = _unit_rows(changed[names[0]])
    changed[names[-1]] = _unit_rows(changed[names[-1]].T).T
    return changed


def _unit_rows(matrix: np.ndarray) -> np.ndarray:
    """``matrix @ G`` with invertible ``G`` such that a maximal set of independent rows are unit vectors."""
    import flint

    size = matrix.shape[1]
    basis: list[list[Fraction]] = []
    for row in [*matrix.tolist(), *np.eye(size, dtype=int).tolist()]:
        candidate = [*basis, [Fraction(v) for v in row]]
        if exact_rank(candidate) == len(candidate):
            basis = candidate
    flat = [flint.fmpq(v.numerator, v.denominator) for row in basis for v in row]
    inverse = flint.fmpq_mat(size, size, flat).inv()
    change = [[Fraction(int(inverse[i, j].p), int(inverse[i, j].q)) for j in range(size)] for i in range(size)]
    result: np.ndarray = matrix @ np.array(change, object)
    return result


def _moved(network: Network, weights: Weights) -> list[Any]:
    """The coefficients less their values, as polynomials in the differences of those weights that no scaling fixes."""
    from sympy import QQ

    coefficients = list(coefficient_map(network, most_products=MOST_PRODUCTS).values())
    if not coefficients:
        return []
    ring = coefficients[0].ring.clone(domain=QQ)
    values = [v for name in network.parameters for v in weights[name].ravel()]
    fixed = _fixed(network, weights)
    point = {
        ring.gens[i]: ring(QQ(v.numerator, v.denominator)) + (ring.zero if i in fixed else ring.gens[i])
        for i, v in enumerate(values)
    }
    moved = [_composed(g.set_ring(ring), ring, point) for g in coefficients]
    return [g - g.coeff(1) for g in moved]


def _composed(g: Any, ring: Any, point: dict[Any, Any]) -> Any:
    total = ring.zero
    for alpha, value in g.terms():
        term = ring(value)
        for generator, power in zip(ring.gens, alpha, strict=True):
            if power:
                term *= point[generator] ** power
        total += term
        if len(total) > 20 * _MOST_TERMS:
            raise BudgetError(f"explicit: a coefficient has more than {20 * _MOST_TERMS} terms at these weights")
    return total


def _fixed(network: Network, weights: Weights) -> set[int]:
    """Places of weights, not zero, that the scalings of hidden neurons bring to any value: a slice of their orbits."""
    widths, degrees = network.widths, network.activation_degrees
    if widths is None or degrees is None:
        return set()
    starts = [0]
    for width in widths[1:-1]:
        starts.append(starts[-1] + width)
    rows: list[list[Fraction]] = []
    chosen, place = set(), 0
    for k, array in enumerate(weights.values()):
        for (j, i), value in _entries(array):
            if value:
                row = [Fraction(0)] * starts[-1]
                if k < len(degrees):
                    row[starts[k] + j] += 1
                if k > 0:
                    row[starts[k - 1] + i] -= degrees[k - 1]
                if exact_rank([*rows, row]) > len(rows):
                    rows.append(row)
                    chosen.add(place)
            place += 1
    return chosen


def _entries(array: Any) -> list[tuple[tuple[int, int], Fraction]]:
    return [((j, i), array[j, i]) for j in range(array.shape[0]) for i in range(array.shape[1])]


def _eliminated(generators: list[Any]) -> tuple[list[Any] | None, int]:
    """Eliminate variables that occur linearly, times a unit of the local ring; the polynomials left, and how many."""
    current, count = [g for g in generators if g], 0
    while (pick := _linear(current)) is not None:
        g, variable, unit, rest = pick
        count += 1
        current = [_substituted(other, variable, unit, rest) for other in current if other is not g]
        current = [other for other in current if other]
        if any(len(other) > _MOST_TERMS for other in current):
            return None, count
    return current, count


def _linear(generators: list[Any]) -> tuple[Any, int, Any, Any] | None:
    """The shortest generator ``unit · x + rest`` with neither depending on ``x``."""
    for g in sorted(generators, key=len):
        for i in range(g.ring.ngens):
            powers = {alpha[i] for alpha in g}
            if max(powers) != 1:
                continue
            unit = g.ring.from_dict({(*a[:i], 0, *a[i + 1 :]): c for a, c in g.terms() if a[i] == 1})
            if unit.coeff(1):
                rest = g.ring.from_dict({a: c for a, c in g.terms() if a[i] == 0})
                return g, i, unit, rest
    return None


def _substituted(g: Any, place: int, unit: Any, rest: Any) -> Any:
    """``unit^e g`` with ``x = -rest / unit``; the products by FLINT, which is fifty times faster."""
    parts: dict[int, dict[Any, Any]] = {}
    for alpha, value in g.terms():
        parts.setdefault(alpha[place], {})[(*alpha[:place], 0, *alpha[place + 1 :])] = value
    top, context = max(parts), _context(g.ring.ngens)
    minus, factor = -_to_flint(rest, context), _to_flint(unit, context)
    total = context.from_dict({})
    for power, terms in parts.items():
        total += _to_flint(terms, context) * minus**power * factor ** (top - power)
        if len(total) > _MOST_TERMS:
            break
    domain = g.ring.domain
    found = total.to_dict().items()
    return g.ring.from_dict({tuple(map(int, alpha)): domain(int(c.p), int(c.q)) for alpha, c in found})


@cache
def _context(size: int) -> Any:
    import flint

    return flint.fmpq_mpoly_ctx.get([f"x{i}" for i in range(size)], flint.Ordering.lex)


def _to_flint(terms: Any, context: Any) -> Any:
    import flint

    return context.from_dict({a: flint.fmpq(int(c.numerator), int(c.denominator)) for a, c in terms.items()})


def _terms(g: Any) -> Polynomial:
    return {tuple(alpha): Fraction(int(c.numerator), int(c.denominator)) for alpha, c in g.terms()}


def _reduced(generators: list[Polynomial]) -> list[Polynomial]:
    """Linear combinations in echelon form, terms of low degree first, so that leading terms differ."""
    columns = sorted({alpha for g in generators for alpha in g}, key=lambda alpha: (sum(alpha), alpha))
    rest, done = [dict(g) for g in generators], list[Polynomial]()
    for alpha in columns:
        pivot = next((g for g in rest if alpha in g), None)
        if pivot is None:
            continue
        rest = [g for g in rest if g is not pivot]
        factor = pivot[alpha]
        pivot = {key: value / factor for key, value in pivot.items()}
        rest = [g for g in (_minus(g, pivot, alpha) for g in rest) if g]
        done = [*(_minus(g, pivot, alpha) for g in done), pivot]
    return done


def _minus(g: Polynomial, pivot: Polynomial, alpha: tuple[int, ...]) -> Polynomial:
    if not (factor := g.get(alpha)):
        return g
    result = dict(g)
    for key, value in pivot.items():
        result[key] = result.get(key, Fraction(0)) - factor * value
        if not result[key]:
            del result[key]
    return result


def _in_used_variables(generators: list[Polynomial]) -> list[Polynomial]:
    used = [i for i in range(len(next(iter(generators[0])))) if any(alpha[i] for g in generators for alpha in g)]
    return [{tuple(alpha[i] for i in used): value for alpha, value in g.items()} for g in generators]
