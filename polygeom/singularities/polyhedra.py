"""Newton polyhedra: the threshold of a monomial ideal by linear programming, exact.

The ideal of monomials ``x^α`` with the measure ``Π x_i^{κ_i - 1} dx`` has ``2 λ = min Σ a_i κ_i`` over all weights
``a ≥ 0`` with ``a · α ≥ 1`` for every ``α``; the dual reads ``max Σ y_α`` with ``y ≥ 0`` and ``Σ y_α α_i ≤ κ_i``. The
order of the pole is the codimension of the smallest face of the Newton polyhedron with the point ``κ / (2 λ)``.

References
----------
Arnold, Gusein-Zade, Varchenko, *Singularities of Differentiable Maps II*, 8.3 (1988). Howald, "Multiplier ideals of
monomial ideals", Trans. Amer. Math. Soc. 353 (2001). Lin, arXiv 1003.5338 (over the real numbers).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from polygeom.errors import PolygeomError
from polygeom.singularities.threshold import Threshold

Exponents = tuple[int, ...]


def minimal(exponents: Iterable[Exponents]) -> list[Exponents]:
    """The exponents that no other one divides, sorted.

    >>> minimal([(2, 0), (1, 1), (2, 1)])
    [(1, 1), (2, 0)]
    """
    kept: list[Exponents] = []
    for alpha in sorted(set(exponents), key=lambda one: (sum(one), one)):
        if not any(all(a >= b for a, b in zip(alpha, other, strict=True)) for other in kept):
            kept.append(alpha)
    return sorted(kept)


def monomial_threshold(exponents: Iterable[Exponents], measure: Sequence[int] | None = None) -> Threshold:
    """The threshold at the origin of the ideal of monomials with these exponents.

    Parameters
    ----------
    exponents:
        Tuples of one length, none of them zero.
    measure:
        ``κ``: one more than the exponents of the variables in the measure; ones if None.

    Raises
    ------
    PolygeomError
        If there is no monomial, or a constant.

    Examples
    --------
    >>> str(monomial_threshold([(2, 2)])), str(monomial_threshold([(1, 2, 1), (1, 0, 3)]))
    ('1/4 (multiplicity 2)', '1/3')
    """
    vertices = minimal(exponents)
    if not vertices or not any(vertices[0]):
        raise PolygeomError("exponents must be those of monomials that vanish at the origin; write [(2, 2)]")
    size = len(vertices[0])
    kappa = [1] * size if measure is None else list(measure)
    program = _Program(vertices, kappa)
    value = program.solve()
    return Threshold(value / 2, size - program.face_dimension())


class _Program:
    """The dual program in the simplex tableau of fractions, Bland's rule; columns: monomials, then slacks."""

    def __init__(self, vertices: list[Exponents], kappa: list[int]) -> None:
        self.vertices, self.size = vertices, len(kappa)
        count = len(vertices)
        self.rows = [
            [Fraction(alpha[i]) for alpha in vertices]
            + [Fraction(int(i == j)) for j in range(self.size)]
            + [Fraction(kappa[i])]
            for i in range(self.size)
        ]
        self.basis = list(range(count, count + self.size))
        self.costs = [Fraction(1)] * count + [Fraction(0)] * (self.size + 1)
        self.allowed = set(range(count + self.size))

    def solve(self) -> Fraction:
        """The largest ``Σ y``."""
        self._ascend(self.costs)
        return -self.costs[-1]

    def _ascend(self, costs: list[Fraction]) -> None:
        while (column := next((j for j in sorted(self.allowed) if costs[j] > 0), None)) is not None:
            ratios = [(row[-1] / row[column], self.basis[i], i) for i, row in enumerate(self.rows) if row[column] > 0]
            if not ratios:
                raise AssertionError("a monomial of exponent zero makes the program unbounded; please report")
            self._pivot(min(ratios)[2], column, costs)

    def _pivot(self, place: int, column: int, costs: list[Fraction]) -> None:
        pivot = self.rows[place][column]
        self.rows[place] = [entry / pivot for entry in self.rows[place]]
        chosen = self.rows[place]
        lines = {id(line): line for line in (*self.rows, costs, self.costs) if line is not chosen}
        for line in lines.values():
            if factor := line[column]:
                line[:] = [a - factor * b for a, b in zip(line, chosen, strict=True)]
        self.basis[place] = column

    def face_dimension(self) -> int:
        """Dimension of the smallest face with the point: spanned by the columns that an optimum can use."""
        self.allowed = {j for j in self.allowed if self.costs[j] == 0}
        used = {self.basis[i] for i, row in enumerate(self.rows) if row[-1] > 0}
        for column in sorted(self.allowed - used):
            if column in used:
                continue
            costs = [Fraction(int(j == column)) for j in range(len(self.costs))]
            for i, row in enumerate(self.rows):
                if self.basis[i] == column:
                    costs = [a - b for a, b in zip(costs, row, strict=True)]
            self._ascend(costs)
            used |= {self.basis[i] for i, row in enumerate(self.rows) if row[-1] > 0}
        count = len(self.vertices)
        points = [self.vertices[j] for j in sorted(used) if j < count]
        spans = [[a - b for a, b in zip(point, points[0], strict=True)] for point in points[1:]]
        spans += [[int(i == j - count) for i in range(self.size)] for j in sorted(used) if j >= count]
        return _rank(spans)


def _rank(rows: list[list[int]]) -> int:
    import flint

    return int(flint.fmpz_mat(rows).rank()) if rows else 0
