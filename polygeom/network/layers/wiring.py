"""Layers without weights that connect: the input, sums, products and changes of shape."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.network.layers.base import Layer, Shape, V, numbered
from polygeom.network.limits import MOST_AXES, positive
from polygeom.network.primitives import Engine


@dataclass(frozen=True, slots=True)
class Input(Layer):
    """The input of the network, a point of shape ``dims``: ``(d,)`` for vectors, ``(t, d)`` for ``t`` tokens."""

    dims: Shape
    kind: ClassVar[str] = "input"
    arity: ClassVar[int | None] = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "dims", tuple(self.dims))
        if not 1 <= len(self.dims) <= MOST_AXES:
            raise PolygeomError(f"input: dims must have 1 to {MOST_AXES} entries, got {len(self.dims)}; write input(3)")
        for d in self.dims:
            positive("input", "dims", d)

    def shape(self, *inputs: Shape) -> Shape:
        return self.dims


def _equal_shapes(kind: str, inputs: Sequence[Shape]) -> Shape:
    if any(shape != inputs[0] for shape in inputs):
        raise PolygeomError(
            f"{kind}: inputs must have equal shapes, got {', '.join(map(str, inputs)):.80}; write maps to one width"
        )
    return inputs[0]


@dataclass(frozen=True, slots=True)
class Product(Layer):
    """The Hadamard (elementwise) product of two or more values of equal shape."""

    kind: ClassVar[str] = "product"
    arity: ClassVar[int | None] = None

    def shape(self, *inputs: Shape) -> Shape:
        return _equal_shapes("product", inputs)

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        value = inputs[0]
        for other in inputs[1:]:
            value = engine.multiply(value, other)
        return value


@dataclass(frozen=True, slots=True)
class Sum(Layer):
    """The sum of two or more values of equal shape: skip connections."""

    kind: ClassVar[str] = "sum"
    arity: ClassVar[int | None] = None

    @property
    def mixes_through(self) -> bool:
        return True

    def shape(self, *inputs: Shape) -> Shape:
        return _equal_shapes("sum", inputs)

    def rows(self, *inputs: Shape) -> tuple[str, ...] | None:
        return ()

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        value = inputs[0]
        for other in inputs[1:]:
            value = engine.add(value, other)
        return value


@dataclass(frozen=True, slots=True)
class Flatten(Layer):
    """All axes of a point in one, last axis fastest: from convolution or attention to dense layers."""

    kind: ClassVar[str] = "flatten"

    def shape(self, *inputs: Shape) -> Shape:
        return (math.prod(inputs[0]),)

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        return engine.reindex(inputs[0], numbered(math.prod(shapes[0])))
