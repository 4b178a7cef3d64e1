"""Layers that share their weights among positions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from polygeom.errors import PolygeomError
from polygeom.network.layers.base import Layer, Shape, V
from polygeom.network.limits import positive
from polygeom.network.primitives import Engine


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

    def windows(self, x: Shape) -> np.ndarray:
        """Positions ``(n′, size · c)`` of the flattened input that each output position sees."""
        c = math.prod(x[1:])
        length = (x[0] - self.size) // self.stride + 1
        starts = np.arange(length) * (self.stride * c)
        return starts[:, None] + np.arange(self.size * c)

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        y = engine.linear(engine.reindex(inputs[0], self.windows(shapes[0])), weights["w"])
        out = self.shape(shapes[0])
        return engine.reindex(y, np.arange(math.prod(out)).reshape(out)) if len(out) == 1 else y
