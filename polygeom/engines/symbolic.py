"""Small networks as polynomials in their inputs and weights, by sympy's sparse polynomial rings.

The coefficients of the outputs, polynomials in the weights, are what parametrises the neurovariety; the rank of their
Jacobian at a random integer point is its dimension, computed here from the definition and without any prime.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from polygeom.engines.exact import ExactEngine, Objects, has_fractions
from polygeom.errors import BudgetError
from polygeom.network import Network

MOST_PRODUCTS = 2_000_000
"""Products of two terms that one expansion may need unless the caller allows more: some seconds."""

Coefficient = tuple[int, tuple[int, ...]]
"""A coefficient of the outputs: number of the output, exponents of the inputs."""


class SymbolicEngine(ExactEngine):
    """The primitives on arrays of elements of a sympy polynomial ring.

    Parameters
    ----------
    ring:
        A `sympy.polys.rings.PolyRing` over ZZ or QQ.
    most_products:
        How many products of two terms all operations together may need.

    Raises
    ------
    BudgetError
        Before an operation that would need more.
    """

    def __init__(self, ring: Any, most_products: int = MOST_PRODUCTS) -> None:
        def constant(c: Fraction) -> Any:
            return ring(ring.domain(c.numerator) / ring.domain(c.denominator) if c.denominator != 1 else c.numerator)

        super().__init__(constant)
        self._most, self._spent = most_products, 0

    def multiply(self, x: Objects, y: Objects) -> Objects:
        self._spend(int((_terms(x) * _terms(y)).sum()))
        return super().multiply(x, y)

    def power(self, x: Objects, exponent: int) -> Objects:
        self._spend(sum(_count_up_to(exponent, len(a), self._most) for a in x.flat))
        return super().power(x, exponent)

    def _dot(self, x: Objects, y: Objects) -> Objects:
        self._spend(int((_terms(x) @ _terms(y)).sum()))
        return super()._dot(x, y)

    def _spend(self, products: int) -> None:
        self._spent += products
        if self._spent > self._most:
            raise BudgetError(
                f"symbolic: the polynomials need more than {self._most} products of terms; "
                "write a smaller network, or allow more with most_products=…"
            )


def _terms(x: Objects) -> np.ndarray:
    return np.array([len(a) for a in x.flat], dtype=np.int64).reshape(x.shape)


def _count_up_to(exponent: int, terms: int, most: int) -> int:
    """Number of products of ``exponent`` factors out of ``terms``, or something larger than ``most``."""
    if terms < 2:
        return 1
    return most + 1 if exponent > most else math.comb(terms + exponent - 1, min(exponent, terms - 1))


def outputs(network: Network, *, most_products: int = MOST_PRODUCTS) -> Objects:
    """The outputs of ``network`` as polynomials in its inputs and weights.

    Returns
    -------
    Object array of shape ``network.output_shape`` of elements of one sympy ring, over ZZ unless an activation has
    fractions. Its generators are the inputs, ``x1, x2, …`` or ``x1_1, x1_2, …``, then the weights in the order of
    `Network.parameters`: ``W2_1_3`` is row 1, column 3 of ``W2``.

    Raises
    ------
    BudgetError
        When more than ``most_products`` products of terms would be needed.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> print(outputs(parse("[2,1,1] r=2"))[0])
    x1**2*W1_1_1**2*W2_1_1 + 2*x1*x2*W1_1_1*W1_1_2*W2_1_1 + x2**2*W1_1_2**2*W2_1_1
    """
    from sympy import QQ, ZZ
    from sympy.polys.rings import PolyRing

    fractions = has_fractions(network)
    ring = PolyRing(_names("x", network.input_shape) + weight_names(network), QQ if fractions else ZZ)
    engine = SymbolicEngine(ring, most_products)
    generators = np.empty(len(ring.gens), dtype=object)
    generators[:] = ring.gens
    inputs = network.input_dimension
    point = generators[:inputs].reshape(1, *network.input_shape)
    weights = {name: generators[inputs + numbers] for name, numbers in network.weight_numbers.items()}
    value: Objects = network.evaluate(engine, weights, point)[0]
    return value


def weight_names(network: Network) -> list[str]:
    """Names of the weights as symbols, in the order of `Network.parameters`, entries counted from 1."""
    return [symbol for name, shape in network.parameters.items() for symbol in _names(name, shape)]


def _names(name: str, shape: tuple[int, ...]) -> list[str]:
    joint = "" if name == "x" else "_"
    return [name + joint + "_".join(str(i + 1) for i in position) for position in np.ndindex(shape)]


def coefficient_map(network: Network, *, most_products: int = MOST_PRODUCTS) -> dict[Coefficient, Any]:
    """The coefficients of the outputs as polynomials in the weights: a parametrisation of the neurovariety.

    Returns
    -------
    ``{(output, exponents): polynomial}`` without zero polynomials, sorted; the outputs are numbered row by row, and the
    polynomials lie in one sympy ring whose generators are `weight_names`.

    Raises
    ------
    BudgetError
        When more than ``most_products`` products of terms would be needed.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> for (output, exponents), c in coefficient_map(parse("[2,1,1] r=2")).items():
    ...     print(output, exponents, c)
    0 (0, 2) W1_1_2**2*W2_1_1
    0 (1, 1) 2*W1_1_1*W1_1_2*W2_1_1
    0 (2, 0) W1_1_1**2*W2_1_1
    """
    from sympy.polys.rings import PolyRing

    polynomials = outputs(network, most_products=most_products)
    n = network.input_dimension
    parts: dict[Coefficient, dict[tuple[int, ...], Any]] = {}
    for number, polynomial in enumerate(polynomials.flat):
        for exponents, c in polynomial.items():
            parts.setdefault((number, exponents[:n]), {})[exponents[n:]] = c
    ring = PolyRing(weight_names(network), polynomials.flat[0].ring.domain)
    return {key: ring.from_dict(parts[key]) for key in sorted(parts)}


def jacobian_rank(
    network: Network, rng: int | random.Random = 0, *, most_products: int = MOST_PRODUCTS, largest: int = 1000
) -> int:
    """Rank over the rationals of the Jacobian of `coefficient_map` at a random integer point.

    The rank at any point is at most the dimension of the neurovariety, and equal to it outside a proper subvariety.

    Parameters
    ----------
    network:
        A small network.
    rng:
        Seed, or a `random.Random`, for the weights, which are nonzero integers.
    most_products:
        As in `coefficient_map`.
    largest:
        Largest absolute value of a weight.

    Raises
    ------
    BudgetError
        When more than ``most_products`` products of terms would be needed.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> jacobian_rank(parse("[3,3,3] r=2"))
    15
    """
    from sympy import QQ
    from sympy.polys.matrices import DomainMatrix

    rng = rng if isinstance(rng, random.Random) else random.Random(rng)
    point = [rng.choice((-1, 1)) * rng.randint(1, largest) for _ in range(network.parameter_count)]
    coefficients = coefficient_map(network, most_products=most_products)
    if not coefficients:
        return 0
    rows = [[QQ(c.numerator, c.denominator) for c in _gradient(p, point)] for p in coefficients.values()]
    return int(DomainMatrix(rows, (len(rows), len(point)), QQ).rank())


def _gradient(polynomial: Mapping[tuple[int, ...], Any], point: list[int]) -> list[Fraction]:
    """All partial derivatives at a point without zeros."""
    gradient = [Fraction(0)] * len(point)
    for exponents, c in polynomial.items():
        support = [(k, e) for k, e in enumerate(exponents) if e]
        value = Fraction(int(c.numerator), int(c.denominator)) * math.prod(point[k] ** e for k, e in support)
        for k, e in support:
            gradient[k] += e * value / point[k]
    return gradient
