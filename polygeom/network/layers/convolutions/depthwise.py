"""Convolution of each channel by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.network.layers.base import Layer, Shape, V, constant
from polygeom.network.limits import positive
from polygeom.network.primitives import Engine


@dataclass(frozen=True, slots=True)
class Depthwise(Layer):
    """A depthwise 1-D convolution without padding: ``y[m, c] = Σ_i w[c, i] x[stride·m + i, c]``.

    The input has shape ``(n, channels)``, the output ``(n′, channels)`` with ``n′ = (n − size) // stride + 1``.

    Examples
    --------
    >>> from polygeom.engines.exact import ExactEngine
    >>> from polygeom.network import parse
    >>> engine, network = ExactEngine(), parse("x=input(3,2); depthwise(x,2)")
    >>> weights = {"w1": engine.encode([[1, 10], [1, 100]])}                              # one filter for each channel
    >>> network.evaluate(engine, weights, engine.encode([[[1, 2], [3, 4], [5, 6]]])).tolist()
    [[[31, 402], [53, 604]]]
    """

    size: int
    stride: int = 1
    kind: ClassVar[str] = "depthwise"

    def __post_init__(self) -> None:
        positive("depthwise", "size", self.size)
        positive("depthwise", "stride", self.stride)

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        if len(x) != 2 or x[0] < self.size:
            raise PolygeomError(
                f"depthwise: a filter of size {self.size} needs an input of shape (n, channels) with n ≥ {self.size}, "
                f"got {x}; write a longer input or a smaller size"
            )
        return ((x[0] - self.size) // self.stride + 1, x[1])

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"w": (inputs[0][1], self.size)}

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        length, channels = self.shape(shapes[0])
        seen, filters = _wiring(length, channels, self.size, self.stride)
        return engine.linear(engine.reindex(inputs[0], seen), engine.arrange(weights["w"], filters))


@lru_cache(maxsize=256)
def _wiring(length: int, channels: int, size: int, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """What each output position sees, ``(length, size · channels)``, and the filters as a sparse matrix of it."""
    seen = np.arange(length)[:, None] * (stride * channels) + np.arange(size * channels)
    filters = np.full((channels, size, channels), -1)
    for c in range(channels):
        filters[c, :, c] = np.arange(c * size, (c + 1) * size)
    return constant(seen), constant(filters.reshape(channels, size * channels))
