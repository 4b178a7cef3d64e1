"""The operations of ATen by their names, on tensors of `polygeom.exchange.tracing`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from polygeom.errors import PolygeomError
from polygeom.exchange import operations as op
from polygeom.exchange.tracing import Constant, Tracer, reindexed


def _expand(t: Tracer, x: Any, shape: Sequence[int], **_: Any) -> Any:
    own = op.shape_of(x)
    full = [own[k - len(shape) + len(own)] if n == -1 else n for k, n in enumerate(shape)]
    return reindexed(x, lambda index: np.broadcast_to(index, full))


def _addmm(t: Tracer, bias: Any, x: Any, y: Any, beta: float = 1, alpha: float = 1) -> Any:
    if beta != 1 or alpha != 1:
        raise PolygeomError("addmm with factors is not known; write the factors by themselves")
    return op.add(t, op.matmul(t, x, y), bias)


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
    if transposed or any(d != 1 for d in dilation):
        raise PolygeomError("a convolution that is transposed or dilated; write a plain one")
    size = len(op.shape_of(w)) - 2
    strides, pads = (list(v) * (size if len(v) == 1 else 1) for v in (stride, padding))
    return op.convolution(t, x, w, bias, strides, [(p, p) for p in pads], groups)


def _mean(t: Tracer, x: Any, axes: Any = None, keep: bool = False, **_: Any) -> Any:
    return op.mean(t, x, axes, keep)


def _sum(t: Tracer, x: Any, axes: Any = None, keep: bool = False, **_: Any) -> Any:
    return op.mean(t, x, axes, keep, 1.0)


def _average(t: Tracer, x: Any, size: Any, stride: Any = None, padding: Any = 0, *rest: Any, **_: Any) -> Any:
    pads = padding if isinstance(padding, list) else [padding]
    if any(pads) or any(rest):
        raise PolygeomError("mean pooling with padding or other options is not known; write AvgPool2d(size, stride)")
    k = list(size) * (3 - len(size)) if isinstance(size, list) else [size, size]
    s = k if not stride else (list(stride) * (3 - len(stride)) if isinstance(stride, list) else [stride, stride])
    return op.average(t, x, k, s)


def _adaptive(t: Tracer, x: Any, size: Any) -> Any:
    if list(size) != [1, 1]:
        raise PolygeomError("adaptive pooling to more than one position; write AvgPool2d(size)")
    return op.mean(t, x, [2, 3], True)


def _batch_norm(t: Tracer, x: Any, gamma: Any, beta: Any, mean: Any, var: Any, *rest: Any) -> Any:
    epsilon = next(r for r in reversed(rest) if isinstance(r, float))
    return [op.batch_norm(t, x, gamma, beta, mean.array, var.array, epsilon)]


def _same(t: Tracer, x: Any, *_: Any, **__: Any) -> Any:
    return x


OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": op.add,
    "sub": op.subtract,
    "mul": op.multiply,
    "div": op.divide,
    "neg": lambda t, x: op.multiply(t, x, -1.0),
    "pow": op.power,
    "square": lambda t, x: op.power(t, x, 2),
    "reciprocal": lambda t, x: t.inverse(t.as_value(x)),
    "linear": op.linear,
    "mm": op.matmul,
    "bmm": op.matmul,
    "matmul": op.matmul,
    "addmm": _addmm,
    "convolution": _convolution,
    "mean": _mean,
    "sum": _sum,
    "avg_pool2d": _average,
    "_adaptive_avg_pool2d": _adaptive,
    "adaptive_avg_pool2d": _adaptive,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "view": op.view,
    "reshape": op.view,
    "_unsafe_view": op.view,
    "permute": op.permute,
    "t": lambda t, x: t.transposed(x, 0, 1),
    "transpose": lambda t, x, a, b: t.transposed(x, a, b),
    "expand": _expand,
    "unsqueeze": lambda t, x, axis: reindexed(x, lambda index: np.expand_dims(index, axis)),
    "squeeze": lambda t, x, axes: reindexed(x, lambda index: np.squeeze(index, tuple(np.atleast_1d(axes)))),
    "select": lambda t, x, axis, k: reindexed(x, lambda index: np.take(index, k, axis=axis)),
    "slice": op.slice_,
    "cat": lambda t, parts, axis=0: op.concatenate(t, parts, axis),
    "stack": lambda t, parts, axis=0: op.concatenate(
        t, [reindexed(p, lambda index: np.expand_dims(index, axis)) for p in parts], axis
    ),
    "split_with_sizes": op.split,
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
"""Operations of ATen by their names."""
