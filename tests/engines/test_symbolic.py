"""Polynomials in inputs and weights, their coefficients, and the rank of the Jacobian from the definition."""

from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from engines.test_conformance import P, modulo, prime_field_subject

from polygeom.engines.prime_field import Tape
from polygeom.engines.symbolic import coefficient_map, jacobian_rank, outputs, weight_names
from polygeom.errors import BudgetError
from polygeom.modular import PrimeField
from polygeom.network import Network, parse
from polygeom.testing import formulas as by_loops
from polygeom.testing.zoo import TEXTS, ZOO, case

SMALL = [(text, network) for text, network in zip(TEXTS, ZOO, strict=True) if network.degree <= 6]


def value_mod_p(polynomial: Any, point: list[int]) -> int:
    total = 0
    for exponents, c in polynomial.items():
        term = int(c.numerator) * pow(int(c.denominator), -1, P)
        for x, e in zip(point, exponents, strict=True):
            term = term * pow(x, e, P) % P
        total += term
    return total % P


def flat_weights(weights: dict[str, np.ndarray]) -> list[int]:
    return [int(w) for array in weights.values() for w in array.flat]


@pytest.mark.parametrize(("text", "network"), SMALL, ids=[text for text, _ in SMALL])
def test_outputs_at_integers_are_the_values_of_the_network(
    text: str, network: Network, rng: np.random.Generator
) -> None:
    c = case(network, rng, points=1)
    point = [int(x) for x in c.points.flat] + flat_weights(c.weights)
    expected = modulo(by_loops.evaluate(network, c.weights, c.points)[0])
    polynomials = outputs(network)
    assert polynomials.shape == network.output_shape
    assert [value_mod_p(f, point) for f in polynomials.flat] == expected.ravel().tolist()


@pytest.mark.parametrize(("text", "network"), SMALL, ids=[text for text, _ in SMALL])
def test_coefficients_lie_in_the_ambient_space(text: str, network: Network) -> None:
    coefficients = coefficient_map(network)
    assert list(coefficients) == sorted(coefficients)
    allowed = {(o, a) for o in range(network.output_dimension) for a in network.ambient.monomials(o)}
    assert set(coefficients) <= allowed
    assert len(allowed) == network.ambient.size >= network.ambient_dimension
    degrees = {sum(exponents) for _, exponents in coefficients}
    assert all(any(low <= d <= high for low, high in network.degrees) for d in degrees)
    assert max(degrees) == network.degree
    assert {number for number, _ in coefficients} <= set(range(network.output_dimension))


def test_coefficients_rebuild_the_outputs(rng: np.random.Generator) -> None:
    network = parse("ccp(2,rank=2,degree=2,outputs=2,bias=True)")
    c = case(network, rng, points=1)
    inputs, weights = [int(x) for x in c.points.flat], flat_weights(c.weights)
    total = [0, 0]
    for (number, exponents), polynomial in coefficient_map(network).items():
        monomial = int(np.prod([x**e for x, e in zip(inputs, exponents, strict=True)]))
        total[number] += value_mod_p(polynomial, weights) * monomial
    assert [t % P for t in total] == modulo(by_loops.evaluate(network, c.weights, c.points)[0]).tolist()


def test_symbols_are_named_after_the_weights() -> None:
    network = parse("[2,1,1] r=2 bias")
    assert weight_names(network) == ["W1_1_1", "W1_1_2", "b1_1", "W2_1_1", "b2_1"]
    assert [str(g) for g in outputs(network)[0].ring.gens[:2]] == ["x1", "x2"]
    tokens = outputs(parse("x=input(2,1); dense(x,1)"))
    assert [str(f) for f in tokens.flat] == ["x1_1*W1_1_1", "x2_1*W1_1_1"]


@pytest.mark.parametrize(
    ("text", "dimension", "source"),
    [
        ("[3,3,3] r=2", 15, "expected dimension; arXiv 2402.00949"),
        ("[2,2,3] r=2", 8, "3 x 3 matrices of rank 2; arXiv 2402.00949"),
        ("[3,2,1] r=2", 5, "symmetric 3 x 3 matrices of rank 2"),
        ("[3,5,1] r=4", 14, "Alexander-Hirschowitz: one less than the 15 quartics"),
        ("[3,2,3] r=1", 8, "3 x 3 matrices of rank 2"),
        ("[2,3,1] r=1", 2, "linear forms"),
        ("convolutional(5,[3,2],2)", 4, "arXiv 2410.00722: 3 + 2 - 1"),
        ("convolutional(5,[3,2],activation=[0,1,1])", 5, "arXiv 2505.11846: 3 + 2"),
        ("lightning_attention(2,2,1,2)", 6, "arXiv 2408.17221: a(2d - a) + d d' - 1"),
        ("lightning_attention(2,2,2,1)", 5, "arXiv 2408.17221: a(2d - a) + d d' - 1"),
    ],
)
def test_rank_is_the_dimension_from_the_literature(text: str, dimension: int, source: str) -> None:
    assert jacobian_rank(parse(text)) == dimension, source
    assert jacobian_rank(parse(text), random.Random(1)) == dimension, source


def test_the_point_is_chosen_by_the_seed() -> None:
    network = parse("[2,2,1] r=2")
    generator = random.Random(3)
    assert jacobian_rank(network, generator) == jacobian_rank(network, 3)
    assert generator.random() != random.Random(3).random()


def test_a_function_that_is_zero_has_rank_zero() -> None:
    assert (
        jacobian_rank(
            parse(
                "x=input(1); a=dense(x,2,pattern=[[0],[-1]]); b=dense(a,1,pattern=[[-1,0]]); b2=power(b,2); dense(b2,1)"
            )
        )
        == 0
    )


@pytest.mark.parametrize("text", ["[3,3,3] r=2", "[9,9,9,1] r=9", "[2,2,1] r=1000000", "ccp(9,rank=9,degree=9)"])
def test_large_expansions_are_refused_before_they_start(text: str) -> None:
    with pytest.raises(BudgetError, match="write a smaller network, or allow more with most_products="):
        coefficient_map(parse(text), most_products=50)


@pytest.mark.parametrize(("text", "network"), SMALL, ids=[text for text, _ in SMALL])
def test_the_tape_differentiates_as_polynomials_are_differentiated(
    text: str, network: Network, rng: np.random.Generator
) -> None:
    field, encode = PrimeField(P), prime_field_subject().encode
    c = case(network, rng, points=2)
    tape = Tape(field)
    leaves = {name: tape.leaf(encode(w)) for name, w in c.weights.items()}
    value = network.evaluate(tape, leaves, tape.leaf(encode(c.points)))
    polynomials = outputs(network)
    for o, position in enumerate(np.ndindex(network.output_shape)):
        seed = np.zeros(value.value.shape)
        seed[(slice(None), *position)] = 1
        gradients = tape.gradients(value, seed, leaves)
        for k in range(len(c.points)):
            point = [int(x) for x in c.points[k].flat] + flat_weights(c.weights)
            generators = polynomials.flat[o].ring.gens[network.input_dimension :]
            expected = [value_mod_p(polynomials.flat[o].diff(g), point) for g in generators]
            got = [int(v) for name in c.weights for v in field.decode(gradients[name][k]).flat]
            assert got == expected


def test_sympy_loads_on_first_use() -> None:
    code = "import sys, polygeom.engines.symbolic, polygeom.engines.exact; assert 'sympy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
