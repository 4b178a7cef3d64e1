"""Integers that an architecture determines without any arithmetic mod p: parameters, ambient and expected dimension.

Throughout the room a multilayer perceptron is its widths ``(d_0, …, d_L)`` and activation degrees ``(r_1, …,
r_{L-1})``; the last layer is linear and there are no biases. Dimensions are affine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from polygeom.network.limits import capped_monomials

Widths = tuple[int, ...]
Degrees = tuple[int, ...]


def output_degree(degrees: Sequence[int]) -> int:
    """``D = r_1 ⋯ r_{L-1}``, the degree of the outputs."""
    return math.prod(degrees)


def monomials(variables: int, degree: int) -> int:
    """Number of monomials of one degree: ``C(variables + degree - 1, degree)``."""
    return math.comb(variables + degree - 1, degree)


def ambient_dimension(widths: Sequence[int], degrees: Sequence[int]) -> int:
    """``d_L · C(d_0 + D - 1, D)``: all coefficients of the outputs."""
    return widths[-1] * monomials(widths[0], output_degree(degrees))


def parameter_count(widths: Sequence[int]) -> int:
    """``Σ d_{l-1} d_l``."""
    return sum(a * b for a, b in pairwise(widths))


def expected_dimension(widths: Sequence[int], degrees: Sequence[int]) -> int:
    """``min(ambient, parameters - Σ hidden widths)``, as in arXiv 1905.12207; not meant for degree-1 activations.

    >>> expected_dimension((3, 3, 3), (2,)), expected_dimension((5, 5, 5, 1), (2, 2))
    (15, 45)
    """
    return min(ambient_dimension(widths, degrees), parameter_count(widths) - sum(widths[1:-1]))


def without_idle_layers(widths: Widths, degrees: Degrees) -> tuple[Widths, Degrees]:
    """The same variety without linear layers that restrict nothing.

    A hidden layer with activation degree 1 makes its two matrices act as one of rank at most its width. If the width
    is at least one of its neighbours' widths, every matrix is such a product, and the layer can be removed.

    >>> without_idle_layers((3, 4, 2, 1), (1, 2))
    ((3, 2, 1), (2,))
    """
    w, rs, k = list(widths), list(degrees), 1
    while k <= len(rs):
        if rs[k - 1] == 1 and w[k] >= min(w[k - 1], w[k + 1]):
            del w[k], rs[k - 1]
            k = max(1, k - 1)  # the layer below has another neighbour now
        else:
            k += 1
    return tuple(w), tuple(rs)


def saturated_widths(inputs: int, degrees: Sequence[int]) -> Widths:
    """For each hidden layer the width beyond which further neurons add nothing, whatever the other widths are.

    The features of layer ``k`` are forms of degree ``e = r_1 ⋯ r_k``, so ``C(d_0 + e - 1, e)`` of them span everything.

    >>> saturated_widths(2, (2, 2, 2))
    (3, 5, 9)
    """
    return tuple(monomials(inputs, output_degree(degrees[: k + 1])) for k in range(len(degrees)))


def without_surplus(widths: Widths, degrees: Degrees) -> Widths:
    """The widths of a network with the same functions and no more neurons in a layer than its features can span.

    Pre-activations of layer ``k`` lie in the span of the ``d_{k-1}`` features below, so their ``r_k``-th powers span at
    most ``c = min(M(d_{k-1}, r_k), M(d_0, r_1 ⋯ r_k))`` dimensions, ``M(n, e) = C(n+e-1, e)``. If ``d_k > c``, some
    ``c`` neurons have features with the same span as all of them, and what follows is linear in them: the others can
    be removed.

    >>> without_surplus((2, 3, 9, 2), (2, 2))
    (2, 3, 5, 2)
    """
    kept = [widths[0]]
    for k, r in enumerate(degrees, start=1):
        width = capped_monomials(kept[-1], r, widths[k])
        kept.append(capped_monomials(widths[0], output_degree(degrees[:k]), width))
    return (*kept, widths[-1])
