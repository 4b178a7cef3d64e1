"""Ranks computed by others while the search goes on: the same result, however late they come and whatever they are."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dimension.frontier.weak_bounds import weaken

from polygeom.dimensions.compute import dimension
from polygeom.dimensions.frontier import ahead, decision, search
from polygeom.dimensions.frontier.result import Frontier, minimal_fillings
from polygeom.dimensions.frontier.search import frontier
from polygeom.dimensions.proofs.frontier_check import verify_frontier
from polygeom.network import mlp
from polygeom.sweeps.task import Task


class Late(Future[dict[str, Any]]):
    """An answer that is there when somebody waits for it, not before."""

    def __init__(self, task: Task, status: str) -> None:
        super().__init__()
        self._task, self._status = task, status

    def result(self, timeout: float | None = None) -> dict[str, Any]:
        return {"status": self._status, "result": decision.run(self._task.as_dict())}


class LateCrew:
    """Computes in this process, as late as it can."""

    capacity = 1

    def __init__(self, status: str = "ok") -> None:
        self.status, self.tasks = status, 0

    def submit(self, task: Task) -> Future[dict[str, Any]]:
        self.tasks += 1
        return Late(task, self.status)

    def stop(self) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Callable[..., LateCrew]:
    """Searches after a call of it are done by a crew that answers late."""

    def use(status: str = "ok") -> LateCrew:
        crew = LateCrew(status)

        @contextlib.contextmanager
        def made(*_: object) -> Iterator[LateCrew]:
            yield crew

        monkeypatch.setattr(search, "_crew", made)
        return crew

    return use


def facts(found: Frontier) -> tuple[Any, ...]:
    return found.certificate(), found.ranks, found.bounds, [box.error_bound for box in found.excluded]


@pytest.fixture
def weak(monkeypatch: pytest.MonkeyPatch) -> None:
    weaken(monkeypatch)


@pytest.mark.parametrize("status", ["ok", "crashed"])
def test_late_ranks_give_the_same_result(late: Callable[..., LateCrew], status: str) -> None:
    alone = frontier(2, 1, 2, 7)
    crew = late(status)
    found = frontier(2, 1, 2, 7)
    assert facts(found) == facts(alone)
    assert crew.tasks == 1


def test_one_dimension_less_is_not_filling() -> None:
    decider = decision.Decider(2, 1, (3, 3, 3), {"error": 1e-9, "rng": 0, "memory": None})
    assert dimension("[2,3,4,4,1] r=3").dimension == decider.ambient - 1 == 27
    assert (decider.fills((3, 4, 4)), decider.fills((3, 5, 4))) == (False, True)


@pytest.mark.usefixtures("weak")
@pytest.mark.parametrize("status", ["ok", "crashed"])
def test_a_rank_that_is_too_small_takes_the_search_back(
    late: Callable[..., LateCrew], monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    alone = frontier(2, 2, 2, 5)
    assert alone.unproved
    monkeypatch.setattr(ahead, "TOGETHER", 3)
    crew = late(status)
    found = frontier(2, 2, 2, 5)
    assert facts(found) == facts(alone)
    assert crew.tasks > 3


@pytest.mark.usefixtures("weak")
def test_what_is_not_sure_yet_is_not_kept(late: Callable[..., LateCrew], tmp_path: Path) -> None:
    path = tmp_path / "search.jsonl"
    whole = frontier(2, 2, 2, 5).certificate()
    late()
    for stop_after in itertools.count(3):

        def stop(*_: int, left: list[int] = [stop_after]) -> None:  # noqa: B006  # a counter of this round
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt

        try:
            found = frontier(2, 2, 2, 5, journal=path, progress=stop)
        except KeyboardInterrupt:
            lines = [json.loads(line.partition("\t")[0]) for line in path.read_text().splitlines()[1:]]
            held = [line["data"] for line in lines if line["type"] == "row"]
            assert all(dimension(mlp((2, *one["filling"], 2), 2)).filling for one in held if "filling" in one)
            continue
        break
    assert found.certificate() == whole


def test_when_the_time_is_over_only_known_ranks_count(
    late: Callable[..., LateCrew], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(search.time, "monotonic", lambda: now[0])
    late()

    def tick(found: int, *_: int) -> None:
        now[0] += found >= 5

    stopped = frontier(2, 1, 2, 7, timeout=0.5, progress=tick)
    assert stopped.architectures == ()
    assert len(stopped.open) >= 5
    assert not stopped.complete
    monkeypatch.undo()
    assert verify_frontier(stopped.certificate()).valid


def test_the_first_box_above_each_predecessor_is_named(rng: np.random.Generator, multiplier: int) -> None:
    for _ in range(30 * multiplier):
        boxes = [tuple(row) for row in rng.integers(1, 6, size=(20, 3)).tolist()] + [(6, 6, 6)]
        proved = (rng.random(21) < 0.5).tolist()
        points = [tuple(row) for row in rng.integers(1, 7, size=(5, 3)).tolist()]
        for found, point in zip(minimal_fillings(2, 1, points, boxes, proved), points, strict=True):
            assert found.widths == (2, *point, 1)
            for k, number in enumerate(found.predecessors):
                target = (*point[:k], point[k] - 1, *point[k + 1 :])
                above = [i for i, box in enumerate(boxes) if all(x <= b for x, b in zip(target, box, strict=True))]
                best = min(above, key=lambda i: (not proved[i], i))
                assert number == (None if point[k] == 1 else best)
            assert found.proved == all(n is None or proved[n] for n in found.predecessors)
