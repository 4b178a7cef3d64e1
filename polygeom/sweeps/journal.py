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
