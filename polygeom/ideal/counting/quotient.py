"""Counting the solutions of polynomial equations mod p by linear algebra: the dimension of a quotient ring.

Let ``V`` be the span of the given polynomials in the space of all polynomials of degree at most ``D``, enlarged by the
multiples ``x_i v`` of its elements of degree below ``D`` until nothing changes. If every monomial of degree ``D`` is
then the leading monomial of an element of ``V``, the monomials that are not span the quotient ring, and ``V`` says what
the variables do to them. If these matrices commute, they are a basis: ``V`` contains a border basis (Mourrain, "A new
criterion for normal form algorithms", AAECC 1999; Kehrein, Kreuzer, "Computing border bases", J. Pure Appl. Algebra
205, 2006). Their number is the number of solutions over the algebraic closure, counted with multiplicities. No Gröbner
basis is needed, and all the work is elimination mod p.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from polygeom.errors import BudgetError, PolygeomError
from polygeom.modular import PrimeField, Residues, echelon_form
from polygeom.network.ambient.degrees import Exponents, exponent_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

Polynomial = Mapping[Exponents, int]
"""Coefficients by exponents."""

MOST_MONOMIALS = 6000
"""Largest number of monomials of degree at most ``D``."""
_ROWS = 400
"""Rows that are eliminated together: a deadline is noticed in between."""


def quotient_dimension(
    polynomials: Sequence[Polynomial],
    field: PrimeField,
    *,
    most_monomials: int = MOST_MONOMIALS,
    until: float | None = None,
) -> int:
    """Dimension of the polynomial ring modulo an ideal, which must be finite.

    Parameters
    ----------
    polynomials:
        Generators, with integer coefficients that are read mod p.
    field:
        The prime field.
    most_monomials:
        How far ``D`` may grow.
    until:
        `time.monotonic` at which to give up.

    Returns
    -------
    The dimension over the prime field, exact. If the polynomials have integer coefficients, it is at least the
    dimension over the rationals.

    Raises
    ------
    PolygeomError
        If there is no polynomial, or they have different numbers of variables.
    BudgetError
        If more monomials or time is needed, as is always so when there are infinitely many solutions.

    Examples
    --------
    >>> circle, line = {(2, 0): 1, (0, 2): 1, (0, 0): -25}, {(1, 0): 1, (0, 1): -1}
    >>> quotient_dimension([circle, line], PrimeField(101))
    2
    """
    nonzero = [f for f in polynomials if any(c % field.p for c in f.values())]
    sizes = {len(exponents) for f in nonzero for exponents in f}
    if len(sizes) != 1:
        raise PolygeomError("polynomials must be at least one, not zero, and all in the same variables")
    variables = sizes.pop()
    top = max(sum(exponents) for f in nonzero for exponents in f)
    while math.comb(variables + top, top) <= most_monomials:
        span = _Span(variables, top, field, until)
        span.close(nonzero)
        if (count := span.standard()) is not None:
            return count
        top += 1
    raise BudgetError(
        f"the solutions are infinitely many, or counting them needs more than {most_monomials} monomials; "
        "count critical points by monodromy instead"
    )


class _Span:
    """A subspace of the polynomials of degree at most ``top``, in reduced echelon form by falling degree."""

    def __init__(self, variables: int, top: int, field: PrimeField, until: float | None = None) -> None:
        self.until = until
        self.variables, self.top, self.field = variables, top, field
        self.monomials = [alpha for d in range(top, -1, -1) for alpha in exponent_vectors(variables, d)]
        self.number = {alpha: k for k, alpha in enumerate(self.monomials)}
        self.leading = math.comb(variables + top - 1, top)  # so many monomials have the largest degree
        low = self.monomials[self.leading :]
        self.raised = [
            np.array([self.number[(*alpha[:i], alpha[i] + 1, *alpha[i + 1 :])] for alpha in low], dtype=np.int64)
            for i in range(variables)
        ]
        self.rows: Residues = np.zeros((0, len(self.monomials)))
        self.pivots: NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def close(self, polynomials: Sequence[Polynomial]) -> None:
        """The smallest subspace with the polynomials that is stable under multiplication below the largest degree."""
        start = np.zeros((len(polynomials), len(self.monomials)), dtype=object)
        for row, f in zip(start, polynomials, strict=True):
            for exponents, c in f.items():
                row[self.number[exponents]] = int(c)
        new = self.add(self.field.encode(start))
        while len(new):
            products = np.concatenate([self.times(new, i) for i in range(self.variables)])
            new = np.concatenate([self.add(products[i : i + _ROWS]) for i in range(0, len(products), _ROWS)])

    def times(self, rows: Residues, variable: int) -> Residues:
        """The products with one variable of rows of degree below the largest."""
        product = np.zeros_like(rows)
        product[:, self.raised[variable]] = rows[:, self.leading :]
        return product

    def add(self, rows: Residues) -> Residues:
        """Enlarge the span by ``rows``; the new basis elements of degree below the largest."""
        if self.until is not None and time.monotonic() > self.until:
            raise BudgetError("the time was up; give more, or count critical points by monodromy instead")
        rest = self._reduced(rows, self.rows, self.pivots)
        rest = rest[rest.any(axis=1)]
        if not len(rest):
            return rest
        form = echelon_form(rest, self.field)
        pivots = np.array(form.pivots, dtype=np.int64)
        known = self._reduced(self.rows, form.matrix, pivots)
        self.rows = np.concatenate([known, form.matrix])
        self.pivots = np.concatenate([self.pivots, pivots])
        return form.matrix[pivots >= self.leading]

    def _reduced(self, rows: Residues, by: Residues, pivots: NDArray[np.int64]) -> Residues:
        if not len(by) or not len(rows):
            return rows
        return self.field.subtract(rows, self.field.matmul(np.ascontiguousarray(rows[:, pivots]), by))

    def standard(self) -> int | None:
        """Number of monomials that lead no element; None if one of them has the largest degree, or if the products by
        two variables, read off the span, depend on their order: then relations of higher degree are missing.
        """
        if int((self.pivots < self.leading).sum()) < self.leading:
            return None
        basis = np.setdiff1d(np.arange(len(self.monomials)), self.pivots)
        row = {k: n for n, k in enumerate(self.pivots.tolist())}
        column = {k: n for n, k in enumerate(basis.tolist())}
        products = []
        for i in range(self.variables):
            matrix = np.zeros((len(basis), len(basis)))
            for n, k in enumerate(self.raised[i][basis - self.leading].tolist()):
                if k in column:
                    matrix[n, column[k]] = 1
                else:
                    matrix[n] = self.field.subtract(matrix[n], self.rows[row[k], basis])
            products.append(matrix)
        for a, b in itertools.combinations(products, 2):
            if not np.array_equal(self.field.matmul(a, b), self.field.matmul(b, a)):
                return None
        return len(basis)
