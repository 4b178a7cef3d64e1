"""Which scalings of the weights leave a network's function unchanged: an engine whose values are exponents.

Give the weight ``w_k`` the factor ``t ** e_k``. When every feature of every layer then takes a factor ``t ** v``, the
exponents satisfy linear equations: the terms of a sum have equal exponents, a product adds them, a power multiplies
them, a polynomial with two terms forces zero, and the outputs have exponent zero. Evaluating the network over exponents
collects these equations; their integer solutions are one-parameter subgroups of a torus of symmetries. Every solution
is a symmetry for all weights, so the rank of the solutions is a lower bound for the dimension of a generic orbit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from polygeom.errors import BudgetError
from polygeom.network.constants import Constants
from polygeom.network.graph import Network

Form = Mapping[int, int | Fraction]
"""A linear form ``Σ c_i u_i`` in unknown exponents: ``{i: c_i}`` without zeros."""

MOST_TERMS = 3_000_000
"""Largest number of weights, features and products of the two that one evaluation over exponents may meet."""


def combine(x: Form, factor: int | Fraction, y: Form) -> Form:
    """``x + factor · y``."""
    if not y or not factor:
        return x
    total = dict(x)
    for i, c in y.items():
        value = total.get(i, 0) + factor * c
        if value:
            total[i] = value
        else:
            del total[i]
    return total


class LinearSystem:
    """Linear forms required to vanish, solved as they come; free unknowns are those that were never eliminated."""

    def __init__(self) -> None:
        self._solved: dict[int, Form] = {}

    @property
    def rank(self) -> int:
        """Number of independent forms so far."""
        return len(self._solved)

    def solves(self, unknown: int) -> bool:
        """Whether an unknown is expressed by others."""
        return unknown in self._solved

    def reduce(self, form: Form) -> Form:
        """``form`` in free unknowns."""
        while True:
            known = [i for i in form if i in self._solved]
            if not known:
                return form
            for i in known:
                if i in form:
                    c = form[i]
                    form = combine(combine(form, -c, {i: 1}), c, self._solved[i])

    def require(self, form: Form) -> bool:
        """Let ``form`` vanish; False when this follows from earlier forms."""
        form = self.reduce(form)
        if not form:
            return False
        pivot = min(form, key=lambda i: (abs(form[i]), -i))
        lead = Fraction(form[pivot])
        quotients = {i: -c / lead for i, c in form.items() if i != pivot}
        self._solved[pivot] = {i: int(q) if q.denominator == 1 else q for i, q in quotients.items()}
        return True


class ScalingEngine:
    """Engine over exponents. A feature is a `Form`, or None where it is identically zero; a weight is its number, or
    -1.

    See `polygeom.network.primitives` for the primitives; one point suffices, since all points share the exponents.
    """

    def __init__(self) -> None:
        self.system = LinearSystem()
        self.exponents: dict[int, Form] = {}
        self._unknowns = 0
        self._terms = 0

    def unknown(self) -> Form:
        """A new unknown exponent."""
        self._unknowns += 1
        return {self._unknowns - 1: 1}

    @property
    def free(self) -> int:
        """Number of unknowns that the equations leave free."""
        return self._unknowns - self.system.rank

    def _count(self, terms: int) -> None:
        self._terms += terms
        if self._terms > MOST_TERMS:
            raise BudgetError(f"scalings: more than {MOST_TERMS} terms to compare; write a smaller network")

    def _weight(self, number: int, exponent: Form) -> None:
        """Let weight ``number`` have ``exponent``."""
        known = self.exponents.setdefault(number, exponent)
        if known is not exponent:
            self.system.require(combine(known, -1, exponent))

    def _same(self, forms: Iterable[Form | None]) -> Form | None:
        """The common exponent of terms that are added up."""
        terms = [form for form in forms if form is not None]
        for form in terms[1:]:
            if form is not terms[0]:
                self.system.require(combine(form, -1, terms[0]))
        return terms[0] if terms else None

    def linear(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        rows = x.reshape(-1, x.shape[-1])
        self._count(len(rows) * w.size)
        y = np.empty((len(rows), len(w)), dtype=object)
        for t, row in enumerate(rows):
            for i, numbers in enumerate(w):
                y[t, i] = self._inner(row, numbers)
        return y.reshape(*x.shape[:-1], len(w))

    def _inner(self, row: np.ndarray, numbers: np.ndarray) -> Form | None:
        terms = [(v, k) for v, k in zip(row, numbers.tolist(), strict=True) if v is not None and k >= 0]
        if not terms:
            return None
        known = next(((v, k) for v, k in terms if k in self.exponents), None)
        total = self.unknown() if known is None else combine(known[0], 1, self.exponents[known[1]])
        for v, k in terms:
            self._weight(k, combine(total, -1, v))
        return total

    def bias(self, x: np.ndarray, b: np.ndarray) -> np.ndarray:
        self._count(x.size)
        y = np.empty_like(x)
        for position in np.ndindex(x.shape):
            number, form = int(b[position[-1]]), x.item(position)
            if number < 0:
                y[position] = form
                continue
            if form is not None:
                self._weight(number, form)
            elif number not in self.exponents:
                self._weight(number, self.unknown())
            y[position] = self.exponents[number]
        return y

    def add(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return self._elementwise(lambda a, b: self._same((a, b)), x, y)

    def multiply(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return self._elementwise(_product, x, y)

    def power(self, x: np.ndarray, exponent: int) -> np.ndarray:
        return self._elementwise(lambda a: None if a is None else combine({}, exponent, a), x)

    def polynomial(self, x: np.ndarray, coefficients: Sequence[Fraction]) -> np.ndarray:
        support = [k for k, c in enumerate(coefficients) if c]

        def value(a: Form | None) -> Form | None:
            if a is None:
                return {} if support[0] == 0 else None
            return self._same([combine({}, k, a) for k in support])

        return self._elementwise(value, x)

    def inverse(self, x: np.ndarray) -> np.ndarray:
        return self._elementwise(lambda a: None if a is None else combine({}, -1, a), x)

    def combine(self, x: np.ndarray, matrix: Constants) -> np.ndarray:
        rows = x.reshape(-1, x.shape[-1])
        self._count(len(rows) * (len(matrix.entries) + matrix.shape[0]))
        y = np.empty((len(rows), matrix.shape[0]), dtype=object)
        terms: dict[int, list[int]] = {}
        for i, j, _ in matrix.entries:
            terms.setdefault(i, []).append(j)
        for t, row in enumerate(rows):
            for i, columns in terms.items():
                y[t, i] = self._same(row[j] for j in columns)
        return y.reshape(*x.shape[:-1], matrix.shape[0])

    def matmul(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        points, rows, columns = len(x), x.shape[1], y.shape[2]
        self._count(points * rows * columns * y.shape[1])
        z = np.empty((points, rows, columns), dtype=object)
        for n, i, j in np.ndindex(z.shape):
            z[n, i, j] = self._same(_product(a, b) for a, b in zip(x[n, i], y[n, :, j], strict=True))
        return z

    def reindex(self, x: np.ndarray, index: np.ndarray) -> np.ndarray:
        padded = np.empty((len(x), math.prod(x.shape[1:]) + 1), dtype=object)
        padded[:, :-1] = x.reshape(len(x), -1)
        taken: np.ndarray = padded[:, index]
        return taken

    def arrange(self, w: np.ndarray, index: np.ndarray) -> np.ndarray:
        numbers: np.ndarray = np.append(w.ravel(), -1)[index]
        return numbers

    def _elementwise(self, value: Any, *arrays: np.ndarray) -> np.ndarray:
        self._count(arrays[0].size)
        y = np.empty_like(arrays[0])
        for position in np.ndindex(y.shape):
            y[position] = value(*(a[position] for a in arrays))
        return y


def _product(a: Form | None, b: Form | None) -> Form | None:
    return None if a is None or b is None else combine(a, 1, b)


def weight_exponents(network: Network) -> tuple[list[Form], int]:
    """The exponent of every weight as a form in free unknowns, and the number of these unknowns.

    Raises
    ------
    BudgetError
        When the network is too large for this; `MOST_TERMS` is the limit.
    """
    size = network.parameter_count + sum(map(math.prod, network.shapes))
    if size > MOST_TERMS:
        raise BudgetError(
            f"scalings: weights and features must be at most {MOST_TERMS} together, got {size}; write a smaller network"
        )
    engine = ScalingEngine()
    points = np.empty((1, *network.input_shape), dtype=object)
    points.fill({})
    outputs = network.evaluate(engine, network.weight_numbers, points)
    for form in outputs.flat:
        if form is not None:
            engine.system.require(form)
    for k in range(network.parameter_count):
        if k not in engine.exponents:  # it meets only zeros, so any factor leaves the function unchanged
            engine.exponents[k] = engine.unknown()
    return [engine.system.reduce(engine.exponents[k]) for k in range(network.parameter_count)], engine.free
