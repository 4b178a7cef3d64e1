"""An append-only file of results: one writer, every line with a checksum, every batch on the disk before it counts.

Format 1: lines of JSON, each followed by a tab and the CRC-32 of the JSON in hexadecimal. The first line is the header.
Line ``n`` (the header is line 0) is ``{"n": n, "synced": m, "type": …, "data": …}`` and states that the lines before
``m`` were on the disk before it was written. So a reader can tell a torn end, which nobody was told about and which is
cut off, from damage to lines that counted, which is refused: lines before the largest ``m`` in the file must all be
whole. ``cut -f1 FILE`` gives plain JSON lines.
"""

from __future__ import annotations

import contextlib
import json
import os
import weakref
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from polygeom.errors import PolygeomError
from polygeom.storage import durable

FORMAT = "polygeom journal"
VERSION = 1
_HEADER = {"format": FORMAT, "version": VERSION}
_MAGIC = b'{"format":"polygeom journal"'

_open_journals: weakref.WeakSet[Journal] = weakref.WeakSet()


class Journal:
    """An open journal, of which there is one per file at a time. Use it as a context manager.

    Parameters
    ----------
    path:
        The file; created when it does not exist. Its folder must exist.

    Raises
    ------
    PolygeomError
        When another writer has the file, when it is no journal or one of a newer format, or when lines that counted are
        damaged.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with Journal(f"{folder}/results.journal") as journal:
    ...         journal.append([{"key": "a", "dimension": 15}])
    ...     with Journal(f"{folder}/results.journal") as journal:
    ...         journal.get("a"), "b" in journal
    ({'key': 'a', 'dimension': 15}, False)
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.repaired = 0
        """Bytes of a torn end that opening the file has cut off."""
        self._rows: dict[str, bytes] = {}
        self._failed = self._unsealed = False
        created = not self.path.exists()
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise PolygeomError(
                f"journal: cannot open {self.path}: {error.strerror}; name a file in a folder that exists"
            ) from None
        try:
            if not durable.try_lock(self._file):
                raise PolygeomError(
                    f"journal: another process is writing {self.path}; wait until it ends, or name another journal"
                )
            self._load()
            if created:
                durable.sync_folder(self.path.resolve().parent)
        except OSError as error:
            os.close(self._file)
            raise PolygeomError(
                f"journal: cannot use {self.path}: {error.strerror}; its rows are as they were"
            ) from error
        except BaseException:
            os.close(self._file)
            raise
        _open_journals.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def get(self, key: str) -> dict[str, Any] | None:
        """The latest record with this key."""
        body = self._rows.get(key)
        return None if body is None else json.loads(body)["data"]

    def append(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Add records, each with a ``"key"``; when this returns they are on the disk, the meaning of "acknowledged".

        Raises
        ------
        OSError
            When the disk is full or fails. None of the records counts then, the file is as before, and what was
            acknowledged before is safe; the journal takes no more records.
        """
        self._write([("row", dict(record)) for record in records])

    def note(self, data: Mapping[str, Any]) -> None:
        """Add a line about the run, such as the versions of everything; it belongs to no key."""
        self._write([("note", dict(data))])

    def close(self) -> None:
        """Close the file, after a last line which states that all before it counts; the journal can be opened again."""
        if self._file < 0:
            return
        if self._unsealed and not self._failed:
            with contextlib.suppress(OSError):  # a full disk: the rows are safe without this line
                self._write([("end", {})])
        _open_journals.discard(self)
        os.close(self._file)
        self._file = -1

    def _load(self) -> None:
        with os.fdopen(self._file, "rb", closefd=False) as stream:
            data = stream.read()
        if not data or _is_torn_header(data):
            self.repaired = len(data)
            os.ftruncate(self._file, 0)
            self._lines = self._synced = self._size = 0
            self._put(_line(_HEADER), lines=1)
            return
        scan = _scan(data, self.path)
        self.repaired = len(data) - scan.size
        for entry in scan.entries:
            if entry.kind == "row":
                self._rows[entry.key] = entry.body
        self._lines, self._size = scan.lines, scan.size
        self._synced = scan.synced
        if self.repaired:
            os.ftruncate(self._file, self._size)
        # Also without damage: the last writer may have ended between writing and syncing.
        os.fsync(self._file)
        self._synced = self._lines

    def _write(self, entries: list[tuple[str, dict[str, Any]]]) -> None:
        if self._file < 0 or self._failed:
            raise PolygeomError(f"journal: {self.path} is closed; open it again")
        if not entries:
            return
        lines = [
            _line({"n": self._lines + i, "synced": self._synced, "type": kind, "data": data})
            for i, (kind, data) in enumerate(entries)
        ]
        self._put(b"".join(lines), lines=len(lines))
        self._unsealed = True
        for (kind, data), line in zip(entries, lines, strict=True):
            if kind == "row":
                self._rows[data["key"]] = line.rpartition(b"\t")[0]

    def _put(self, data: bytes, lines: int) -> None:
        """Write at the end and sync; on failure cut the file back to what counts."""
        try:
            os.lseek(self._file, self._size, os.SEEK_SET)
            durable.write_all(self._file, data)
            os.fsync(self._file)
        except BaseException:
            self._failed = True
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(data)
        self._lines += lines
        self._synced = self._lines


@dataclass(frozen=True, slots=True)
class _Entry:
    kind: str
    key: str
    body: bytes


@dataclass(frozen=True, slots=True)
class _Scan:
    """The good part of a journal: its lines, how many there are with the header, and how many bytes they take."""

    entries: list[_Entry]
    lines: int
    size: int
    synced: int


def read_journal(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The latest record for each key of a journal, in the order in which the keys first came; also while it is written.

    Raises
    ------
    PolygeomError
        As `Journal` does, except that another writer is no obstacle.
    """
    rows: dict[str, bytes] = {}
    data = _contents(path)
    if _is_torn_header(data):  # a writer that has just begun, or was killed then
        return []
    for entry in _scan(data, Path(path)).entries:
        if entry.kind == "row":
            rows[entry.key] = entry.body
    return [json.loads(body)["data"] for body in rows.values()]


def salvage_journal(source: str | os.PathLike[str], destination: str | os.PathLike[str]) -> int:
    """Copy the whole lines of a damaged journal to a new one and return the number of records; the others are left out.

    Raises
    ------
    PolygeomError
        When the destination exists, or the source cannot be read.
    """
    if Path(destination).exists():
        raise PolygeomError(f"salvage: {destination} exists; name a new file")
    found = (_parse(line) for line in _contents(source).split(b"\n"))
    records = [value["data"] for value in found if value is not None and value.get("type") == "row"]
    with Journal(destination) as journal:
        journal.append(records)
        return len(journal)


def _contents(path: str | os.PathLike[str]) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise PolygeomError(f"journal: cannot read {path}: {error.strerror}") from None


def _line(value: Mapping[str, Any]) -> bytes:
    body = json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
    return b"%s\t%08x\n" % (body, zlib.crc32(body))


def _parse(line: bytes) -> dict[str, Any] | None:
    """The value of a line without its line end; None when it is not whole."""
    body, _, check = line.rpartition(b"\t")
    if len(check) != 8 or check != b"%08x" % zlib.crc32(body):
        return None
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _is_torn_header(data: bytes) -> bool:
    """Whether this is what is left when the very first write was cut short: part of the header, or zeros for it."""
    if data.strip(b"\0") == b"":
        return True
    rest = data.rstrip(b"\0")
    header = _line(_HEADER)
    return header.startswith(rest) and rest != header


def _check_header(line: bytes, path: Path) -> None:
    header = _parse(line)
    if header is not None and header.get("format") == FORMAT and header.get("version") == VERSION:
        return
    if header is not None and header.get("format") == FORMAT:
        raise PolygeomError(
            f"journal: {path} has format {header.get('version')}, but this polygeom reads {VERSION}; upgrade polygeom"
        )
    if line.startswith(_MAGIC):
        raise PolygeomError(f"journal: the first line of {path} is damaged; {_ADVICE}")
    raise PolygeomError(f"journal: {path} is not a polygeom journal, and was left as it is; name another file")


_ADVICE = "restore a copy, or save what is whole with polygeom.sweep.salvage_journal(damaged, new) and use the new file"


def _scan(data: bytes, path: Path) -> _Scan:
    """Read the lines up to the first that is not whole or out of turn; refuse when one that counted is in the rest."""
    lines = data.split(b"\n")
    _check_header(lines[0], path)
    entries: list[_Entry] = []
    size, synced, good = len(lines[0]) + 1, 1, True
    last = len(lines) - 1
    for number, line in enumerate(lines[1:], start=1):
        value = _parse(line) if number < last else None
        if value is not None and "synced" in value:
            synced = max(synced, value["synced"])
        if good and value is not None and value.get("n") == len(entries) + 1:
            entries.append(_Entry(value["type"], str(value["data"].get("key")), line.rpartition(b"\t")[0]))
            size += len(line) + 1
        else:
            good = False
    if synced > len(entries) + 1:
        raise PolygeomError(
            f"journal: line {len(entries) + 2} of {path} is damaged, though a later line says that it counted; "
            f"{_ADVICE}"
        )
    return _Scan(entries, len(entries) + 1, size, synced)


def _forget_in_forked_child() -> None:
    """A forked child must not keep the lock of a parent that is killed."""
    for journal in _open_journals:
        os.close(journal._file)
        journal._file = -1


os.register_at_fork(after_in_child=_forget_in_forked_child)
