"""A layer of activations of more linear forms than their features can span is narrowed to that number (equality).

``σ(W u)``, or ``σ(W u + b)``, of a vector u of n values, with weights of their own, and full matrices alone that read
the features. These lie in the space of the polynomials ``Σ_k c_k f_k``, ``f_k`` of degree k in u, over the exponents k
of σ, or up to the largest of them with a bias. If its dimension c is less than the width, some c of the features span
all of them for generic weights, and what reads them is linear in them: the others can be removed.
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.bounds.graphs import narrowed
from polygeom.network import Bias, Dense, Network, Polynomial, Power
from polygeom.network.limits import capped_monomials
from polygeom.symmetry.mixings import FreeWeights, readers


def _instances(network: Network) -> Iterator[Instance]:
    read_by, weights = readers(network), FreeWeights(network)
    for number, node in enumerate(network.nodes):
        if not isinstance(node.layer, Power | Polynomial) or len(network.shapes[number]) > 1 or not read_by[number]:
            continue
        source = node.inputs[0]
        bias = isinstance(network.nodes[source].layer, Bias)
        matrix = network.nodes[source].inputs[0] if bias else source
        layer = network.nodes[matrix].layer
        if not isinstance(layer, Dense) or layer.pattern is not None:
            continue
        chain = dict.fromkeys((matrix, source))
        alone = all(weights.own(n) for n in chain) and read_by[source] == [number]
        if not alone or (bias and read_by[matrix] != [source]):
            continue
        if any(not isinstance(network.nodes[n].layer, Dense) or not weights.after(n) for n in read_by[number]):
            continue
        n = network.shapes[network.nodes[matrix].inputs[0]][0]
        space = _space(node.layer, n, bias, layer.width)
        if space < layer.width:
            yield Instance(0, (narrowed(network, {matrix: space}),), number)


def _space(activation: Power | Polynomial, n: int, bias: bool, most: int) -> int:
    """At most how many dimensions the features span, or ``most``."""
    if isinstance(activation, Power):
        exponents = [activation.degree]
    else:
        exponents = [k for k, c in enumerate(activation.coefficients) if c]
    if bias:
        return capped_monomials(n + 1, exponents[-1], most)
    total = 0
    for k in exponents:
        total += capped_monomials(n, k, most) if k else 1
    return min(total, most)


register(
    Rule(
        name="graph surplus",
        meaning="neurons beyond what the features of their layer span",
        statement=__doc__,
        order=65,
        networks=_instances,
        costly=True,
    )
)
