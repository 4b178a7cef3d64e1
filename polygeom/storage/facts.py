"""A file of facts found so far, one JSON object a line: what a long search needs to go on after an interruption.

The first line says which question the facts answer. Every further line is on the disk before `StateFile.add` returns. A
last line without its end is what an interrupted write left; it was never acknowledged and is cut off.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from polygeom.errors import PolygeomError

_MOST_BYTES = 2**30


class StateFile:
    """The facts of one question, with one writer at a time. Use it as a context manager.

    Parameters
    ----------
    path:
        The file; created when it does not exist. Its folder must exist.
    question:
        Plain data that identifies the search. A file about another question is refused.

    Raises
    ------
    PolygeomError
        When the file cannot be opened, is written by another process, is about another question, or is damaged.
    """

    def __init__(self, path: str | os.PathLike[str], question: Mapping[str, Any]) -> None:
        self.path = Path(path)
        self.facts: list[dict[str, Any]] = []
        """What the file held when it was opened."""
        created = not self.path.exists()
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise PolygeomError(
                f"state: cannot open {self.path}: {error.strerror}; name a file in a folder that exists"
            ) from None
        try:
            self._lock()
            self._load(dict(question))
            if created:
                _sync_folder(self.path.resolve().parent)
        except BaseException:
            os.close(self._file)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def add(self, fact: Mapping[str, Any]) -> None:
        """Append a fact; it is on the disk when this returns.

        Raises
        ------
        PolygeomError
            When the disk is full or fails. The file then ends with the fact before.
        """
        line = json.dumps(fact, separators=(",", ":"), sort_keys=True).encode() + b"\n"
        try:
            written = os.pwrite(self._file, line, self._size)
            if written < len(line):
                raise OSError(28, "no space left on the device")
            os.fsync(self._file)
        except OSError as error:
            os.ftruncate(self._file, self._size)
            raise PolygeomError(
                f"state: cannot write {self.path}: {error.strerror}; what it holds is safe, run the same search again"
            ) from error
        self._size += len(line)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PolygeomError(
                f"state: another process is writing {self.path}; wait until it ends, or name another file"
            ) from None

    def _load(self, question: dict[str, Any]) -> None:
        size = os.fstat(self._file).st_size
        if size > _MOST_BYTES:
            raise PolygeomError(f"state: {self.path} has {size} bytes and cannot be a state file; name another file")
        data = os.pread(self._file, size, 0)
        whole, _, torn = data.rpartition(b"\n")
        lines = whole.split(b"\n") if whole else []
        objects = [self._read(number, line) for number, line in enumerate(lines, start=1)]
        if (objects and objects[0] != question) or (torn and not objects and not _begins(torn, question)):
            raise PolygeomError(
                f"state: {self.path} answers another question or was written by another version; name another file"
            )
        self._size = len(data) - len(torn)
        os.ftruncate(self._file, self._size)
        self.facts = objects[1:]
        if not objects:
            self.add(question)

    def _read(self, number: int, line: bytes) -> dict[str, Any]:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise PolygeomError(
                f"state: {self.path}, line {number} is damaged; remove it and all lines after it, or name another file"
            )
        return found


def _begins(torn: bytes, question: Mapping[str, Any]) -> bool:
    """Whether ``torn`` is an interrupted write of the first line: only then may it be cut off."""
    return json.dumps(question, separators=(",", ":"), sort_keys=True).encode().startswith(torn)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
