"""Processes that are known by a mark in their environment, which their children inherit; on Linux."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

MARK = "POLYGEOM_SOAK"
"""Environment variable with the mark."""
PATIENCE = 5.0


def _marked(token: str) -> dict[int, tuple[int, str]]:
    """Parent and command line of every process of a round."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError):
            if f"{MARK}={token}".encode() not in (entry / "environ").read_bytes().split(b"\0"):
                continue
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found[int(entry.name)] = (int(parent), command)
    return found


def left_over(token: str) -> list[int]:
    """Processes of a round that are there `PATIENCE` seconds after its end."""
    for _ in range(round(10 * PATIENCE)):
        if not (found := _marked(token)):
            return []
        time.sleep(0.1)
    return sorted(found)


def of_kind(kind: str, sweep: int, token: str) -> list[int]:
    """The processes of a sweep that a fault may hit: its ``"parent"``, keepers, workers, those of dask, or all."""
    found = _marked(token)
    ours = {pid for pid, (_, command) in found.items() if "child.py" in command}
    keepers = {pid for pid in ours if found[pid][0] not in ours}
    if kind == "parent":
        return [sweep]
    if kind == "keeper":
        return sorted(keepers)
    if kind == "worker":
        return sorted(pid for pid in ours if found[pid][0] in keepers)
    if kind == "dask":
        return sorted(p for p, (_, command) in found.items() if "spawn_main" in command)
    return sorted(found)


def send(pid: int, number: int) -> bool:
    """Send a signal; False if the process has ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


__all__ = ["MARK", "left_over", "of_kind", "send"]
