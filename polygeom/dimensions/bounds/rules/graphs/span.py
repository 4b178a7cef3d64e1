"""A cut at a vector v of m features that lie in a space of M monomials: only the space that they span matters.

``v = B φ(x)`` with the vector φ of the M monomials and an ``m × M`` matrix B; GL(m) acts freely on the pairs (B, g) of
a matrix of rank m and a function of ``above``, which absorbs it as in *graph cut*. So for m < M: dim ≤ m (M - m) +
dim(above). If 1 is among the monomials and ``above`` absorbs shifts, the affine group acts: for m < M - 1, dim ≤ m (M -
1 - m) + dim(above).
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.bounds.graphs import MOST_NODES, below, cuts, monomials_of, outer, size
from polygeom.network import Network


def _instances(network: Network) -> Iterator[Instance]:
    for v in cuts(network) if len(network.nodes) <= MOST_NODES else ():
        known = monomials_of(below(network, v)) if len(network.shapes[v]) == 1 else None
        if known is None:
            continue
        (space, constant), m = known, network.shapes[v][0]
        for shift in (False, True) if constant else (False,):
            wider = outer(network, v, shift)
            if m < space - shift and size(wider) < size(network):
                yield Instance(m * (space - shift - m), (wider,), v)


register(
    Rule(
        name="graph span",
        meaning="only the space spanned by the values matters",
        statement=__doc__,
        order=61,
        networks=_instances,
        costly=True,
    )
)
