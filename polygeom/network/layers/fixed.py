"""Linear maps that are not trained: adjacency matrices, pooling, preprocessing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import ClassVar

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.network.constants import Constants
from polygeom.network.layers.base import Layer, Shape, V, numbered
from polygeom.network.limits import MOST_SYMBOLS, rational, shown
from polygeom.network.primitives import Engine

Matrix = tuple[tuple[Fraction, ...], ...]


@dataclass(frozen=True, slots=True)
class Fixed(Layer):
    """The constant map ``x ↦ A x`` of the last axis, or with ``axis=tokens`` of the first: ``y[s] = Σ_t A[s, t] x[t]``.

    Parameters
    ----------
    matrix:
        Rows of rational numbers.
    axis:
        ``"features"`` or ``"tokens"``.
    """

    matrix: Matrix
    axis: str = "features"
    kind: ClassVar[str] = "fixed"

    def __post_init__(self) -> None:
        if not isinstance(self.matrix, list | tuple) or not all(isinstance(row, list | tuple) for row in self.matrix):
            raise PolygeomError(
                f"fixed: matrix must be a list of rows, got {shown(self.matrix)}; write [[1,0],[0,1/2]]"
            )
        exact = tuple(tuple(rational(c) for c in row) for row in self.matrix)
        object.__setattr__(self, "matrix", exact)
        if not exact or not exact[0] or len({len(row) for row in exact}) != 1:
            raise PolygeomError("fixed: matrix must have rows of equal length; write [[1,0],[0,1/2]]")
        if self.symbols > MOST_SYMBOLS:
            raise PolygeomError(
                f"fixed: matrix must have at most {MOST_SYMBOLS // 2} entries, got {self.symbols // 2}; write less"
            )
        if self.axis not in ("features", "tokens"):
            raise PolygeomError(f"fixed: axis must be features or tokens, got {shown(self.axis)}; write axis=tokens")

    @property
    def symbols(self) -> int:
        return 2 * len(self.matrix) * len(self.matrix[0])

    @property
    def divisors(self) -> tuple[int, ...]:
        return tuple({c.denominator for c in self.constants})

    @property
    def constants(self) -> tuple[Fraction, ...]:
        return tuple(c for row in self.matrix for c in row)

    def shape(self, *inputs: Shape) -> Shape:
        (x,) = inputs
        place = -1 if self.axis == "features" else 0
        if self.axis == "tokens" and len(x) < 2:
            raise PolygeomError(f"fixed: axis=tokens needs an input of two axes, got {x}; write input(3,2)")
        if len(self.matrix[0]) != x[place]:
            raise PolygeomError(
                f"fixed: matrix has {len(self.matrix[0])} columns but the input has {x[place]} {self.axis}; "
                f"write {x[place]} entries in each row"
            )
        return (*x[:-1], len(self.matrix)) if place else (len(self.matrix), *x[1:])

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        matrix = _constants(self.matrix)
        if self.axis == "features":
            return engine.combine(inputs[0], matrix)
        return last_axis_first(
            engine, engine.combine(first_axis_last(engine, inputs[0], shapes[0]), matrix), self.shape(*shapes)
        )


@lru_cache(maxsize=256)
def _constants(matrix: Matrix) -> Constants:
    return Constants.of(matrix)


def first_axis_last(engine: Engine[V], x: V, shape: Shape) -> V:
    """A value of ``shape`` with its first axis moved to the end."""
    return engine.reindex(x, numbered(*shape).transpose(*range(1, len(shape)), 0))


def last_axis_first(engine: Engine[V], x: V, shape: Shape) -> V:
    """The inverse: the last axis becomes the first of a value of ``shape``."""
    return engine.reindex(x, numbered(*shape[1:], shape[0]).transpose(len(shape) - 1, *range(len(shape) - 1)))
