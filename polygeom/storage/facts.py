"""A file of facts found so far, with one writer at a time: what a long search or sweep needs to go on.

Every fact is on the disk before the call that adds it returns. What an interrupted write left at the end was never
acknowledged and is cut off; damage to anything that was acknowledged is refused. The format is that of
`polygeom.storage.lines`.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from polygeom.errors import PolygeomError
from polygeom.storage import durable
from polygeom.storage.lines import Entry, header_line, is_torn_header, line, scan

_open_files: weakref.WeakSet[FactFile] = weakref.WeakSet()


class FactFile:
    """An open file of facts, of which there is one per file at a time. Use it as a context manager.

    Parameters
    ----------
    path:
        The file; created when it does not exist. Its folder must exist.
    question:
        Plain data that identifies the search whose facts these are; None for facts that say themselves what they are
        about. A file about another question is refused.

    Raises
    ------
    PolygeomError
        When the file cannot be opened, is written by another process, is about another question, is no such file or one
        of a newer format, or when facts that counted are damaged.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with FactFile(f"{folder}/facts", {"network": "[3,3,3] r=2"}) as file:
    ...         file.add({"degree": 4, "equations": 9})
    ...     with FactFile(f"{folder}/facts", {"network": "[3,3,3] r=2"}) as file:
    ...         file.facts
    [{'degree': 4, 'equations': 9}]
    """

    def __init__(self, path: str | os.PathLike[str], question: Mapping[str, Any] | None = None) -> None:
        self.path = Path(path)
        self.question = question
        self.facts: list[dict[str, Any]] = []
        """What the file held when it was opened."""
        self.repaired: int
        """Bytes of a torn end that opening the file has cut off."""
        self._failed = self._unsealed = False
        created = not durable.output_file(self.path, "journal").exists()
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise PolygeomError(
                f"journal: cannot open {self.path}: {error.strerror}; name a file in a folder that exists"
            ) from None
        try:
            if not durable.try_lock(self._file):
                raise PolygeomError(
                    f"journal: another process is writing {self.path}; wait until it ends, or name another file"
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
        _open_files.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, *facts: Mapping[str, Any]) -> None:
        """Append facts; they are on the disk when this returns.

        Raises
        ------
        PolygeomError
            When the disk is full or fails. The file then ends with the fact before these, and takes no more.
        """
        try:
            self._write([("row", dict(fact)) for fact in facts])
        except OSError as error:
            raise PolygeomError(
                f"journal: cannot write {self.path}: {error.strerror}; what it holds is safe, run the same again"
            ) from error

    def close(self) -> None:
        """Close the file, after a last line which states that all before it counts; it can be opened again."""
        if self._file < 0:
            return
        if self._unsealed and not self._failed:
            with contextlib.suppress(OSError):  # a full disk: the facts are safe without this line
                self._write([("end", {})])
        _open_files.discard(self)
        os.close(self._file)
        self._file = -1

    def _take(self, entry: Entry) -> None:
        """Keep a fact that the file held."""
        self.facts.append(entry.data)

    def _load(self) -> None:
        with os.fdopen(self._file, "rb", closefd=False) as stream:
            data = stream.read()
        if not data or is_torn_header(data, self.question):
            self.repaired = len(data)
            os.ftruncate(self._file, 0)
            self._lines = self._size = 0
            self._put(header_line(self.question), lines=1)
            return
        found = scan(data, self.path, self.question)
        self.repaired = len(data) - found.size
        for entry in found.entries:
            if entry.kind == "row":
                self._take(entry)
        self._lines, self._size = found.lines, found.size
        if self.repaired:
            os.ftruncate(self._file, self._size)
        # Also without damage: the last writer may have ended between writing and syncing.
        os.fsync(self._file)
        self._synced = self._lines

    def _write(self, entries: Sequence[tuple[str, dict[str, Any]]]) -> list[bytes]:
        """Add lines of a kind with data; what was written."""
        if self._file < 0 or self._failed:
            raise PolygeomError(f"journal: {self.path} is closed; open it again")
        lines = [
            line({"n": self._lines + i, "synced": self._synced, "type": kind, "data": data})
            for i, (kind, data) in enumerate(entries)
        ]
        if lines:
            self._put(b"".join(lines), lines=len(lines))
            self._unsealed = True
        return lines

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


def _forget_in_forked_child() -> None:
    """A forked child must not keep the lock of a parent that is killed."""
    for file in _open_files:
        os.close(file._file)
        file._file = -1


os.register_at_fork(after_in_child=_forget_in_forked_child)

__all__ = ["FactFile"]
