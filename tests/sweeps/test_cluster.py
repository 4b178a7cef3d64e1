"""A real dask cluster on the loopback address: a scheduler and two workers, one of which is killed during the sweep."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator

import pytest
from sweeps.clusters import Cluster, running

from polygeom.errors import PolygeomError
from polygeom.ideal.search.search import interpolate
from polygeom.sweeps.cluster import dask_executor
from polygeom.tables import sweep

pytest.importorskip("distributed")
pytestmark = [pytest.mark.timeout(120), pytest.mark.thorough]

NETWORKS = [f"[{a},{b},{c},1] r=2" for a in range(2, 8) for b in range(2, 8) for c in range(2, 8)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One for all tests; the last one of them to use it kills a worker."""
    with running(tmp_path_factory.mktemp("cluster")) as started:
        yield started


def test_deadlines_hold_on_a_cluster(cluster: Cluster) -> None:
    """[60,60,60,6] takes seconds; its row is a timeout, and the quick ones beside it are done."""
    with dask_executor(cluster.address) as (executor, capacity):
        table = sweep(
            ["[2,3,1] r=2", "[60,60,60,6] r=2", "[3,3,3] r=2"],
            timeout=1.0,
            executor=executor,
            workers=capacity,
            progress=False,
            options={"method": "generic"},
        )
    assert table["status"].tolist() == ["ok", "timeout", "ok"]


def test_equations_are_found_on_a_cluster(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polygeom.ideal.search.interpolation.is_quick", lambda *_: False)
    with dask_executor(cluster.address) as (executor, capacity):
        there = interpolate("[2,2,2,2] r=2", 5, workers=capacity, executor=executor).result
    assert there.generators == interpolate("[2,2,2,2] r=2", 5).result.generators
    assert there.degrees == {5: 6}


def test_a_cluster_that_loses_a_worker_gives_the_same_table(cluster: Cluster) -> None:
    reference = sweep(NETWORKS, timeout=60, progress=False).drop(columns="elapsed")

    def kill_one() -> None:
        time.sleep(0.7)
        cluster.lose(0)

    with dask_executor(cluster.address) as (executor, capacity):
        assert capacity == 2
        thread = threading.Thread(target=kill_one)
        thread.start()
        table = sweep(NETWORKS, timeout=60, executor=executor, workers=capacity, progress=False)
        thread.join()
    assert table.drop(columns="elapsed").equals(reference)


def test_no_scheduler_is_a_clear_error() -> None:
    with (
        pytest.raises(PolygeomError, match=r"no scheduler answers at 'tcp://127\.0\.0\.1:9'; write the address"),
        dask_executor("tcp://127.0.0.1:9", connect_timeout=0.5),
    ):
        pass


def test_dask_that_is_not_installed_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(PolygeomError, match=r'pip install "\.\[cluster\]"'), dask_executor("local"):
        pass
