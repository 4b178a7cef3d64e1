"""Monodromy whose paths other processes follow: the same solutions, bit for bit, whoever is lost on the way."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from here import CrewOfNone, perform
from sweeps.clusters import running

from polygeom import cli, degree, ed_degree, fibre, supervision
from polygeom.errors import PolygeomError
from polygeom.ideal import Neurovariety
from polygeom.ideal.counting.evidence import Count
from polygeom.ideal.counting.paths import sharing
from polygeom.ideal.counting.paths.monodromy import Solutions, monodromy
from polygeom.ideal.counting.paths.sharing import PathCrew
from polygeom.ideal.counting.paths.systems import Outputs, Sections
from polygeom.ideal.counting.paths.tracking import Deadline, Tracker
from polygeom.ideal.counting.real import real_fibres
from polygeom.network import parse
from polygeom.supervision import Job, Limits
from polygeom.sweeps.cluster import dask_executor
from polygeom.sweeps.crew import ExecutorCrew


class Crew(CrewOfNone):
    """Does each job in this process, or what ``fate`` makes of its number."""

    made: list[Crew]
    fate: Callable[[int, Future[dict[str, Any]]], bool] | None = None

    def __init__(self, workers: int, limits: Limits) -> None:
        super().__init__(workers, limits)
        self.count, self.limits, self.ended = 0, limits, list[str]()
        self.made.append(self)

    def submit(self, task: Job) -> Future[dict[str, Any]]:
        self.count += 1
        future: Future[dict[str, Any]] = Future()
        if self.fate is None or not type(self).fate(self.count, future):  # type: ignore[misc]
            future.set_result(perform(task).as_dict())
        return future

    def stop(self) -> None:
        self.ended.append("stop")

    def close(self) -> None:
        self.ended.append("close")


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every batch is shared but the first."""
    monkeypatch.setattr(sharing, "START", 0.0)
    monkeypatch.setattr(sharing, "LONG", 0.0)
    monkeypatch.setattr(sharing, "SHORTEST", 0.0)


@pytest.fixture
def crews(eager: None, monkeypatch: pytest.MonkeyPatch) -> list[Crew]:
    monkeypatch.setattr(Crew, "made", [], raising=False)
    monkeypatch.setattr(Crew, "fate", None)
    monkeypatch.setattr(supervision, "LocalCrew", Crew)
    return Crew.made


def section(text: str = "[2,2,2,2] r=2", seed: int = 0) -> tuple[Sections, np.random.Generator]:
    network, rng = parse(text), np.random.default_rng(seed)
    return Sections(Outputs.random(network, Neurovariety(network).dimension, rng), rng), rng


def counted(workers: int = 1, executor: Any = None) -> Solutions:
    system, rng = section()
    with PathCrew(workers, executor) as crew:
        return monodromy(system, rng, rounds=4, crew=crew)


def same(found: Solutions, other: Solutions) -> None:
    plain = [replace(one, weights=None, parameters=None) for one in (found, other)]  # type: ignore[arg-type]
    assert [vars(plain[0])] == [vars(plain[1])]
    assert found.weights.tobytes() == other.weights.tobytes()
    assert found.parameters.tobytes() == other.parameters.tobytes()


def timeless(count: Count) -> Count:
    return replace(count, evidence=tuple(replace(e, elapsed=0.0) for e in count.evidence))


@pytest.mark.parametrize("workers", [2, 3])
def test_any_number_of_workers_finds_the_same(crews: list[Crew], workers: int) -> None:
    alone = counted()
    assert not crews
    same(counted(workers), alone)
    (crew,) = crews
    assert (crew.capacity, crew.limits, crew.ended) == (workers, Limits(None), ["stop", "close"])
    assert crew.count > 4 * workers
    assert alone.count > 1


def test_what_no_worker_could_do_is_done_here(crews: list[Crew], monkeypatch: pytest.MonkeyPatch) -> None:
    def fate(number: int, future: Future[dict[str, Any]]) -> bool:
        if number % 4 == 0:
            future.set_result({"status": "crashed", "result": None, "message": "worker killed by SIGKILL"})
        elif number % 4 == 1:
            future.set_exception(RuntimeError("three workers of the cluster have died of it"))
        elif number % 4 == 2:
            assert future.cancel()
            future.set_running_or_notify_cancel()
        return number % 4 != 3

    monkeypatch.setattr(Crew, "fate", staticmethod(fate))
    same(counted(2), counted())
    assert crews[0].count > 8


def test_an_executor_that_takes_no_more_leaves_the_work_here(eager: None) -> None:
    class Breaking(ThreadPoolExecutor):
        left = 2

        def submit(self, *_: Any, **__: Any) -> Future[Any]:
            if not self.left:
                raise BrokenExecutor("a process has ended")
            self.left -= 1
            future: Future[Any] = Future()
            future.set_exception(BrokenExecutor("a process has ended"))
            return future

    same(counted(2, Breaking()), counted())
    with pytest.raises(PolygeomError, match=r"executor must be a concurrent\.futures\.Executor, got str"):
        degree("[2,2,2,2] r=2", method="monodromy", executor="local")  # type: ignore[arg-type]


def test_a_limit_ends_the_wait(crews: list[Crew], monkeypatch: pytest.MonkeyPatch) -> None:
    system, rng = section()
    w, base = system.start(rng)
    monkeypatch.setattr(
        Crew, "fate", staticmethod(lambda _, future: future.set_running_or_notify_cancel())
    )  # nobody answers
    with PathCrew(2) as crew:
        tracker = Tracker(system, time.monotonic() + 0.2, crew)
        tracker.follow(w, base, system.move(base, rng), np.exp(0.5j))
        with pytest.raises(Deadline):
            tracker.follow(w, base, system.move(base, rng), np.exp(0.5j))
    assert crews[0].ended == ["stop", "close"]
    assert 0 < (crews[0].limits.timeout or 0) <= 0.2


def test_short_work_starts_nothing(crews: list[Crew], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "START", 1e3)
    same(counted(2), counted())
    assert not crews
    crew = PathCrew(2)
    monkeypatch.setattr(sharing, "START", 4.0)
    monkeypatch.setattr(sharing, "LONG", 0.3)
    assert [crew.takes(seconds) for seconds in (2.0, 2.0, 0.1, 0.5, 0.2, 0.4)] == [
        False,
        True,
        False,
        True,
        False,
        True,
    ]
    assert [PathCrew(1).takes(1e6), PathCrew(1, ThreadPoolExecutor(1)).takes(1e6)] == [False, True]
    monkeypatch.setattr(sharing, "SHORTEST", 0.03)
    assert [crew.size(n, pace) for n, pace in ((8, 0.5), (800, 0.001), (10, 0.001), (9000, 0.01), (3, 9.0))] == [
        1,
        100,
        30,
        200,
        1,
    ]


def test_numbers_cross_over_bit_for_bit() -> None:
    values = [7, np.array([[np.nan, -0.0], [np.inf, 1e-310]]), np.zeros((0, 3), complex), np.arange(4)]
    back = sharing._unpacked(json.loads(json.dumps(sharing._packed(values))))
    assert back[0] == 7
    for one, other in zip(values[1:], back[1:], strict=True):
        assert isinstance(one, np.ndarray)
        assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
        assert other.flags.writeable or not other.size


def test_public_functions_take_workers(crews: list[Crew]) -> None:
    options: dict[str, Any] = {"method": "monodromy", "rng": 3}
    for function, text in ((degree, "[2,2,2,2] r=2"), (ed_degree, "[2,1,1] r=3"), (fibre, "[2,2,1] r=3")):
        made = len(crews)
        one, two = function(text, **options), function(text, workers=2, **options)
        assert len(crews) == made + 1
        if isinstance(one, Count):
            one, two = timeless(one), timeless(two)
        assert one == two
    variety = Neurovariety("[2,2,2,2] r=2", workers=3)
    degree(variety, method="monodromy")
    assert crews[-1].capacity == 3
    assert real_fibres("[2,2,1] r=3", 3, workers=2) == real_fibres("[2,2,1] r=3", 3)
    for function in (degree, fibre):
        with pytest.raises(PolygeomError, match="workers must be an integer of at least 1, got 0; write workers=1"):
            function("[2,2,1] r=3", workers=0)


def test_commands_take_workers(crews: list[Crew], capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["degree", "[2,2,2,2] r=2", "--method", "monodromy"], ["fibre", "[2,2,1] r=3", "--real", "2"]):
        told = []
        for workers in ("1", "2"):
            assert cli.run([*command, "--workers", workers]) == 0
            told.append(capsys.readouterr().out)
        assert told[0] == told[1]
        assert crews
        crews.clear()
    assert cli.run(["degree", "[2,2,1] r=3", "--workers", "0"]) == 2
    assert "workers must be an integer of at least 1" in capsys.readouterr().err


def test_a_cluster_that_does_not_answer_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("distributed")
    assert cli.run(["degree", "[2,2,1] r=3", "--dask", "tcp://127.0.0.1:9"]) == 2
    assert "no scheduler answers" in capsys.readouterr().err


@pytest.mark.thorough
def test_a_worker_that_is_killed_changes_nothing(eager: None, monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    follow = PathCrew.follow

    def told(self: PathCrew, *given: Any) -> Any:
        if self._crew is not None and not killed:
            killed.extend(one.worker for one in self._crew._supervisors[:1])  # type: ignore[attr-defined]
            threading.Timer(0.01, os.kill, (killed[0], signal.SIGKILL)).start()
        return follow(self, *given)

    monkeypatch.setattr(PathCrew, "follow", told)
    same(counted(2), counted())
    assert killed
    with pytest.raises(ProcessLookupError):
        os.kill(killed[0], 0)


@pytest.mark.thorough
@pytest.mark.timeout(120)
def test_a_cluster_that_loses_a_worker_finds_the_same(
    eager: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    done, submit = threading.Event(), ExecutorCrew.submit

    def told(self: ExecutorCrew, task: Any) -> Future[dict[str, Any]]:
        future = submit(self, task)
        future.add_done_callback(lambda _: done.set())
        return future

    monkeypatch.setattr(ExecutorCrew, "submit", told)
    with running(tmp_path) as cluster:

        def lose_one() -> None:
            done.wait(60)
            cluster.lose(0)

        thread = threading.Thread(target=lose_one)
        thread.start()
        with dask_executor(cluster.address) as (executor, capacity):
            assert capacity == 2
            found = counted(capacity, executor)
        thread.join()
        assert cluster.workers[0].process.poll() is not None
    same(found, counted())
