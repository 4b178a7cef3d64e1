"""How many weights give the same generic function, up to scalings and permutations of neurons: what is a theorem.

One hidden layer and one output is the decomposition of a form into powers of linear forms, whose number is known below
the generic rank; more outputs or layers follow from Kruskal's theorem on tensors where widths do not grow too fast.

References
----------
Chiantini, Ottaviani, Vannieuwenhoven, "On generic identifiability of symmetric tensors of subgeneric rank", Trans.
Amer. Math. Soc. 369 (2017): Theorem 1.1. Galuppi, Mella, "Identifiability of homogeneous polynomials and Cremona
transformations", J. reine angew. Math. 757 (2019): Theorem 1. Kruskal, Linear Algebra Appl. 18 (1977). Usevich, Borsoi,
Dérand, Clausel, arXiv 2506.17093: Proposition 12 and Theorem 11.
"""

from __future__ import annotations

import math

from polygeom._dataclass import dataclass
from polygeom.dimensions.bounds.rules.closed.veronese import DEFECTIVE
from polygeom.dimensions.counts import Widths
from polygeom.network import Network

TWO = {(3, 9, 6), (4, 8, 4), (6, 9, 3)}
"""Inputs, neurons, degree: below the generic rank, and yet two decompositions."""
PERFECT = {(4, 5, 3), (3, 7, 5)}
"""As many weights as coefficients, and one decomposition; besides ``2 s - 1`` in two variables."""


@dataclass(frozen=True, slots=True)
class KnownFibre:
    """A number of weights with the theorem it rests on; ``value`` None where only ``lower`` is known."""

    value: int | None
    lower: int
    reason: str


def known_fibre(network: Network) -> KnownFibre | None:
    """The number of weights over a generic function, where a theorem gives it.

    For perceptrons with monomial activations, up to scalings and permutations of the neurons of each layer. None where
    no theorem is known here, or where there are infinitely many.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> known_fibre(parse("[4,8,1] r=4")).value, known_fibre(parse("[4,3,2] r=2")).value
    (2, 1)
    """
    widths, degrees = network.widths, network.activation_degrees
    if widths is None or degrees is None:
        return None
    if not degrees:
        return KnownFibre(1, 1, "a linear map is its matrix")
    if min(degrees) < 2:
        return None
    if set(widths[1:-1]) == {1}:
        return KnownFibre(1, 1, "a power of one linear form determines the form up to roots of unity")
    if len(widths) == 3 and widths[2] == 1:
        return _waring(widths[0], widths[1], degrees[0])
    if min(widths[:-1]) >= 2 and all(_unique(widths, layer, r) for layer, r in enumerate(degrees, start=1)):
        return KnownFibre(1, 1, "Kruskal's theorem for every pair of layers, arXiv 2506.17093 Theorem 11")
    return None


def _waring(n: int, s: int, r: int) -> KnownFibre | None:
    if n < 2 or r < 3 or (n, s, r) in DEFECTIVE:
        return None
    ambient = math.comb(n + r - 1, r)
    if s * n < ambient:
        value = 2 if (n, s, r) in TWO else 1
        return KnownFibre(value, value, "powers of linear forms below the generic rank (Chiantini, Ottaviani, "
                                        "Vannieuwenhoven)")  # fmt: skip
    if s * n > ambient:
        return None
    if (n == 2 and r == 2 * s - 1) or (n, s, r) in PERFECT:
        source = "Sylvester" if n == 2 else "Hilbert, Richmond, Palatini"
        return KnownFibre(1, 1, f"as many weights as coefficients, one sum of powers ({source})")
    return KnownFibre(None, 2, "as many weights as coefficients, more than one sum of powers (Galuppi, Mella)")


def _unique(widths: Widths, layer: int, r: int) -> bool:
    """Proposition 12: ``(n, d, m)`` with ``n`` the narrowest width so far and ``r (min(n,d) - 1) ≥ 2d - min(d,m)``."""
    n, d, m = min(widths[:layer]), widths[layer], widths[layer + 1]
    return r * (min(n, d) - 1) >= 2 * d - min(d, m)
