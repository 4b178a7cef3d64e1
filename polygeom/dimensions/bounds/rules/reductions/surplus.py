"""A hidden layer with more neurons than its features can span can be narrowed to that width (equality).

The features of layer k span at most ``min(M(d_{k-1}, r_k), M(d_0, r_1 ⋯ r_k))`` dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.counts import Degrees, Widths, without_surplus


def _instances(widths: Widths, degrees: Degrees, limit: int) -> Iterator[Instance]:
    narrower = without_surplus(widths, degrees)
    if narrower != widths:
        yield Instance(0, ((narrower, degrees),))


register(
    Rule(
        name="surplus",
        meaning="neurons beyond what the features of their layer span",
        statement=__doc__,
        order=11,
        perceptrons=_instances,
        hidden=(1, None),
        equality=True,
    )
)
