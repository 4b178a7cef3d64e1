"""The features of a layer satisfy an equation, and products of them lie in a smaller space.

The features of layer k ≥ 1 (its activations) are forms of degree e = r_{i+1} ⋯ r_k in the features of a layer i < k
(i = 0: the inputs). If d_k = n + 1 with n = d_i, they satisfy an equation of degree δ ≤ e^{n-1}: the image of a
rational map from P^{n-1} to P^n by forms of degree e lies on a hypersurface of at most that degree (Bézout). For
fixed features of layer k the pre-activations of layer j > k therefore lie in a space of dimension h = M(d_k, t) -
M(d_k, t - δ), t = r_{k+1} ⋯ r_{j-1}. So dim ≤ dim(d_0..d_k) - d_k + dim(h, d_j, …, d_L); scaling the pre-activations
of layer k does not change which functions its features reach. For r_k = 1 as in *cut*.
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.architecture import below, layers_to_try, orbit
from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.counts import Degrees, Widths, monomials

_MOST_VARIABLES = 64
"""Beyond it the equation has too large a degree to matter."""


def _instances(widths: Widths, degrees: Degrees, limit: int) -> Iterator[Instance]:
    for k in layers_to_try(widths):
        relation = _relation_degree(widths, degrees, k, limit)
        t = 1
        for j in range(k + 2, len(widths)) if relation < limit else ():
            t *= degrees[j - 2]
            if t >= limit:
                break
            space = monomials(widths[k], t) - monomials(widths[k], t - relation) if t >= relation else limit
            if space < limit:
                parts = (below(widths, degrees, k), ((space, *widths[j:]), degrees[j - 1 :]))
                yield Instance(-orbit(widths, degrees, k), parts, k)


def _relation_degree(widths: Widths, degrees: Degrees, k: int, limit: int) -> int:
    """The degree of an equation between the features of layer k; ``limit`` if the rule gives none below it."""
    n, product = widths[k] - 1, 1
    if 2 <= n <= _MOST_VARIABLES:
        for i in reversed(range(k)):
            product *= degrees[i]
            if product >= limit:
                break
            if widths[i] == n:
                relation: int = product ** (n - 1)
                return min(relation, limit)
    return limit


register(
    Rule(
        name="hypersurface",
        meaning="the features of the layer satisfy an equation",
        statement=__doc__,
        order=40,
        perceptrons=_instances,
        hidden=(2, None),
    )
)
