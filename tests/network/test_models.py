"""Layers and families that models have: what they compute, and the dimensions that the literature gives."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import polygeom
from polygeom.engines.exact import ExactEngine
from polygeom.errors import PolygeomError
from polygeom.network import Network, parse
from polygeom.network.models import group_table
from polygeom.testing import check_layer, formulas
from polygeom.testing.zoo import case

LAYERS = [
    "x=input(2); a=fixed(x,[[1,1],[0,1/2],[2,-1]]); b=power(a,2); dense(b,1)",
    "x=input(3,2); a=fixed(x,[[0,1,0],[1,0,1]],axis=tokens); b=dense(a,2); c=power(b,2); d=flatten(c); dense(d,1)",
    "x=input(2); a=dense(x,2); b=power(a,2); concatenate(b,a)",
    "x=input(3); a=slice(x,0,3,step=2); b=dense(a,2); c=power(b,2); dense(c,1)",
    "x=input(3); a=gather(x,[2,-1,0,1],dims=[2,2]); b=dense(a,1); c=power(b,2); d=flatten(c); dense(d,1)",
    "x=input(3,3); a=convolution2d(x,[2,2],channels=2); b=power(a,2); d=flatten(b); dense(d,1)",
    "x=input(2,2,2); a=convolution2d(x,[2,1],channels=2,padding=1,stride=2,groups=2); b=flatten(a); dense(b,1)",
    "x=input(3); a=group_convolve(x,[[0,1,2],[1,2,0],[2,0,1]],channels=2); b=power(a,2); c=flatten(b); dense(c,1)",
    "x=input(2,2); a=mix(x,3); b=power(a,2); c=flatten(b); dense(c,1)",
    "x=input(2); a=edges(x,2,2); edges(a,1,2)",
]


@pytest.mark.parametrize("text", LAYERS)
def test_layers_are_what_their_formulas_say(text: str) -> None:
    network = parse(text)
    check_layer(text)
    c = case(network, np.random.default_rng(1))
    engine = ExactEngine()
    weights = {name: engine.encode(w) for name, w in c.weights.items()}
    value = network.evaluate(engine, weights, engine.encode(c.points))
    assert value.tolist() == formulas.evaluate(network, c.weights, c.points).tolist()


def test_rational_activations() -> None:
    engine = ExactEngine()
    network = parse("x=input(1); a=rational(x,[1,2],[0,0,3]); inverse(a)")
    value = network.evaluate(engine, {}, engine.encode([[2], [3]]))
    assert value.tolist() == [[Fraction(12, 5)], [Fraction(27, 7)]]
    one = polygeom.dimension("x=input(2); a=dense(x,2); b=inverse(a); dense(b,1)")
    assert (one.dimension, one.proved, one.ambient_dimension) == (4, True, None)
    with pytest.raises(PolygeomError, match="rational functions of the inputs"):
        polygeom.Neurovariety("x=input(2); inverse(x)")


PUBLISHED = {
    # L (|G| - 1) + 1 for every group: arXiv 2603.29566
    "group_convolutional(C3,layers=2,degree=2)": 2 * 2 + 1,
    "group_convolutional(S3,layers=3,degree=2)": 3 * 5 + 1,
    "group_convolutional(D4,layers=2,degree=3)": 2 * 7 + 1,
    # deep lightning attention: l a (2 d - a) + d^2 - l, arXiv 2408.17221
    "lightning_attention(tokens=2,features=2,rank=1,outputs=2,layers=2)": 2 * 1 * 3 + 4 - 2,
    "lightning_attention(tokens=3,features=3,rank=2,outputs=3,layers=2)": 2 * 2 * 4 + 9 - 2,
    # shallow rational networks: d1 d0 + d1 m - d1 + 1
    "rational_mlp([2,2,1])": 4 + 2 - 2 + 1,
    "rational_mlp([3,4,2])": 12 + 8 - 4 + 1,
    "rational_mlp([2,3,2])": 6 + 6 - 3 + 1,
    # convolutions of images with one channel and monomials: Σ k - (L - 1), as in arXiv 2410.00722
    "convolutional2d(4,4,kernels=[2,2],channels=[1,1],degrees=2)": 4 + 4 - 1,
}


@pytest.mark.parametrize("text", PUBLISHED)
def test_published_dimensions(text: str) -> None:
    result = polygeom.dimension(text)
    assert (result.dimension, result.proved) == (PUBLISHED[text], True)


AMBIENT = {
    "rational_mlp([2,2,1])": (5, "coefficients of degree 1; degree 2"),
    "x=input(13); a=slice(x,0,3); b=slice(x,3,8); c=slice(x,8,13); d=dense(a,4); e=dense(b,4); f=dense(c,4); "
    "g=product(d,e,f); dense(g,1)": (75, "coefficients of multidegree (1,1,1) in groups of 3, 5, 5 inputs"),
    "x=input(2); a=dense(x,2); b=power(a,2); sum(b,x)":
        (6, "coefficients of degree 1 to 2, without 4 that no weight enters"),
    "map(s,t: s^2, 1, s*t)": (2, "3 coordinates, 1 of them fixed"),
    "[2,3,1] r=2": (3, "coefficients of degree 2"),
}  # fmt: skip


@pytest.mark.parametrize("text", AMBIENT)
def test_the_ambient_space_is_the_right_one_and_said(text: str) -> None:
    result = polygeom.dimension(text)
    assert (result.ambient_dimension, result.ambient) == AMBIENT[text]


def test_a_rational_network_that_fills_its_space_is_seen() -> None:
    assert polygeom.dimension("rational_mlp([2,2,1])").filling
    assert polygeom.dimension("rational_mlp([2,3,2])").filling


@pytest.mark.parametrize(("name", "order"), [("C5", 5), ("D3", 6), ("S3", 6), ("D1", 2), ("S4", 24)])
def test_groups_by_name(name: str, order: int) -> None:
    from polygeom.network.layers.convolutions.group import is_group

    table = group_table(name)
    assert len(table) == order
    assert is_group(table)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x=input(2); fixed(x,[[1,2,3]])", "write 2 entries in each row"),
        ("x=input(2); fixed(x,[[1,2],[3]])", "rows of equal length"),
        ("x=input(2); fixed(x,[[1,1]],axis=time)", "write axis=tokens"),
        ("x=input(2); slice(x,1,3)", "write stop=2"),
        ("x=input(2); gather(x,[0,5])", "count from 0"),
        ("x=input(2); gather(x,[0,1],dims=[3])", "do not hold 2 entries"),
        ("x=input(3,3,2); convolution2d(x,[2,2],channels=3,groups=2)", "write groups=1"),
        ("x=input(2,2); convolution2d(x,[3,3])", "write smaller ones"),
        ("x=input(2); group_convolve(x,[[0,1],[1,1]])", "products of a group"),
        ("x=input(2); rational(x,[1],[0])", "must end in a coefficient that is not zero"),
        ("group_convolutional(Q8,layers=2,degree=2)", "write C3"),
        ("x=input(2); mix(x,2)", "write input\\(3,2\\)"),
        ("graph_network([[0,1,0]],widths=[2,1],degrees=2)", "columns but the input has"),
    ],
)
def test_malformed_layers(text: str, message: str) -> None:
    with pytest.raises(PolygeomError, match=message):
        parse(text)


def test_families_are_read_and_written_as_programs() -> None:
    network = parse("kan([2,2,1],2)")
    assert isinstance(network, Network)
    assert parse(network.text) == network
    assert polygeom.network.kan((2, 2, 1), 2) == network
