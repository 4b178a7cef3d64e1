"""d_L > w = d_{L-1}: dim ≤ (d_L - w) min(w, M(d_0, D)) + dim(d_0..w, w).

Outputs beyond the first w are linear combinations of w features.
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.counts import Degrees, Widths, output_degree
from polygeom.network.limits import capped_monomials


def _instances(widths: Widths, degrees: Degrees, limit: int) -> Iterator[Instance]:
    if len(widths) > 2 and widths[-1] > widths[-2]:
        w = widths[-2]
        features = capped_monomials(widths[0], output_degree(degrees), w)
        yield Instance((widths[-1] - w) * features, (((*widths[:-1], w), degrees),))


register(
    Rule(
        name="outputs",
        meaning="outputs beyond the last hidden width are linear combinations of features",
        statement=__doc__,
        order=21,
        perceptrons=_instances,
        hidden=(1, None),
    )
)
