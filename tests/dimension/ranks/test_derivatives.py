"""Derivatives mod p by four routes that share no rule of differentiation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from polygeom.dimensions.ranks.confidence import heights
from polygeom.dimensions.ranks.tangent import jacobian
from polygeom.engines.dual_numbers import dual_jacobian
from polygeom.engines.exact import ExactEngine
from polygeom.engines.prime_field import PrimeFieldEngine, Tape
from polygeom.engines.symbolic import outputs
from polygeom.modular import PrimeField
from polygeom.network import Network, parse
from polygeom.testing.zoo import ZOO, Case, case

P = 4194301
FIELD = PrimeField(P)
NETWORKS = [network for network in ZOO if network.parameter_count]


def reverse_mode(network: Network, c: Case) -> np.ndarray:
    """Residues ``(N, outputs, weights)``."""
    weights = {name: FIELD.encode(w) for name, w in c.weights.items()}
    return FIELD.decode(jacobian(network, FIELD, weights, FIELD.encode(c.points)))


def forward_mode(network: Network, c: Case) -> np.ndarray:
    tape = Tape(FIELD)
    leaves = {name: tape.leaf(FIELD.encode(w)) for name, w in c.weights.items()}
    output = network.evaluate(tape, leaves, tape.leaf(FIELD.encode(c.points)))
    columns = []
    for name, shape in network.parameters.items():
        for position in np.ndindex(shape):
            direction = np.zeros(shape)
            direction[position] = 1.0
            columns.append(tape.tangent(output, {name: (leaves[name], direction)}).reshape(len(c.points), -1))
    return FIELD.decode(np.stack(columns, axis=-1))


def dual_numbers(network: Network, c: Case) -> np.ndarray:
    weights = {name: w.astype(np.int64) for name, w in c.weights.items()}
    rows = dual_jacobian(network, P, weights, c.points.astype(np.int64))
    return rows.reshape(len(c.points), network.output_dimension, -1)


def finite_differences(network: Network, c: Case) -> np.ndarray:
    """Values at ``0, 1, …, D`` steps determine a polynomial of degree D in the step, and so its slope at 0.

    The slope is Σ_k c_k f(k) with c_k = (-1)^{k+1} C(D, k) / k and c_0 = - Σ_{k ≥ 1} c_k, over the rationals.
    """
    degree = heights(network).weights + 1
    slope = [(-1) ** (k + 1) * math.comb(degree, k) * pow(k, -1, P) for k in range(1, degree + 1)]
    slope.insert(0, -sum(slope))
    engine = PrimeFieldEngine(FIELD)
    columns = []
    for name, shape in network.parameters.items():
        for position in np.ndindex(shape):
            total = 0
            for k, factor in enumerate(slope):
                moved = {n: w.copy() for n, w in c.weights.items()}
                moved[name][position] += k
                weights = {n: FIELD.encode(w) for n, w in moved.items()}
                value = FIELD.decode(network.evaluate(engine, weights, FIELD.encode(c.points)))
                total = (total + value.reshape(len(c.points), -1).astype(object) * factor) % P
            columns.append(total)
    return np.stack(columns, axis=-1).astype(np.int64)


def symbolic_derivatives(network: Network, c: Case) -> np.ndarray:
    """sympy's polynomials, differentiated and evaluated in the rationals."""
    point = [w for name in network.parameters for w in c.weights[name].ravel().tolist()]
    rows, polynomials = [], list(outputs(network).flat)
    for x in c.points[:1].reshape(1, -1):  # sympy is slow, and one point is as good as another
        for output in polynomials:
            values = [*x.tolist(), *point]
            for generator in output.ring.gens[network.input_dimension :]:
                slope = output.diff(generator).evaluate(list(zip(output.ring.gens, values, strict=True)))
                rows.append(int(slope.numerator) * pow(int(slope.denominator), -1, P) % P)
    return np.array(rows).reshape(1, network.output_dimension, -1)


def marks(network: Network, other: object) -> list[pytest.MarkDecorator]:
    """Symbols take seconds where the degree is high."""
    return [pytest.mark.slow] if other is symbolic_derivatives and network.degree > 6 else []


@pytest.mark.parametrize(
    ("network", "other"),
    [
        pytest.param(network, other, id=f"{network}-{other.__name__}", marks=marks(network, other))
        for network in NETWORKS
        for other in (forward_mode, dual_numbers, finite_differences, symbolic_derivatives)
    ],
)
def test_reverse_mode_gives_the_derivatives(network: Network, other: object, rng: np.random.Generator) -> None:
    c = case(network, rng, points=2)
    expected = other(network, c)  # type: ignore[operator]
    assert np.array_equal(reverse_mode(network, c)[: len(expected)], expected)


@pytest.mark.parametrize("p", [3, 5, 101, 2**26 - 5])
def test_small_and_large_primes(p: int, rng: np.random.Generator) -> None:
    field = PrimeField(p)
    for text in ("[3,4,3,2] r=2", "[2,3,2] r=3 bias", "lightning_attention(tokens=3,features=3,rank=2,outputs=2)"):
        network = parse(text)
        weights = {name: field.random(rng, shape) for name, shape in network.parameters.items()}
        points = field.random(rng, (4, *network.input_shape))
        integers = {name: field.decode(w) for name, w in weights.items()}
        reverse = field.decode(jacobian(network, field, weights, points))
        dual = dual_jacobian(network, p, integers, field.decode(points))
        assert np.array_equal(reverse.reshape(dual.shape), dual)


def test_columns_stand_in_the_order_of_the_parameters() -> None:
    """∂F/∂W2 at one point are the features, in the place of W2."""
    network = parse("[2,3,1] r=2")
    engine = ExactEngine()
    weights = {"W1": engine.encode([[1, 2], [3, 4], [5, 6]]), "W2": engine.encode([[7, 8, 9]])}
    rows = dual_jacobian(network, P, {n: w.astype(np.int64) for n, w in weights.items()}, np.array([[1, 1]]))
    assert rows[0].tolist() == [2 * 7 * 3, 2 * 7 * 3, 2 * 8 * 7, 2 * 8 * 7, 2 * 9 * 11, 2 * 9 * 11, 9, 49, 121]


def test_one_value_used_many_times_and_one_not_at_all() -> None:
    tape = Tape(FIELD)
    x, w, unused = tape.leaf(np.array([[2.0], [3.0]])), tape.leaf(np.array([[5.0]])), tape.leaf(np.array([[1.0]]))
    y = tape.linear(x, w)
    z = tape.add(tape.multiply(y, y), tape.add(y, tape.power(y, 3)))  # y² + y + y³ at y = 5 x
    gradients = tape.gradients(z, np.ones((2, 1)), {"w": w, "unused": unused})
    assert gradients["w"].ravel().tolist() == [2 * (2 * 10 + 1 + 3 * 100), 3 * (2 * 15 + 1 + 3 * 225)]
    assert gradients["unused"].tolist() == [[[0.0]], [[0.0]]]
    assert tape.tangent(z, {"unused": (unused, np.ones((1, 1)))}).tolist() == [[0.0], [0.0]]
