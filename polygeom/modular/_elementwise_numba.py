"""Elementwise kernels on balanced residues, compiled; same functions and bounds as ``_elementwise_numpy``."""

# mypy: disable-error-code="no-untyped-def"
# (numba infers the types of the kernels from their calls)

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from polygeom.modular._jit import entry

Residues = NDArray[np.float64]


@entry("void(float64[::1], float64)")
def _reduce(x, p):
    inverse = 1.0 / p
    for i in range(x.size):
        x[i] = x[i] - p * np.rint(x[i] * inverse)


@entry("int64(float64[::1], float64)")
def _count_unbalanced(x, half):
    count = 0
    for i in range(x.size):
        count += not (abs(x[i]) <= half and x[i] == np.rint(x[i]))
    return count


@entry("void(float64[::1], float64[::1], float64[::1], float64)")
def _multiply(a, b, out, p):
    inverse = 1.0 / p
    for i in range(out.size):
        x = a[i] * b[i]
        out[i] = x - p * np.rint(x * inverse)


@entry("void(float64[::1], int64, float64[::1], float64)")
def _power(a, exponent, out, p):
    inverse = 1.0 / p
    for start in range(0, out.size, 256):
        stop = min(start + 256, out.size)
        for i in range(start, stop):
            out[i] = a[i]
        # bits of the exponent from the top, so that one buffer suffices
        top = 62
        while not (exponent >> top) & 1:
            top -= 1
        for bit in range(top - 1, -1, -1):
            for i in range(start, stop):
                x = out[i] * out[i]
                out[i] = x - p * np.rint(x * inverse)
            if (exponent >> bit) & 1:
                for i in range(start, stop):
                    x = out[i] * a[i]
                    out[i] = x - p * np.rint(x * inverse)


@entry("void(float64[:, :], float64[:, :], float64[:, ::1], int64, int64, int64, float64)")
def _outer_columns(d, f, out, row, column, skip, p):
    inverse = 1.0 / p
    points, neurons = d.shape
    width = f.shape[1] - skip
    for k in range(points):
        target = out[row + k]
        for j in range(neurons):
            factor = d[k, j]
            first = column + j * width
            for i in range(width):
                x = factor * f[k, skip + i]
                target[first + i] = x - p * np.rint(x * inverse)


def reduce_inplace(x: Residues, p: float) -> None:
    """Reduce a C-contiguous array of integers of magnitude at most 2^53 - H to balanced residues."""
    _reduce(x.reshape(-1), p)


def is_balanced(x: Residues, half: int) -> bool:
    """Say whether all entries are integers of magnitude at most half."""
    return bool(_count_unbalanced(x.reshape(-1), half) == 0)


def multiply(a: Residues, b: Residues, p: float) -> Residues:
    """Entrywise product of two C-contiguous balanced arrays of one shape, reduced (H^2 + 2H <= 2^53 always)."""
    out = np.empty(a.shape)
    _multiply(a.reshape(-1), b.reshape(-1), out.reshape(-1), p)
    return out


def power(a: Residues, exponent: int, p: float) -> Residues:
    """Entrywise power of a C-contiguous balanced array, exponent >= 1, by squaring, reduced after every product."""
    out = np.empty(a.shape)
    _power(a.reshape(-1), exponent, out.reshape(-1), p)
    return out


def outer_columns(d: Residues, f: Residues, out: Residues, row: int, column: int, skip: int, p: float) -> None:
    """Write out[row+k, column + j*w + i-skip] = d[k,j] * f[k,i] mod p for i >= skip, where w = f.shape[1] - skip."""
    _outer_columns(d, f, out, row, column, skip, p)
