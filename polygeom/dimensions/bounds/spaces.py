"""Two cuts of a network, one behind the other: the values at the second are polynomials in those at the first.

For fixed values at the first cut, functions of the input, those at the second lie in a space. Where its dimension is
at most h, whatever stands between the cuts, the functions of the network are ``g(B ψ)`` with a basis ψ of the space, a
matrix B, and a function g of the network *above* the second cut: a linear image of the functions of a network that
reads h inputs, if it absorbs matrices (`polygeom.dimensions.bounds.graphs.outer`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

from polygeom.dimensions.bounds.bound import Case, Instance
from polygeom.dimensions.bounds.graphs import MOST_NODES, ancestors, cuts, outer, region, size
from polygeom.network import Bias, Dense, Network, Power
from polygeom.network.ambient.monomials import monomial_space


class Cuts(NamedTuple):
    """The nodes of the two cuts, and how many monomials of each degree the values at the second have together."""

    first: int
    second: int
    degrees: dict[int, int]


class Powers(NamedTuple):
    """The values at a cut, where they are powers of linear forms: variables, forms, exponent.

    A bias makes forms in one more variable, which is 1.
    """

    variables: int
    forms: int
    exponent: int


def pairs(network: Network) -> Iterator[Cuts]:
    """All pairs of cuts at vectors between which the monomials can be followed."""
    known = [v for v in cuts(network) if len(network.shapes[v]) == 1] if len(network.nodes) <= MOST_NODES else []
    for first, second in combinations(known, 2):
        found = degrees_between(network, first, second)
        if found:
            yield Cuts(first, second, found)


@lru_cache(maxsize=4096)
def degrees_between(network: Network, first: int, second: int) -> dict[int, int]:
    """How many monomials of each degree in the values of one node, a cut or the input, the values of another have."""
    members = sorted(ancestors(network, second) - ancestors(network, first))
    space = monomial_space(region(network, members, first))
    if space is None:
        return {}
    every = {monomial for k in range(len(space.spans)) for monomial in space.monomials(k)}
    return dict(Counter(map(sum, every)))


def powers_of_forms(network: Network, v: int) -> Powers | None:
    """Which powers the values at a cut are, if all that stands before is one matrix, with a bias or without.

    A matrix with zeros makes some of the functions of a full one.
    """
    layers = [network.nodes[n].layer for n in sorted(ancestors(network, v) - {0})]
    match layers:
        case [Dense(width=m), Power(degree=r)] | [Dense(width=m), Bias(), Power(degree=r)]:
            return Powers(network.input_dimension + len(layers) - 2, m, r) if len(network.input_shape) == 1 else None
    return None


def reads_space(
    network: Network, cuts: Cuts, space: int, constant: int, parts: tuple[Case | Network, ...] = ()
) -> Iterator[Instance]:
    """dim ≤ constant + Σ dim(part) + dim(above the second cut, from ``space`` inputs, one less where 1 is in it)."""
    for shift in (False, True) if 0 in cuts.degrees and space > 1 else (False,):
        wider = outer(network, cuts.second, shift, (space - shift,))
        if size(wider) < size(network):
            yield Instance(constant, (*parts, wider), cuts.first)
