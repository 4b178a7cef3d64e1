"""Files that are no files, files that are too large, and archives that are not what they were."""

from __future__ import annotations

import gzip
import io
import os
import random
import socket
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from polygeom import PolygeomError
from polygeom.cli import run
from polygeom.storage import durable
from polygeom.storage.arrays import read_archive, write_archive
from polygeom.storage.facts import FactFile
from polygeom.storage.lines import header_line, line, scan
from polygeom.storage.reading import check_archive, read_file, read_text, unpack_gzip


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def device(folder: Path) -> Path:
    """A link to a device: what is behind it counts."""
    (folder / "device").symlink_to("/dev/null")
    return folder / "device"


def directory(folder: Path) -> Path:
    (folder / "folder").mkdir()
    return folder / "folder"


def nowhere(folder: Path) -> Path:
    return folder / "no" / "file"


def dangling(folder: Path) -> Path:
    (folder / "link").symlink_to(folder / "no" / "file")
    return folder / "link"


NO_FILES = [pipe, device, directory, nowhere, dangling]
NETWORK = "[2,2,1] r=2"
COMMANDS = {
    "sweep --out": ["sweep", NETWORK, "--out"],
    "sweep --journal": ["sweep", NETWORK, "--journal"],
    "sweep --published-format": ["sweep", NETWORK, "--published-format"],
    "dim": ["dim", NETWORK, "--certificate"],
    "ideal --out": ["ideal", NETWORK, "--out"],
    "ideal --certificate": ["ideal", NETWORK, "--certificate"],
    "ideal --journal": ["ideal", NETWORK, "--journal"],
    "frontier": ["frontier", "2", "1", "--degree", "2", "--depth", "2", "--certificate"],
    "frontier --journal": ["frontier", "2", "1", "--degree", "2", "--depth", "2", "--journal"],
    "atlas": ["atlas", "--where", "depth = 2", "--out"],
}


@pytest.mark.parametrize("make", NO_FILES)
@pytest.mark.parametrize("command", COMMANDS)
def test_commands_write_to_files_alone(
    tmp_path: Path, command: str, make: Callable[[Path], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    path = make(tmp_path)
    before = path.lstat() if path.is_symlink() or path.exists() else None
    if command == "sweep --published-format":
        given = str(path)
        path = path.rename(f"{path}.csv") if before is not None else path
    else:
        given = str(path)
    assert run([*COMMANDS[command], given]) == 2
    told = capsys.readouterr()
    assert "must be a file in a folder that exists, got" in told.err
    if before is not None:
        now = path.lstat()
        assert (now.st_mode, now.st_ino) == (before.st_mode, before.st_ino)


@pytest.mark.parametrize("make", [pipe, device, directory])
def test_nothing_is_replaced_by_a_file(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    with pytest.raises(PolygeomError, match=r"it is a (pipe|device|folder); name a file"):
        durable.write_file(make(tmp_path), b"x", "out")
    with pytest.raises(PolygeomError, match=r"it is a (pipe|device|folder); name a file"):
        FactFile(tmp_path / make.__name__.replace("directory", "folder"))


def test_sockets_are_no_files(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        with pytest.raises(PolygeomError, match="it is a socket"):
            durable.write_file(tmp_path / "socket", b"x", "out")


def test_a_link_to_a_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    durable.write_file(tmp_path / "link", b"new", "out")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_device_without_end_and_a_pipe_are_read_to_the_limit(tmp_path: Path) -> None:
    with pytest.raises(PolygeomError, match="/dev/zero has more than 5000000 bytes"):
        read_file("/dev/zero", "table", most=5_000_000)
    path = pipe(tmp_path)
    writer = threading.Thread(target=lambda: path.write_bytes(b"\xef\xbb\xbfwords"))
    writer.start()
    assert read_text(path, "table") == "words"
    writer.join()
    for data, message in ((b"\xff", "not text in UTF-8"), (None, "cannot read")):
        file = tmp_path / "file"
        file.unlink(missing_ok=True)
        if data is not None:
            file.write_bytes(data)
        with pytest.raises(PolygeomError, match=message):
            read_text(file, "table")
    with pytest.raises(PolygeomError, match="cannot read"):
        read_file("a\0b", "table")


def test_a_line_counts_when_its_end_is_written(tmp_path: Path) -> None:
    whole = header_line(None) + line({"n": 1, "synced": 1, "type": "row", "data": {"k": 1}})
    assert [entry.data for entry in scan(whole, tmp_path, None).entries] == [{"k": 1}]
    torn = scan(whole[:-1], tmp_path, None)
    assert (torn.entries, torn.lines, torn.size) == ([], 1, len(header_line(None)))


def test_lines_of_another_format_are_no_journal(tmp_path: Path) -> None:
    for name in ("another journal", "polygeom journals"):
        with pytest.raises(PolygeomError, match="is not a polygeom journal"):
            scan(line({"format": name, "version": 1}), tmp_path, None)


def test_a_journal_whose_number_is_zero_is_closed_too(tmp_path: Path) -> None:
    """A program without standard input gets the number 0 for the first file that it opens."""
    file = FactFile(tmp_path / "journal")
    file.add({"k": 1})
    kept = os.dup(0)
    try:
        os.dup2(file._file, 0)
        os.close(file._file)
        file._file = 0
        file.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(0)
    finally:
        os.dup2(kept, 0)
        os.close(kept)
    assert b'"type":"end"' in (tmp_path / "journal").read_bytes()
    file.close()  # what has the number now is somebody else's
    os.fstat(0)


def test_what_unpacks_to_more_than_the_limit_is_refused_early() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    with pytest.raises(PolygeomError, match="unpacks to more than 1000000 bytes"):
        unpack_gzip(bomb, "file", most=1_000_000)
    assert unpack_gzip(gzip.compress(b"ab") + gzip.compress(b"c"), "file", most=3) == b"abc"
    with pytest.raises(PolygeomError, match="unpacks to more than 2 bytes"):
        unpack_gzip(gzip.compress(b"ab") + gzip.compress(b"c"), "file", most=2)
    for data in (b"", b"abc", bomb[:-4], gzip.compress(b"abc")[:-8] + bytes(8), gzip.compress(b"a") + b"x"):
        with pytest.raises(PolygeomError, match="complete gzip file"):
            unpack_gzip(data, "file", most=10**8)


def test_archives_that_would_become_too_large_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "archive.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", bytes(3_000_000))
    with pytest.raises(PolygeomError, match="unpacks to 3000000 bytes"):
        check_archive(path, "path", most=2_999_999)
    check_archive(path, "path", most=3_000_000)
    monkeypatch.setattr(check_archive, "__kwdefaults__", {"most": 2_000_000})
    with pytest.raises(PolygeomError, match="unpacks to 3000000 bytes"):
        read_archive(path, "test")


def test_an_array_that_claims_to_be_larger_than_its_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "archive.npz"
    header = io.BytesIO()
    shape = {"descr": "<f8", "fortran_order": False, "shape": (2**40, 2**10)}
    np.lib.format.write_array_header_1_0(header, shape)  # type: ignore[arg-type]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", header.getvalue())
        text = io.BytesIO()
        np.save(text, np.array('{"format": "test"}'))
        archive.writestr("record.npy", text.getvalue())
    with pytest.raises(PolygeomError, match="this file is no test"):
        read_archive(path, "test")


def test_archives_hold_no_programs(tmp_path: Path) -> None:
    """Objects of Python would be unpickled, which runs what the file says."""
    path = tmp_path / "archive.npz"
    np.savez(path, record=np.array('{"format": "test"}'), x=np.array([Path()], dtype=object))
    with pytest.raises(PolygeomError, match="this file is no test"):
        read_archive(path, "test")


def altered(data: bytes, rng: random.Random) -> bytes:
    """One byte changed, or the end cut off."""
    at = rng.randrange(len(data))
    if rng.random() < 0.2:
        return data[:at]
    return data[:at] + bytes([data[at] ^ rng.randrange(1, 256)]) + data[at + 1 :]


def test_archives_with_a_wrong_byte_are_refused_or_read_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "archive.npz"
    arrays = {"values": np.arange(6.0), "vectors": np.ones((3, 2))}
    write_archive(path, "test", arrays, {"seed": 1})
    data = path.read_bytes()
    found: dict[str, int] = {"refused": 0, "read": 0}
    for number in range(600):
        path.write_bytes(altered(data, random.Random(number)))
        try:
            read, record = read_archive(path, "test")
        except PolygeomError:
            found["refused"] += 1
            continue
        found["read"] += 1
        assert set(read) == set(arrays)
        same: list[Any] = [np.array_equal(read[name], arrays[name]) for name in arrays]
        assert all(same)
        assert record == {"seed": 1}
    assert min(found.values()) > 10, found


def test_what_a_crash_left_is_used_up(tmp_path: Path) -> None:
    """The content next to the file may be longer than the new one."""
    (tmp_path / ".file.partial").write_bytes(b"x" * 1000)
    durable.write_file(tmp_path / "file", b"new", "out")
    assert (tmp_path / "file").read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_files_have_the_mode_that_the_user_wants(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        durable.write_file(tmp_path / "table", b"x", "out")
        FactFile(tmp_path / "journal").close()
    finally:
        os.umask(before)
    assert {p.stat().st_mode & 0o777 for p in tmp_path.iterdir()} == {0o644}


def test_the_folder_of_a_new_journal_is_written_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the file itself could be lost with the power, and all its rows."""
    written: list[Path] = []
    monkeypatch.setattr(durable, "sync_folder", written.append)
    FactFile(tmp_path / "journal").close()
    assert written == [tmp_path.resolve()]


def test_numbers_that_json_does_not_have_are_not_written() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        line({"x": float("nan")})


def test_a_child_has_no_file_to_close_that_was_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = FactFile(tmp_path / "journal")
    file.close()
    monkeypatch.setattr("sys.unraisablehook", lambda _: os._exit(7))
    child = os.fork()
    if not child:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert file.facts == []
