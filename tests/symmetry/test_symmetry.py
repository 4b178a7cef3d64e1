"""Symmetries against formulas from the literature, against the definition, and against the rank of the Jacobian."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from network import examples

from polygeom.engines.symbolic import coefficient_map, jacobian_rank
from polygeom.errors import BudgetError
from polygeom.network import Network, ccp, convolutional, linear, mlp, ncp, parse, product_network
from polygeom.symmetry import gauge as symmetry
from polygeom.symmetry.exponents import weight_exponents
from polygeom.symmetry.gauge import gauge, scalings, torus_rank
from polygeom.testing import formulas as by_loops
from polygeom.testing.zoo import TEXTS, ZOO, case, fractions

P = symmetry._PRIME
SMALL = [network for network in ZOO if network.degree <= 6 and 0 < network.parameter_count <= 40]


@pytest.mark.parametrize("widths", [(3, 2, 3), (2, 3, 1), (4, 2, 3, 5), (1, 5, 5, 1), (2, 2), (5, 3, 5, 3, 5)])
def test_linear_networks_have_determinantal_dimension(widths: tuple[int, ...]) -> None:
    network, m = linear(widths), min(widths)
    assert network.parameter_count - network.gauge == m * (widths[0] + widths[-1] - m)


@pytest.mark.parametrize("widths", [(2, 3, 1), (3, 4, 5, 2), (1, 1, 1, 1)])
def test_perceptrons_lose_one_parameter_for_each_hidden_neuron(widths: tuple[int, ...]) -> None:
    assert mlp(widths, 2).gauge == torus_rank(mlp(widths, 2)) == sum(widths[1:-1])
    assert mlp(widths, 2, bias=True).gauge == sum(widths[1:-1])
    assert mlp(widths, activation=(0, 0, 3)).gauge == sum(widths[1:-1])
    assert mlp(widths, activation=(0, 1, 3)).gauge == 0


def test_stretches_without_activation_are_counted_by_their_rank() -> None:
    # rank 2 from 4 to 3 features, squared, then a 3 x 3 matrix of rank 1: 2(4+3-2) + 1(3+3-1) - 3
    network = mlp((4, 2, 3, 1, 3), (1, 2, 1))
    assert network.parameter_count - network.gauge == 12


@pytest.mark.parametrize(("d", "a", "outputs"), [(3, 2, 4), (3, 5, 2), (2, 1, 1), (12, 7, 3)])
def test_one_attention_layer(d: int, a: int, outputs: int) -> None:
    network = parse(f"x=input(2,{d}); attention(x,{a},{outputs})")
    a = min(a, d)
    assert network.parameter_count - network.gauge == a * (2 * d - a) + d * outputs - 1


@pytest.mark.parametrize("kernels", [(3,), (3, 2), (2, 2, 2), (4, 1, 3)])
def test_convolutions(kernels: tuple[int, ...]) -> None:
    monomial = convolutional(20, kernels, 2)
    assert monomial.parameter_count - monomial.gauge == sum(kernels) - (len(kernels) - 1)
    if len(kernels) > 1:
        generic = convolutional(20, kernels, activation=(1, 2, 3))
        assert generic.parameter_count - generic.gauge == sum(kernels)


def test_product_networks() -> None:
    assert product_network(4, rank=3, degree=5).gauge == 3 * 5  # in each of 3 terms, 5 factors and a coefficient
    assert ccp(4, rank=3, degree=5).gauge == 3  # the constants 1 fix all but the first factor
    assert ncp(4, rank=3, degree=2).gauge == 3 * 4  # A_1 z, x_1, A_2 z and x_2 for each of 3 features


@pytest.mark.parametrize(
    ("text", "redundant"),
    [
        ("[2,3,1] r=1 bias", 10),  # mixings and shifts: all but the coefficients of one affine function
        ("x=input(2); a=dense(x,2); c=dense(a,2); b=sum(a,c); dense(b,1)", 4),  # GL(2) across a sum
        ("x=input(6); a=convolution(x,3,channels=2); convolution(a,2,channels=3)", 4),  # GL(2) on channels
        ("x=input(2,2); a=dense(x,2); attention(a,1,1)", 6),  # GL(2), V against KQ, K against Q
        ("x=input(2); a=dense(x,2); b=power(a,1); dense(b,2)", 4),  # an explicit x -> x ** 1
    ],
)
def test_mixings(text: str, redundant: int) -> None:
    network = parse(text)
    assert network.gauge == redundant
    assert network.gauge <= network.parameter_count - jacobian_rank(network)


def rescaled(network: Network, weights: dict[str, np.ndarray], exponents: np.ndarray) -> dict[str, np.ndarray]:
    """Every weight times 2 to its exponent."""
    result, start = {}, 0
    for name, w in weights.items():
        factors = [Fraction(2) ** int(e) for e in exponents[start : start + w.size]]
        result[name] = fractions(w) * np.array(factors, dtype=object).reshape(w.shape)
        start += w.size
    return result


@pytest.mark.parametrize("network", ZOO, ids=TEXTS)
def test_scalings_leave_the_function_unchanged(network: Network, rng: np.random.Generator) -> None:
    basis = scalings(network)
    assert basis.shape == (torus_rank(network), network.parameter_count)
    assert np.linalg.matrix_rank(basis.astype(float)) == len(basis) if len(basis) else True
    c = case(network, rng)
    expected = by_loops.evaluate(network, c.weights, c.points)
    for exponents in basis:
        assert (by_loops.evaluate(network, rescaled(network, c.weights, exponents), c.points) == expected).all()


def test_scalings_of_a_perceptron_are_those_of_its_neurons() -> None:
    assert scalings(parse("[1,2,1] r=3")).tolist() == [[1, 0, -3, 0], [0, 1, 0, -3]]
    assert scalings(parse("[2,1,1] p=0,1,1")).shape == (0, 3)
    large = scalings(parse("[1,1,1,1,1,1,1,1] r=1000000"))
    assert large.min() == -(10**6)


def test_exponents_beyond_int64_are_exact() -> None:
    text = "x=input(1); a0=dense(x,1); " + "".join(f"a{i + 1}=power(a{i},100000); " for i in range(5)) + "dense(a5,1)"
    assert scalings(parse(text)).tolist() == [[1, -(10**25)]]


@pytest.mark.parametrize("network", SMALL, ids=str)
def test_fields_are_tangent_to_the_fibres(network: Network) -> None:
    """The Jacobian of the coefficients, modulo the prime, sends every vector field to zero."""
    forms, _ = weight_exponents(network)
    values, rows = symmetry._fields(network, 10**6) or (np.arange(1, len(forms) + 1), np.zeros((0, len(forms)), int))
    rows = np.concatenate([symmetry._torus_fields(forms, values), rows])
    point = [int(v) for v in values]
    for polynomial in coefficient_map(network).values():
        gradient = [0] * len(point)
        for exponents, c in polynomial.items():
            value = int(c.numerator) * pow(int(c.denominator), -1, P)
            for x, e in zip(point, exponents, strict=True):
                value = value * pow(x, e, P) % P
            for k, e in enumerate(exponents):
                gradient[k] = (gradient[k] + e * value * pow(point[k], -1, P)) % P if e else gradient[k]
        assert not (rows.astype(object) @ np.array(gradient, dtype=object) % P).any()


@pytest.mark.parametrize("network", SMALL, ids=str)
def test_the_gauge_is_at_most_the_dimension_of_the_fibre(network: Network) -> None:
    rank = jacobian_rank(network)
    assert network.gauge <= network.parameter_count - rank
    assert rank <= network.expected_dimension <= network.ambient_dimension


@pytest.mark.thorough
@given(examples.networks)
@settings(max_examples=60)
def test_the_gauge_is_a_lower_bound_for_random_networks(network: Network) -> None:
    if network.parameter_count > 30 or network.degree > 6:
        return
    try:
        rank = jacobian_rank(network, most_products=3_000)
    except BudgetError:
        return
    assert rank <= network.parameter_count - network.gauge
    assert torus_rank(network) == len(scalings(network))


def test_a_wide_mixing_is_left_out_and_the_bound_stays_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    network = parse("x=input(2); a=dense(x,3); c=dense(a,3); b=sum(a,c); dense(b,1)")
    full = gauge(network)
    monkeypatch.setattr(symmetry, "MOST_ENTRIES", 10)
    assert torus_rank(network) == gauge(network) < full


def test_perceptrons_of_any_size_cost_nothing() -> None:
    network = mlp([10**6] * 50, 2)
    assert network.gauge == torus_rank(network) == 48 * 10**6
    assert network.expected_dimension == network.parameter_count - network.gauge
    with pytest.raises(BudgetError, match="write a smaller network"):
        scalings(network)
    assert mlp([2000] * 3, 2, bias=True).gauge == 2000
    with pytest.raises(BudgetError, match="write a smaller network"):
        _ = parse("lightning_attention(tokens=2,features=2000,rank=2000,outputs=2)").gauge


def test_sums_over_many_tokens_are_refused_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polygeom.symmetry.exponents.MOST_TERMS", 1000)
    with pytest.raises(BudgetError, match="more than 1000 terms to compare; write a smaller network"):
        _ = parse("lightning_attention(tokens=20,features=5,rank=2,outputs=2)").gauge


@pytest.mark.parametrize("text", ["input(3)", "x=input(2,2); power(x,3)", "x=input(3); sum(x,x)"])
def test_networks_without_weights(text: str) -> None:
    network = parse(text)
    assert network.gauge == network.parameter_count == network.expected_dimension == torus_rank(network) == 0
    assert scalings(network).shape == (0, 0)


def test_a_weight_that_meets_only_zeros_is_redundant() -> None:
    network = parse("x=input(1); a=dense(x,pattern=[[0],[-1]]); b=power(a,2); dense(b,1)")
    assert network.gauge == network.parameter_count - jacobian_rank(network) == 2


@pytest.mark.parametrize(
    "text", ["x=input(3); a=dense(x,3); b=dense(a,3,shares=a); dense(b,3)", "[2,2,2,2,2] r=1 tied"]
)
def test_weights_that_serve_twice_are_not_mixed(text: str) -> None:
    network = parse(text)
    assert network.gauge <= network.parameter_count - jacobian_rank(network)
