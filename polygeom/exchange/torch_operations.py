"""What operations of ATen do to the tensors of `polygeom.exchange.tracing`, by their names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from polygeom.errors import PolygeomError
from polygeom.exchange.tracing import Constant, Tensor, Tracer, Value, Weights, reindexed

INSTEAD = {
    "relu": "write a square x**2 or a polynomial, as networks for encrypted data do",
    "gelu": "write a polynomial of low degree near it",
    "silu": "write a polynomial of low degree near it",
    "sigmoid": "write a polynomial of low degree near it",
    "tanh": "write a polynomial of low degree near it",
    "softmax": "leave it out: attention without softmax is polynomial",
    "layer_norm": "use BatchNorm, which is linear in evaluation, or leave it out",
    "max_pool": "use a mean, AvgPool2d",
    "exp": "write a polynomial of low degree near it",
    "sqrt": "write whole powers only",
    "abs": "write a square x**2",
    "where": "a network has no branches; write one formula for all inputs",
    "dropout": "call module.eval()",
}
"""What could replace an operation, by a part of its name."""


def _tensor(x: Any) -> Tensor:
    return x if isinstance(x, Value | Weights | Constant) else Constant(np.array(float(x)))


def _shape(x: Any) -> tuple[int, ...]:
    array = x.array if isinstance(x, Constant) else x.index
    return tuple(array.shape)


def _add(t: Tracer, x: Any, y: Any, alpha: float = 1) -> Any:
    x, y = _tensor(x), _tensor(y)
    if alpha != 1:
        y = _mul(t, y, alpha)
    if isinstance(x, Constant) and isinstance(y, Constant):
        return Constant(x.array + y.array)
    if not isinstance(x, Value):
        x, y = y, x
    return t.plus(t.as_value(x), y)


def _mul(t: Tracer, x: Any, y: Any) -> Any:
    x, y = _tensor(x), _tensor(y)
    if isinstance(x, Constant) and isinstance(y, Constant):
        return Constant(x.array * y.array)
    if not isinstance(x, Value):
        x, y = y, x
    return t.times(t.as_value(x), y)


def _div(t: Tracer, x: Any, y: Any) -> Any:
    y = _tensor(y)
    if isinstance(y, Constant):
        return _mul(t, x, Constant(1 / y.array))
    return _mul(t, x, t.inverse(t.as_value(y)))


def _sub(t: Tracer, x: Any, y: Any, alpha: float = 1) -> Any:
    return _add(t, x, _mul(t, y, -alpha))


def _pow(t: Tracer, x: Any, exponent: Any) -> Any:
    if not isinstance(exponent, int | float) or exponent != int(exponent):
        raise PolygeomError(f"the exponent {exponent} is not whole; write whole powers only")
    power = int(exponent)
    if isinstance(x, Constant):
        return Constant(x.array**power)
    if power == 0:
        return Constant(np.ones(_shape(x)))
    value = t.as_value(x)
    return t.power(value, power) if power > 0 else t.inverse(t.power(value, -power))


def _view(t: Tracer, x: Any, shape: Sequence[int]) -> Any:
    return reindexed(x, lambda index: index.reshape(tuple(shape)))


def _permute(t: Tracer, x: Any, axes: Sequence[int]) -> Any:
    return reindexed(x, lambda index: index.transpose(tuple(axes)))


def _expand(t: Tracer, x: Any, shape: Sequence[int], **_: Any) -> Any:
    own = _shape(x)
    full = [own[k - len(shape) + len(own)] if n == -1 else n for k, n in enumerate(shape)]
    return reindexed(x, lambda index: np.broadcast_to(index, full))


def _slice(t: Tracer, x: Any, axis: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    n = _shape(x)[axis]
    stop = None if end is None or end > n else end
    return reindexed(x, lambda index: index[(slice(None),) * (axis % index.ndim) + (slice(start, stop, step),)])


def _linear(t: Tracer, x: Any, w: Any, bias: Any = None) -> Any:
    if isinstance(x, Value) and isinstance(w, Weights):
        return t.linear(x, w, bias)
    return _add_bias(t, t.matmul(x, t.transposed(w, -1, -2)), bias)


def _add_bias(t: Tracer, x: Any, bias: Any) -> Any:
    return x if bias is None else _add(t, x, bias)


def _matmul(t: Tracer, x: Any, y: Any) -> Any:
    if isinstance(x, Value) and isinstance(y, Weights):
        if y.index.ndim == 2:
            return t.linear(x, t.transposed(y, -1, -2))
        if y.index.ndim == 3 and len(y.index) == 1 and x.index.ndim == 3:
            return t.linear(x, Weights(y.name, y.index[0].T))
    return t.matmul(x, y)


def _addmm(t: Tracer, bias: Any, x: Any, y: Any, beta: float = 1, alpha: float = 1) -> Any:
    if beta != 1 or alpha != 1:
        raise PolygeomError("addmm with factors is not known; write the factors by themselves")
    return _add_bias(t, _matmul(t, x, y), bias)


def _convolution(
    t: Tracer,
    x: Any,
    w: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    out: Any,
    groups: int,
) -> Any:
    if transposed or any(d != 1 for d in dilation) or not isinstance(x, Value) or not isinstance(w, Weights):
        raise PolygeomError("a convolution that is transposed, dilated or without own filters; write a plain one")
    if len(set(stride)) != 1 or len(set(padding)) != 1 or w.index.ndim not in (3, 4):
        raise PolygeomError("a convolution with different strides or paddings, or of volumes; write one for both")
    if w.index.ndim == 4:
        return t.convolution(x, w, bias, stride[0], padding[0], groups)
    if padding[0] or stride[0] != 1:
        raise PolygeomError("a convolution in one dimension with stride or padding is not known; write it in two")
    wide = t.convolution(
        Value(x.node, x.index[:, :, None, :]), Weights(w.name, w.index[:, :, None, :]), bias, 1, 0, groups
    )
    return Value(wide.node, wide.index[:, :, 0, :])


def _mean(t: Tracer, x: Any, axes: Any = None, keep: bool = False, **_: Any) -> Any:
    every = list(range(len(_shape(x)))) if not axes else list(axes)
    if 0 in [a % len(_shape(x)) for a in every]:
        raise PolygeomError("a mean over the axis of points; leave it out")
    return t.mean(t.as_value(x), every, keep)


def _sum(t: Tracer, x: Any, axes: Any = None, keep: bool = False, **_: Any) -> Any:
    every = list(range(len(_shape(x)))) if not axes else list(axes)
    if 0 in [a % len(_shape(x)) for a in every] and _shape(x)[0] != 1:
        raise PolygeomError("a sum over the axis of points; leave it out")
    return t.mean(t.as_value(x), every, keep, 1.0)


def _average(t: Tracer, x: Any, size: Any, stride: Any = None, padding: Any = 0, *rest: Any, **_: Any) -> Any:
    pads = padding if isinstance(padding, list) else [padding]
    if any(pads) or any(rest):
        raise PolygeomError("mean pooling with padding or other options is not known; write AvgPool2d(size, stride)")
    k = list(size) * (3 - len(size)) if isinstance(size, list) else [size, size]
    s = k if not stride else (list(stride) * (3 - len(stride)) if isinstance(stride, list) else [stride, stride])
    rows = [
        np.arange((n - a) // b + 1)[:, None] * b + np.arange(a) for n, a, b in zip(_shape(x)[2:], k, s, strict=True)
    ]
    windows = x.index[:, :, rows[0][:, None, :, None], rows[1][None, :, None, :]]
    return t.mean(Value(x.node, windows), [-1, -2], False)


def _adaptive(t: Tracer, x: Any, size: Any) -> Any:
    if list(size) != [1, 1]:
        raise PolygeomError("adaptive pooling to more than one position; write AvgPool2d(size)")
    return t.mean(x, [2, 3], True)


def _batch_norm(t: Tracer, x: Any, gamma: Any, beta: Any, mean: Any, var: Any, *rest: Any) -> Any:
    epsilon = next(r for r in reversed(rest) if isinstance(r, float))
    spread = np.sqrt(var.array + epsilon)
    if isinstance(gamma, Weights) and isinstance(beta, Weights):
        return [t.normalised(x, gamma, beta, mean.array, spread)]
    raise PolygeomError("BatchNorm without trained factors; write affine=True")


def _split(t: Tracer, x: Any, sizes: Sequence[int], axis: int = 0) -> list[Any]:
    ends = np.cumsum([0, *sizes]).tolist()
    return [_slice(t, x, axis, a, b) for a, b in pairwise(ends)]


def _same(t: Tracer, x: Any, *_: Any, **__: Any) -> Any:
    return x


OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "neg": lambda t, x: _mul(t, x, -1.0),
    "pow": _pow,
    "square": lambda t, x: _pow(t, x, 2),
    "reciprocal": lambda t, x: t.inverse(t.as_value(x)),
    "linear": _linear,
    "mm": _matmul,
    "bmm": _matmul,
    "matmul": _matmul,
    "addmm": _addmm,
    "convolution": _convolution,
    "mean": _mean,
    "sum": _sum,
    "avg_pool2d": _average,
    "_adaptive_avg_pool2d": _adaptive,
    "adaptive_avg_pool2d": _adaptive,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "view": _view,
    "reshape": _view,
    "_unsafe_view": _view,
    "permute": _permute,
    "t": lambda t, x: t.transposed(x, 0, 1),
    "transpose": lambda t, x, a, b: t.transposed(x, a, b),
    "expand": _expand,
    "unsqueeze": lambda t, x, axis: reindexed(x, lambda index: np.expand_dims(index, axis)),
    "squeeze": lambda t, x, axes: reindexed(x, lambda index: np.squeeze(index, tuple(np.atleast_1d(axes)))),
    "select": lambda t, x, axis, k: reindexed(x, lambda index: np.take(index, k, axis=axis)),
    "slice": _slice,
    "cat": lambda t, parts, axis=0: t.concatenate(parts, axis),
    "stack": lambda t, parts, axis=0: t.concatenate(
        [reindexed(p, lambda index: np.expand_dims(index, axis)) for p in parts], axis
    ),
    "split_with_sizes": _split,
    "getitem": lambda t, x, k: x[k],
    "clone": _same,
    "detach": _same,
    "alias": _same,
    "_to_copy": _same,
    "contiguous": _same,
    "lift_fresh_copy": _same,
    "full": lambda t, shape, value, **_: Constant(np.full(tuple(shape), float(value))),
    "scalar_tensor": lambda t, value, **_: Constant(np.array(float(value))),
}
"""Operations of ATen by their names, on tensors of `polygeom.exchange.tracing`."""
