"""Ranks at given weights, modulo a prime: lower bounds that are proved, whatever the prime.

A minor that is not zero modulo ``p`` is not zero. All that the theorems of this room ask for is that a rank is as large
as it can be, so these bounds prove it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import combinations_with_replacement, product
from typing import Any

import numpy as np

from polygeom.dimensions.ranks.tangent import TAIL, activation_degrees, jacobian
from polygeom.dimensions.ranks.witness import field_for, generator
from polygeom.modular import PrimeField, rank
from polygeom.network import Network

Weights = Mapping[str, np.ndarray]
"""Arrays of exact numbers (dtype object) by name."""
Matrix = list[list[Fraction]]
MOST_COLUMNS = 4000
"""A rank of more columns is not tried."""


def residues(values: Any, field: PrimeField) -> np.ndarray:
    """An array of fractions modulo the prime of a field that divides no denominator."""
    p = field.p
    flat = [value.numerator % p * pow(value.denominator, -1, p) % p for value in np.asarray(values, object).ravel()]
    return np.array(flat, dtype=np.float64).reshape(np.shape(values))


def a_field(seed: int, network: Network, weights: Weights) -> PrimeField:
    """A random prime that divides no activation degree and no denominator of the weights."""
    divisors = {value.denominator for array in weights.values() for value in array.ravel()}
    source = generator(seed, 1)
    while True:
        field = field_for(source, 1, (*activation_degrees(network), *divisors))
        if all(divisor % field.p for divisor in divisors):
            return field


def rank_at(network: Network, weights: Weights, most: int, seed: int) -> int:
    """The rank of weights ↦ functions at given weights: a proved lower bound, sharp unless a prime is unlucky.

    Parameters
    ----------
    network, weights:
        Any network and exact weights.
    most:
        An upper bound for the rank, which sizes the number of points.
    seed:
        Of the points and the prime.
    """
    field = a_field(seed, network, weights)
    source = generator(seed, 2)
    count = -(-most // network.output_dimension) + TAIL
    reduced = {name: residues(weights[name], field) for name in network.parameters}
    rows = jacobian(network, field, reduced, field.random(source, (count, *network.input_shape)))
    matrix = rows.reshape(-1, network.parameter_count)
    return rank(matrix, field) if matrix.size else 0


def monomials(variables: int, degree: int) -> list[tuple[int, ...]]:
    """The exponents of all monomials of one degree.

    >>> monomials(2, 2)
    [(2, 0), (1, 1), (0, 2)]
    """
    return [
        tuple(places.count(i) for i in range(variables))
        for places in combinations_with_replacement(range(variables), degree)
    ]


def relaxed_rank(matrices: Sequence[Matrix], degrees: Sequence[int], layer: int, seed: int) -> int:
    """The rank of a perceptron in which one hidden layer and its weights give way to a vector of any forms.

    Parameters
    ----------
    matrices, degrees:
        Weights, first layer first, and activation degrees; at these the rank is taken.
    layer:
        The hidden layer, counted from 1: ``W_layer`` and ``W_{layer+1}`` are replaced by a vector of all forms of its
        activation degree in the features before it.

    Returns
    -------
    A proved lower bound; 0 if it were too large to compute.
    """
    p = 2**31 - 1
    source = np.random.default_rng((seed, 3))
    reduced = [
        np.array([[v.numerator * pow(v.denominator, -1, p) % p for v in row] for row in m], object) for m in matrices
    ]
    widths = [len(matrices[0][0]), *map(len, matrices)]
    inputs, outputs, degree = widths[layer - 1], widths[layer + 1], degrees[layer - 1]
    others = [k for k in range(1, len(widths)) if k not in (layer, layer + 1)]
    size = sum(widths[k] * widths[k - 1] for k in others) + outputs * math.comb(inputs + degree - 1, degree)
    if size > MOST_COLUMNS:
        return 0
    forms = monomials(inputs, degree)
    rows = []
    for _ in range(-(-size // widths[-1]) + TAIL):
        point = np.array(source.integers(0, p, widths[0]).tolist(), object)
        values, sums = [point], []
        for k, matrix in enumerate(reduced):
            sums.append(matrix @ values[-1] % p)
            values.append(sums[-1] ** degrees[k] % p if k < len(degrees) else sums[-1])
        slopes = {len(matrices): np.eye(widths[-1], dtype=object)}
        for k in range(len(matrices) - 1, 0, -1):
            slopes[k] = slopes[k + 1] @ reduced[k] * (degrees[k - 1] * sums[k - 1] ** (degrees[k - 1] - 1)) % p
        features = np.array(
            [math.prod(int(x) ** a for x, a in zip(values[layer - 1], form, strict=True)) % p for form in forms], object
        )
        for o in range(widths[-1]):
            parts = [np.outer(slopes[k][o], values[k - 1]).ravel() for k in others]
            parts.append(np.outer(slopes[layer + 1][o], features).ravel())
            rows.append((np.concatenate(parts) % p).tolist())
    import flint

    return int(flint.nmod_mat(len(rows), size, [int(v) for row in rows for v in row], p).rank())


def doubly_vanishing(points: Sequence[Sequence[Fraction]], degree: int) -> Matrix:
    """A basis of the forms of a degree that vanish doubly at points, as vectors of coefficients of `monomials`."""
    import flint

    columns = monomials(len(points[0]), degree)
    conditions = [row for point in points for row in _double(point, columns)]
    matrix = flint.fmpq_mat(len(conditions), len(columns), [_flint(v) for row in conditions for v in row])
    reduced, found = matrix.rref()
    pivots = [next(j for j in range(len(columns)) if reduced[i, j] != 0) for i in range(found)]
    basis = []
    for j in (j for j in range(len(columns)) if j not in pivots):
        vector = [Fraction(0)] * len(columns)
        vector[j] = Fraction(1)
        for i, pivot in enumerate(pivots):
            vector[pivot] = -_fraction(reduced[i, j])
        basis.append(vector)
    return basis


def _double(point: Sequence[Fraction], columns: Sequence[tuple[int, ...]]) -> Matrix:
    """The derivatives of all monomials at a point; by Euler's formula they vanish with the value."""
    return [
        [
            Fraction(alpha[i])
            * math.prod(x ** (a - (k == i)) for k, (x, a) in enumerate(zip(point, alpha, strict=True)))
            if alpha[i]
            else Fraction(0)
            for alpha in columns
        ]
        for i in range(len(point))
    ]


def only_double_points(points: Sequence[Sequence[Fraction]], degree: int) -> bool:
    """Whether the forms of a degree that vanish doubly at points cut out these double points and nothing else.

    A proof if True: for some ``s`` the double points impose independent conditions on forms of degree ``s - 1``, so
    that their ideal is generated in degree ``s`` at most (Castelnuovo–Mumford), and the multiples of the given forms
    are all of its forms of degree ``s``.
    """
    size, basis = len(points[0]), doubly_vanishing(points, degree)
    if not basis:
        return False
    conditions = size * len(points)
    for s in range(degree, degree + 4):
        below, columns = monomials(size, s - 1), monomials(size, s)
        if len(columns) > MOST_COLUMNS // 8:
            return False
        if len(below) < conditions or _rational_rank([r for q in points for r in _double(q, below)]) < conditions:
            continue
        place = {alpha: j for j, alpha in enumerate(columns)}
        rows = []
        for vector, shift in product(basis, monomials(size, s - degree)):
            row = [Fraction(0)] * len(columns)
            for value, alpha in zip(vector, monomials(size, degree), strict=True):
                row[place[tuple(a + b for a, b in zip(alpha, shift, strict=True))]] = value
            rows.append(row)
        if _rational_rank(rows) == len(columns) - conditions:
            return True
    return False


def _rational_rank(rows: Matrix) -> int:
    import flint

    return int(flint.fmpq_mat(len(rows), len(rows[0]), [_flint(v) for row in rows for v in row]).rank()) if rows else 0


def independent(rows: Matrix) -> bool:
    """Whether vectors of fractions are linearly independent.

    >>> independent([[Fraction(1), Fraction(2)], [Fraction(2), Fraction(4)]])
    False
    """
    return _rational_rank(rows) == len(rows)


def _flint(value: Fraction) -> Any:
    import flint

    return flint.fmpq(value.numerator, value.denominator)


def _fraction(value: Any) -> Fraction:
    return Fraction(int(value.p), int(value.q))


def exact_rank(rows: Matrix) -> int:
    """The rank of a matrix of fractions."""
    return _rational_rank(rows) if rows and rows[0] else 0
