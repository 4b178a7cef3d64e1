"""Equations modulo a prime, and the part of a weight space that they generate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.ideal.grading.grading import Integers, Weight
from polygeom.ideal.grading.spaces import Index, Keys, Monomials, Spaces
from polygeom.modular import PrimeField, Residues

SPARE = 16
"""Random combinations of equations beyond the largest possible rank."""
PER_ROW = 3
"""Into how many combinations each equation enters."""


@dataclass(frozen=True, eq=False)
class Equation:
    """A homogeneous equation of dominant weight modulo a prime, in divided coordinates.

    Attributes
    ----------
    degree, weight:
        Its degree and weight.
    monomials:
        ``(terms, degree)``.
    coefficients:
        Balanced residues ``(terms,)``.
    integers:
        A multiple over the integers, if it was lifted.
    proved:
        Whether the latter is proved to vanish on the neurovariety.
    """

    degree: int
    weight: Weight
    monomials: Monomials
    coefficients: Residues
    integers: tuple[int, ...] | None = None
    proved: bool = False


def products(
    equations: Sequence[Equation], degree: int, weight: Weight, spaces: Spaces
) -> Iterator[tuple[Keys, Residues]]:
    """Multiples of the equations, and of their copies under permutations, in one weight space.

    Yields
    ------
    For every copy of an equation the keys of its multiples' terms, ``(multiples, terms)``, and its coefficients.
    """
    for equation in equations:
        if equation.degree > degree:
            continue
        for copy, move in spaces.grading.copies(equation.weight):
            rest = tuple(a - b for a, b in zip(weight, copy, strict=True))
            if min(rest, default=0) < 0:
                continue
            multipliers = spaces.cached(degree - equation.degree, rest)
            if len(multipliers):
                terms = spaces.keys(move[equation.monomials])
                yield spaces.keys(multipliers)[:, None] + terms[None, :], equation.coefficients


def generated(
    equations: Sequence[Equation],
    degree: int,
    weight: Weight,
    keys: Keys,
    spaces: Spaces,
    field: PrimeField,
    most: int | None,
) -> Residues:
    """A matrix whose rows span the multiples of the equations in a weight space.

    Parameters
    ----------
    keys:
        Keys of the monomials of the weight space: the columns.
    most:
        An upper bound for the rank. If there are many more multiples, they are replaced by a few more than this number
        of random combinations, whose rank is almost certainly that of all; None for all multiples themselves.

    Returns
    -------
    Balanced residues ``(rows, len(keys))``.
    """
    index = Index(keys)
    blocks = [(index.positions(found), values) for found, values in products(equations, degree, weight, spaces)]
    rows = sum(len(columns) for columns, _ in blocks)
    if most is None or rows <= 1.3 * most + SPARE:
        return _stacked(blocks, rows, len(keys))
    return _combined(blocks, most + SPARE + most // 50, len(keys), field)


def _stacked(blocks: Sequence[tuple[Integers, Residues]], rows: int, width: int) -> Residues:
    matrix = np.zeros((rows, width))
    start = 0
    for columns, values in blocks:
        numbers = np.arange(start, start + len(columns))
        matrix[numbers[:, None], columns] = values
        start += len(columns)
    return matrix


def _combined(blocks: Sequence[tuple[Integers, Residues]], height: int, width: int, field: PrimeField) -> Residues:
    """Sparse random combinations of the rows; sums of residues stay exact, since there are far fewer than 2^30."""
    rng = np.random.default_rng(0)
    matrix = np.zeros(height * width)
    for columns, values in blocks:
        for _ in range(PER_ROW):
            targets = rng.integers(0, height, size=len(columns))
            factors = field.random(rng, (len(columns), 1))
            entries = field.multiply(factors, values[None, :])
            np.add.at(matrix, (targets[:, None] * width + columns).ravel(), entries.ravel())
    field.reduce_inplace(matrix)
    return matrix.reshape(height, width)
