"""Files of facts, reserved files and reading, piece by piece: what is on the disk, and which descriptors are left."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polygeom.errors import FormatError, PolygeomError
from polygeom.storage import durable
from polygeom.storage.arrays import read_archive, write_archive
from polygeom.storage.facts import FactFile
from polygeom.storage.lines import header_line, is_torn_header, line, parse_line, scan
from polygeom.storage.reading import read_file


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_written_file_leaves_no_descriptor_and_no_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = descriptors()
    path = tmp_path / "file"
    durable.write_file(path, b"x", "out")
    with durable.reserved(path, "out"):
        assert len(durable._reserved) == 1
        assert descriptors() == before + 1
    assert durable._reserved == set()
    assert descriptors() == before
    assert [one.name for one in tmp_path.iterdir()] == ["file"], "what was not written is gone"
    honest = durable._is_open_as
    looks: list[bool] = []

    def renamed_once(descriptor: int, file: Path) -> bool:
        looks.append(honest(descriptor, file))
        return looks[-1] and len(looks) > 1

    monkeypatch.setattr(durable, "_is_open_as", renamed_once)
    durable.write_file(path, b"y", "out")
    assert len(looks) == 3
    assert descriptors() == before, "one for each try"


def test_a_file_is_another_one_once_it_is_renamed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    assert durable._is_open_as(descriptor, path)
    path.rename(tmp_path / "other")
    assert not durable._is_open_as(descriptor, path)
    path.write_bytes(b"")
    assert not durable._is_open_as(descriptor, path)
    os.close(descriptor)


def test_a_fork_closes_what_is_reserved(tmp_path: Path) -> None:
    with durable.reserved(tmp_path / "a", "out"), durable.reserved(tmp_path / "b", "out"):
        if (pid := os.fork()) == 0:
            os._exit(len(durable._reserved))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert len(durable._reserved) == 2


def test_a_full_disk_is_told_and_nothing_is_left_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = descriptors()
    for call, message in (("open", "cannot open"), ("fsync", "cannot use")):
        with monkeypatch.context() as patch:
            patch.setattr(os, call, lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            with pytest.raises(PolygeomError, match=f"journal: {message} .*: No space left on device"):
                FactFile(tmp_path / call)
        assert descriptors() == before
    file = FactFile(tmp_path / "facts")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(PolygeomError, match=r"journal: cannot write .*: No space left on device; what it holds"):
            file.add({"a": 1})
    with pytest.raises(PolygeomError, match="open it again"):
        file.add({"a": 1})
    file.close()
    assert (tmp_path / "facts").read_bytes() == header_line(None), "no last line after a failure"
    assert descriptors() == before


def test_opening_a_file_of_facts_changes_nothing_but_syncs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "facts"
    with FactFile(path, {"a": 1}) as file:
        assert (file.repaired, file.facts, file.path, file.question) == (0, [], path, {"a": 1})
        file.add({"k": 1})
        file.add({"k": 2})
    content = path.read_bytes()
    states = [parse_line(text) for text in content.split(b"\n")[1:-1]]
    assert [(one["n"], one["synced"], one["type"]) for one in states if one] == [
        (1, 1, "row"),
        (2, 2, "row"),
        (3, 3, "end"),
    ]
    synced: list[int] = []
    honest = os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: (synced.append(number), honest(number))[1])
    with FactFile(path, {"a": 1}) as file:
        assert synced == [file._file]
        assert (file.repaired, file.facts) == (0, [{"k": 1}, {"k": 2}])
    assert path.read_bytes() == content
    path.write_bytes(content + b"torn")
    with FactFile(path, {"a": 1}) as file:
        assert file.repaired == 4
        file.add({"k": 3})
    assert path.read_bytes().startswith(content)
    for cut in (0, 7):
        path.write_bytes(content[:cut] + b"\0\0")
        with FactFile(path, {"a": 1}) as file:
            assert (file.repaired, file.facts) == (cut + 2, [])
            file.add({"k": 1})
        assert path.read_bytes() == header_line({"a": 1}) + b"\n".join(content.split(b"\n")[1:2]) + b"\n" + line(
            {"n": 2, "synced": 2, "type": "end", "data": {}}
        )


def rows(*numbers: tuple[int, int]) -> bytes:
    return header_line(None) + b"".join(line({"n": n, "synced": m, "type": "row", "data": n}) for n, m in numbers)


def test_lines_count_up_to_the_first_that_does_not(tmp_path: Path) -> None:
    path = tmp_path / "facts"
    good = rows((1, 1), (2, 2))
    for rest in (b"", b"x\n", line({"n": 4, "synced": 2}), line({"n": 2, "synced": 1}), line({"k": 1})):
        found = scan(good + rest, path, None)
        assert (len(found.entries), found.lines, found.size) == (2, 3, len(good))
        assert [(entry.kind, entry.data) for entry in found.entries] == [("row", 1), ("row", 2)]
    follows = line({"n": 3, "synced": 3, "type": "row", "data": 3})
    assert len(scan(good + b"x\n" + follows[:-1], path, None).entries) == 2, "torn"
    for damaged, number in (
        (good + b"x\n" + line({"n": 4, "synced": 4, "type": "row", "data": 4}), 4),
        (rows((2, 2)), 2),
    ):
        with pytest.raises(PolygeomError, match=f"line {number} of .* is damaged, though a later line says"):
            scan(damaged, path, None)
    behind = scan(good + b"x\n" + line({"n": 4, "synced": 3, "type": "row", "data": 4}), path, None)
    assert behind.lines == 3, "what came after the damaged one did not count on it"


def test_lines_that_are_no_lines() -> None:
    whole = line({"a": 1})[:-1]
    assert parse_line(whole) == {"a": 1}
    for text in (whole[:-1], whole + b"0", b"[]\t" + line([])[:-1].rpartition(b"\t")[2], b""):  # type: ignore[arg-type]
        assert parse_line(text) is None
    deep = b"[" * 100_000
    assert parse_line(b"%s\t%08x" % (deep, zlib.crc32(deep))) is None


def test_a_header_is_torn_when_something_is_missing() -> None:
    whole = header_line({"a": 1})
    for cut in (0, 1, len(whole) - 1):
        assert is_torn_header(whole[:cut], {"a": 1})
        assert is_torn_header(whole[:cut] + b"\0\0", {"a": 1})
    assert not is_torn_header(whole, {"a": 1})
    assert not is_torn_header(whole + b"\0", {"a": 1})
    assert not is_torn_header(whole + b"x", {"a": 1})
    assert not is_torn_header(whole[:-1], {"a": 2})


def test_headers_of_other_files_are_refused(tmp_path: Path) -> None:
    header = {"format": "polygeom journal", "version": 1}
    for data, message in (
        (line(header | {"version": 2}), "has format 2, but this polygeom reads 1"),
        (line(header | {"question": {"a": 1}}), "answers another question"),
        (line(header)[:-2] + b"\n", "the first line of .* is damaged"),
        (b"words\n", "is not a polygeom journal"),
    ):
        with pytest.raises(PolygeomError, match=message):
            scan(data, tmp_path / "facts", None)
    with pytest.raises(PolygeomError, match="answers another question"):
        scan(line(header), tmp_path / "facts", {"a": 1})
    assert scan(line(header | {"question": {"a": [1]}}), tmp_path / "facts", {"a": (1,)}).lines == 1


def test_a_file_of_exactly_the_largest_size_is_read(tmp_path: Path) -> None:
    """Pieces of 2^20 bytes are read; the end of one may be the limit."""
    path = tmp_path / "file"
    for most in (5, 2**20):
        path.write_bytes(b"x" * most)
        assert read_file(path, "table", most=most) == b"x" * most
        path.write_bytes(b"x" * (most + 1))
        with pytest.raises(PolygeomError, match=f"has more than {most} bytes"):
            read_file(path, "table", most=most)


def test_an_archive_is_the_same_file_for_the_same_content(tmp_path: Path) -> None:
    arrays = {"a": np.arange(3)}
    records: list[dict[str, Any]] = [{"x": 1, "b": 2}, {"b": 2, "x": 1}]
    for number, record in enumerate(records):
        write_archive(tmp_path / str(number), "test", arrays, record)
    texts = [str(np.load(tmp_path / name)["record"]) for name in "01"]
    assert texts[0] == texts[1] == '{"b": 2, "format": "test", "x": 1}'
    assert read_archive(tmp_path / "0", "test")[1] == {"b": 2, "x": 1}
    for kind, path in (("other", tmp_path / "0"), ("test", tmp_path / "no")):
        with pytest.raises(FormatError, match=f"this file is no {kind}") as error:
            read_archive(path, kind)
        assert (error.value.text, error.value.position) == (str(path), 0)
