"""Layers of tokens, matrices and edges: maps along the first axis, products, polynomial Kolmogorov–Arnold layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.network.layers.base import Layer, Shape, V
from polygeom.network.layers.fixed import first_axis_last, last_axis_first
from polygeom.network.limits import LARGEST_POLYNOMIAL_DEGREE, positive
from polygeom.network.primitives import Engine


@dataclass(frozen=True, slots=True)
class Mix(Layer):
    """A trained map along the first axis, ``y[s, …] = Σ_t W[s, t] x[t, …]``: token mixing."""

    tokens: int
    kind: ClassVar[str] = "mix"

    def __post_init__(self) -> None:
        positive("mix", "tokens", self.tokens)

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        if len(x) < 2:
            raise PolygeomError(f"mix: the input must have shape (tokens, features), got {x}; write input(3,2)")
        return (self.tokens, *x[1:])

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"W": (self.tokens, inputs[0][0])}

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        y = engine.linear(first_axis_last(engine, inputs[0], shapes[0]), weights["W"])
        return last_axis_first(engine, y, self.shape(*shapes))


@dataclass(frozen=True, slots=True)
class Edges(Layer):
    """A polynomial Kolmogorov–Arnold layer: ``y[i] = Σ_j Σ_{k=1}^{degree} w[i, k, j] x[j] ** k`` on the last axis.

    Every edge from ``j`` to ``i`` carries a trained polynomial without constant term; a `Bias` adds the constants.
    """

    width: int
    degree: int
    kind: ClassVar[str] = "edges"

    def __post_init__(self) -> None:
        positive("edges", "width", self.width)
        positive("edges", "degree", self.degree, LARGEST_POLYNOMIAL_DEGREE)

    @property
    def divisors(self) -> tuple[int, ...]:
        return tuple(range(2, self.degree + 1))

    def shape(self, *inputs: Shape) -> Shape:
        return (*inputs[0][:-1], self.width)

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"w": (self.width, self.degree * inputs[0][-1])}

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        n = shapes[0][-1]
        total: V | None = None
        for k in range(1, self.degree + 1):
            columns = np.arange(self.width)[:, None] * (self.degree * n) + (k - 1) * n + np.arange(n)
            x = inputs[0] if k == 1 else engine.power(inputs[0], k)
            part = engine.linear(x, engine.arrange(weights["w"], columns))
            total = part if total is None else engine.add(total, part)
        assert total is not None
        return total


@dataclass(frozen=True, slots=True)
class Matmul(Layer):
    """The matrix product of a value of shape ``(s, t)`` and one of shape ``(t, u)``."""

    kind: ClassVar[str] = "matmul"
    arity: ClassVar[int | None] = 2

    def shape(self, *inputs: Shape) -> Shape:
        x, y = inputs
        if len(x) != 2 or len(y) != 2 or x[1] != y[0]:
            raise PolygeomError(f"matmul: inputs must have shapes (s, t) and (t, u), got {x} and {y}; gather them so")
        return (x[0], y[1])

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        return engine.matmul(inputs[0], inputs[1])
