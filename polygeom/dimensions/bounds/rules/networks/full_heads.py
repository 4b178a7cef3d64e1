"""A sum of H ≤ d heads of lightning attention with one output: dim ≤ H(d - H) + d (C(d+1, 2) - C(d-H+1, 2)).

d is the number of features. The function is the tensor of the quadrics ``q_k = Σ_h v_h α_hk``, k = 1..d, with linear
forms ``v_h`` and ``α_hk``: d quadrics that vanish on the subspace L of dimension d - H where all ``v_h`` do. L is a
point of a Grassmannian of dimension H(d - H), and to vanish on L has codimension C(d-H+1, 2) for a quadric. For heads
of rank d it is the dimension.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import comb

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.network import Attention, Network, Sum


def _instances(network: Network) -> Iterator[Instance]:
    heads, last = network.nodes[1:-1], network.nodes[-1]
    attention = all(isinstance(node.layer, Attention) and node.inputs == (0,) for node in heads)
    if not (heads and attention and isinstance(last.layer, Sum) and set(last.inputs) == {*range(1, len(heads) + 1)}):
        return
    (_, d), count = network.input_shape, len(heads)
    if network.output_shape[-1] == 1 and count <= d:
        left = d - count
        yield Instance(count * left + d * (comb(d + 1, 2) - comb(left + 1, 2)))


register(
    Rule(
        name="heads of full rank",
        meaning="quadrics that vanish on a common subspace",
        statement=__doc__,
        order=8,
        networks=_instances,
    )
)
