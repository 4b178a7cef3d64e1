"""d_L = 1, r_{L-1} = 2, s = d_{L-1} at most the span of layer L-2: dim ≤ dim(d_0..d_{L-1}) - s(s-1)/2.

The output is Σ q_i² for the pre-activations q (scale each by a square root of its last weight); the orthogonal group
O(s) mixes the q_i, stays in V(d_0..d_{L-1}) because their layer is linear, leaves the output unchanged, and acts with
finite stabilisers when q_1..q_s are linearly independent, which they are for generic weights by the span condition
(`feature_span`).
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.architecture import feature_span
from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.counts import Degrees, Widths


def _instances(widths: Widths, degrees: Degrees, limit: int) -> Iterator[Instance]:
    if len(widths) < 3 or widths[-1] != 1 or degrees[-1] != 2:
        return
    s = widths[-2]
    if 2 <= s <= feature_span(widths[:-1], degrees[:-1]):
        yield Instance(-(s * (s - 1) // 2), ((widths[:-1], degrees[:-1]),))


register(
    Rule(
        name="rotations",
        meaning="a sum of squares is unchanged by rotations of what is squared",
        statement=__doc__,
        order=22,
        perceptrons=_instances,
        hidden=(1, None),
    )
)
