"""(d_0, s, 1; 2), s ≤ d_0: dim ≤ s d_0 - s(s-1)/2, quadratic forms of rank ≤ s."""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.counts import Degrees, Widths


def _instances(widths: Widths, degrees: Degrees, limit: int) -> Iterator[Instance]:
    if len(widths) == 3 and widths[-1] == 1 and degrees == (2,) and widths[1] <= widths[0]:
        s = widths[1]
        yield Instance(s * widths[0] - s * (s - 1) // 2)


register(
    Rule(
        name="quadrics",
        meaning="quadratic forms of bounded rank",
        statement=__doc__,
        order=2,
        perceptrons=_instances,
        hidden=(1, 1),
    )
)
