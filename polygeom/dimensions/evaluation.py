"""How many conditions generic points impose on the functions of a network, and what this says about its samples.

Let ``V`` be the neurovariety of a network with ``c`` outputs, and ``h(n)`` the rank of the derivative of weights ↦
outputs at ``n`` generic points, for generic weights. All of the following is proved in *Algebra meets learning*:

- ``h(n) ≤ min(n c, dim V)``, ``h`` is concave, and ``h(n + 1) > h(n)`` until ``h(n) = dim V``; for one output
  ``h(n) = min(n, dim V)``.
- *Capacity*, the largest ``n`` with ``h(n) = n c``: up to it interpolable targets contain an open set, beyond
  it they are a set of measure zero.
- *Determining number*, the least ``n`` with ``h(n) = dim V``: from it on, the samples of a generic function of the
  network belong to finitely many functions of the network; one sample more, and they belong to that function alone.
  Below, to infinitely many.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.dimensions.compute import dimension
from polygeom.dimensions.ranks.tangent import activation_degrees, jacobian, random_weights
from polygeom.dimensions.ranks.witness import field_for, generator
from polygeom.errors import PolygeomError
from polygeom.modular import pivot_columns
from polygeom.network import Network
from polygeom.network.builder import as_network


@dataclass(frozen=True)
class EvaluationRanks:
    """The ranks ``h(0), h(1), …`` of the evaluation of a network at generic points.

    Attributes
    ----------
    network:
        Canonical text.
    ranks:
        ``ranks[n]`` is the rank at ``n`` points, as far as they were computed. Each is a proved lower bound of
        ``h(n)``: an exact rank mod ``prime`` at integer weights and points; the number itself is probable.
    outputs:
        ``c``.
    dimension, proved:
        The dimension of the neurovariety and whether it is proved.
    prime, seed:
        With which the ranks were computed.
    """

    network: str
    ranks: tuple[int, ...]
    outputs: int
    dimension: int
    proved: bool
    prime: int
    seed: int

    @cached_property
    def capacity(self) -> int:
        """The largest number of points at which generic targets can be interpolated over the complex numbers.

        At most ``dimension // outputs``, with equality for one output.
        """
        return max(n for n, rank in enumerate(self.ranks) if rank == n * self.outputs)

    @cached_property
    def determining(self) -> int:
        """The least number of points at which the outputs of a generic function belong to finitely many functions.

        At least ``dimension / outputs``, with equality for one output.

        Raises
        ------
        PolygeomError
            When the ranks were computed for too few points to see it.
        """
        if self.ranks[-1] < self.dimension:
            raise PolygeomError(f"determining: {len(self.ranks) - 1} points are too few; leave out points")
        return self.ranks.index(self.dimension)


def evaluation_ranks(network: Network | str, *, points: int | None = None, rng: int = 0) -> EvaluationRanks:
    """The ranks of the evaluation of ``network`` at ``0, 1, 2, …`` generic points, exact mod a prime.

    Parameters
    ----------
    network:
        A `Network` or its text.
    points:
        The largest number of points; until the rank is the dimension if None.
    rng:
        Seed of weights and points.

    Raises
    ------
    PolygeomError
        When ``points`` is negative.

    Examples
    --------
    >>> found = evaluation_ranks("[2,2,3] r=2")
    >>> found.ranks, found.capacity, found.determining
    ((0, 3, 6, 8), 2, 3)
    """
    network = as_network(network)
    if points is not None and points < 0:
        raise PolygeomError(f"points must be at least 0, got {points}; leave it out for as many as needed")
    exact = dimension(network, rng=rng)
    count = _enough(network, exact.dimension) if points is None else points
    source = generator(rng, 0)
    field = field_for(source, 0, activation_degrees(network))
    weights = random_weights(network, field, source)
    x = field.random(source, (max(count, 1), *network.input_shape))
    outputs = network.output_dimension
    rows = jacobian(network, field, weights, x).reshape(-1, network.parameter_count)[: count * outputs]
    independent = np.zeros(count * outputs + 1, dtype=int)
    pivots = pivot_columns(rows.T, field) if rows.size else ()
    independent[np.asarray(pivots, dtype=int) + 1] = 1
    ranks = independent.cumsum()[::outputs].tolist()
    if points is None and exact.dimension in ranks:
        ranks = ranks[: ranks.index(exact.dimension) + 1]
    return EvaluationRanks(network.text, tuple(ranks), outputs, exact.dimension, exact.proved, field.p, rng)


def _enough(network: Network, size: int) -> int:
    """Every generic point raises the rank, and monomials are separated by as many points as there are."""
    try:
        return min(size, max(map(network.ambient.degrees.count, {span.every for span in network.ambient.spans})))
    except PolygeomError:
        return size


__all__ = ["EvaluationRanks", "evaluation_ranks"]
