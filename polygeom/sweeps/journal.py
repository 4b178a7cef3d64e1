"""An append-only file of results by key: one writer, checksums, every batch on the disk before it counts.

`polygeom.storage.facts` keeps the file, `polygeom.storage.lines` has the format.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from polygeom.errors import PolygeomError
from polygeom.storage.facts import FactFile
from polygeom.storage.lines import Entry, is_torn_header, parse_line, scan


class Journal(FactFile):
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
        self._rows: dict[str, bytes] = {}
        super().__init__(path)

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
        rows = [dict(record) for record in records]
        for row, written in zip(rows, self._write([("row", row) for row in rows]), strict=True):
            self._rows[row["key"]] = written.rpartition(b"\t")[0]

    def note(self, data: Mapping[str, Any]) -> None:
        """Add a line about the run, such as the versions of everything; it belongs to no key."""
        self._write([("note", dict(data))])

    def _take(self, entry: Entry) -> None:
        self._rows[_key(entry)] = entry.body


def _key(entry: Entry) -> str:
    return str(entry.data.get("key"))


def read_journal(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The latest record for each key of a journal, in the order in which the keys first came; also while it is written.

    Raises
    ------
    PolygeomError
        As `Journal` does, except that another writer is no obstacle.
    """
    data = _contents(path)
    if is_torn_header(data, None):  # a writer that has just begun, or was killed then
        return []
    rows = {_key(entry): entry for entry in scan(data, Path(path), None).entries if entry.kind == "row"}
    return [entry.data for entry in rows.values()]


def salvage_journal(source: str | os.PathLike[str], destination: str | os.PathLike[str]) -> int:
    """Copy the whole lines of a damaged journal to a new one and return the number of records; the others are left out.

    Raises
    ------
    PolygeomError
        When the destination exists, or the source cannot be read.
    """
    if Path(destination).exists():
        raise PolygeomError(f"salvage: {destination} exists; name a new file")
    found = (parse_line(line) for line in _contents(source).split(b"\n"))
    records = [value["data"] for value in found if value is not None and value.get("type") == "row"]
    with Journal(destination) as journal:
        journal.append(records)
        return len(journal)


def _contents(path: str | os.PathLike[str]) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise PolygeomError(f"journal: cannot read {path}: {error.strerror}") from None
<<<<<<< HEAD:polygeom/sweeps/journal.py


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


_ADVICE = "restore a copy, or save what is whole with polygeom.sweeps.salvage_journal(damaged, new) and use that"


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
=======
>>>>>>> main:polygeom/sweep/journal.py
