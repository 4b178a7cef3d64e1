"""d_1 < d_0: dim ≤ d_1 (d_0 - d_1) + dim(d_1, d_1, …, d_L).

The network computes functions of d_1 linear forms; the space they span is a point of a Grassmannian.
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.counts import Degrees, Widths


def _instances(widths: Widths, degrees: Degrees, limit: int) -> Iterator[Instance]:
    if len(widths) > 2 and widths[1] < widths[0]:
        yield Instance(widths[1] * (widths[0] - widths[1]), ((widths[1:2] + widths[1:], degrees),))


register(
    Rule(
        name="inputs",
        meaning="functions of fewer linear forms than inputs",
        statement=__doc__,
        order=20,
        perceptrons=_instances,
        hidden=(1, None),
    )
)
