"""Parameters minus the dimension of the orbits of symmetries (`polygeom.symmetry.gauge`).

For one-channel convolutions with monomial activation this is Σ k_i - (L - 1), and for one layer of lightning attention
a (2d - a) + d d′ - 1, the dimensions proved in arXiv 2410.00722 and arXiv 2408.17221.
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.network import Network


def _instances(network: Network) -> Iterator[Instance]:
    yield Instance(network.parameter_count - network.gauge)


register(
    Rule(
        name="symmetries",
        meaning="weights minus symmetries",
        statement=__doc__,
        order=2,
        networks=_instances,
        counts=True,
    )
)
