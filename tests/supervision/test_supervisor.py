"""Whatever a task does, its supervisor answers in time and leaves nothing behind (the leak check looks, too)."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from sweeps.helpers import MARK, marked, network_task, wait_until

from polygeom.supervision import Outcome, Status, StopSignal, Supervisor
from polygeom.supervision.alone import run_alone
from polygeom.supervision.child import _receive
from polygeom.supervision.crew import LocalCrew
from polygeom.supervision.limits import Limits
from polygeom.supervision.memory import tree_memory
from polygeom.supervision.process import WorkerProcess

ACT = "sweeps.workloads:act"


def act(
    supervisor: Supervisor, text: str, timeout: float = 20.0, memory: int | None = None, **options: object
) -> Outcome:
    return supervisor.run(network_task(ACT, text, options), timeout, memory)


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    with Supervisor() as one:
        yield one


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> str:
    """A mark on all processes started in this test."""
    monkeypatch.setenv(MARK, name := os.urandom(8).hex())
    return name


def test_a_result_comes_back() -> None:
    with Supervisor() as supervisor:
        outcome = supervisor.run(network_task("sweeps.workloads:answer", "abc", {}, 7))
    assert outcome.status is Status.OK
    assert outcome.result == {"dimension": 301, "upper": 301, "proved": True, "seed": 7}
    assert outcome.message == ""
    assert 0 < outcome.elapsed < 5
    assert 10**6 < (outcome.peak_memory or 0) < 10**9


def test_the_worker_is_kept_between_tasks() -> None:
    with Supervisor() as supervisor:
        outcomes = [act(supervisor, "whoami") for _ in range(5)]
        assert {outcome.result["dimension"] for outcome in outcomes if outcome.result} == {supervisor.worker}


DEATHS = {
    "segfault": "3 times: worker killed by SIGSEGV",
    "abort": "3 times: worker killed by SIGABRT",
    "leave": "3 times: worker exited with code 3: not enough coffee",
    "killed": "3 times: worker killed by SIGKILL (from outside; the system does so when memory runs out)",
    "breed_and_die": "3 times: worker killed by SIGKILL (from outside; the system does so when memory runs out)",
}


@pytest.mark.parametrize("name", DEATHS)
def test_a_task_that_kills_its_worker_is_tried_three_times(name: str, mark: str) -> None:
    with Supervisor() as supervisor:
        outcome = act(supervisor, name)
        assert (outcome.status, outcome.deaths, outcome.message) == (Status.CRASHED, 3, DEATHS[name])
        assert marked(mark) == []
        assert act(supervisor, "answer").status is Status.OK


@pytest.mark.parametrize(("timeout", "given"), [(5.0, [5.0, 4.0, 3.0]), (1.5, [1.5, 0.5, 0.0]), (None, [None] * 3)])
def test_attempts_share_the_time(
    monkeypatch: pytest.MonkeyPatch, timeout: float | None, given: list[float | None]
) -> None:
    seen: list[float | None] = []

    def die(_: Supervisor, task: object, left: float | None, memory: int | None) -> Outcome:
        seen.append(left)
        return Outcome(Status.CRASHED, "", None, 1.0, deaths=1)

    monkeypatch.setattr(Supervisor, "_attempt", die)
    with Supervisor() as supervisor:
        assert act(supervisor, "answer", timeout).deaths == 3  # type: ignore[arg-type]
    assert seen == given


def test_a_task_that_is_stopped_has_a_moment_to_tidy_up(supervisor: Supervisor, tmp_path: Path) -> None:
    assert act(supervisor, "farewell", timeout=0.2, file=str(tmp_path / "file")).status is Status.TIMEOUT
    assert (tmp_path / "file").read_text() == "tidy"


def test_a_supervisor_leaves_no_descriptor() -> None:
    before = os.listdir("/proc/self/fd")
    with Supervisor(stop=StopSignal()) as supervisor:
        act(supervisor, "answer")
    del supervisor
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_a_task_whose_worker_died_by_accident_succeeds(tmp_path: Path) -> None:
    with Supervisor() as supervisor:
        outcome = act(supervisor, "killed_twice", file=str(tmp_path / "deaths"))
    assert (outcome.status, outcome.deaths) == (Status.OK, 2)


NAMED = ": nan" if sys.version_info >= (3, 13) else ""  # what json says of the value
ERRORS = {
    "exit_politely": (Status.CRASHED, "SystemExit: 3"),
    "interrupt": (Status.CRASHED, "KeyboardInterrupt"),
    "unpicklable": (Status.CRASHED, "Unpicklable: a lock and 1 2"),
    "mute": (Status.CRASHED, "Mute"),
    "strange_result": (Status.CRASHED, "TypeError: Object of type lock is not JSON serializable"),
    "not_a_number": (Status.CRASHED, f"ValueError: Out of range float values are not JSON compliant{NAMED}"),
    "no_dict": (Status.CRASHED, "TypeError: a task returns a dict of plain data, got list"),
    "refuse": (Status.INVALID, "widths must have at least 2 entries, got [3]; write [3, 1]"),
    "over_budget": (Status.MEMORY, "BudgetError: a matrix of 80 GB would be needed"),
    "huge_result 70e6": (
        Status.CRASHED,
        "ValueError: the result has 70000028 bytes as JSON, more than the 67108864 a row may have",
    ),
}


@pytest.mark.parametrize("text", ERRORS)
def test_an_error_is_a_row_and_costs_no_worker(supervisor: Supervisor, text: str) -> None:
    act(supervisor, "answer")
    worker = supervisor.worker
    outcome = act(supervisor, text, memory=2**33)
    assert (outcome.status, outcome.message) == ERRORS[text]
    assert (outcome.result, outcome.deaths) == (None, 0)
    assert act(supervisor, "whoami").result == {"dimension": worker}


@pytest.mark.parametrize("target", ["no.such.module:run", "math:nothing", "sys:exit"])
def test_a_task_that_cannot_be_found_is_a_row(supervisor: Supervisor, target: str) -> None:
    outcome = supervisor.run(network_task(target, "x"), timeout=10)
    assert outcome.status is Status.CRASHED
    assert outcome.deaths == 0
    assert outcome.message


@pytest.mark.thorough
def test_large_results_and_much_output_arrive(supervisor: Supervisor) -> None:
    outcome = act(supervisor, "huge_result 20e6")
    assert len((outcome.result or {})["text"]) == 20_000_000
    assert act(supervisor, "talkative").status is Status.OK
    big = supervisor.run(network_task("sweeps.workloads:answer", "x" * 3_000_000), timeout=20)
    assert (big.result or {})["dimension"] == 3_000_000 * ord("x")


ENDLESS = ["spin", "spin_nogil", "sleep 3600", "c_sleep 3600", "deaf 3600", "stop_itself", "breed_and_hang"]


@pytest.mark.parametrize("text", ENDLESS)
def test_a_deadline_holds(text: str, mark: str) -> None:
    """Compiled code with and without the interpreter's lock, a C call, deafness to SIGTERM, SIGSTOP, grandchildren."""
    with Supervisor() as supervisor:
        act(supervisor, "answer")
        start = time.monotonic()
        outcome = act(supervisor, text, timeout=0.4)
        overrun = time.monotonic() - start - 0.4
        assert (outcome.status, outcome.message) == (Status.TIMEOUT, "stopped after 0.4 s")
        assert outcome.elapsed == pytest.approx(0.4, abs=0.3)
        assert overrun < 1.5
        assert marked(mark) == [], "the worker and everything below it is gone when the outcome is there"
        assert act(supervisor, "answer").status is Status.OK


def test_the_deadline_covers_all_attempts() -> None:
    with Supervisor() as supervisor:
        start = time.monotonic()
        outcome = act(supervisor, "sleep_and_die 0.4", timeout=1.0)
        assert time.monotonic() - start < 1.0 + 1.5
        assert (outcome.status, outcome.message, outcome.deaths) == (Status.TIMEOUT, "stopped after 1 s", 2)


@pytest.mark.thorough
def test_all_deadlines_at_once() -> None:
    """Eight workers expire together: what one costs is not paid eight times."""
    supervisors = [Supervisor() for _ in range(8)]
    took: list[float] = []

    def work(supervisor: Supervisor) -> None:
        act(supervisor, "answer")
        ready.wait()
        start = time.monotonic()
        assert act(supervisor, "deaf 3600", timeout=0.5).status is Status.TIMEOUT
        took.append(time.monotonic() - start)
        supervisor.close()

    ready = threading.Barrier(8)
    threads = [threading.Thread(target=work, args=(supervisor,)) for supervisor in supervisors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(took) == 8
    assert max(took) < 0.5 + 2.0


def test_the_wall_clock_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + 86_400 * (-1) ** time.perf_counter_ns())
    with Supervisor() as supervisor:
        assert act(supervisor, "sleep 0.1", timeout=5).status is Status.OK
        assert act(supervisor, "sleep 60", timeout=0.2).status is Status.TIMEOUT


MEMORY = 150 * 10**6


def test_allocating_without_bound_is_a_row(supervisor: Supervisor) -> None:
    outcome = act(supervisor, "allocate", memory=MEMORY)
    assert (outcome.status, outcome.message) == (Status.MEMORY, f"needed more than {MEMORY} bytes")
    assert act(supervisor, "answer", memory=MEMORY).status is Status.OK


def test_an_impossible_allocation_fails_without_harm(supervisor: Supervisor) -> None:
    """Eight terabytes at once are an exception in the task, with a limit and without."""
    act(supervisor, "answer")
    worker = supervisor.worker
    outcome = act(supervisor, "allocate_numpy", memory=MEMORY)
    assert (outcome.status, outcome.message) == (Status.MEMORY, f"needed more than {MEMORY} bytes")
    outcome = act(supervisor, "allocate_numpy")
    assert (outcome.status, outcome.message[:39]) == (Status.MEMORY, "MemoryError: Unable to allocate 7.28 Ti")
    assert supervisor.worker == worker


@pytest.mark.thorough
def test_memory_is_not_exceeded_by_much(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even when nobody watches from outside."""
    monkeypatch.setattr("polygeom.supervision.process.tree_memory", lambda *_, **__: 0)
    outcome = act(supervisor, "allocate", memory=MEMORY)
    assert (outcome.status, outcome.message) == (Status.MEMORY, f"needed more than {MEMORY} bytes")
    assert MEMORY < (outcome.peak_memory or 0) < MEMORY + 600 * 2**20


@pytest.mark.thorough
def test_a_short_peak_counts(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a task is over its limit must not depend on the moments at which somebody looks."""
    monkeypatch.setattr("polygeom.supervision.process.tree_memory", lambda *_, **__: 0)
    for _ in range(2):
        outcome = act(supervisor, "use 200", memory=MEMORY)
        assert (outcome.status, outcome.message) == (Status.MEMORY, f"needed more than {MEMORY} bytes")
        assert act(supervisor, "use 100", memory=MEMORY).status is Status.OK


@pytest.mark.thorough
def test_libraries_can_be_loaded_under_a_limit(supervisor: Supervisor) -> None:
    """They reserve far more addresses than they use memory, which is about 150 MB on Python 3.13."""
    assert act(supervisor, "load", memory=2 * MEMORY).status is Status.OK


def test_memory_of_grandchildren_counts(supervisor: Supervisor, mark: str) -> None:
    outcome = act(supervisor, "allocate_in_children 60", memory=MEMORY)
    assert (outcome.status, outcome.message) == (Status.MEMORY, f"needed more than {MEMORY} bytes")
    assert marked(mark) == []


def test_shared_memory_counts_once(supervisor: Supervisor) -> None:
    assert act(supervisor, "shared_with_children 60", memory=MEMORY).status is Status.OK


@pytest.mark.thorough
def test_the_limit_is_per_task_and_can_be_lifted(supervisor: Supervisor) -> None:
    assert act(supervisor, "use 200", memory=MEMORY).status is Status.MEMORY
    assert act(supervisor, "use 200").status is Status.OK
    for _ in range(2):
        assert act(supervisor, "use 100", memory=MEMORY).status is Status.OK


@pytest.mark.thorough
def test_a_worker_that_grows_is_replaced() -> None:
    with Supervisor() as supervisor:
        workers = {act(supervisor, "keep 100").result["dimension"] for _ in range(6)}  # type: ignore[index]
    assert len(workers) == 2


@pytest.mark.thorough
def test_what_the_first_task_loads_costs_no_worker_unless_it_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries of 300 megabytes would be loaded again for every task."""
    for loaded, wanted in ((2**30, 1), (200 * 2**20, 2)):
        monkeypatch.setattr("polygeom.supervision.supervisor.LOADED", loaded)
        with Supervisor() as supervisor:
            workers = {act(supervisor, f"keep {size}").result["dimension"] for size in (300, 20, 20)}  # type: ignore[index]
        assert len(workers) == wanted


@pytest.mark.thorough
@pytest.mark.parametrize("text", ["breed", "spin_in_thread", "sleep_in_thread"])
def test_a_worker_with_something_left_running_is_replaced(text: str, mark: str) -> None:
    """Otherwise the next task would pay for this one."""
    with Supervisor() as supervisor:
        assert act(supervisor, text).status is Status.OK
        assert act(supervisor, "sleep 0.1", timeout=5).status is Status.OK
        assert not [line for line in marked(mark) if "3600" in line]


def test_closing_takes_everything_along(mark: str) -> None:
    """Twenty grandchildren, half of them in sessions of their own."""
    supervisor = Supervisor()
    thread = threading.Thread(target=act, args=(supervisor, "breed_and_hang", 1.5))
    thread.start()
    wait_until(lambda: sum("3600" in line for line in marked(mark)) == 20, 10, "20 grandchildren")
    thread.join()
    supervisor.close()
    assert marked(mark) == []


def test_a_worker_without_its_supervisor_ends(mark: str) -> None:
    supervisor = Supervisor()
    act(supervisor, "answer")
    assert len(marked(mark)) == 2
    del supervisor
    gc.collect()
    assert marked(mark) == []


def test_closing_twice_and_using_again() -> None:
    supervisor = Supervisor()
    supervisor.close()
    assert act(supervisor, "answer").status is Status.OK
    supervisor.close()
    supervisor.close()
    assert supervisor.worker is None


def test_a_worker_waits_for_its_order_as_long_as_it_was_told() -> None:
    here, there = socket.socketpair()
    with here, there:
        started = time.monotonic()
        assert _receive(there.fileno(), bytearray(), 0.05) is None
        assert time.monotonic() - started > 0.04


def test_an_idle_worker_ends_by_itself(mark: str) -> None:
    supervisor = Supervisor(idle=0.3)
    act(supervisor, "answer")
    wait_until(lambda: not marked(mark), 3, "the idle worker ends")
    outcome = act(supervisor, "answer")
    assert (outcome.status, outcome.deaths) == (Status.OK, 0)
    supervisor.close()


@pytest.mark.parametrize("victim", ["worker", "keeper"])
def test_a_worker_killed_from_outside_is_replaced(victim: str, mark: str) -> None:
    with Supervisor() as supervisor:
        act(supervisor, "answer")
        assert supervisor.worker is not None
        worker = psutil.Process(supervisor.worker)
        killed = worker if victim == "worker" else worker.parent()
        assert killed is not None
        threading.Timer(0.3, killed.kill).start()
        outcome = act(supervisor, "sleep 0.6")
        assert (outcome.status, outcome.deaths) == (Status.OK, 1)
    assert marked(mark) == []


def test_a_stopped_keeper_cannot_keep_a_worker_alive(mark: str) -> None:
    with Supervisor() as supervisor:
        act(supervisor, "answer")
        assert supervisor.worker is not None
        parent = psutil.Process(supervisor.worker).parent()
        assert parent is not None
        parent.suspend()
        start = time.monotonic()
        assert act(supervisor, "spin", timeout=0.2).status is Status.TIMEOUT
        assert time.monotonic() - start < 0.2 + 2.0
    wait_until(lambda: not marked(mark), 1, "all gone")


def test_a_worker_killed_at_rest_costs_no_attempt() -> None:
    with Supervisor() as supervisor:
        act(supervisor, "answer")
        assert supervisor.worker is not None
        os.kill(supervisor.worker, signal.SIGKILL)
        time.sleep(0.2)
        outcome = act(supervisor, "answer")
        assert (outcome.status, outcome.deaths) == (Status.OK, 0)


def test_a_stop_signal_ends_running_and_later_tasks() -> None:
    stop = StopSignal()
    with Supervisor(stop) as supervisor:
        act(supervisor, "answer")
        threading.Timer(0.2, stop.set).start()
        start = time.monotonic()
        assert act(supervisor, "sleep 60").status is Status.CANCELLED
        assert act(supervisor, "answer").status is Status.CANCELLED
        assert time.monotonic() - start < 1.5
    stop.close()


def test_numerical_libraries_have_one_thread(supervisor: Supervisor) -> None:
    assert act(supervisor, "threads").result == {"dimension": 1, "text": "1"}


def test_workers_hold_none_of_our_files(tmp_path: Path) -> None:
    """A worker must not keep a lock or a connection of its parent."""
    with (tmp_path / "open").open("w") as file, socket.socket() as listener:
        os.set_inheritable(file.fileno(), True)
        os.set_inheritable(listener.fileno(), True)
        with Supervisor() as supervisor:
            act(supervisor, "answer")
            assert supervisor.worker is not None
            assert psutil.Process(supervisor.worker).open_files() == []


def test_a_fork_of_this_process_leaves_the_worker_alone() -> None:
    with Supervisor() as supervisor:
        act(supervisor, "answer")
        worker = supervisor.worker
        if (pid := os.fork()) == 0:
            channels = len(os.listdir("/proc/self/fd"))
            supervisor.close()
            os._exit(len(os.listdir("/proc/self/fd")) != channels - 3)
        assert os.waitpid(pid, 0)[1] == 0
        assert act(supervisor, "whoami").result == {"dimension": worker}


def module(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> str:
    """A target in a module with this text, found through the path of this process alone."""
    name = f"module_{os.urandom(4).hex()}"
    (folder / f"{name}.py").write_text(text + "\ndef run(task):\n    return {'dimension': state}\n")
    monkeypatch.syspath_prepend(str(folder))
    return f"{name}:run"


def test_a_new_worker_prepares_outside_the_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "import time\nstate = 0\ntime.sleep(0.3)\ndef prepare():\n    global state\n    state += 1\n    time.sleep(0.3)"
    )
    target = module(tmp_path, monkeypatch, text)
    with Supervisor() as supervisor:
        for _ in range(3):
            outcome = supervisor.run(network_task(target, "x"), timeout=0.25)
            assert (outcome.status, outcome.result) == (Status.OK, {"dimension": 1})


@pytest.mark.parametrize("text", ["import time; time.sleep(60)", "import os; os._exit(3)"])
def test_a_worker_that_never_gets_ready_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("polygeom.supervision.supervisor.START_LIMIT", 0.4)
    with Supervisor() as supervisor:
        outcome = supervisor.run(network_task(module(tmp_path, monkeypatch, text), "x"))
    if "sleep" in text:
        expected = (Status.CRASHED, "worker did not start: not ready after 0.4 s")
    else:
        expected = (Status.CRASHED, "3 times: worker did not start: worker exited with code 3")
    assert (outcome.status, outcome.message) == expected


def test_a_worker_that_hangs_while_starting_obeys_the_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, and not for each of three attempts; and an endless loop as well as a sleep."""
    monkeypatch.setattr("polygeom.supervision.supervisor.START", 0.2)
    for text in ("import time; time.sleep(60)", "while True: pass"):
        with Supervisor() as supervisor:
            start = time.monotonic()
            outcome = supervisor.run(network_task(module(tmp_path, monkeypatch, text), "x"), timeout=0.5)
        assert (outcome.status, outcome.message) == (Status.TIMEOUT, "worker did not start: not ready after 0.5 s")
        assert time.monotonic() - start < 0.5 + 2


def test_a_worker_can_be_stopped_before_it_is_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = StopSignal()
    threading.Timer(0.3, stop.set).start()
    with Supervisor(stop) as supervisor:
        outcome = supervisor.run(network_task(module(tmp_path, monkeypatch, "import time; time.sleep(60)"), "x"))
    assert outcome.status is Status.CANCELLED
    stop.close()


def test_a_machine_that_starts_no_process_is_an_error_and_leaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    with Supervisor() as supervisor, pytest.raises(FileNotFoundError):
        act(supervisor, "answer")


def test_memory_is_seen_where_the_kernel_lists_no_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another route to the same number, for systems without those lists."""
    child = subprocess.Popen(["sleep", "60"])
    usual = tree_memory(os.getpid(), 2**60)
    monkeypatch.setattr("polygeom.supervision.memory._lists_children", lambda: False)
    assert tree_memory(os.getpid(), 2**60) == pytest.approx(usual, rel=0.02)
    child.kill()
    child.wait()
    assert tree_memory(child.pid, 2**60) == 0


ORPHAN = """
import os, sys
sys.path[:0] = [{root!r}, {tests!r}]
from polygeom.supervision import Supervisor
from sweeps.helpers import network_task
supervisor = Supervisor()
supervisor.run(network_task("sweeps.workloads:act", "answer"))
{before}
print("ready", flush=True)
supervisor.run(network_task("sweeps.workloads:act", {task!r}))
"""

FORK = "if os.fork() == 0: import time; time.sleep(60); os._exit(0)"


@pytest.mark.parametrize("task", ["spin", "deaf 3600", "breed_and_hang"])
@pytest.mark.parametrize("before", ["", FORK], ids=["", "fork"])
def test_kill_9_of_the_parent_leaves_nothing(task: str, before: str, mark: str) -> None:
    """Also when a fork of the parent lives on and holds copies of all its channels."""
    root = Path(__file__).parents[2]
    code = ORPHAN.format(root=str(root), tests=str(root / "tests"), task=task, before=before)
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline() == b"ready\n"
    time.sleep(0.3)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until(lambda: all("supervisor.run" in line for line in marked(mark)), 1.5, "all gone but the fork")
    for line in marked(mark):
        os.kill(int(line.split()[0]), signal.SIGKILL)
    wait_until(lambda: not marked(mark), 1, "the fork gone")


@pytest.mark.slow
def test_ten_thousand_tasks_use_no_more_memory_than_a_hundred() -> None:
    with Supervisor() as supervisor:
        sizes = []
        for number in range(10_000):
            assert supervisor.run(network_task("sweeps.workloads:answer", str(number)), 10, 10**9).status is Status.OK
            if number in (100, 9_999):
                assert supervisor.worker is not None
                sizes.append((psutil.Process(supervisor.worker).memory_info().rss, psutil.Process().memory_info().rss))
    assert sizes[1][0] - sizes[0][0] < 4 * 10**6
    assert sizes[1][1] - sizes[0][1] < 20 * 10**6


def test_the_end_of_the_last_words_is_told() -> None:
    """A stream that has ended is ready for ever: who goes on asking turns in circles."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    worker: Any = SimpleNamespace(_errors=read, _words=b"")
    os.write(write, b"not enough ")
    assert WorkerProcess._drain(worker)
    os.write(write, b"coffee")
    os.close(write)
    assert not WorkerProcess._drain(worker)
    assert worker._words == b"not enough coffee"
    os.close(read)


def test_a_task_alone_leaves_its_worker_before_its_answer_is_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[bool] = []
    honest = LocalCrew.close
    monkeypatch.setattr(LocalCrew, "close", lambda self: (closed.append(True), honest(self))[1])
    assert run_alone(network_task(ACT, "answer"), Limits(60)).status is Status.OK
    assert closed
