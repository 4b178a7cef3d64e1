"""Normal forms of weights outside every subnetwork, up to changes that leave the rank of the Jacobian as it is.

Linear changes of inputs and outputs and scalings of hidden neurons act on the weights of a perceptron. Every orbit of
weights without a zero row, a zero column or parallel rows in a hidden layer meets one of finitely many *charts*:
matrices in which each entry is zero, one, or a variable that is not zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations, product

from polygeom._dataclass import dataclass
from polygeom.errors import BudgetError
from polygeom.singularities.ranks import exact_rank

MOST_CHARTS = 5000
ZERO, ONE, FIRST = 0, 1, 2
"""Entries of a chart: zero, one, and variable ``k`` as ``FIRST + k``."""

Row = tuple[int | None, tuple[int, ...]]
"""The place of its pivot, if it is one, and the places of the entries that are not zero."""


@dataclass(frozen=True, slots=True)
class Chart:
    """Weights with variables, none of them zero.

    Attributes
    ----------
    matrices:
        First layer first; entries as `ZERO`, `ONE` and numbers from `FIRST` on.
    variables:
        How many.
    ranks:
        Of the first and the last matrix, the same at all points of the chart.
    alike:
        Pairs of rows of a hidden layer, as (layer from 0, row, row), that have the same zeros, so that they might be
        parallel.
    """

    matrices: tuple[tuple[tuple[int, ...], ...], ...]
    variables: int
    ranks: tuple[int, int]
    alike: tuple[tuple[int, int, int], ...]


def charts(widths: Sequence[int], degrees: Sequence[int]) -> Iterator[Chart]:
    """All charts of a perceptron with at least one hidden layer; none if all of its weights are subnetworks.

    Parameters
    ----------
    widths, degrees:
        ``(d_0, …, d_L)``, and the activation degrees of the hidden layers.

    Raises
    ------
    BudgetError
        If there are more than `MOST_CHARTS`.

    Examples
    --------
    >>> [chart.matrices for chart in charts((2, 2, 1), (2,))]
    [(((1, 0), (0, 1)), ((1, 1),))]
    >>> len(list(charts((2, 2, 2, 2), (2, 2))))
    14
    """
    first = list(_echelon(widths[1], widths[0], apart=True))
    last = list(_echelon(widths[-2], widths[-1], apart=False))
    middle = [list(_supports(widths[k + 1], widths[k])) for k in range(1, len(widths) - 2)]
    count = len(first) * len(last)
    for patterns in middle:
        count *= len(patterns)
    if count > MOST_CHARTS:
        raise BudgetError(f"critical: {count} normal forms, more than {MOST_CHARTS}; take a smaller network")
    for begin, *between, end in product(first, *middle, last):
        yield _normalised(widths, degrees, begin, between, end)


def _echelon(count: int, length: int, *, apart: bool) -> Iterator[list[Row]]:
    """Rows up to linear changes of their space: each a new unit vector, or a combination of those before it."""

    def grow(rows: list[Row], pivots: int) -> Iterator[list[Row]]:
        if len(rows) == count:
            yield rows
            return
        if pivots < length:
            yield from grow([*rows, (pivots, (pivots,))], pivots + 1)
        for size in range(2 if apart else 1, pivots + 1):
            for support in combinations(range(pivots), size):
                yield from grow([*rows, (None, support)], pivots)

    yield from grow([], 0)


def _supports(count: int, length: int) -> Iterator[list[Row]]:
    """Rows without zero rows, zero columns, and parallel rows with one entry each."""
    choices = [s for size in range(1, length + 1) for s in combinations(range(length), size)]
    for supports in product(choices, repeat=count):
        single = [s for s in supports if len(s) == 1]
        if len(set(single)) == len(single) and len({i for s in supports for i in s}) == length:
            yield [(None, s) for s in supports]


def _normalised(
    widths: Sequence[int], degrees: Sequence[int], begin: list[Row], between: list[list[Row]], end: list[Row]
) -> Chart:
    """Scale as many entries to one as independent characters of the torus of scalings allow, pivots first."""
    rows = [begin, *between]
    places = [(k, j, i, p is not None) for k, layer in enumerate(rows) for j, (p, s) in enumerate(layer) for i in s]
    places += [(len(rows), i, j, p is not None) for j, (p, s) in enumerate(end) for i in s]
    places.sort(key=lambda place: not place[3])
    starts = [0]
    for width in widths:
        starts.append(starts[-1] + width)
    matrices = [[[ZERO] * widths[k] for _ in range(widths[k + 1])] for k in range(len(widths) - 1)]
    chosen: list[list[Fraction]] = []
    variables = 0
    for k, j, i, _ in places:
        character = [Fraction(0)] * starts[-1]
        character[starts[k + 1] + j] += 1
        character[starts[k] + i] -= degrees[k - 1] if k > 0 else 1
        if exact_rank([*chosen, character]) > len(chosen):
            chosen.append(character)
            matrices[k][j][i] = ONE
        else:
            matrices[k][j][i] = FIRST + variables
            variables += 1
    alike = tuple(
        (k, one, other)
        for k, layer in enumerate(rows)
        for one, other in combinations(range(len(layer)), 2)
        if layer[one][1] == layer[other][1]
    )
    ranks = (sum(p is not None for p, _ in begin), sum(p is not None for p, _ in end))
    return Chart(tuple(tuple(map(tuple, m)) for m in matrices), variables, ranks, alike)
