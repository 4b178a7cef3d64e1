"""dim ≤ N - the rank at a point of the image of the differentials of equations between its N coordinates.

The coordinates are the coefficients of the outputs that depend on the weights. Where some polynomials in them vanish
on the image, the neurovariety lies in their zero set, and its dimension is at most that of the tangent space of the
zero set at any of its points. That the polynomials vanish is proved by expansion. Linear, quadratic, cubic and quartic
equations are searched for, not listed (`polygeom.dimensions.bounds.equations`): this, too, finds reasons of a defect
where nobody has thought of one.
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.bounds.equations import equations
from polygeom.dimensions.bounds.graphs import rank_of
from polygeom.network import Network


def _instances(network: Network) -> Iterator[Instance]:
    coordinates, found = equations(network, rank_of(network))
    if found:
        yield Instance(coordinates - len(found), equations=found)


register(
    Rule(
        name="equations",
        meaning="the coefficients satisfy equations of low degree",
        statement=__doc__,
        order=71,
        networks=_instances,
        costly=True,
        last=True,
    )
)
