"""``frontier(d_0, d_L, r, L)``: all minimal filling architectures, with a proof that there are no others.

Enlarging a hidden layer enlarges the neurovariety, and beyond its saturated width adds nothing. So the filling
architectures of given inputs, outputs, degrees and depth are an upward closed set in a finite box of hidden widths,
known once its minimal elements are. The search keeps boxes of architectures that are not filling, each because an upper
bound for its widest member is below the ambient dimension, and the minimal architectures outside all boxes. One of
these is decided at a time: if a bound excludes it, it is enlarged, coordinate by coordinate, to a box that the bound
still excludes; if its rank is the ambient dimension, it is a minimal filling architecture, because everything below it
is excluded already. When all are decided the list is complete.

The smallest undecided architecture is next, always. With workers, an architecture that no bound excludes is taken to be
filling and the search goes on, while they compute its rank; should that be too small, the search goes back to this
architecture. So the result does not depend on how many workers there are.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from polygeom import checks
from polygeom._version import __version__
from polygeom.dimensions.counts import Degrees, ambient_dimension
from polygeom.dimensions.frontier.cover import Point, Uncovered
from polygeom.dimensions.frontier.decision import Decider
from polygeom.dimensions.frontier.result import ExcludedBox, Frontier, box_widths, minimal_fillings
from polygeom.errors import BudgetError, PolygeomError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from polygeom.dimensions.frontier.ahead import RanksAhead
    from polygeom.storage.facts import FactFile
    from polygeom.sweeps.crew import Crew

LARGEST_AMBIENT = 20_000
"""Ambient dimension beyond which a search is refused: each rank would be that of a matrix with this many rows."""

KEPT_EVERY = 0.25
"""Seconds after which new facts are written to the journal, and which a sudden end may cost."""

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
        A file in which every fact found is kept, one line each, on the disk a quarter of a second later. The same
        call with the same file goes on where it was interrupted and gives the same result.
    timeout:
        Stop after about this time; what is undecided is then listed in the result.
    progress:
        Called after each decision with the numbers of architectures found, boxes excluded, architectures undecided.
    error, rng, memory:
        As for `polygeom.dimensions.dimension`, used where no bound decides.
    workers, executor:
        Processes that compute ranks, or a `concurrent.futures.Executor` for them with so many places, as for
        `polygeom.tables.sweep`. This process searches meanwhile. The result does not depend on them.

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
        crew = stack.enter_context(_crew(workers, executor))
        search = _Search(inputs, outputs, degrees, crew, error=error, rng=rng, memory=memory)
        file = None
        if journal is not None:
            from polygeom.storage.facts import FactFile

            file = stack.enter_context(FactFile(journal, search.question))
            for fact in file.facts:
                search.recall(fact, str(file.path))
        search.run(deadline, progress, file)
        return search.result(time.monotonic() - started)


@contextlib.contextmanager
def _crew(workers: int, executor: Executor | None) -> Iterator[Crew | None]:
    """Who computes ranks; nobody where this process is the only worker."""
    if not isinstance(workers, int) or isinstance(workers, bool) or not 1 <= workers <= 10_000:
        raise PolygeomError(f"workers must be a number from 1 to 10000, got {workers!r}; write workers=2")
    if workers == 1 and executor is None:
        yield None
        return
    from polygeom.supervision import Limits, LocalCrew
    from polygeom.sweeps.crew import ExecutorCrew

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


class _Entry(NamedTuple):
    """A fact, and how many ranks and bounds it took in this call."""

    fact: dict[str, Any]
    ranks: int
    bounds: int


def _ahead(crew: Crew, decider: Decider) -> RanksAhead:
    from polygeom.dimensions.frontier.ahead import RanksAhead  # with all of supervision, which one process needs not

    return RanksAhead(crew, decider)


class _Keeper:
    """Writes facts to a file, some together: each of them alone would wait longer for the disk than for its search."""

    def __init__(self, file: FactFile | None, count: int) -> None:
        self._file, self._count, self._last = file, count, time.monotonic()

    def keep(self, log: Sequence[_Entry], sure: int, *, at_once: bool = False) -> None:
        """Write the facts up to number ``sure`` that are not written yet, unless others have just been written."""
        now = time.monotonic()
        if self._file is None or sure <= self._count or not (at_once or now - self._last >= KEPT_EVERY):
            return
        self._file.add(*(entry.fact for entry in log[self._count : sure]))
        self._count, self._last = sure, now


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
        self._seed = rng
        self._decider = Decider(inputs, outputs, degrees, {"error": error, "rng": rng, "memory": memory})
        self._top = self._decider.top
        self._ranks = None if crew is None else _ahead(crew, self._decider)
        self._log: list[_Entry] = []
        """Every fact in the order of the search, those included that rest on a rank which is not known yet."""
        self._forget()
        self.question = {
            "kind": "frontier search",
            "format": 1,
            "version": __version__,
            "inputs": inputs,
            "outputs": outputs,
            "degrees": list(degrees),
            "rng": rng,
        }

    def _forget(self) -> None:
        """The state before the first fact."""
        self._open = Uncovered(self._top)
        self._queue = [(sum(point), point) for point in self._open.points]
        """The open points and former ones, as a heap in the order in which they are decided."""
        self._filling: set[Point] = set()
        self._boxes: list[Point] = []
        self._excluded: list[ExcludedBox] = []

    def run(self, deadline: float | None, progress: Progress | None, file: FactFile | None) -> None:
        """Decide one minimal point after the other, until none is open or the time is over."""
        keeper = _Keeper(file, len(self._log))
        try:
            self._decide_all(deadline, progress, keeper)
        except BaseException:
            with contextlib.suppress(PolygeomError):  # a file that failed has told so
                keeper.keep(self._log, self._sure, at_once=True)
            raise
        keeper.keep(self._log, self._sure, at_once=True)
        if self._ranks is not None:
            self._filling.difference_update(self._ranks.unknown())

    def _decide_all(self, deadline: float | None, progress: Progress | None, keeper: _Keeper) -> None:
        while deadline is None or time.monotonic() < deadline:
            point = self._next()
            if point is not None:
                self._add(self._decided(point))
                if progress is not None:
                    progress(len(self._filling), len(self._boxes), len(self._open.points) - len(self._filling))
            self._settle(wait_for_all=point is None)
            keeper.keep(self._log, self._sure)
            if point is None and self._next() is None:
                return

    @property
    def _sure(self) -> int:
        """How many facts rest on no rank that is not known yet."""
        return len(self._log) if self._ranks is None else self._ranks.sure(len(self._log))

    def _next(self) -> Point | None:
        while self._queue:
            point = self._queue[0][1]
            if point in self._open.points and point not in self._filling:
                return point
            heapq.heappop(self._queue)
        return None

    def _decided(self, point: Point) -> _Entry:
        """The fact about a point; with a crew that it fills, where no bound excludes it, until its rank is known."""
        ranks, bounds = self._decider.ranks, self._decider.bounds
        if self._ranks is None:
            fact = self._decider.decide(point)
        elif self._decider.excludes(point):
            fact = self._decider.excluded(point)
        else:
            self._ranks.ask(point, len(self._log))
            return _Entry({"filling": list(point)}, 1, self._decider.bounds - bounds)
        return _Entry(fact, self._decider.ranks - ranks, self._decider.bounds - bounds)

    def _settle(self, *, wait_for_all: bool) -> None:
        """Look at ranks that have come; where one is too small, go back to its point and exclude it."""
        missed = None if self._ranks is None else self._ranks.first_missed(wait_for_all=wait_for_all)
        if missed is None:
            return
        ranks, bounds = self._decider.ranks, self._decider.bounds
        point, before = tuple(self._log[missed].fact["filling"]), self._log[missed]
        fact = self._decider.probably_excluded(point)
        self._log = self._log[:missed]
        self._forget()
        for entry in self._log:
            self._learn(entry.fact)
        ranks, bounds = self._decider.ranks - ranks, self._decider.bounds - bounds
        self._add(_Entry(fact, before.ranks + ranks, before.bounds + bounds))

    def _add(self, entry: _Entry) -> None:
        self._log.append(entry)
        self._learn(entry.fact)

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
        self._add(_Entry(dict(fact), 0, 0))

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
            ranks=sum(entry.ranks for entry in self._log),
            bounds=sum(entry.bounds for entry in self._log),
            elapsed=elapsed,
            seed=self._seed,
        )
