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

from collections.abc import Callable

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.ideal.counting.paths.graph import Graph, Node
from polygeom.ideal.counting.paths.sharing import PathCrew
from polygeom.ideal.counting.paths.systems import Array, Marks, System
from polygeom.ideal.counting.paths.trace import Trace, straightness
from polygeom.ideal.counting.paths.tracking import CAREFUL, QUICK, Deadline, Steps, Tracker

_EDGES = 2
_ROUNDS = 24
_DRAWS = 9
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
    crew: PathCrew | None = None,
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
    crew:
        Who follows long batches of paths; None for this process. The solutions do not depend on it.
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
    tracker = Tracker(system, until, crew)
    graph = Graph(tracker, rng, marks or system.outputs.marks(rng), most, progress)
    starts = sorted((system.start(rng, real=system.real) for _ in range(_DRAWS)), key=lambda each: _size(each[1]))
    w, base = starts[_DRAWS // 2]  # high powers of random weights differ by many orders of magnitude
    home, away, between, ratio = graph.begin(w, base, edges)
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
                home, away, between, ratio = graph.begin(w, base, edges)
                graph.saturate(CAREFUL)
                troubles = 2 * _ROUNDS
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
            if enough(_solutions(graph, home, trace, still, "trace")):
                stopped = "trace"
                break
            if number % 2 == 0:  # another parameter with a start solution of its own
                (w, place), *others = _starts_of_size(system, rng, base, number)
                graph.add(graph.node(place), w)
                graph.bring(others, home, steps)
            for known in (home, away):
                graph.join(known, graph.nodes[-1])
        if graph.count(home) == 1 and tracker.paths == tracker.lost:
            stopped = "lost"
    except Deadline:
        stopped = "time"
    return _solutions(graph, home, trace, still, stopped)


def _well_conditioned(system: System, rng: np.random.Generator) -> tuple[Array, Array]:
    """A random solution near which the equations are as well conditioned as in the best of many draws.

    Deep networks with as many weights as their functions need are badly conditioned at most weights: some neurons
    hardly count. No path begins there.
    """
    system.even, system.real = True, False
    weights = system.outputs.even_start(rng, _CONDITIONED)
    draws = [system.beside(w[None], rng) for w in weights]
    conditions = system.conditions(weights, np.array([place for _, place in draws]))
    return draws[int(conditions.argmin())]


def _starts_of_size(system: System, rng: np.random.Generator, base: Array, number: int) -> list[tuple[Array, Array]]:
    """Random solutions, first the one whose parameter is about as large as a known one.

    High powers of random weights differ by many orders of magnitude, and near zero all solutions of a cone meet. In
    later rounds other sizes are taken, too.
    """
    if system.even:
        return [_well_conditioned(system, rng), system.start(rng)]
    size = np.log(_size(base)) + rng.normal() * min(2.0, max(0, number - 4) / 4)
    draws = [system.start(rng, real=system.real) for _ in range(_DRAWS)]
    return sorted(draws, key=lambda draw: float(abs(np.log(_size(draw[1])) - size)))


def _size(place: Array) -> float:
    return float(np.linalg.norm(place)) + 1e-300


def _solutions(graph: Graph, home: Node, trace: Trace | None, idle: int, stopped: str) -> Solutions:
    loops = len(graph.edges) - len(graph.nodes) + 1
    tracker = graph.tracker
    return Solutions(
        len(home.weights), graph.weights(home), home.place, trace, loops, idle, tracker.paths,
        tracker.lost / max(1, tracker.paths), tuple(graph.permutations(home)), stopped,
    )  # fmt: skip
