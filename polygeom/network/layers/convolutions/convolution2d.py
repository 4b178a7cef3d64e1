"""Convolution of images, with stride, padding and groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.network.layers.base import Layer, Shape, V, constant
from polygeom.network.limits import positive, shown
from polygeom.network.primitives import Engine


@dataclass(frozen=True, slots=True)
class Convolution2d(Layer):
    """``y[r, s, o] = Σ_{i, j, c} w[o, i, j, c] x[stride·r + i − padding, stride·s + j − padding, c]``, zeros outside.

    The input has shape ``(height, width)`` or ``(height, width, channels)``, the output ``(height′, width′,
    channels)``. With ``groups`` the channels of input and output fall into as many equal parts, each read by its own.

    Parameters
    ----------
    size:
        ``(height, width)`` of the filters.
    channels:
        Number of filters.
    stride, padding:
        In both directions.
    groups:
        A divisor of both numbers of channels.
    """

    size: tuple[int, int]
    channels: int = 1
    stride: int = 1
    padding: int = 0
    groups: int = 1
    kind: ClassVar[str] = "convolution2d"

    def __post_init__(self) -> None:
        if not isinstance(self.size, list | tuple) or len(self.size) != 2:
            raise PolygeomError(f"convolution2d: size must be two integers, got {shown(self.size)}; write [3,3]")
        object.__setattr__(self, "size", tuple(self.size))
        for name in ("channels", "stride", "groups"):
            positive("convolution2d", name, getattr(self, name))
        for side in self.size:
            positive("convolution2d", "size", side)
        if type(self.padding) is not int or not 0 <= self.padding < 1000:
            raise PolygeomError(f"convolution2d: padding must be an integer from 0, got {shown(self.padding)}; write 1")
        if self.channels % self.groups:
            raise PolygeomError(
                f"convolution2d: groups={self.groups} must divide channels={self.channels}; write groups=1"
            )

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        if len(x) not in (2, 3):
            raise PolygeomError(f"convolution2d: the input must have shape (height, width, channels), got {x}")
        channels = x[2] if len(x) == 3 else 1
        if channels % self.groups:
            raise PolygeomError(
                f"convolution2d: groups={self.groups} must divide the {channels} channels of the input; write groups=1"
            )
        sides = [(n + 2 * self.padding - k) // self.stride + 1 for n, k in zip(x[:2], self.size, strict=True)]
        if min(n + 2 * self.padding - k for n, k in zip(x[:2], self.size, strict=True)) < 0:
            raise PolygeomError(
                f"convolution2d: filters of size {self.size} do not fit an input of shape {x}; write smaller ones"
            )
        return (*sides, self.channels)

    def _fan(self, x: Shape) -> int:
        return self.size[0] * self.size[1] * (x[2] if len(x) == 3 else 1) // self.groups

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"w": (self.channels, self._fan(inputs[0]))}

    def rows(self, *inputs: Shape) -> tuple[str, ...] | None:
        return ("w",) if self.groups == 1 else None

    def columns(self, *inputs: Shape) -> tuple[str, ...] | None:
        return ("w",) if self.groups == 1 and len(inputs[0]) == 3 else None

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        seen, matrix = _tables(self, shapes[0])
        return engine.linear(engine.reindex(inputs[0], seen), engine.arrange(weights["w"], matrix))


@lru_cache(maxsize=64)
def _tables(layer: Convolution2d, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the input that each output sees, and numbers of the weights of the filters over them."""
    c = shape[2] if len(shape) == 3 else 1
    height, width = shape[:2]
    rows, columns, _ = layer.shape(shape)
    k, m = layer.size
    r = np.arange(rows)[:, None] * layer.stride + np.arange(k) - layer.padding
    s = np.arange(columns)[:, None] * layer.stride + np.arange(m) - layer.padding
    inside = ((r >= 0) & (r < height))[:, None, :, None] & ((s >= 0) & (s < width))[None, :, None, :]
    places = (r[:, None, :, None] * width + s[None, :, None, :])[..., None] * c + np.arange(c)
    seen = np.where(inside[..., None], places, -1).reshape(rows, columns, k * m * c)
    part, own = c // layer.groups, layer.channels // layer.groups
    matrix = np.full((layer.channels, k * m, c), -1)
    for o in range(layer.channels):
        first = (o // own) * part
        matrix[o, :, first : first + part] = o * k * m * part + np.arange(k * m * part).reshape(k * m, part)
    return constant(seen), constant(matrix.reshape(layer.channels, -1))
