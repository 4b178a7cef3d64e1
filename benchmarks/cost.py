"""What a long job costs with more workers, and what a larger one would cost: a model fitted to stored measurements.

``python benchmarks/cost.py measure`` writes docs/cost.json, with the environment (some minutes of a processor);
``python benchmarks/cost.py tell`` fits the model to it and prints the tables of the page *Performance*.

A job has a part that the process which was started does itself, and a part that workers share. With ``n`` workers on
as many processors of their own, and the first process on one more, it takes ``start + max(own, shared / n)`` seconds if
both go on at the same time, which they do but for the first and the last tasks.
"""

from __future__ import annotations

import json
import math
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

STORED = Path(__file__).parent.parent / "docs" / "cost.json"
DEPTHS = (6, 7, 8, 9)
BOXES = ({2: 20, 3: 5}, {2: 20, 3: 7, 4: 4}, {2: 20, 3: 9, 4: 5}, {2: 20, 3: 10, 4: 6, 5: 4})
DEGREES = (2, 3, 4, 5, 6)
FEW = 50
"""Boxes below which a search says nothing about the cost of one."""
LARGE = 2_214_480
"""Rows of an atlas that was measured and is not fitted: 190 seconds of processors."""


@dataclass(frozen=True)
class Power:
    """``factor · x ** exponent``, fitted on logarithms."""

    factor: float
    exponent: float

    @classmethod
    def fit(cls, x: Sequence[float], y: Sequence[float]) -> Power:
        """Least squares on logarithms."""
        exponent, shift = np.polyfit(np.log(x), np.log(y), 1)
        return cls(math.exp(shift), float(exponent))

    def __call__(self, x: float) -> float:
        """The value at ``x``."""
        return self.factor * x**self.exponent


@dataclass(frozen=True)
class Job:
    """Seconds of processors: of the first process, shared by the workers, and until a worker has begun."""

    own: float
    shared: float
    start: float

    def wall(self, workers: int) -> float:
        """Seconds with so many workers, each on a processor of its own."""
        return self.start + max(self.own, self.shared / workers)

    @property
    def enough(self) -> int:
        """Workers beyond which the first process is the limit."""
        return math.ceil(self.shared / self.own)


@dataclass(frozen=True)
class FrontierCost:
    """Seconds of a frontier by its numbers of architectures and boxes and its ambient dimension N.

    A rank costs ``overhead + evaluation · N² + elimination · N³``, none of them negative; a box, with the bounds that
    it takes and the points that it moves, a power of the number of boxes.
    """

    overhead: float
    evaluation: float
    elimination: float
    box: Power
    fixed: float
    """Of the first process, before the first box."""
    start: float
    """Until a worker has begun."""

    @classmethod
    def fit(cls, rows: Sequence[dict[str, Any]]) -> FrontierCost:
        """From searches with one worker, the time of ranks apart, and with two; the smallest has next to no boxes."""
        from scipy.optimize import nnls

        fixed = min(r["rest"] for r in rows)
        some = [r for r in rows if r["boxes"] > FEW]
        n = np.array([r["ambient"] for r in some], float)
        each = np.array([r["ranks"] / r["architectures"] for r in some])
        terms = np.stack([np.ones(len(n)), n**2, n**3], axis=1) / each[:, None]  # relative errors count alike
        parts, _ = nnls(terms, np.ones(len(n)))
        box = Power.fit([r["boxes"] for r in some], [(r["rest"] - fixed) / r["boxes"] for r in some])
        start = float(np.median([(r["workers"] - r["ranks"]) / 2 for r in rows]))
        return cls(*map(float, parts), box, fixed, start)

    def rank(self, ambient: float) -> float:
        """Seconds of one rank."""
        return self.overhead + self.evaluation * ambient**2 + self.elimination * ambient**3

    def job(self, architectures: float, boxes: float, ambient: int) -> Job:
        """The cost of a search with these numbers."""
        return Job(self.fixed + boxes * self.box(boxes), architectures * self.rank(ambient), self.start)


@dataclass(frozen=True)
class AtlasCost:
    """Seconds of an atlas by its number of rows: all parts are alike."""

    own: float
    shared: float
    start: float

    @classmethod
    def fit(cls, rows: Sequence[dict[str, Any]]) -> AtlasCost:
        """Straight lines through builds with two workers."""
        counts = [r["rows"] for r in rows]
        own, _ = np.polyfit(counts, [r["parent"] for r in rows], 1)
        shared, start = np.polyfit(counts, [r["workers"] for r in rows], 1)
        return cls(float(own), float(shared), float(start) / 2)

    def job(self, rows: float) -> Job:
        """The cost of so many rows like those measured."""
        return Job(rows * self.own, rows * self.shared, self.start)


def continued(counts: Sequence[float], *, growing: bool) -> float:
    """The next of some growing counts: by their last factor, or by that factor as much larger as it was than before."""
    last, before = counts[-1] / counts[-2], counts[-2] / counts[-3]
    return counts[-1] * last * (max(1.0, last / before) if growing else 1.0)


def _spent(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def _measured(job: Callable[[], object]) -> tuple[float, float, float]:
    """Seconds of this process, of its children, and of the clock."""
    own, children, clock = _spent(resource.RUSAGE_SELF), _spent(resource.RUSAGE_CHILDREN), time.perf_counter()
    job()
    return (
        _spent(resource.RUSAGE_SELF) - own,
        _spent(resource.RUSAGE_CHILDREN) - children,
        time.perf_counter() - clock,
    )


def measure_frontier(depth: int, *, two: bool = True) -> dict[str, Any]:
    """One search with one worker, its ranks apart, and one with two."""
    from polygeom.dimensions.frontier import decision, search
    from polygeom.dimensions.survey.batch import tables

    spent = [0.0]
    fills = decision.Decider.fills

    def timed(self: decision.Decider, point: Any) -> bool:
        start = time.process_time()
        try:
            return fills(self, point)
        finally:
            spent[0] += time.process_time() - start

    decision.Decider.fills = timed  # type: ignore[method-assign]
    try:
        tables.cache_clear()
        found: list[Any] = []
        alone = _measured(lambda: found.append(search.frontier(2, 1, 2, depth)))
    finally:
        decision.Decider.fills = fills  # type: ignore[method-assign]
    row = {"depth": depth, "ambient": found[0].ambient_dimension, "architectures": len(found[0].architectures)}
    row |= {"boxes": len(found[0].excluded), "alone": alone[0], "ranks": spent[0], "rest": alone[0] - spent[0]}
    if two:
        tables.cache_clear()
        parent, workers, wall = _measured(lambda: search.frontier(2, 1, 2, depth, workers=2))
        row |= {"parent": parent, "workers": workers, "wall": wall, "wall alone": alone[2]}
    return row


def measure_atlas(box: dict[int, int]) -> dict[str, Any]:
    """One build with one worker, which is a process of its own, and one with two."""
    from polygeom.tables.atlas.build import build_atlas, write_atlas

    def build(workers: int) -> int:
        with tempfile.TemporaryDirectory() as folder:
            columns = build_atlas(box, DEGREES, workers=workers, journal=f"{folder}/journal")
            return write_atlas(columns, f"{folder}/atlas.csv.gz", level=6)

    counts: list[int] = []
    one = _measured(lambda: counts.append(build(1)))
    parent, workers, wall = _measured(lambda: build(2))
    row = {"rows": counts[0], "alone": one[0] + one[1], "wall alone": one[2]}
    return row | {"parent": parent, "workers": workers, "wall": wall}


def measure() -> dict[str, Any]:
    """All measurements; the first of each kind is not kept, it loads what the others find."""
    from polygeom.sweeps.environment import environment

    measure_frontier(5, two=False)
    measure_atlas({2: 3})
    frontiers = [measure_frontier(depth) for depth in DEPTHS]
    return {"environment": environment(), "frontier": frontiers, "atlas": [measure_atlas(box) for box in BOXES]}


def tell(data: dict[str, Any]) -> str:
    """The model, its predictions, and what was measured and not fitted."""
    cost, atlas = FrontierCost.fit(data["frontier"]), AtlasCost.fit(data["atlas"])
    ranks = ", ".join(f"{1e3 * cost.rank(n):.1f} ms at dimension {n}" for n in (257, 513, 1025))
    lines = [
        f"rank: {ranks}",
        f"box: {1e3 * cost.box(2261):.1f} ms of 2261, times {10**cost.box.exponent:.2f} of ten times as many",
        f"a worker begins after {cost.start:.1f} s",
        f"row of an atlas: {1e6 * atlas.shared:.0f} us shared, {1e6 * atlas.own:.0f} us of the first process",
        "",
        "| job | seconds of processors | first process | 1 worker | 2 | 8 | 64 | workers that pay |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, job in predictions(data, cost, atlas):
        walls = " | ".join(f"{job.wall(n):,.0f}" for n in (1, 2, 8, 64))
        lines.append(f"| {name} | {job.own + job.shared:,.0f} | {job.own:,.0f} | {walls} | {job.enough} |")
    return "\n".join(lines)


def predictions(data: dict[str, Any], cost: FrontierCost, atlas: AtlasCost) -> list[tuple[str, Job]]:
    """Jobs by name: those measured and not fitted, and larger ones."""
    rows = [(f"atlas of {LARGE:,} rows", atlas.job(LARGE)), ("atlas of 10^8 rows", atlas.job(1e8))]
    tens = data.get("depth 10", [])
    rows += [("frontier, depth 10, by its own numbers", cost.job(*ten)) for ten in tens]
    fitted = [(r["architectures"], r["boxes"], r["ambient"]) for r in data["frontier"] if r["architectures"] > 1]
    for known in [fitted, [*fitted, *tens]] if tens else [fitted]:
        for growing in (False, True):
            numbers, ambient = [[float(row[k]) for row in known] for k in (0, 1)], known[-1][2]
            for depth in range(7 + len(known), 12):
                for counts in numbers:
                    counts.append(continued(counts, growing=growing))
                ambient = 2 * ambient - 1
                how = f"from depth {6 + len(known)} with {'growing' if growing else 'constant'} factors"
                text = f"frontier, depth {depth} {how}: {numbers[0][-1]:,.0f} architectures"
                rows.append((text, cost.job(numbers[0][-1], numbers[1][-1], ambient)))
    return rows


if __name__ == "__main__":
    if sys.argv[1:] == ["measure"]:
        known = json.loads(STORED.read_text(encoding="utf-8")) if STORED.exists() else {}
        kept = {name: known[name] for name in ("depth 10",) if name in known}
        STORED.write_text(json.dumps(measure() | kept, indent=1) + "\n", encoding="utf-8")
    elif sys.argv[1:] == ["tell"]:
        sys.stdout.write(tell(json.loads(STORED.read_text(encoding="utf-8"))) + "\n")
    else:
        sys.exit("write: python benchmarks/cost.py measure, or tell")
