"""What acts on every token alone has the dimension of what acts on one token (equality).

All layers act on the last axis, with the same weights at every place: dense, bias, scale, activations, sums and
products. The function of all tokens is the function of one token, repeated.
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.network import Bias, Dense, Input, Network, Polynomial, Power, Product, Scale, Sum
from polygeom.network.nodes import Node

_POINTWISE = (Dense, Bias, Scale, Power, Polynomial, Sum, Product)


def _instances(network: Network) -> Iterator[Instance]:
    rest = network.nodes[1:]
    if len(network.input_shape) > 1 and all(isinstance(node.layer, _POINTWISE) for node in rest):
        yield Instance(0, (Network((Node(Input(network.input_shape[-1:])), *rest)),))


register(
    Rule(
        name="one token at a time",
        meaning="the same function of every token",
        statement=__doc__,
        order=6,
        networks=_instances,
        equality=True,
        costly=True,
    )
)
