"""Proof that an equation vanishes on all forms in two powers, by values modulo primes.

A torus carries a general element of the bundle to one with ``l = x + y``, ``m = x + w y`` and a first coefficient 1 of
every form, and multiplies a homogeneous equation by a number. There the equation is a polynomial over the integers in w
and the other coefficients F. Its degree in w is at most the weight of y, since the coefficient of ``y^k`` has degree at
most k; in the coefficients of form i it is the degree in output i. Such a polynomial is zero mod p if it is zero for as
many values of w and on the lattice points of simplices, and zero if it is so modulo primes whose product exceeds its
coefficients.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator, Sequence

import numpy as np

from polygeom.errors import BudgetError, PolygeomError
from polygeom.ideal.bundles.pencils import Pencils
from polygeom.ideal.grading.spaces import Monomials, Spaces, evaluate
from polygeom.modular import P22, PrimeField, Residues, as_field, is_prime

CHUNK = 1 << 10
"""Points at which an equation is evaluated at a time."""
MOST_VALUES = 3 * 10**9
"""Values of monomials, for all points and primes, beyond which a proof is not tried, a minute about."""


class Vanishing:
    """Decides whether equations vanish on the forms in two powers that make up a bundle.

    Parameters
    ----------
    bundle:
        The bundle.
    entries:
        Output and exponent of the second variable of every coordinate.
    spaces:
        Names the monomials.
    """

    def __init__(self, bundle: Pencils, entries: Sequence[tuple[int, int]], spaces: Spaces) -> None:
        self.bundle, self.entries, self.spaces = bundle, tuple(entries), spaces

    def vanishes(self, monomials: Monomials, integers: Sequence[int], deadline: float | None = None) -> bool:
        """Whether a homogeneous equation in plain coordinates vanishes; the answer is a proof.

        Parameters
        ----------
        monomials:
            Numbers of coordinates, ``(N, degree)``, all of one weight.
        integers:
            The coefficients.
        deadline:
            Time (of `time.monotonic`) at which to give up.

        Raises
        ------
        BudgetError
            If it would take too long, or the deadline passes.
        PolygeomError
            If the monomials are not of one weight.
        """
        degrees, top = self._degrees(monomials)
        fields = list(self._fields(self._bound(monomials, integers), max(*degrees, top)))
        points = (top + 1) * math.prod(math.comb(d + self.bundle.rest, d) for d in degrees)
        if points * len(monomials) * len(fields) > MOST_VALUES:
            raise BudgetError("the values that prove an equation are too many")
        for field in fields:
            coefficients = field.encode(np.array(integers, dtype=object))
            for values in self._coordinates(degrees, top, field):
                if deadline is not None and time.monotonic() > deadline:
                    raise BudgetError("the time was over during a proof; raise timeout=")
                if field.matmul(coefficients, evaluate(monomials, values, self.spaces, field)).any():
                    return False
        return True

    def _degrees(self, monomials: Monomials) -> tuple[list[int], int]:
        """The degree in every output, and the weight of the second variable."""
        outputs = np.array([i for i, _ in self.entries])[monomials]
        powers = np.array([k for _, k in self.entries])[monomials].sum(axis=1)
        degrees = np.array([(outputs == i).sum(axis=1) for i in range(self.bundle.outputs)])
        if (degrees != degrees[:, :1]).any() or (powers != powers[0]).any():
            raise PolygeomError("monomials must have one weight, got several; write the terms of one weight at a time")
        return degrees[:, 0].tolist(), int(powers[0])

    def _bound(self, monomials: Monomials, integers: Sequence[int]) -> int:
        """More than the magnitude of the coefficients in w and F: the sum of them all where nothing cancels."""
        size = self.bundle.first * self.bundle.rest
        sums = [(self.bundle.rest + 1) * math.comb(size, k) for _, k in self.entries]
        rows = zip(monomials.tolist(), integers, strict=True)
        total: int = sum(abs(int(c)) * math.prod([sums[k] for k in monomial]) for monomial, c in rows)
        return 1 + total

    def _fields(self, bound: int, least: int) -> Iterator[PrimeField]:
        """Primes whose product is at least the bound, each above the degrees."""
        p, product = P22, 1
        while product < bound:
            if p <= least:
                raise BudgetError("the degree is too large for a proof by values")
            if is_prime(p):
                product *= p
                yield as_field(p)
            p -= 2

    def _coordinates(self, degrees: Sequence[int], top: int, field: PrimeField) -> Iterator[Residues]:
        """Values ``(coordinates, points)`` at all points, some at a time."""
        lattices = [_lattice(self.bundle.rest, d) for d in degrees]
        forms = np.array([np.concatenate(choice) for choice in itertools.product(*lattices)])  # (points, m (R + 1))
        table = [self._powers(w, field) for w in range(top + 1)]  # for each w (R + 1, rR + 1)
        for start in range(0, len(forms), CHUNK):
            part = field.encode(forms[start : start + CHUNK]).reshape(-1, self.bundle.outputs, self.bundle.rest + 1)
            for powers in table:
                values = field.matmul(part, powers)  # (points, m, rR + 1)
                yield np.ascontiguousarray(np.array([values[:, i, k] for i, k in self.entries]))

    def _powers(self, w: int, field: PrimeField) -> Residues:
        """Coefficients of ``(x + y)^{r (R - j)} (x + w y)^{r j}`` for j = 0, …, R."""
        size = self.bundle.first * self.bundle.rest
        rows = []
        for j in range(self.bundle.rest + 1):
            low, high = size - self.bundle.first * j, self.bundle.first * j
            rows.append(
                [sum(math.comb(low, k - i) * math.comb(high, i) * w**i for i in range(k + 1)) for k in range(size + 1)]
            )
        return field.encode(np.array(rows, dtype=object))


def _lattice(rest: int, degree: int) -> list[list[int]]:
    """Coefficients ``1, F_1, …, F_R`` with natural F_j of sum at most a degree: they determine a polynomial of it."""
    return [
        [1, *(b - a - 1 for a, b in itertools.pairwise((-1, *bars)))]
        for bars in itertools.combinations(range(degree + rest), rest)
    ]
