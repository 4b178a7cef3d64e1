"""(d_0, s, 1; r): the four defective cases of Alexander and Hirschowitz, one less than counted.

See the list in Brambilla, Ottaviani, arXiv math/0701409.
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.counts import Degrees, Widths

DEFECTIVE = {(5, 7, 3): 34, (3, 5, 4): 14, (4, 9, 4): 34, (5, 14, 4): 69}
"""(d_0, d_1, r) → affine dimension of sums of d_1 r-th powers, one less than counted."""


def _instances(widths: Widths, degrees: Degrees, limit: int) -> Iterator[Instance]:
    if len(widths) == 3 and widths[-1] == 1 and (*widths[:2], *degrees) in DEFECTIVE:
        yield Instance(DEFECTIVE[widths[0], widths[1], degrees[0]])


register(
    Rule(
        name="Veronese",
        meaning="Alexander and Hirschowitz: one less than counted",
        statement=__doc__,
        source="J. Algebraic Geom. 4, 1995",
        order=2,
        perceptrons=_instances,
        hidden=(1, 1),
    )
)
