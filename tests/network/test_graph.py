"""The graph: shapes, weights, counts, and what is no network."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re

import numpy as np
import pytest

from polygeom.engines.exact import ExactEngine
from polygeom.engines.symbolic import coefficient_map
from polygeom.errors import BudgetError, PolygeomError
from polygeom.network import (
    Attention,
    Bias,
    Builder,
    Convolution,
    Dense,
    Flatten,
    Input,
    Layer,
    Network,
    Polynomial,
    Power,
    Product,
    Sum,
    linear,
    mlp,
    parse,
)
from polygeom.network.ambient import degrees as degree_sets
from polygeom.network.nodes import Node


def test_equal_nodes_make_equal_networks() -> None:
    one, other = mlp((2, 3, 1), 2), parse("x=input(2); a=dense(x,3); b=power(a,2); dense(b,1)")
    assert one == other
    assert len({one, other, mlp((2, 3, 1), 3)}) == 2
    assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == one
    assert repr(one) == "Network('[2,3,1] r=2')"
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.nodes = ()  # type: ignore[misc]


def test_lists_become_tuples() -> None:
    assert Dense(2, [[0, -1], [-1, 1]]) == Dense(2, ((0, -1), (-1, 1)))  # type: ignore[arg-type]
    assert Polynomial([0, 1, "1/2"]).coefficients[-1] * 2 == 1  # type: ignore[arg-type]
    assert hash(Input([2, 3])) == hash(Input((2, 3)))  # type: ignore[arg-type]


def test_weights_are_numbered_in_the_order_of_their_nodes() -> None:
    network = parse(
        "x=input(2,3); a=attention(x,1,2); b=bias(a); c=flatten(b); d=dense(c,4); e=dense(d,4); dense(e,4,shares=e)"
    )
    assert dict(network.parameters) == {
        "Q1": (1, 3), "K1": (1, 3), "V1": (2, 3), "b1": (2,), "W1": (4, 4), "W2": (4, 4),
    }  # fmt: skip
    assert network.parameter_count == 3 + 3 + 6 + 2 + 16 + 16
    assert network.shapes == ((2, 3), (2, 2), (2, 2), (4,), (4,), (4,), (4,))
    assert (network.input_dimension, network.output_dimension) == (6, 4)


def test_the_builder_keeps_what_the_output_needs_in_the_order_of_need() -> None:
    b = Builder(2)
    unused = b.add(Dense(7), b.input)
    right = b.add(Dense(3), b.input)
    left = b.add(Dense(3), b.input, shares=right)
    network = b.network(b.add(Product(), left, right))
    assert unused == 1
    assert [node.layer for node in network.nodes] == [Input((2,)), Dense(3), Dense(3), Product()]
    assert network.nodes[2].shares == 1
    assert b.network(b.input) == parse("input(2)")


def test_the_graph_is_a_frozen_networkx_graph() -> None:
    graph = parse("x=input(2); a=dense(x,2); sum(a,x,a)").graph
    assert sorted(graph.edges) == [(0, 1), (0, 2), (1, 2)]
    assert graph.nodes[1] == {"layer": Dense(2), "shape": (2,)}
    assert graph.edges[0, 2]["slots"] == (1,)
    assert graph.edges[1, 2]["slots"] == (0, 2)
    import networkx

    with pytest.raises(networkx.NetworkXError):
        graph.add_node(9)


@pytest.mark.parametrize(
    ("text", "degrees"),
    [
        ("[2,3,3,1] r=2,3", ((6, 6),)),
        ("[2,3,1] r=2 bias", ((0, 2),)),
        ("[2,3,1] p=0,1,0,0,1", ((1, 1), (4, 4))),
        ("[2,3,3,1] p=0,1,0,1", ((1, 1), (3, 3), (5, 5), (7, 7), (9, 9))),
        ("[2,3,1] p=1,0,1", ((0, 0), (2, 2))),
        ("ccp(3,rank=2,degree=4)", ((1, 4),)),
        ("x=input(3); a=power(x,5); sum(a,x)", ((1, 1), (5, 5))),
        ("lightning_attention(2,2,1,1,layers=2)", ((9, 9),)),
    ],
)
def test_degrees(text: str, degrees: degree_sets.DegreeSet) -> None:
    network = parse(text)
    assert network.degrees == degrees
    assert network.degree == degrees[-1][1]


@pytest.mark.parametrize(
    "text",
    ["[2,3,2] r=2", "[2,4,1] r=2 bias", "[2,3,1] p=0,1,0,1", "[3,3,1] p=1,0,1", "ccp(2,rank=3,degree=3,outputs=2)",
     "ncp(2,rank=3,degree=2)", "x=input(2); a=dense(x,3); b=power(a,4); c=dense(b,2); sum(c,x)"],
)  # fmt: skip
def test_the_ambient_dimension_counts_the_coefficients_that_occur(text: str) -> None:
    network = parse(text)
    occurring = {*coefficient_map(network)}
    if text.endswith("sum(c,x)"):  # the skip connection brings x_1 and x_2 with the fixed coefficient 1
        occurring -= {(0, (1, 0)), (1, (0, 1))}
    assert network.ambient_dimension == len(occurring)


def test_the_expected_dimension() -> None:
    assert parse("[5,5,5,1] r=2").expected_dimension == 45
    assert parse("[2,3,1] r=2").expected_dimension == parse("[2,3,1] r=2").ambient_dimension == 3
    assert parse("[3,3,3] r=2").expected_dimension == 15
    assert parse("[2,3,1] r=1").expected_dimension == 2


def test_numbers_that_cannot_be_written_are_refused_and_not_needed() -> None:
    network = mlp([10**5] * 30, 10**6)
    with pytest.raises(BudgetError, match="ask for expected_dimension, or write a smaller network"):
        _ = network.ambient_dimension
    assert network.expected_dimension == network.parameter_count - 28 * 10**5
    assert mlp((1, 2, 2), 10**6).ambient_dimension == 2


def test_degrees_with_too_many_gaps_are_refused() -> None:
    network = mlp((1, 2, 2, 2, 1), activation=[0, 1] + [0] * 900 + [1])
    with pytest.raises(PolygeomError, match="write an activation with fewer gaps or fewer layers"):
        _ = network.degrees


def test_no_plain_perceptron_no_widths() -> None:
    assert mlp((2, 3, 3, 1), (2, 3)).widths == (2, 3, 3, 1)
    assert mlp((2, 3, 3, 1), (2, 3)).activation_degrees == (2, 3)
    assert parse("x=input(2); a=dense(x,3); b=power(a,1); dense(b,1)").activation_degrees == (1,)
    for text in (
        "[2,3,1] r=2 bias", "[2,3,3,3,1] r=2 tied", "[2,3,1] p=0,0,2", "input(2)", "x=input(2); power(x,2)",
        "x=input(2); a=dense(x,2); power(a,2)", "x=input(2); a=power(x,2); dense(a,1)", "x=input(2,2); dense(x,1)",
        "x=input(2); a=dense(x,2); b=power(a,2); c=power(b,2); dense(c,1)", "x=input(2); dense(x,pattern=[[0,0]])",
        "x=input(2); a=dense(x,2); sum(a,x)",
    ):  # fmt: skip
        assert parse(text).widths is parse(text).activation_degrees is None


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ((), "the first node must be an input; write input(3) first"),
        ((Node(Dense(2)),), "the first node must be an input"),
        ((Node(Input((2,))), Node(Dense(2), ())), "node 1 (dense) needs 1 inputs, got 0; add them"),
        ((Node(Input((2,))), Node(Dense(2), (1,))), "node 1 must read earlier nodes, got (1,); renumber it"),
        ((Node(Input((2,))), Node(Dense(2), (-1,))), "node 1 must read earlier nodes"),
        ((Node(Input((2,))), Node(Input((2,)))), "node 1 is a second input; write one input"),
        ((Node(Input((2,))), Node(Dense(2), (0,)), Node(Dense(2), (0,))), "nodes [1] lead nowhere"),
        ((Node(Input((2,))), Node(Dense(2), (0,), 1)), "must share the weights of an earlier node"),
        ((Node(Input((2,))), Node(Dense(3), (0,)), Node(Dense(3), (1,), 1)), "leave out shares, or write equal widths"),
        ((Node(Input((2, 2, 2))), Node(Convolution(1), (0,))), "needs an input of shape (n,) or (n, channels)"),
        ((Node(Input((2,))), Node(Attention(1, 1), (0,))), "write input(2, 3)"),
    ],
)  # fmt: skip
def test_what_is_no_network(nodes: tuple[Node, ...], message: str) -> None:
    with pytest.raises(PolygeomError, match=re.escape(message)):
        Network(nodes)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dense(0), "width must be a positive integer, got 0; write for example width=2"),
        (lambda: Dense(10**6 + 1), "width must be at most 1000000"),
        (lambda: Power(True), "degree must be a positive integer, got True"),
        (lambda: Power(2.0), "got 2.0"),
        (lambda: Dense(1, ((1, 0, 3),)), "without gaps"),
        (lambda: Dense(1, ((-1,),)), "must number the free weights"),
        (lambda: Dense(2, ((0,), (0, 1))), "rows of equal length"),
        (lambda: Dense(200, ((0,) * 200,) * 200), "at most 20000 entries, got 40000; write a convolution"),
        (lambda: Polynomial((1,)), "degree at least 1"),
        (lambda: Polynomial(3), "coefficients must be a list, got 3"),
        (lambda: Input(()), "dims must have 1 to 4 entries, got 0; write input(3)"),
        (lambda: Convolution(0), "size must be a positive integer"),
        (lambda: Attention(1, -1), "width must be a positive integer, got -1"),
    ],
)
def test_what_is_no_layer(make: type[Layer], message: str) -> None:
    with pytest.raises(PolygeomError, match=re.escape(message)):
        make()


def test_a_network_has_at_most_so_many_symbols() -> None:
    with pytest.raises(PolygeomError, match="at most 20000 together; write a smaller network"):
        linear([1] * 20_001)


def test_an_abstract_layer_has_no_value() -> None:
    with pytest.raises(TypeError, match="layer Nothing must define apply"):
        type("Nothing", (Layer,), {})().apply(ExactEngine(), [], {}, [])


def test_flatten_keeps_the_order_of_axes() -> None:
    x = np.arange(6).reshape(1, 2, 3).astype(object)
    assert Flatten().apply(ExactEngine(), [x], {}, [(2, 3)]).tolist() == [[0, 1, 2, 3, 4, 5]]
    assert Bias().parameters((2, 3)) == {"b": (3,)}
    assert Sum().arity is None
