"""Writes that survive a crash: when a function here returns, its data is on the disk."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
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
    """Give a file the content ``data``, all or nothing; ``name`` is the argument or option that the path came from.

    Raises
    ------
    PolygeomError
        As `reserved`.
    """
    with reserved(path, name) as write:
        write(data)


_reserved: set[int] = set()
"""Descriptors whose locks this process holds."""


@contextlib.contextmanager
def reserved(path: str | os.PathLike[str], name: str) -> Iterator[Callable[[bytes], None]]:
    """Within the block nobody else reserves or writes the file; what is given writes it, once, at the end of long work.

    Whatever happens, the file has afterwards the old content or the new one. The new content is written next to it, to
    one file with a fixed name, which is locked from the beginning. The lock ends with the process: after a crash that
    file stays behind, and the next to write uses it up.

    Raises
    ------
    PolygeomError
        As `output_file`, when another process writes the same file, and when the disk is full or fails.
    """
    target = output_file(path, name).resolve()
    partial = target.with_name(f".{target.name}.partial")
    with _in_words(path, name):
        descriptor = _open_locked(partial, f"{name}: another process is writing {os.fspath(path)}; wait until it ends")
    _reserved.add(descriptor)

    def write(data: bytes) -> None:
        with _in_words(path, name):
            os.ftruncate(descriptor, 0)
            write_all(descriptor, data)
            os.fsync(descriptor)
            partial.replace(target)
            sync_folder(target.parent)

    try:
        yield write
    finally:
        if descriptor in _reserved:
            if _is_open_as(descriptor, partial):  # not written
                partial.unlink()
            _reserved.discard(descriptor)
            os.close(descriptor)


def _forget_in_forked_child() -> None:
    """A forked child must not keep the lock of a parent that is killed."""
    while _reserved:
        os.close(_reserved.pop())


os.register_at_fork(after_in_child=_forget_in_forked_child)


@contextlib.contextmanager
def _in_words(path: str | os.PathLike[str], name: str) -> Iterator[None]:
    try:
        yield
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


def _open_locked(path: Path, refusal: str) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            if not try_lock(descriptor):
                raise PolygeomError(f"{refusal}, or name another file")
            # Between opening and locking, the holder before us may have renamed this file to its final name.
            if _is_open_as(descriptor, path):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_open_as(descriptor: int, path: Path) -> bool:
    """Whether the open file is the one of that name."""
    return path.exists() and os.path.samestat(os.fstat(descriptor), path.stat())
