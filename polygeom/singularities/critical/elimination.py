"""Where the Jacobian loses rank on a chart: unit pivots, minors, and Gröbner bases over the rationals."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import cache
from itertools import combinations
from math import comb
from typing import Any

from polygeom.errors import BudgetError
from polygeom.singularities.critical.charts import FIRST, Chart

MOST_MINORS = 4000
FEW_MINORS = 40

Polynomials = list[Any]
"""Of one ring of FLINT."""


def weights_as_polynomials(chart: Chart, inputs: int) -> tuple[list[list[Polynomials]], Polynomials]:
    """The matrices of a chart and the inputs, in one ring: first the variables of the chart, then the inputs."""
    context = polynomial_context(chart.variables + inputs)
    generators = context.gens()
    constants = (context.constant(0), context.constant(1))
    entries = [
        [[constants[e] if e < FIRST else generators[e - FIRST] for e in row] for row in matrix]
        for matrix in chart.matrices
    ]
    return entries, list(generators[chart.variables :])


def jacobian_rows(
    matrices: Sequence[Sequence[Polynomials]], degrees: Sequence[int], inputs: Polynomials, variables: int
) -> list[dict[Any, Any]]:
    """The transposed Jacobian of weights ↦ coefficients: a row for each weight, ``{coefficient: polynomial}``.

    Columns are divided by activation degrees where those are factors of all, which leaves ranks as they are.
    """
    values, sums = [list(inputs)], []
    for k, matrix in enumerate(matrices):
        sums.append([_dot(row, values[-1]) for row in matrix])
        values.append([s ** degrees[k] for s in sums[-1]] if k < len(degrees) else sums[-1])
    last = len(matrices) - 1
    zero, one = inputs[0] * 0, inputs[0] * 0 + 1
    size = len(matrices[last])
    slopes = [[one if o == j else zero for j in range(size)] for o in range(size)]
    rows: list[dict[Any, Any]] = []
    context = polynomial_context(max(variables, 1))
    for k in range(last, -1, -1):
        for j in range(len(matrices[k])):
            for i in range(len(matrices[k][0])):
                parts = [slopes[o][j] * values[k][i] for o in range(size)]
                rows.append(_by_coefficient(parts, variables, context))
        if k > 0:
            bent = [s ** (degrees[k - 1] - 1) for s in sums[k - 1]]
            columns = list(zip(*matrices[k], strict=True))
            slopes = [[_dot(slope, column) * b for column, b in zip(columns, bent, strict=True)] for slope in slopes]
    return rows


def _dot(one: Sequence[Any], other: Sequence[Any]) -> Any:
    total = one[0] * other[0]
    for a, b in zip(one[1:], other[1:], strict=True):
        total += a * b
    return total


def _by_coefficient(parts: Polynomials, variables: int, context: Any) -> dict[Any, Any]:
    found: dict[Any, dict[tuple[int, ...], Any]] = {}
    for o, part in enumerate(parts):
        for exponents, value in part.to_dict().items():
            key = (o, tuple(map(int, exponents[variables:])))
            found.setdefault(key, {})[tuple(map(int, exponents[:variables])) or (0,)] = value
    return {key: context.from_dict(terms) for key, terms in found.items()}


def without_units(rows: list[dict[Any, Any]], units: Collection[str] = ()) -> tuple[int, list[dict[Any, Any]]]:
    """Eliminate with pivots that are not zero anywhere: how many, and the rows left, free of such entries.

    Parameters
    ----------
    rows:
        As from `jacobian_rows`.
    units:
        Irreducible polynomials that are not zero, as text; the variables are not zero in any case.
    """
    rows = [row for row in rows if row]
    count = 0
    while True:
        best = None
        for number, row in enumerate(rows):
            if best is not None and len(row) >= len(rows[best[0]]):
                continue
            column = next((c for c, value in row.items() if _is_unit(value, units)), None)
            if column is not None:
                best = (number, column)
        if best is None:
            return count, rows
        number, column = best
        pivot_row = rows.pop(number)
        pivot = pivot_row.pop(column)
        count += 1
        rows = [row for row in (_cleared(row, column, pivot, pivot_row) for row in rows) if row]


def _is_unit(value: Any, units: Collection[str]) -> bool:
    return len(value) == 1 or (bool(units) and all(name in units for name in irreducible(value)))


def irreducible(value: Any) -> list[str]:
    """The factors of a polynomial that are no variables, as text."""
    return [str(factor) for factor, _ in value.factor()[1] if len(factor) > 1]


def _cleared(row: dict[Any, Any], column: Any, pivot: Any, pivot_row: dict[Any, Any]) -> dict[Any, Any]:
    if column not in row:
        return row
    factor = row[column]
    result = {c: value * pivot for c, value in row.items() if c != column}
    for c, value in pivot_row.items():
        result[c] = result[c] - factor * value if c in result else -factor * value
    result = {c: value for c, value in result.items() if not value.is_zero()}
    if not result:
        return result
    content = None
    for value in result.values():
        content = value.term_content() if content is None else content.gcd(value.term_content())
    return {c: value / content for c, value in result.items()}


def minors(rows: list[dict[Any, Any]], size: int) -> list[Any] | None:
    """All minors of a size, without factors that are units, each once; None if one of them is a unit.

    Raises
    ------
    BudgetError
        If there are more than `MOST_MINORS`.
    """
    columns = sorted({c for row in rows for c in row})
    if comb(len(rows), size) * comb(len(columns), size) > MOST_MINORS:
        raise BudgetError(f"critical: more than {MOST_MINORS} minors of size {size}; take a smaller network")
    found: dict[str, Any] = {}
    for chosen in combinations(rows, size):
        for places in combinations(columns, size):
            value = _determinant([[row.get(c) for c in places] for row in chosen])
            if value is None or value.is_zero():
                continue
            value = without_monomials(value)
            if value.is_constant():
                return None
            found[str(value)] = value
    return list(found.values())


def _determinant(matrix: list[list[Any]]) -> Any:
    """By Laplace along the first row; None is zero."""
    if len(matrix) == 1:
        return matrix[0][0]
    total = None
    for j, entry in enumerate(matrix[0]):
        if entry is None:
            continue
        rest = _determinant([row[:j] + row[j + 1 :] for row in matrix[1:]])
        if rest is None:
            continue
        term = entry * rest if j % 2 == 0 else -entry * rest
        total = term if total is None else total + term
    return total


def without_monomials(value: Any) -> Any:
    """A polynomial without square factors, and without factors that are variables, as those are units on a chart."""
    context = value.context()
    result = context.constant(1)
    for factor, _ in value.factor_squarefree()[1]:
        result *= factor / factor.term_content()
    return result


def critical_points(
    rows: list[dict[Any, Any]], need: int, equations: list[Any], units: frozenset[str], variables: int
) -> list[list[Any]]:
    """Where rows have rank below ``need``, all equations hold, and no unit and no variable is zero.

    Pivots that are units are eliminated. Where too many minors would be left, an entry is either not zero, a further
    unit, or zero, a further equation.

    Returns
    -------
    Gröbner bases over the rationals (elements of sympy rings) of locally closed pieces that cover it, none of them
    empty; an empty list proves that there are no such complex points.
    """
    count, rows = without_units(rows, units)
    need -= count
    if need <= 0:
        return []
    size = len({c for row in rows for c in row})
    if comb(len(rows), need) * comb(size, need) <= FEW_MINORS:
        found = minors(rows, need)
        return [] if found is None else _pieces([*equations, *found], units, variables)
    number, column = min(
        ((i, c) for i, row in enumerate(rows) for c in row),
        key=lambda place: (rows[place[0]][place[1]].total_degree(), len(rows[place[0]][place[1]])),
    )
    entry = rows[number][column]
    nonzero = critical_points(rows, need, equations, units.union(irreducible(entry)), variables)
    closed = [*equations, without_monomials(entry)]
    if not _pieces(closed, units, variables):
        return nonzero
    same = str(without_monomials(entry))
    rest = [{c: v for c, v in row.items() if v is not entry and str(without_monomials(v)) != same} for row in rows]
    return nonzero + critical_points(rest, need, closed, units, variables)


def _pieces(equations: Sequence[Any], units: Collection[str], variables: int) -> list[list[Any]]:
    """The Gröbner basis of equations where units and variables are not zero, if there are complex solutions."""
    from sympy import QQ
    from sympy.polys.groebnertools import groebner
    from sympy.polys.orderings import grevlex
    from sympy.polys.rings import PolyRing

    ring = PolyRing(["u", *(f"t{k}" for k in range(variables))], QQ, grevlex)
    product = ring.one
    for generator in ring.gens[1:]:
        product *= generator
    for text in units:
        product *= ring.from_expr(_parsed(text))
    basis = groebner([*(_moved(f, ring, variables) for f in equations), 1 - ring.gens[0] * product], ring)
    return [] if any(g == 1 for g in basis) else [list(basis)]


@cache
def _parsed(text: str) -> Any:
    from sympy import sympify

    return sympify(text.replace("^", "**"))


def _moved(f: Any, ring: Any, variables: int) -> Any:
    return ring.from_dict({(0, *(tuple(map(int, a))[:variables])): ring.domain(int(c)) for a, c in f.to_dict().items()})


def dimension_of(basis: Sequence[Any], variables: int) -> int:
    """The dimension of the solutions of a Gröbner basis of `solvable`: variables that no leading monomial confines."""
    leading = [tuple(e > 0 for e in g.LM) for g in basis]
    for size in range(variables + 1, -1, -1):
        for free in combinations(range(variables + 1), size):
            if not any(all(i in free for i, used in enumerate(support) if used) for support in leading):
                return size
    return 0


def pairs_apart(chart: Chart, matrices: Sequence[Sequence[Polynomials]], context_size: int) -> Iterator[list[Any]]:
    """For each pair of rows that might be parallel: minors, of which one must not be zero."""
    context = polynomial_context(max(context_size, 1))
    for layer, one, other in chart.alike:
        a, b = matrices[layer][one], matrices[layer][other]
        support = [i for i, value in enumerate(a) if not value.is_zero()]
        found = [a[support[0]] * b[i] - a[i] * b[support[0]] for i in support[1:]]
        yield [in_context(f, context, context_size) for f in found if not f.is_zero()]


def in_context(f: Any, context: Any, variables: int) -> Any:
    """A polynomial without inputs in the ring of the variables of a chart alone."""
    return context.from_dict({tuple(map(int, a))[:variables] or (0,): c for a, c in f.to_dict().items()})


@cache
def polynomial_context(size: int) -> Any:
    """The ring of FLINT of integer polynomials in so many variables."""
    import flint

    return flint.fmpz_mpoly_ctx.get([f"t{i}" for i in range(size)], flint.Ordering.lex)
