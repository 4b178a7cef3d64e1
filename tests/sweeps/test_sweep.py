"""The sweep as a whole: one row for each network whatever happens, the same rows however they were computed."""

from __future__ import annotations

import io
import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import polygeom
from polygeom.errors import PolygeomError
from polygeom.supervision import Limits, Outcome, Status
from polygeom.sweeps import Journal, Task, read_journal
from polygeom.sweeps.progress import Board
from polygeom.sweeps.records import make_record
from polygeom.sweeps.runner import Memory, Runner
from polygeom.tables import read_table, sweep, table_of_journal, write_table
from polygeom.tables.dimensions import PROOFS, proof_of
from polygeom.tables.table import NAMES

ACT, ANSWER, NOTE = "sweeps.workloads:act", "sweeps.workloads:answer", "sweeps.workloads:note"
NETWORKS = [f"net {number}" for number in range(40)]


def stable(table: pd.DataFrame, folder: Path) -> bytes:
    write_table(table, folder / "stable.csv", timings=False)
    return (folder / "stable.csv").read_bytes()


def runs(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "notes"


UGLY = {
    "answer": ("ok", ""),
    "segfault": ("crashed", "3 times: worker killed by SIGSEGV"),
    "spin": ("timeout", "stopped after 2.5 s"),
    "allocate": ("memory", "needed more than 200000000 bytes"),
    "unpicklable": ("crashed", "Unpicklable: a lock and 1 2"),
    "refuse": ("invalid", "widths must have at least 2 entries, got [3]; write [3, 1]"),
    "breed_and_hang": ("timeout", "stopped after 2.5 s"),
    "wrong_type": (
        "crashed",
        "the task returned what does not fit the table: dimension must be an integer, got 'three'",
    ),
    "sleep 0.01": ("ok", ""),
}


@pytest.mark.thorough
def test_every_ugly_task_is_a_row_and_the_sweep_goes_on(tmp_path: Path) -> None:
    table = sweep([*UGLY], target=ACT, workers=3, timeout=2.5, memory="200MB", out=tmp_path / "table.csv")
    assert table["network"].tolist() == [*UGLY]
    assert dict(zip(table["network"], zip(table["status"], table["message"], strict=True), strict=True)) == UGLY
    assert table["dimension"].isna().tolist() == [status != "ok" for status, _ in UGLY.values()]
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.csv"), table)
    records = read_journal(tmp_path / "table.csv.journal")
    assert sorted(record["outcome"]["status"] for record in records) == sorted(status for status, _ in UGLY.values())
    assert table_of_journal(tmp_path / "table.csv.journal").shape == table.shape


@pytest.mark.thorough
def test_the_number_of_workers_and_the_order_do_not_matter(tmp_path: Path) -> None:
    expected = stable(sweep(NETWORKS, target=ANSWER, rng=3), tmp_path)
    assert stable(sweep(NETWORKS, target=ANSWER, rng=3, workers=4), tmp_path) == expected
    assert stable(sweep(iter(NETWORKS), target=ANSWER, rng=3, workers=2), tmp_path) == expected
    turned = sweep(NETWORKS[::-1], target=ANSWER, rng=3, workers=2).iloc[::-1]
    assert stable(turned, tmp_path) == expected
    assert stable(sweep(NETWORKS, target=ANSWER, rng=4), tmp_path) != expected


def test_running_again_computes_nothing_and_gives_the_same_bytes(tmp_path: Path, notes: Path) -> None:
    arguments: dict[str, Any] = {"target": NOTE, "options": {"file": str(notes)}, "out": tmp_path / "table.csv"}
    sweep(NETWORKS, **arguments)
    first = (tmp_path / "table.csv").read_bytes()
    sweep(NETWORKS, workers=2, **arguments)
    assert (tmp_path / "table.csv").read_bytes() == first
    assert runs(notes) == NETWORKS


@pytest.mark.thorough
@pytest.mark.parametrize("done", [0, 1, 7, 39, 40])
def test_resuming_computes_exactly_what_is_missing(tmp_path: Path, notes: Path, done: int) -> None:
    arguments: dict[str, Any] = {"target": NOTE, "options": {"file": str(notes)}, "journal": tmp_path / "journal"}
    expected = stable(sweep(NETWORKS, **{**arguments, "journal": None}), tmp_path)
    notes.unlink()
    sweep(NETWORKS[:done], **arguments)
    resumed = sweep(NETWORKS, workers=2, **arguments)
    assert stable(resumed, tmp_path) == expected
    assert sorted(runs(notes)) == sorted(NETWORKS)


@pytest.mark.thorough
def test_resuming_after_a_torn_end(tmp_path: Path, notes: Path) -> None:
    arguments: dict[str, Any] = {"target": NOTE, "options": {"file": str(notes)}, "journal": tmp_path / "journal"}
    expected = stable(sweep(NETWORKS[:5], **arguments), tmp_path)
    whole = (tmp_path / "journal").read_bytes()
    for size in range(len(whole) // 2, len(whole), 211):
        (tmp_path / "journal").write_bytes(whole[:size])
        notes.unlink()
        known = whole[:size].count(b'"type":"row"') - (b'"type":"row"' in whole[:size].rpartition(b"\n")[2])
        assert stable(sweep(NETWORKS[:5], **arguments), tmp_path) == expected
        assert len(runs(notes)) == 5 - known


def test_a_different_question_is_a_different_row(tmp_path: Path, notes: Path) -> None:
    arguments: dict[str, Any] = {"target": NOTE, "options": {"file": str(notes)}, "journal": tmp_path / "journal"}
    sweep(["a"], **arguments)
    sweep(["a"], rng=1, **arguments)
    sweep(["a"], **{**arguments, "options": {"file": str(notes), "seconds": 0}})
    assert runs(notes) == ["a", "a", "a"]


@pytest.mark.thorough
def test_more_time_or_memory_is_another_attempt(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {"target": ACT, "journal": tmp_path / "journal"}
    networks = ["sleep 1.5", "use 60", "killed"]

    def statuses(timeout: float | None, memory: str | None, **more: Any) -> list[str]:
        return sweep(networks, timeout=timeout, memory=memory, **arguments, **more)["status"].tolist()

    def attempts() -> int:
        return (tmp_path / "journal").read_bytes().count(b'"type":"row"')

    assert statuses(0.9, "40MB") == ["timeout", "memory", "crashed"]
    assert statuses(0.8, "30MB") == ["timeout", "memory", "crashed"]
    assert attempts() == 3
    assert statuses(None, "30MB") == ["ok", "memory", "crashed"]
    assert statuses(0.8, None) == ["ok", "ok", "crashed"]
    assert attempts() == 5
    assert statuses(0.8, None, retry=["crashed"]) == ["ok", "ok", "crashed"]
    assert attempts() == 6


def test_repeated_networks_are_computed_once_and_shown_each_time(notes: Path) -> None:
    table = sweep(["a", "b", "a"], target=NOTE, options={"file": str(notes)}, workers=2)
    assert table["network"].tolist() == ["a", "b", "a"]
    assert sorted(runs(notes)) == ["a", "b"]


def test_a_generator_is_read_only_as_fast_as_tasks_are_handed_out(tmp_path: Path) -> None:
    taken = 0

    def many() -> Iterator[str]:
        nonlocal taken
        for number in range(300):
            taken = number
            yield f"sleep {0.001 + number * 1e-6 if number else 0.3}"

    seen = []
    thread = threading.Timer(0.25, lambda: seen.append(taken))
    thread.start()
    assert len(sweep(many(), target=ACT)) == 300
    thread.join()
    assert 0 < seen[0] < 40


def test_a_generator_that_fails_ends_the_sweep_with_everything_stored(tmp_path: Path) -> None:
    def failing() -> Iterator[str]:
        yield from NETWORKS[:5]
        time.sleep(0.5)
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        sweep(failing(), target=ANSWER, journal=tmp_path / "journal")
    assert len(sweep(NETWORKS[:5], target=ANSWER, journal=tmp_path / "journal")) == 5


def describe(text: str) -> dict[str, Any]:
    if text == "bug":
        raise KeyError("a bug")
    if "bad" in text:
        raise PolygeomError(f"{text} is no network;\nwrite good")
    return {"network": text.strip(), "widths": "[2,3,1]", "parameters": 9}


def test_text_that_is_no_network_is_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweeps.workloads.describe", describe, raising=False)
    networks: list[Any] = [" good ", "bad", 7, "good", None, "bug", "bad" + "x" * 10**6, b"bad"]
    for _ in range(2):
        table = sweep(networks, target=ANSWER, workers=2, out=tmp_path / "table.csv")
        assert table["status"].tolist() == [
            "ok",
            "invalid",
            "invalid",
            "ok",
            "invalid",
            "invalid",
            "invalid",
            "invalid",
        ]
        assert table["network"].tolist()[:6] == ["good", "bad", "7", "good", "None", "bug"]
        assert table.loc[1, "message"] == "bad is no network; write good"
        assert table.loc[2, "message"] == "a network must be text such as '[2,3,1] r=2', or a Network; got int"
        assert table.loc[5, "message"] == "KeyError: 'a bug'"
        assert table["parameters"].tolist()[:2] == [9, pd.NA]
        assert table["message"].str.len().max() <= 1000
    assert (tmp_path / "table.csv.journal").read_bytes().count(b'"type":"row"') == 7


def test_one_network_needs_no_list() -> None:
    class Net:
        text = "net"

    assert sweep("net", target=ANSWER)["network"].tolist() == ["net"]
    assert sweep(Net(), target=ANSWER)["network"].tolist() == ["net"]  # type: ignore[arg-type]
    assert sweep([Net()], target=ANSWER)["network"].tolist() == ["net"]  # type: ignore[list-item]
    assert sweep([], target=ANSWER).shape == (0, len(NAMES))
    assert polygeom.sweep(["net"], target=ANSWER)["status"].tolist() == ["ok"]


def test_a_generator_of_random_numbers_gives_the_seed() -> None:
    one = sweep(["a", "b"], target=ANSWER, rng=np.random.default_rng(5))
    other = sweep(["a", "b"], target=ANSWER, rng=np.random.default_rng(5))
    assert one["seed"].tolist() == other["seed"].tolist()
    assert one["seed"].nunique() == 1
    again = sweep(["a", "b"], target=ANSWER, rng=int(one["seed"][0]))
    assert again["dimension"].tolist() == one["dimension"].tolist()


BAD: dict[str, dict[str, Any]] = {
    "timeout must be": {"timeout": 0},
    "memory must be": {"memory": "2XB"},
    "workers must be": {"workers": 0},
    "workers must be a number": {"workers": 1.5},
    "rng must be": {"rng": None},
    "rng must be an integer from 0": {"rng": -1},
    "options must be plain JSON": {"options": {"a": {1}}},
    "options must be": {"options": {"a": float("nan")}},
    "target must be": {"target": "dim"},
    "executor must be": {"executor": 5},
    "retry must be": {"retry": "crashed"},
    "retry must be a list": {"retry": ["failed"]},
    "out must be a file in a folder that exists": {"out": "/no/such/folder/table.csv"},
    "out must be a file": {"out": "/"},
    "journal must be a file in a folder": {"journal": "/no/such/journal"},
    "networks must be": {"networks": 5},
    "networks must be a list": {"networks": Path("list.txt")},
    "networks must be a list of networks": {"networks": b"[2,3,1] r=2"},
}


@pytest.mark.parametrize("message", BAD)
def test_arguments_that_cannot_be_used_are_refused(message: str) -> None:
    arguments = {"networks": ["x"], "target": ANSWER, **BAD[message]}
    with pytest.raises(PolygeomError, match=message):
        sweep(arguments.pop("networks"), **arguments)


def test_a_journal_that_cannot_be_used_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("precious")
    with pytest.raises(PolygeomError, match="not a polygeom journal"):
        sweep(["x"], target=ANSWER, journal=tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text() == "precious"
    journal = tmp_path / "journal"
    with Journal(journal), pytest.raises(PolygeomError, match="another process is writing"):
        sweep(["x"], target=ANSWER, journal=journal)


def test_two_sweeps_do_not_write_one_table(tmp_path: Path) -> None:
    """With journals of their own. Once the table of the last one stood, in silence."""
    out = tmp_path / "table.csv"

    def networks() -> Iterator[str]:
        yield "first"
        with pytest.raises(PolygeomError, match=r"out: another process is writing .*table\.csv; wait until it ends"):
            sweep(["second"], target=ANSWER, journal=tmp_path / "other", out=out)
        assert sorted(os.listdir(tmp_path)) == [".table.csv.partial", "table.csv.journal"]

    sweep(networks(), target=ANSWER, out=out)
    assert read_table(out)["network"].tolist() == ["first"]
    assert sorted(os.listdir(tmp_path)) == ["table.csv", "table.csv.journal"]
    sweep(["second"], target=ANSWER, journal=tmp_path / "other", out=out)
    assert read_table(out)["network"].tolist() == ["second"]


def test_a_sweep_that_fails_gives_its_table_free(tmp_path: Path) -> None:
    def networks() -> Iterator[str]:
        yield "first"
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        sweep(networks(), target=ANSWER, out=tmp_path / "table.csv")
    assert os.listdir(tmp_path) == ["table.csv.journal"]
    (tmp_path / ".table.csv.partial").write_bytes(b"left by a crash\n" * 1000)
    sweep(["first"], target=ANSWER, out=tmp_path / "table.csv")
    assert read_table(tmp_path / "table.csv")["network"].tolist() == ["first"]
    assert sorted(os.listdir(tmp_path)) == ["table.csv", "table.csv.journal"]


def test_a_full_disk_ends_the_sweep_with_advice_and_it_can_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = os.fsync, iter(range(10**6))

    def fail(descriptor: int) -> None:
        if next(calls) == 6:
            raise OSError(28, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(PolygeomError, match="No space left on device; the rows stored before are safe"):
            sweep(NETWORKS * 3, target=ANSWER, journal=tmp_path / "journal")
    stored = len(read_journal(tmp_path / "journal"))
    assert 0 < stored < 40
    assert sweep(NETWORKS, target=ANSWER, journal=tmp_path / "journal")["status"].tolist() == ["ok"] * 40


EXECUTORS = {
    "threads": lambda: ThreadPoolExecutor(2),
    "forked processes": lambda: ProcessPoolExecutor(2, mp_context=get_context("fork")),
    "spawned processes": lambda: ProcessPoolExecutor(2, mp_context=get_context("spawn")),
}


@pytest.mark.thorough
@pytest.mark.parametrize("name", [*list(EXECUTORS)[:2], pytest.param("spawned processes", marks=pytest.mark.slow)])
def test_any_executor_gives_the_same_table(tmp_path: Path, name: str) -> None:
    networks = [*NETWORKS, "segfault", "sleep 60"]
    kinds = dict.fromkeys(networks, "ok") | {"segfault": "crashed", "sleep 60": "timeout"}
    arguments: dict[str, Any] = {"target": "sweeps.workloads:either", "timeout": 1, "memory": "1GB"}
    expected = sweep(networks, **arguments)
    with EXECUTORS[name]() as executor:
        table = sweep(networks, workers=2, executor=executor, **arguments)
        assert stable(table, tmp_path) == stable(expected, tmp_path)
        assert table["status"].tolist() == list(kinds.values())
        again = sweep(networks[:3], executor=executor, **arguments)
        assert again["status"].tolist() == ["ok"] * 3


class Moody(ThreadPoolExecutor):
    """An executor that fails by itself now and then."""

    def __init__(self, error: Exception, often: int) -> None:
        super().__init__(2)
        self.error, self.often, self.calls = error, often, 0

    def submit(self, *arguments: Any, **more: Any) -> Future[Any]:  # type: ignore[override]
        self.calls += 1
        if self.calls % self.often == 0:
            future: Future[Any] = Future()
            future.set_exception(self.error)
            return future
        return super().submit(*arguments, **more)


def test_failures_of_the_executor_are_tried_again() -> None:
    with Moody(ConnectionError("lost"), 9) as executor:
        assert sweep(NETWORKS, target=ANSWER, executor=executor)["status"].tolist() == ["ok"] * 40
    with Moody(ConnectionError("lost"), 1) as executor:
        row = sweep(["a"], target=ANSWER, executor=executor).loc[0]
    assert (row["status"], row["message"]) == ("crashed", "3 times: the executor failed: ConnectionError: lost")


@pytest.mark.thorough
def test_a_broken_executor_ends_the_sweep_with_advice_and_it_can_go_on(tmp_path: Path) -> None:
    networks = [f"net {number}" for number in range(200)]
    arguments: dict[str, Any] = {"target": ANSWER, "journal": tmp_path / "journal"}
    with (
        Moody(BrokenExecutor("gone"), 100) as executor,
        pytest.raises(PolygeomError, match=r"takes no more tasks \(BrokenExecutor: gone\); finished rows are"),
    ):
        sweep(networks, executor=executor, **arguments)
    assert read_journal(tmp_path / "journal")
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(PolygeomError, match="cannot schedule new futures"):
        sweep(networks, executor=executor, **arguments)
    assert sweep(networks, **arguments)["status"].tolist() == ["ok"] * 200


def test_cancelled_futures_are_not_stored(tmp_path: Path) -> None:
    class Cancelling(Executor):
        def submit(self, *arguments: Any, **more: Any) -> Future[Any]:  # type: ignore[override]
            future: Future[Any] = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    table = sweep(["a"], target=ANSWER, executor=Cancelling(), journal=tmp_path / "journal")
    assert table["status"].tolist() == ["cancelled"]
    assert read_journal(tmp_path / "journal") == []
    assert sweep(["a"], target=ANSWER, journal=tmp_path / "journal")["status"].tolist() == ["ok"]


def test_the_journal_tells_the_environment_and_no_names(tmp_path: Path) -> None:
    import getpass
    import socket

    sweep(["a"], target=ANSWER, journal=tmp_path / "journal")
    text = (tmp_path / "journal").read_text()
    note = json.loads(text.splitlines()[1].split("\t")[0])
    assert note["type"] == "note"
    assert note["data"]["packages"]["numpy"] == np.__version__
    assert str(Path.home()) not in text
    for name in (socket.gethostname(), getpass.getuser()):
        assert f'"{name}"' not in text


def record(status: str, proved: bool = False) -> dict[str, Any]:
    return {"outcome": {"status": status, "result": {"proved": proved}}}


def test_progress_is_one_line_when_piped_and_silent_for_short_sweeps(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep(["a"], target=ANSWER)
    sweep(["a"], target=ANSWER, progress=False)
    assert capsys.readouterr() == ("", "")
    sweep(["a", "a"], target=ANSWER, progress=True)
    assert capsys.readouterr().err == (
        "sweep: 1 of 1 done, 1 proved, 0 probable, 0 timeout, 0 memory, 0 crashed, 0 left\n"
    )
    monkeypatch.setattr("polygeom.sweeps.progress.EVERY", 0.2)
    sweep(["sleep 0.5", "sleep 0.3"], target=ACT)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("sweep: 0 of 2 done, 0 proved,")
    assert lines[-1].startswith("sweep: 2 of 2 done, 2 proved,")


def test_progress_counts_by_status() -> None:
    board = Board(10, False, always=PROOFS, status=proof_of)
    for status, proved in [("ok", True), ("ok", True), ("ok", False), ("timeout", False), ("invalid", False)]:
        board.count(record(status, proved))
    board.count(record("crashed"), resumed=True)
    line = board.line()
    assert line.startswith(
        "sweep: 6 of 10 done, 2 proved, 1 probable, 1 timeout, 0 memory, 1 crashed, 1 invalid, 4 left, about "
    )
    assert line.endswith(" s to go")
    unknown = Board(None, False, always=PROOFS, status=proof_of)
    unknown.count(record("ok"))
    assert unknown.line() == "sweep: 1 done, 0 proved, 1 probable, 0 timeout, 0 memory, 0 crashed"


def test_progress_is_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    sweep(NETWORKS, target=ANSWER, workers=2)
    last = screen.getvalue().replace("\n", "\r").split("\r")
    assert any("40/40" in line and "40 proved" in line and "0 left" in line for line in last)
    sweep(["a"], target=ANSWER, progress=False)
    assert screen.getvalue().count("sweep") == sum(line.count("sweep") for line in last)


def test_progress_counts_a_row_only_when_the_journal_has_it() -> None:
    class Full(Memory):
        def append(self, records: Any) -> None:
            raise OSError(28, "No space left on device")

    board, task = Board(1, False), Task("json:loads")
    record = make_record(task, {}, Limits(), Outcome(Status.OK, {}))
    crew: Any = SimpleNamespace(capacity=1)
    with pytest.raises(OSError, match="No space"):
        Runner(crew, Full(), board, Limits())._keep([record])
    assert (board.done, board.counts.total()) == (0, 0)
    Runner(crew, Memory(), board, Limits())._keep([record])
    assert board.done == 1
