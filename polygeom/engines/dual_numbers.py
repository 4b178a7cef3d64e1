"""An engine over truncated polynomials modulo a prime: derivatives by all weights at once, in int64.

It is the twin of reverse mode (`polygeom.engines.prime_field`): other arithmetic, other direction, the same Jacobian.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from polygeom.errors import PoleError
from polygeom.network import Network
from polygeom.network.constants import Constants

Array = np.ndarray


class DualEngine:
    """Engine over truncated polynomials ``a + Σ_w a_w ε_w`` mod p: int64 arrays with a last axis ``(a, a_1, a_2, …)``.

    Residues are below p < 2^26 and every product is reduced before it is added; sums of 2^36 of them stay below 2^62.
    """

    def __init__(self, p: int) -> None:
        self.p = p

    def _mul(self, a: Array, b: Array) -> Array:
        out: Array = a[..., :1] * b % self.p
        out[..., 1:] += b[..., :1] * a[..., 1:] % self.p
        return out % self.p

    def linear(self, x: Array, w: Array) -> Array:
        out = np.zeros((*x.shape[:-2], w.shape[0], x.shape[-1]), dtype=np.int64)
        for j in range(x.shape[-2]):
            out += self._mul(x[..., j, None, :], w[:, j])
        return out % self.p

    def bias(self, x: Array, b: Array) -> Array:
        out: Array = (x + b) % self.p
        return out

    def add(self, x: Array, y: Array) -> Array:
        return self.bias(x, y)

    def multiply(self, x: Array, y: Array) -> Array:
        return self._mul(x, y)

    def power(self, x: Array, exponent: int) -> Array:
        out = x
        for bit in bin(exponent)[3:]:
            out = self._mul(out, out)
            if bit == "1":
                out = self._mul(out, x)
        return out

    def polynomial(self, x: Array, coefficients: Sequence[Fraction]) -> Array:
        out = np.zeros_like(x)
        for c in reversed(coefficients):
            out = self._mul(out, x)
            out[..., 0] = (out[..., 0] + c.numerator * pow(c.denominator, -1, self.p)) % self.p
        return out

    def inverse(self, x: Array) -> Array:
        if not np.all(x[..., 0]):
            raise PoleError(f"a denominator vanishes mod {self.p} at these weights; write other weights")
        values = [pow(int(a), -1, self.p) for a in x[..., 0].flat]
        out = np.zeros_like(x)
        out[..., 0] = np.array(values, dtype=np.int64).reshape(x.shape[:-1])
        square = out[..., :1] * out[..., :1] % self.p
        out[..., 1:] = -(square * x[..., 1:] % self.p) % self.p
        return out

    def combine(self, x: Array, matrix: Constants) -> Array:
        out = np.zeros((*x.shape[:-2], matrix.shape[0], x.shape[-1]), dtype=np.int64)
        for i, j, c in matrix.entries:
            factor = c.numerator * pow(c.denominator, -1, self.p) % self.p
            out[..., i, :] = (out[..., i, :] + factor * x[..., j, :]) % self.p
        return out

    def matmul(self, x: Array, y: Array) -> Array:
        out = np.zeros((*x.shape[:2], *y.shape[2:]), dtype=np.int64)
        for j in range(x.shape[2]):
            out += self._mul(x[:, :, j, None, :], y[:, j, None, :, :])
        return out % self.p

    def reindex(self, x: Array, index: Array) -> Array:
        flat = x.reshape(len(x), -1, x.shape[-1])
        return np.where((index < 0)[..., None], 0, flat[:, np.maximum(index, 0)])

    def arrange(self, w: Array, index: Array) -> Array:
        flat = w.reshape(-1, w.shape[-1])
        return np.where((index < 0)[..., None], 0, flat[np.maximum(index, 0)])


def dual_jacobian(network: Network, p: int, weights: Mapping[str, Array], points: Array) -> Array:
    """Derivatives of all outputs at all points by all weights, int64 residues ``(N · outputs, parameters)``."""
    count = network.parameter_count
    duals: dict[str, Array] = {}
    for name, numbers in network.weight_numbers.items():
        duals[name] = np.zeros((*numbers.shape, 1 + count), dtype=np.int64)
        duals[name][..., 0] = weights[name] % p
        np.put_along_axis(duals[name], 1 + numbers[..., None], 1, axis=-1)
    step = max(1, 2**22 // ((1 + count) * max(math.prod(s) for s in network.shapes)))
    rows = []
    for first in range(0, len(points), step):
        x = np.zeros((*points[first : first + step].shape, 1 + count), dtype=np.int64)
        x[..., 0] = points[first : first + step] % p
        value = network.evaluate(DualEngine(p), duals, x)
        rows.append(value.reshape(-1, 1 + count)[:, 1:])
    return np.concatenate(rows)
