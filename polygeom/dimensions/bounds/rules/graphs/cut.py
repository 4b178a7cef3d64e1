"""Cut the network at a value v that every path meets: dim ≤ dim(below) + dim(above) - dim(G).

``below`` computes v, ``above`` reads it, and they share no weights. A group G acts on the pairs (f, g) by ``(h f, g
h⁻¹)`` and leaves ``g ∘ f`` unchanged, so that generic fibres have the dimension of its orbits. G is the largest of
these:

- the torus of scalings of the features of v that come from scalings of all weights of the network; its dimension is
  that of the torus of the network less those of the tori of below and above. A scaling that leaves a generic f alone
  is trivial.
- GL(m), m the number of features, if every matrix on them is absorbed below: they are made by full matrices, sums and
  biases. Above it is absorbed if full matrices read v; otherwise a matrix ``m × m`` is put in front of ``above``, which
  only makes more functions. If the m features are linearly independent, which is checked at weights and points modulo a
  prime, ``h f = f`` only for ``h = 1``.
- the affine group, of dimension m² + m, if v ends with a bias, biases stand behind the matrices that read it, or one is
  put in front, and 1 is independent of the features, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.bounds.graphs import (
    MOST_NODES,
    above,
    below,
    cuts,
    independent,
    mixes_output,
    outer,
    shifts_output,
    size,
)
from polygeom.network import Network
from polygeom.symmetry.gauge import torus_rank


def _instances(network: Network) -> Iterator[Instance]:
    if len(network.nodes) > MOST_NODES:
        return
    for v in cuts(network):
        lower, upper = below(network, v), above(network, v)
        yield Instance(torus_rank(lower) + torus_rank(upper) - torus_rank(network), (lower, upper), v)
        m = network.shapes[v][-1]
        for shift in (False, True):
            if not mixes_output(lower) or (shift and not shifts_output(lower)):
                continue
            wider = outer(network, v, shift)
            if size(wider) < size(network) and independent(lower, shift):
                yield Instance(-m * (m + shift), (lower, wider), v)


register(
    Rule(
        name="graph cut",
        meaning="two parts, less what mixes the values between them",
        statement=__doc__,
        order=60,
        networks=_instances,
        costly=True,
    )
)
