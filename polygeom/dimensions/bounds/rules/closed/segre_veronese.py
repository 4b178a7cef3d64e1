"""(d_0, s, d_2; r): one less than the count for (3, 5, 2; 3), (4, 6, 5; 2) and (2k+2, 3k+2, 3; 2).

The first is of London (1890), the others of Ottaviani; see Abo, Brambilla, arXiv 0912.4342.
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.counts import Degrees, Widths, monomials


def _instances(widths: Widths, degrees: Degrees, limit: int) -> Iterator[Instance]:
    if len(widths) != 3:
        return
    (n, s, m), (r,) = widths, degrees
    ottaviani = r == 2 and m == 3 and n >= 4 and n % 2 == 0 and s == 3 * (n // 2 - 1) + 2
    if ottaviani or (n, s, m, r) in {(3, 5, 2, 3), (4, 6, 5, 2)}:
        yield Instance(min(m * monomials(n, r), s * (n + m - 1)) - 1)


register(
    Rule(
        name="Segre–Veronese",
        meaning="Ottaviani, London, Abo and Brambilla: one less than counted",
        statement=__doc__,
        source="arXiv 0912.4342",
        order=2,
        perceptrons=_instances,
        hidden=(1, 1),
    )
)
