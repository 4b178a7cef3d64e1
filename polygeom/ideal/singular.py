"""Where a neurovariety is singular: at the functions of which subnetworks.

A subnetwork has fewer hidden neurons. Its functions are functions of the network, and often singular points of the
neurovariety, which bends there. Whether they are is a rank: that of the equations' Jacobian at a generic function of
the subnetwork, which is the codimension of the neurovariety exactly at smooth points.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.dimensions import dimension
from polygeom.errors import PolygeomError
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.ideal.inclusion import integer_point
from polygeom.ideal.workspace import Workspace
from polygeom.modular import P22, rank
from polygeom.network import Network, mlp

if TYPE_CHECKING:
    from sympy.polys.rings import PolyElement

MOST_SUBNETWORKS = 500
_TRIALS = 3


@dataclass(frozen=True, slots=True)
class Stratum:
    """The functions of one subnetwork, seen as points of the neurovariety.

    Attributes
    ----------
    network:
        Text of the subnetwork.
    dimension:
        Of its own neurovariety.
    tangent_dimension:
        Of the space that the equations' differentials leave, at a generic function of the subnetwork.
    singular:
        Whether that is more than the dimension of the network's neurovariety. None if the equations are not known to be
        complete, so that more of them could leave less.
    proved:
        For False, smoothness is proved: ranks mod p are lower bounds. For True, several random integer weights agree.
    """

    network: str
    dimension: int
    tangent_dimension: int
    singular: bool | None
    proved: bool


def singular_subnetworks(
    network: Network | Workspace | str, *, timeout: float | None = None, rng: int = 0
) -> tuple[Stratum, ...]:
    """The subnetworks with fewer hidden neurons, and whether their functions are singular points.

    The dimension of the singular locus is at least the largest ``dimension`` of a singular stratum.

    Parameters
    ----------
    network:
        A multilayer perceptron with monomial activations, its text, or its neurovariety.
    timeout:
        Seconds for the search for equations; 60 if None.
    rng:
        Seed of all random choices; a neurovariety has its own.

    Returns
    -------
    One `Stratum` for every choice of widths, by falling dimension.

    Raises
    ------
    PolygeomError
        For another kind of network, or one with more than `MOST_SUBNETWORKS` subnetworks.

    Examples
    --------
    >>> [(s.network, s.dimension, s.singular) for s in singular_subnetworks("[3,2,1] r=2")]
    [('[3,1,1] r=2', 3, True)]
    """
    variety = network if isinstance(network, Workspace) else Workspace(network, rng=rng)
    network = variety.network
    if network.widths is None or network.activation_degrees is None:
        raise PolygeomError("network must be a perceptron with monomial activations; write for example [3,2,1] r=2")
    smaller = [
        widths
        for hidden in itertools.product(*(range(1, d + 1) for d in network.widths[1:-1]))
        if (widths := (network.input_dimension, *hidden, network.output_dimension)) != network.widths
    ]
    if len(smaller) > MOST_SUBNETWORKS:
        raise PolygeomError(f"network has {len(smaller)} subnetworks, at most {MOST_SUBNETWORKS} are looked at")
    result = variety.search(timeout=timeout).result
    equations = [g.polynomial for g in result.generators if g.proved_member]
    whole = variety.dimension
    generator = np.random.default_rng(variety.rng)
    strata = []
    for widths in smaller:
        part = mlp(widths, network.activation_degrees)
        tangent = min(_tangent_dimension(equations, part, generator) for _ in range(_TRIALS))
        smooth = tangent == whole
        singular = False if smooth else True if result.complete else None
        strata.append(Stratum(part.text, dimension(part, rng=variety.rng).dimension, tangent, singular, smooth))
    return tuple(sorted(strata, key=lambda s: (-s.dimension, s.network)))


def _tangent_dimension(equations: Sequence[PolyElement], part: Network, rng: np.random.Generator) -> int:
    """Number of coordinates less the rank mod p of the equations' Jacobian at a random function of the subnetwork."""
    coordinates = Coordinates(part)
    point = [Fraction(c) for c in integer_point(coordinates, rng, 50)]
    size = len(point)
    rows = [[_value(f.diff(i), point) for i in range(size)] for f in equations]
    return size - (rank(np.array(rows, dtype=object), P22) if rows else 0)


def _value(polynomial: PolyElement, point: Sequence[Fraction]) -> int:
    """The value at a point, mod p."""
    residues = [int(c) % P22 for c in point]
    total = 0
    for exponents, c in polynomial.items():
        term = int(c.numerator) * pow(int(c.denominator), -1, P22)
        for x, e in zip(residues, exponents, strict=True):
            if e:
                term = term * pow(x, e, P22) % P22
        total += term
    return total % P22
