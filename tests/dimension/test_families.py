"""Networks that are no perceptrons, whole small grids of them, against the symbolic Jacobian over the rationals."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from polygeom.dimensions import dimension
from polygeom.engines.symbolic import jacobian_rank
from polygeom.errors import PolygeomError
from polygeom.network import Network, ccp, convolutional, lightning_attention, mlp, ncp, parse, product_network


def products(largest: int) -> Iterator[Network]:
    for n, k, degree, outputs in itertools.product(*[range(1, largest + 1)] * 3, (1, 2)):
        for bias, skip in itertools.product((False, True, "output"), (False, True)):
            yield ccp(n, k, degree, outputs, bias=bias, skip=skip)
        yield ncp(n, k, degree, outputs)
        yield ncp(n, k, degree, outputs, bias=False)
        yield product_network(n, k, degree, outputs)


def attentions(largest: int) -> Iterator[Network]:
    for tokens, features, rank, outputs in itertools.product(*[range(1, largest + 1)] * 3, (1, 2)):
        yield lightning_attention(tokens, features, rank, outputs)
    yield lightning_attention(2, 2, 1, 1, layers=2)
    yield lightning_attention(1, 2, 1, 2, layers=2)


def convolutions() -> Iterator[Network]:
    for length, kernels, stride in itertools.product((3, 4, 5), ((2, 2), (3, 2), (2, 3), (1, 2), (2, 2, 2)), (1, 2)):
        for activation in ({"degrees": 1}, {"degrees": 2}, {"degrees": 3}, {"activation": (1, "1/2", 3)}):
            try:
                yield convolutional(length, kernels, strides=stride, **activation)  # type: ignore[arg-type]
            except PolygeomError:
                continue  # the input is too short for these filters


def perceptrons_with_more() -> Iterator[Network]:
    for widths in itertools.product((1, 2), (1, 2, 3), (1, 2)):
        for r in (1, 2, 3):
            yield mlp(widths, r, bias=True)
        yield mlp(widths, activation=(0, 1, 1))
        yield mlp(widths, activation=(1, -2, "1/3", 5), bias=True)
    for widths in ((1, 2, 2, 1), (2, 2, 2, 2), (2, 2, 2, 2, 1), (1, 3, 3, 2)):
        for bias in (False, True):
            yield mlp(widths, 2, tied=True, bias=bias)


OTHERS = [
    "x=input(2); a=dense(x,2); b=power(a,2); s=sum(x,b); c=dense(s,2); d=power(c,2); dense(d,1)",
    "x=input(3); a=dense(x,3,pattern=[[0,1,-1],[-1,2,3],[4,-1,5]]); b=power(a,2); dense(b,2)",
    "x=input(3); a=dense(x,3,pattern=[[0,1,2],[2,0,1],[1,2,0]]); b=power(a,2); dense(b,1)",
    "x=input(4); a=dense(x,pattern=[[0,1,-1,-1],[-1,-1,0,1]]); b=power(a,3); dense(b,2)",
    "x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,2,shares=a); d=power(c,2); dense(d,1,pattern=[[0,0]])",
    "x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,2,shares=a); product(a,c)",
    "x=input(2); a=dense(x,3); b=dense(x,3,shares=a); c=product(a,b); dense(c,1)",
    "x=input(2,2); a=attention(x,1,2); b=sum(a,x); c=attention(b,1,1); flatten(c)",
    "x=input(4,2); a=convolution(x,2,stride=2,channels=2); b=power(a,2); c=flatten(b); dense(c,1)",
    "x=input(2); a=dense(x,1); b=bias(a); c=bias(b); d=power(c,2); scale(d)",
]

SMALL = [*products(2), *attentions(2), *convolutions(), *perceptrons_with_more(), *map(parse, OTHERS)]


def agrees(network: Network) -> bool:
    """Whether the result is the symbolic rank, and consistent with itself."""
    result = dimension(network)
    assert result.lower <= result.dimension <= result.upper <= result.expected_dimension, str(network)
    assert result.proved == (result.lower == result.upper), str(network)
    return result.dimension == jacobian_rank(network, rng=3, most_products=10**6)


@pytest.mark.thorough
def test_small_networks_of_every_family() -> None:
    networks = list(dict.fromkeys(SMALL))
    assert len(networks) > 200
    assert [str(network) for network in networks if not agrees(network)] == []


@pytest.mark.slow
def test_larger_networks_of_every_family() -> None:
    networks = list(dict.fromkeys([*products(3), *attentions(3)]))
    assert [str(network) for network in networks if not agrees(network)] == []


def test_families_with_theorems_are_proved() -> None:
    """No random trial is left over where a formula is known."""
    for network in (*attentions(3), *convolutions()):
        if len(network.parameters) and "layers" not in str(network):
            assert dimension(network).proved, str(network)
