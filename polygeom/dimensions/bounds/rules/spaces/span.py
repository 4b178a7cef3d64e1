"""d_k < M = M(d_0, r_1 ⋯ r_k): dim ≤ d_k (M - d_k) + dim(d_k, d_{k+1}, …, d_L).

What follows layer k depends only on the space that its features span, a point of a Grassmannian of subspaces of the
forms of degree r_1 ⋯ r_k.
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.counts import Degrees, Widths, output_degree
from polygeom.network.limits import capped_monomials


def _instances(widths: Widths, degrees: Degrees, limit: int) -> Iterator[Instance]:
    for k in range(1, len(widths) - 1):
        m = widths[k]
        space = capped_monomials(widths[0], output_degree(degrees[:k]), limit + m)
        if m < space and m * (space - m) < limit:
            yield Instance(m * (space - m), ((widths[k:], degrees[k:]),), k)


register(
    Rule(
        name="span",
        meaning="only the space spanned by the features of the layer matters",
        statement=__doc__,
        order=41,
        perceptrons=_instances,
        hidden=(1, None),
    )
)
