"""Lightning attention on one token ``x`` is ``(xᵀ A x) V x`` with ``rank A ≤ a``.

Only the symmetric part of ``A`` matters, a symmetric matrix of rank at most 2a.
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.network import Attention, Network


def _instances(network: Network) -> Iterator[Instance]:
    if len(network.nodes) != 2 or not isinstance(layer := network.nodes[1].layer, Attention):
        return
    tokens, d = network.input_shape
    if tokens == 1:
        s = min(2 * layer.rank, d)
        yield Instance(s * d - s * (s - 1) // 2 + d * layer.width - 1)


register(
    Rule(
        name="one token",
        meaning="a quadratic form of bounded rank times a vector",
        statement=__doc__,
        order=3,
        networks=_instances,
    )
)
