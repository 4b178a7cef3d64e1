"""dim ≤ d_L · M(d_0, D), the number of coefficients; of any network, the coefficients of its outputs."""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.counts import Degrees, Widths, output_degree
from polygeom.errors import PolygeomError
from polygeom.network import Network
from polygeom.network.limits import capped_monomials


def _instances(widths: Widths, degrees: Degrees, limit: int) -> Iterator[Instance]:
    value = widths[-1] * capped_monomials(widths[0], output_degree(degrees), limit // widths[-1] + 1)
    if value < limit:
        yield Instance(value)


def _of_networks(network: Network) -> Iterator[Instance]:
    try:
        yield Instance(network.ambient_dimension)
    except PolygeomError:  # so many coefficients bound nothing
        return


register(
    Rule(
        name="ambient",
        meaning="no more coefficients than that",
        statement=__doc__,
        order=1,
        perceptrons=_instances,
        networks=_of_networks,
        counts=True,
    )
)
