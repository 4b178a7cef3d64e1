"""Linear layers: full, sparse and diagonal matrices, and shifts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.network.layers.base import Layer, Shape, V, constant
from polygeom.network.limits import MOST_SYMBOLS, positive, shown
from polygeom.network.primitives import Engine


@dataclass(frozen=True, slots=True)
class Dense(Layer):
    """A linear map ``x ↦ W x`` on the last axis, without bias.

    ``pattern`` describes sparse and tied matrices: entry ``W[i, j]`` is the free weight number ``pattern[i][j]``, or
    zero where the pattern says -1. Numbers start at 0 and none is skipped. Without a pattern all ``width × n`` entries
    are free.
    """

    width: int
    pattern: tuple[tuple[int, ...], ...] | None = None
    kind: ClassVar[str] = "dense"

    def __post_init__(self) -> None:
        positive("dense", "width", self.width)
        if self.pattern is None:
            return
        if not isinstance(self.pattern, list | tuple) or not all(isinstance(row, list | tuple) for row in self.pattern):
            raise PolygeomError(
                f"dense: pattern must be a list of rows, got {shown(self.pattern)}; write [[0,-1],[-1,1]]"
            )
        pattern = tuple(tuple(row) for row in self.pattern)
        object.__setattr__(self, "pattern", pattern)
        if len(pattern) != self.width or len({len(row) for row in pattern}) != 1:
            raise PolygeomError(
                f"dense: pattern must have {self.width} rows of equal length, one for each output; "
                f"write width={len(pattern) or 1} or mend the rows"
            )
        if self.symbols > MOST_SYMBOLS:
            raise PolygeomError(
                f"dense: pattern must have at most {MOST_SYMBOLS} entries, got {self.symbols}; "
                "write a convolution or a full matrix instead"
            )
        entries = [entry for row in pattern for entry in row]
        integers = all(type(entry) is int for entry in entries)
        free = set(entries) - {-1} if integers else set()
        if not free or free != set(range(len(free))):
            raise PolygeomError(
                "dense: pattern must number the free weights 0, 1, … without gaps (-1 for zero), got "
                f"{shown(pattern, 60)}; write [[0,-1],[-1,1]] for a diagonal matrix"
            )

    @property
    def symbols(self) -> int:
        return 1 if self.pattern is None else len(self.pattern) * len(self.pattern[0])

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        if self.pattern is not None and len(self.pattern[0]) != x[-1]:
            raise PolygeomError(
                f"dense: pattern has {len(self.pattern[0])} columns but the input has {x[-1]} features; "
                f"write {x[-1]} entries in each row"
            )
        return (*x[:-1], self.width)

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        if self.pattern is None:
            return {"W": (self.width, inputs[0][-1])}
        return {"W": (1 + max(entry for row in self.pattern for entry in row),)}

    def fan_in(self, *inputs: Shape) -> dict[str, int]:
        if self.pattern is None:
            return {"W": inputs[0][-1]}
        return {"W": max(sum(entry >= 0 for entry in row) for row in self.pattern)}

    def rows(self, *inputs: Shape) -> tuple[str, ...] | None:
        return ("W",) if self.pattern is None else None

    def columns(self, *inputs: Shape) -> tuple[str, ...] | None:
        return ("W",) if self.pattern is None else None

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        w = weights["W"]
        if self.pattern is not None:
            w = engine.arrange(w, _index(self.pattern))
        return engine.linear(inputs[0], w)


@dataclass(frozen=True, slots=True)
class Bias(Layer):
    """A learned shift ``x ↦ x + b`` of the last axis."""

    kind: ClassVar[str] = "bias"
    shifts: ClassVar[frozenset[str]] = frozenset({"b"})

    @property
    def mixes_through(self) -> bool:
        return True

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"b": (inputs[0][-1],)}

    def rows(self, *inputs: Shape) -> tuple[str, ...] | None:
        return ("b",)

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        return engine.bias(inputs[0], weights["b"])


@dataclass(frozen=True, slots=True)
class Scale(Layer):
    """A learned factor for each feature, ``x ↦ s * x`` on the last axis: a diagonal matrix."""

    kind: ClassVar[str] = "scale"

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"s": (inputs[0][-1],)}

    def fan_in(self, *inputs: Shape) -> dict[str, int]:
        return {"s": 1}

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        return engine.linear(inputs[0], engine.arrange(weights["s"], _diagonal(shapes[0][-1])))


@lru_cache(maxsize=256)
def _index(pattern: tuple[tuple[int, ...], ...]) -> np.ndarray:
    return constant(np.array(pattern))


@lru_cache(maxsize=64)
def _diagonal(size: int) -> np.ndarray:
    index = np.full((size, size), -1)
    np.fill_diagonal(index, np.arange(size))
    return constant(index)
