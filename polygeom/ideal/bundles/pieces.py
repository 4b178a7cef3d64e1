"""A graded module over a polynomial ring mod p, degree by degree: a basis of every piece and the multiplications.

A piece of degree d is what variables times the piece below span, modulo ``x_a (x_b q) = x_b (x_a q)`` and the relations
of that degree. Where the variables, generators and relations have weights, a piece is the sum of its weight spaces.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.errors import BudgetError
from polygeom.ideal.grading.quotients import TooLargeError
from polygeom.modular import PrimeField, Residues, echelon_form

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_BYTES = 2**31
"""What the equations of one weight space, or the values of the functions of one degree, may take."""

Term = tuple[int, tuple[int, ...]]
"""A generator and a monomial, as increasing numbers of variables, that multiplies it."""


@dataclass(frozen=True)
class Presentation:
    """Generators and relations over a polynomial ring.

    Attributes
    ----------
    variables:
        Weights of the variables.
    generators:
        Degree and weight of each generator.
    relations:
        Degree, weight and terms of each relation, with coefficients mod p.
    """

    variables: tuple[int, ...]
    generators: tuple[tuple[int, int], ...]
    relations: tuple[tuple[int, int, Mapping[Term, float]], ...]

    @property
    def last(self) -> int:
        """Largest degree of a generator or a relation."""
        return max([degree for degree, _ in self.generators] + [degree for degree, _, _ in self.relations], default=0)

    def without(self, generator: int) -> Presentation:
        """The quotient by a generator."""
        kept = [g for g in range(len(self.generators)) if g != generator]
        number = {g: k for k, g in enumerate(kept)}
        relations = [
            (degree, weight, {(number[g], m): c for (g, m), c in terms.items() if g != generator})
            for degree, weight, terms in self.relations
        ]
        return Presentation(self.variables, tuple(self.generators[g] for g in kept), tuple(relations))

    def cut(self, variable: int, images: Sequence[int], field: PrimeField) -> Presentation:
        """The quotient by ``x_variable - Σ c_b x_b``, where ``images`` are the c_b of the other variables in order.

        If some are not zero, weights are given up: all become 0.
        """
        others = [a for a in range(len(self.variables)) if a != variable]
        number = {a: k for k, a in enumerate(others)}
        image = {k: c for k, c in enumerate(images) if c % field.p}
        relations = [
            (degree, weight, _substituted(terms, variable, number, image, field))
            for degree, weight, terms in self.relations
        ]
        if image:
            return Presentation(
                (0,) * len(others),
                tuple((degree, 0) for degree, _ in self.generators),
                tuple((degree, 0, terms) for degree, _, terms in relations),
            )
        return Presentation(tuple(self.variables[a] for a in others), self.generators, tuple(relations))


def _substituted(
    terms: Mapping[Term, float], variable: int, number: Mapping[int, int], image: Mapping[int, int], field: PrimeField
) -> dict[Term, float]:
    found: dict[Term, int] = {}
    for (generator, monomial), coefficient in terms.items():
        parts = {tuple(number[a] for a in monomial if a != variable): int(coefficient) % field.p}
        for _ in range(monomial.count(variable)):
            more: dict[tuple[int, ...], int] = {}
            for m, c in parts.items():
                for b, factor in image.items():
                    key = tuple(sorted((*m, b)))
                    more[key] = (more.get(key, 0) + c * factor) % field.p
            parts = more
        for m, c in parts.items():
            found[generator, m] = (found.get((generator, m), 0) + c) % field.p
    return {term: field.scalar(c) for term, c in found.items() if c}


class Module:
    """The module of a presentation mod p, as far as it was computed.

    Examples
    --------
    The ring in two variables modulo a square:

    >>> module = Module(Presentation((0, 0), ((0, 0),), ((2, 0, {(0, (1, 1)): 1.0}),)), PrimeField(101))
    >>> [module.dimension(degree) for degree in range(4)]
    [1, 2, 2, 2]
    """

    def __init__(self, presentation: Presentation, field: PrimeField) -> None:
        self.presentation, self.field = presentation, field
        self._dimensions: list[int] = []
        self._sizes: dict[tuple[int, int], int] = {}  # of weight spaces
        self._products: dict[
            tuple[int, int, int], Residues
        ] = {}  # degree, variable, weight: rows are images of a basis
        self._firsts: dict[tuple[int, int], NDArray[np.int64]] = {}  # the variable that each basis element begins with
        self._generators: dict[int, Residues] = {}

    def dimension(self, degree: int, deadline: float | None = None) -> int:
        """Dimension of a piece.

        Raises
        ------
        BudgetError
            If the deadline (of `time.monotonic`) passes; what is computed is kept.
        TooLargeError
            If it takes too much memory.
        """
        while len(self._dimensions) <= degree:
            self._advance(len(self._dimensions), deadline)
        return self._dimensions[degree] if degree >= 0 else 0

    def _advance(self, degree: int, deadline: float | None) -> None:
        steps = self.presentation.variables
        weights = {w for d, w in self.presentation.generators if d == degree}
        weights |= {w + a for (d, w), size in self._sizes.items() if d == degree - 1 and size for a in steps}
        for weight in weights:
            if deadline is not None and time.monotonic() > deadline:
                raise BudgetError("the time was over while the regularity of the coordinate ring was bounded")
            self._solve(degree, weight)
        self._dimensions.append(sum(self._sizes[degree, weight] for weight in weights))

    def _solve(self, degree: int, weight: int) -> None:
        """One weight space: columns are variables times bases of the spaces below, and the new generators."""
        steps = self.presentation.variables
        below = [self._sizes.get((degree - 1, weight - a), 0) for a in steps]
        starts = [*itertools.accumulate(below, initial=0)]
        new = [g for g, place in enumerate(self.presentation.generators) if place == (degree, weight)]
        width = starts[-1] + len(new)
        places = {g: starts[-1] + k for k, g in enumerate(new)}
        exchanges = sum(
            self._sizes.get((degree - 2, weight - a - b), 0) for a, b in itertools.combinations(steps, 2)
        )  # at most so many rows
        if 8 * width * exchanges > MOST_BYTES:
            raise TooLargeError
        rows = self._exchanges(degree, weight, starts, width) + self._relations(degree, weight, starts, width, places)
        matrix = np.concatenate([np.zeros((0, width)), *rows])
        form = echelon_form(matrix[matrix.any(axis=1)], self.field)
        free = np.setdiff1d(np.arange(width), form.pivots)
        classes = np.zeros((width, len(free)))
        classes[free, np.arange(len(free))] = 1.0
        classes[list(form.pivots)] = -form.matrix[:, free]
        self._sizes[degree, weight] = len(free)
        self._firsts[degree, weight] = np.searchsorted(starts[1:], free, side="right")
        for a, step in enumerate(steps):
            if below[a]:
                self._products[degree - 1, a, weight - step] = classes[starts[a] : starts[a + 1]]
        for g, column in places.items():
            self._generators[g] = classes[column : column + 1]

    def _exchanges(self, degree: int, weight: int, starts: list[int], width: int) -> list[Residues]:
        """Rows ``x_a (x_b q) - x_b (x_a q)``, a < b, for a basis of elements q two degrees below.

        Those of ``q = x_c q'`` with c > b follow from those of the pairs (a, c) and (b, c), by induction on b.
        """
        rows = []
        steps = self.presentation.variables
        for b, second in enumerate(steps):
            for a, first in enumerate(steps[:b]):
                place = (degree - 2, weight - first - second)
                if not self._sizes.get(place, 0):
                    continue
                chosen = np.flatnonzero((self._firsts[place] <= b) | (self._firsts[place] == len(steps)))
                row = np.zeros((len(chosen), width))
                for outer, inner, sign in ((a, b, 1.0), (b, a, -1.0)):
                    product = self._products[place[0], inner, place[1]]
                    row[:, starts[outer] : starts[outer] + product.shape[1]] = sign * product[chosen]
                rows.append(row)
        return rows

    def _relations(
        self, degree: int, weight: int, starts: list[int], width: int, places: Mapping[int, int]
    ) -> list[Residues]:
        rows = []
        for d, w, terms in self.presentation.relations:
            if (d, w) != (degree, weight):
                continue
            row = np.zeros((1, width))
            for (generator, monomial), coefficient in terms.items():
                if not monomial:
                    row[0, places[generator]] += coefficient
                    continue
                vector = self._element(generator, monomial[1:])
                start = starts[monomial[0]]
                part = row[:, start : start + vector.shape[1]]
                row[:, start : start + vector.shape[1]] = self.field.add(
                    part, self.field.multiply(vector, np.full(vector.shape, coefficient))
                )
            rows.append(self.field.reduce(row))
        return rows

    def _element(self, generator: int, monomial: tuple[int, ...]) -> Residues:
        """A generator times a monomial, in the basis of its weight space."""
        degree, weight = self.presentation.generators[generator]
        vector = self._generators[generator]
        for a in monomial:
            step = self.presentation.variables[a]
            if vector.shape[1]:
                vector = self.field.matmul(vector, self._products[degree, a, weight])
            else:
                vector = np.zeros((1, self._sizes.get((degree + 1, weight + step), 0)))
            degree, weight = degree + 1, weight + step
        return vector
