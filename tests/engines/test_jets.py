"""Derivatives of jets against formal derivatives of the expanded outputs, for every network of the zoo."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from polygeom.engines import symbolic
from polygeom.engines.jets import Jet, JetEngine
from polygeom.network import Network
from polygeom.testing.zoo import TEXTS, ZOO, case, fractions

SMALL = [network for network in ZOO if 0 < network.parameter_count <= 14 and network.degree <= 6]


def seeded(network: Network, weights: dict[str, np.ndarray], batch: int) -> dict[str, Jet]:
    """Jets of the weights with all of them as parameters, the second member of the batch twice the first."""
    count, start, jets = network.parameter_count, 0, {}
    for name, value in weights.items():
        seeds = np.full((1, count, value.size), Fraction(0), dtype=object)
        seeds[0, range(start, start + value.size), range(value.size)] = Fraction(1)
        values = np.stack([fractions(value) * (k + 1) for k in range(batch)])
        jets[name] = Jet(values, seeds.reshape(1, count, *value.shape))
        start += value.size
    return jets


@pytest.mark.parametrize("network", SMALL, ids=str)
def test_derivatives_are_the_formal_ones(network: Network, rng: np.random.Generator) -> None:
    one = case(network, rng, points=2)
    jet = network.evaluate(JetEngine(2, Fraction), seeded(network, one.weights, 2), Jet(fractions(one.points)[None]))
    expanded = symbolic.outputs(network).ravel()
    ring, first = expanded[0].ring, network.input_dimension
    flat = [int(c) for value in one.weights.values() for c in value.ravel()]
    a, b = (int(i) for i in rng.integers(0, network.parameter_count, size=2))
    for k, point in enumerate(one.points.reshape(2, -1)):
        for o, polynomial in enumerate(expanded):
            for scale in (1, 2):
                at = [ring.domain(int(c)) for c in (*point, *(scale * w for w in flat))]
                place = (k, *np.unravel_index(o, network.output_shape))
                slope, curvature = polynomial.diff(first + a), polynomial.diff(first + a).diff(first + b)
                assert entry(jet.value, scale, place) == value(polynomial, at)
                assert entry(jet.gradient, scale, (a, *place)) == value(slope, at)
                assert entry(jet.hessian, scale, (a, b, *place)) == value(curvature, at)


def entry(part: np.ndarray | None, scale: int, place: tuple[int, ...]) -> Fraction | int:
    """An entry for one member of the batch; None stands for zero, and a batch of one is shared by all members."""
    return 0 if part is None else part[(min(scale, len(part)) - 1, *place)]


def value(polynomial: Any, at: list[Any]) -> Fraction:
    return Fraction(str(polynomial.evaluate(list(zip(polynomial.ring.gens, at, strict=True)))))


def test_an_engine_of_order_one_keeps_no_second_derivatives(rng: np.random.Generator) -> None:
    network = ZOO[TEXTS.index("[3,2,2] r=3")]
    one = case(network, rng)
    first, second = (
        network.evaluate(JetEngine(order, Fraction), seeded(network, one.weights, 1), Jet(fractions(one.points)[None]))
        for order in (1, 2)
    )
    assert first.hessian is None
    assert (first.gradient == second.gradient).all()
    assert second.hessian.shape == (1, math.prod((3, 2)) + 4, 10, len(one.points), 2)
