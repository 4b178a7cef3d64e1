"""A hidden layer with r_l = 1 that is not narrower than a neighbour can be removed (equality)."""

from __future__ import annotations

from collections.abc import Iterator

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.dimensions.counts import Degrees, Widths, without_idle_layers


def _instances(widths: Widths, degrees: Degrees, limit: int) -> Iterator[Instance]:
    shorter = without_idle_layers(widths, degrees)
    if shorter[0] != widths:
        yield Instance(0, (shorter,))


register(
    Rule(
        name="idle layer",
        meaning="a linear layer that restricts nothing",
        statement=__doc__,
        order=10,
        perceptrons=_instances,
        hidden=(1, None),
        equality=True,
    )
)
