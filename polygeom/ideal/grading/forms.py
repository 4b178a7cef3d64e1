"""Forms in a few variables as columns over the monomials of a degree, and polynomials restricted to linear subspaces.

Monomials of a degree are increasing rows of variables, in lexicographic order: ``x0^2, x0 x1, …, x1^2, …``.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from polygeom.modular import PrimeField, Residues

Integers = NDArray[np.int64]

CHUNK = 1 << 21
"""Numbers that are worked on at a time."""


class Forms:
    """The monomials of every degree in some variables, numbered, made when they are asked for.

    Examples
    --------
    >>> forms = Forms(2)
    >>> forms.monomials(2).tolist(), forms.products(1).tolist()
    ([[0, 0], [0, 1], [1, 1]], [[0, 1], [1, 2]])
    """

    def __init__(self, variables: int) -> None:
        self.variables = variables
        self._monomials: list[Integers] = [np.zeros((1, 0), dtype=np.int64)]
        self._products: list[Integers] = []

    def count(self, degree: int) -> int:
        """The number of monomials of a degree."""
        return math.comb(self.variables + degree - 1, degree)

    def monomials(self, degree: int) -> Integers:
        """All monomials of a degree, ``(count, degree)``."""
        while len(self._monomials) <= degree:
            below = self._monomials[-1]
            last = below[:, -1] if below.shape[1] else np.zeros(1, dtype=np.int64)
            more = self.variables - last
            rows = np.repeat(np.arange(len(below)), more)
            steps = np.arange(len(rows)) - np.repeat(np.cumsum(more) - more, more)
            self._monomials.append(np.concatenate([below[rows], (last[rows] + steps)[:, None]], axis=1))
        return self._monomials[degree]

    def products(self, degree: int) -> Integers:
        """The number of variable ``i`` times monomial ``m`` among those of the next degree, ``(variables, count)``."""
        while len(self._products) <= degree:
            below, above = self.monomials(len(self._products)), self.monomials(len(self._products) + 1)
            size, length = below.shape
            factors = np.empty((self.variables, size, length + 1), dtype=np.int64)
            factors[:, :, :length] = below
            factors[:, :, length] = np.arange(self.variables)[:, None]
            found = self._keys(np.sort(factors, axis=2).reshape(-1, length + 1))
            self._products.append(np.searchsorted(self._keys(above), found).reshape(self.variables, size))
        return self._products[degree]

    def split(self, degree: int) -> tuple[Integers, Integers]:
        """For every monomial its first variable, and the number of the rest among those one degree below."""
        monomials = self.monomials(degree)
        return monomials[:, 0], np.searchsorted(self._keys(self.monomials(degree - 1)), self._keys(monomials[:, 1:]))

    def _keys(self, monomials: Integers) -> NDArray[np.object_] | NDArray[np.int64]:
        """Numbers in the order of the monomials."""
        degree = monomials.shape[1]
        exact = self.variables**degree < 2**62
        keys = np.zeros(len(monomials), dtype=np.int64 if exact else object)
        for k in range(degree):
            keys = keys * self.variables + monomials[:, k].astype(keys.dtype)
        return keys


@lru_cache(maxsize=8)
def forms_in(variables: int) -> Forms:
    """The `Forms` in some variables, kept between calls."""
    return Forms(variables)


def restrict(
    owners: Integers,
    monomials: Integers,
    coefficients: Residues,
    subspace: Residues,
    forms: Forms,
    field: PrimeField,
) -> Residues:
    """Homogeneous polynomials of one degree on a linear subspace.

    Parameters
    ----------
    owners:
        For every term the number of its polynomial, increasing from 0 without gaps.
    monomials, coefficients:
        The terms, ``(terms, degree)`` and ``(terms,)``.
    subspace:
        The coordinates as linear forms, ``(variables, coordinates)``.

    Returns
    -------
    Their coefficients ``(polynomials, forms.count(degree))``.
    """
    degree = monomials.shape[1]
    step = max(1, CHUNK // forms.count(degree))
    if len(owners) > step and owners[0] != owners[-1]:
        cut = int(np.searchsorted(owners, owners[len(owners) // 2]))
        cut = cut or int(np.searchsorted(owners, owners[0], side="right"))
        halves = ((owners[:cut], slice(0, cut)), (owners[cut:] - owners[cut], slice(cut, None)))
        parts = [restrict(own, monomials[s], coefficients[s], subspace, forms, field) for own, s in halves]
        return np.concatenate(parts)
    labels = np.concatenate([owners[:, None], np.sort(monomials, axis=1)], axis=1)
    order = np.lexsort(labels.T[::-1])
    labels, values = labels[order], coefficients[order][None, :]
    for below in range(degree):  # multiply by the last factor, and add up what has the others in common
        values = _times_linear(values, subspace[:, labels[:, -1]], forms.products(below), forms.count(below + 1))
        labels = labels[:, :-1]
        new = np.ones(len(labels), dtype=bool)
        new[1:] = (labels[1:] != labels[:-1]).any(axis=1)
        starts = np.flatnonzero(new)
        values = field.reduce(np.add.reduceat(field.reduce(values), starts, axis=1))
        labels = labels[starts]
    return np.ascontiguousarray(values.T)


def _times_linear(values: Residues, linear: Residues, products: Integers, count: int) -> Residues:
    """Columns of forms times linear forms ``(variables, columns)``, not reduced: few products add up in one place."""
    out = np.zeros((count, values.shape[1]))
    for i, places in enumerate(products):
        out[places] += values * linear[i]
    return out
