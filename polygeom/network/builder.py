"""Putting a network together node by node."""

from __future__ import annotations

from collections.abc import Sequence

from polygeom.network.graph import Network, Node
from polygeom.network.layers import Input, Layer


class Builder:
    """Put a network together node by node; `add` returns the number of the new node.

    Parameters
    ----------
    dims:
        Shape of an input point: an integer for vectors, or a tuple.

    Examples
    --------
    >>> from polygeom.network import Builder, Dense, Product
    >>> b = Builder(2)
    >>> left, right = b.add(Dense(3), b.input), b.add(Dense(3), b.input)
    >>> b.network(b.add(Dense(1), b.add(Product(), left, right))).degree
    2
    """

    def __init__(self, dims: int | Sequence[int]) -> None:
        self._nodes = [Node(Input((dims,) if isinstance(dims, int) else tuple(dims)))]
        self.input = 0

    def add(self, layer: Layer, *inputs: int, shares: int | None = None) -> int:
        """Append ``layer`` reading the nodes ``inputs``; ``shares`` ties its weights to those of an earlier node."""
        self._nodes.append(Node(layer, inputs, shares))
        return len(self._nodes) - 1

    def network(self, output: int) -> Network:
        """The network that computes node ``output``, nodes renumbered in the order in which the output needs them."""
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
        ranked = sorted(order, key=order.__getitem__)
        return Network(
            tuple(
                Node(
                    self._nodes[n].layer,
                    tuple(order[i] for i in self._nodes[n].inputs),
                    None if (owner := self._nodes[n].shares) is None else order[owner],
                )
                for n in ranked
            )
        )
