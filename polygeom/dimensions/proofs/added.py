"""Layers that somebody added to polygeom: their steps are recorded from the layer's own words, and believed.

The checker knows the layers of polygeom by formulas of its own (`polygeom.dimensions.proofs.programs`). Of another
layer it can only say what holds if the layer is what its class computes; the verdict names it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NoReturn, Protocol

import numpy as np

from polygeom.errors import CertificateError
from polygeom.network.constants import Constants
from polygeom.network.layers import LAYERS, Layer
from polygeom.network.text.values import field_types, make

Array = np.ndarray
Shape = tuple[int, ...]


class Target(Protocol):
    """The program that steps are added to."""

    shapes: list[Shape]

    def push(self, word: str, reads: tuple[int, ...], shape: Shape, data: Any = None) -> int:
        """One more step; the number of its value."""


def added_layer(word: str, values: Sequence[Any], named: dict[str, Any]) -> Layer:
    """The layer of a word that the checker does not know; raises KeyError where nobody added it."""
    kind = LAYERS[word]
    arguments = dict(zip(field_types(kind), values, strict=False))
    return make(kind, {**arguments, **named}, "{name}={value}")


def record(layer: Layer, program: Target, reads: tuple[int, ...], new: Callable[..., Array]) -> int:
    """Add the steps of a layer to a program; ``new`` numbers the weights of a letter and a shape."""
    shapes = [program.shapes[x] for x in reads]
    weights: dict[str, Any] = {name: new(name, *shape) for name, shape in layer.parameters(*shapes).items()}
    value: int = layer.apply(_Recorder(program), reads, weights, shapes)
    if program.shapes[value] != layer.shape(*shapes):
        raise ValueError(layer.kind)
    return value


def _refuse(what: str) -> NoReturn:
    raise CertificateError(f"certificate: the check has no {what}, which a layer needs; keep the result itself")


class _Recorder:
    """The primitives on numbers of values and of weights: what is computed is a list of steps."""

    def __init__(self, program: Target) -> None:
        self._program = program

    def linear(self, x: int, w: Array) -> int:
        return self._program.push("linear", (x,), (*self._shape(x)[:-1], len(w)), w)

    def bias(self, x: int, b: Array) -> int:
        return self._program.push("bias", (x,), self._shape(x), b)

    def add(self, x: int, y: int) -> int:
        return self._program.push("add", (x, y), self._shape(x))

    def multiply(self, x: int, y: int) -> int:
        return self._program.push("multiply", (x, y), self._shape(x))

    def power(self, x: int, exponent: int) -> int:
        return self._program.push("power", (x,), self._shape(x), exponent)

    def polynomial(self, x: int, coefficients: Sequence[Fraction]) -> int:
        return self._program.push("polynomial", (x,), self._shape(x), tuple(coefficients))

    def inverse(self, x: int) -> int:
        _refuse("inverses")

    def combine(self, x: int, matrix: Constants) -> int:
        _refuse("constant matrices")

    def matmul(self, x: int, y: int) -> int:
        return self._program.push("matmul", (x, y), (self._shape(x)[0], self._shape(y)[1]))

    def reindex(self, x: int, index: Array) -> int:
        if (index < 0).any():
            _refuse("zeros to fill a value with")
        return self._program.push("gather", (x,), index.shape, index)

    def arrange(self, w: Array, index: Array) -> Array:
        return np.where(index < 0, -1, w.ravel()[np.maximum(index, 0)])

    def _shape(self, x: int) -> Shape:
        return self._program.shapes[x]
