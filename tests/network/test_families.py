"""Families: the formula of each, written out with numpy on Python integers, and its counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polygeom.engines.exact import ExactEngine
from polygeom.errors import PolygeomError
from polygeom.network import (
    Builder,
    Dense,
    Network,
    Power,
    ccp,
    convolutional,
    lightning_attention,
    linear,
    mlp,
    ncp,
    parse,
    product_network,
)
from polygeom.testing.zoo import case

ENGINE = ExactEngine()


def values(network: Network, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Random weights, one random point, and the output there."""
    c = case(network, rng, points=1)
    return c.weights, c.points[0], network.evaluate(ENGINE, c.weights, c.points)[0]


def test_a_perceptron(rng: np.random.Generator) -> None:
    w, x, y = values(mlp((2, 3, 4, 2), (2, 3), bias=True), rng)
    h = (w["W1"] @ x + w["b1"]) ** 2
    h = (w["W2"] @ h + w["b2"]) ** 3
    assert (y == w["W3"] @ h + w["b3"]).all()


def test_a_polynomial_activation(rng: np.random.Generator) -> None:
    w, x, y = values(mlp((2, 3, 1), activation=("1/2", 0, -2)), rng)
    assert (2 * y == w["W2"] @ (1 - 4 * (w["W1"] @ x) ** 2)).all()


def test_a_tied_perceptron_is_recurrent(rng: np.random.Generator) -> None:
    network = mlp((2, 3, 3, 3, 1), 2, bias=True, tied=True)
    assert dict(network.parameters) == {"W1": (3, 2), "b1": (3,), "W2": (3, 3), "b2": (3,), "W3": (1, 3), "b3": (1,)}
    w, x, y = values(network, rng)
    h = (w["W1"] @ x + w["b1"]) ** 2
    for _ in range(2):
        h = (w["W2"] @ h + w["b2"]) ** 2
    assert (y == w["W3"] @ h + w["b3"]).all()


def test_the_first_and_last_layers_are_never_tied() -> None:
    assert mlp((3, 3, 3, 3), 2, tied=True) == mlp((3, 3, 3, 3), 2)
    assert mlp((3, 3, 3, 3, 3), 2, tied=True).parameter_count == 27


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize("bias", [True, False, "output"])
@pytest.mark.parametrize("degree", [1, 2, 4])
def test_ccp(rng: np.random.Generator, degree: int, bias: bool | str, skip: bool) -> None:
    network = ccp(3, 2, degree, 2, bias=bias, skip=skip)
    w, z, y = values(network, rng)

    def affine(n: int) -> Any:
        b = w[f"b{n}"] if bias is True else 0
        return w[f"W{n}"] @ z + b

    x = affine(1)
    for n in range(2, degree + 1):
        x = affine(n) * x + (x if skip else 0)
    beta = {True: f"b{degree + 1}", "output": "b1"}.get(bias)
    assert (y == w[f"W{degree + 1}"] @ x + (w[beta] if beta else 0)).all()
    assert network.degree == degree


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_ncp(rng: np.random.Generator, degree: int, bias: bool) -> None:
    network = ncp(3, 2, degree, 2, bias=bias)
    w, z, y = values(network, rng)
    x = (w["W1"] @ z) * w["s1"]
    for n in range(2, degree + 1):
        s, a = w[f"W{2 * n - 2}"], w[f"W{2 * n - 1}"]
        x = (a @ z) * (s @ x + w[f"b{n - 1}"])
    assert (y == w[f"W{2 * degree}"] @ x + (w[f"b{degree}"] if bias else 0)).all()
    assert network.degree == degree


@pytest.mark.parametrize("degree", [1, 2, 4])
def test_product_network(rng: np.random.Generator, degree: int) -> None:
    w, z, y = values(product_network(3, 2, degree, 2), rng)
    x = np.prod([w[f"W{n}"] @ z for n in range(1, degree + 1)], axis=0)
    assert (y == w[f"W{degree + 1}"] @ x).all()
    assert product_network(3, 2, degree, 2, skip=True) == ccp(3, 2, degree, 2)


def toeplitz(length: int, size: int, stride: int) -> Dense:
    """The matrix of a convolution as a pattern: entry (m, j) is filter entry j - stride · m."""
    rows = (length - size) // stride + 1
    offsets = [[j - stride * m for j in range(length)] for m in range(rows)]
    return Dense(rows, tuple(tuple(k if 0 <= k < size else -1 for k in row) for row in offsets))


@pytest.mark.parametrize(
    ("length", "kernels", "strides"), [(5, (3, 2), (1, 1)), (9, (2, 3), (2, 1)), (7, (3, 1), (2, 2))]
)
def test_a_convolution_is_a_dense_layer_with_a_toeplitz_pattern(
    rng: np.random.Generator, length: int, kernels: tuple[int, int], strides: tuple[int, int]
) -> None:
    network = convolutional(length, kernels, 2, strides=strides)
    b = Builder(length)
    first = toeplitz(length, kernels[0], strides[0])
    h = b.add(Power(2), b.add(first, b.input))
    twin = b.network(b.add(toeplitz(first.width, kernels[1], strides[1]), h))
    w, x, y = values(network, rng)
    renamed = {"W1": w["w1"][0], "W2": w["w2"][0]}
    assert (twin.evaluate(ENGINE, renamed, x[None])[0] == y).all()
    assert (twin.parameter_count, twin.gauge, twin.degrees) == (network.parameter_count, network.gauge, network.degrees)


@pytest.mark.parametrize("layers", [1, 2])
def test_lightning_attention(rng: np.random.Generator, layers: int) -> None:
    w, tokens, y = values(lightning_attention(tokens=3, features=2, rank=1, outputs=4, layers=layers), rng)
    x = tokens.T
    for n in range(1, layers + 1):
        x = w[f"V{n}"] @ x @ x.T @ w[f"K{n}"].T @ w[f"Q{n}"] @ x
    assert (y == x.T).all()


def test_linear_networks_have_no_activation() -> None:
    assert linear((2, 3, 1)) == mlp((2, 3, 1), 1) == parse("[2,3,1] r=1")
    assert linear((2, 3, 1)).degree == 1
    assert linear((2, 3)) == mlp((2, 3)) == mlp((2, 3), []) == mlp((2, 3), 5) == parse("[2,3] r=7")
    assert mlp((2, 3, 3, 1), (1, 2)).activation_degrees == (1, 2)


def test_integers_of_numpy_are_integers() -> None:
    assert mlp(np.array([2, 3, 1]), np.int64(2)) == mlp((2, 3, 1), 2)
    assert hash(mlp(np.array([2, 3, 1]), np.array([2]))) == hash(mlp((2, 3, 1), 2))
    assert ccp(np.int32(3), np.int8(2), np.int64(3)) == ccp(3, 2, 3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mlp([3], 2), r"widths must have at least 2 entries, got \[3\]; write \[3,1\]"),
        (lambda: mlp(3, 2), r"widths must be a sequence of integers, got 3; write"),
        (lambda: mlp([2, 3.0, 1], 2), r"widths must be integers from 1 to 1000000, got 3.0; write"),
        (lambda: mlp([2, True, 1], 2), "got True; write"),
        (lambda: mlp([2, 3, 1]), "write degrees=2"),
        (lambda: mlp([2, 3, 1], "2"), r"degrees must be a list of integers, got '2'; write degrees=\[3,2\]"),
        (lambda: mlp([2, 3, 1], 2.5), "got 2.5; write"),
        (lambda: mlp([2, 3, 1], [2, 2]), "one entry for each layer but the last"),
        (lambda: mlp([2, 3, 1], activation=[0, 0.5]), r"got 0.5; write 1/2 for one half, in Python Fraction\(1, 2\)"),
        (lambda: mlp([2, 3, 1], activation=[0, float("nan")]), "write 1/2"),
        (lambda: mlp([2, 3, 1], activation=["1e9", 1]), "write 1/2"),
        (lambda: mlp([2, 3, 1], activation=[0, 10**19]), "write a shorter fraction"),
        (lambda: mlp([2, 3, 1], activation=[1] * 1002), "write fewer coefficients"),
        (lambda: ccp(3, 2, 2, bias="all"), "write bias=True"),
        (lambda: ncp(3, 2, 0), "degree must be an integer from 1"),
        (lambda: convolutional(9, (3, 3), 2, strides=(1,)), r"write kernels=\[3,2\], strides=\[1,2\]"),
        (lambda: convolutional(3, (3, 2), 2), "write a longer input or a smaller size"),
        (lambda: lightning_attention(2, 0, 1, 1), "features must be an integer from 1"),
        (lambda: mlp([2, -(10**5000), 1], 2), "got a number of thousands of digits; write"),
    ],
)
def test_arguments_that_make_no_network(make: Any, message: str) -> None:
    with pytest.raises(PolygeomError, match=message):
        make()
