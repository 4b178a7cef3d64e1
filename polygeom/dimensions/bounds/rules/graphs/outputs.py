"""The network ends with a full matrix of o rows that reads w < o features: dim ≤ (o - w) w + dim(with w rows).

Outputs beyond the first w are linear combinations of w features; with a bias at the end they have a constant each,
dim ≤ (o - w) (w + 1) + dim(with w rows).
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.bounds.graphs import narrowed
from polygeom.network import Bias, Dense, Network
from polygeom.symmetry.mixings import FreeWeights


def _instances(network: Network) -> Iterator[Instance]:
    last = len(network.nodes) - 1
    bias = isinstance(network.nodes[last].layer, Bias)
    number = network.nodes[last].inputs[0] if bias and last > 1 else last
    layer, weights = network.nodes[number].layer, FreeWeights(network)
    if len(network.output_shape) > 1 or not isinstance(layer, Dense) or layer.pattern is not None or number < 2:
        return
    if not (weights.own(number) and weights.own(last)):
        return
    (w,), o = network.shapes[network.nodes[number].inputs[0]], layer.width
    if w < o:
        yield Instance((o - w) * (w + bias), (narrowed(network, {number: w}),))


register(
    Rule(
        name="graph outputs",
        meaning="outputs beyond the last hidden width are linear combinations of features",
        statement=__doc__,
        order=64,
        networks=_instances,
        costly=True,
    )
)
