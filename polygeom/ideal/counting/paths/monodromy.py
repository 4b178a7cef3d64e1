"""Counting solutions by monodromy: carry one solution around loops in parameter space until no new ones appear.

The solutions of `polygeom.ideal.counting.paths.systems` form one orbit of the monodromy group, since weights and
parameters together form an irreducible variety; so every solution is reachable from one, and the number found is a
lower bound that stabilises. Solutions are kept at the *nodes* of a graph, parameters of which some are joined by
several *edges*, arcs in the complex line through both; each solution is carried along each edge once, in one direction.
Two edges make a loop. The *trace test* (`polygeom.ideal.counting.paths.trace`) says when to stop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from polygeom.ideal.counting.paths.systems import Array, Marks, System
from polygeom.ideal.counting.paths.trace import Trace, trace_test
from polygeom.ideal.counting.paths.tracking import CAREFUL, QUICK, Deadline, Steps, Tracker

_SAME = 1e-6
_EDGES = 4
_GOLDEN, _WIDEST = 0.6180339887498949, 0.94
_ROUNDS = 10
_DRAWS = 8
_CONDITIONED = 100


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
        Arcs between the first two nodes.
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
    w, base = system.start(rng)
    home, away = graph.begin(w, base, edges)
    enough = enough or (lambda found: found.complete)
    trace: Trace | None = None
    stopped, still, troubles = "idle", 0, 0
    try:
        for number in range(rounds):
            before, trace = graph.count(home), None
            steps = (QUICK, Steps(), CAREFUL)[min(troubles // 2, 2)]
            trouble = tracker.lost + graph.jumps
            graph.saturate(steps)
            nothing = graph.count(home) == 0 or (graph.count(home) == 1 and tracker.paths == tracker.lost > 0)
            if nothing and not system.even:
                w, base = _well_conditioned(system, rng)
                graph.clear()
                home, away = graph.begin(w, base, edges)
                graph.saturate(CAREFUL)
                troubles = 2 * _ROUNDS
            troubles += tracker.lost + graph.jumps > trouble or number > _ROUNDS // 2
            still = 0 if graph.count(home) > before and number else still + 1
            if graph.count(home) >= most:
                stopped = "most"
                break
            graph.fill(home, away)
            there = graph.partners(home, away)
            if there is not None:
                ends = base, away.place
                trace = trace_test(tracker, graph.weights(home), there, *ends, rng, graph.marks, troubles)
            if enough(graph.solutions(home, trace, still, "trace")):
                stopped = "trace"
                break
            # another parameter with a start solution of its own, joined to all the others
            other_w, other = _well_conditioned(system, rng) if system.even else _start_of_size(system, rng, base)
            node = graph.node(other)
            graph.add(node, other_w)
            for known in graph.nodes[:-1]:
                graph.join(known, node)
        if graph.count(home) == 1 and tracker.paths == tracker.lost:
            stopped = "lost"
    except Deadline:
        stopped = "time"
    return graph.solutions(home, trace, still, stopped)


def _well_conditioned(system: System, rng: np.random.Generator) -> tuple[Array, Array]:
    """A random solution near which the equations are as well conditioned as in the best of many draws.

    Deep networks with as many weights as their functions need are badly conditioned at most weights: some neurons
    hardly count. No path begins there.
    """
    system.even = True
    draws = [system.start(rng) for _ in range(_CONDITIONED)]
    return min(draws, key=lambda draw: system.condition(*draw))


def _start_of_size(system: System, rng: np.random.Generator, base: Array) -> tuple[Array, Array]:
    """A random solution whose parameter is about as large as a known one.

    High powers of random weights differ by many orders of magnitude, and near zero all solutions of a cone meet.
    """
    draws = [system.start(rng) for _ in range(_DRAWS)]
    size = np.linalg.norm(base) + 1e-300
    off = [abs(np.log(np.linalg.norm(place) / size + 1e-300)) for _, place in draws]
    return draws[int(np.argmin(off))]


@dataclass(eq=False)
class _Node:
    place: Array
    weights: list[Array] = field(default_factory=list)
    marks: Array | None = None
    edges: list[_Edge] = field(default_factory=list)


@dataclass(eq=False)
class _Edge:
    """An arc; ``match[0][i]`` is the number at the second end of solution ``i`` of the first, and ``match[1]`` back."""

    first: _Node
    second: _Node
    gamma: complex
    match: tuple[dict[int, int], dict[int, int]] = field(default_factory=lambda: ({}, {}))
    tried: tuple[set[int], set[int]] = field(default_factory=lambda: (set(), set()))


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
        self.jumps = 0

    def node(self, place: Array) -> _Node:
        self.nodes.append(_Node(place))
        return self.nodes[-1]

    def begin(self, w: Array, base: Array, edges: int) -> tuple[_Node, _Node]:
        """Two nodes, the first with a solution, and edges between them."""
        home = self.node(base)
        self.add(home, w)
        away = self.node(self.tracker.system.move(base, self.rng))
        for _ in range(edges):
            self.join(home, away)
        return home, away

    def clear(self) -> None:
        """Forget all nodes, edges and solutions."""
        self.nodes, self.edges = [], []

    def join(self, first: _Node, second: _Node) -> None:
        # arcs at angles far from each other: two that are close make a loop around nothing
        known = sum(edge.second is second for edge in first.edges)
        turn = (self.offset + known * _GOLDEN) % 1.0 - 0.5
        edge = _Edge(first, second, complex(np.exp(2j * np.pi * _WIDEST * turn) * np.exp(self.rng.normal() * 0.5)))
        self.edges.append(edge)
        first.edges.append(edge)
        second.edges.append(edge)
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
        proper = self.tracker.system.proper(w)
        marks = self.marks(w)
        numbers = []
        for row, mark, good in zip(w, marks, proper, strict=True):
            if not good or not np.isfinite(mark).all():
                numbers.append(-1)
                continue
            if node.marks is None:
                node.marks = np.empty((64, len(mark)), dtype=complex)
            known = len(node.weights)
            if known == len(node.marks):
                node.marks = np.concatenate([node.marks, np.empty_like(node.marks)])
            scale = np.abs(mark).max() + 1e-300
            off = np.abs(node.marks[:known] - mark).max(axis=1)
            if known and off[nearest := int(off.argmin())] < _SAME * scale:
                numbers.append(nearest)
                continue
            node.marks[known] = mark
            node.weights.append(row)
            numbers.append(known)
        return numbers

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
        if self.progress is not None:
            self.progress(self.tracker.paths, max(len(source.weights), len(target.weights)))

    def fill(self, first: _Node, second: _Node) -> None:
        """Make both ends equal where paths were lost: carry what has no partner along straight, careful paths."""
        for source, target in ((first, second), (second, first)):
            if len(source.weights) > len(target.weights):
                w = self.weights(source)
                reached, arrived = self.tracker.follow(w, source.place, target.place, 1.0, CAREFUL)
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

    def _permutations(self, home: _Node):  # type: ignore[no-untyped-def]
        count = len(home.weights)
        leading: dict[int, _Edge] = {}
        for edge in home.edges:
            if edge.first is not home or len(edge.match[0]) < count:
                continue
            first = leading.setdefault(id(edge.second), edge)
            if first is not edge:
                back = first.match[1]
                images = [back.get(edge.match[0][i], -1) for i in range(count)]
                if sorted(images) == list(range(count)):
                    yield tuple(images)
