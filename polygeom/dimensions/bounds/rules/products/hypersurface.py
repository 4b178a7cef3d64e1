"""Two cuts u, v: n + 1 values at u, polynomials of degree ≤ e in n earlier values, satisfy an equation of degree ≤ δ.

The earlier values are the inputs or those at another cut. δ = e^n: a generic line meets the closure of the image of
``A^n → A^{n+1}`` in at most e^n points (Bézout); an image of lower dimension lies on a hypersurface of smaller degree.
δ = e^{n-1} and the equation is homogeneous if all values at u are forms of degree e. Multiples of the equation are
polynomials in the values at u that vanish. Let the values at v be polynomials in those at u of degrees k in T, the
largest of which is t, with c_k monomials of degree k. For fixed values at u, functions of the input, they lie in a
space of dimension h:

- h = Σ_k min(c_k, M(n + 1, k) - M(n + 1, k - δ)) if the equation is homogeneous,
- h = min(Σ_k c_k, C(n+1+t, t) - C(n+1+t-δ, t-δ)) otherwise, less 1 in the second place if neither the polynomials have
  a constant term nor the values at u as polynomials in the earlier ones: then the equation has none.

So dim ≤ dim(below u) - dim G + dim(above v, read from h inputs), with ``above`` as in *graph lift* and the group G of
*graph cut* at u: scalings of the values at u do not change the span of monomials in them. GL(n+1) does not change it
if all monomials of the degrees in T are counted, c_k = M(n + 1, k), and the affine group not if T has all degrees up to
t as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import comb

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.bounds.graphs import above, below, cuts, independent, mixes_output, shifts_output
from polygeom.dimensions.bounds.spaces import Cuts, degrees_between, pairs, reads_space
from polygeom.dimensions.counts import monomials
from polygeom.network import Network
from polygeom.symmetry.gauge import torus_rank

_MOST_DEGREE = 60


def _instances(network: Network) -> Iterator[Instance]:
    for pair in pairs(network):
        u, m = pair.first, network.shapes[pair.first][0]
        full = {k: monomials(m, k) for k in pair.degrees}
        space, every = (_space(network, pair._replace(degrees=d)) for d in (pair.degrees, full))
        if space >= sum(pair.degrees.values()):
            continue
        lower, upper = below(network, u), above(network, u)
        torus = torus_rank(lower) + torus_rank(upper) - torus_rank(network)
        yield from reads_space(network, pair, space, torus, (lower,))
        for shift in (False, True):
            if not mixes_output(lower) or (shift and not (shifts_output(lower) and len(full) == max(full) + 1)):
                continue
            if independent(lower, shift):
                yield from reads_space(network, pair, every, -m * (m + shift), (lower,))


def _space(network: Network, pair: Cuts) -> int:
    """The smallest h that the equations between the values at the first cut give."""
    m, t, counts = network.shapes[pair.first][0], max(pair.degrees), pair.degrees
    best, n = sum(counts.values()), m - 1
    for i in (0, *(i for i in cuts(network) if i < pair.first)):
        if network.shapes[i] != (n,) or t > _MOST_DEGREE or n > _MOST_DEGREE:
            continue
        earlier = degrees_between(network, i, pair.first)
        e = max(earlier, default=0)
        if e and len(earlier) == 1:
            relation = e ** (n - 1)
            best = min(best, sum(min(c, monomials(m, k) - _monomials(m, k - relation)) for k, c in counts.items()))
        elif e and e**n <= t:
            none = 0 not in counts and 0 not in earlier
            best = min(best, comb(m + t, t) - comb(m + t - e**n, m) - none)
    return best


def _monomials(variables: int, degree: int) -> int:
    return monomials(variables, degree) if degree >= 0 else 0


register(
    Rule(
        name="graph hypersurface",
        meaning="the values satisfy an equation",
        statement=__doc__,
        order=67,
        networks=_instances,
        costly=True,
    )
)
