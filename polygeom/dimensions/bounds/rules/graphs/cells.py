"""Parts that read one value, and one value of which is read: dim ≤ weights outside + Σ dim(part).

The outputs depend on the weights of a part only through the function that the part computes, a point of its
neurovariety. The parts do not overlap and share no weights. With an identity beside it (a residual block) nothing more
is lost: for blocks ``x + C σ(A x)`` the bound is the dimension, see the formulas.
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.bounds.graphs import MOST_NODES, cells, region
from polygeom.network import Network


def _instances(network: Network) -> Iterator[Instance]:
    if len(network.nodes) > MOST_NODES:
        return
    parts = tuple(region(network, members, entry) for entry, members in cells(network))
    if parts:
        yield Instance(network.parameter_count - sum(part.parameter_count for part in parts), parts)


register(
    Rule(
        name="cells",
        meaning="parts enter by their functions alone",
        statement=__doc__,
        order=63,
        networks=_instances,
        costly=True,
    )
)
