"""How likely a probable dimension is wrong: a proved bound for the probability that every trial missed it.

A trial draws a prime p uniformly among the primes of 22 bits, then weights and points uniformly mod p. With ρ the true
dimension (at most the proved upper bound U, which is used in its place), it can miss ρ in three ways:

bad weights
    A nonzero ρ × ρ minor of the Jacobian is a polynomial in the weights of degree at most ρ e, where e bounds the
    degree of one entry: probability ≤ U e / p (Schwartz–Zippel).
bad points
    The rank is not final although s further points did not raise it. Some direction of the kernel is a nonzero
    polynomial of degree δ in the inputs, and a random point is one of its zeros with probability ≤ δ / p: at most
    (δ/p)^s for each elimination that was judged so.
bad prime
    The rank mod p is below ρ for all weights. Then p divides a fixed nonzero integer, a coefficient of a fixed minor,
    whose logarithm is at most ρ (log ρ + log ℓ), ℓ bounding the sum of absolute coefficients of an entry. So few
    primes are bad, and the drawn one is among them with probability at most that number over the number of primes.

Independent trials multiply. The heights e, δ, ℓ are read off the network by an engine, like everything else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from math import lcm, log2
from typing import Any

from polygeom._dataclass import dataclass
from polygeom.network import Network
from polygeom.network.constants import Constants

PRIMES_OF_22_BITS = 140336
"""Number of primes in (2^21, 2^22)."""


@dataclass(frozen=True, slots=True)
class Height:
    """Bounds for a polynomial with rational coefficients, or for a quotient of two polynomials with integer ones.

    Attributes
    ----------
    weights, inputs:
        Degrees in the weights and in the inputs; for a quotient, of numerator and denominator.
    norm:
        log2 of the sum of absolute coefficients of the numerator.
    scale:
        log2 of that of the denominator, which is a number for a polynomial.
    quotient:
        Whether the denominator need not be a number.
    """

    weights: int
    inputs: int
    norm: float
    scale: float = 0.0
    quotient: bool = False


class HeightEngine:
    """Engine over `Height`; no linear map sums more than ``fan_in`` terms. Weight values are not looked at.

    All features of a layer share the bound. The terms of a sum of polynomials have one denominator; of a sum of
    quotients every term brings its own.

    A layer may arrange values and weights to arrays with longer axes before it sums; ``fan_in`` grows with them.
    """

    def __init__(self, fan_in: int) -> None:
        self._fan_in = fan_in

    def _sum(self, x: Height, terms: int) -> Height:
        if not x.quotient:
            return Height(x.weights, x.inputs, x.norm + log2(terms), x.scale)
        norm = x.norm + (terms - 1) * x.scale + log2(terms)
        return Height(terms * x.weights, terms * x.inputs, norm, terms * x.scale, True)

    def _meet(self, index: Any) -> None:
        self._fan_in = max(self._fan_in, *index.shape)

    def linear(self, x: Height, w: Any) -> Height:
        return self._sum(Height(x.weights + 1, x.inputs, x.norm, x.scale, x.quotient), self._fan_in)

    def bias(self, x: Height, b: Any) -> Height:
        return self.add(x, Height(1, 0, 0.0))

    def add(self, x: Height, y: Height) -> Height:
        norm = max(x.norm + y.scale, y.norm + x.scale) + 1
        if x.quotient or y.quotient:
            return Height(x.weights + y.weights, x.inputs + y.inputs, norm, x.scale + y.scale, True)
        return Height(max(x.weights, y.weights), max(x.inputs, y.inputs), norm, x.scale + y.scale)

    def multiply(self, x: Height, y: Height) -> Height:
        quotient = x.quotient or y.quotient
        return Height(x.weights + y.weights, x.inputs + y.inputs, x.norm + y.norm, x.scale + y.scale, quotient)

    def power(self, x: Height, exponent: int) -> Height:
        return Height(exponent * x.weights, exponent * x.inputs, exponent * x.norm, exponent * x.scale, x.quotient)

    def polynomial(self, x: Height, coefficients: Sequence[Fraction]) -> Height:
        degree = len(coefficients) - 1
        top = self.power(x, degree)
        denominator = lcm(*(c.denominator for c in coefficients))
        total = sum(abs(c) for c in coefficients) * denominator
        scale = log2(denominator)
        norm = degree * max(x.norm, x.scale) + max(scale, log2(total))
        return Height(top.weights, top.inputs, norm, top.scale + scale, x.quotient)

    def inverse(self, x: Height) -> Height:
        return Height(x.weights, x.inputs, x.scale, x.norm, True)

    def combine(self, x: Height, matrix: Constants) -> Height:
        if not matrix.entries:
            return x
        denominator = lcm(*(c.denominator for c in matrix.values))
        largest = max(abs(c) * denominator for c in matrix.values)
        terms = max(Counter(i for i, _, _ in matrix.entries).values())
        one = Height(x.weights, x.inputs, x.norm + log2(largest), x.scale + log2(denominator), x.quotient)
        return self._sum(one, terms)

    def matmul(self, x: Height, y: Height) -> Height:
        return self._sum(self.multiply(x, y), self._fan_in)

    def reindex(self, x: Height, index: Any) -> Height:
        self._meet(index)
        return x

    def arrange(self, w: Any, index: Any) -> Any:
        self._meet(index)
        return w


def heights(network: Network) -> Height:
    """Bounds for one entry of the Jacobian (weights → outputs): degrees and log2 of the sum of absolute coefficients.

    For rational functions, of the numerator of an entry; weights and points are drawn again where a denominator
    vanishes, which at most doubles probabilities while that is rarer than every second time.

    >>> from polygeom.network import parse
    >>> heights(parse("[4,5,3,1] r=2")).weights, heights(parse("[4,5,3,1] r=2")).inputs
    (6, 4)
    """
    fan_in = max(max(shape) for shape in (*network.shapes, *network.parameters.values()))
    value = network.evaluate(HeightEngine(fan_in), dict.fromkeys(network.parameters), Height(0, 1, 0.0))
    if value.quotient:
        norm = value.norm + value.scale + 1 + log2(max(1, value.weights))
        return Height(4 * value.weights, 4 * value.inputs, norm)
    return Height(max(0, value.weights - 1), value.inputs, value.norm + log2(max(1, value.weights)))


def trial_failure(height: Height, upper: int, prime: int, tail: int, stages: int) -> float:
    """Bound for the probability that one trial with a random prime of 22 bits misses the dimension; at most 1."""
    if upper <= 0 or height.inputs >= prime:
        return float(upper > 0)
    weights = upper * height.weights / prime
    points = stages * (height.inputs / prime) ** tail
    primes = upper * (log2(max(upper, 2)) + height.norm) / 21 / PRIMES_OF_22_BITS
    return min(1.0, weights + points + primes)
