"""dim ≤ the number of linearly independent coefficients of the outputs, as polynomials in the weights.

Relations between the coefficients are linear equations of the neurovariety. The coefficients are expanded and the rank
of the matrix of their coefficients is taken over the rationals. For attention on several tokens they are many: heads
``V X Xᵀ A X`` depend on V and A through a tensor that is symmetric in two places.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.bounds.graphs import rank_of
from polygeom.dimensions.ranks.tangent import random_weights
from polygeom.engines.prime_field import PrimeFieldEngine
from polygeom.engines.symbolic import coefficient_map
from polygeom.errors import PolygeomError
from polygeom.modular import P22, PrimeField, rank
from polygeom.network import Network

_MOST_WEIGHTS = 60
_MOST_PRODUCTS = 60_000
"""Products of two terms that the expansion may need: about a second."""


def _instances(network: Network) -> Iterator[Instance]:
    if not 0 < network.parameter_count <= _MOST_WEIGHTS:
        return
    most = network.parameter_count - network.gauge
    try:
        most = min(most, network.ambient_dimension)
        span = _span_of_samples(network, most)
        if span >= most or span < rank_of(network):
            return
        coefficients = list(coefficient_map(network, most_products=_MOST_PRODUCTS).values())
    except PolygeomError:
        return
    yield Instance(_independent(coefficients))


def _span_of_samples(network: Network, most: int) -> int:
    """The dimension of the span of ``most`` random functions of the network, very likely that of all."""
    field, rng = PrimeField(P22), np.random.default_rng(5)
    points = field.random(rng, (most // network.output_dimension + 2, *network.input_shape))
    engine = PrimeFieldEngine(field)
    rows = [
        np.asarray(network.evaluate(engine, random_weights(network, field, rng), points), dtype=float).ravel()
        for _ in range(most + 1)
    ]
    return rank(np.array(rows), field)


def _independent(coefficients: list[object]) -> int:
    """The rank over the rationals of polynomials, those of degree 0 left out, which no weight changes."""
    import flint

    columns: dict[tuple[int, ...], int] = {}
    rows: list[dict[int, Fraction]] = []
    for polynomial in coefficients:
        terms = {e: Fraction(int(c.numerator), int(c.denominator)) for e, c in polynomial.items()}  # type: ignore[attr-defined]
        rows.append({columns.setdefault(e, len(columns)): c for e, c in terms.items() if any(e)})
    matrix = flint.fmpz_mat(len(rows), max(1, len(columns)))
    for i, row in enumerate(rows):
        scale = math.lcm(*(c.denominator for c in row.values())) if row else 1
        for j, c in row.items():
            matrix[i, j] = int(c * scale)
    return int(matrix.rank())


register(
    Rule(
        name="linear span",
        meaning="the coefficients satisfy linear equations",
        statement=__doc__,
        order=58,
        networks=_instances,
        costly=True,
    )
)
