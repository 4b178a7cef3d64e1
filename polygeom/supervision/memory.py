"""Memory in use by a process and everything below it, by looking from outside."""

from __future__ import annotations

import functools
import os
from pathlib import Path

_PROC = Path("/proc")


@functools.cache
def _page() -> int:
    return os.sysconf("SC_PAGE_SIZE")


@functools.cache
def _lists_children() -> bool:
    """Whether the kernel lists the children of a process (Linux with CONFIG_PROC_CHILDREN)."""
    return Path(f"/proc/self/task/{os.getpid()}/children").exists()


def tree_memory(root: int, exact_above: int) -> int:
    """Bytes of memory of the process ``root`` and its descendants; 0 when it is gone.

    The quick answer counts memory that several processes share once for each of them. When it exceeds ``exact_above``,
    the slower proportional sizes decide, in which shared memory counts once.
    """
    if not _lists_children():
        return _portable_memory(root)
    pids = _descendants(root)
    quick = sum(_resident(pid) for pid in pids)
    if quick <= exact_above or len(pids) == 1:
        return quick
    return min(quick, sum(_proportional(pid) for pid in pids))


def _descendants(root: int) -> list[int]:
    found = [root]
    for pid in found:
        try:
            for task in (_PROC / str(pid) / "task").iterdir():
                found += [int(child) for child in (task / "children").read_text().split()]
        except OSError:  # the process ended while we looked
            continue
    return found


def _resident(pid: int) -> int:
    try:
        return int((_PROC / str(pid) / "statm").read_bytes().split()[1]) * _page()
    except OSError:
        return 0


def _proportional(pid: int) -> int:
    try:
        for line in (_PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return 0
    return _resident(pid)


def _portable_memory(root: int) -> int:
    import psutil

    try:
        process = psutil.Process(root)
        return sum(one.memory_info().rss for one in (process, *process.children(recursive=True)))
    except psutil.Error:
        return 0
