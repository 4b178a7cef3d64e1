"""What operations of foreign graphs do to the tensors of `polygeom.exchange.tracing`: one function for each kind.

The tables of `polygeom.exchange.torch_operations` and `polygeom.exchange.onnx_operations` say under which names torch
and ONNX ask for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NoReturn

import numpy as np

from polygeom.errors import PolygeomError
from polygeom.exchange.tracing import Constant, Tensor, Tracer, Value, Weights, reindexed

INSTEAD = {
    "relu": "write a square x**2 or a polynomial, as networks for encrypted data do",
    "elu": "write a polynomial of low degree near it",
    "silu": "write a polynomial of low degree near it",
    "sigmoid": "write a polynomial of low degree near it",
    "tanh": "write a polynomial of low degree near it",
    "erf": "write a polynomial of low degree near it",
    "softmax": "leave it out: attention without softmax is polynomial",
    "layernorm": "use BatchNorm, which is linear in evaluation, or leave it out",
    "instancenorm": "use BatchNorm, which is linear in evaluation, or leave it out",
    "groupnorm": "use BatchNorm, which is linear in evaluation, or leave it out",
    "maxpool": "use a mean, AvgPool2d",
    "max": "use a mean or a sum",
    "min": "use a mean or a sum",
    "clip": "leave the bounds out",
    "exp": "write a polynomial of low degree near it",
    "log": "write a polynomial of low degree near it",
    "sqrt": "write whole powers only",
    "abs": "write a square x**2",
    "where": "a network has no branches; write one formula for all inputs",
    "loop": "write the steps out, one after the other",
    "scan": "write the steps out, one after the other",
    "quantize": "export the model before it is quantised",
    "dropout": "call module.eval() before",
}
"""What could replace an operation, by a part of its name in small letters without underscores."""


def unknown(word: str) -> NoReturn:
    """Refuse an operation by its name, with what could replace it."""
    small = word.replace("_", "").lower()
    hint = next((text for part, text in INSTEAD.items() if part in small), None)
    if word == "If":
        hint = INSTEAD["where"]
    raise PolygeomError(
        f"the operation {word} is not polynomial, or not known; {hint or 'write it with sums and products'}"
    )


def tensor(x: Any) -> Tensor:
    """A tensor; numbers become constants."""
    return x if isinstance(x, Value | Weights | Constant) else Constant(np.array(float(x)))


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of a tensor."""
    array = x.array if isinstance(x, Constant) else x.index
    return tuple(array.shape)


def add(t: Tracer, x: Any, y: Any, alpha: float = 1) -> Any:
    """``x + alpha y``."""
    x, y = tensor(x), tensor(y)
    if alpha != 1:
        y = multiply(t, y, alpha)
    if isinstance(x, Constant) and isinstance(y, Constant):
        return Constant(x.array + y.array)
    x, y = _ordered(x, y)
    return t.plus(t.as_value(x), y)


def multiply(t: Tracer, x: Any, y: Any) -> Any:
    """``x y``, entry by entry."""
    x, y = tensor(x), tensor(y)
    if isinstance(x, Constant) and isinstance(y, Constant):
        return Constant(x.array * y.array)
    x, y = _ordered(x, y)
    return t.times(t.as_value(x), y)


def _ordered(x: Any, y: Any) -> tuple[Any, Any]:
    """Two tensors, values before weights before constants."""
    kinds = (Value, Weights, Constant)
    return (x, y) if kinds.index(type(x)) <= kinds.index(type(y)) else (y, x)


def divide(t: Tracer, x: Any, y: Any) -> Any:
    """``x / y``; by what depends on inputs or weights it makes a rational network."""
    y = tensor(y)
    if isinstance(y, Constant):
        if not y.array.all():
            raise PolygeomError("a division by zero; write another constant")
        return multiply(t, x, Constant(1 / y.array))
    return multiply(t, x, t.inverse(t.as_value(y)))


def subtract(t: Tracer, x: Any, y: Any, alpha: float = 1) -> Any:
    """``x - alpha y``."""
    return add(t, x, multiply(t, y, -alpha))


def power(t: Tracer, x: Any, exponent: Any) -> Any:
    """A whole power, negative ones too."""
    if not isinstance(exponent, int | float) or exponent != int(exponent):
        raise PolygeomError(f"the exponent {exponent} is not whole; write whole powers only")
    times = int(exponent)
    if isinstance(x, Constant):
        return Constant(x.array**exponent)
    if times == 0:
        return Constant(np.ones(shape_of(x)))
    value = t.as_value(x)
    return t.power(value, times) if times > 0 else t.inverse(t.power(value, -times))


def view(t: Tracer, x: Any, shape: Sequence[int]) -> Any:
    """The entries in another shape."""
    return reindexed(x, lambda index: index.reshape(tuple(shape)))


def permute(t: Tracer, x: Any, axes: Sequence[int]) -> Any:
    """Axes in another order."""
    return reindexed(x, lambda index: index.transpose(tuple(axes)))


def slice_(t: Tracer, x: Any, axis: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    """Every ``step``-th entry of an axis from ``start`` to ``end``."""
    return reindexed(x, lambda index: index[(slice(None),) * (axis % index.ndim) + (slice(start, end, step),)])


def linear(t: Tracer, x: Any, w: Any, bias: Any = None) -> Any:
    """``x wᵀ + bias``."""
    if isinstance(x, Value) and isinstance(w, Weights) and w.index.ndim == 2:
        return t.linear(x, w, bias)
    product = matmul(t, x, t.transposed(w, -1, -2))
    return product if bias is None else add(t, product, bias)


def matmul(t: Tracer, x: Any, y: Any) -> Any:
    """A product of matrices, leading axes as in numpy; constant matrices are no weights."""
    if isinstance(x, Constant) and isinstance(y, Constant):
        return Constant(x.array @ y.array)
    if isinstance(y, Constant) and y.array.ndim == 2:
        return t.fixed(t.as_value(x), y.array.T)
    if isinstance(x, Constant) and x.array.ndim == 2:
        turned = t.transposed(t.as_value(y), -1, -2)
        return t.transposed(t.fixed(turned, x.array), -1, -2)
    if isinstance(x, Value) and isinstance(y, Weights):
        if y.index.ndim == 2:
            return t.linear(x, t.transposed(y, -1, -2))
        if y.index.ndim == 3 and len(y.index) == 1 and x.index.ndim == 3:
            return t.linear(x, Weights(y.name, y.index[0].T))
    return t.matmul(x, y)


def convolution(
    t: Tracer, x: Any, w: Any, bias: Any, strides: Sequence[int], pads: Sequence[tuple[int, int]], groups: int
) -> Any:
    """A convolution in one or two dimensions: strides, zeros before and after, by axis.

    What the layer does not know, zeros on one side and strides that differ, is done by the places of its entries.
    """
    if not isinstance(x, Value) or not isinstance(w, Weights):
        raise PolygeomError("a convolution without filters of its own; write Conv2d")
    if w.index.ndim not in (3, 4) or len(strides) != w.index.ndim - 2 or len(pads) != len(strides):
        raise PolygeomError("a convolution of volumes; write one of images")
    if w.index.ndim == 3:
        wide = Value(x.node, x.index[:, :, None, :])
        flat = Weights(w.name, w.index[:, :, None, :])
        out = convolution(t, wide, flat, bias, (1, *strides), ((0, 0), *pads), groups)
        return Value(out.node, out.index[:, :, 0, :])
    plain = len({p for pair in pads for p in pair}) == 1 and len(set(strides)) == 1
    if plain:
        return t.convolution(x, w, bias, strides[0], pads[0][0], groups)
    padded = Value(x.node, np.pad(x.index, ((0, 0), (0, 0), *pads), constant_values=-1))
    y = t.convolution(padded, w, bias, 1, 0, groups)
    return Value(y.node, y.index[:, :, :: strides[0], :: strides[1]])


def mean(t: Tracer, x: Any, axes: Sequence[int] | None, keep: bool, divisor: float | None = None) -> Any:
    """Means over axes, all if there are none, or sums divided by another number."""
    every = list(range(len(shape_of(x)))) if not axes else list(axes)
    if isinstance(x, Constant):
        total = x.array.sum(axis=tuple(every), keepdims=keep)
        size = np.prod([shape_of(x)[a] for a in every])
        return Constant(total / (size if divisor is None else divisor))
    if 0 in [a % len(shape_of(x)) for a in every] and isinstance(x, Value) and shape_of(x)[0] == 1:
        raise PolygeomError("a mean or sum over the axis of points; leave it out")
    return t.mean(t.as_value(x), every, keep, divisor)


def average(t: Tracer, x: Any, kernel: Sequence[int], strides: Sequence[int]) -> Any:
    """Means of the windows of the last axes."""
    windows = x.index
    first = windows.ndim - len(kernel)
    for axis, (size, step) in enumerate(zip(kernel, strides, strict=True), start=first):
        if not 1 <= size <= windows.shape[axis]:
            raise PolygeomError(
                f"pooling with windows of {size} in an axis of {windows.shape[axis]}; write smaller ones"
            )
        places = np.arange((windows.shape[axis] - size) // step + 1)[:, None] * step + np.arange(size)
        windows = np.moveaxis(np.take(windows, places, axis=axis), axis + 1, -1)
    return t.mean(Value(x.node, windows), range(-len(kernel), 0), False)


def batch_norm(t: Tracer, x: Any, gamma: Any, beta: Any, mean: np.ndarray, variance: np.ndarray, epsilon: float) -> Any:
    """Batch normalisation in evaluation, with the means and variances that were kept."""
    if not (isinstance(gamma, Weights) and isinstance(beta, Weights)):
        raise PolygeomError("BatchNorm without trained factors; write affine=True")
    return t.normalised(t.as_value(x), gamma, beta, mean, np.sqrt(variance + epsilon))


def split(t: Tracer, x: Any, sizes: Sequence[int], axis: int = 0) -> list[Any]:
    """Parts of an axis of the given sizes."""
    ends = np.cumsum([0, *sizes]).tolist()
    return [slice_(t, x, axis, a, b) for a, b in pairwise(ends)]


def concatenate(t: Tracer, parts: Sequence[Any], axis: int) -> Any:
    """Tensors beside each other."""
    if all(isinstance(p, Constant) for p in parts):
        return Constant(np.concatenate([p.array for p in parts], axis=axis))
    return t.concatenate(parts, axis)
