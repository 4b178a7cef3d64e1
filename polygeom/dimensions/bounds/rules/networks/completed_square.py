"""A perceptron with biases and activations ``a x² + b x + c`` has the functions of the one with activations x².

``a x² + b x + c = a (x + b/2a)² + (c - b²/4a)``: the bias before the activation absorbs ``b/2a``, the next matrix the
factor ``a``, the next bias the constant, and this change of weights is invertible. So the scalings of hidden neurons
count, dim ≤ P - Σ d_l, and the network homogenises (rule *homogenised*).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.network import Bias, Dense, Layer, Network, Polynomial, Power


def _instances(network: Network) -> Iterator[Instance]:
    layers = [node.layer for node in network.nodes[1:]]
    chain = all(node.inputs == (k,) and node.shares is None for k, node in enumerate(network.nodes[1:]))
    if not chain or len(network.input_shape) != 1 or not any(isinstance(layer, Polynomial) for layer in layers):
        return
    widths, degrees = [network.input_dimension], list[int]()
    for before, layer in pairwise([None, *layers, None]):
        if isinstance(before, Dense) != isinstance(layer, Bias):
            return  # a matrix without a bias, or a bias without a matrix
        if isinstance(layer, Dense) and layer.pattern is None:
            degrees += [1] if isinstance(before, Bias) else []
            widths.append(layer.width)
        elif (degree := _degree(layer)) and isinstance(before, Bias):
            degrees.append(degree)
        elif layer is not None and not isinstance(layer, Bias):
            return
    if len(widths) == len(degrees) + 2:
        yield Instance(network.parameter_count - sum(widths[1:-1]))
        yield Instance(0, (((*(d + 1 for d in widths[:-1]), widths[-1]), tuple(degrees)),))


def _degree(layer: Layer | None) -> int:
    """The degree of a monomial or quadratic activation, 0 for everything else."""
    if isinstance(layer, Power):
        return layer.degree
    return 2 if isinstance(layer, Polynomial) and len(layer.coefficients) == 3 else 0


register(
    Rule(
        name="completed square",
        meaning="quadratic activations between biases are squares",
        statement=__doc__,
        order=5,
        networks=_instances,
    )
)
