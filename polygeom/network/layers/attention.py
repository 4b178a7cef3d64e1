"""Layers in which tokens meet each other."""

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
class Attention(Layer):
    """Lightning (unnormalised) self-attention ``X ↦ V X Xᵀ Kᵀ Q X`` of Henry, Marchetti, Kohn (arXiv 2408.17221).

    Tokens are rows: the input ``Y = Xᵀ`` has shape ``(t, d)``, the output ``(t, width)``. ``Q`` and ``K`` are
    ``rank × d``.
    """

    rank: int
    width: int
    kind: ClassVar[str] = "attention"
    products: ClassVar[tuple[tuple[str, str], ...]] = (("Q", "K"),)

    @property
    def symbols(self) -> int:
        return 2

    def __post_init__(self) -> None:
        positive("attention", "rank", self.rank)
        positive("attention", "width", self.width)

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        if len(x) != 2:
            raise PolygeomError(f"attention: the input must have shape (tokens, features), got {x}; write input(2, 3)")
        return (x[0], self.width)

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        d = inputs[0][-1]
        return {"Q": (self.rank, d), "K": (self.rank, d), "V": (self.width, d)}

    def rows(self, *inputs: Shape) -> tuple[str, ...] | None:
        return ("V",)

    def columns(self, *inputs: Shape) -> tuple[str, ...] | None:
        return ("Q", "K", "V")

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        (y,) = inputs
        tokens = shapes[0][0]
        keys = engine.linear(y, weights["K"])
        scores = engine.matmul(engine.linear(y, weights["Q"]), engine.reindex(keys, _transposed(tokens, self.rank)))
        return engine.matmul(scores, engine.linear(y, weights["V"]))


@lru_cache(maxsize=256)
def _transposed(rows: int, columns: int) -> np.ndarray:
    return constant(np.arange(rows * columns).reshape(rows, columns).T)
