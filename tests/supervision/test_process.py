"""The parent's side of a worker, piece by piece: what it hears, what it takes in, and what it says of an end."""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from sweeps.helpers import network_task, wait_until

from polygeom.supervision import Status, Supervisor
from polygeom.supervision.process import WorkerProcess, _readable
from polygeom.supervision.supervisor import _summary

ACT = "sweeps.workloads:act"


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a channel that does not block."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


def test_what_a_keeper_says_is_heard(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    worker: Any = SimpleNamespace(_life=ours, _news=bytearray(), _worker=None)
    seen = []
    for words in (b"", b"1", b"2\n", b"", b"25", b"6\n"):
        theirs.send(words) if words else None
        seen.append((WorkerProcess._hear(worker), worker._worker))
    assert seen == [(True, None), (True, None), (True, 12), (True, 12), (True, 12), (False, 12)]
    assert worker._news == b"12\n256\n"
    other: Any = SimpleNamespace(_life=ours, _news=bytearray(b"12\n"), _worker=12)
    theirs.close()
    assert not WorkerProcess._hear(other)


class Stream:
    """A channel that gives these pieces, one a call, and then blocks."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)

    def recv(self, most: int) -> bytes:
        if not self.pieces:
            raise BlockingIOError
        piece = self.pieces.pop(0)
        assert len(piece) <= most
        return piece


@pytest.mark.parametrize(
    ("pieces", "left", "goes_on"),
    [
        ([b"x" * 65536, b"y", b"not yet"], 1, True),
        ([b"x" * 65536, b"y" * 65536], 0, True),
        ([], 0, True),
        ([b""], 0, False),
        ([b"x" * 65536, b""], 0, False),
        ([b"x" * 65535, b"not yet"], 1, True),
    ],
)
def test_all_that_is_there_is_taken_in(pieces: list[bytes], left: int, goes_on: bool) -> None:
    """A full piece may have more behind it, a shorter one has not."""
    worker: Any = SimpleNamespace(_link=Stream(*pieces), _buffer=bytearray())
    assert WorkerProcess._pull(worker) is goes_on
    assert len(worker._link.pieces) == left
    assert worker._buffer == b"".join(pieces[: len(pieces) - left])


@pytest.mark.parametrize(
    ("news", "words", "text"),
    [
        (b"", b"", "worker and its keeper were killed"),
        (b"12\n", b"words", "worker and its keeper were killed"),
        (b"12\n11\n", b"", "worker killed by SIGSEGV"),
        (b"12\n9\n", b"", "worker killed by SIGKILL (from outside; the system does so when memory runs out)"),
        (b"12\n40\n", b"a\nb\n", "worker killed by signal 40: b"),
        (b"12\n768\n", b"a\n\n b\tc \n", "worker exited with code 3: b c"),
        (b"12\n0\n", b"x" * 201, "worker exited with code 0: " + "x" * 199 + "…"),
        (b"12\n0\n", b"x" * 200, "worker exited with code 0: " + "x" * 200),
    ],
)
def test_an_end_is_told_in_words(news: bytes, words: bytes, text: str) -> None:
    worker: Any = SimpleNamespace(_news=news, _words=words)
    assert WorkerProcess._describe_end(worker) == text


def test_the_last_words_are_the_last_ones() -> None:
    read, write = os.pipe()
    os.set_blocking(read, False)
    worker: Any = SimpleNamespace(_errors=read, _words=b"0123")
    data = bytes(range(256)) * 16
    os.write(write, data[:-2])
    assert WorkerProcess._drain(worker)
    assert worker._words == b"23" + data[:-2]
    os.write(write, data[-2:])
    assert WorkerProcess._drain(worker)
    assert worker._words == data
    os.close(read)
    os.close(write)


def test_a_worker_is_killed_though_its_keeper_is_gone() -> None:
    gone = subprocess.Popen(["true"], start_new_session=True)
    gone.wait()
    alive = subprocess.Popen(["sleep", "60"], start_new_session=True)
    worker: Any = SimpleNamespace(_process=gone, _worker=None)
    WorkerProcess._kill(worker)
    worker._worker = alive.pid
    WorkerProcess._kill(worker)
    assert alive.wait(10) == -signal.SIGKILL


def test_a_worker_by_itself() -> None:
    """Its numbers before it has said anything, its processes, and an end that is told again."""
    process = WorkerProcess(ACT, idle=1.0)
    try:
        assert (process.at_rest, process.resting, process.target) == (0, 0, ACT)
        wait_until(lambda: process.pid is not None, 10, "the worker tells its number")
        worker = psutil.Process(process.pid)
        keeper = worker.parent()
        assert keeper is not None
        assert keeper.pid == process._process.pid
        wait_until(lambda: [os.getsid(one.pid) for one in (worker, keeper)] == [worker.pid, keeper.pid], 10, "sessions")
        # standard streams and its channel; for the keeper besides a bell of two ends
        wait_until(lambda: (worker.num_fds(), keeper.num_fds()) == (4, 6), 10, "what they need not is closed")
        assert not process.ended
        process.used = time.monotonic() - 0.4
        assert not process.ended
        process.used = time.monotonic() - 0.6
        assert process.ended
    finally:
        ending = process.end()
    assert ending == "worker killed by SIGTERM"
    assert process.end() == ending
    assert process._process.returncode == 0
    assert process.ended
    process._worker = None
    assert process.pid is None, "nobody is asked any more"


def test_an_idle_worker_leaves_by_itself() -> None:
    process = WorkerProcess(ACT, idle=0.05)
    order = {"target": "math:sqrt", "path": sys.path, "idle": 0.05}
    reply = process.exchange(order, time.monotonic() + 20, None, None)
    assert isinstance(reply, dict)
    assert process.resting == reply["memory_now"]
    wait_until(lambda: not process._hear(), 10, "the worker leaves")
    assert process.end() == "worker exited with code 0"


LOOK = """
import gc, os, resource, signal, socket, sys, time

def run(task):
    what = task["argument"]["network"]
    if what == "look":
        names = ("SIGCHLD", "SIGUSR1", "SIGTERM", "SIGHUP")
        (link,) = [int(n) for n in os.listdir("/proc/self/fd") if links(n).startswith("socket")]
        return {
            "handlers": [signal.getsignal(getattr(signal, name)) is signal.SIG_DFL for name in names],
            "ignored": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
            "wakeup": signal.set_wakeup_fd(-1),
            "core": resource.getrlimit(resource.RLIMIT_CORE),
            "frozen": gc.get_freeze_count() > 100,
            "inherited": os.get_inheritable(link),
        }
    if what == "talk":
        os.write(2, b"old words")
    if what == "die":
        os._exit(4)
    if what == "hush":
        os.close(2)
        time.sleep(0.4)
    if what == "sleep":
        time.sleep(0.12)
    return {}

def links(n):
    try:
        return os.readlink(f"/proc/self/fd/{n}")
    except OSError:
        return ""
"""


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"module_{os.urandom(4).hex()}"
    (tmp_path / f"{name}.py").write_text(LOOK)
    monkeypatch.syspath_prepend(str(tmp_path))
    return f"{name}:run"


def test_a_worker_from_inside(target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Supervisor() as supervisor:
        assert supervisor.run(network_task(target, "look"), 20).result == {
            "handlers": [True] * 4,
            "ignored": True,
            "wakeup": -1,
            "core": [0, 0],
            "frozen": True,
            "inherited": False,
        }
        before = time.process_time()
        assert supervisor.run(network_task(target, "hush"), 20).status is Status.OK
        assert time.process_time() - before < 0.2, "a stream that has ended is not asked for ever"
    ceilings: list[int] = []

    def measured(extra: int) -> Any:
        return lambda worker, exact_above: ceilings.append(exact_above) or exact_above + extra

    with Supervisor() as supervisor:
        monkeypatch.setattr("polygeom.supervision.process.tree_memory", measured(0))
        assert supervisor.run(network_task(target, "sleep"), 20, 2**33).status is Status.OK
        monkeypatch.setattr("polygeom.supervision.process.tree_memory", measured(1))
        assert supervisor.run(network_task(target, "sleep"), 20, 2**33).status is Status.MEMORY
    assert 2**33 < min(ceilings) <= max(ceilings) < 2**33 + 2**30, "beyond what it has at rest"


def test_last_words_are_those_of_the_last_task(target: str) -> None:
    with Supervisor() as supervisor:
        supervisor.run(network_task(target, "talk"), 20)
        held = weakref.ref(supervisor._process)
        outcome = supervisor.run(network_task(target, "die"), 20)
        assert outcome.message == "3 times: worker exited with code 4"
        gc.collect()
        assert held() is None, "a worker that has ended is not kept"


def test_different_deaths_are_all_told() -> None:
    assert _summary(["a", "a", "a"]) == "3 times: a"
    assert _summary(["a", "b", "a"]) == "a; b; a"


def test_waiting_for_a_descriptor_takes_the_time_given(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    started = time.monotonic()
    assert not _readable(ours.fileno(), 0.03)
    assert time.monotonic() - started >= 0.029
    theirs.send(b"x")
    assert _readable(ours.fileno(), 60.0)


def test_a_keeper_is_gone_when_its_end_is_closed() -> None:
    """Nothing to hear yet is no end; what it said last is heard first."""

    def gone(answer: bytes | type[OSError]) -> bool:
        def recv(size: int, flags: int) -> bytes:
            if isinstance(answer, bytes):
                return answer
            raise answer

        return WorkerProcess._keeper_gone(SimpleNamespace(_life=SimpleNamespace(recv=recv)))  # type: ignore[arg-type]

    assert [gone(answer) for answer in (b"", b"x", BlockingIOError, ConnectionResetError)] == [True, False, False, True]
