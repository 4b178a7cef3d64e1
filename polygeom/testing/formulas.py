"""What primitives and layers mean, as loops over indices; shares no code with any engine or layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from polygeom.errors import PolygeomError
from polygeom.network import Network
from polygeom.testing.model_formulas import MODEL_FORMULAS

Objects = np.ndarray


def filled(shape: tuple[int, ...], value: Callable[[Any], Any]) -> Objects:
    """The array whose entry at ``position`` is ``value(position)``."""
    result = np.empty(shape, dtype=object)
    for position in product(*map(range, shape)):
        result[position] = value(position)
    return result


def linear(x: Objects, w: Objects) -> Objects:
    """``Σ_j w[i, j] x[k, …, j]``."""
    m, n = w.shape
    return filled((*x.shape[:-1], m), lambda p: sum(w[p[-1], j] * x[(*p[:-1], j)] for j in range(n)))


def bias(x: Objects, b: Objects) -> Objects:
    """``x[k, …, i] + b[i]``."""
    return filled(x.shape, lambda p: x[p] + b[p[-1]])


def add(x: Objects, y: Objects) -> Objects:
    """``x + y``."""
    return filled(x.shape, lambda p: x[p] + y[p])


def multiply(x: Objects, y: Objects) -> Objects:
    """``x * y``, entry by entry."""
    return filled(x.shape, lambda p: x[p] * y[p])


def power(x: Objects, exponent: int) -> Objects:
    """``x ** exponent``, entry by entry."""
    return filled(x.shape, lambda p: math.prod([x[p]] * exponent))


def polynomial(x: Objects, coefficients: tuple[Fraction, ...]) -> Objects:
    """``Σ_k coefficients[k] x ** k``, entry by entry."""
    return filled(x.shape, lambda p: sum(c * math.prod([x[p]] * k) for k, c in enumerate(coefficients)))


def inverse(x: Objects) -> Objects:
    """``1 / x``, entry by entry."""
    return filled(x.shape, lambda p: 1 / Fraction(x[p]))


def combine(x: Objects, matrix: Any) -> Objects:
    """``Σ_j matrix[i, j] x[k, …, j]`` for a constant matrix."""
    rows = matrix.dense()
    return filled(
        (*x.shape[:-1], len(rows)), lambda p: sum(rows[p[-1], j] * x[(*p[:-1], j)] for j in range(x.shape[-1]))
    )


def matmul(x: Objects, y: Objects) -> Objects:
    """``x[k] @ y[k]``."""
    shape = (x.shape[0], x.shape[1], y.shape[2])
    return filled(shape, lambda p: sum(x[p[0], p[1], k] * y[p[0], k, p[2]] for k in range(x.shape[2])))


def reindex(x: Objects, index: np.ndarray) -> Objects:
    """``x[k].ravel()[index]``, zero at -1."""
    return filled((len(x), *index.shape), lambda p: arrange(x[p[0]], index)[p[1:]])


def arrange(w: Objects, index: np.ndarray) -> Objects:
    """``w.ravel()[index]``, zero at -1."""
    return filled(index.shape, lambda p: list(w.flat)[index[p]] if index[p] >= 0 else 0)


Formula = Callable[[Any, list[Objects], Mapping[str, Objects]], Objects]
"""The value of a layer at one point: of the layer, its inputs without the axis of points, and its weights."""

FORMULAS: dict[str, Formula] = {}
"""Formulas of layers by their words, beside those of `apply`; a layer of your own adds one."""


def apply(layer: Any, inputs: list[Objects], weights: Mapping[str, Objects]) -> Objects:
    """The value of a layer at one point, from the formula in its docstring."""
    more = FORMULAS.get(layer.kind) or MODEL_FORMULAS.get(layer.kind)
    if more is not None:
        return more(layer, inputs, weights)
    x = inputs[0]
    match layer.kind:
        case "dense":
            w = weights["W"] if layer.pattern is None else arrange(weights["W"], np.array(layer.pattern))
            return linear(x, w)
        case "bias":
            return bias(x, weights["b"])
        case "scale":
            return filled(x.shape, lambda p: weights["s"][p[-1]] * x[p])
        case "power":
            return power(x, layer.degree)
        case "polynomial":
            return polynomial(x, layer.coefficients)
        case "product":
            return filled(x.shape, lambda p: math.prod(y[p] for y in inputs))
        case "sum":
            return filled(x.shape, lambda p: sum(y[p] for y in inputs))
        case "flatten":
            return np.array(list(x.flat), dtype=object)
        case "convolution":
            return convolution(x, weights["w"], layer.size, layer.stride)
        case "formula":
            return by_sympy(layer, x, weights.get("w", np.zeros(0)))
        case "attention":
            return attention(x, weights["Q"], weights["K"], weights["V"])
    raise PolygeomError(
        f"no formula for the layer {layer.kind}; write FORMULAS[{layer.kind!r}] = lambda layer, x, w: …"
    )


def by_sympy(layer: Any, x: Objects, w: Objects) -> Objects:
    """Formulas in features ``x1, x2, …`` and named weights, put into sympy."""
    import sympy

    values = {f"x{k}": c for k, c in enumerate(x.flat, start=1)} | dict(zip(layer.weights, w, strict=True))
    symbols = {name: sympy.Symbol(name) for name in values}
    exact = {symbols[name]: sympy.Rational(Fraction(c)) for name, c in values.items()}
    numbers = [sympy.sympify(text.replace("^", "**"), locals=symbols).subs(exact) for text in layer.coordinates]
    return filled((len(numbers),), lambda p: Fraction(int(numbers[p[0]].p), int(numbers[p[0]].q)))


def convolution(x: Objects, w: Objects, size: int, stride: int) -> Objects:
    """``Σ_{i, c} w[o, i, c] x[stride·m + i, c]``."""
    channels = x.shape[1] if x.ndim == 2 else 1
    kernel, signal = w.reshape(len(w), size, channels), x.reshape(len(x), channels)
    length = (len(x) - size) // stride + 1
    y = filled(
        (length, len(w)),
        lambda p: sum(kernel[p[1], i, c] * signal[stride * p[0] + i, c] for i in range(size) for c in range(channels)),
    )
    return y[:, 0] if x.ndim == 1 and len(w) == 1 else y


def attention(y: Objects, q: Objects, k: Objects, v: Objects) -> Objects:
    """``V X Xᵀ Kᵀ Q X`` for ``X = yᵀ``, transposed back."""
    x = y.T
    value: Objects = (v @ x @ x.T @ k.T @ q @ x).T
    return value


def evaluate(network: Network, weights: Mapping[str, Objects], points: Objects) -> Objects:
    """The outputs of the network at each point."""
    outputs = []
    for point in points:
        values = [point]
        for node, names in zip(network.nodes[1:], network.weight_names[1:], strict=True):
            own = {local: weights[name] for local, name in names.items()}
            values.append(apply(node.layer, [values[i] for i in node.inputs], own))
        outputs.append(values[-1])
    return np.stack(outputs)


KNOWN = frozenset(
    {"input", "dense", "bias", "scale", "power", "polynomial", "product", "sum", "flatten", *MODEL_FORMULAS}
) | {
    "convolution",
    "attention",
}
"""Layers with a formula in `apply`."""


@contextmanager
def known(more: Mapping[str, Formula]) -> Iterator[None]:
    """Let `apply` know more formulas for a while."""
    before = dict(FORMULAS)
    FORMULAS.update(more)
    try:
        yield
    finally:
        FORMULAS.clear()
        FORMULAS.update(before)
