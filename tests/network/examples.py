"""Random networks, and texts near to texts of networks, for hypothesis."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

from polygeom.errors import PolygeomError
from polygeom.network import (
    Attention,
    Bias,
    Convolution,
    Dense,
    Flatten,
    Input,
    Layer,
    Network,
    Polynomial,
    Power,
    Product,
    Scale,
    Sum,
    ccp,
    convolutional,
    lightning_attention,
    mlp,
    ncp,
    parse,
    product_network,
)
from polygeom.network.nodes import Node
from polygeom.testing.zoo import TEXTS

small = st.integers(1, 4)
coefficients = st.lists(st.fractions(-3, 3, max_denominator=5), min_size=1, max_size=4).map(
    lambda lower: (*lower, Fraction(2, 3))
)


@st.composite
def perceptrons(draw: st.DrawFn) -> Network:
    widths = draw(st.lists(st.integers(1, 5), min_size=2, max_size=6))
    hidden = len(widths) - 2
    options = {"bias": draw(st.booleans()), "tied": draw(st.booleans())}
    if hidden and draw(st.booleans()):
        activation = draw(st.one_of(coefficients, st.lists(coefficients, min_size=hidden, max_size=hidden)))
        return mlp(widths, activation=activation, **options)
    return mlp(widths, draw(st.one_of(small, st.lists(small, min_size=hidden, max_size=hidden))), **options)


@st.composite
def convolutions(draw: st.DrawFn) -> Network:
    kernels = draw(st.lists(small, min_size=1, max_size=4))
    strides = draw(st.lists(st.integers(1, 3), min_size=len(kernels), max_size=len(kernels)))
    activation = {"degrees": draw(small)} if draw(st.booleans()) else {"activation": draw(coefficients)}
    return convolutional(400, kernels, strides=strides, **activation)


families = st.one_of(
    perceptrons(),
    convolutions(),
    st.builds(ccp, small, small, small, small, bias=st.sampled_from([True, False, "output"]), skip=st.booleans()),
    st.builds(ncp, small, small, small, small, bias=st.booleans()),
    st.builds(product_network, small, small, small, small, skip=st.booleans()),
    st.builds(lightning_attention, small, small, small, small, layers=st.integers(1, 2)),
)


@st.composite
def graphs(draw: st.DrawFn) -> Network:
    """Networks with arbitrary wiring, each layer reading the one before it and perhaps others."""
    dims = draw(st.sampled_from([(3,), (4,), (2, 3), (4, 2), (6,)]))
    nodes, shapes = [Node(Input(dims))], [dims]
    for _ in range(draw(st.integers(0, 6))):
        number = len(nodes)
        layer, others = draw(_layers(shapes[-1], [i for i in range(number - 1) if shapes[i] == shapes[-1]]))
        before = [i for i, n in enumerate(nodes) if n.layer == layer and n.shares is None]
        node = Node(layer, (number - 1, *others), draw(st.sampled_from([None, *before[-1:]])))
        try:
            shapes.append(Network((*nodes, node)).shapes[-1])
        except PolygeomError:
            continue
        nodes.append(node)
    return Network(tuple(nodes))


@st.composite
def _layers(draw: st.DrawFn, shape: tuple[int, ...], equal: list[int]) -> tuple[Layer, tuple[int, ...]]:
    plain = st.one_of(
        st.builds(Dense, small),
        st.just(Dense(2, ((0,) * shape[-1], (*[-1] * (shape[-1] - 1), 1)))),
        st.just(Bias()),
        st.just(Scale()),
        st.just(Flatten()),
        st.builds(Power, small),
        st.builds(Polynomial, coefficients),
        st.builds(Convolution, st.integers(1, 2), st.integers(1, 2), small),
        st.builds(Attention, small, small),
    )
    if equal and draw(st.booleans()):
        others = draw(st.lists(st.sampled_from(equal), min_size=1, max_size=3))
        return draw(st.sampled_from([Product(), Sum()])), tuple(others)
    return draw(plain), ()


networks = st.one_of(families, graphs())

TOKENS = (
    *'[](),;=|.-+ 0123456789xr{}"\x00–٣½\ufeff',
    *("..", "1e3", "bias", "tied", "p=", "r=", "10" * 40, "input(", "dense(", "ccp(", "shares=", "pattern="),
    *("True", "null", "NaN", "1/0", "1/2"),
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A valid text with a few places replaced, removed or repeated."""
    text = draw(st.sampled_from([*TEXTS, parse(TEXTS[3]).to_json(), parse(TEXTS[-2]).to_json(), "[2..4,2|5,1] r=2..3"]))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 4)))
        text = text[:start] + draw(st.sampled_from(["", text[start:end] * 2, *TOKENS])) + text[end:]
    return text
