"""Powers of linear forms do not tell certain points apart, and neither do polynomials in them.

The values at a cut u are the r-th powers, r ≥ 2, of m linear forms in n variables, the inputs and, with biases, 1,
where n + 2 ≤ m < 2n. As in *identifications*, there are points x ≠ y at which all of these powers agree, and the
polynomials of degree k in them, forms of degree r k in the n variables, satisfy c_k conditions. Let the values at a
later cut v be polynomials in those at u of degrees k in T, with a_k monomials of degree k. For fixed forms they lie in
a space of dimension h = Σ_k min(a_k, M(n, r k) - c_k), and dim ≤ m (n - 1) + dim(above v, read from h inputs): factors
of the forms do not change the span of monomials. ``above`` as in *graph lift*.
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.bounds.identified_points import conditions, possible_conditions
from polygeom.dimensions.bounds.spaces import pairs, powers_of_forms, reads_space
from polygeom.dimensions.counts import monomials
from polygeom.network import Network


def _instances(network: Network) -> Iterator[Instance]:
    for pair in pairs(network):
        if (powers := powers_of_forms(network, pair.first)) is not None:
            n, m, r = powers
            space = sum(_space(n, m, r, k, count) for k, count in pair.degrees.items())
            if space < sum(min(count, monomials(n, r * k)) for k, count in pair.degrees.items()):
                yield from reads_space(network, pair, space, m * (n - 1))


def _space(n: int, m: int, r: int, k: int, count: int) -> int:
    every, most = monomials(n, r * k), possible_conditions(n, m, r, k) if k > 1 else 0
    return min(count, every - conditions(n, m, r, k) if every - most < count else every)


register(
    Rule(
        name="graph identifications",
        meaning="the values do not tell certain points apart",
        statement=__doc__,
        order=68,
        networks=_instances,
        costly=True,
    )
)
