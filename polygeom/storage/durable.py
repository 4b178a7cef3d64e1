"""Writes that survive a crash: when a function here returns, its data is on the disk."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from polygeom.errors import PolygeomError


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of ``data``, however little the system takes at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_folder(folder: Path) -> None:
    """Make the creation or replacement of files in ``folder`` last."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    """Take the exclusive lock of an open file; False when somebody else holds it. The lock ends with the process."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def replace_file(path: Path, data: bytes) -> None:
    """Give the file ``path`` the content ``data``: whatever happens, it has afterwards the old content or the new one.

    The new content is written next to it, to one file with a fixed name, so that a crash leaves at most that file
    behind and the next write uses it up.

    Raises
    ------
    PolygeomError
        When another process is writing the same file.
    """
    path = path.resolve()
    partial = path.with_name(f".{path.name}.partial")
    descriptor = _open_locked(partial)
    try:
        try:
            os.ftruncate(descriptor, 0)
            write_all(descriptor, data)
            os.fsync(descriptor)
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    finally:
        os.close(descriptor)


def _open_locked(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            if not try_lock(descriptor):
                raise PolygeomError(
                    f"{path}: another process is writing this file; wait for it, or write to another file"
                )
            # Between opening and locking, the holder before us may have renamed this file to its final name.
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
