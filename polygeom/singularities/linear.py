"""Linear networks: Aoyagi's theorem for any depth, and two layers at any weights, by another route.

References
----------
Aoyagi, Watanabe, "Stochastic complexities of reduced rank regression in Bayesian estimation", Neural Networks 18
(2005). Aoyagi, "Consideration on the learning efficiency of multiple-layered neural networks with linear units",
Neural Networks 172 (2024), Theorem 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from polygeom.errors import PolygeomError
from polygeom.singularities.threshold import Threshold, coordinates

AOYAGI = "Aoyagi (2024), Theorem 1"


def aoyagi(widths: Sequence[int], rank: int) -> Threshold:
    """The threshold of the functions of a linear network at a true matrix of a rank, over all weights that give it.

    It is that of the most singular ones, in which only one path of width ``rank`` is not zero: all others flow into
    such weights by the symmetries of the network.

    Parameters
    ----------
    widths:
        ``(d_0, …, d_L)``, inputs first, ``L ≥ 1``.
    rank:
        From 0 to the least width.

    Raises
    ------
    PolygeomError
        If there is no matrix of that rank.

    Examples
    --------
    >>> str(aoyagi([1, 1, 1], 0)), str(aoyagi([3, 2, 3], 2)), str(aoyagi([1, 1, 1, 1], 0))
    ('1/2 (multiplicity 2)', '4', '1/2 (multiplicity 3)')
    """
    if not 0 <= rank <= min(widths):
        raise PolygeomError(f"rank must be from 0 to {min(widths)}, the least width, got {rank}; write rank=0")
    base = Fraction(rank * (widths[0] + widths[-1] - rank), 2)
    excess = sorted(width - rank for width in widths)
    if excess[0] == 0:
        return Threshold(base)
    chosen = _narrow(excess)
    links, total = len(chosen) - 1, sum(chosen)
    ceiling = -(-total // links)
    a = total - (ceiling - 1) * links
    pairs = Fraction(total**2 - sum(width**2 for width in chosen), 2)
    value = (
        Fraction(a * (links - a), 4 * links)
        - Fraction(links * (links - 1), 4) * Fraction(total, links) ** 2
        + pairs / 2
    )
    return Threshold(base + value, a * (links - a) + 1)


def _narrow(excess: Sequence[int]) -> Sequence[int]:
    """Aoyagi's set of layers: the narrowest ``ℓ + 1``, where ``Σ ≥ ℓ`` times each of them and less for the others."""
    for count in range(2, len(excess) + 1):
        part, links = excess[:count], count - 1
        if sum(part) >= links * part[-1] and all(sum(part) < links * width for width in excess[count:]):
            return part
    raise AssertionError(f"no set of layers for {excess}; please report")


def two_layers(inputs: int, hidden: int, outputs: int) -> Threshold:
    """The threshold of ``B A`` at zero, ``A`` of shape ``(hidden, inputs)``, by arcs: independent of Aoyagi's formula.

    An arc ``A(t)`` has elementary divisors ``t^{a_i}``; such arcs have codimension ``Σ a_i (|h - d| + 2 i - 1)``, and
    ``B A`` is divisible by ``t`` on a linear space of ``B`` of codimension ``c Σ (1 - a_i)``; scaled, ``0 ≤ a_i ≤ 1``.
    The least sum is that of ``min(c, |h - d| + 2 i - 1)``, and twice ``λ`` (Mustață, J. Amer. Math. Soc. 15 (2002)).

    Examples
    --------
    >>> str(two_layers(1, 1, 1)), str(two_layers(2, 2, 2))
    ('1/2 (multiplicity 2)', '3/2')
    """
    costs = [abs(hidden - inputs) + 2 * i - 1 for i in range(1, min(hidden, inputs) + 1)]
    value = sum(min(outputs, cost) for cost in costs)
    return Threshold(Fraction(value, 2), 1 + costs.count(outputs))


def two_layers_at(inputs: int, hidden: int, outputs: int, first: int, second: int, product: int) -> Threshold:
    """The threshold of ``B A`` at weights of ranks ``first``, ``second`` and of a product of rank ``product``.

    Identity blocks are eliminated: ``(c a + b d - a b) / 2`` for what is linear there, and the rest is a product at
    zero of widths ``(d - a, h - a - b + r, c - b)``, with ``a``, ``b`` the ranks of the factors.

    Examples
    --------
    >>> str(two_layers_at(2, 2, 2, 0, 0, 0)), str(two_layers_at(3, 2, 3, 2, 2, 2))
    ('3/2', '4')
    """
    slack = hidden - first - second + product
    if slack < 0 or product > min(first, second) or first > min(inputs, hidden) or second > min(hidden, outputs):
        raise PolygeomError(f"ranks {first}, {second} of factors and {product} of the product do not go together")
    done = coordinates(outputs * first + second * (inputs - first))
    left, right = inputs - first, outputs - second
    return done if not slack or not left or not right else done.sum(two_layers(left, slack, right))
