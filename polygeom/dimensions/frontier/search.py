"""``frontier(d_0, d_L, r, L)``: all minimal filling architectures, with a proof that there are no others.

Enlarging a hidden layer enlarges the neurovariety, and beyond its saturated width adds nothing. So the filling
architectures of given inputs, outputs, degrees and depth are an upward closed set in a finite box of hidden widths,
known once its minimal elements are. The search keeps boxes of architectures that are not filling, each because an upper
bound for its widest member is below the ambient dimension, and the minimal architectures outside all boxes. One of
these is decided at a time: if a bound excludes it, it is enlarged, coordinate by coordinate, to a box that the bound
still excludes; if its rank is the ambient dimension, it is a minimal filling architecture, because everything below it
is excluded already. When all are decided the list is complete.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence

from polygeom import checks
from polygeom._version import __version__
from polygeom.dimensions.bounds.bound import Bound
from polygeom.dimensions.bounds.search import upper_bound
from polygeom.dimensions.compute import dimension
from polygeom.dimensions.counts import Degrees, ambient_dimension, saturated_widths, without_surplus
from polygeom.dimensions.frontier.cover import Point, Uncovered
from polygeom.dimensions.frontier.result import ExcludedBox, Frontier, box_widths, minimal_filling
from polygeom.errors import BudgetError, PolygeomError
from polygeom.network import mlp
from polygeom.storage.facts import FactFile

LARGEST_AMBIENT = 20_000
"""Ambient dimension beyond which a search is refused: each rank would be that of a matrix with this many rows."""

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
    search = _Search(inputs, outputs, degrees, error=error, rng=rng, memory=memory)
    started = time.monotonic()
    deadline = None if timeout is None else started + timeout
    if journal is None:
        search.run(deadline, progress, None)
    else:
        with FactFile(journal, search.question) as file:
            for fact in file.facts:
                search.recall(fact, str(file.path))
            search.run(deadline, progress, file)
    return search.result(time.monotonic() - started)


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
        self, inputs: int, outputs: int, degrees: Degrees, *, error: float, rng: int, memory: int | None
    ) -> None:
        self.inputs, self.outputs, self.degrees = inputs, outputs, degrees
        self._seed = rng
        self._options = {"error": error, "rng": rng, "memory": memory}
        self._ambient = ambient_dimension((inputs, outputs), degrees)
        self._top = saturated_widths(inputs, degrees)
        self._open = Uncovered(self._top)
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
        while undecided := self._open.points - self._filling:
            if deadline is not None and time.monotonic() >= deadline:
                return
            fact = self._decide(min(undecided, key=lambda point: (sum(point), point)))
            if file is not None:
                file.add(fact)
            self._learn(fact)
            if progress is not None:
                progress(len(self._filling), len(self._boxes), len(self._open.points) - len(self._filling))

    def _decide(self, point: Point) -> dict[str, object]:
        if self._bound_excludes(point):
            return {"excluded": list(self._enlarged(point, self._bound_excludes)), "proved": True}
        if self._rank_fills(point):
            return {"filling": list(point)}
        box = self._enlarged(point, lambda p: self._bound_excludes(p) or not self._rank_fills(p))
        if self._bound_excludes(box):
            return {"excluded": list(box), "proved": True}
        return {"excluded": list(box), "proved": False, "error": self._error_bound(box)}

    def _enlarged(self, point: Point, excluded: Callable[[Point], bool]) -> Point:
        """Raise one coordinate after the other as far as the architecture stays excluded."""
        box = list(point)
        for k, most in enumerate(self._top):

            def at(value: int, k: int = k) -> bool:
                return excluded((*box[:k], value, *box[k + 1 :]))

            box[k] = most if box[k] < most and at(most) else _largest(box[k], most, at)
        return tuple(box)

    def _widths(self, point: Point) -> tuple[int, ...]:
        return without_surplus((self.inputs, *point, self.outputs), self.degrees)

    def _bound(self, point: Point) -> Bound:
        """A quick bound where that excludes the point, else the best one."""
        self._bounds += 1
        widths = (self.inputs, *point, self.outputs)
        quick = upper_bound(widths, self.degrees, thorough=False)
        return quick if quick.value < self._ambient else upper_bound(widths, self.degrees)

    def _bound_excludes(self, point: Point) -> bool:
        return self._bound(point).value < self._ambient

    def _rank_fills(self, point: Point) -> bool:
        self._ranks += 1
        return dimension(mlp(self._widths(point), self.degrees), **self._options).filling  # type: ignore[arg-type]

    def _error_bound(self, point: Point) -> float:
        return dimension(mlp(self._widths(point), self.degrees), **self._options).error_bound  # type: ignore[arg-type]

    def recall(self, fact: dict[str, object], path: str) -> None:
        """Take over a fact of an earlier run; that a bound excludes a box is checked again."""
        try:
            point = tuple(int(w) for w in fact["filling" if "filling" in fact else "excluded"])  # type: ignore[attr-defined]
            fits = len(point) == len(self._top) and all(1 <= w <= s for w, s in zip(point, self._top, strict=True))
            if "excluded" in fact:
                float(fact.get("error", 0.0))  # type: ignore[arg-type]
                fits = fits and (fact["proved"] is False or self._bound_excludes(point))
        except (KeyError, TypeError, ValueError):
            fits = False
        if not fits or ("filling" in fact and point not in self._open.points):
            raise PolygeomError(f"journal: {path} holds a line that does not belong to this search; name another file")
        self._learn(fact)

    def _learn(self, fact: dict[str, object]) -> None:
        if "filling" in fact:
            self._filling.add(tuple(fact["filling"]))  # type: ignore[arg-type]
            return
        box: Point = tuple(fact["excluded"])  # type: ignore[arg-type]
        error = float(fact.get("error", 0.0))  # type: ignore[arg-type]
        widths = box_widths(self.inputs, self.outputs, self.degrees, box)
        self._boxes.append(box)
        self._excluded.append(ExcludedBox(widths, self._bound(box) if fact["proved"] else None, error))
        self._open.add(box)

    def result(self, elapsed: float) -> Frontier:
        """What is known so far."""
        proved = [box.bound is not None for box in self._excluded]
        found = [minimal_filling(self.inputs, self.outputs, p, self._boxes, proved) for p in sorted(self._filling)]
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


def _largest(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """The largest ``value < high`` with ``holds(value)``, given ``holds(low)``: by doubling steps, then by halving."""
    step = 1
    while low + step < high and holds(low + step):
        low += step
        step *= 2
    high = min(high, low + step)
    while high - low > 1:
        middle = (low + high) // 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low
