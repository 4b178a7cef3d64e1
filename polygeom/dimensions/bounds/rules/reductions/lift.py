"""dim ≤ dim(M(d_0, e), d_k, …, d_L), e = r_1 ⋯ r_{k-1}, k ≥ 2.

Pre-activations of layer k are linear in the monomials of degree e.
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.architecture import layers_to_try
from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.counts import Degrees, Widths, output_degree
from polygeom.network.limits import capped_monomials


def _instances(widths: Widths, degrees: Degrees, limit: int) -> Iterator[Instance]:
    for k in layers_to_try(widths):
        if k >= 2:
            space = capped_monomials(widths[0], output_degree(degrees[: k - 1]), limit)
            if space < limit:
                yield Instance(0, (((space, *widths[k:]), degrees[k - 1 :]),), k)


register(
    Rule(
        name="lift",
        meaning="pre-activations are linear in monomials",
        statement=__doc__,
        order=30,
        perceptrons=_instances,
        hidden=(2, None),
    )
)
