"""dim ≤ dim(d_0..d_k) + dim(d_k..d_L) - d_k: compose the two parts.

The scalings of layer k act on the pairs with orbits of dimension d_k. Where r_k = 1 and the d_k functions are linearly
independent (`feature_span`), all of GL(d_k) acts and d_k² is subtracted.
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.architecture import below, layers_to_try, orbit
from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.counts import Degrees, Widths


def _instances(widths: Widths, degrees: Degrees, limit: int) -> Iterator[Instance]:
    if len(widths) < 4:
        return
    for k in layers_to_try(widths):
        yield Instance(-orbit(widths, degrees, k), (below(widths, degrees, k), (widths[k:], degrees[k:])), k)


register(
    Rule(
        name="cut",
        meaning="two parts, less the scalings between them",
        statement=__doc__,
        source="arXiv 1905.12207, arXiv 2605.09609",
        order=30,
        perceptrons=_instances,
        hidden=(2, None),
    )
)
