"""Elementwise kernels on balanced residues, in numpy alone; the twin of ``_elementwise_numba``.

Reduction is x - p rint(x/p) with the quotient computed as x * (1/p). For integers of magnitude at most 2^53 - H the
computed quotient is within 2/p of x/p (two roundings of relative size 2^-53), so the result has magnitude at most
H = (p+3)/2, it is zero exactly when p divides x, and p rint(x/p) is itself an exact integer of at most 2^53. (For p = 3
the bound 2/p is too weak for the middle claim; there 1/3 is rounded by 2^-54 only, which brings it below 1/2.)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Residues = NDArray[np.float64]

CHUNK = 1 << 15
"""Entries reduced at a time, so that the entries and their quotients stay in the second-level cache."""


def reduce_inplace(x: Residues, p: float) -> None:
    """Reduce a C-contiguous array of integers of magnitude at most 2^53 - H to balanced residues."""
    inverse = 1.0 / p
    flat = x.reshape(-1)
    quotient = np.empty(min(flat.size, CHUNK))
    for start in range(0, flat.size, CHUNK):
        part = flat[start : start + CHUNK]
        q = quotient[: part.size]
        np.multiply(part, inverse, out=q)
        np.rint(q, out=q)
        q *= p
        part -= q


def is_balanced(x: Residues, half: int) -> bool:
    """Say whether all entries are integers of magnitude at most half."""
    flat = x.reshape(-1)
    rounded = np.empty(min(flat.size, CHUNK))
    for start in range(0, flat.size, CHUNK):
        part = flat[start : start + CHUNK]
        r = np.rint(part, out=rounded[: part.size])
        if not (part.max() <= half and part.min() >= -half and (r == part).all()):
            return False
    return True


def multiply(a: Residues, b: Residues, p: float) -> Residues:
    """Entrywise product of two C-contiguous balanced arrays of one shape, reduced (H^2 + 2H <= 2^53 always)."""
    out = np.multiply(a, b)
    reduce_inplace(out, p)
    return out


def power(a: Residues, exponent: int, p: float) -> Residues:
    """Entrywise power of a C-contiguous balanced array, exponent >= 1, by squaring, reduced after every product."""
    base = a
    out = None
    while True:
        if exponent & 1:
            out = base if out is None else multiply(out, base, p)
        exponent >>= 1
        if not exponent:
            return a.copy() if out is None or out is a else out
        base = multiply(base, base, p)


def outer_columns(d: Residues, f: Residues, out: Residues, row: int, column: int, skip: int, p: float) -> None:
    """Write out[row+k, column + j*w + i-skip] = d[k,j] * f[k,i] mod p for i >= skip, where w = f.shape[1] - skip."""
    points, neurons = d.shape
    width = f.shape[1] - skip
    block = d[:, :, None] * f[:, None, skip:]
    reduce_inplace(block, p)
    out[row : row + points, column : column + neurons * width] = block.reshape(points, neurons * width)
