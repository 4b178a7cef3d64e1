"""Every long job on a dask cluster that loses one of its two workers: the same result as without a cluster."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest
from sweeps.clusters import Cluster, running

from polygeom.dimensions.frontier.search import frontier
from polygeom.ideal.search.search import interpolate
from polygeom.singularities.critical.table import build_table
from polygeom.sweeps.cluster import dask_executor
from polygeom.sweeps.crew import ExecutorCrew
from polygeom.tables import recheck, sweep
from polygeom.tables.atlas.build import build_atlas, write_atlas
from polygeom.tables.atlas.thresholds import build_thresholds
from polygeom.tables.families import FAMILIES, table

pytest.importorskip("distributed")
pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]

How = dict[str, Any]


def a_frontier(out: Path, **how: Any) -> None:
    out.write_text(json.dumps(frontier(2, 1, 2, 8, **how).certificate()))


def an_atlas(out: Path, **how: Any) -> None:
    columns = build_atlas({2: 9, 3: 7, 4: 4}, (2, 3), journal=None, progress=False, **how)
    write_atlas(columns, str(out), level=6)


def thresholds(out: Path, **how: Any) -> None:
    build_thresholds(str(out), widest=7, deepest=3, journal=None, progress=False, **how)


def a_recheck(out: Path, **how: Any) -> None:
    rows = sweep([f"[{a},{b},{c}] r=2" for a in range(2, 5) for b in range(2, 5) for c in range(2, 5)], progress=False)
    found = recheck(rows, progress=False, **how)
    assert not len(found)
    found.attrs["table"].drop(columns="elapsed").to_csv(out, index=False)


def equations(out: Path, **how: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("polygeom.ideal.search.interpolation.is_quick", lambda *_: False)
        out.write_text(str(interpolate("[2,2,2,2] r=2", 5, **how).result.generators))


def a_study(out: Path, **how: Any) -> None:
    pytest.importorskip("torch")
    from polygeom.experiments import run

    options = {"networks": ("[2,1,1] r=2",), "runs": 8, "steps": 40, "polish": 20}
    run("learnable-functions", repeats=2, **options, **how).table.to_csv(out, index=False)


def critical_weights(out: Path, **how: Any) -> None:
    build_table(out, 7, **how)


def a_family(out: Path, **how: Any) -> None:
    table(FAMILIES[0], **how).to_csv(out, index=False)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with running(tmp_path) as started:
        yield started


@pytest.mark.parametrize(
    "job", [a_frontier, an_atlas, thresholds, critical_weights, a_family, a_recheck, equations, a_study]
)
def test_a_job_that_loses_a_worker_gives_the_same_result(
    job: Callable[..., None], cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, there = tmp_path / "alone", tmp_path / "there"
    job(alone)
    done = threading.Event()
    submit = ExecutorCrew.submit

    def told(self: ExecutorCrew, task: Any) -> Future[dict[str, Any]]:
        future = submit(self, task)
        future.add_done_callback(lambda _: done.set())
        return future

    monkeypatch.setattr(ExecutorCrew, "submit", told)

    def lose_one() -> None:
        done.wait(60)
        cluster.lose(0)

    thread = threading.Thread(target=lose_one)
    thread.start()
    with dask_executor(cluster.address) as (executor, capacity):
        assert (isinstance(executor, Executor) or executor is not None, capacity) == (True, 2)
        job(there, workers=capacity, executor=executor)
    thread.join()
    assert done.is_set()
    assert cluster.workers[0].process.poll() is not None
    assert there.read_bytes() == alone.read_bytes()
