"""What stands around the workers: memory seen from outside, crews, jobs alone, alarms, bars and signals."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from sweeps.helpers import network_task

from polygeom.errors import BudgetError, PolygeomError
from polygeom.supervision import (
    Interrupts,
    Limits,
    Outcome,
    Status,
    Supervisor,
    alarm,
    alone,
    bars,
    interrupts,
    memory,
    parse_memory,
)
from polygeom.supervision.crew import LocalCrew

ACT = "sweeps.workloads:act"


# Memory


def test_shared_memory_is_looked_at_closely_only_where_it_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    exact: dict[int, int] = {}
    pids = [1, 2]
    monkeypatch.setattr(memory, "_lists_children", lambda: True)
    monkeypatch.setattr(memory, "_descendants", lambda root: pids)
    monkeypatch.setattr(memory, "_resident", lambda pid: 10 * pid)
    monkeypatch.setattr(memory, "_proportional", lambda pid: exact[pid])
    assert memory.tree_memory(1, 30) == 30
    exact.update({1: 5, 2: 6})
    assert memory.tree_memory(1, 29) == 11
    exact[2] = 60
    assert memory.tree_memory(1, 29) == 30
    exact.clear()
    del pids[0]
    assert memory.tree_memory(1, 0) == 20, "one process shares with nobody below it"


def test_memory_and_descendants_are_read_from_the_files_of_linux(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for pid, tasks in {1: {1: "2 3", 9: "5"}, 3: {3: "4"}, 4: {4: ""}, 5: {5: ""}}.items():
        for task, children in tasks.items():
            (tmp_path / f"{pid}/task/{task}").mkdir(parents=True)
            (tmp_path / f"{pid}/task/{task}/children").write_text(children)
    (tmp_path / "3/statm").write_text("90 7 1 1\n")
    (tmp_path / "3/smaps_rollup").write_text("00-ff\nRss: 9 kB\nPss:   5 kB\nPss_Dirty: 8 kB\n")
    (tmp_path / "4/statm").write_text("90 8 1 1\n")
    (tmp_path / "4/smaps_rollup").write_text("")
    monkeypatch.setattr(memory, "_PROC", tmp_path)
    assert sorted(memory._descendants(1)) == [1, 2, 3, 4, 5], "the second has ended"
    page = resource.getpagesize()
    assert [memory._resident(pid) for pid in (2, 3, 4)] == [0, 7 * page, 8 * page]
    assert [memory._proportional(pid) for pid in (2, 3, 4)] == [0, 5120, 8 * page]


# Crews


def test_closing_a_crew_waits_for_what_runs_and_cancels_what_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[object] = []
    begun = threading.Event()

    def run(self: Supervisor, task: Any, timeout: float | None, memory: int | None) -> Outcome:
        begun.set()
        time.sleep(0.05)
        return Outcome(Status.OK, {"limits": [timeout, memory]})

    monkeypatch.setattr(Supervisor, "run", run)
    monkeypatch.setattr(Supervisor, "close", closed.append)
    for end in (LocalCrew.close, LocalCrew.stop):
        crew = LocalCrew(1, Limits(3.0, 10**9))
        futures = [crew.submit(network_task(ACT, "x")) for _ in range(2)]
        assert begun.wait(10)
        end(crew)
        assert futures[0].done()
        assert futures[0].result()["result"] == {"limits": [3.0, 10**9]}
        assert futures[1].cancelled()
        assert crew._stop._release.alive == (end is LocalCrew.stop)
        if end is LocalCrew.stop:
            assert crew._stop.is_set()
            crew.close()
        assert closed == crew._supervisors
        closed.clear()
        begun.clear()
    crew = LocalCrew(1, Limits(3.0, 10**9))
    assert crew.submit(network_task(ACT, "x"), Limits(1.0)).result()["result"] == {"limits": [1.0, None]}
    crew.close()


class Crew:
    """A crew whose job ends after so many seconds, if at all."""

    def __init__(self, seconds: float | None, workers: int, limits: Limits) -> None:
        self.workers, self.limits = workers, limits
        self.calls: list[str] = []
        self.future: Future[dict[str, Any]] = Future()
        self._timer = None if seconds is None else threading.Timer(seconds, self.finish)

    def submit(self, job: Any) -> Future[dict[str, Any]]:
        if self._timer is not None:
            self._timer.start()
        return self.future

    def finish(self) -> None:
        self.future.set_result(Outcome(Status.OK, {"x": 1}).as_dict())

    def stop(self) -> None:
        self.calls.append("stop")

    def close(self) -> None:
        self.calls.append("close")
        if self._timer is not None:
            self._timer.join()


@pytest.mark.parametrize(("seconds", "timeout"), [(0.1, None), (0.1, 20.0), (None, 0.03)])
def test_one_job_alone(monkeypatch: pytest.MonkeyPatch, seconds: float | None, timeout: float | None) -> None:
    made: list[Crew] = []

    def crew(workers: int, limits: Limits) -> Crew:
        made.append(Crew(seconds, workers, limits))
        return made[0]

    monkeypatch.setattr(alone, "LocalCrew", crew)
    monkeypatch.setattr(alone, "START", 0.03)
    monkeypatch.setattr(alone, "TICK", 0.02)
    told: list[float] = []
    started = time.monotonic()
    outcome = alone.run_alone(network_task(ACT, "x"), Limits(timeout), told.append)
    took = time.monotonic() - started
    assert (made[0].workers, made[0].limits) == (1, Limits(timeout))
    if seconds is None:
        assert (outcome.status, outcome.message) == (Status.TIMEOUT, "stopped after 0.03 s")
        assert took >= 0.059
        assert made[0].calls == ["stop", "close"]
    else:
        assert outcome == Outcome(Status.OK, {"x": 1})
        assert made[0].calls == ["close"]
    assert len(told) >= 1
    assert 0.019 <= told[0] <= told[-1] <= took


def test_one_job_alone_ends_with_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    crew = Crew(None, 1, Limits())
    monkeypatch.setattr(alone, "LocalCrew", lambda *_: crew)
    monkeypatch.setattr(alone, "TICK", 0.01)

    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        alone.run_alone(network_task(ACT, "x"), Limits(), interrupt)
    assert crew.calls == ["stop", "close"]


# Alarms


def spin(seconds: float, name: str = __name__) -> None:
    """Look at the clock in a loop, in a frame of the module of that name."""
    code = "import time\nend = time.monotonic() + seconds\nwhile time.monotonic() < end:\n    pass\n"
    exec(code, {"__name__": name, "seconds": seconds})


def test_an_alarm_leaves_the_clock_of_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm, "GRACE", 0.01)
    heard: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, _: heard.append(number))
    clock = signal.setitimer(signal.ITIMER_REAL, 500, 7)
    try:
        with alarm.last_resort(None):
            assert signal.getitimer(signal.ITIMER_REAL)[1] == 7
        with alarm.last_resort(30):
            left, again = signal.getitimer(signal.ITIMER_REAL)
            assert 29 < left <= 30.01
            assert again == alarm.AGAIN
        left, again = signal.getitimer(signal.ITIMER_REAL)
        assert 400 < left <= 500
        assert again == 7
        os.kill(os.getpid(), signal.SIGALRM)
        assert heard == [signal.SIGALRM]
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *clock)


def test_an_alarm_rings_in_the_main_thread_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    handlers: list[Any] = []

    def look() -> None:
        with alarm.last_resort(60):
            handlers.append(signal.getsignal(signal.SIGALRM))

    before = signal.getsignal(signal.SIGALRM)
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    look()
    assert handlers[0] is before
    assert handlers[1] is not before


def test_an_alarm_waits_until_processes_have_been_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm, "GRACE", 0.0)
    moments: list[float] = []

    def work() -> None:
        with alarm.last_resort(0.2):
            moments.append(time.monotonic())
            try:
                spin(0.35, "polygeom.supervision.process")  # between two rings, at .3 and .4
            finally:
                moments.append(time.monotonic())
            spin(60)

    with pytest.raises(BudgetError, match=r"stopped after 0\.2 s, in a step that cannot be"):
        work()
    assert moments[1] - moments[0] >= 0.35, "not in the middle of it"
    assert time.monotonic() - moments[1] < 30


# Bars, jobs, limits


def test_a_bar_has_no_thread_and_shows_the_mean_speed(capsys: pytest.CaptureFixture[str]) -> None:
    shown, hidden = bars.bar(5, "work", unit="row"), bars.bar(5, "work", show=False)
    assert (shown.disable, hidden.disable) == (False, True)
    assert (shown.total, shown.desc, shown.unit, shown.smoothing) == (5, "work", "row", 0)
    assert (shown.dynamic_ncols is not None, type(shown).monitor_interval) == (True, 0)
    shown.update(5)
    shown.close()
    hidden.close()
    told = capsys.readouterr()
    assert "work: 100%" in told.err
    assert told.out == ""


def test_a_bar_without_a_place_to_go_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    assert bars.bar(5, "work").disable


def test_a_bar_in_a_notebook_has_a_fixed_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bars, "in_notebook", lambda: True)
    monkeypatch.setattr(bars, "find_spec", lambda _: None)
    with bars.bar(5, "work") as shown:
        assert shown.ncols == 100


def test_an_outcome_is_plain_data_and_comes_back() -> None:
    plain = Outcome(Status.OK, {"x": 1}, "words", 1.23456789, 7, 2).as_dict()
    told = {"status": "ok", "result": {"x": 1}, "message": "words", "elapsed": 1.234568, "peak_memory": 7, "deaths": 2}
    assert plain == told
    assert Outcome.from_dict(plain).as_dict() == plain
    assert Outcome(Status.CRASHED).as_dict() == {
        "status": "crashed",
        "result": None,
        "message": "",
        "elapsed": 0.0,
        "peak_memory": None,
        "deaths": 0,
    }


def test_sizes_of_memory_have_two_ends() -> None:
    assert [parse_memory(value) for value in (10**6, "1MB", "1 MiB", 2**60 - 1, None)] == [
        10**6,
        10**6,
        2**20,
        2**60 - 1,
        None,
    ]
    for value in (10**6 - 1, 2**60, "0.99MB", True, 1.5e9, "1XB"):
        with pytest.raises(PolygeomError, match="memory must be"):
            parse_memory(value)  # type: ignore[arg-type]


# Signals


@pytest.fixture
def quiet() -> Any:
    """The handling of signals as it was, afterwards."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    for number, handler in zip(numbers, (signal.default_int_handler, signal.SIG_DFL, signal.SIG_DFL), strict=True):
        signal.signal(number, handler)
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_becomes_a_request(quiet: None, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    number = getattr(signal, name)
    before = signal.getsignal(number)
    calls: list[str] = []
    with Interrupts(lambda: calls.append("wake")) as request:
        assert not request.stopping()
        request.deliver()
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)
        assert (request.requested, request.stopping(), calls) == (number, True, ["wake"])
        monkeypatch.setattr(interrupts, "PATIENCE", 0.0)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before
    seen: list[int] = []
    signal.signal(number, lambda number, _: seen.append(number))
    if name == "SIGINT":
        with pytest.raises(KeyboardInterrupt):
            request.deliver()
    else:
        request.deliver()
        assert seen == [number]
    with request:
        assert signal.getsignal(number) != request._handle, "a program that handles it itself goes on to"
    assert seen == [number] * (name != "SIGINT")


def test_code_of_the_caller_is_interrupted_at_once(quiet: None) -> None:
    with Interrupts(lambda: None) as request:
        with pytest.raises(KeyboardInterrupt), request.at_once():
            os.kill(os.getpid(), signal.SIGINT)
        assert request.requested == signal.SIGINT
    with Interrupts(lambda: None) as request:
        with pytest.raises(ZeroDivisionError), request.at_once():
            raise ZeroDivisionError
        os.kill(os.getpid(), signal.SIGINT)
        assert request.stopping()


def test_requests_are_for_the_main_thread(quiet: None) -> None:
    def enter() -> None:
        with Interrupts(lambda: None) as request:
            handlers.append(signal.getsignal(signal.SIGINT) == request._handle)

    handlers: list[bool] = []
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    enter()
    assert handlers == [False, True]
