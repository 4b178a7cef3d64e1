"""Values of a network that linear maps may mix, and biases that may be shifted: who makes them and who reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from polygeom.network.graph import Network
from polygeom.network.layers import Bias, Dense

if TYPE_CHECKING:
    import numpy as np


def mixings(network: Network) -> Iterator[tuple[int, list[np.ndarray], list[np.ndarray]]]:
    """Values on which GL(m), m > 1, acts: m, the numbers of the weights before, ``(m, …)``, and after, ``(…, m)``."""
    group, read_by = linear_groups(network), readers(network)
    weights = FreeWeights(network)
    members: dict[int, list[int]] = {}
    for number, root in enumerate(group):
        members.setdefault(root, []).append(number)
    for root, numbers in members.items():
        m = network.shapes[root][-1]
        if m == 1 or root in (group[0], group[-1]):
            continue
        outside = dict.fromkeys(
            n for number in numbers for n in read_by[number] if not network.nodes[n].layer.mixes_through
        )
        made, read = [weights.before(n) for n in numbers], [weights.after(n) for n in outside]
        if None not in made and None not in read:
            yield m, [w for ws in made for w in ws or ()], [w for ws in read for w in ws or ()]


def linear_groups(network: Network) -> list[int]:
    """For every node the first node whose features are mixed together with its own, across sums and biases."""
    parent = list(range(len(network.nodes)))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    for number, node in enumerate(network.nodes):
        if node.layer.mixes_through:
            joined = [root(i) for i in (*node.inputs, number)]
            for i in joined:
                parent[i] = min(joined)
    return [root(number) for number in range(len(parent))]


def readers(network: Network) -> list[list[int]]:
    """For every node the nodes that read it."""
    read_by: list[list[int]] = [[] for _ in network.nodes]
    for number, node in enumerate(network.nodes):
        for i in dict.fromkeys(node.inputs):
            read_by[i].append(number)
    return read_by


class FreeWeights:
    """Numbers of the weights of nodes whose matrices are full and serve one node only."""

    def __init__(self, network: Network) -> None:
        self._network, self._numbers = network, network.weight_numbers
        self._tied = {n for i, node in enumerate(network.nodes) if node.shares is not None for n in (i, node.shares)}

    def of(self, number: int, local: str) -> np.ndarray:
        """Numbers of one weight of the node."""
        return self._numbers[self._network.weight_names[number][local]]

    def own(self, number: int) -> bool:
        """Whether the node shares its weights with no other."""
        return number not in self._tied

    def before(self, number: int) -> list[np.ndarray] | None:
        """Weights whose rows make the features of the node, ``(m, …)``, None when these cannot be mixed."""
        names = self._network.nodes[number].layer.rows(*self._input_shapes(number))
        if names is None or (names and not self.own(number)):
            return None
        return [self.of(number, name).reshape(self._network.shapes[number][-1], -1) for name in names]

    def after(self, number: int) -> list[np.ndarray] | None:
        """Weights whose columns read the features that the node takes in, ``(…, m)``, None when it reads otherwise."""
        shapes = self._input_shapes(number)
        names = self._network.nodes[number].layer.columns(*shapes)
        if names is None or not self.own(number):
            return None
        return [self.of(number, name).reshape(-1, shapes[0][-1]) for name in names]

    def _input_shapes(self, number: int) -> list[tuple[int, ...]]:
        return [self._network.shapes[i] for i in self._network.nodes[number].inputs]


def shifts(network: Network) -> Iterator[tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]]:
    """Biases read by dense layers with biases of their own: ``b ↦ b + v`` and, after each ``W``, ``b′ ↦ b′ - W v``."""
    weights, read_by = FreeWeights(network), readers(network)

    def bias(number: int) -> bool:
        return isinstance(network.nodes[number].layer, Bias) and weights.own(number)

    for number in range(len(network.nodes) - 1):
        if not bias(number):
            continue
        pairs = [(n, read_by[n]) for n in read_by[number]]
        if all(weights.after(n) and isinstance(network.nodes[n].layer, Dense) for n, _ in pairs) and all(
            len(next_) == 1 and bias(next_[0]) for _, next_ in pairs
        ):
            after = [(weights.of(n, "W"), weights.of(next_[0], "b")) for n, next_ in pairs]
            yield weights.of(number, "b"), after
