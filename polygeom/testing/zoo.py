"""Small networks of every family: each layer and primitive occurs, and values stay below 2^53 for small weights."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.network import Network, parse

TEXTS: tuple[str, ...] = (
    "[2,3]",
    "[1,1,1] r=2",
    "[2,3,1] r=2",
    "[3,2,2] r=3",
    "[2,2,2,2] r=2,3",
    "[2,3,2] r=1",
    "[2,3,2,1] r=1,2",
    "[2,2,1] r=2 bias",
    "[2,2,2,1] r=2 bias",
    "[2,2,2,2,1] r=2 tied",
    "[2,2,2,2,1] r=2 bias tied",
    "[2,2,1] p=0,1,1",
    "[2,2,2] p=1/2,-1/3,0,2",
    "[2,2,2,1] p=0,1,1;-1,0,1",
    "input(3)",
    "ccp(2,rank=2,degree=1,bias=output)",
    "ccp(2,rank=2,degree=3)",
    "ccp(2,rank=2,degree=3,outputs=2,skip=False)",
    "ccp(2,rank=1,degree=2,bias=True)",
    "ncp(2,rank=2,degree=2)",
    "ncp(1,rank=2,degree=3,outputs=2,bias=False)",
    "product_network(2,rank=2,degree=3)",
    "convolutional(5,kernels=[3,2],degrees=2)",
    "convolutional(7,kernels=[2,2],degrees=2,strides=[2,1])",
    "convolutional(5,kernels=[2,2,2],activation=[1,1,1/2])",
    "lightning_attention(tokens=2,features=2,rank=1,outputs=2)",
    "lightning_attention(tokens=1,features=3,rank=2,outputs=2)",
    "lightning_attention(tokens=3,features=2,rank=2,outputs=1)",
    "lightning_attention(tokens=2,features=2,rank=1,outputs=1,layers=2)",
    # sparse and tied matrices
    "x=input(3); a=dense(x,pattern=[[0,-1,1],[1,0,-1]]); b=power(a,2); dense(b,1)",
    "x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,2,shares=a); sum(a,c)",
    # a residual network, a product of three, a learned diagonal
    "x=input(2); a=dense(x,2); b=power(a,3); c=sum(b,x); d=product(c,a,x); scale(d)",
    # channels, tokens and the way to dense layers
    "x=input(4,2); a=convolution(x,2,stride=2,channels=3); b=bias(a); c=power(b,2); d=flatten(c); dense(d,2)",
    "x=input(4); a=convolution(x,2,channels=2); b=scale(a); c=convolution(b,3); flatten(c)",
    "x=input(2,2); a=dense(x,2); b=attention(a,1,2); c=sum(a,b); d=bias(c); e=flatten(d); dense(e,1)",
    "x=input(2,3); polynomial(x,[-1,0,1/4])",
    # layers of models: constant matrices, other places, images, groups, tokens, edges
    "x=input(2); a=fixed(x,[[1,1],[0,1/2],[2,-1]]); b=power(a,2); dense(b,1)",
    "x=input(3,2); a=fixed(x,[[0,1,0],[1,0,1]],axis=tokens); b=dense(a,1); c=flatten(b); power(c,2)",
    "x=input(2); a=dense(x,2); b=power(a,2); c=concatenate(b,a); slice(c,1,4,step=2)",
    "x=input(3); a=gather(x,[2,-1,0,1],dims=[2,2]); b=mix(a,1); c=flatten(b); dense(c,1)",
    "x=input(2,2,2); a=convolution2d(x,[2,1],channels=2,padding=1,stride=2,groups=2); flatten(a)",
    "x=input(3); a=group_convolve(x,[[0,1,2],[1,2,0],[2,0,1]]); power(a,2)",
    "x=input(2); a=edges(x,2,2); dense(a,1)",
    "x=input(2,2); a=dense(x,2); b=mix(x,2); c=matmul(a,b); flatten(c)",
    # formulas: in inputs and weights, in weights alone
    'x=input(2); a=formula(x,[s,t],["s*x1^2+t*x2","1/2*x1*x2-s*t"]); dense(a,2)',
    "map(s,t: s^3, s^2*t-1, 1/3*s+t)",
)

ZOO: tuple[Network, ...] = tuple(map(parse, TEXTS))
"""The networks of `TEXTS`."""


@dataclass(frozen=True)
class Case:
    """A network with small integer weights and points, as arrays of Python integers."""

    network: Network
    weights: dict[str, np.ndarray]
    points: np.ndarray


def case(network: Network, rng: np.random.Generator, points: int = 3) -> Case:
    """Random weights and points with entries from -2 to 2."""
    weights = {name: integers(rng, *shape) for name, shape in network.parameters.items()}
    return Case(network, weights, integers(rng, points, *network.input_shape))


def integers(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Python integers from -2 to 2."""
    return rng.integers(-2, 3, size=shape).astype(object)


def fractions(values: Any) -> np.ndarray:
    """An array of fractions."""
    exact: np.ndarray = np.vectorize(Fraction, otypes=[object])(np.asarray(values, dtype=object))
    return exact
