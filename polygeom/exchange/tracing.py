"""Graphs of tensor operations into networks: what readers of torch and ONNX models share.

A tensor of the foreign graph is one of three things: a *value* that depends on the input, as entries of a node in any
order; *weights*, as entries of a parameter; or a *constant*. Views, transpositions and slices only change the order,
and become a layer when an operation needs the entries in their places. Every tensor keeps its axis of points, of length
1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from polygeom._dataclass import dataclass, field
from polygeom.errors import PolygeomError
from polygeom.network import Network
from polygeom.network.layers import (
    Bias,
    Concatenate,
    Convolution2d,
    Dense,
    Fixed,
    Flatten,
    Gather,
    Inverse,
    Layer,
    Matmul,
    Polynomial,
    Power,
    Product,
    Scale,
    Shape,
    Sum,
)
from polygeom.network.layers.formula import formulas
from polygeom.network.limits import LARGEST_COEFFICIENT
from polygeom.network.nodes import Wiring

Array = np.ndarray
State = Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class Value:
    """Entries of a node: ``index`` has the tensor's shape and the positions in the flattened value, -1 for zero."""

    node: int
    index: Array


@dataclass(frozen=True, eq=False)
class Weights:
    """Entries of a parameter, likewise."""

    name: str
    index: Array


@dataclass(frozen=True, eq=False)
class Constant:
    """Numbers."""

    array: Array


Tensor = Value | Weights | Constant


@dataclass(frozen=True, eq=False)
class Link:
    """How weights of one node and parameters of the model determine each other.

    Attributes
    ----------
    node, locals:
        The node and the local names of its weights.
    forward:
        From the parameters to these weights, in order.
    backward:
        From these weights to the flattened parameters, given all parameters: ``{name: (positions, values)}``.
    """

    node: int
    locals: tuple[str, ...]
    forward: Callable[[State], list[Array]]
    backward: Callable[[list[Array], State], dict[str, tuple[Array, Array]]]


@dataclass(eq=False)
class Tracer:
    """Builds a network operation by operation.

    Parameters
    ----------
    shape:
        Shape of one input point.
    """

    shape: Shape
    links: list[Link] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._wiring = Wiring(self.shape)
        self._shapes: list[Shape] = [self.shape]
        self._used: dict[str, list[tuple[Array, int, str]]] = {}
        self.input = Value(0, np.arange(math.prod(self.shape)).reshape(1, *self.shape))

    def add(self, layer: Layer, *nodes: int, shares: int | None = None) -> int:
        """One more node."""
        self._shapes.append(layer.shape(*(self._shapes[n] for n in nodes)))
        return self._wiring.add(layer, *nodes, shares=shares)

    def value(self, node: int, shape: Sequence[int]) -> Value:
        """The value of a node as a tensor of a shape, entries in order."""
        return Value(node, np.arange(math.prod(shape)).reshape(shape))

    def node(self, value: Value, shape: Shape) -> int:
        """A node whose value has the entries of ``value`` in order, in a shape."""
        positions = value.index.ravel()
        if np.array_equal(positions, np.arange(math.prod(self._shapes[value.node]))):
            if self._shapes[value.node] == shape:
                return value.node
            if len(shape) == 1:
                return self.add(Flatten(), value.node)
        return self.add(Gather(tuple(positions.tolist()), () if len(shape) == 1 else shape), value.node)

    def rows(self, value: Value) -> int:
        """A node with the last axis of a tensor as its last and, if there are several rows, all others as its first."""
        *lead, last = value.index.shape
        count = math.prod(lead)
        return self.node(value, (last,) if count == 1 else (count, last))

    def as_value(self, tensor: Tensor) -> Value:
        """Weights and constants as values that do not depend on the input."""
        if isinstance(tensor, Value):
            return tensor
        size = tensor.index.size if isinstance(tensor, Weights) else tensor.array.size
        zeros = self.add(Gather((-1,) * size), 0)
        if isinstance(tensor, Constant):
            numbers = [exact(float(c)) for c in tensor.array.ravel()]
            node = self.add(formulas((), [f"x{k}+({c})" for k, c in enumerate(numbers, 1)]), zeros)
            return self.value(node, tensor.array.shape)
        positions, back = np.unique(tensor.index, return_inverse=True)
        owner = self._claim(Weights(tensor.name, positions), "b", (len(positions),))
        if len(positions) != size:
            zeros = self.add(Gather((-1,) * len(positions)), 0)
        node = self.add(Bias(), zeros, shares=owner)
        if owner is None:
            self._own(node, "b", Weights(tensor.name, positions), (len(positions),))
        return Value(node, back.reshape(tensor.index.shape))

    def _claim(self, weights: Weights, local: str, shape: Shape) -> int | None:
        """The node that already owns these entries as such a weight, None if they are new."""
        for index, node, kind in self._used.get(weights.name, []):
            if kind == f"{local} {shape}" and np.array_equal(index, weights.index.ravel()):
                return node
            if np.intersect1d(index, weights.index).size:
                raise PolygeomError(
                    f"the parameter {weights.name} is used in two ways that no layer shares; use it in one shape"
                )
        return None

    def _own(self, node: int, local: str, weights: Weights, shape: Shape) -> None:
        name, index = weights.name, weights.index.ravel()
        self._used.setdefault(name, []).append((index, node, f"{local} {shape}"))

        def forward(state: State) -> list[Array]:
            return [state[name].ravel()[index].reshape(shape)]

        def backward(arrays: list[Array], state: State) -> dict[str, tuple[Array, Array]]:
            return {name: (index, arrays[0].ravel())}

        self.links.append(Link(node, (local,), forward, backward))

    def linear(self, x: Value, w: Weights, bias: Tensor | None = None) -> Value:
        """``x wᵀ + bias`` on the last axis, ``w`` of shape ``(m, n)``."""
        if w.index.shape[1] != x.index.shape[-1]:
            raise PolygeomError(
                f"a matrix for {w.index.shape[1]} of {x.index.shape[-1]} features; write one of that size"
            )
        if np.unique(w.index).size != w.index.size:
            return self.plus(self.matmul(x, self.transposed(w, -1, -2)), bias)
        source = self.rows(x)
        owner = self._claim(w, "W", w.index.shape)
        node = self.add(Dense(w.index.shape[0]), source, shares=owner)
        if owner is None:
            self._own(node, "W", w, w.index.shape)
        return self.plus(self.value(node, (*x.index.shape[:-1], w.index.shape[0])), bias)

    def plus(self, x: Value, other: Tensor | None) -> Value:
        """A sum with numpy's broadcasting."""
        if other is None:
            return x
        last = x.index.shape[-1]
        if isinstance(other, Weights) and other.index.size == last and np.unique(other.index).size == last:
            if other.index.shape == (1,) * (other.index.ndim - 1) + (last,):
                return self._channelwise(Bias(), "b", x, other)
        if isinstance(other, Constant) and np.unique(other.array).size == 1:
            shape = np.broadcast_shapes(x.index.shape, other.array.shape)
            return self.polynomial(_broadcast(x, shape), [exact(float(other.array.flat[0])), Fraction(1)])
        return self._joined(Sum(), x, self.as_value(other))

    def times(self, x: Value, other: Tensor) -> Value:
        """A product with numpy's broadcasting."""
        last = x.index.shape[-1]
        if isinstance(other, Weights) and other.index.size == last and np.unique(other.index).size == last:
            if other.index.shape == (1,) * (other.index.ndim - 1) + (last,):
                return self._channelwise(Scale(), "s", x, other)
        if isinstance(other, Constant) and np.unique(other.array).size == 1:
            shape = np.broadcast_shapes(x.index.shape, other.array.shape)
            return self.polynomial(_broadcast(x, shape), [Fraction(0), exact(float(other.array.flat[0]))])
        right = self.as_value(other)
        if right.node == x.node and np.array_equal(right.index, x.index):
            return self.power(x, 2)
        return self._joined(Product(), x, right)

    def _channelwise(self, layer: Layer, local: str, x: Value, weights: Weights) -> Value:
        owner = self._claim(weights, local, (weights.index.size,))
        node = self.add(layer, self.rows(x), shares=owner)
        if owner is None:
            self._own(node, local, weights, (weights.index.size,))
        return self.value(node, x.index.shape)

    def _joined(self, layer: Layer, x: Value, y: Value) -> Value:
        shape = np.broadcast_shapes(x.index.shape, y.index.shape)
        x, y = _broadcast(x, shape), _broadcast(y, shape)
        if np.array_equal(x.index, y.index) and self._shapes[x.node] == self._shapes[y.node]:
            return Value(self.add(layer, x.node, y.node), x.index)
        size = (math.prod(shape),)
        return self.value(self.add(layer, self.node(x, size), self.node(y, size)), shape)

    def power(self, x: Value, exponent: int) -> Value:
        """An elementwise power."""
        if exponent == 1:
            return x
        x = self._plain(x)
        return Value(self.add(Power(exponent), x.node), x.index)

    def polynomial(self, x: Value, coefficients: Sequence[Fraction]) -> Value:
        """An elementwise polynomial; a constant times x, and plus."""
        if list(coefficients) == [0, 1]:
            return x
        if coefficients[-1] == 0:
            raise PolygeomError("a factor zero makes everything after it constant; leave the branch out")
        x = self._plain(x)
        return Value(self.add(Polynomial(tuple(coefficients)), x.node), x.index)

    def inverse(self, x: Value) -> Value:
        """Elementwise inverses."""
        x = self._plain(x)
        return Value(self.add(Inverse(), x.node), x.index)

    def _plain(self, x: Value) -> Value:
        """The same tensor without padding zeros, which not every function keeps."""
        if (x.index >= 0).all():
            return x
        return self.value(self.node(x, (x.index.size,)), x.index.shape)

    def matmul(self, x: Tensor, y: Tensor) -> Value:
        """A product of matrices with leading axes as in numpy, one `Matmul` for each pair of matrices."""
        if (
            isinstance(x, Value)
            and isinstance(y, Weights)
            and y.index.ndim == 2
            and np.unique(y.index).size == y.index.size
        ):
            return self.linear(x, self.transposed(y, -1, -2))
        a, b = self.as_value(x), self.as_value(y)
        lead = np.broadcast_shapes(a.index.shape[:-2], b.index.shape[:-2])
        left = np.broadcast_to(a.index, (*lead, *a.index.shape[-2:])).reshape(-1, *a.index.shape[-2:])
        right = np.broadcast_to(b.index, (*lead, *b.index.shape[-2:])).reshape(-1, *b.index.shape[-2:])
        made = []
        for p, q in zip(left, right, strict=True):
            nodes = self.node(Value(a.node, p), p.shape), self.node(Value(b.node, q), q.shape)
            made.append(self.value(self.add(Matmul(), *nodes), (p.shape[0], q.shape[1])))
        stacked = self.concatenate([Value(v.node, v.index[None]) for v in made], 0)
        return Value(stacked.node, stacked.index.reshape(*lead, left.shape[1], right.shape[2]))

    def concatenate(self, parts: Sequence[Tensor], axis: int) -> Value:
        """Tensors beside each other."""
        values = [self.as_value(part) for part in parts]
        if len({v.node for v in values}) == 1:
            return Value(values[0].node, np.concatenate([v.index for v in values], axis=axis))
        nodes = [self.node(v, (v.index.size,)) for v in values]
        joined, start, indices = self.add(Concatenate(), *nodes), 0, []
        for v in values:
            indices.append(np.arange(start, start + v.index.size).reshape(v.index.shape))
            start += v.index.size
        return Value(joined, np.concatenate(indices, axis=axis))

    def transposed(self, x: Any, a: int, b: int) -> Any:
        """Two axes exchanged."""
        return reindexed(x, lambda index: np.swapaxes(index, a, b))

    def mean(self, x: Value, axes: Sequence[int], keep: bool, divisor: float | None = None) -> Value:
        """Means over axes, or sums divided by another number."""
        axes = sorted(a % x.index.ndim for a in axes)
        rest = [a for a in range(x.index.ndim) if a not in axes]
        moved = x.index.transpose(*rest, *axes)
        shape = tuple(x.index.shape[a] for a in rest)
        size = math.prod(x.index.shape[a] for a in axes)
        flat = Value(x.node, moved.reshape(*shape, size))
        c = Fraction(1, size) if divisor is None else 1 / exact(divisor)
        node = self.add(Fixed(((c,) * size,)), self.rows(flat))
        out = tuple(1 if a in axes else n for a, n in enumerate(x.index.shape)) if keep else shape
        return self.value(node, out)

    def fixed(self, x: Value, matrix: Array) -> Value:
        """``x matrixᵀ`` on the last axis, with a matrix of numbers that are no weights."""
        if x.index.shape[-1] != matrix.shape[1]:
            raise PolygeomError(
                f"a matrix of {matrix.shape[1]} columns for {x.index.shape[-1]} features; write its own"
            )
        rows = tuple(tuple(exact(float(c)) for c in row) for row in matrix)
        return self.value(self.add(Fixed(rows), self.rows(x)), (*x.index.shape[:-1], len(matrix)))

    def convolution(self, x: Value, w: Weights, bias: Tensor | None, stride: int, padding: int, groups: int) -> Value:
        """A convolution of images ``(1, c, height, width)`` with filters ``(o, c / groups, k, m)``."""
        shape = x.index.shape
        node = self.node(Value(x.node, x.index[0].transpose(1, 2, 0)), (*shape[2:], shape[1]))
        o, _, k, m = w.index.shape
        layer = Convolution2d((k, m), o, stride, padding, groups)
        filters = Weights(w.name, w.index.transpose(0, 2, 3, 1).reshape(o, -1))
        owner = self._claim(filters, "w", filters.index.shape)
        y = self.add(layer, node, shares=owner)
        if owner is None:
            self._own(y, "w", filters, filters.index.shape)
        out = self.value(y, (1, *self._shapes[y]))
        return self.transposed(self.transposed(self.plus(out, bias), 2, 3), 1, 2)  # type: ignore[no-any-return]

    def normalised(self, x: Value, gamma: Weights, beta: Weights, mean: Array, spread: Array) -> Value:
        """Batch normalisation in evaluation: ``(x - mean) / spread · γ + β`` on axis 1."""
        for weights in (gamma, beta):
            if weights.name in self._used:
                raise PolygeomError(
                    f"the parameter {weights.name} is used in two normalisations; write parameters of their own"
                )
            self._used[weights.name] = [(weights.index.ravel(), -1, "")]
        last = Value(x.node, np.moveaxis(x.index, 1, -1))
        node = self.rows(last)
        node = self.add(Scale(), node)
        shifted = self.add(Bias(), node)
        g, b = gamma.index.ravel(), beta.index.ravel()

        def forward(state: State) -> list[Array]:
            return [state[gamma.name].ravel()[g] / spread]

        def backward(arrays: list[Array], state: State) -> dict[str, tuple[Array, Array]]:
            return {gamma.name: (g, arrays[0] * spread)}

        def forward_bias(state: State) -> list[Array]:
            return [state[beta.name].ravel()[b] - mean * (state[gamma.name].ravel()[g] / spread)]

        def backward_bias(arrays: list[Array], state: State) -> dict[str, tuple[Array, Array]]:
            return {beta.name: (b, arrays[0] + mean * (state[gamma.name].ravel()[g] / spread))}

        self.links += [Link(node, ("s",), forward, backward), Link(shifted, ("b",), forward_bias, backward_bias)]
        return Value(shifted, np.moveaxis(self.value(shifted, last.index.shape).index, -1, 1))

    def network(self, output: Value) -> tuple[Network, dict[tuple[str, ...], Link]]:
        """The network of an output, its point axis dropped, and the links by names of weights."""
        index = output.index[0] if output.index.shape[0] == 1 else output.index
        node = self.node(Value(output.node, index), index.shape or (1,))
        order = self._wiring.order(node)
        network = Network(self._wiring.nodes(node))
        named = {}
        for link in self.links:
            if link.node in order:
                names = network.weight_names[order[link.node]]
                named[tuple(names[local] for local in link.locals)] = link
        return network, named


def _broadcast(x: Value, shape: Sequence[int]) -> Value:
    return x if x.index.shape == tuple(shape) else Value(x.node, np.broadcast_to(x.index, shape))


def reindexed(x: Any, change: Callable[[Array], Array]) -> Any:
    """A tensor with its entries in other places."""
    if isinstance(x, Value):
        return Value(x.node, change(x.index))
    if isinstance(x, Weights):
        return Weights(x.name, change(x.index))
    return Constant(change(x.array))


def exact(c: float) -> Fraction:
    """A rational number next to a float, within a few units of its last place; refused where there is no short one."""
    if not math.isfinite(c):
        raise PolygeomError(f"the constant {c!r} is no number; write another")
    value = Fraction(c).limit_denominator(10**9)
    if abs(float(value) - c) > 1e-15 * abs(c):
        value = Fraction(c)  # numbers of single precision have a power of two below
    if abs(value.numerator) > LARGEST_COEFFICIENT or value.denominator > LARGEST_COEFFICIENT:
        raise PolygeomError(f"the constant {c!r} is no fraction of bearable size; make it a parameter")
    return value
