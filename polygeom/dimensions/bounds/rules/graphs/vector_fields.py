"""dim ≤ P - the rank at a point of polynomial vector fields v on the weights with dF(w) v(w) = 0 for all w.

They are tangent to the fibres of weights ↦ function at every point, and their rank is largest at a generic one. That
``Σ_k v_k ∂F/∂w_k`` is zero is proved by expansion. This finds the reason of a defect where nobody has thought of one:
the fields are searched for, not listed (`polygeom.dimensions.bounds.fields`).
"""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.bounds.fields import fields
from polygeom.dimensions.bounds.graphs import rank_of
from polygeom.network import Network


def _instances(network: Network) -> Iterator[Instance]:
    found = fields(network, rank_of(network))
    if found:
        yield Instance(network.parameter_count - len(found), (), 0, found)


register(
    Rule(
        name="vector fields",
        meaning="polynomial motions of the weights that change no function",
        statement=__doc__,
        order=70,
        networks=_instances,
        costly=True,
        last=True,
    )
)
