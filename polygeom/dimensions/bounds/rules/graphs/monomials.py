"""dim ≤ the number of coefficients that weights enter, the monomials of the outputs followed one by one."""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.network import Network
from polygeom.network.ambient.monomials import monomial_space


def _instances(network: Network) -> Iterator[Instance]:
    space = monomial_space(network)
    if space is not None:
        yield Instance(space.dimension)


register(
    Rule(
        name="monomials",
        meaning="some monomials do not occur",
        statement=__doc__,
        order=59,
        networks=_instances,
        costly=True,
    )
)
