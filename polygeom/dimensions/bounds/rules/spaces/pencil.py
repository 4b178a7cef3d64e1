"""(4, 8, d_2, …), r_1 = r_2 = 2: dim ≤ 15 + dim(34, d_3, …, d_L).

Eight squares span the quadrics W apolar to a pencil of dual quadrics. In coordinates that make the pencil diagonal, W
is spanned by the x_i x_j, i < j, and a plane of combinations Σ c_i x_i². Some g ≠ 0 in C^4 has Σ g_i c_i c'_i = 0 for
all c, c' in the plane, three equations. So the functional Σ g_i coefficient(x_i^4) vanishes on W·W, which therefore
lies in a hyperplane of the 35 quartics: those apolar to Σ g_i X_i^4. Sums of four fourth powers have dimension 16,
such hyperplanes 15.
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.counts import Degrees, Widths


def _instances(widths: Widths, degrees: Degrees, limit: int) -> Iterator[Instance]:
    if widths[:2] == (4, 8) and degrees[:2] == (2, 2):
        yield Instance(15, (((34, *widths[3:]), degrees[2:]),), 1)


register(
    Rule(
        name="pencil",
        meaning="products of the features miss one quartic",
        statement=__doc__,
        order=42,
        perceptrons=_instances,
        hidden=(2, None),
    )
)
