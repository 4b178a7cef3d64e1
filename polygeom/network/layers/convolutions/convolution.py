"""Layers that share their weights among positions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.network.layers.base import Layer, Shape, V, constant, numbered
from polygeom.network.limits import positive
from polygeom.network.primitives import Engine


@lru_cache(maxsize=256)
def windows(count: int, size: int, step: int) -> np.ndarray:
    """Positions ``(count, size)`` of the flattened input that each of ``count`` outputs sees, ``step`` apart."""
    return constant(np.arange(count)[:, None] * step + np.arange(size))


@dataclass(frozen=True, slots=True)
class Convolution(Layer):
    """A 1-D convolution without padding: ``y[m, o] = Σ_{i, c} w[o, i, c] x[stride·m + i, c]``.

    The input has shape ``(n,)`` (one channel) or ``(n, c)``; the output ``(n′, channels)``, or ``(n′,)`` when a
    one-channel input meets ``channels=1``, with ``n′ = (n − size) // stride + 1``.
    """

    size: int
    stride: int = 1
    channels: int = 1
    kind: ClassVar[str] = "convolution"

    @property
    def symbols(self) -> int:
        return 3

    def __post_init__(self) -> None:
        positive("convolution", "size", self.size)
        positive("convolution", "stride", self.stride)
        positive("convolution", "channels", self.channels)

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        if len(x) > 2 or x[0] < self.size:
            raise PolygeomError(
                f"convolution: a filter of size {self.size} needs an input of shape (n,) or (n, channels) "
                f"with n ≥ {self.size}, got {x}; write a longer input or a smaller size"
            )
        length = (x[0] - self.size) // self.stride + 1
        return (length,) if len(x) == 1 and self.channels == 1 else (length, self.channels)

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"w": (self.channels, self.size * math.prod(inputs[0][1:]))}

    def rows(self, *inputs: Shape) -> tuple[str, ...] | None:
        return ("w",) if len(self.shape(*inputs)) == 2 else None

    def columns(self, *inputs: Shape) -> tuple[str, ...] | None:
        return ("w",) if len(inputs[0]) == 2 else None

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        c, out = math.prod(shapes[0][1:]), self.shape(shapes[0])
        seen = windows(out[0], self.size * c, self.stride * c)
        y = engine.linear(engine.reindex(inputs[0], seen), weights["w"])
        return engine.reindex(y, numbered(*out)) if len(out) == 1 else y
