"""The operators of ONNX by their names, on tensors of `polygeom.exchange.tracing`; all versions of the default domain.

What an older version of an operator has as an attribute, a newer one often has as an input; `Call.numbers` reads both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.exchange import operations as op
from polygeom.exchange.tracing import Constant, State, Tracer, Value, Weights, reindexed

MOST_LETTERS = 40


@dataclass(frozen=True, eq=False)
class Call:
    """One node of a graph.

    Attributes
    ----------
    t:
        The network so far.
    inputs:
        Its tensors, None for optional ones that are left out.
    attributes:
        By name, as numbers, lists, texts and arrays.
    outputs:
        How many values it has.
    state:
        The numbers of all weights, for places where only numbers will do.
    """

    t: Tracer
    inputs: Sequence[Any]
    attributes: Mapping[str, Any]
    outputs: int
    state: State

    def get(self, name: str, default: Any) -> Any:
        """An attribute."""
        return self.attributes.get(name, default)

    def input(self, k: int) -> Any:
        """An input, None if it is not there."""
        return self.inputs[k] if k < len(self.inputs) else None

    def numbers(self, k: int, name: str = "") -> Any:
        """The numbers of an input, or of the attribute that older versions have in its place; None without both."""
        x = self.input(k)
        if x is None:
            return self.attributes.get(name)
        if isinstance(x, Value):
            raise PolygeomError(f"its input {k + 1} depends on the input of the model; write it with constant ones")
        return x.array if isinstance(x, Constant) else self.state[x.name].ravel()[x.index]

    def whole(self, k: int, name: str = "") -> list[int] | None:
        """The same as a list of integers."""
        found = self.numbers(k, name)
        return None if found is None else [int(n) for n in np.atleast_1d(found)]

    def refuse_unless(self, holds: bool, what: str) -> None:
        """Complain about an option."""
        if not holds:
            raise PolygeomError(what)


def _variadic(function: Callable[..., Any]) -> Callable[[Call], Any]:
    def of(c: Call) -> Any:
        total = c.inputs[0]
        for x in c.inputs[1:]:
            total = function(c.t, total, x)
        return total

    return of


def _power(c: Call) -> Any:
    exponents = set(np.atleast_1d(c.numbers(1)).ravel().tolist())
    c.refuse_unless(len(exponents) == 1, "different exponents in one power; write them one by one")
    return op.power(c.t, c.inputs[0], exponents.pop())


def _gemm(c: Call) -> Any:
    x, y = c.inputs[:2]
    x = c.t.transposed(x, 0, 1) if c.get("transA", 0) else x
    y = y if c.get("transB", 0) else c.t.transposed(y, 0, 1)
    alpha, beta, bias = c.get("alpha", 1.0), c.get("beta", 1.0), c.input(2)
    x = x if alpha == 1 else op.multiply(c.t, x, alpha)
    bias = bias if bias is None or beta == 1 else op.multiply(c.t, bias, beta)
    return op.linear(c.t, x, y, bias)


def _windows(c: Call, size: int, kernel: Sequence[int]) -> tuple[list[int], list[tuple[int, int]]]:
    """Strides and pads of a node that moves a window over an image."""
    strides = c.get("strides", [1] * len(kernel))
    c.refuse_unless(all(d == 1 for d in c.get("dilations", [])), "a dilated window; write a plain one")
    c.refuse_unless(size == len(kernel) + 2, f"a window of {len(kernel)} axes over a tensor of {size}; export it again")
    auto = c.get("auto_pad", "NOTSET")
    if auto.startswith("SAME"):
        pads = []
        for n, k, s in zip(op.shape_of(c.inputs[0])[2:], kernel, strides, strict=True):
            total = max((-(-n // s) - 1) * s + k - n, 0)
            few, many = total // 2, total - total // 2
            pads.append((few, many) if auto == "SAME_UPPER" else (many, few))
        return strides, pads
    flat = c.get("pads", [0] * (2 * len(kernel))) if auto == "NOTSET" else [0] * (2 * len(kernel))
    return strides, [*zip(flat[: len(kernel)], flat[len(kernel) :], strict=True)]


def _convolution(c: Call) -> Any:
    x, w, bias = c.inputs[0], c.inputs[1], c.input(2)
    strides, pads = _windows(c, len(op.shape_of(x)), op.shape_of(w)[2:])
    return op.convolution(c.t, x, w, bias, strides, pads, c.get("group", 1))


def _average(c: Call) -> Any:
    x, kernel = c.t.as_value(c.inputs[0]), c.attributes["kernel_shape"]
    strides, pads = _windows(c, x.index.ndim, kernel)
    padded = any(p for pair in pads for p in pair)
    exact = all(
        (n + sum(pair) - k) % s == 0 for n, k, s, pair in zip(x.index.shape[2:], kernel, strides, pads, strict=True)
    )
    c.refuse_unless(exact or not c.get("ceil_mode", 0), "mean pooling with incomplete windows; write ceil_mode=False")
    c.refuse_unless(
        not padded or c.get("count_include_pad", 0) == 1,
        "mean pooling over windows of different sizes at the border; write count_include_pad=True, or no padding",
    )
    x = Value(x.node, np.pad(x.index, ((0, 0), (0, 0), *pads), constant_values=-1))
    return op.average(c.t, x, kernel, strides)


def _reduced(divisor: float | None) -> Callable[[Call], Any]:
    def of(c: Call) -> Any:
        axes = c.whole(1, "axes")
        if not axes and c.get("noop_with_empty_axes", 0):
            return c.inputs[0]
        return op.mean(c.t, c.inputs[0], axes, bool(c.get("keepdims", 1)), divisor)

    return of


def _sum_of_squares(c: Call) -> Any:
    return _reduced(1.0)(Call(c.t, [op.power(c.t, c.inputs[0], 2), *c.inputs[1:]], c.attributes, c.outputs, c.state))


def _global_average(c: Call) -> Any:
    return op.mean(c.t, c.inputs[0], range(2, len(op.shape_of(c.inputs[0]))), True)


def _batch_norm(c: Call) -> Any:
    c.refuse_unless(
        not c.get("training_mode", 0), "BatchNormalization in training; call module.eval() before the export"
    )
    x, gamma, beta = c.inputs[:3]
    return op.batch_norm(c.t, x, gamma, beta, c.numbers(3), c.numbers(4), c.get("epsilon", 1e-5))


def _reshape(c: Call) -> Any:
    shape, own = c.whole(1, "shape") or [], op.shape_of(c.inputs[0])
    if not c.get("allowzero", 0):
        shape = [own[k] if n == 0 else n for k, n in enumerate(shape)]
    return op.view(c.t, c.inputs[0], shape)


def _flatten(c: Call) -> Any:
    own = op.shape_of(c.inputs[0])
    axis = c.get("axis", 1)
    axis = axis if axis >= 0 else axis + len(own)
    return op.view(c.t, c.inputs[0], (math.prod(own[:axis]), math.prod(own[axis:])))


def _slice(c: Call) -> Any:
    x = c.inputs[0]
    starts, ends = c.whole(1, "starts") or [], c.whole(2, "ends") or []
    axes = c.whole(3, "axes") or [*range(len(starts))]
    steps = c.whole(4, "steps") or [1] * len(starts)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        n = op.shape_of(x)[axis]
        stop = None if step < 0 and end < -n else end  # as numpy writes "to the first entry, backwards"
        x = op.slice_(c.t, x, axis, start, stop, step)
    return x


def _split(c: Call) -> Any:
    axis = c.get("axis", 0)
    sizes, n = c.whole(1, "split"), op.shape_of(c.inputs[0])[c.get("axis", 0)]
    if sizes is None:
        part = -(-n // c.outputs)
        sizes = [min(part, n - k) for k in range(0, n, part)]
    return op.split(c.t, c.inputs[0], sizes, axis)


def _unsqueeze(c: Call) -> Any:
    axes = tuple(c.whole(1, "axes") or ())
    return reindexed(c.inputs[0], lambda index: np.expand_dims(index, axes))


def _squeeze(c: Call) -> Any:
    axes = c.whole(1, "axes")
    return reindexed(c.inputs[0], lambda index: np.squeeze(index, None if axes is None else tuple(axes)))


def _gather(c: Call) -> Any:
    places = np.asarray(c.numbers(1)).astype(np.int64)
    return reindexed(c.inputs[0], lambda index: np.take(index, places, axis=c.get("axis", 0)))


def _expand(c: Call) -> Any:
    shape = np.broadcast_shapes(op.shape_of(c.inputs[0]), tuple(c.whole(1) or ()))
    return reindexed(c.inputs[0], lambda index: np.broadcast_to(index, shape))


def _pad(c: Call) -> Any:
    x, value = c.t.as_value(c.inputs[0]), c.numbers(2, "value")
    c.refuse_unless(c.get("mode", "constant") == "constant", "padding with copies; write zeros")
    c.refuse_unless(value is None or not np.any(value), "padding with numbers that are not zero; write zeros")
    flat, axes = c.whole(1, "pads") or [], c.whole(3) or [*range(x.index.ndim)]
    pads = [(0, 0)] * x.index.ndim
    for k, axis in enumerate(axes):
        pads[axis] = flat[k], flat[k + len(axes)]
    c.refuse_unless(all(p >= 0 for pair in pads for p in pair), "padding with negative sizes; write a slice")
    return Value(x.node, np.pad(x.index, pads, constant_values=-1))


def _dropout(c: Call) -> Any:
    training = c.numbers(2)
    c.refuse_unless(
        training is None or not np.any(training), "dropout in training; call module.eval() before the export"
    )
    return [c.inputs[0], None][: c.outputs]


def _einsum(c: Call) -> Any:
    """Products with sums over letters, two tensors at a time, as products of matrices."""
    equation = str(c.attributes["equation"]).replace(" ", "")
    left, _, result = equation.partition("->")
    words = left.split(",")
    if "->" not in equation:
        result = "".join(sorted(a for a in set(left) if a.isalpha() and left.count(a) == 1))
    known = (
        "." not in equation and len(equation) < MOST_LETTERS and all(len(set(w)) == len(w) for w in (*words, result))
    )
    c.refuse_unless(known, f"the equation {equation!r:.60} has dots or a letter twice in a word; write others")
    x, word = c.inputs[0], words[0]
    for k, (y, other) in enumerate(zip(c.inputs[1:], words[1:], strict=True), start=2):
        needed = set(result).union(*words[k:])
        x, word = _contracted(c.t, x, word, y, other, needed)
    x, word = _summed(c.t, x, word, set(result))
    return op.permute(c.t, x, [word.index(a) for a in result])


def _summed(t: Tracer, x: Any, word: str, needed: set[str]) -> tuple[Any, str]:
    """Sums over the letters that are not needed."""
    axes = [k for k, a in enumerate(word) if a not in needed]
    return (op.mean(t, x, axes, False, 1.0), "".join(a for a in word if a in needed)) if axes else (x, word)


def _contracted(t: Tracer, x: Any, word: str, y: Any, other: str, needed: set[str]) -> tuple[Any, str]:
    x, word = _summed(t, x, word, needed | set(other))
    y, other = _summed(t, y, other, needed | set(word))
    both = [a for a in word if a in other and a in needed]
    if isinstance(x, Weights) and isinstance(y, Value) and not both:  # weights on the right make a dense layer
        x, word, y, other = y, other, x, word
    inner = [a for a in word if a in other and a not in needed]
    one, two = ([a for a in w if a not in (*both, *inner)] for w in (word, other))
    size = {a: n for w, z in ((word, x), (other, y)) for a, n in zip(w, op.shape_of(z), strict=True)}

    def count(letters: Sequence[str]) -> int:
        return math.prod(size[a] for a in letters)

    x = op.permute(t, x, [word.index(a) for a in (*both, *one, *inner)])
    y = op.permute(t, y, [other.index(a) for a in (*both, *inner, *two)])
    lead = [size[a] for a in both]
    x = op.view(t, x, (*lead, count(one), count(inner)))
    y = op.view(t, y, (*lead, count(inner), count(two)))
    z = op.matmul(t, x, y)
    letters = "".join((*both, *one, *two))
    return op.view(t, z, [size[a] for a in letters]), letters


def _same(c: Call) -> Any:
    return c.inputs[0]


OPERATORS: dict[str, Callable[[Call], Any]] = {
    "Add": lambda c: op.add(c.t, *c.inputs),
    "Sub": lambda c: op.subtract(c.t, *c.inputs),
    "Mul": lambda c: op.multiply(c.t, *c.inputs),
    "Div": lambda c: op.divide(c.t, *c.inputs),
    "Neg": lambda c: op.multiply(c.t, c.inputs[0], -1.0),
    "Pow": _power,
    "Reciprocal": lambda c: c.t.inverse(c.t.as_value(c.inputs[0])),
    "Sum": _variadic(op.add),
    "Mean": lambda c: op.multiply(c.t, _variadic(op.add)(c), 1 / len(c.inputs)),
    "MatMul": lambda c: op.matmul(c.t, *c.inputs),
    "Gemm": _gemm,
    "Einsum": _einsum,
    "Conv": _convolution,
    "AveragePool": _average,
    "GlobalAveragePool": _global_average,
    "ReduceMean": _reduced(None),
    "ReduceSum": _reduced(1.0),
    "ReduceSumSquare": _sum_of_squares,
    "BatchNormalization": _batch_norm,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Transpose": lambda c: op.permute(c.t, c.inputs[0], c.get("perm", [*range(len(op.shape_of(c.inputs[0])))][::-1])),
    "Concat": lambda c: op.concatenate(c.t, c.inputs, c.get("axis", 1)),
    "Slice": _slice,
    "Split": _split,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Gather": _gather,
    "Expand": _expand,
    "Pad": _pad,
    "Dropout": _dropout,
    "Identity": _same,
}
"""Operators by their names; what has constant inputs alone is computed by the package onnx, see
`polygeom.exchange.onnx_models`."""
