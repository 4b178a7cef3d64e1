"""A real dask cluster on the loopback address: a scheduler and two workers, one of which is killed during the sweep."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from polygeom.errors import PolygeomError
from polygeom.ideal.search.search import interpolate
from polygeom.sweeps.cluster import dask_executor
from polygeom.tables import sweep

pytest.importorskip("distributed")
pytestmark = [pytest.mark.timeout(120), pytest.mark.thorough]

NETWORKS = [f"[{a},{b},{c},1] r=2" for a in range(2, 8) for b in range(2, 8) for c in range(2, 8)]


@dataclass(frozen=True)
class Member:
    """A process of the ``dask`` command and the file it logs to."""

    process: subprocess.Popen[bytes]
    log: Path

    def line(self, pattern: str) -> str:
        """The first group of the first match in the log, waited for."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            match = re.search(pattern, self.log.read_text())
            if match:
                return match.group(1)
            time.sleep(0.05)
        raise TimeoutError(self.log.read_text())


@dataclass(frozen=True)
class Cluster:
    """A scheduler's address and its workers."""

    address: str
    workers: list[Member]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One for all tests; the last one of them to use it kills a worker."""
    tmp_path = tmp_path_factory.mktemp("cluster")
    with contextlib.ExitStack() as stack:

        def start(name: str, *arguments: str) -> Member:
            command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard", "--host", "127.0.0.1"]
            log = stack.enter_context((tmp_path / name).open("wb"))
            process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "TMPDIR": str(tmp_path)})
            stack.callback(process.wait)
            stack.callback(process.kill)
            return Member(process, tmp_path / name)

        address = start("scheduler", "scheduler", "--port", "0").line(r"Scheduler at:\s+(tcp://\S+)")
        folder = ["--local-directory", str(tmp_path), "--nthreads", "1", "--no-nanny"]
        workers = [start(f"worker{i}", "worker", address, *folder) for i in range(2)]
        for worker in workers:
            worker.line(r"Registered to:\s+(tcp://\S+)")
        yield Cluster(address, workers)


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
        cluster.workers[0].process.kill()

    with dask_executor(cluster.address) as (executor, capacity):
        assert capacity == 2
        thread = threading.Thread(target=kill_one)
        thread.start()
        table = sweep(NETWORKS, timeout=60, executor=executor, workers=capacity, progress=False)
        thread.join()
    assert cluster.workers[0].process.wait(timeout=10) != 0
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
