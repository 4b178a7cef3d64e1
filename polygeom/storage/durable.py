"""Writes that survive a crash: when a function here returns, its data is on the disk."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

from polygeom.errors import PolygeomError

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


def output_file(path: str | os.PathLike[str], name: str) -> Path:
    """The path of a file to write, in a folder that exists; ``name`` is the argument or option that it came from.

    Raises
    ------
    PolygeomError
        When the folder does not exist, or there is something that is no file: replacing a device or a pipe by a file
        would take it away from everybody else.
    """
    found = Path(path)
    problem = _no_file(found)
    if problem:
        raise PolygeomError(f"{name} must be a file in a folder that exists, got {os.fspath(path)!r}: {problem}")
    return found


def _no_file(path: Path) -> str:
    """Why nothing can be written to ``path``, with what to do instead; empty if it can, as far as one sees."""
    try:
        # Not of the name, which may be that of a link: /dev/stdout is one.
        kind = stat.S_IFMT(path.stat().st_mode)
    except FileNotFoundError:
        there = Path(os.path.realpath(path)).parent.is_dir()
        return "" if there else "there is no such folder; create the folder first"
    except (OSError, ValueError) as error:
        return f"{error}; name another file"
    return "" if kind == stat.S_IFREG else f"it is {_KINDS.get(kind, 'no file')}; name a file"


def write_file(path: str | os.PathLike[str], data: bytes, name: str) -> None:
    """Give a file the content ``data``, all or nothing, as `replace_file`; ``name`` is where the path came from.

    Raises
    ------
    PolygeomError
        As `output_file`, and when the disk is full or fails.
    """
    found = output_file(path, name)
    try:
        replace_file(found, data)
    except OSError as error:
        raise PolygeomError(
            f"{name}: cannot write {os.fspath(path)}: {error.strerror}; name a file in a folder that can be written"
        ) from error


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
        When another process is writing the same file, or ``path`` is a folder, a device or a pipe.
    """
    if path.exists() and not path.is_file():
        raise PolygeomError(f"cannot write {path}: {_no_file(path)}")
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
