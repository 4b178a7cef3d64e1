"""``frontier(d_0, d_L, r, L)``: all minimal filling architectures, with a proof that there are no others.

Enlarging a hidden layer enlarges the neurovariety, and beyond its saturated width adds nothing. So the filling
architectures of given inputs, outputs, degrees and depth are an upward closed set in a finite box of hidden widths,
known once its minimal elements are. The search keeps boxes of architectures that are not filling, each because an upper
bound for its widest member is below the ambient dimension, and the minimal architectures outside all boxes. One of
these is decided at a time: if a bound excludes it, it is enlarged, coordinate by coordinate, to a box that the bound
still excludes; if its rank is the ambient dimension, it is a minimal filling architecture, because everything below it
is excluded already. When all are decided the list is complete.

The smallest undecided architecture is next, always. Further workers decide the ones that will probably follow; what
turns out not to be needed is thrown away, so that the result does not depend on how many there are.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future
from typing import Any

from polygeom import checks
from polygeom._version import __version__
from polygeom.dimensions.counts import Degrees, ambient_dimension
from polygeom.dimensions.frontier import decision
from polygeom.dimensions.frontier.cover import Point, Uncovered
from polygeom.dimensions.frontier.decision import Decider
from polygeom.dimensions.frontier.result import ExcludedBox, Frontier, box_widths, minimal_fillings
from polygeom.errors import BudgetError, PolygeomError
from polygeom.storage.facts import FactFile
from polygeom.supervision import Limits, LocalCrew
from polygeom.sweeps.crew import Crew, ExecutorCrew
from polygeom.sweeps.task import Task

LARGEST_AMBIENT = 20_000
"""Ambient dimension beyond which a search is refused: each rank would be that of a matrix with this many rows."""

TARGET = "polygeom.dimensions.frontier.decision:run"
_TOGETHER = 4
"""Architectures of one task."""
_WINDOW = 6
"""Tasks handed out ahead for each worker."""

Progress = Callable[[int, int, int], None]


def frontier(
    inputs: int,
    outputs: int,
    degree: int | Sequence[int],
    depth: int,
    *,
    journal: str | os.PathLike[str] | None = None,
    timeout: float | None = None,
    progress: Progress | None = None,
    error: float = 1e-9,
    rng: int = 0,
    memory: int | None = None,
    workers: int = 1,
    executor: Executor | None = None,
) -> Frontier:
    """All minimal filling architectures with ``inputs``, ``outputs``, activation ``degree`` and ``depth``.

    Parameters
    ----------
    inputs, outputs:
        ``d_0`` and ``d_L``, at least 1.
    degree:
        The activation degree, or one for each of the ``depth - 1`` hidden layers.
    depth:
        Number of weight matrices ``L``, at least 2.
    journal:
        A file in which every fact found is kept, one line each, on the disk before the search goes on. The same
        call with the same file goes on where it was interrupted and gives the same result.
    timeout:
        Stop after about this time; what is undecided is then listed in the result.
    progress:
        Called after each decision with the numbers of architectures found, boxes excluded, architectures undecided.
    error, rng, memory:
        As for `polygeom.dimensions.dimension`, used where no bound decides.
    workers, executor:
        Processes that decide architectures before their turn, or a `concurrent.futures.Executor` for it with so many
        places, as for `polygeom.tables.sweep`. The result does not depend on them.

    Returns
    -------
    `Frontier`. Every architecture in it is filling, by proof. If its ``complete`` is True, the list is proved to be all
    of them; ``certificate()`` gives the proof as data.

    Raises
    ------
    BudgetError
        If the ambient dimension is above 20,000.
    PolygeomError
        If an argument is out of its range, or the journal cannot be used.

    Notes
    -----
    Filling and its monotonicity: arXiv 1905.12207. Minimal filling architectures, and the first that are not unimodal:
    arXiv 2605.09609.

    Examples
    --------
    >>> print(frontier(2, 1, 2, 5))
    (2,*,*,*,*,1) r=2: 1 minimal filling architecture of dimension 17, complete (4 boxes excluded by bounds)
      (2,3,3,3,2,1)
    """
    degrees = _checked(inputs, outputs, degree, depth, timeout)
    started = time.monotonic()
    deadline = None if timeout is None else started + timeout
    with contextlib.ExitStack() as stack:
        ahead = stack.enter_context(_ahead(workers, executor))
        search = _Search(inputs, outputs, degrees, ahead, error=error, rng=rng, memory=memory)
        file = None if journal is None else stack.enter_context(FactFile(journal, search.question))
        if file is not None:
            for fact in file.facts:
                search.recall(fact, str(file.path))
        search.run(deadline, progress, file)
        return search.result(time.monotonic() - started)


@contextlib.contextmanager
def _ahead(workers: int, executor: Executor | None) -> Iterator[Crew | None]:
    """Who decides architectures before their turn; nobody where this process is the only worker."""
    if not isinstance(workers, int) or isinstance(workers, bool) or not 1 <= workers <= 10_000:
        raise PolygeomError(f"workers must be a number from 1 to 10000, got {workers!r}; write workers=2")
    if workers == 1 and executor is None:
        yield None
        return
    limits = Limits(None, None)
    crew: Crew = LocalCrew(workers, limits) if executor is None else ExecutorCrew(executor, workers, limits)
    try:
        yield crew
    finally:
        crew.stop()
        crew.close()


def _checked(inputs: int, outputs: int, degree: int | Sequence[int], depth: int, timeout: float | None) -> Degrees:
    for name, value, least in (("inputs", inputs, 1), ("outputs", outputs, 1), ("depth", depth, 2)):
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise PolygeomError(
                f"{name} must be an integer of at least {least}, got {value!r}; write frontier(2,1,2,4)"
            )
    degrees = (degree,) * (depth - 1) if isinstance(degree, int) else tuple(degree)
    if len(degrees) != depth - 1 or not all(isinstance(r, int) and not isinstance(r, bool) and r >= 1 for r in degrees):
        raise PolygeomError(
            f"degree must be a positive integer, or one for each of the {depth - 1} hidden layers, got {degree!r}"
        )
    if timeout is not None:
        checks.seconds(timeout)
    bits = sum(r.bit_length() for r in degrees)
    if bits > 40 or ambient_dimension((inputs, outputs), degrees) > LARGEST_AMBIENT:
        raise BudgetError(
            f"frontier: the ambient dimension is above {LARGEST_AMBIENT}; ask for a smaller depth or degree, or for "
            "fewer inputs"
        )
    return degrees


class _Search:
    """The state of a search: boxes excluded so far, the minimal points outside them, and which of these are filling."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        degrees: Degrees,
        crew: Crew | None,
        *,
        error: float,
        rng: int,
        memory: int | None,
    ) -> None:
        self.inputs, self.outputs, self.degrees = inputs, outputs, degrees
        self._seed, self._crew = rng, crew
        self._decider = Decider(inputs, outputs, degrees, {"error": error, "rng": rng, "memory": memory})
        self._top = self._decider.top
        self._open = Uncovered(self._top)
        self._queue = [(sum(point), point) for point in self._open.points]
        """The open points and former ones, as a heap in the order in which they are decided."""
        self._ahead: dict[Point, tuple[Future[dict[str, Any]], int]] = {}
        self._filling: set[Point] = set()
        self._boxes: list[Point] = []
        self._excluded: list[ExcludedBox] = []
        self._ranks = self._bounds = 0
        self.question = {
            "kind": "frontier search",
            "format": 1,
            "version": __version__,
            "inputs": inputs,
            "outputs": outputs,
            "degrees": list(degrees),
            "rng": rng,
        }

    def run(self, deadline: float | None, progress: Progress | None, file: FactFile | None) -> None:
        """Decide one minimal point after the other, until none is open or the time is over."""
        while (point := self._next()) is not None:
            if deadline is not None and time.monotonic() >= deadline:
                return
            fact = self._decided(point)
            if file is not None:
                file.add(fact)
            self._learn(fact)
            if progress is not None:
                progress(len(self._filling), len(self._boxes), len(self._open.points) - len(self._filling))

    def _undecided(self, point: Point) -> bool:
        return point in self._open.points and point not in self._filling

    def _next(self) -> Point | None:
        while self._queue and not self._undecided(self._queue[0][1]):
            heapq.heappop(self._queue)
        return self._queue[0][1] if self._queue else None

    def _decided(self, point: Point) -> dict[str, Any]:
        """The fact about a point, from who has decided it ahead or from here."""
        if self._crew is not None:
            self._hand_out(self._crew)
            future, place = self._ahead.pop(point)
            outcome = future.result()
            if outcome["status"] == "ok":
                answer = outcome["result"]["facts"][place]
                self._ranks += answer["ranks"]
                self._bounds += answer["bounds"]
                fact: dict[str, Any] = answer["fact"]
                return fact
        ranks, bounds = self._decider.ranks, self._decider.bounds
        fact = self._decider.decide(point)
        self._ranks += self._decider.ranks - ranks
        self._bounds += self._decider.bounds - bounds
        return fact

    def _hand_out(self, crew: Crew) -> None:
        """Keep the window of points that are decided ahead full, the next point among them."""
        most = _WINDOW * _TOGETHER * crew.capacity
        if len(self._ahead) > most // 2 and self._queue[0][1] in self._ahead:
            return
        for point in [point for point in self._ahead if not self._undecided(point)]:
            del self._ahead[point]
        candidates = (point for _, point in heapq.nsmallest(most, self._queue) if self._undecided(point))
        wanted = list(dict.fromkeys(point for point in candidates if point not in self._ahead))
        for start in range(0, len(wanted), _TOGETHER):
            points = wanted[start : start + _TOGETHER]
            argument = {
                "inputs": self.inputs,
                "outputs": self.outputs,
                "degrees": list(self.degrees),
                "options": self._decider.options,
                "points": [list(point) for point in points],
            }
            future = crew.submit(Task(TARGET, argument, self._seed, decision.ALGORITHM))
            self._ahead.update({point: (future, place) for place, point in enumerate(points)})

    def recall(self, fact: dict[str, object], path: str) -> None:
        """Take over a fact of an earlier run; that a bound excludes a box is checked again."""
        try:
            point = tuple(int(w) for w in fact["filling" if "filling" in fact else "excluded"])  # type: ignore[attr-defined]
            fits = len(point) == len(self._top) and all(1 <= w <= s for w, s in zip(point, self._top, strict=True))
            if "excluded" in fact:
                float(fact.get("error", 0.0))  # type: ignore[arg-type]
                fits = fits and (fact["proved"] is False or self._decider.excludes(point))
        except (KeyError, TypeError, ValueError):
            fits = False
        if not fits or ("filling" in fact and point not in self._open.points):
            raise PolygeomError(f"journal: {path} holds a line that does not belong to this search; name another file")
        self._learn(fact)

    def _learn(self, fact: dict[str, Any]) -> None:
        if "filling" in fact:
            self._filling.add(tuple(fact["filling"]))
            return
        box: Point = tuple(fact["excluded"])
        error = float(fact.get("error", 0.0))
        widths = box_widths(self.inputs, self.outputs, self.degrees, box)
        self._boxes.append(box)
        self._excluded.append(ExcludedBox(widths, self._decider.bound(box) if fact["proved"] else None, error))
        for point in self._open.add(box):
            heapq.heappush(self._queue, (sum(point), point))

    def result(self, elapsed: float) -> Frontier:
        """What is known so far."""
        proved = [box.bound is not None for box in self._excluded]
        found = minimal_fillings(self.inputs, self.outputs, sorted(self._filling), self._boxes, proved)
        undecided = sorted(self._open.points - self._filling)
        return Frontier(
            inputs=self.inputs,
            outputs=self.outputs,
            degrees=self.degrees,
            architectures=tuple(found),
            excluded=tuple(self._excluded),
            open=tuple((self.inputs, *p, self.outputs) for p in undecided),
            ranks=self._ranks,
            bounds=self._bounds,
            elapsed=elapsed,
            seed=self._seed,
        )
