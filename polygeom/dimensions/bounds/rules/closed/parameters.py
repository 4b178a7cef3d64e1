"""dim ≤ P - Σ g_l over hidden layers, g_l = d_l for the scalings of hidden neurons.

Where r_l = 1 and d_l is below both neighbours, g_l = d_l², all of GL(d_l). These are orbits of a group that leaves the
function unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.architecture import parameters_bound
from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.counts import Degrees, Widths


def _instances(widths: Widths, degrees: Degrees, limit: int) -> Iterator[Instance]:
    yield Instance(parameters_bound(widths, degrees))


register(
    Rule(
        name="parameters",
        meaning="weights minus scalings",
        statement=__doc__,
        order=0,
        perceptrons=_instances,
        counts=True,
    )
)
