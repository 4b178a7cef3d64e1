"""The outputs of a small network as polynomials in inputs and weights, expanded over the rationals by FLINT."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from polygeom.engines.exact import ExactEngine
from polygeom.errors import BudgetError
from polygeom.network import Network

MOST_TERMS = 100_000
"""Products of two terms of one multiplication."""


class Expansion(NamedTuple):
    """The ring, its generators for the weights, in their order, and the outputs; inputs are the first variables."""

    ring: Any
    weights: list[Any]
    outputs: list[Any]


def expand(network: Network) -> Expansion:
    """The outputs as polynomials.

    Raises
    ------
    BudgetError
        If a product has too many terms.
    """
    import flint

    inputs, count = network.input_dimension, network.parameter_count
    names = [f"x{i}" for i in range(inputs)] + [f"w{k}" for k in range(count)]
    ring = flint.fmpq_mpoly_ctx.get(names, flint.Ordering.degrevlex)
    generators = np.empty(len(names), dtype=object)
    generators[:] = list(ring.gens())
    engine = _Bounded(lambda c: ring.constant(flint.fmpq(c.numerator, c.denominator)))
    weights = {name: generators[inputs + numbers] for name, numbers in network.weight_numbers.items()}
    point = generators[:inputs].reshape(1, *network.input_shape)
    return Expansion(ring, list(generators[inputs:]), list(network.evaluate(engine, weights, point).flat))


def product(x: Any, y: Any) -> Any:
    """The product of two polynomials that are not too long."""
    if len(x) * len(y) > MOST_TERMS:
        raise BudgetError("expansion: the outputs have too many terms to expand; write a smaller network")
    return x * y


class _Bounded(ExactEngine):
    """Exact arithmetic that refuses long products."""

    def multiply(self, x: Any, y: Any) -> Any:
        _bounded(x, y)
        return super().multiply(x, y)

    def power(self, x: Any, exponent: int) -> Any:
        value = x
        for _ in range(exponent - 1):
            value = self.multiply(value, x)
        return value

    def _dot(self, x: Any, y: Any) -> Any:
        _bounded(x.ravel()[:, None], y.ravel()[None, :])
        return super()._dot(x, y)


def _bounded(x: Any, y: Any) -> None:
    if max(map(len, x.flat), default=0) * max(map(len, y.flat), default=0) > MOST_TERMS:
        raise BudgetError("expansion: the outputs have too many terms to expand; write a smaller network")
