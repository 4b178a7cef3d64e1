"""The vocabulary of layers: each states its shape rule, its parameters and its value in engine primitives.

A layer is a frozen value without weights. ``shape(*inputs)`` gives the shape of one output (no batch axis) or raises
`PolygeomError`; ``parameters(*inputs)`` the shapes of its weights by one-letter names; ``apply`` its value over any
engine (`polygeom.engines.interface`), given the values, weights and shapes of its inputs. Nothing else in polygeom
needs to know a layer: a new one is a class in this file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar, TypeVar

import numpy as np

from polygeom.errors import PolygeomError
from polygeom.network.limits import (
    LARGEST_DEGREE,
    LARGEST_POLYNOMIAL_DEGREE,
    MOST_AXES,
    MOST_SYMBOLS,
    positive,
    rational,
    shown,
)

if TYPE_CHECKING:
    from polygeom.engines.interface import Engine

Shape = tuple[int, ...]
V = TypeVar("V")


class Layer:
    """Base of all layers; subclasses are frozen dataclasses."""

    kind: ClassVar[str]
    """The word for this layer in text and JSON."""
    arity: ClassVar[int | None] = 1
    """Number of inputs; ``None`` for two or more."""

    @property
    def symbols(self) -> int:
        """Size of the layer's description, for the limit on networks; its text has at most 3 numbers and words each."""
        return 1

    @property
    def divisors(self) -> tuple[int, ...]:
        """Integers that a prime must not divide: exponents, and denominators of constants."""
        return ()

    @property
    def constants(self) -> tuple[Fraction, ...]:
        """Rational numbers that enter beside the weights."""
        return ()

    def shape(self, *inputs: Shape) -> Shape:
        """Shape of the output for inputs of the given shapes."""
        return inputs[0]

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        """Shapes of the weights by local name, in a fixed order."""
        return {}

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        """The value of the layer over ``engine``."""
        raise TypeError(f"layer {type(self).__name__} must define apply")


@dataclass(frozen=True, slots=True)
class Input(Layer):
    """The input of the network, a point of shape ``dims``: ``(d,)`` for vectors, ``(t, d)`` for ``t`` tokens."""

    dims: Shape
    kind: ClassVar[str] = "input"
    arity: ClassVar[int | None] = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "dims", tuple(self.dims))
        if not 1 <= len(self.dims) <= MOST_AXES:
            raise PolygeomError(f"input: dims must have 1 to {MOST_AXES} entries, got {len(self.dims)}; write input(3)")
        for d in self.dims:
            positive("input", "dims", d)

    def shape(self, *inputs: Shape) -> Shape:
        return self.dims


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

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        w = weights["W"]
        if self.pattern is not None:
            w = engine.arrange(w, np.array(self.pattern))
        return engine.linear(inputs[0], w)


@dataclass(frozen=True, slots=True)
class Bias(Layer):
    """A learned shift ``x ↦ x + b`` of the last axis."""

    kind: ClassVar[str] = "bias"

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"b": (inputs[0][-1],)}

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        return engine.bias(inputs[0], weights["b"])


@dataclass(frozen=True, slots=True)
class Scale(Layer):
    """A learned factor for each feature, ``x ↦ s * x`` on the last axis: a diagonal matrix."""

    kind: ClassVar[str] = "scale"

    def parameters(self, *inputs: Shape) -> dict[str, Shape]:
        return {"s": (inputs[0][-1],)}

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        diagonal = np.full((shapes[0][-1],) * 2, -1)
        np.fill_diagonal(diagonal, np.arange(shapes[0][-1]))
        return engine.linear(inputs[0], engine.arrange(weights["s"], diagonal))


@dataclass(frozen=True, slots=True)
class Power(Layer):
    """The monomial activation ``x ↦ x ** degree``, elementwise."""

    degree: int
    kind: ClassVar[str] = "power"

    def __post_init__(self) -> None:
        positive("power", "degree", self.degree, LARGEST_DEGREE)

    @property
    def divisors(self) -> tuple[int, ...]:
        return (self.degree,)

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        return engine.power(inputs[0], self.degree)


@dataclass(frozen=True, slots=True)
class Polynomial(Layer):
    """A fixed polynomial activation ``x ↦ Σ_k coefficients[k] x ** k`` with rational coefficients, elementwise."""

    coefficients: tuple[Fraction, ...]
    kind: ClassVar[str] = "polynomial"

    def __post_init__(self) -> None:
        if not isinstance(self.coefficients, list | tuple):
            raise PolygeomError(
                f"polynomial: coefficients must be a list, got {shown(self.coefficients)}; write [0,1,1] for x + x^2"
            )
        exact = tuple(rational(c) for c in self.coefficients)
        object.__setattr__(self, "coefficients", exact)
        if len(exact) < 2 or exact[-1] == 0:
            raise PolygeomError(
                "polynomial: coefficients must reach a nonzero leading one of degree at least 1, constant term first, "
                f"got {', '.join(map(str, exact)):.60}; write 0,1,1 for x + x^2"
            )
        if len(exact) > LARGEST_POLYNOMIAL_DEGREE + 1:
            raise PolygeomError(
                f"polynomial: the degree must be at most {LARGEST_POLYNOMIAL_DEGREE}, got {len(exact) - 1}; "
                "write fewer coefficients, or a monomial activation r=… of higher degree"
            )

    @property
    def symbols(self) -> int:
        return 2 * len(self.coefficients)

    @property
    def divisors(self) -> tuple[int, ...]:
        return tuple(c.denominator for c in self.coefficients)

    @property
    def constants(self) -> tuple[Fraction, ...]:
        return self.coefficients

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        return engine.polynomial(inputs[0], self.coefficients)


def _equal_shapes(kind: str, inputs: Sequence[Shape]) -> Shape:
    if any(shape != inputs[0] for shape in inputs):
        raise PolygeomError(
            f"{kind}: inputs must have equal shapes, got {', '.join(map(str, inputs)):.80}; write maps to one width"
        )
    return inputs[0]


@dataclass(frozen=True, slots=True)
class Product(Layer):
    """The Hadamard (elementwise) product of two or more values of equal shape."""

    kind: ClassVar[str] = "product"
    arity: ClassVar[int | None] = None

    def shape(self, *inputs: Shape) -> Shape:
        return _equal_shapes("product", inputs)

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        value = inputs[0]
        for other in inputs[1:]:
            value = engine.multiply(value, other)
        return value


@dataclass(frozen=True, slots=True)
class Sum(Layer):
    """The sum of two or more values of equal shape: skip connections."""

    kind: ClassVar[str] = "sum"
    arity: ClassVar[int | None] = None

    def shape(self, *inputs: Shape) -> Shape:
        return _equal_shapes("sum", inputs)

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        value = inputs[0]
        for other in inputs[1:]:
            value = engine.add(value, other)
        return value


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


@dataclass(frozen=True, slots=True)
class Flatten(Layer):
    """All axes of a point in one, last axis fastest: from convolution or attention to dense layers."""

    kind: ClassVar[str] = "flatten"

    def shape(self, *inputs: Shape) -> Shape:
        return (math.prod(inputs[0]),)

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        return engine.reindex(inputs[0], np.arange(math.prod(shapes[0])))


@dataclass(frozen=True, slots=True)
class Attention(Layer):
    """Lightning (unnormalised) self-attention ``X ↦ V X Xᵀ Kᵀ Q X`` of Henry, Marchetti, Kohn (arXiv 2408.17221).

    Tokens are rows: the input ``Y = Xᵀ`` has shape ``(t, d)``, the output ``(t, width)``. ``Q`` and ``K`` are
    ``rank × d``.
    """

    rank: int
    width: int
    kind: ClassVar[str] = "attention"

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

    def apply(self, engine: Engine[V], inputs: Sequence[V], weights: Mapping[str, V], shapes: Sequence[Shape]) -> V:
        (y,) = inputs
        tokens = shapes[0][0]
        keys = engine.linear(y, weights["K"])
        transposed = np.arange(tokens * self.rank).reshape(tokens, self.rank).T
        scores = engine.matmul(engine.linear(y, weights["Q"]), engine.reindex(keys, transposed))
        return engine.matmul(scores, engine.linear(y, weights["V"]))


from polygeom.network.formula import Formula  # noqa: E402

LAYERS: dict[str, type[Layer]] = {
    layer.kind: layer
    for layer in (Input, Dense, Bias, Scale, Power, Polynomial, Product, Sum, Convolution, Flatten, Attention, Formula)
}
"""Every layer by its word in text and JSON."""
