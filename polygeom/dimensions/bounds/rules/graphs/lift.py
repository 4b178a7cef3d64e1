"""A cut at a vector v whose features are linear in M monomials: dim ≤ dim(above, read from M inputs).

``g(B φ(x))`` with the vector φ of the monomials is a function of the network that reads M inputs by full matrices, at
``φ(x)``, and ``h ↦ h ∘ φ`` is linear. ``above`` absorbs matrices as in *graph cut*. If 1 is among the monomials and
``above`` absorbs shifts, M - 1 inputs suffice.
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
        space, constant = known
        for shift in (False, True) if constant and space > 1 else (False,):
            wider = outer(network, v, shift, (space - shift,))
            if size(wider) < size(network):
                yield Instance(0, (wider,), v)


register(
    Rule(
        name="graph lift",
        meaning="the values are linear in few monomials",
        statement=__doc__,
        order=62,
        networks=_instances,
        costly=True,
    )
)
