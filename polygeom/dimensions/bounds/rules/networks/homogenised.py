"""A perceptron with biases is one without, on one more input and one more neuron in each hidden layer.

Restricted to weights that keep the constant 1, so that its dimension is at most that of the larger one.
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.network import Bias, Dense, Network, Power


def _instances(network: Network) -> Iterator[Instance]:
    widths: list[int] = [network.input_dimension + 1]
    degrees: list[int] = []
    biased = False
    for number, node in enumerate(network.nodes[1:], start=1):
        between = len(widths) == len(degrees) + 1
        if node.inputs != (number - 1,) or node.shares is not None:
            return
        match node.layer:
            case Bias() if not between:
                biased = True
            case Dense(width, None) if between:
                widths.append(width + 1)
            case Power(degree) if not between:
                degrees.append(degree)
            case _:
                return
    if not biased or len(widths) != len(degrees) + 2 or len(network.input_shape) != 1:
        return
    widths[-1] -= 1
    yield Instance(0, ((tuple(widths), tuple(degrees)),))


register(
    Rule(
        name="homogenised",
        meaning="biases as weights of one more neuron in each layer",
        statement=__doc__,
        source="arXiv 2506.17093, Section 3.3",
        order=4,
        networks=_instances,
    )
)
