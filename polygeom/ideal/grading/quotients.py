"""The quotient ring of homogeneous polynomials mod p, degree by degree, as multiplications by variables.

A degree has a basis of monomials. The next one consists of the products of variables and basis elements, of which
those with the same monomial are the same, modulo images of equations and ``x_i (x_j a) = x_j (x_i a)``. Where the last
variable w divides no zero, as on a section by points, ``w`` times a basis is a part of the next one, and ``x_i (w b) =
w (x_i b)`` is known: only products without w are unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from polygeom.ideal.grading.forms import CHUNK, Integers
from polygeom.modular import PrimeField, Residues, nullspace

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_COLUMNS = 1500
"""Largest number of products of variables and basis elements of one degree."""
SPARE = 16
"""Random combinations of relations beyond the largest possible rank."""
PER_ROW = 3
"""Into how many combinations each relation enters."""


class TooLargeError(Exception):
    """A quotient ring has too many monomials or dimensions, or its last variable divides zero."""


class Quotient:
    """A quotient ring in some variables that grows by one degree at a time.

    Parameters
    ----------
    variables:
        Their number.
    field:
        The prime field.
    rng:
        Which relations are tried first, and at which vectors the others are checked.
    pure:
        Take it that the last variable divides no zero: if it does, `TooLargeError` is raised.

    Attributes
    ----------
    hilbert, multiply:
        See `polygeom.ideal.search.sections.Section`.
    """

    def __init__(self, variables: int, field: PrimeField, rng: np.random.Generator, pure: bool) -> None:
        self.variables, self.field, self.rng, self.pure = variables, field, rng, pure
        self.hilbert: list[int] = [1]
        self.multiply: list[Residues] = []
        self._free = variables - pure
        """The first variables: all but one if that divides no zero."""
        self._monomials: Integers = np.zeros((1, 0), dtype=np.int64)
        """The basis elements without the last variable, which come first; the others are products with it."""
        self._below = 0
        """How many such there are one degree below."""
        self._units: NDArray[np.bool_] = np.ones((self._free, 0), dtype=bool)
        """Whether variable ``i`` times such an element one degree below is a basis element."""

    def advance(self, equations: Sequence[tuple[Residues, Residues]] | None) -> None:
        """Add a degree.

        Parameters
        ----------
        equations:
            For every variable ``i`` a pair ``(equations, monomials)``, ``(monomials, dimension)``: the equations are
            the sums of ``i`` times the products of the pairs, which lie in the degree before.

        Raises
        ------
        TooLargeError
            If there are more than `MOST_COLUMNS` products, or the last variable divides zero and must not.
        """
        size = self.hilbert[-1]
        if size == 0:
            self.multiply.append(np.zeros((self.variables, 0, 0)))
            self.hilbert.append(0)
            return
        columns, products = _columns(self._monomials, self._free)
        if len(products) > MOST_COLUMNS:
            raise TooLargeError(f"more than {MOST_COLUMNS} products of {self.variables} variables and a basis")
        expansion = self._expansion(columns, len(products))
        images = self._images(equations or (), expansion)
        found = self._functionals(images, columns, expansion)
        width = found.shape[1]
        free = width - 1 - np.argmax(np.flip(found != 0, axis=1), axis=1)  # where the nullspace is the identity
        if self.pure and free[-size:].tolist() != list(range(width - size, width)):
            raise TooLargeError("the last variable divides zero")
        chosen = np.zeros(width, dtype=bool)
        chosen[free] = True
        self.multiply.append(self.field.matmul(expansion, np.ascontiguousarray(found.T)))
        self.hilbert.append(len(found))
        self._below = len(self._monomials)
        self._units = chosen[columns]
        self._monomials = products[free[free < len(products)]]

    def _expansion(self, columns: Integers, unknown: int) -> Residues:
        """Every variable times every basis element over the columns, ``(variables, dimension, columns)``."""
        size, own, free = self.hilbert[-1], columns.shape[1], self._free
        out = np.zeros((self.variables, size, unknown + self.pure * size))
        out[np.arange(free)[:, None], np.arange(own), columns] = 1.0
        if self.pure:
            out[free, np.arange(size), unknown + np.arange(size)] = 1.0
            if self.multiply:
                out[:free, own:, unknown:] = self.multiply[-1][:free]
        return out

    def _images(self, equations: Sequence[tuple[Residues, Residues]], expansion: Residues) -> Residues:
        """Equations over the columns."""
        out = np.zeros((len(equations[0][0]) if equations else 0, expansion.shape[2]))
        for (factors, values), own in zip(equations, expansion, strict=bool(equations)):
            if len(out) and factors.shape[1]:
                inner = self.field.matmul(np.ascontiguousarray(factors), np.ascontiguousarray(values))
                out += self.field.matmul(inner, own)
        return self.field.reduce(out)

    def _functionals(self, images: Residues, columns: Integers, expansion: Residues) -> Residues:
        """A basis of the functionals on the columns that vanish on all relations, ``(dimension, columns)``.

        A product that is a variable times a monomial outside the basis needs one relation; with some more that is
        nearly always all. Whether the others hold is seen at random vectors, and if they do not, all take part. Too few
        relations would make the ring larger, so that a proof fails, never smaller.
        """
        if not self._below:
            return nullspace(images, self.field)
        last = np.ascontiguousarray(self.multiply[-1][: self._free, : self._below])
        firsts, seconds = np.triu_indices(self._free, 1)
        pairs, elements = np.nonzero(~(self._units[firsts] & self._units[seconds]))
        relations = np.stack([firsts[pairs], seconds[pairs], elements])
        chosen = self._chosen(last, columns, relations)
        found = nullspace(np.concatenate([images, self._commuting(last, expansion, relations[:, chosen])]), self.field)
        if len(chosen) == relations.shape[1] or self._commutes(last, expansion[: self._free], found):
            return found
        mixed = np.zeros((images.shape[1] + SPARE, images.shape[1]))
        step = max(1, CHUNK // images.shape[1])
        for start in range(0, relations.shape[1], step):
            self._mix(self._commuting(last, expansion, relations[:, start : start + step]), mixed)
        return nullspace(np.concatenate([images, mixed]), self.field)

    def _chosen(self, last: Residues, columns: Integers, relations: Integers) -> Integers:
        """Numbers of relations: for every product one with a monomial outside the basis, if any, and some more."""
        order = self.rng.permutation(relations.shape[1])
        i, j, elements = relations[:, order]
        first, second = self._units[i, elements], self._units[j, elements]
        inside, outside = np.where(first, i, j), np.where(first, j, i)
        numbers = np.where(first != second, last[inside, elements].argmax(axis=1), 0)  # of the basis element
        products = np.where(first != second, columns[outside, numbers], -1)
        _, starts = np.unique(products, return_index=True)
        more = len(starts) // 4 + 4 * SPARE
        return np.asarray(order[np.union1d(starts, np.arange(min(len(order), more)))])

    def _commuting(self, last: Residues, expansion: Residues, relations: Integers) -> Residues:
        """Rows ``x_i (x_j a) - x_j (x_i a)`` over the columns."""
        i, j, elements = relations
        rows = np.zeros((len(i), expansion.shape[2]))
        for outer, inner, sign in ((i, j, 1.0), (j, i, -1.0)):
            for variable in np.unique(outer).tolist():
                own = outer == variable
                rows[own] += sign * self.field.matmul(last[inner[own], elements[own]], expansion[variable])
        return self.field.reduce(rows)

    def _commutes(self, last: Residues, expansion: Residues, found: Residues) -> bool:
        """Whether multiplications that functionals give commute, at random vectors."""
        vectors = self.field.matmul(np.ascontiguousarray(found.T), self.field.random(self.rng, (len(found), 2)))
        products = self.field.matmul(last[:, None], self.field.matmul(expansion, vectors)[None])
        return not self.field.subtract(products, products.transpose(1, 0, 2, 3)).any()

    def _mix(self, rows: Residues, mixed: Residues) -> None:
        """Add every row, times random factors, to `PER_ROW` rows of another matrix."""
        for _ in range(PER_ROW):
            targets = np.sort(self.rng.integers(0, len(mixed), size=len(rows)))
            starts = np.flatnonzero(np.diff(targets, prepend=-1))
            factors = self.field.random(self.rng, (len(rows), 1))
            scaled = self.field.multiply(rows[self.rng.permutation(len(rows))], factors)
            mixed[targets[starts]] += np.add.reduceat(scaled, starts, axis=0)
        self.field.reduce_inplace(mixed)


def _columns(basis: Integers, variables: int) -> tuple[Integers, Integers]:
    """The different products of variables and monomials: for every pair its number, and all products in order."""
    size, degree = basis.shape
    pairs = np.empty((variables, size, degree + 1), dtype=np.int64)
    pairs[:, :, :degree] = basis
    pairs[:, :, degree] = np.arange(variables)[:, None]
    products, columns = np.unique(np.sort(pairs, axis=2).reshape(-1, degree + 1), axis=0, return_inverse=True)
    return columns.reshape(variables, size), products
