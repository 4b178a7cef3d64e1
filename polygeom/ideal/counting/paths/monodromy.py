"""Counting solutions by monodromy: carry one solution around loops in parameter space until no new ones appear.

The solutions of `polygeom.ideal.counting.paths.systems` form one orbit of the monodromy group, since weights and
parameters together form an irreducible variety; so every solution is reachable from one, and the number found is a
lower bound that stabilises. Solutions are kept at the *nodes* of a graph, parameters of which some are joined by
several *edges*, arcs in the complex line through both; each solution is carried along each edge once, in one direction.
Two edges make a loop. The *trace test* (`polygeom.ideal.counting.paths.trace`) says when to stop; the first three nodes
lie on a line, so that it needs no paths of its own.

The equations of a real network have real coefficients. So all nodes are real, every solution brings its conjugate, and
every path the conjugate path along the conjugate arc: half of the arcs are for free.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from polygeom.ideal.counting.paths.systems import Array, Marks, System
from polygeom.ideal.counting.paths.trace import Trace, straightness
from polygeom.ideal.counting.paths.tracking import CAREFUL, QUICK, Deadline, Steps, Tracker

_SAME = 1e-6
_EDGES = 2
_GOLDEN, _WIDEST = 0.6180339887498949, 0.94
_ROUNDS = 24
_DRAWS = 9


@dataclass(frozen=True, eq=False)
class Solutions:
    """What monodromy found.

    Attributes
    ----------
    count:
        Number of distinct solutions.
    weights:
        ``(count, P)``: weights of each.
    parameters:
        Parameters at which these are the solutions.
    trace:
        The trace test, None if it could not be made.
    loops:
        Independent loops around which every solution was carried.
    idle:
        How many of the last ones found nothing new.
    paths, lost:
        Paths followed, and the fraction of them that were given up.
    permutations:
        For each loop a permutation of the solutions, as far as all its paths arrived: elements of the monodromy group.
    stopped:
        Why the search ended: ``"trace"``, ``"idle"``, ``"time"``, ``"lost"`` (no path arrived) or ``"most"``.
    """

    count: int
    weights: Array
    parameters: Array
    trace: Trace | None
    loops: int
    idle: int
    paths: int
    lost: float
    permutations: tuple[tuple[int, ...], ...] = ()
    stopped: str = "idle"

    @property
    def complete(self) -> bool:
        """Whether the trace test was passed: numerical evidence, not a proof, that no solution is missing."""
        return self.trace is not None and self.trace.passed


def monodromy(
    system: System,
    rng: np.random.Generator,
    *,
    marks: Marks | None = None,
    rounds: int = _ROUNDS,
    edges: int = _EDGES,
    most: int = 20_000,
    until: float | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
    enough: Callable[[Solutions], bool] | None = None,
) -> Solutions:
    """Solutions of a system at random parameters, up to weights that give the same function.

    Parameters
    ----------
    system:
        What to solve.
    rng:
        Source of the parameters and of the arcs between them.
    marks:
        What tells solutions apart; by default their functions do.
    rounds:
        How often more loops, or another node with a new start solution, are added while the trace test fails.
    edges:
        Arcs between any two of the first three nodes.
    most:
        Stop with so many solutions.
    until:
        `time.monotonic` at which to stop.
    workers:
        Threads that follow paths.
    progress:
        Called now and then with the number of paths and of solutions.
    enough:
        Whether to stop, asked after every round; by default when the trace test is passed.

    Returns
    -------
    `Solutions`: distinct solutions, hence a lower bound for their number.

    References
    ----------
    Sommese, Verschelde, Wampler, "Symmetric functions applied to decomposing solution sets of polynomial systems",
    SIAM J. Numer. Anal. 40 (2002). Duff, Hill, Jensen, Lee, Leykin, Sommars, "Solving polynomial systems via homotopy
    continuation and monodromy", arXiv 1609.08722.
    """
    tracker = Tracker(system, until, workers)
    graph = _Graph(tracker, rng, marks or system.outputs.marks(rng), most, progress)
    starts = sorted((system.start(rng, real=system.real) for _ in range(_DRAWS)), key=lambda each: _size(each[1]))
    w, base = starts[_DRAWS // 2]  # high powers of random weights differ by many orders of magnitude
    home = graph.node(base)
    graph.add(home, w)
    away = graph.node(system.move(base, rng, real=system.real))
    ratio = complex(rng.uniform(0.35, 0.65), 0 if system.real else rng.choice([-1, 1]) * rng.uniform(0.4, 0.8))
    between = graph.node(base + ratio * (away.place - base))
    for first, second in ((home, away), (home, between), (away, between)):
        for _ in range((edges + 1) // 2 if system.real else edges):
            graph.join(first, second)
    enough = enough or (lambda found: found.complete)
    trace: Trace | None = None
    stopped, still, troubles = "idle", 0, 0
    try:
        for number in range(rounds):
            before, trace = graph.count(home), None
            steps = (QUICK, Steps(), CAREFUL)[min(troubles // 2, 2)]
            trouble = tracker.lost + graph.jumps
            graph.saturate(steps)
            troubles += tracker.lost + graph.jumps > trouble or number > _ROUNDS // 2
            still = 0 if graph.count(home) > before and number else still + 1
            if graph.count(home) >= most:
                stopped = "most"
                break
            graph.fill(home, away, between)
            partners = [graph.partners(home, node) for node in (away, between)]
            if all(each is not None for each in partners):
                images = [system.image(w) for w in (graph.weights(home), *partners) if w is not None]
                trace = straightness((images[0], images[1], images[2]), ratio, rng)
            if enough(graph.solutions(home, trace, still, "trace")):
                stopped = "trace"
                break
            if number % 2 == 0:  # another parameter with a start solution of its own
                spread = min(2.0, max(0, number - 4) / 4)  # later ones also of other sizes
                size = _size(base) * np.exp(rng.normal() * spread)
                starts = [system.start(rng, real=system.real) for _ in range(_DRAWS)]
                starts.sort(key=lambda each: abs(np.log(_size(each[1]) / size)))
                (w, place), *others = starts
                graph.add(graph.node(place), w)
                graph.bring(others, home, steps)
            for known in (home, away):
                graph.join(known, graph.nodes[-1])
        if graph.count(home) == 1 and tracker.paths == tracker.lost:
            stopped = "lost"
    except Deadline:
        stopped = "time"
    return graph.solutions(home, trace, still, stopped)


def _size(place: Array) -> float:
    return float(np.linalg.norm(place)) + 1e-300


@dataclass(eq=False)
class _Node:
    place: Array
    weights: list[Array] = field(default_factory=list)
    marks: Array | None = None
    edges: list[_Edge] = field(default_factory=list)
    conjugate: dict[int, int] = field(default_factory=dict)


@dataclass(eq=False)
class _Edge:
    """An arc; ``match[0][i]`` is the number at the second end of solution ``i`` of the first, and ``match[1]`` back."""

    first: _Node
    second: _Node
    gamma: complex
    match: tuple[dict[int, int], dict[int, int]] = field(default_factory=lambda: ({}, {}))
    tried: tuple[set[int], set[int]] = field(default_factory=lambda: (set(), set()))
    twin: _Edge | None = None


class _Graph:
    def __init__(
        self,
        tracker: Tracker,
        rng: np.random.Generator,
        marks: Marks,
        most: int,
        progress: Callable[[int, int], None] | None,
    ) -> None:
        self.tracker, self.rng, self.marks, self.most, self.progress = tracker, rng, marks, most, progress
        self.edges: list[_Edge] = []
        self.nodes: list[_Node] = []
        self.offset = float(rng.uniform())
        self.jumps = self.arcs = 0

    def node(self, place: Array) -> _Node:
        self.nodes.append(_Node(place))
        return self.nodes[-1]

    def join(self, first: _Node, second: _Node) -> None:
        """Another arc and, where all is real, its conjugate."""
        # arcs at angles far from each other: two that are close make a loop around nothing
        self.arcs += 1
        turn = (self.offset + self.arcs * _GOLDEN) % 1.0
        real = self.tracker.system.real
        angle = np.pi * ((0.03 + 0.95 * turn) if real else 2 * _WIDEST * (turn - 0.5))
        gamma = complex(np.exp(1j * angle) * np.exp(self.rng.normal() * 0.5))
        edge = _Edge(first, second, gamma)
        new = [edge]
        if real:
            edge.twin = _Edge(first, second, gamma.conjugate(), twin=edge)
            new.append(edge.twin)
        for each in new:
            self.edges.append(each)
            first.edges.append(each)
            second.edges.append(each)
        # a new arc is a new chance for those that found no way before
        for other in self.edges:
            other.tried[0].clear()
            other.tried[1].clear()

    def count(self, node: _Node) -> int:
        return len(node.weights)

    def weights(self, node: _Node) -> Array:
        return np.array(node.weights).reshape(len(node.weights), self.tracker.system.outputs.network.parameter_count)

    def add(self, node: _Node, w: Array) -> list[int]:
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

    def _numbers(self, node: _Node, w: Array) -> list[int]:
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

    def _known(self, node: _Node, mark: Array) -> int:
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

    def _todo(self, edge: _Edge, way: int) -> list[int]:
        node = (edge.first, edge.second)[way]
        known, tried = edge.match[way], edge.tried[way]
        return [i for i in range(len(node.weights)) if i not in known and i not in tried]

    def _carry(self, edge: _Edge, way: int, todo: list[int], steps: Steps) -> None:
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

    def _mirror(self, edge: _Edge, twin: _Edge, way: int, done: list[int]) -> None:
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

    def bring(self, starts: list[tuple[Array, Array]], home: _Node, steps: Steps) -> None:
        """Carry other start solutions home: a random solution is a cheaper try for a missing one than a loop."""
        w, places = (np.array(part) for part in zip(*starts, strict=True))
        arcs = np.exp(1j * self.rng.uniform(-2.5, 2.5, len(w)))
        reached, arrived = self.tracker.follow(w[:, 0], places, home.place, arcs, steps)
        self.add(home, reached[arrived])

    def fill(self, *nodes: _Node) -> None:
        """Make nodes equal where paths were lost: carry what has no partner along careful paths."""
        most = max(nodes, key=self.count)
        for target in nodes:
            if self.count(target) < self.count(most):
                reached, arrived = self.tracker.follow(
                    self.weights(most), most.place, target.place, np.exp(0.3j), CAREFUL
                )
                self.add(target, reached[arrived])

    def partners(self, first: _Node, second: _Node) -> Array | None:
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

    def solutions(self, home: _Node, trace: Trace | None, idle: int, stopped: str) -> Solutions:
        loops = len(self.edges) - len(self.nodes) + 1
        tracker = self.tracker
        return Solutions(
            len(home.weights), self.weights(home), home.place, trace, loops, idle, tracker.paths,
            tracker.lost / max(1, tracker.paths), tuple(self._permutations(home)), stopped,
        )  # fmt: skip

    def _permutations(self, home: _Node) -> Iterator[tuple[int, ...]]:
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
