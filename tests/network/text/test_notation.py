"""Text reads as networks and networks write as text; JSON likewise."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import timeit

import pytest
from hypothesis import given
from network import examples

from polygeom.network import Dense, Input, Network, lightning_attention, mlp, parse
from polygeom.network.builder import _parse, write
from polygeom.network.limits import LONGEST_TEXT, MOST_SYMBOLS
from polygeom.network.nodes import Node
from polygeom.testing.zoo import TEXTS, ZOO

CANONICAL = [
    "[2,3]",
    "[2,3,1] r=2",
    "[2,3,1] r=1",
    "[2,3,3,1] r=2,3",
    "[2,3,3,1] r=1,2",
    "[2,3,3,1] r=2 bias",
    "[2,3,3,3,1] r=2 bias tied",
    "[2,3,1] p=0,1,1/2",
    "[2,3,3,1] p=0,1,1;-1,0,0,2",
    "[1000000,1] bias",
    "ccp(3,rank=4,degree=3)",
    "ccp(3,rank=4,degree=3,outputs=2,bias=output,skip=False)",
    "ncp(3,rank=4,degree=3,bias=False)",
    "product_network(3,rank=4,degree=2)",
    "convolutional(9,kernels=[3])",
    "convolutional(9,kernels=[3,2],degrees=2,strides=[1,2])",
    "convolutional(9,kernels=[3,2],activation=[0,1,1/2])",
    "convolutional(9,kernels=[3,2,2],activation=[[0,1],[1,1]])",
    "lightning_attention(tokens=2,features=3,rank=2,outputs=3,layers=2)",
    "input(3)",
    "x0=input(2); power(x0,2)",
    "x0=input(2); x1=dense(x0,3); x2=power(x1,1); dense(x2,1)",
    "x0=input(2); x1=dense(x0,3); x2=polynomial(x1,[1,1]); x3=dense(x2,3); x4=power(x3,1001); dense(x4,1)",
    "x0=input(2); x1=dense(x0,2,pattern=[[0,-1],[-1,0]]); x2=dense(x1,2); x3=dense(x2,2,shares=x2); sum(x1,x3)",
    "x0=input(4,2); x1=convolution(x0,2,stride=2,channels=3); flatten(x1)",
]


@pytest.mark.parametrize("text", CANONICAL)
def test_canonical_text_reads_back_as_itself(text: str) -> None:
    network = parse(text)
    assert write(network) == text == str(network)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("\t[ 2 , 3 ,\n1 ]  bias  r = 2 ", "[2,3,1] r=2 bias"),
        ("[2,3,3,1]r=2,2", "[2,3,3,1] r=2"),
        ("[2,3] r=2", "[2,3]"),
        ("[5,5,5,1] p=0,0,1", "[5,5,5,1] r=2"),
        ("[3,2,3] p=0,1", "[3,2,3] r=1"),
        ("[2,2,2,1] p=0,0,1;0,1,1", "[2,2,2,1] p=0,0,1;0,1,1"),
        ("[2,2,2,1] p=0,1;0,0,1 bias", "[2,2,2,1] r=1,2 bias"),
        ("convolutional(4,kernels=[2,2],activation=[0,0,1])", "convolutional(4,kernels=[2,2],degrees=2)"),
        ("a=input(2); b=polynomial(a,[0,0,0,1]); c=polynomial(b,[0,1]); dense(c,1)",
         "x0=input(2); x1=power(x0,3); x2=power(x1,1); dense(x2,1)"),
        ("[2,3,3,1] p=0,2/4;0,1/2", "[2,3,3,1] p=0,1/2"),
        ("[2,3,1] r=2 tied", "[2,3,1] r=2"),
        ("mlp([2,3,1], 2)", "[2,3,1] r=2"),
        ("mlp(widths=[2,3,3,1], degrees=[2,3], bias=True)", "[2,3,3,1] r=2,3 bias"),
        ("linear([2,3,1])", "[2,3,1] r=1"),
        ("ccp(3, 4, 3, 1, bias=False, skip=True)", "ccp(3,rank=4,degree=3)"),
        ("ccp(3, rank=4, degree=1)", "[3,4,1] r=1"),
        ("product_network(3,rank=4,degree=3,skip=True)", "ccp(3,rank=4,degree=3)"),
        ("convolutional(9,[3,2],[2],strides=1)", "convolutional(9,kernels=[3,2],degrees=2)"),
        ("lightning_attention(2,3,2,3)", "lightning_attention(tokens=2,features=3,rank=2,outputs=3)"),
        ("z=input(3); h=dense(z,width=4);", "[3,4]"),
        ("x=input(2); dense(x,pattern=[[0,-1]])", "x0=input(2); dense(x0,1,pattern=[[0,-1]])"),
        ("x=input(2,3); attention(x,rank=2,width=3)", "lightning_attention(tokens=2,features=3,rank=2,outputs=3)"),
    ],
)  # fmt: skip
def test_other_ways_to_write_a_network(text: str, canonical: str) -> None:
    assert write(parse(text)) == canonical


@pytest.mark.parametrize("network", ZOO, ids=TEXTS)
def test_records_name_every_node(network: Network) -> None:
    record = json.loads(network.to_json())
    assert (record["format"], record["version"]) == ("polygeom-network", 1)
    assert [node["layer"] for node in record["nodes"]] == [node.layer.kind for node in network.nodes]
    assert Network.from_json(json.dumps(record, indent=2)) == network


def test_a_record_in_full() -> None:
    nodes = [
        {"layer": "input", "dims": [2]},
        {"layer": "dense", "width": 2, "pattern": [[0, -1], [-1, 0]], "inputs": [0]},
        {"layer": "polynomial", "coefficients": [0, "-1/2", 3], "inputs": [1]},
        {"layer": "dense", "width": 2, "inputs": [2]},
        {"layer": "dense", "width": 2, "inputs": [3], "shares": 3},
        {"layer": "sum", "inputs": [4, 0]},
    ]
    network = parse("x=input(2); a=dense(x,2,pattern=[[0,-1],[-1,0]]); b=polynomial(a,[0,-1/2,3]); c=dense(b,2);"
                    "d=dense(c,2,shares=c); sum(d,x)")  # fmt: skip
    assert json.loads(network.to_json())["nodes"] == nodes


def _convolution(number: int) -> str:
    """One of a chain of convolutions that all share the weights of the first."""
    name = f"x{number + 1}=" if number < 4998 else ""
    shares = ",shares=x2" if number > 1 else ""
    return f"{name}convolution(x{number},1,stride={min(number + 1, 2)},channels=999999{shares})"


@given(examples.networks)
def test_texts_are_within_the_limits_that_reading_sets(network: Network) -> None:
    symbols = sum(node.layer.symbols + len(node.inputs) for node in network.nodes)
    assert len(re.findall(r"[0-9]+|[A-Za-z_][A-Za-z0-9_]*|\[", write(network))) <= 3 * symbols + 3
    for text in (write(network), network.to_json()):
        assert len(text) <= 100 + symbols * (LONGEST_TEXT / MOST_SYMBOLS)


LARGEST = {
    "widths": lambda: mlp([10**6] * (MOST_SYMBOLS // 4), 10**6),
    "polynomials": lambda: mlp([1] * (MOST_SYMBOLS // 9), activation=(1, 1), bias=True),
    "pattern": lambda: Network((Node(Input((141,))), Node(Dense(141, ((0,) * 141,) * 141), (0,)))),
    "attention": lambda: lightning_attention(10**6, 10**6, rank=10**6, outputs=1, layers=6666),
    "convolutions": lambda: parse("x0=input(1000000,9); " + "; ".join(map(_convolution, range(4999)))),
}


@pytest.mark.thorough
@pytest.mark.parametrize(
    "name",
    [
        "pattern",
        "attention",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("widths", "polynomials", "convolutions")),
    ],
)
def test_the_largest_networks_have_texts_that_read_back(name: str) -> None:
    network = LARGEST[name]()
    assert sum(node.layer.symbols + len(node.inputs) for node in network.nodes) > 0.9 * MOST_SYMBOLS
    assert len(write(network)) <= LONGEST_TEXT
    assert parse(write(network)) == network
    assert parse(network.to_json()) == network


def test_reading_a_small_network_takes_microseconds() -> None:
    best = min(timeit.repeat(lambda: _parse("[2,3,1] r=2"), number=100, repeat=20)) / 100
    assert best < 400e-6  # measured: 0.04 ms; the bound leaves room for a slow, busy machine
    assert parse("[2,3,1] r=2") is parse("[2,3,1] r=2")


def test_reading_loads_nothing_heavy() -> None:
    heavy = {"sympy", "networkx", "numba", "scipy", "pandas", "torch", "flint"}
    code = "import sys; from polygeom.network import parse; parse('[2,3,1] r=2').text; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True, text=True)
    assert not heavy & set(done.stdout.split())
