"""Sweeps that are interrupted, terminated and killed: nothing acknowledged is lost, nothing is left running."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from here import in_this_process
from sweeps.helpers import ROOT, marked, program, wait_for_rows, wait_until

from polygeom.supervision.interrupts import Interrupts
from polygeom.sweeps import read_journal
from polygeom.tables import read_table, sweep, write_table

ACT, NOTE = "sweeps.workloads:act", "sweeps.workloads:note"
NETWORKS = [f"sleep {0.03 + number * 1e-5:.5f}" for number in range(60)]


def stable(table: Any, folder: Path) -> bytes:
    write_table(table, folder / "stable.csv", timings=False)
    return (folder / "stable.csv").read_bytes()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The stable table of an uninterrupted sweep."""
    return stable(sweep(NETWORKS, target=ACT, workers=2), tmp_path_factory.mktemp("expected"))


def check_resume(folder: Path, expected: bytes) -> None:
    """What was acknowledged is there once, and the same command completes the table."""
    keys = [record["key"] for record in read_journal(folder / "table.csv.journal")]
    assert len(keys) == len(set(keys))
    with in_this_process():
        table = sweep(NETWORKS, target=ACT, out=folder / "table.csv")
    assert stable(table, folder) == expected
    assert stable(read_table(folder / "table.csv"), folder) == expected
    assert sorted(os.listdir(folder)) == ["stable.csv", "table.csv", "table.csv.journal"]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("presses", "tasks"),
    [
        (1, "short"), pytest.param(1, "endless", marks=pytest.mark.slow),
        pytest.param(2, "short", marks=pytest.mark.slow), (2, "endless"),
        *(pytest.param(3, tasks, marks=pytest.mark.slow) for tasks in ("short", "endless")),
    ],
)  # fmt: skip
def test_ctrl_c_stops_within_two_seconds(tmp_path: Path, expected: bytes, tasks: str, presses: int) -> None:
    networks = NETWORKS if tasks == "short" else ["deaf 3600", "spin", *NETWORKS]
    with program(networks, target=ACT, workers=3, out=str(tmp_path / "table.csv")) as (process, mark):
        wait_for_rows(tmp_path / "table.csv.journal", 5)
        known = {record["key"] for record in read_journal(tmp_path / "table.csv.journal")}
        start = time.monotonic()
        for _ in range(presses):
            process.send_signal(signal.SIGINT)
            time.sleep(0.02)
        _, errors = process.communicate(timeout=10)
        assert time.monotonic() - start < 2.0
        assert process.returncode == -signal.SIGINT, errors
        assert errors.splitlines()[-1].startswith("KeyboardInterrupt")  # a second press may add an empty message
        wait_until(lambda: not marked(mark), 0.5, "all gone")
    stored = {record["key"] for record in read_journal(tmp_path / "table.csv.journal")}
    assert known <= stored
    assert len(read_table(tmp_path / "table.csv")) == len(stored)
    check_resume(tmp_path, expected)


@pytest.mark.thorough
@pytest.mark.parametrize("number", [pytest.param(signal.SIGTERM, marks=pytest.mark.slow), signal.SIGHUP])
def test_termination_stops_within_two_seconds(tmp_path: Path, expected: bytes, number: int) -> None:
    """As a batch system does it before it kills."""
    with program(["deaf 3600", *NETWORKS], target=ACT, workers=3, out=str(tmp_path / "table.csv")) as (process, mark):
        wait_for_rows(tmp_path / "table.csv.journal", 5)
        start = time.monotonic()
        process.send_signal(number)
        process.communicate(timeout=10)
        assert time.monotonic() - start < 2.0
        assert process.returncode == -number
        wait_until(lambda: not marked(mark), 0.5, "all gone")
    check_resume(tmp_path, expected)


@pytest.mark.thorough
@pytest.mark.parametrize("rows", [20, *(pytest.param(rows, marks=pytest.mark.slow) for rows in (0, 1, 55))])
def test_kill_9_loses_nothing_acknowledged_and_leaves_nothing(tmp_path: Path, expected: bytes, rows: int) -> None:
    with program(["breed_and_hang", *NETWORKS], target=ACT, workers=2, out=str(tmp_path / "table.csv")) as (
        process,
        mark,
    ):
        wait_for_rows(tmp_path / "table.csv.journal", rows)
        known = {record["key"] for record in read_journal(tmp_path / "table.csv.journal")} if rows else set()
        process.kill()
        process.wait()
        wait_until(lambda: not marked(mark), 1.5, "all gone")
    assert known <= {record["key"] for record in read_journal(tmp_path / "table.csv.journal")}
    check_resume(tmp_path, expected)


@pytest.mark.slow
def test_twenty_kills_at_random_moments(tmp_path: Path, expected: bytes) -> None:
    chance = random.Random(7)
    journal = tmp_path / "table.csv.journal"
    known: set[str] = set()
    for _ in range(20):
        with program(NETWORKS, target=ACT, workers=2, out=str(tmp_path / "table.csv")) as (process, mark):
            wait_until(lambda: journal.exists() or process.poll() is not None, 10, "a start")
            time.sleep(chance.uniform(0, 0.3))
            process.kill()
            process.wait()
            wait_until(lambda: not marked(mark), 1.5, "all gone")
        found = {record["key"] for record in read_journal(journal)} if journal.stat().st_size else set()
        assert known <= found
        known = found
    check_resume(tmp_path, expected)


@pytest.mark.slow
def test_chaos_among_the_workers_changes_nothing(tmp_path: Path, expected: bytes) -> None:
    """Workers and keepers are killed and stopped at random while the sweep runs."""
    chance, over = random.Random(3), threading.Event()

    def chaos() -> None:
        while not over.wait(chance.expovariate(20)):
            for victim in psutil.Process().children(recursive=True):
                if chance.random() < 0.2:
                    try:
                        victim.send_signal(chance.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP]))
                    except psutil.NoSuchProcess:
                        continue

    thread = threading.Thread(target=chaos)
    thread.start()
    networks = NETWORKS
    for _ in range(20):  # a stopped worker is a timeout: those are computed again under a longer deadline
        table = sweep(
            networks, target=ACT, workers=4, timeout=1.0, journal=tmp_path / "journal", retry=["timeout", "crashed"]
        )
        if table["status"].eq("ok").all():
            break
    over.set()
    thread.join()
    table = sweep(networks, target=ACT, journal=tmp_path / "journal", retry=["timeout", "crashed"])
    assert stable(table, tmp_path) == expected


def test_an_interrupt_reaches_a_generator_that_waits(tmp_path: Path) -> None:
    """The caller's own code may block for ever; what is finished by then is stored."""

    def slow() -> Iterator[str]:
        yield "sleep 0.01"
        time.sleep(1)
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        time.sleep(3600)

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        sweep(slow(), target=ACT, journal=tmp_path / "journal")
    assert time.monotonic() - start < 4
    assert len(read_journal(tmp_path / "journal")) == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.thorough
def test_an_interrupt_stops_tasks_of_an_executor_in_this_process(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    start = time.monotonic()
    with ThreadPoolExecutor(2) as executor, pytest.raises(KeyboardInterrupt):
        sweep(["deaf 3600", "spin", "sleep 1"], target=ACT, executor=executor, journal=tmp_path / "journal")
    assert time.monotonic() - start < 2.5


def test_handlers_of_the_program_are_respected() -> None:
    seen = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append("theirs"))
    try:
        with Interrupts(lambda: seen.append("ours")) as interrupts:
            signal.raise_signal(signal.SIGTERM)
            assert seen == ["theirs"]
            signal.raise_signal(signal.SIGINT)
            assert seen == ["theirs", "ours"]
            assert interrupts.requested == signal.SIGINT
    finally:
        signal.signal(signal.SIGTERM, before)
    with pytest.raises(KeyboardInterrupt):
        interrupts.deliver()


def test_a_stop_that_takes_too_long_can_be_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    with Interrupts(lambda: None) as interrupts:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        monkeypatch.setattr("polygeom.supervision.interrupts.PATIENCE", 0.0)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert interrupts.stopping()


def test_a_sweep_in_another_thread_leaves_signals_alone() -> None:
    handlers = []

    def work() -> None:
        sweep(["sleep 0.01"], target=ACT)
        handlers.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler]


FAULTY = """
import json, os, signal, sys, traceback
sys.path[:0] = [{root!r}, {tests!r}]
import polygeom.tables.dimensions
count, wanted, kind = 0, 0, sys.argv[1]

def faulty(real):
    def call(*arguments, **more):
        global count
        count += 1
        if count == wanted:
            if kind == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if kind == "short" and real is write:
                write(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            if kind in ("ENOSPC", "EIO"):
                raise OSError(dict(ENOSPC=28, EIO=5)[kind], kind)
        return real(*arguments, **more)
    return call

write = os.write
from polygeom.sweeps import journal
from polygeom.storage import durable
class Disk:
    def __getattr__(self, name):
        return getattr(os, name)
disk = Disk()
for name in ("write", "fsync", "ftruncate"):
    setattr(disk, name, faulty(getattr(os, name)))
durable.os = journal.os = disk
real_replace = durable.Path.replace
durable.Path.replace = faulty(real_replace)
from here import CrewOfNone
import polygeom.sweeps.run
polygeom.sweeps.run.LocalCrew = CrewOfNone  # the disk is what fails here; other tests kill workers
polygeom.tables.dimensions.frame = list  # saves the time to load pandas
networks = [f"net {{n}}" for n in range(4)]
for wanted, table in enumerate(sys.argv[2:], 1):  # a copy of this process each, which has loaded everything
    reading, writing = os.pipe()
    if not (child := os.fork()):
        told = "", 0
        try:
            polygeom.tables.dimensions.sweep(networks, target="sweeps.workloads:either", out=table)
        except Exception as error:
            told = "".join(traceback.format_exception_only(error)), 1
        write(writing, json.dumps([told[1], count, told[0]]).encode())
        os._exit(told[1])
    os.close(writing)
    with open(reading) as told:
        print(told.read() or json.dumps([-os.WTERMSIG(os.waitpid(child, 0)[1]), 0, ""]), flush=True)
"""


def crashes(kind: str, tables: list[Path]) -> list[tuple[int, int, str]]:
    """Fault n strikes the n-th table: the status, how many writes there were, and the error."""
    code = FAULTY.format(root=str(ROOT), tests=str(ROOT / "tests"))
    command = [sys.executable, "-c", code, kind, *map(str, tables)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


@pytest.mark.thorough
@pytest.mark.parametrize(
    "kind", ["kill", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("short", "ENOSPC", "EIO"))]
)
def test_a_crash_at_every_write_is_survived(tmp_path: Path, kind: str) -> None:
    """Fault number n strikes a sweep that goes on from an older one, for every n until the sweep completes."""
    networks = [f"net {number}" for number in range(4)]
    old = tmp_path / "old"
    old.mkdir()
    sweep(networks[:1], target="sweeps.workloads:either", out=old / "table.csv")
    expected = stable(sweep(networks, target="sweeps.workloads:either"), tmp_path)
    before = (old / "table.csv").read_bytes()
    folders = [tmp_path / f"{kind}{number}" for number in range(1, 31)]
    for folder in folders:
        shutil.copytree(old, folder)
    for number, (folder, (status, writes, error)) in enumerate(
        zip(folders, crashes(kind, [folder / "table.csv" for folder in folders]), strict=True), 1
    ):
        rows = len(read_table(folder / "table.csv"))
        assert rows == 4 or (folder / "table.csv").read_bytes() == before
        assert len(read_journal(folder / "table.csv.journal")) >= 1
        with in_this_process():
            again = sweep(networks, target="sweeps.workloads:either", out=folder / "table.csv")
        assert stable(again, tmp_path) == expected
        assert sorted(os.listdir(folder)) == ["table.csv", "table.csv.journal"]
        if status == 0 and writes < number:
            assert number > 8
            return
        assert status == 0 or status == (-signal.SIGKILL if kind in ("kill", "short") else 1)
        if kind in ("ENOSPC", "EIO") and status:
            assert kind in error.splitlines()[-1]
            assert "PolygeomError" in error.splitlines()[-1]
    raise AssertionError("the sweep never completed")
