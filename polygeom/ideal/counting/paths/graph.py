"""The graph of monodromy: parameters with the solutions known there, and arcs along which these are carried."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from polygeom._dataclass import dataclass, field
from polygeom.ideal.counting.paths.systems import Array, Marks
from polygeom.ideal.counting.paths.tracking import CAREFUL, Steps, Tracker

_SAME = 1e-6
_GOLDEN, _WIDEST = 0.6180339887498949, 0.94


@dataclass(eq=False)
class Node:
    """A parameter, its solutions, marks of these, and for each the number of its conjugate."""

    place: Array
    weights: list[Array] = field(default_factory=list)
    marks: Array | None = None
    edges: list[Edge] = field(default_factory=list)
    conjugate: dict[int, int] = field(default_factory=dict)


@dataclass(eq=False)
class Edge:
    """An arc; ``match[0][i]`` is the number at the second end of solution ``i`` of the first, and ``match[1]`` back."""

    first: Node
    second: Node
    gamma: complex
    match: tuple[dict[int, int], dict[int, int]] = field(default_factory=lambda: ({}, {}))
    tried: tuple[set[int], set[int]] = field(default_factory=lambda: (set(), set()))
    twin: Edge | None = None


class Graph:
    """Nodes and edges, and what carries solutions along them."""

    def __init__(
        self,
        tracker: Tracker,
        rng: np.random.Generator,
        marks: Marks,
        most: int,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.tracker, self.rng, self.marks, self.most, self.progress = tracker, rng, marks, most, progress
        self.edges: list[Edge] = []
        self.nodes: list[Node] = []
        self.offset = float(rng.uniform())
        self.jumps = self.arcs = 0

    def node(self, place: Array) -> Node:
        self.nodes.append(Node(place))
        return self.nodes[-1]

    def join(self, first: Node, second: Node) -> None:
        """Another arc and, where all is real, its conjugate."""
        # arcs at angles far from each other: two that are close make a loop around nothing
        self.arcs += 1
        turn = (self.offset + self.arcs * _GOLDEN) % 1.0
        real = self.tracker.system.real
        angle = np.pi * ((0.03 + 0.95 * turn) if real else 2 * _WIDEST * (turn - 0.5))
        gamma = complex(np.exp(1j * angle) * np.exp(self.rng.normal() * 0.5))
        edge = Edge(first, second, gamma)
        new = [edge]
        if real:
            edge.twin = Edge(first, second, gamma.conjugate(), twin=edge)
            new.append(edge.twin)
        for each in new:
            self.edges.append(each)
            first.edges.append(each)
            second.edges.append(each)
        # a new arc is a new chance for those that found no way before
        for other in self.edges:
            other.tried[0].clear()
            other.tried[1].clear()

    def begin(self, w: Array, base: Array, edges: int) -> tuple[Node, Node, Node, complex]:
        """Three nodes on a line, the first with a solution, arcs between any two, and the place of the third."""
        real, move = self.tracker.system.real, self.tracker.system.move
        home = self.node(base)
        self.add(home, w)
        away = self.node(move(base, self.rng, real=True) if real else move(base, self.rng))
        imaginary = 0.0 if real else self.rng.choice([-1, 1]) * self.rng.uniform(0.4, 0.8)
        ratio = complex(self.rng.uniform(0.35, 0.65), imaginary)
        between = self.node(base + ratio * (away.place - base))
        for first, second in ((home, away), (home, between), (away, between)):
            for _ in range((edges + 1) // 2 if real else edges):
                self.join(first, second)
        return home, away, between, ratio

    def clear(self) -> None:
        """Forget all nodes, edges and solutions."""
        self.nodes, self.edges = [], []

    def count(self, node: Node) -> int:
        return len(node.weights)

    def weights(self, node: Node) -> Array:
        return np.array(node.weights).reshape(len(node.weights), self.tracker.system.outputs.network.parameter_count)

    def add(self, node: Node, w: Array) -> list[int]:
        """Numbers of the solutions in the node, which takes up those that it did not know; -1 for what is none."""
        if not len(w):
            return []
        numbers = self._numbers(node, w)
        if self.tracker.system.real:
            new = [i for i in numbers if i >= 0 and i not in node.conjugate]
            conjugates = self._numbers(node, np.conj(self.weights(node)[new])) if new else []
            for i, j in zip(new, conjugates, strict=True):
                node.conjugate[i] = j
                if j >= 0:
                    node.conjugate[j] = i
        return numbers

    def _numbers(self, node: Node, w: Array) -> list[int]:
        marks = self.marks(w)
        unknown = [i for i in range(len(w)) if self._known(node, marks[i]) < 0]
        proper = np.ones(len(w), dtype=bool)
        proper[unknown] = self.tracker.system.proper(w[unknown])
        numbers = []
        for row, mark, good in zip(w, marks, proper, strict=True):
            number = self._known(node, mark)
            if number < 0 and good and np.isfinite(mark).all():
                number = len(node.weights)
                if node.marks is None:
                    node.marks = np.empty((64, len(mark)), dtype=complex)
                if number == len(node.marks):
                    node.marks = np.concatenate([node.marks, np.empty_like(node.marks)])
                node.marks[number] = mark
                node.weights.append(row)
            numbers.append(number)
        return numbers

    def _known(self, node: Node, mark: Array) -> int:
        """The number of a solution; -1 if it is new."""
        if node.marks is None or not len(node.weights):
            return -1
        off = np.abs(node.marks[: len(node.weights)] - mark).max(axis=1)
        nearest = int(off.argmin())
        return nearest if off[nearest] < _SAME * (np.abs(mark).max() + 1e-300) else -1

    def saturate(self, steps: Steps) -> None:
        """Carry every solution along every edge once, in the cheaper direction, until nothing new comes."""
        busy = True
        while busy:
            busy = False
            for edge in self.edges:
                for way in (0, 1):
                    todo = self._todo(edge, way)
                    if todo and self.count(edge.first) < self.most:
                        self._carry(edge, way, todo, steps)
                        busy = True

    def _todo(self, edge: Edge, way: int) -> list[int]:
        node = (edge.first, edge.second)[way]
        known, tried = edge.match[way], edge.tried[way]
        return [i for i in range(len(node.weights)) if i not in known and i not in tried]

    def _carry(self, edge: Edge, way: int, todo: list[int], steps: Steps) -> None:
        ends = (edge.first, edge.second)
        source, target = ends[way], ends[1 - way]
        gamma = edge.gamma if way == 0 else 1 / edge.gamma
        w = np.array([source.weights[i] for i in todo])
        edge.tried[way].update(todo)
        reached, arrived = self.tracker.follow(w, source.place, target.place, gamma, steps)
        numbers = self.add(target, reached[arrived])
        for i, j in zip(np.array(todo)[arrived].tolist(), numbers, strict=True):
            if j < 0:
                continue
            if j in edge.match[1 - way]:  # two paths, one end: at least one has jumped
                self.jumps += 1
                continue
            edge.match[way][i] = j
            edge.match[1 - way][j] = i
        if edge.twin is not None:
            self._mirror(edge, edge.twin, way, todo)
        if self.progress is not None:
            self.progress(self.tracker.paths, max(len(source.weights), len(target.weights)))

    def _mirror(self, edge: Edge, twin: Edge, way: int, done: list[int]) -> None:
        """What paths along an arc say about the conjugate paths along the conjugate arc."""
        source, target = (edge.first, edge.second) if way == 0 else (edge.second, edge.first)
        for i in done:
            j = edge.match[way].get(i, -1)
            a, b = source.conjugate.get(i, -1), target.conjugate.get(j, -1)
            if a >= 0:
                twin.tried[way].add(a)
            if a >= 0 and b >= 0 and a not in twin.match[way] and b not in twin.match[1 - way]:
                twin.match[way][a] = b
                twin.match[1 - way][b] = a

    def bring(self, starts: list[tuple[Array, Array]], home: Node, steps: Steps) -> None:
        """Carry other start solutions home: a random solution is a cheaper try for a missing one than a loop."""
        w, places = (np.array(part) for part in zip(*starts, strict=True))
        arcs = np.exp(1j * self.rng.uniform(-2.5, 2.5, len(w)))
        reached, arrived = self.tracker.follow(w[:, 0], places, home.place, arcs, steps)
        self.add(home, reached[arrived])

    def fill(self, *nodes: Node) -> None:
        """Make nodes equal where paths were lost: carry what has no partner along careful paths."""
        most = max(nodes, key=self.count)
        for target in nodes:
            if self.count(target) < self.count(most):
                reached, arrived = self.tracker.follow(
                    self.weights(most), most.place, target.place, np.exp(0.3j), CAREFUL
                )
                self.add(target, reached[arrived])

    def partners(self, first: Node, second: Node) -> Array | None:
        """The weights at the second node in an order that an edge gives; None if the numbers of solutions differ."""
        if len(first.weights) != len(second.weights):
            return None
        numbers: list[int] = []
        for edge in first.edges:
            if edge.second is second and len(edge.match[0]) >= len(numbers):
                known = edge.match[0]
                free = iter(sorted(set(range(len(second.weights))) - set(known.values())))
                numbers = [known[i] if i in known else next(free) for i in range(len(first.weights))]
        return self.weights(second)[numbers]

    def permutations(self, home: Node) -> Iterator[tuple[int, ...]]:
        """Of the solutions at home by loops: there along a tree of arcs, along one more arc, and back."""
        count = len(home.weights)
        full = [edge for edge in self.edges if len(edge.match[0]) == count]
        there = {id(home): list(range(count))}
        more = True
        while more:
            more = False
            for edge in list(full):
                for way, (source, target) in enumerate(((edge.first, edge.second), (edge.second, edge.first))):
                    if id(source) in there and id(target) not in there:
                        there[id(target)] = [edge.match[way].get(i, -1) for i in there[id(source)]]
                        full.remove(edge)
                        more = True
                        break
        for edge in full:
            if id(edge.first) in there and id(edge.second) in there:
                back = {j: i for i, j in enumerate(there[id(edge.second)])}
                images = [back.get(edge.match[0].get(i, -1), -1) for i in there[id(edge.first)]]
                if sorted(images) == list(range(count)):
                    yield tuple(images)
