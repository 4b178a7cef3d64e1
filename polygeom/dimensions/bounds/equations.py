"""Equations of the image of weights ↦ coefficients, of low degree: found modulo a prime, proved by expansion.

The coordinates are the coefficients of the outputs that depend on the weights, ordered by output and by the exponents
of their monomial. Those scalings of the weights under which every coordinate is homogeneous grade the equations, so
that the linear systems for their coefficients are small. They are solved modulo a prime, at coefficients of random
weights, the solutions are lifted to the rationals, and those that are needed are proved: with the coefficients as
polynomials in the weights they are zero. An equation is a tuple of terms ``(a, b, m)``: ``a/b`` times the product of
the coordinates whose numbers are in m.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np

from polygeom.dimensions.bounds.bound import Equation
from polygeom.dimensions.bounds.expansion import Expansion, expand, product
from polygeom.dimensions.bounds.fields import PRIME, as_fraction
from polygeom.errors import PolygeomError
from polygeom.network import Network

MOST_WEIGHTS = 60
MOST_DEGREE = 4
MOST_MONOMIALS = 6000
"""Of a degree with more monomials in all coordinates no equations are searched for."""
MOST_UNKNOWNS = 400
"""Most monomials of one weight."""

Coordinate = dict[tuple[int, ...], Any]
"""A polynomial in the weights: rational coefficients by exponents."""


def equations(network: Network, rank: int) -> tuple[int, tuple[Equation, ...]]:
    """The number of coordinates, and proved equations with independent differentials at a point of the image.

    As many equations as ``coordinates - rank`` where they are found; none where the network is too large.
    """
    if not 0 < network.parameter_count <= MOST_WEIGHTS:
        return 0, ()
    try:
        expansion = expand(network)
        coordinates = list(coordinates_of(expansion, network.input_dimension))
        chosen = list(itertools.islice(_independent(coordinates, rank), len(coordinates) - rank))
        return len(coordinates), tuple(_proved(expansion, network.input_dimension, coordinates, chosen))
    except PolygeomError:
        return 0, ()


def coordinates_of(expansion: Expansion, inputs: int) -> Iterator[Coordinate]:
    """The coefficients that depend on the weights, in their order."""
    for output in expansion.outputs:
        found: dict[tuple[int, ...], Coordinate] = defaultdict(dict)
        for exponents, c in output.to_dict().items():
            found[tuple(exponents[:inputs])][tuple(exponents[inputs:])] = c
        for monomial in sorted(found):
            if any(any(exponents) for exponents in found[monomial]):
                yield found[monomial]


def _independent(coordinates: list[Coordinate], rank: int) -> Iterator[Equation]:
    """Candidates, the differential of each independent of those before it at one point of the image."""
    samples, size, found = _Samples(coordinates), len(coordinates), list[tuple[int, np.ndarray]]()
    for degree in range(1, MOST_DEGREE + 1):
        if len(found) + rank >= size or math.comb(size + degree, degree) > MOST_MONOMIALS:
            return
        for unknowns in _ansatz(coordinates, degree):
            for equation in _solutions(unknowns, samples):
                row = np.array(_differential(equation, samples[0]), dtype=np.int64) % PRIME
                for pivot, other in found:  # rows with 1 at their pivots, reduced by those before them
                    row = (row - row[pivot] * other) % PRIME
                if row.any():
                    pivot = int(row.argmax())
                    found.append((pivot, row * pow(int(row[pivot]), -1, PRIME) % PRIME))
                    yield equation


def _ansatz(coordinates: list[Coordinate], degree: int) -> list[list[tuple[int, ...]]]:
    """Monomials of up to this degree by their weights under scalings, each with some of the degree, small first."""
    columns = _gradings(coordinates)
    groups: dict[tuple[int, ...], list[tuple[int, ...]]] = defaultdict(list)
    for lower in range(degree + 1):
        for m in itertools.combinations_with_replacement(range(len(coordinates)), lower):
            groups[tuple(columns[:, list(m)].sum(axis=1).tolist())].append(m)
    useful = (g for g in groups.values() if len(g) <= MOST_UNKNOWNS and len(g[-1]) == degree)
    return sorted(useful, key=len)


def _gradings(coordinates: list[Coordinate]) -> np.ndarray:
    """The weights of the coordinates under all scalings of the network's weights that scale every coordinate."""
    import flint

    firsts = [next(iter(c)) for c in coordinates]
    rows = {
        tuple(a - b for a, b in zip(exponents, first, strict=True))
        for coordinate, first in zip(coordinates, firsts, strict=True)
        for exponents in coordinate
    }
    table = flint.fmpz_mat([list(row) for row in sorted(rows)])
    kernel, nullity = table.nullspace()
    basis = [[int(kernel[k, j]) for k in range(kernel.nrows())] for j in range(nullity)]
    weights: np.ndarray = np.array(basis, dtype=object).reshape(nullity, -1) @ np.array(firsts, dtype=object).T
    return weights


class _Samples:
    """Coordinates of random weights modulo the prime."""

    def __init__(self, coordinates: list[Coordinate]) -> None:
        self._rng, self._known = np.random.default_rng(13), list[list[int]]()
        self._terms = [
            [
                (int(c.p) * pow(int(c.q), -1, PRIME) % PRIME, [(k, e) for k, e in enumerate(es) if e])
                for es, c in one.items()
            ]
            for one in coordinates
        ]
        self._weights = len(next(iter(coordinates[0]))) if coordinates else 0

    def __getitem__(self, number: int) -> list[int]:
        while len(self._known) <= number:
            w = self._rng.integers(1, PRIME, size=self._weights).tolist()
            self._known.append(
                [sum(c * math.prod(pow(w[k], e, PRIME) for k, e in m) for c, m in one) % PRIME for one in self._terms]
            )
        return self._known[number]


def _solutions(unknowns: list[tuple[int, ...]], samples: _Samples) -> Iterator[Equation]:
    import flint

    size = len(unknowns)
    rows = []
    for number in range(1, size + 7):
        point = samples[number]
        values: dict[tuple[int, ...], int] = {}
        for m in unknowns:
            value = 1
            for i in m:
                value = value * point[i] % PRIME
            values[m] = value
        rows.append(list(values.values()))
    kernel, nullity = flint.nmod_mat(len(rows), size, [c for row in rows for c in row], PRIME).nullspace()
    if not nullity:
        return
    basis = [int(kernel[i, j]) for j in range(nullity) for i in range(size)]
    reduced = flint.nmod_mat(nullity, size, basis, PRIME).rref()[0]
    for r in range(nullity):
        entries = [(j, as_fraction(int(reduced[r, j]))) for j in range(size) if int(reduced[r, j])]
        if all(c is not None for _, c in entries):
            yield tuple((c.numerator, c.denominator, unknowns[j]) for j, c in entries if c is not None)


def _differential(equation: Equation, point: list[int]) -> list[int]:
    row = [0] * len(point)
    for a, b, m in equation:
        for place, i in enumerate(m):
            rest = math.prod(point[j] for j in (*m[:place], *m[place + 1 :]))
            row[i] = (row[i] + a * pow(b, -1, PRIME) * rest) % PRIME
    return row


def _proved(
    expansion: Expansion, inputs: int, coordinates: list[Coordinate], chosen: list[Equation]
) -> Iterator[Equation]:
    """Those of the equations that are zero as polynomials in the weights."""
    import flint

    ring = expansion.ring
    values = [ring.from_dict({(0,) * inputs + exponents: c for exponents, c in one.items()}) for one in coordinates]
    for equation in chosen:
        total = ring.constant(0)
        for a, b, m in equation:
            term = ring.constant(flint.fmpq(a, b))
            for i in m:
                term = product(term, values[i])
            total = total + term
        if not len(total):
            yield equation
