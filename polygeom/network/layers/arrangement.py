"""Layers that put features in other places: concatenation, slices, padding, transposition."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.network.layers.base import Layer, Shape, V, constant, numbered
from polygeom.network.limits import MOST_SYMBOLS, positive, shown
from polygeom.network.primitives import Engine


@dataclass(frozen=True, slots=True)
class Concatenate(Layer):
    """The features of two or more values beside each other on the last axis."""

    kind: ClassVar[str] = "concatenate"
    arity: ClassVar[int | None] = None

    def shape(self, *inputs: Shape) -> Shape:
        if any(shape[:-1] != inputs[0][:-1] for shape in inputs):
            raise PolygeomError(
                f"concatenate: inputs must agree but for the last axis, got {', '.join(map(str, inputs)):.80}; "
                "flatten them first"
            )
        return (*inputs[0][:-1], sum(shape[-1] for shape in inputs))

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        out, start = self.shape(*shapes), 0
        total: V | None = None
        for x, shape in zip(inputs, shapes, strict=True):
            index = np.full(out, -1)
            index[..., start : start + shape[-1]] = numbered(*shape)
            part = engine.reindex(x, index)
            total = part if total is None else engine.add(total, part)
            start += shape[-1]
        assert total is not None
        return total


@dataclass(frozen=True, slots=True)
class Slice(Layer):
    """Features ``start, …, stop - 1`` of the last axis, every ``step``-th of them."""

    start: int
    stop: int
    step: int = 1
    kind: ClassVar[str] = "slice"

    def __post_init__(self) -> None:
        positive("slice", "step", self.step)
        if type(self.start) is not int or type(self.stop) is not int or not 0 <= self.start < self.stop:
            raise PolygeomError(
                f"slice: start and stop must be integers with 0 ≤ start < stop, got {shown(self.start)} and "
                f"{shown(self.stop)}; write slice(x,0,2)"
            )

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        if self.stop > x[-1]:
            raise PolygeomError(f"slice: stop is {self.stop} but the input has {x[-1]} features; write stop={x[-1]}")
        return (*x[:-1], len(range(self.start, self.stop, self.step)))

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        return engine.reindex(inputs[0], numbered(*shapes[0])[..., self.start : self.stop : self.step])


@dataclass(frozen=True, slots=True)
class Gather(Layer):
    """Entries of the flattened input in any order: reshaping, transposition, padding, selection.

    Parameters
    ----------
    index:
        Positions of the flattened input, -1 for zero.
    dims:
        Shape in which they are put, last axis fastest; one axis if empty.
    """

    index: tuple[int, ...]
    dims: tuple[int, ...] = ()
    kind: ClassVar[str] = "gather"

    def __post_init__(self) -> None:
        for name in ("index", "dims"):
            value = getattr(self, name)
            if not isinstance(value, list | tuple) or any(type(k) is not int for k in value):
                raise PolygeomError(f"gather: {name} must be a list of integers, got {shown(value)}; write [0,2,-1]")
            object.__setattr__(self, name, tuple(value))
        if not self.index or len(self.index) > MOST_SYMBOLS or min(self.index) < -1:
            raise PolygeomError(f"gather: index must be 1 to {MOST_SYMBOLS} positions from -1; write [0,2,-1]")
        if self.dims and (math.prod(self.dims) != len(self.index) or min(self.dims) < 1):
            raise PolygeomError(
                f"gather: dims {shown(self.dims)} do not hold {len(self.index)} entries; write dims=[{len(self.index)}]"
            )

    def shape(self, *inputs: Shape) -> Shape:
        size = math.prod(inputs[0])
        if max(self.index) >= size:
            raise PolygeomError(f"gather: position {max(self.index)} is beyond the {size} entries; count from 0")
        return self.dims or (len(self.index),)

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        return engine.reindex(inputs[0], _array(self.index, self.dims or (len(self.index),)))


@lru_cache(maxsize=256)
def _array(index: tuple[int, ...], dims: Shape) -> np.ndarray:
    return constant(np.array(index).reshape(dims))
