"""The features of the first layer take the same values at different points, and so does every polynomial in them.

d_0 + 2 ≤ d_1 < 2 d_0: there are points x ≠ y with ℓ_i(x)^{r_1} = ℓ_i(y)^{r_1} for all first-layer forms ℓ_i, and
every polynomial in the features takes the same value at both. This gives c conditions on forms of degree r_1 t, c
counted by a rank mod p (`polygeom.dimensions.bounds.identified_points`). For fixed first layer the pre-activations of
layer j > 1 therefore lie in a space of dimension h = M(d_0, r_1 t) - c, t = r_2 ⋯ r_{j-1}, and dim ≤ d_1 (d_0 - 1) +
dim(h, d_j, …, d_L).
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.bounds.identified_points import conditions, possible_conditions
from polygeom.dimensions.counts import Degrees, Widths, monomials, output_degree
from polygeom.network.limits import capped_monomials


def _instances(widths: Widths, degrees: Degrees, limit: int) -> Iterator[Instance]:
    for j in range(3, len(widths)):
        n, m, r, t = widths[0], widths[1], degrees[0], output_degree(degrees[1 : j - 1])
        most = possible_conditions(n, m, r, t) if 2 <= t < limit else 0
        useful = capped_monomials(m, t, limit)
        if most and monomials(n, r * t) - most < useful:
            space = monomials(n, r * t) - conditions(n, m, r, t)
            if space < useful:
                yield Instance(-m, (((n, m), ()), ((space, *widths[j:]), degrees[j - 1 :])), 1)


register(
    Rule(
        name="identifications",
        meaning="the features of the layer do not tell certain points apart",
        statement=__doc__,
        order=43,
        perceptrons=_instances,
        hidden=(2, None),
        costly=True,
    )
)
