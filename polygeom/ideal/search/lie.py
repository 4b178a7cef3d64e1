"""The Lie algebras of GL(outputs) and GL(inputs) on equations: which equations does the group only scale?

The elementary matrix that adds ``t`` times variable ``k`` to variable ``j`` moves the divided coordinate ``a[i, α]``
by ``t α_k a[i, α + e_j - e_k]``; the one that adds ``t`` times output ``k`` to output ``i`` moves ``a[i, α]`` by ``t
a[k, α]``. An equation of constant weight that all of these annihilate is a semi-invariant: the group multiplies it by
a power of the determinant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from polygeom.ideal.grading.grading import Grading
from polygeom.ideal.search.equations import Equation
from polygeom.ideal.search.lifting import primitive
from polygeom.modular import PrimeField

Derivation = Callable[[int], Sequence[tuple[int, int]]]
"""From the number of a coordinate to the linear form it is moved by, as pairs (coordinate, factor)."""


def semi_invariant(equation: Equation, grading: Grading, side: int) -> bool:
    """Whether GL(outputs), side 0, or GL(inputs), side 1, acts and only scales a lifted equation.

    Examples
    --------
    >>> from polygeom.ideal.search.interpolation import Interpolation
    >>> search = Interpolation("[3,2,1] r=2")
    >>> *_, last = [search.advance() for _ in range(3)]
    >>> semi_invariant(last.equations[0], search.grading, 1)
    True
    """
    size, start = (grading.outputs, 0) if side == 0 else (grading.inputs, grading.outputs)
    if size == 0 or len(set(equation.weight[start : start + size])) > 1 or equation.integers is None:
        return False
    terms = dict(zip(map(tuple, equation.monomials.tolist()), equation.integers, strict=True))
    return all(
        not _derivative(terms, _input_move(grading, j, j + 1) if side else _output_move(grading, j, j + 1))
        for j in range(size - 1)
    )


def lowered(equation: Equation, grading: Grading, field: PrimeField) -> Equation:
    """What the elementary matrix that adds the first of two variables to the second makes of a lifted equation.

    The group of the inputs carries the ideal to itself: with the equation this one vanishes on the neurovariety.
    Its weight is one further down, and no equation whose weight stays dominant gives zero.
    """
    assert equation.integers is not None
    terms = dict(zip(map(tuple, equation.monomials.tolist()), equation.integers, strict=True))
    moved = sorted(_derivative(terms, _input_move(grading, 1, 0)).items())
    integers = tuple(primitive([c for _, c in moved]))
    *outputs, first, second = equation.weight
    return Equation(
        equation.degree,
        (*outputs, first - 1, second + 1),
        np.array([m for m, _ in moved], dtype=np.int64),
        field.encode(np.array(integers, dtype=object)),
        integers,
        equation.proved,
    )


def _derivative(terms: Mapping[tuple[int, ...], int], move: Derivation) -> Counter[tuple[int, ...]]:
    """The derivative of a polynomial along a linear vector field, without zero terms."""
    total: Counter[tuple[int, ...]] = Counter()
    for monomial, c in terms.items():
        for position, k in enumerate(monomial):
            for image, factor in move(k):
                total[tuple(sorted((*monomial[:position], image, *monomial[position + 1 :])))] += c * factor
    return Counter({m: c for m, c in total.items() if c})


def _input_move(grading: Grading, j: int, k: int) -> Derivation:
    entries, position = grading.coordinates.entries, grading.coordinates.position

    def move(number: int) -> Sequence[tuple[int, int]]:
        if number == len(entries):  # the homogenising coordinate stays
            return ()
        output, alpha = entries[number]
        if not alpha[k]:
            return ()
        beta = list(alpha)
        beta[j] += 1
        beta[k] -= 1
        return ((position(output, beta), alpha[k]),)

    return move


def _output_move(grading: Grading, i: int, k: int) -> Derivation:
    entries, position = grading.coordinates.entries, grading.coordinates.position

    def move(number: int) -> Sequence[tuple[int, int]]:
        if number == len(entries):
            return ()
        output, alpha = entries[number]
        return ((position(k, alpha), 1),) if output == i else ()

    return move
