"""Squares of eight linear forms in four variables, and quadratic polynomials in them: one quartic is missed.

The values at a cut u are the squares of 8 linear forms in 4 variables, the inputs and, with biases, 1. As in *pencil*
all products of two of them lie in a hyperplane of the 35 quartics, that belongs to a family of dimension 15. The
values at a later cut v are polynomials in those at u of degrees k in T, 2 among them, with a_k monomials of degree k.
They lie in a space of dimension h = Σ_k h_k with h_2 = 34 and h_k = M(4, 2k) else, and dim ≤ 15 + dim(above v, read
from h inputs), ``above`` as in *graph lift*.
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.bounds.spaces import Powers, pairs, powers_of_forms, reads_space
from polygeom.dimensions.counts import monomials
from polygeom.network import Network


def _instances(network: Network) -> Iterator[Instance]:
    for pair in pairs(network):
        if 2 in pair.degrees and powers_of_forms(network, pair.first) == Powers(4, 8, 2):
            yield from reads_space(network, pair, sum(monomials(4, 2 * k) for k in pair.degrees) - 1, 15)


register(
    Rule(
        name="graph pencil",
        meaning="products of the values miss one quartic",
        statement=__doc__,
        order=69,
        networks=_instances,
        costly=True,
    )
)
