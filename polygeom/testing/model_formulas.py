"""What layers of models mean, as loops over indices: images, groups, graphs, edges."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Objects = np.ndarray


def fixed(layer: Any, inputs: list[Objects], weights: Mapping[str, Objects]) -> Objects:
    """A constant matrix along the last or the first axis."""
    matrix = np.array(layer.matrix, dtype=object)
    y: Objects = inputs[0] @ matrix.T if layer.axis == "features" else matrix @ inputs[0]
    return y


def convolution2d(layer: Any, inputs: list[Objects], weights: Mapping[str, Objects]) -> Objects:
    """Filters over padded images, by groups of channels."""
    x = inputs[0] if inputs[0].ndim == 3 else inputs[0][..., None]
    pad = layer.padding
    padded = np.full((x.shape[0] + 2 * pad, x.shape[1] + 2 * pad, x.shape[2]), 0, dtype=object)
    padded[pad : pad + x.shape[0], pad : pad + x.shape[1]] = x
    x = padded
    k, m = layer.size
    part, own = x.shape[2] // layer.groups, layer.channels // layer.groups
    w = weights["w"].reshape(layer.channels, k, m, part)
    rows, columns = ((n - s) // layer.stride + 1 for n, s in zip(x.shape[:2], (k, m), strict=True))
    y = np.empty((rows, columns, layer.channels), dtype=object)
    for r, s, o in np.ndindex(*y.shape):
        first = (o // own) * part
        y[r, s, o] = sum(
            w[o, i, j, c] * x[layer.stride * r + i, layer.stride * s + j, first + c]
            for i in range(k)
            for j in range(m)
            for c in range(part)
        )
    return y


def group(layer: Any, inputs: list[Objects], weights: Mapping[str, Objects]) -> Objects:
    """``Σ_k w[k] x[g k]`` over the elements of a group."""
    n, table = len(layer.table), layer.table
    x = inputs[0].reshape(n, -1)
    w = weights["w"].reshape(layer.channels, n, -1)
    y = np.empty((n, layer.channels), dtype=object)
    for g, o in np.ndindex(*y.shape):
        y[g, o] = sum(w[o, k, c] * x[table[g][k], c] for k in range(n) for c in range(x.shape[1]))
    return y[:, 0] if inputs[0].ndim == 1 and layer.channels == 1 else y


def gather(layer: Any, inputs: list[Objects], weights: Mapping[str, Objects]) -> Objects:
    """Entries by position, zero at -1."""
    entries = [*inputs[0].flat]
    out = np.empty(len(layer.index), dtype=object)
    out[:] = [entries[k] if k >= 0 else 0 for k in layer.index]
    return out.reshape(layer.dims or (-1,))


def edges(layer: Any, inputs: list[Objects], weights: Mapping[str, Objects]) -> Objects:
    """Polynomials on edges, summed at their ends."""
    n, x = inputs[0].shape[-1], inputs[0]
    w = weights["w"].reshape(layer.width, layer.degree, n)
    y = np.zeros((*x.shape[:-1], layer.width), dtype=object)
    for i in range(layer.width):
        for j in range(n):
            for k in range(layer.degree):
                y[..., i] += w[i, k, j] * x[..., j] ** (k + 1)
    return y


def concatenate(layer: Any, inputs: list[Objects], weights: Mapping[str, Objects]) -> Objects:
    """Features side by side."""
    return np.concatenate(inputs, axis=-1)


def cut(layer: Any, inputs: list[Objects], weights: Mapping[str, Objects]) -> Objects:
    """Features from a first one to a last one."""
    return np.stack([inputs[0][..., k] for k in range(layer.start, layer.stop, layer.step)], axis=-1)


def mix(layer: Any, inputs: list[Objects], weights: Mapping[str, Objects]) -> Objects:
    """A trained matrix along the first axis."""
    y: Objects = np.tensordot(weights["W"], inputs[0], axes=1)
    return y


def matmul(layer: Any, inputs: list[Objects], weights: Mapping[str, Objects]) -> Objects:
    """A product of matrices."""
    y: Objects = inputs[0] @ inputs[1]
    return y


MODEL_FORMULAS: dict[str, Callable[[Any, list[Objects], Mapping[str, Objects]], Objects]] = {
    "concatenate": concatenate,
    "convolution2d": convolution2d,
    "edges": edges,
    "fixed": fixed,
    "gather": gather,
    "group_convolve": group,
    "matmul": matmul,
    "mix": mix,
    "slice": cut,
}
"""By the words of the layers."""
