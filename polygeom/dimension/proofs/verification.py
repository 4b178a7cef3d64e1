"""Check a dimension certificate by a path of its own: int64 dual numbers for the Jacobian, FLINT for its rank.

Nothing of `polygeom.modular` or the reverse-mode engine is used here. Independent are: the arithmetic, the derivative
(forward mode, all weights at once), the rank. Shared are: reading the network, the definition of its layers, and the
rules for upper bounds, of which each step is checked as an instance of its rule.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from polygeom.dimension.bounds.networks import network_rules
from polygeom.dimension.bounds.perceptrons import Bound, bound_from_dict, check
from polygeom.dimension.proofs.certificate import FORMAT, KIND
from polygeom.errors import PolygeomError
from polygeom.network import Network, parse
from polygeom.network.constants import Constants

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome: whether every claim holds, and one line for each check made."""

    valid: bool
    checks: tuple[str, ...]


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
            raise PolygeomError("certificate: a denominator vanishes at its weights; write it again")
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
    start = 0
    for name, shape in network.parameters.items():
        dual = np.zeros((*shape, 1 + count), dtype=np.int64)
        dual[..., 0] = weights[name] % p
        size = math.prod(shape)
        np.fill_diagonal(dual.reshape(size, -1)[:, 1 + start : 1 + start + size], 1)
        duals[name] = dual
        start += size
    step = max(1, 2**22 // ((1 + count) * max(math.prod(s) for s in network.shapes)))
    rows = []
    for first in range(0, len(points), step):
        x = np.zeros((*points[first : first + step].shape, 1 + count), dtype=np.int64)
        x[..., 0] = points[first : first + step] % p
        value = network.evaluate(DualEngine(p), duals, x)
        rows.append(value.reshape(-1, 1 + count)[:, 1:])
    return np.concatenate(rows)


def verify(certificate: Mapping[str, Any]) -> Verification:
    """Check every claim of a certificate made by `polygeom.dimension.proofs.certificate.certify`.

    Certificates of frontiers are handed to `polygeom.dimension.proofs.frontier_check.verify_frontier`.

    Raises
    ------
    PolygeomError
        If it is not a well-formed dimension certificate of a known format. A well-formed false one gives
        ``valid=False``.

    Examples
    --------
    >>> from polygeom.dimension.proofs.certificate import certify
    >>> verify(certify("[2,2,1] r=2")).valid
    True
    """
    if certificate.get("kind") == "frontier":
        from polygeom.dimension.proofs.frontier_check import verify_frontier

        return verify_frontier(certificate)
    claim, lower, network, bound = _read(certificate)
    p, rank = lower["prime"], lower["rank"]
    weights = {name: _integers(value, f"weights {name}") for name, value in lower["weights"].items()}
    points = _integers(lower["points"], "points")
    _check_shapes(network, p, weights, points)
    found = flint_rank(dual_jacobian(network, p, weights, points), p)
    proved = claim["lower"] == claim["upper"]
    stated = claim["lower"] if proved else f"{claim['lower']} to {claim['upper']}, not proved"
    outcomes = [
        (found >= rank, f"rank of the Jacobian mod {p} is {found}, claimed {rank}"),
        (claim["lower"] <= rank, f"lower bound {claim['lower']} follows from rank {rank}"),
        (_bound_holds(network, bound), f"upper bound {bound.value} follows by {bound}"),
        (claim["upper"] >= bound.value, f"claimed upper bound {claim['upper']} follows from {bound.value}"),
        (claim["dimension"] == claim["lower"], f"dimension {claim['dimension']} is the lower bound"),
        (claim["proved"] is proved, f"called {'proved' if claim['proved'] else 'probable'}, the bounds say {stated}"),
    ]
    return Verification(
        all(ok for ok, _ in outcomes), tuple(f"{'ok' if ok else 'FALSE'}: {text}" for ok, text in outcomes)
    )


_FIELDS: dict[str, dict[str, type]] = {
    "the file": {
        "kind": str,
        "format": int,
        "version": str,
        "network": str,
        "claim": dict,
        "lower": dict,
        "upper": dict,
    },
    "claim": {"dimension": int, "lower": int, "upper": int, "proved": bool},
    "lower": {"rank": int, "prime": int, "weights": dict, "points": list},
    "upper": {"value": int, "rule": str, "widths": list, "degrees": list, "layer": int, "parts": list},
}
"""The fields of each part of a certificate and their types; no other field is allowed."""


def _read(certificate: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], Network, Bound]:
    if certificate.get("kind") != KIND or certificate.get("format") != FORMAT:
        raise PolygeomError(
            f"certificate: kind and format must be {KIND!r} and {FORMAT}, got {certificate.get('kind')!r:.40} and "
            f"{certificate.get('format')!r:.40}; a newer format needs a newer polygeom"
        )
    _check_fields("the file", certificate)
    _check_fields("claim", certificate["claim"])
    _check_fields("lower", certificate["lower"])
    bounds = [certificate["upper"]]
    while bounds:
        part = bounds.pop()
        _check_fields("upper", part)
        if not all(type(n) is int for n in (*part["widths"], *part["degrees"])):
            raise PolygeomError(f"certificate: widths and degrees of a bound must be integers; {_AGAIN}")
        bounds += part["parts"]
    try:
        bound = bound_from_dict(certificate["upper"])
    except RecursionError:
        raise PolygeomError(f"certificate: the bounds are nested too deeply; {_AGAIN}") from None
    return certificate["claim"], certificate["lower"], parse(certificate["network"]), bound


_AGAIN = "write the certificate again"


def _check_fields(part: str, data: Any) -> None:
    types = _FIELDS[part]
    if not isinstance(data, Mapping) or set(data) != set(types):
        got = ", ".join(map(str, data)) if isinstance(data, Mapping) else type(data).__name__
        raise PolygeomError(f"certificate: {part} must have the fields {', '.join(types)}, got {got:.100}; {_AGAIN}")
    for name, kind in types.items():
        if type(data[name]) is not kind:
            raise PolygeomError(
                f"certificate: {name} in {part} must be of type {kind.__name__}, got {data[name]!r:.40}; {_AGAIN}"
            )


def _integers(numbers: Any, name: str) -> Array:
    try:
        array = np.array(numbers)
    except ValueError:
        array = np.array(0.5)
    if array.dtype.kind != "i":
        raise PolygeomError(f"certificate: {name} must be an array of integers below 2^63; {_AGAIN}")
    return array.astype(np.int64)


def _check_shapes(network: Network, p: int, weights: Mapping[str, Array], points: Array) -> None:
    import flint

    if not 2 < p < 2**26 or not flint.fmpz(p).is_prime():
        raise PolygeomError(f"certificate: prime must be an odd prime below 2^26, got {p}")
    if set(weights) != set(network.parameters):
        raise PolygeomError(
            f"certificate: weights must be those of the network, {', '.join(network.parameters)}, got "
            f"{', '.join(weights):.100}; {_AGAIN}"
        )
    for name, shape in network.parameters.items():
        if weights[name].shape != shape:
            raise PolygeomError(f"certificate: weights {name} must have shape {shape}, got {weights[name].shape}")
    if points.ndim < 2 or points.shape[1:] != network.input_shape:
        raise PolygeomError(f"certificate: points must have shape (N, {network.input_shape}), got {points.shape}")


def flint_rank(rows: Array, p: int) -> int:
    """Rank mod p of residues, by FLINT."""
    import flint

    return int(flint.nmod_mat(rows.shape[0], rows.shape[1], rows.ravel().tolist(), p).rank())


def _bound_holds(network: Network, bound: Bound) -> bool:
    if bound.widths:
        return (bound.widths, bound.degrees) == (network.widths, network.activation_degrees) and check(bound)
    return bound in network_rules(network) and all(check(part) for part in bound.parts)
