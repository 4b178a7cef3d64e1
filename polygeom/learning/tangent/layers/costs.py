"""What the ways to the inner products of derivatives by one weight cost, by counted operations.

A weight ``(G, m, k)`` that acts as a matrix at ``T`` positions has at point ``n``, for output ``c``, the derivative
``Σ_t b_nc[:, t] ⊗ a_n[:, t]`` (group by group). For a pair of blocks of ``N`` and ``N'`` points with ``C`` outputs its
part of the tangent kernel is had in four ways (Novak, Sohl-Dickstein, Schoenholz, arXiv 2206.08720), here with the
multiplications of all groups together (a flop count is twice as large) and the numbers that are written and read again:

============ ============================================================== ==========================================
way          what is formed                                                 multiplications
============ ============================================================== ==========================================
contraction  both derivatives, then their inner products                    ``(N + N') C G T k m + N N' C² G k m``
grams        the Gram matrices of ``a`` and of ``b``, and their product     ``N N' G T T' (k + C² m + C²)``
             entry by entry
products     the Gram matrix of ``a`` applied to ``b``, then the inner      ``N N' G (T T' (k + C m) + C² T m)``
             product with ``b``
vectors      the derivatives at ``N'``, applied to ``a``, then the inner    ``N' C G T' k m + N N' C G T (k + C) m``
             product with ``b``
============ ============================================================== ==========================================

The last two are products of the kernel of this layer with vectors. With the diagonal or the trace alone ``C²`` is
``C``. ``contraction`` takes the derivatives once for each block, so that it is counted once for all pairs of a block.
Beside operands and result, ``products`` holds ``N C G T m + N G T T'`` numbers and ``vectors`` ``N C G T m`` for one of
the ``N'`` points after the other, ``grams`` ``N N' G T T' (1 + C²)`` and ``contraction`` ``(N + N') C G k m``.
"""

from __future__ import annotations

from collections.abc import Sequence

from polygeom._dataclass import dataclass

NUMBER = 16
"""Multiplications of a matrix product in the time in which one number is written to memory and read again."""
CALL = 2**16
"""And in the time that the call of a function takes."""


@dataclass(frozen=True)
class Sizes:
    """Of one action of a weight as a matrix: ``G`` groups, ``m`` rows, ``k`` columns, ``T`` positions."""

    groups: int
    rows: int
    columns: int
    positions: int


def contraction_cost(sizes: Sequence[Sizes], size: int, points: int, others: int, outputs: int, full: bool) -> int:
    """What ``contraction`` costs for a weight of so many entries, with all derivatives of both sides."""
    both = outputs * (outputs if full else 1)
    formed = sum(s.groups * s.positions * s.rows * s.columns for s in sizes)
    numbers = (points + others) * outputs * size
    return (points + others) * outputs * formed + points * others * both * size + NUMBER * numbers


def pair_costs(u: Sizes, v: Sizes, points: int, others: int, outputs: int, full: bool) -> dict[str, int]:
    """What the three other ways cost for two actions ``u``, ``v`` of one weight."""
    pairs, square = points * others * u.groups, u.positions * v.positions
    both = outputs * (outputs if full else 1)
    own = outputs * u.positions * u.rows
    return {
        "grams": pairs * square * (u.columns + both * (u.rows + 1) + NUMBER * (1 + both)),
        "products": pairs * (square * (u.columns + outputs * u.rows) + both * u.positions * u.rows)
        + NUMBER * pairs * (square + own),
        "vectors": others * outputs * v.groups * v.positions * v.columns * v.rows
        + pairs * u.positions * u.rows * (outputs * u.columns + both)
        + NUMBER * pairs * own,
    }


def cheapest(u: Sizes, v: Sizes, points: int, others: int, outputs: int, full: bool) -> tuple[str, int]:
    """The cheapest of the three ways that do not form all derivatives, and its cost.

    Examples
    --------
    >>> late = Sizes(1, 512, 4608, 16)
    >>> cheapest(late, late, 8, 8, 10, True)[0]
    'products'
    """
    counted = pair_costs(u, v, points, others, outputs, full)
    way = min(counted, key=counted.__getitem__)
    return way, counted[way]


def pieces_cost(sizes: Sequence[Sizes], points: int, others: int, outputs: int, full: bool) -> int:
    """Of all pairs of actions of one weight, each in its cheapest way."""
    return sum(cheapest(u, v, points, others, outputs, full)[1] for u in sizes for v in sizes)


def pull_costs(rows: int, channels: int, window: int, positions: int, images: int) -> dict[str, int]:
    """What derivatives by the input of a convolution cost: a product of matrices for each image, or one for all.

    Parameters
    ----------
    rows, channels, window, positions, images:
        Channels that come out and that go in, entries of a window in each, positions, and derivatives that are pulled
        back, ``B``.

    Returns
    -------
    ``"apart"``, where the weight is read ``B`` times, and ``"together"``, where windows are written and read once more.
    """
    columns = channels * window
    multiplications, windows = images * rows * columns * positions, images * columns * positions
    return {
        "apart": multiplications + NUMBER * (images * rows * columns + 2 * windows),
        "together": multiplications + NUMBER * (rows * columns + 4 * windows) + CALL * window,
    }


def gather_cost(rows: int, channels: int, window: tuple[int, int], size: int, points: int, outputs: int) -> int:
    """What derivatives by the input of a convolution without strides cost, had from `size` places for each image.

    A copy for each column of the window is written and read, and a sum for each of its rows, point after point
    (`polygeom.learning.tangent.layers.convolutions.gathered`).
    """
    down, right = window
    moved = points * outputs * size * (right * rows + down * channels) + rows * channels * down * right
    multiplications = points * outputs * rows * channels * down * right * size
    return multiplications + NUMBER * moved + 2 * CALL * points * (down + right + 6)


__all__ = [
    "CALL",
    "NUMBER",
    "Sizes",
    "cheapest",
    "contraction_cost",
    "gather_cost",
    "pair_costs",
    "pieces_cost",
    "pull_costs",
]
