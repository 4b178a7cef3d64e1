"""Engine over numpy arrays of Python objects: integers, fractions, polynomials, whatever has ``+``, ``*`` and ``**``.

Slow and plain, which is its use: it is the independent second opinion on the fast engines, and with integers it checks
their results without any of their code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from polygeom.errors import PoleError, PolygeomError
from polygeom.network.constants import Constants
from polygeom.network.graph import Network

Objects = np.ndarray
"""An array of dtype object."""


class ExactEngine:
    """The primitives of `polygeom.network.primitives` on arrays of exact numbers.

    Parameters
    ----------
    constant:
        Turns a `Fraction` into an element; by default into an int where possible, and a Fraction elsewhere.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> engine = ExactEngine()
    >>> weights = {"W1": engine.encode([[1, 2], [3, 4]]), "W2": engine.encode([[1, 1]])}
    >>> parse("[2,2,1] r=2").evaluate(engine, weights, engine.encode([[1, 1], [10, 0]])).tolist()
    [[58], [1000]]
    """

    def __init__(self, constant: Callable[[Fraction], Any] | None = None) -> None:
        self._constant = _plain if constant is None else constant
        self._zero = self._constant(Fraction(0))

    def encode(self, numbers: Any) -> Objects:
        """An array of elements from integers or fractions of any size."""
        exact = np.array(numbers, dtype=object)  # integers of numpy become Python's, which do not overflow
        return _map(lambda c: self._constant(Fraction(c)), exact)

    def linear(self, x: Objects, w: Objects) -> Objects:
        return self._dot(x.reshape(-1, x.shape[-1]), w.T).reshape(*x.shape[:-1], len(w))

    def bias(self, x: Objects, b: Objects) -> Objects:
        return self.add(x, b)

    def add(self, x: Objects, y: Objects) -> Objects:
        total: Objects = x + y
        return total

    def multiply(self, x: Objects, y: Objects) -> Objects:
        product: Objects = x * y
        return product

    def power(self, x: Objects, exponent: int) -> Objects:
        return _map(lambda a: a**exponent, x)

    def polynomial(self, x: Objects, coefficients: Sequence[Fraction]) -> Objects:
        constants = [_map(lambda _, c=c: self._constant(c), x) for c in coefficients]
        value = constants[-1]
        for c in reversed(constants[:-1]):
            value = self.multiply(value, x) + c
        return value

    def inverse(self, x: Objects) -> Objects:
        return _map(self._inverted, x)

    def _inverted(self, a: Any) -> Any:
        if not isinstance(a, int | Fraction):
            raise PolygeomError("inverse: polynomials have no inverses; ask for the dimension, which needs none")
        if not a:
            raise PoleError("inverse: a denominator vanishes at these weights; write other weights")
        return self._constant(Fraction(1) / a)

    def combine(self, x: Objects, matrix: Constants) -> Objects:
        def constants(values: Sequence[Fraction]) -> Objects:
            return _filled([self._constant(c) for c in values])

        return matrix.sums(x, constants, zero=self._zero)

    def matmul(self, x: Objects, y: Objects) -> Objects:
        return np.stack([self._dot(a, b) for a, b in zip(x, y, strict=True)])

    def reindex(self, x: Objects, index: np.ndarray) -> Objects:
        return np.stack([self.arrange(point, index) for point in x])

    def arrange(self, w: Objects, index: np.ndarray) -> Objects:
        padded = np.empty(w.size + 1, dtype=object)
        padded[:-1], padded[-1] = w.ravel(), self._zero
        taken: Objects = padded[index]
        return taken

    def _dot(self, x: Objects, y: Objects) -> Objects:
        product: Objects = x @ y
        return product


def has_fractions(network: Network) -> bool:
    """Whether constants of a network are not integers."""
    return any(c.denominator != 1 for node in network.nodes for c in node.layer.constants)


def _filled(numbers: Sequence[Any]) -> Objects:
    array = np.empty(len(numbers), dtype=object)
    array[:] = numbers
    return array


def _plain(c: Fraction) -> int | Fraction:
    return c.numerator if c.denominator == 1 else c


def _map(function: Callable[..., Any], x: Objects) -> Objects:
    """``function`` applied to every element; unlike arithmetic with a scalar it never looks into elements."""
    result = np.empty(x.shape, dtype=object)
    result.ravel()[:] = [function(a) for a in x.flat]
    return result
