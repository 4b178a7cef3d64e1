"""Quadratic activations ``a t² + b t + c``, b ≠ 0, of values without constants, read by the outputs alone.

The network ends ``W σ(q)`` with a full matrix W that alone reads the features, and q vanishes at x = 0: no monomial 1.
``σ(t) = a (t + s)² + c - a s²`` with ``s = b / 2a``. The outputs ``Σ_i w_i a (q_i + s)²`` have the constant terms
``Σ_i w_i a s²``, so that the missing ``Σ_i w_i (c - a s²)`` are multiples of these: a linear map carries the first
functions to those of the network. So dim ≤ dim(with a bias and a square in place of σ).
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.bounds.graphs import below, monomials_of
from polygeom.network import Bias, Dense, Network, Polynomial, Power
from polygeom.network.nodes import Node
from polygeom.symmetry.mixings import FreeWeights


def _instances(network: Network) -> Iterator[Instance]:
    last = len(network.nodes) - 1
    if last < 2 or len(network.output_shape) > 1:
        return
    node, v = network.nodes[last], last - 1  # what a last matrix reads, as every value is read
    layer = network.nodes[v].layer
    if not isinstance(node.layer, Dense) or node.layer.pattern is not None or not FreeWeights(network).own(last):
        return
    if not isinstance(layer, Polynomial) or len(layer.coefficients) != 3 or not layer.coefficients[1]:
        return
    known = monomials_of(below(network, network.nodes[v].inputs[0])) if network.nodes[v].inputs[0] else (1, False)
    if known is not None and not known[1]:
        before = (*network.nodes[:v], Node(Bias(), network.nodes[v].inputs))
        yield Instance(0, (Network((*before, Node(Power(2), (v,)), Node(node.layer, (v + 1,)))),))


register(
    Rule(
        name="shifted square",
        meaning="quadratic activations are squares, but for a multiple of the constant term",
        statement=__doc__,
        order=66,
        networks=_instances,
        costly=True,
    )
)
