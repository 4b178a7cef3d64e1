"""What a process holds of the system's resources, and what of it is new."""

from __future__ import annotations

import gc
import multiprocessing.forkserver
import multiprocessing.resource_tracker
import os
import threading
import time
from dataclasses import dataclass, fields
from pathlib import Path

import psutil

SHARED_MEMORY = Path("/dev/shm")
OPEN_FILES = Path("/proc/self/fd")
CACHES = ("pymp-", "torchinductor_")
"""Beginnings of the names of folders that multiprocessing and torch make once and keep."""


@dataclass(frozen=True)
class Footprint:
    """The resources held at one moment, each as a set of names that can be printed."""

    folder: Path
    children: frozenset[str]
    threads: frozenset[str]
    temporary: frozenset[str]
    shared_memory: frozenset[str]
    open_files: frozenset[str]

    @classmethod
    def now(cls, folder: Path) -> Footprint:
        """Look at this process; ``folder`` is where its temporary files go."""
        return cls(
            folder=folder,
            children=frozenset(_children()),
            threads=frozenset(f"{thread.name} ({thread.ident})" for thread in threading.enumerate()),
            temporary=frozenset(name for name in os.listdir(folder) if not name.startswith(CACHES)),
            shared_memory=frozenset(_listing(SHARED_MEMORY)),
            open_files=frozenset(_open_files()),
        )

    def wait_for_return(self, seconds: float) -> list[str]:
        """What is new, after giving what is on its way out ``seconds`` to leave; empty when nothing is."""
        deadline = time.monotonic() + seconds
        while left := self._new():
            if time.monotonic() > deadline:
                return left
            gc.collect()
            time.sleep(0.02)
        return []

    def _new(self) -> list[str]:
        after = Footprint.now(self.folder)
        left = []
        for field in fields(self)[1:]:
            names = getattr(after, field.name) - getattr(self, field.name)
            if field.name == "shared_memory":
                names = {name for name in names if not _held_by_another_process(SHARED_MEMORY / name)}
            if names:
                left.append(f"{field.name.replace('_', ' ')}: {', '.join(sorted(names))}")
        return left


def _children() -> list[str]:
    """Child processes, without the helpers that multiprocessing keeps for the life of the interpreter."""
    helpers = {
        multiprocessing.resource_tracker._resource_tracker._pid,
        multiprocessing.forkserver._forkserver._forkserver_pid,
    }
    try:
        pids = []
        for task in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{task}/children", "rb") as listing:  # noqa: PTH123  # thousands of times
                pids += map(int, listing.read().split())
    except OSError:  # no such listing on this system, or a thread ended meanwhile
        pids = [child.pid for child in psutil.Process().children()]
    return [_describe(pid) for pid in pids if pid not in helpers]


def _describe(pid: int) -> str:
    try:
        return f"{pid} {psutil.Process(pid).name()}"
    except psutil.NoSuchProcess:
        return str(pid)


def _open_files() -> list[str]:
    """Open files of this process that a test could have opened: named files and sockets.

    Pipes are left out: the helpers of multiprocessing keep theirs, and a leaked child is seen as such. So are fonts:
    matplotlib keeps the ones it has used.
    """
    names = []
    for number in _listing(OPEN_FILES):
        try:
            target = os.readlink(f"{OPEN_FILES}/{number}")  # noqa: PTH115  # thousands of times, a path costs more
        except OSError:  # the listing's own descriptor
            continue
        if target.startswith(("/", "socket:")) and not (
            target.startswith(("/dev/", "/proc/")) or target.endswith(".ttf")
        ):
            names.append(f"{number} → {target}")
    return names


def _listing(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # another system
        return []


def _held_by_another_process(path: Path) -> bool:
    """Whether a process other than this one has the file open or mapped: then it is that program's, not a leak of ours.

    Semaphores of multiprocessing are mapped under another name and no longer open, so the inode decides.
    """
    try:
        inode = str(path.stat().st_ino)
    except FileNotFoundError:  # gone meanwhile
        return True
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and (
                any(opened.path == str(path) for opened in process.open_files()) or inode in _mapped(process.pid)
            ):
                return True
        except (psutil.Error, OSError):
            continue
    return False


def _mapped(pid: int) -> set[str]:
    """Inodes of the shared memory that a process has mapped."""
    lines = Path(f"/proc/{pid}/maps").read_text(errors="replace").splitlines()
    return {line.split()[4] for line in lines if str(SHARED_MEMORY) in line}
