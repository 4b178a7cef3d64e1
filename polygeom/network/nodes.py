"""Networks as plain data: a tuple of nodes. Families and texts make and read it; `Network` stands on top of it."""

from __future__ import annotations

from collections.abc import Sequence

from polygeom._dataclass import dataclass
from polygeom.network.layers import (
    Convolution,
    Convolution2d,
    Dense,
    GroupConvolution,
    Input,
    Layer,
    Polynomial,
    Power,
    Scale,
)


@dataclass(frozen=True, slots=True)
class Node:
    """One layer at work: the layer, the numbers of the nodes it reads, and the node whose weights it shares, if any."""

    layer: Layer
    inputs: tuple[int, ...] = ()
    shares: int | None = None


Nodes = tuple[Node, ...]
"""Nodes in topological order, the `Input` first, the output last."""


def canonical(node: Node) -> Node:
    """The node with a monomial activation written as a power, so that one network has one form."""
    if isinstance(node, Node) and isinstance(node.layer, Polynomial) and (power := node.layer.monomial) is not None:
        return Node(power, node.inputs, node.shares)
    return node


_ABSORBING = (Convolution, Convolution2d, Dense, GroupConvolution, Scale)
"""Layers that are linear in their weights and in what they read: a factor of the one is a factor of the other."""


def unscaled(nodes: Nodes) -> Nodes:
    """The nodes with the leading coefficient 1 in each polynomial activation whose factor free weights can absorb.

    They can where every reader is linear with weights of its own: dividing the activation by c and multiplying those
    weights by c gives the same function, so the networks have the same functions, over every field that c belongs to.
    """
    shared = {node.shares for node in nodes}
    absorbing = [isinstance(n.layer, _ABSORBING) and n.shares is None and k not in shared for k, n in enumerate(nodes)]
    read_by: list[list[int]] = [[] for _ in nodes]
    for number, node in enumerate(nodes):
        for source in node.inputs:
            read_by[source].append(number)
    kept: list[Node] = []
    now: list[int] = []
    for node, readers in zip(nodes, read_by, strict=True):
        layer = node.layer
        if isinstance(layer, Polynomial) and readers and all(absorbing[reader] for reader in readers):
            leading = layer.coefficients[-1]
            layer = canonical(Node(Polynomial(tuple(c / leading for c in layer.coefficients)))).layer
            if layer == Power(1):
                now.append(now[node.inputs[0]])
                continue
        now.append(len(kept))
        kept.append(Node(layer, tuple(now[i] for i in node.inputs), None if node.shares is None else now[node.shares]))
    return tuple(kept)


class Wiring:
    """Put nodes together one by one; `add` returns the number of the new node.

    Parameters
    ----------
    dims:
        Shape of an input point: an integer for vectors, or a tuple.
    """

    def __init__(self, dims: int | Sequence[int]) -> None:
        self._nodes = [Node(Input((dims,) if isinstance(dims, int) else tuple(dims)))]
        self.input = 0

    def add(self, layer: Layer, *inputs: int, shares: int | None = None) -> int:
        """Append ``layer`` reading the nodes ``inputs``; ``shares`` ties its weights to those of an earlier node."""
        self._nodes.append(Node(layer, inputs, shares))
        return len(self._nodes) - 1

    def nodes(self, output: int) -> Nodes:
        """The nodes that node ``output`` needs, renumbered in the order in which it needs them."""
        order = self.order(output)
        ranked = sorted(order, key=order.__getitem__)
        return tuple(
            Node(
                self._nodes[n].layer,
                tuple(order[i] for i in self._nodes[n].inputs),
                None if (owner := self._nodes[n].shares) is None else order[owner],
            )
            for n in ranked
        )

    def order(self, output: int) -> dict[int, int]:
        """New numbers, by old ones, of the nodes that node ``output`` needs."""
        order: dict[int, int] = {0: 0}
        stack: list[tuple[int, bool]] = [(output, False)]
        while stack:
            number, ready = stack.pop()
            if number in order:
                continue
            node = self._nodes[number]
            if ready:
                order[number] = len(order)
                continue
            needs = node.inputs if node.shares is None else (*node.inputs, node.shares)
            stack.append((number, True))
            stack += [(i, False) for i in reversed(needs)]
        return order


def perceptron(nodes: Nodes) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Widths and activation degrees when the nodes are dense layers with monomials, or nothing, between them."""
    if not isinstance(nodes[0].layer, Input) or len(nodes[0].layer.dims) != 1:
        return None
    widths, degrees, activated = [nodes[0].layer.dims[0]], list[int](), True
    for number, node in enumerate(nodes[1:], start=1):
        layer = node.layer
        if node.inputs != (number - 1,) or node.shares is not None:
            return None
        if isinstance(layer, Dense) and layer.pattern is None:
            if not activated:
                degrees.append(1)
            widths.append(layer.width)
            activated = False
        elif isinstance(layer, Power) and not activated:
            degrees.append(layer.degree)
            activated = True
        else:
            return None
    return None if activated else (tuple(widths), tuple(degrees))
