"""Proof that an equation vanishes on the neurovariety: substitute the coefficients as polynomials in the weights.

A homogeneous equation need not be tried on all weights. Scalings of inputs, weights and outputs that carry the
network into itself multiply the value of the equation by a nonzero number, and on a dense set they bring as many
weights as the torus has dimensions to one. An equation that vanishes on what is left vanishes everywhere.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from polygeom.engines.exact import ExactEngine, Objects
from polygeom.errors import BudgetError
from polygeom.ideal.coordinates import Coordinates
from polygeom.ideal.equations import Equation
from polygeom.ideal.grading import torus_exponents
from polygeom.ideal.lifting import primitive
from polygeom.network.exponents import LinearSystem
from polygeom.network.layers import Polynomial

MOST_PRODUCTS = 200_000_000
"""Products of two terms that the proof of one equation may need unless the caller allows more: some seconds."""


class _Engine(ExactEngine):
    """Exact arithmetic on FLINT polynomials within a number of products of terms."""

    def __init__(self, context: Any, most_products: int) -> None:
        super().__init__(lambda c: context.constant(_number(c)))
        self.left = most_products

    def spend(self, products: int) -> None:
        """Count products of terms, and raise `BudgetError` when there were too many."""
        self.left -= products
        if self.left < 0:
            raise BudgetError("the substitution needs too many products of terms; allow more with most_products=…")

    def multiply(self, x: Objects, y: Objects) -> Objects:
        self.spend(sum(len(a) * len(b) for a, b in zip(x.flat, y.flat, strict=True)))
        return super().multiply(x, y)

    def power(self, x: Objects, exponent: int) -> Objects:
        self.spend(sum(math.comb(len(a) + min(exponent, 40), min(exponent, 40)) for a in x.flat if len(a) > 1))
        return super().power(x, exponent)

    def _dot(self, x: Objects, y: Objects) -> Objects:
        sizes = [np.array([len(a) for a in z.flat], dtype=np.float64).reshape(z.shape) for z in (x, y)]
        self.spend(int((sizes[0] @ sizes[1]).sum()))
        return super()._dot(x, y)


def _number(c: Fraction) -> Any:
    from flint import fmpq

    return c.numerator if c.denominator == 1 else fmpq(c.numerator, c.denominator)


class Substitution:
    """The coefficients of a network as polynomials in its weights, with the weights that scalings allow set to one.

    Parameters
    ----------
    coordinates:
        The coordinates of the network.
    most_products:
        Products of two terms that making the coefficients may need, and again the proof of each equation.

    Raises
    ------
    BudgetError
        If making them needs more.
    """

    def __init__(self, coordinates: Coordinates, most_products: int = MOST_PRODUCTS) -> None:
        self.coordinates, self.most_products = coordinates, most_products
        self.values = list(_coefficients(coordinates, most_products))

    def vanishes(self, equation: Equation, deadline: float | None = None) -> bool:
        """Whether an equation over the integers is zero on the neurovariety; the answer is a proof.

        Raises
        ------
        BudgetError
            If the proof needs more products than allowed, or the deadline passes.
        """
        terms = sorted(zip(equation.monomials.tolist(), plain_integers(equation, self.coordinates), strict=True))
        budget = _Engine(self._context, self.most_products)
        return not self._value(terms, 0, budget, deadline)

    @property
    def _context(self) -> Any:
        return self.values[0].context()

    def _value(
        self, terms: Sequence[tuple[list[int], int]], depth: int, budget: _Engine, deadline: float | None
    ) -> Any:
        """The value of terms that share their first ``depth`` factors, without these, by Horner's rule."""
        if depth == len(terms[0][0]):
            return self._context.constant(sum(c for _, c in terms))
        total = self._context.constant(0)
        start = 0
        for stop in range(1, len(terms) + 1):
            if stop < len(terms) and terms[stop][0][depth] == terms[start][0][depth]:
                continue
            rest = self._value(terms[start:stop], depth + 1, budget, deadline)
            factor = self.values[terms[start][0][depth]]
            budget.spend(len(rest) * len(factor))
            if deadline is not None and time.monotonic() > deadline:
                raise BudgetError("the time was over during a proof; raise timeout=")
            total += factor * rest
            start = stop
        return total


def plain_integers(equation: Equation, coordinates: Coordinates) -> list[int]:
    """The coefficients of an equation in plain coordinates, coprime integers."""
    assert equation.integers is not None
    factors = (*coordinates.factors, 1)
    return primitive(
        [
            Fraction(c, math.prod(factors[k] for k in monomial))
            for c, monomial in zip(equation.integers, equation.monomials.tolist(), strict=True)
        ]
    )


def _coefficients(coordinates: Coordinates, most_products: int) -> Iterator[Any]:
    """The plain coordinates, and a last one for the homogenising coordinate, as FLINT polynomials."""
    import flint

    network = coordinates.network
    fractions = any(
        c.denominator != 1
        for node in network.nodes
        if isinstance(node.layer, Polynomial)
        for c in node.layer.coefficients
    )
    fixed = fixed_weights(coordinates)
    inputs = network.input_dimension
    free = [k for k in range(network.parameter_count) if k not in fixed]
    names = [f"x{j}" for j in range(inputs)] + [f"w{k}" for k in free]
    ring = flint.fmpq_mpoly_ctx if fractions else flint.fmpz_mpoly_ctx
    joint = ring.get(names, flint.Ordering.degrevlex)
    engine = _Engine(joint, most_products)
    generators = joint.gens()
    numbers = np.empty(network.parameter_count, dtype=object)
    for k in range(network.parameter_count):
        numbers[k] = joint.constant(1) if k in fixed else generators[inputs + free.index(k)]
    weights, start = {}, 0
    for name, shape in network.parameters.items():
        weights[name] = numbers[start : start + math.prod(shape)].reshape(shape)
        start += math.prod(shape)
    point = np.empty((1, inputs), dtype=object)
    point[0] = generators[:inputs]
    outputs = network.evaluate(engine, weights, point.reshape(1, *network.input_shape))[0]
    context = ring.get(names[inputs:] or ["unused"], flint.Ordering.degrevlex)
    padding = () if names[inputs:] else (0,)
    parts: dict[tuple[int, tuple[int, ...]], dict[tuple[int, ...], Any]] = {}
    for number, polynomial in enumerate(outputs.flat):
        for exponents, c in polynomial.to_dict().items():
            exponents = tuple(map(int, exponents))
            parts.setdefault((number, exponents[:inputs]), {})[(*exponents[inputs:], *padding)] = c
    for entry in coordinates.entries:
        yield context.from_dict(parts.get(entry, {}))
    yield context.constant(1)


def fixed_weights(coordinates: Coordinates) -> frozenset[int]:
    """Numbers of weights that the torus brings to one, as many as it has dimensions, from the first layer on.

    Examples
    --------
    >>> sorted(fixed_weights(Coordinates("[2,3,1] r=2")))
    [0, 1, 2, 4, 6]
    """
    system = LinearSystem()
    return frozenset(k for k, form in enumerate(torus_exponents(coordinates.network)) if system.require(form))
