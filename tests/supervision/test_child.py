"""The two processes behind a worker slot, function by function, in this process: what they do, and in which order."""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from polygeom.supervision import child


def test_frames_come_out_as_they_went_in() -> None:
    buffer = bytearray()
    for value in ({"a": [1, None]}, "b"):
        buffer += child.encode_frame(value)
    whole = bytes(buffer)
    for end in range(len(whole)):
        part = bytearray(whole[:end])
        found = []
        while (value := child.take_frame(part)) is not None:
            found.append(value)
        assert found == [{"a": [1, None]}, "b"][: len(found)]
        assert child.encode_frame({"a": [1, None]}) * len(found) + bytes(part) == whole[:end]
    assert [child.take_frame(buffer), child.take_frame(buffer), child.take_frame(buffer)] == [
        {"a": [1, None]},
        "b",
        None,
    ]


def test_a_message_is_one_line_of_limited_length() -> None:
    assert child.plain("a\n\tb \0 c") == "a b c"
    assert child.plain("x" * 1000) == "x" * 1000
    assert child.plain("x" * 1001) == "x" * 999 + "…"
    assert child.plain("\n" * 39 + "ab", 10) == "a"


def test_a_signal_reaches_a_process_that_leads_no_group() -> None:
    process = subprocess.Popen(["sleep", "60"])
    child._signal_group(process.pid, signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL


# The keeper


class Keeper:
    """What `_wait` of a keeper sees: signals that it sends, and a worker that ends after so many of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, patience: int, others: int = 0) -> None:
        self.sent: list[tuple[int, float]] = []
        self.bell, self.clapper = os.pipe()
        self.life, self.parent = socket.socketpair()
        self.reaped: list[tuple[int, int] | None] = [(5, 0), (6, 9)][:others]
        self.patience = patience
        monkeypatch.setattr(child, "GRACE", 0.02)
        monkeypatch.setattr(child, "_reap", self.reap)
        monkeypatch.setattr(child, "_signal_group", lambda _, number: self.sent.append((number, time.monotonic())))

    def reap(self) -> tuple[int, int] | None:
        if self.reaped:
            return self.reaped.pop()
        return (77, 9) if len(self.sent) >= self.patience else None

    def wait(self, parent: int) -> int:
        return child._wait(77, self.bell, self.life.fileno(), parent)

    def close(self) -> list[int]:
        os.set_blocking(self.bell, False)
        for end in (self.life, self.parent):
            end.close()
        for number in (self.bell, self.clapper):
            os.close(number)
        return [number for number, _ in self.sent]


def test_a_worker_is_asked_to_end_and_then_made_to(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = Keeper(monkeypatch, patience=3, others=2)
    keeper.parent.send(b"k")
    assert keeper.wait(os.getppid()) == 9
    (_, first), (_, second), (_, third) = keeper.sent
    assert second - first >= 0.019
    assert third - second >= 0.019
    assert keeper.close() == [signal.SIGTERM, signal.SIGKILL, signal.SIGKILL]


def test_a_worker_without_a_parent_is_asked_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = Keeper(monkeypatch, patience=1)
    assert keeper.wait(os.getppid() + 1) == 9
    assert keeper.close() == [signal.SIGTERM]


def test_a_bell_wakes_the_keeper_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = Keeper(monkeypatch, patience=1)
    os.write(keeper.clapper, b"xx")
    looks = iter([None, None, (77, 3)])
    monkeypatch.setattr(child, "_reap", lambda: next(looks))
    threading.Timer(0.05, os.write, (keeper.clapper, b"x")).start()
    assert keeper.wait(os.getppid()) == 3
    os.set_blocking(keeper.bell, False)
    with pytest.raises(BlockingIOError):
        os.read(keeper.bell, 1)
    assert keeper.close() == []


def test_what_a_worker_left_behind_is_killed_and_reaped() -> None:
    """In a process of its own: the group of the worker, and a child that left it."""
    if (keeper := os.fork()) == 0:
        rc = 1
        try:
            others = [subprocess.Popen(["sleep", "60"], start_new_session=True) for _ in range(2)]
            child._clean_up(others[0].pid)
            rc = sum(psutil.pid_exists(other.pid) for other in others)
        finally:
            os._exit(rc)
    assert os.waitpid(keeper, 0)[1] == 0


def test_the_group_of_the_worker_is_killed_where_no_children_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    killed = []

    def nobody(*_: int) -> Any:
        raise ChildProcessError

    monkeypatch.setattr(os, "killpg", lambda *what: killed.append(what))
    monkeypatch.setattr(os, "waitpid", nobody)
    child._clean_up(77)
    assert killed == [(77, signal.SIGKILL)]


# The worker


def test_a_worker_whose_keeper_is_gone_ends_at_once() -> None:
    if (pid := os.fork()) == 0:
        child._become_worker(os.getppid() + 1)
        os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1


def test_a_worker_is_prepared_in_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What its module leaves as garbage is not kept for ever."""
    calls: list[str] = []
    monkeypatch.setattr(gc, "collect", lambda: calls.append("collect"))
    monkeypatch.setattr(gc, "freeze", lambda: calls.append("freeze"))
    name = f"module_{os.urandom(4).hex()}"
    (tmp_path / f"{name}.py").write_text(
        "warm = []\ndef prepare():\n    warm.append(1)\ndef run(task):\n    return {}\n"
    )
    monkeypatch.setattr(sys, "path", list(sys.path))
    function, reply = child._prepare({"target": f"{name}:run", "path": [str(tmp_path), *sys.path]})
    module = sys.modules.pop(name)
    assert (function, module.warm, calls) == (module.run, [1], ["collect", "freeze"])
    assert reply["status"] == "ready"
    assert reply["memory_now"] > 10**6
    assert child._prepare({"target": "math:pi", "path": sys.path})[1]["status"] == "ready"
    function, reply = child._prepare({"target": "no.such:run", "path": sys.path})
    assert (function, reply["status"], reply["result"]) == (None, "crashed", None)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Memory that a test sets, instead of that of this process."""
    state = SimpleNamespace(fresh=True, peak=0, limits=[])

    def use() -> dict[str, int]:
        return {"memory_now": 100, "peak_memory": state.peak}

    monkeypatch.setattr(child, "_reset_peak", lambda: state.fresh)
    monkeypatch.setattr(child, "_memory_use", use)
    monkeypatch.setattr(child, "_limit_memory", state.limits.append)
    monkeypatch.setattr(child, "_spoiled", lambda: False)
    return state


def perform(task: Any, memory: int | None = None, **answer: Any) -> dict[str, Any]:
    reply = child._perform(lambda given: answer | given, {"task": task, "memory": memory})
    json.dumps(reply)
    return reply


def test_a_task_is_answered_with_all_there_is_to_know(memory: SimpleNamespace) -> None:
    memory.peak = 150
    told = {"memory_now": 100, "peak_memory": 150, "spoiled": False}
    assert perform({"x": 1}, 50) == {"status": "ok", "message": "", "result": {"x": 1}, **told}
    assert memory.limits == [50, None]
    memory.peak = told["peak_memory"] = 151
    assert perform({"x": 1}, 50) == {"status": "memory", "message": "needed more than 50 bytes", "result": None, **told}
    assert perform({"x": 1})["status"] == "ok"
    memory.fresh = False
    assert perform({"x": 1}, 50)["status"] == "ok"


def test_the_limit_is_lifted_before_an_error_is_described(
    memory: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = child._failure
    seen: list[Any] = []
    monkeypatch.setattr(child, "_failure", lambda error: (seen.append(list(memory.limits)), honest(error))[1])

    def fail(_: Any) -> Any:
        raise MemoryError("no room")

    for limit, message in ((50, "needed more than 50 bytes"), (None, "MemoryError: no room")):
        reply = child._perform(fail, {"task": {}, "memory": limit})
        assert (reply["status"], reply["message"]) == ("memory", message)
    assert seen == [[50, None], [50, None, None, None, None]]


def test_results_have_a_largest_size(memory: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "MAX_FRAME", 10)
    assert perform({"a": 100})["result"] == {"a": 100}
    assert perform({"a": 1000})["message"] == (
        "ValueError: the result has 11 bytes as JSON, more than the 10 a row may have"
    )


def test_threads_and_processes_left_over_spoil_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    assert not child._spoiled()
    process = subprocess.Popen(["sleep", "60"])
    assert child._spoiled()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: 0)
        assert not child._spoiled(), "nobody lists the children"
    process.kill()
    process.wait()
    assert not child._spoiled()
    monkeypatch.setattr(threading, "active_count", lambda: 2)
    assert child._spoiled()


@pytest.mark.parametrize(
    ("hard", "size", "extra", "soft"),
    [
        (resource.RLIM_INFINITY, 7, 5, 12 + child.SLACK),
        (13 + child.SLACK, 7, 5, 12 + child.SLACK),
        (11 + child.SLACK, 7, 5, 11 + child.SLACK),
        (resource.RLIM_INFINITY, 7, None, resource.RLIM_INFINITY),
        (99, None, 5, 99),
    ],
)
def test_addresses_are_limited_up_to_the_hard_limit(
    monkeypatch: pytest.MonkeyPatch, hard: int, size: int | None, extra: int | None, soft: int
) -> None:
    set_to: list[Any] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda *what: set_to.append(what))
    monkeypatch.setattr(child, "_statm", lambda field: size if field == 0 else -1)
    child._limit_memory(extra)
    assert set_to == [(resource.RLIMIT_AS, (soft, hard))]


def test_memory_is_that_which_others_see() -> None:
    seen = psutil.Process().memory_info()
    assert child._statm(0) == pytest.approx(seen.vms, rel=0.1)
    assert child._statm(1) == pytest.approx(seen.rss, rel=0.1)
    assert child._memory_use()["memory_now"] == pytest.approx(seen.rss, rel=0.1)


def test_memory_without_the_files_of_linux(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`ru_maxrss` is in kibibytes on Linux, in bytes on macOS."""
    monkeypatch.setattr(child, "Path", lambda _: tmp_path / "no")
    monkeypatch.setattr(resource, "getrusage", lambda _: SimpleNamespace(ru_maxrss=3000))
    assert child._statm(0) is None
    assert child._memory_use() == {"peak_memory": 3_072_000, "memory_now": 3_072_000}
    monkeypatch.setattr(sys, "platform", "darwin")
    assert child._memory_use() == {"peak_memory": 3000, "memory_now": 3000}
    monkeypatch.setattr(child, "Path", lambda name: tmp_path / "folder" / name[1:])
    assert not child._reset_peak()


def test_the_peak_is_that_since_it_was_reset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "status").write_text("Name: x\nVmPeak: 9 kB\nVmHWM:\t  7 kB\nVmRSS: 5 kB\n")
    (tmp_path / "statm").write_text("20 4 1\n")
    (tmp_path / "clear_refs").write_text("")
    monkeypatch.setattr(child, "Path", lambda name: tmp_path / Path(name).name)
    assert child._memory_use() == {"peak_memory": 7168, "memory_now": 4 * resource.getpagesize()}
    assert child._reset_peak()
    assert (tmp_path / "clear_refs").read_text() == "5"
