"""Convolution over a finite group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.network.layers.base import Layer, Shape, V, constant, numbered
from polygeom.network.limits import positive, shown
from polygeom.network.primitives import Engine


@dataclass(frozen=True, slots=True)
class GroupConvolution(Layer):
    """``y[g, o] = Σ_{h, c} w[o, g⁻¹h, c] x[h, c]`` for the elements ``0, 1, …`` of a group, 0 being the neutral one.

    Parameters
    ----------
    table:
        The group: ``table[g][h]`` is the product ``g h``.
    channels:
        Number of filters. With one channel in and out, and an input of shape ``(order,)``, so is the output.
    """

    table: tuple[tuple[int, ...], ...]
    channels: int = 1
    kind: ClassVar[str] = "group_convolve"

    def __post_init__(self) -> None:
        positive("group_convolve", "channels", self.channels)
        rows = self.table
        if not isinstance(rows, list | tuple) or not all(isinstance(row, list | tuple) for row in rows):
            raise PolygeomError(f"group_convolve: table must be a list of rows, got {shown(rows)}; write [[0,1],[1,0]]")
        table = tuple(map(tuple, rows))
        object.__setattr__(self, "table", table)
        if not is_group(table):
            raise PolygeomError(
                f"group_convolve: table must be the products of a group with neutral element 0, got {shown(table)}; "
                "write [[0,1],[1,0]]"
            )

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        if len(x) > 2 or x[0] != len(self.table):
            raise PolygeomError(
                f"group_convolve: a group of {len(self.table)} elements needs an input of as many, got {x}; "
                f"write input({len(self.table)})"
            )
        return x if len(x) == 1 and self.channels == 1 else (x[0], self.channels)

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"w": (self.channels, inputs[0][0] * (inputs[0][1] if len(inputs[0]) == 2 else 1))}

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        c, out = shapes[0][1] if len(shapes[0]) == 2 else 1, self.shape(*shapes)
        flat = engine.reindex(inputs[0], numbered(len(self.table) * c))
        y = engine.linear(flat, engine.arrange(weights["w"], _matrix(self.table, c, self.channels)))
        return engine.reindex(y, numbered(*out))


def is_group(table: tuple[tuple[int, ...], ...]) -> bool:
    """Whether a table of products is that of a group with neutral element 0."""
    n = len(table)
    if not 1 <= n <= 200 or any(sorted(row) != list(range(n)) for row in table):
        return False
    products = np.array(table)
    neutral = np.array_equal(products[0], np.arange(n)) and np.array_equal(products[:, 0], np.arange(n))
    return bool(neutral and np.array_equal(products[products, :], products[:, products]))


@lru_cache(maxsize=64)
def _matrix(table: tuple[tuple[int, ...], ...], inputs: int, outputs: int) -> np.ndarray:
    n = len(table)
    inverse = [row.index(0) for row in table]
    index = np.empty((n, outputs, n, inputs), dtype=np.int64)
    for g in range(n):
        for h in range(n):
            k = table[inverse[g]][h]
            for o in range(outputs):
                index[g, o, h] = (o * n + k) * inputs + np.arange(inputs)
    return constant(index.reshape(n * outputs, n * inputs))
