"""The journal against a dictionary: whatever is cut or flipped, acknowledged rows are there or it says so."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from polygeom.errors import PolygeomError
from polygeom.storage import durable
from polygeom.sweeps import Journal, read_journal, salvage_journal

BATCHES = [[{"key": "a", "x": 1}], [{"key": "b", "x": 2}, {"key": "c", "text": "ü\t\n"}], [{"key": "a", "x": 3}]]


def content(path: Path) -> dict[str, dict[str, Any]]:
    with Journal(path) as journal:
        return {key: journal.get(key) for key in journal}  # type: ignore[misc]


def write(path: Path, batches: list[list[dict[str, Any]]] = BATCHES) -> list[int]:
    """Write batches, and stop as a kill would, without the closing line; returns the file's size after each batch."""
    journal = Journal(path)
    sizes = [path.stat().st_size]
    for batch in batches:
        journal.append(batch)
        sizes.append(path.stat().st_size)
    journal._unsealed = False
    journal.close()
    return sizes


def after(count: int) -> dict[str, dict[str, Any]]:
    return {record["key"]: record for batch in BATCHES[:count] for record in batch}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.journal"


def test_what_was_appended_is_there(path: Path) -> None:
    write(path)
    assert content(path) == after(3)
    assert {record["key"]: record for record in read_journal(path)} == after(3)
    assert [record["key"] for record in read_journal(path)] == ["a", "b", "c"]


def test_lines_are_json_with_a_checksum(path: Path) -> None:
    write(path)
    lines = path.read_bytes().splitlines()
    assert json.loads(lines[0].split(b"\t")[0]) == {"format": "polygeom journal", "version": 1}
    for number, line in enumerate(lines):
        body, _, check = line.rpartition(b"\t")
        assert int(check, 16) == zlib.crc32(body)
        assert json.loads(body).get("n", 0) == number
    assert [json.loads(line.split(b"\t")[0])["synced"] for line in lines[1:]] == [1, 2, 2, 4]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for the disk, in tests that write thousands of files and kill no machine."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.mark.usefixtures("quick")
def test_every_torn_end_is_cut_off_and_nothing_acknowledged_with_it(path: Path) -> None:
    """Cut the file at every byte."""
    sizes = write(path)
    whole = path.read_bytes()
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        acknowledged = sum(end <= size for end in sizes[1:])
        found = content(path)
        assert after(acknowledged).keys() <= found.keys()
        assert all(found[key] == after(3)[key] for key in found.keys() - {"a"})
        assert found.get("a") in (
            [BATCHES[2][0]] if acknowledged == 3 else [BATCHES[0][0], after(acknowledged).get("a")]
        )
        with Journal(path) as journal:
            assert journal.repaired == 0, "the repair is lasting"
            journal.append([{"key": "new"}])
        assert content(path) == {**found, "new": {"key": "new"}}


@pytest.mark.parametrize("rest", [b"\0" * 100, b"\0" * 5000, b"\xff\xfe\n\n\n", b"{}\t00000000\n", b'{"n":5', b"\n"])
@pytest.mark.parametrize("size", [0, 1, 2, 3])
def test_rubbish_after_the_end_is_cut_off(path: Path, rest: bytes, size: int) -> None:
    """What the disk may show after a power failure where nothing acknowledged was."""
    sizes = write(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: sizes[size]] + rest)
    with Journal(path) as journal:
        assert journal.repaired == len(rest)
    assert content(path) == after(size)


def test_a_batch_that_reached_the_disk_in_the_wrong_order_is_cut_off(path: Path) -> None:
    """Its last line is there, its first is not: that happens to a batch before it is synced, and only then."""
    write(path)
    lines = path.read_bytes().splitlines(keepends=True)
    batch = b"".join([b"\0" * len(lines[2]), lines[3]])
    path.write_bytes(b"".join(lines[:2]) + batch)
    with Journal(path) as journal:
        assert journal.repaired == len(batch)
    assert content(path) == after(1)


@pytest.mark.usefixtures("quick")
def test_every_flipped_byte_is_noticed(path: Path) -> None:
    """Damage to lines that later lines vouch for is refused and left alone; the rest counts as torn."""
    sizes = write(path)
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        if place < sizes[2] - 1:  # without its line end, the line before the last makes one torn line with it
            with pytest.raises(PolygeomError, match=r"damaged|not a polygeom journal|reads 1"):
                Journal(path)
            assert path.read_bytes() == bytes(damaged)
        else:
            assert content(path) in (after(2), {"a": BATCHES[0][0], "b": BATCHES[1][0]})


def test_a_closed_journal_vouches_for_all_its_lines(path: Path) -> None:
    write(path)
    Journal(path).close()
    with Journal(path) as journal:
        journal.append([{"key": "d"}])
    whole = path.read_bytes()
    start = whole.index(b'{"n":5')
    for place in range(start, whole.index(b"\n", start)):
        damaged = bytearray(whole)
        damaged[place] ^= 0x04
        path.write_bytes(damaged)
        with pytest.raises(PolygeomError, match="salvage_journal"):
            Journal(path)


@pytest.mark.parametrize("change", ["drop", "repeat", "swap"])
def test_lines_that_are_missing_or_moved_are_noticed(path: Path, change: str) -> None:
    write(path)
    with Journal(path) as journal:
        journal.append([{"key": "d"}])
    lines = path.read_bytes().splitlines(keepends=True)
    changed = {
        "drop": lines[:2] + lines[3:],
        "repeat": [*lines[:3], lines[2], *lines[3:]],
        "swap": [*lines[:2], lines[3], lines[2], *lines[4:]],
    }[change]
    path.write_bytes(b"".join(changed))
    with pytest.raises(PolygeomError, match="is damaged"):
        Journal(path)


def test_salvage_keeps_every_whole_line(path: Path, tmp_path: Path) -> None:
    write(path)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"x":2', b'"x":7'))
    with pytest.raises(PolygeomError):
        Journal(path)
    assert salvage_journal(path, tmp_path / "new") == 2
    assert content(tmp_path / "new") == {"a": {"key": "a", "x": 3}, "c": {"key": "c", "text": "ü\t\n"}}
    with pytest.raises(PolygeomError, match="exists"):
        salvage_journal(path, tmp_path / "new")


@pytest.mark.parametrize(
    "text",
    [
        "network,dimension\n",
        "{}",
        "{}\n",
        "x",
        '{"format":"polygeom journal"',
        "\n",
        "\0x",
        " ",
        '{"format":"other"}\n',
    ],
)
def test_other_files_are_refused_and_left_alone(path: Path, text: str) -> None:
    path.write_text(text)
    if text == '{"format":"polygeom journal"':
        assert content(path) == {}, "the first write was torn"
        return
    with pytest.raises(PolygeomError, match="not a polygeom journal"):
        Journal(path)
    with pytest.raises(PolygeomError, match="not a polygeom journal"):
        read_journal(path)
    assert path.read_text() == text


def test_a_newer_journal_is_refused_with_advice(path: Path) -> None:
    body = b'{"format":"polygeom journal","version":2,"more":[1]}'
    path.write_bytes(b"%s\t%08x\nsomething else entirely\n" % (body, zlib.crc32(body)))
    with pytest.raises(PolygeomError, match="has format 2, but this polygeom reads 1; upgrade polygeom"):
        Journal(path)


def test_a_second_writer_is_refused(path: Path) -> None:
    code = f"from polygeom.sweeps import Journal; Journal({str(path)!r})"
    with Journal(path) as journal:
        journal.append([{"key": "a"}])
        with pytest.raises(PolygeomError, match="another process is writing"):
            Journal(path)
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2]
        )
        assert "another process is writing" in done.stderr
        assert read_journal(path) == [{"key": "a"}]
        journal.append([{"key": "b"}])
    assert content(path).keys() == {"a", "b"}


def test_a_fork_does_not_keep_the_lock(path: Path) -> None:
    """The fork may outlive its killed parent, as the processes of a pool do."""
    journal = Journal(path)
    here, there = socket.socketpair()
    if (pid := os.fork()) == 0:
        try:
            here.close()
            there.send(b"started")
            there.recv(1)
            journal.close()  # it is closed here: another number is somebody else's
            os.fstat(1)
            os._exit(0)
        finally:
            os._exit(1)
    there.close()
    here.recv(7)
    journal.close()
    assert content(path) == {}
    here.close()
    assert os.waitpid(pid, 0)[1] == 0


def test_files_that_cannot_be_opened_are_refused(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "no" / "such"):
        with pytest.raises(PolygeomError, match="journal must be a file"):
            Journal(place)
        with pytest.raises(PolygeomError, match="journal: cannot read"):
            read_journal(place)


def test_a_disk_that_fails_at_once_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(5, "Input/output error")))
        with pytest.raises(PolygeomError, match=r"cannot use .*: Input/output error"):
            Journal(path)
    assert content(path) == after(3)


def test_a_checksum_alone_makes_no_line(path: Path) -> None:
    write(path)
    for body in (b"[1]", b"{", b"\xff", b"7"):
        with path.open("ab") as file:
            file.write(b"%s\t%08x\n" % (body, zlib.crc32(body)))
        assert content(path) == after(3)


def test_a_closed_journal_takes_nothing(path: Path) -> None:
    journal = Journal(path)
    journal.close()
    journal.close()
    with pytest.raises(PolygeomError, match="closed"):
        journal.append([{"key": "a"}])


def test_append_returns_after_the_sync_and_one_batch_is_one_sync(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    real_write, real_sync = os.write, os.fsync
    monkeypatch.setattr(os, "write", lambda fd, data: (calls.append("write"), real_write(fd, data))[1])
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append("sync"), real_sync(fd))[1])
    with Journal(path) as journal:
        calls.clear()
        journal.append([{"key": str(number)} for number in range(50)])
        assert calls == ["write", "sync"]


def test_short_writes_are_completed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data)[:7]))
    write(path)
    monkeypatch.undo()
    assert content(path) == after(3)


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_failing_disk_loses_nothing_acknowledged(path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    real = getattr(os, call)
    journal = Journal(path)
    journal.append(BATCHES[0])

    def fail(fd: int, *rest: Any) -> Any:
        if rest:
            real(fd, bytes(rest[0])[:9])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match="No space"):
        journal.append(BATCHES[1])
    assert journal.get("b") is None
    monkeypatch.undo()
    with pytest.raises(PolygeomError, match="open it again"):
        journal.append(BATCHES[1])
    journal.close()
    with Journal(path) as again:
        assert again.repaired == 0
    assert content(path) == after(1)


def test_replacing_a_file_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.csv"
    durable.write_file(path, b"old", "out")
    for call in ("write", "fsync", "replace", "ftruncate"):
        with monkeypatch.context() as patch:
            patch.setattr(os, call, lambda *_: (_ for _ in ()).throw(OSError(5, "Input/output error")))
            with pytest.raises(PolygeomError, match=r"out: cannot write .*: Input/output error"):
                durable.write_file(path, b"new", "out")
        assert path.read_bytes() == b"old"
        assert os.listdir(tmp_path) == ["table.csv"]
    durable.write_file(path, b"new", "out")
    assert path.read_bytes() == b"new"


def test_replacing_syncs_before_it_renames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for name in ("write", "fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, name=name, real=real: (calls.append(name), real(*a))[1])
    durable.write_file(tmp_path / "table.csv", b"new", "out")
    assert calls == ["write", "fsync", "replace", "fsync"]


def test_two_replacements_at_once_are_refused(tmp_path: Path) -> None:
    partial = os.open(tmp_path / ".table.csv.partial", os.O_RDWR | os.O_CREAT)
    assert durable.try_lock(partial)
    with pytest.raises(PolygeomError, match="another process is writing"):
        durable.write_file(tmp_path / "table.csv", b"new", "out")
    os.close(partial)
    durable.write_file(tmp_path / "table.csv", b"new", "out")
    assert os.listdir(tmp_path) == ["table.csv"]


def test_a_fork_does_not_keep_the_table_of_a_killed_sweep(tmp_path: Path) -> None:
    here, there = socket.socketpair()
    if (pid := os.fork()) == 0:
        here.close()
        with durable.reserved(tmp_path / "table.csv", "out"):
            if os.fork() == 0:
                there.send(b"started")
                there.recv(1)
            else:
                there.close()
                signal.pause()
        os._exit(0)
    there.close()
    here.recv(7)
    with pytest.raises(PolygeomError, match="another process is writing"):
        durable.write_file(tmp_path / "table.csv", b"new", "out")
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    durable.write_file(tmp_path / "table.csv", b"new", "out")
    here.close()
    assert os.listdir(tmp_path) == ["table.csv"]


KEYS = st.sampled_from("abcdef")
RECORDS = st.builds(lambda key, value: {"key": key, "value": value}, KEYS, st.text(max_size=5) | st.integers())


class JournalMachine(RuleBasedStateMachine):
    """A journal, a dictionary that says what was acknowledged, and a disk that fails at any byte."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(os, "fsync", lambda descriptor: None)  # no waiting for the disk
        self.folder = Path(tempfile.mkdtemp())
        self.path = self.folder / "journal"
        self.model: dict[str, dict[str, Any]] = {}
        self.journal: Journal | None = Journal(self.path)

    def teardown(self) -> None:
        if self.journal is not None:
            self.journal.close()
        shutil.rmtree(self.folder)
        self.patch.undo()

    @precondition(lambda self: self.journal is not None)
    @rule(batch=st.lists(RECORDS, max_size=4))
    def append(self, batch: list[dict[str, Any]]) -> None:
        assert self.journal is not None
        self.journal.append(batch)
        self.model.update((record["key"], record) for record in batch)

    @precondition(lambda self: self.journal is not None)
    @rule(batch=st.lists(RECORDS, min_size=1, max_size=4), cut=st.floats(0, 1))
    def crash_while_appending(self, batch: list[dict[str, Any]], cut: float) -> None:
        """A part of the batch reaches the disk, and nobody was told."""
        assert self.journal is not None
        before = self.path.stat().st_size
        self.journal.append(batch)
        self.crash()
        size = self.path.stat().st_size
        os.truncate(self.path, before + int(cut * (size - before)))
        self.reopen(maybe=batch)

    @precondition(lambda self: self.journal is not None)
    @rule(rest=st.binary(max_size=50))
    def crash_with_rubbish(self, rest: bytes) -> None:
        self.crash()
        with self.path.open("ab") as file:
            file.write(rest)
        self.reopen()

    @precondition(lambda self: self.journal is not None)
    @rule()
    def crash(self) -> None:
        assert self.journal is not None
        self.journal._unsealed = False
        self.journal.close()
        self.journal = None

    @precondition(lambda self: self.journal is None)
    @rule()
    def reopen(self, maybe: list[dict[str, Any]] | None = None) -> None:
        self.journal = Journal(self.path)
        found = {key: self.journal.get(key) for key in self.journal}
        states = [dict(self.model)]
        for record in maybe or []:
            states.append({**states[-1], record["key"]: record})
        assert found in states, "the acknowledged rows, and of a torn batch a beginning"
        self.model = found  # type: ignore[assignment]

    @precondition(lambda self: self.journal is not None)
    @rule()
    def close_and_reopen(self) -> None:
        assert self.journal is not None
        self.journal.close()
        self.reopen()

    @precondition(lambda self: self.journal is not None)
    @rule()
    def second_writer(self) -> None:
        with pytest.raises(PolygeomError, match="another process"):
            Journal(self.path)

    @rule(place=st.floats(0, 0.999), bit=st.integers(0, 7))
    def damage_a_copy(self, place: float, bit: int) -> None:
        """One flipped bit: refused, or no row but those of the last batch differs."""
        data = bytearray(self.path.read_bytes())
        data[int(place * len(data))] ^= 1 << bit
        copy = self.folder / "copy"
        copy.write_bytes(data)
        try:
            found = content(copy)
        except PolygeomError:
            return
        for key, record in found.items():
            assert record == self.model[key] or record in self.history(key)

    def history(self, key: str) -> list[dict[str, Any]]:
        lines = [json.loads(line.rpartition(b"\t")[0]) for line in self.path.read_bytes().splitlines()[1:]]
        return [line["data"] for line in lines if line["type"] == "row" and line["data"]["key"] == key]

    @invariant()
    def agrees(self) -> None:
        assert {record["key"]: record for record in read_journal(self.path)} == self.model


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any"
    path.write_bytes(data)
    try:
        Journal(path).close()
    except PolygeomError:
        assert path.read_bytes() == data


def test_a_journal_whose_first_write_was_cut_short_has_no_rows(tmp_path: Path) -> None:
    """What a reader meets that comes before the header is written, or after a writer was killed there."""
    path = tmp_path / "journal"
    with Journal(path):
        pass
    header = path.read_bytes().split(b"\n")[0] + b"\n"
    for length in range(len(header)):
        path.write_bytes(header[:length])
        assert read_journal(path) == []
