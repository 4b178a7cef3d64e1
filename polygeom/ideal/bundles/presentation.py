"""The sections on the bundle of pencils as a module over the polynomial ring in the coordinates of its image.

``M = ⊕ H^0(X, O(t))`` is 2-regular (`polygeom.ideal.bundles.pencils`), so it has generators in degrees 0, 1, 2 and
relations in degrees 2, 3, and these are all. Functions are known by their values at random points mod p. Values of
functions of degree t span at most ``H^0(S^t F*)``; where their rank is its dimension, the functions are all sections
and the points tell them apart, so relations among values are relations. This is checked in degrees 1, 2 and 3: a
presentation that is returned is right whatever points were drawn.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.ideal.bundles.pencils import Pencils
from polygeom.ideal.bundles.pieces import MOST_BYTES, Presentation, Term
from polygeom.modular import PrimeField, Residues, nullspace, pivot_columns

SURPLUS = 12
"""Points beyond the number of functions of a weight."""
_OUTPUT = 10**6
"""The weight of an output: more than any degree in the second variable."""


@dataclass(frozen=True)
class _Function:
    """A section with its degree, weight, and values ``(points,)``."""

    degree: int
    weight: int
    values: Residues


def sections(bundle: Pencils, field: PrimeField, seed: int) -> Presentation | None:
    """All sections as a module over the coordinates; the first generator is the function 1.

    None where p is at most the degree of the forms, the coordinates are not independent functions, or the values do not
    show that all is found (as when p is so small that points coincide), or would take too much memory.

    Examples
    --------
    >>> found = sections(Pencils(3, 3, 1), PrimeField(32003), 0)
    >>> len(found.generators), len(found.relations)
    (21, 195)
    """
    if field.p <= bundle.first * bundle.rest or 8 * _entries(bundle) > MOST_BYTES:
        return None
    return _Sections(bundle, field, seed).presentation()


def _entries(bundle: Pencils) -> int:
    """Values of the functions of degree 3, without the few generators of degree 2."""
    size = len(bundle.coordinates)
    multiples = math.comb(size + 2, 3) + (bundle.sections(1) - size) * math.comb(size + 1, 2)
    return multiples * _points(bundle)


def _points(bundle: Pencils) -> int:
    return bundle.sections(3) // 2 + SURPLUS


class _Sections:
    def __init__(self, bundle: Pencils, field: PrimeField, seed: int) -> None:
        self.bundle, self.field = bundle, field
        names = bundle.functions()
        count = _points(bundle)
        values = bundle.values(count, field, np.random.default_rng(seed))
        places = [(output, sum(monomial)) for output, monomial in names]
        self.all = [_Function(1, _weight(place), row) for place, row in zip(places, values, strict=True)]
        self.coordinates = [
            _Function(
                1, _weight(place), field.reduce(sum(row for p, row in zip(places, values, strict=True) if p == place))
            )
            for place in bundle.coordinates
        ]
        self.generators = [_Function(0, 0, np.ones(count))]

    def presentation(self) -> Presentation | None:
        """Generators and relations degree by degree, None if a rank is not that of all sections."""
        relations: list[tuple[int, int, dict[Term, float]]] = []
        for degree in (1, 2, 3):
            rank = 0
            known = self._multiples(degree)
            new = _by_weight(self.all if degree == 1 else self._products() if degree == 2 else ())
            for weight in sorted(known.keys() | new.keys()):
                terms, functions = known.get(weight, ([], [])), new.get(weight, [])
                found, missing, kernel = self._solve(terms[1], functions)
                rank += found
                self.generators += missing
                relations += [
                    (degree, weight, {terms[0][k]: float(row[k]) for k in np.flatnonzero(row).tolist()})
                    for row in kernel
                ]
            if rank != self.bundle.sections(degree) or (degree == 1 and relations):
                return None
        return Presentation(
            tuple(c.weight for c in self.coordinates),
            tuple((g.degree, g.weight) for g in self.generators),
            tuple(relations),
        )

    def _products(self) -> Iterator[_Function]:
        """Products of two generators of degree one: with multiples of coordinates they span all products of two."""
        ones = [g for g in self.generators if g.degree == 1]
        for g, h in itertools.combinations_with_replacement(ones, 2):
            yield _Function(2, g.weight + h.weight, self.field.multiply(g.values, h.values))

    def _multiples(self, degree: int) -> dict[int, tuple[list[Term], list[Residues]]]:
        """Generators times monomials in the coordinates, by weight: the terms and their values."""
        found: dict[int, tuple[list[Term], list[Residues]]] = {}
        for number, generator in enumerate(self.generators):
            size = range(len(self.coordinates))
            for monomial in itertools.combinations_with_replacement(size, degree - generator.degree):
                values, weight = generator.values, generator.weight
                for a in monomial:
                    values = self.field.multiply(values, self.coordinates[a].values)
                    weight += self.coordinates[a].weight
                terms = found.setdefault(weight, ([], []))
                terms[0].append((number, monomial))
                terms[1].append(values)
        return found

    def _solve(self, known: Sequence[Residues], new: Sequence[_Function]) -> tuple[int, list[_Function], Residues]:
        """The rank of all values, those of the new functions that raise it, and the relations among the known ones."""
        table = np.array([*known, *(f.values for f in new)])
        table = np.ascontiguousarray(table[:, : len(table) + SURPLUS].T)
        pivots = pivot_columns(table, self.field)
        kernel = nullspace(table[:, : len(known)], self.field) if known else np.zeros((0, 0))
        return len(pivots), [new[k - len(known)] for k in pivots if k >= len(known)], kernel


def _weight(place: tuple[int, int]) -> int:
    output, power = place
    return _OUTPUT**output + power if output else power


def _by_weight(functions: Iterable[_Function]) -> dict[int, list[_Function]]:
    found: dict[int, list[_Function]] = {}
    for function in functions:
        found.setdefault(function.weight, []).append(function)
    return found
