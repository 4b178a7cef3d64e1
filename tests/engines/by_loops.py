"""What primitives and layers mean, as loops over indices; shares no code with any engine or layer."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from polygeom.network import Network

Objects = np.ndarray


def filled(shape: tuple[int, ...], value: Callable[[Any], Any]) -> Objects:
    """The array whose entry at ``position`` is ``value(position)``."""
    result = np.empty(shape, dtype=object)
    for position in product(*map(range, shape)):
        result[position] = value(position)
    return result


def linear(x: Objects, w: Objects) -> Objects:
    m, n = w.shape
    return filled((*x.shape[:-1], m), lambda p: sum(w[p[-1], j] * x[(*p[:-1], j)] for j in range(n)))


def bias(x: Objects, b: Objects) -> Objects:
    return filled(x.shape, lambda p: x[p] + b[p[-1]])


def add(x: Objects, y: Objects) -> Objects:
    return filled(x.shape, lambda p: x[p] + y[p])


def multiply(x: Objects, y: Objects) -> Objects:
    return filled(x.shape, lambda p: x[p] * y[p])


def power(x: Objects, exponent: int) -> Objects:
    return filled(x.shape, lambda p: math.prod([x[p]] * exponent))


def polynomial(x: Objects, coefficients: tuple[Fraction, ...]) -> Objects:
    return filled(x.shape, lambda p: sum(c * math.prod([x[p]] * k) for k, c in enumerate(coefficients)))


def inverse(x: Objects) -> Objects:
    return filled(x.shape, lambda p: 1 / Fraction(x[p]))


def combine(x: Objects, matrix: Any) -> Objects:
    rows = matrix.dense()
    return filled(
        (*x.shape[:-1], len(rows)), lambda p: sum(rows[p[-1], j] * x[(*p[:-1], j)] for j in range(x.shape[-1]))
    )


def matmul(x: Objects, y: Objects) -> Objects:
    shape = (x.shape[0], x.shape[1], y.shape[2])
    return filled(shape, lambda p: sum(x[p[0], p[1], k] * y[p[0], k, p[2]] for k in range(x.shape[2])))


def reindex(x: Objects, index: np.ndarray) -> Objects:
    return filled((len(x), *index.shape), lambda p: arrange(x[p[0]], index)[p[1:]])


def arrange(w: Objects, index: np.ndarray) -> Objects:
    return filled(index.shape, lambda p: list(w.flat)[index[p]] if index[p] >= 0 else 0)


def apply(layer: Any, inputs: list[Objects], weights: Mapping[str, Objects]) -> Objects:
    """The value of a layer at one point, from the formula in its docstring."""
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
            features = {f"x{k}": c for k, c in enumerate(x.flat, start=1)}
            names = dict(zip(layer.weights, weights.get("w", ()), strict=True))
            known = {name: Fraction(c) for name, c in {**features, **names}.items()}
            return np.array([eval(_python(text), {"Fraction": Fraction}, known) for text in layer.coordinates], object)
        case "attention":
            return attention(x, weights["Q"], weights["K"], weights["V"])
    raise AssertionError(f"no formula for the layer {layer.kind}")


def _python(text: str) -> str:
    """A formula as Python, with exact numbers."""
    return re.sub(r"(?<![\w^])(\d+)", r"Fraction(\1)", text).replace("^", "**")


def convolution(x: Objects, w: Objects, size: int, stride: int) -> Objects:
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
    return (v @ x @ x.T @ k.T @ q @ x).T


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
