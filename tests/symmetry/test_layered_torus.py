"""Scalings by one unknown a layer are those found weight by weight, and take no time for large networks."""

from __future__ import annotations

import time

import pytest

from polygeom.network import Network, parse
from polygeom.symmetry.gauge import gauge, layered_torus, torus_rank
from polygeom.testing.zoo import ZOO

MORE = [
    "[3,4,2,1] p=0,1,1 bias",
    "[2,3,2] p=0,0,1,0,1",
    "[2,3,2] p=0,0,2",
    "x=input(3); a=dense(x,4); b=power(a,2); c=dense(x,4); d=product(b,c); e=sum(d,b); dense(e,2)",
    "x=input(3); a=dense(x,4); b=power(a,2); c=dense(x,4); d=product(b,c); e=dense(d,3); f=power(e,2); sum(f,e)",
    "x=input(2); a=dense(x,2); b=power(a,2); sum(x,b)",
    "x=input(2); a=dense(x,3); b=power(a,2); c=sum(a,b); d=product(c,a); e=bias(d); dense(e,1)",
]


@pytest.mark.parametrize("network", [*ZOO, *map(parse, MORE)], ids=str)
def test_layers_and_weights_give_the_same_torus(network: Network) -> None:
    found = layered_torus(network)
    if found is not None and network.parameter_count:
        assert found == torus_rank(network)
        if not network.widths:
            assert found == gauge(network)


def test_it_covers_the_networks_it_is_for() -> None:
    assert sum(layered_torus(parse(text)) is not None for text in MORE) == len(MORE)


def test_large_networks_take_no_time() -> None:
    started = time.process_time()
    assert parse("[1000,1000,10] r=2 bias").gauge == 1000
    assert time.process_time() - started < 0.5
