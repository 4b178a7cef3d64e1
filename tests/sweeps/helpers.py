"""Sweeps in programs of their own, which a test can interrupt and kill, and a look for what they leave behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from polygeom.sweeps import Task

ROOT = Path(__file__).parents[2]
MARK = "POLYGEOM_TEST_MARK"

PROGRAM = """
import json, sys
import polygeom.tables.dimensions
networks, arguments = json.loads(sys.argv[1])
polygeom.tables.dimensions.frame = list  # saves the time to load pandas
polygeom.tables.dimensions.sweep(networks, **arguments)
print("finished", flush=True)
"""


def network_task(target: str, text: str, options: dict[str, Any] | None = None, seed: int = 0) -> Task:
    """A task of a sweep over networks."""
    return Task(target, {"network": text, "options": options or {}}, seed)


@contextmanager
def program(networks: list[str], **arguments: Any) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running Python program that makes a sweep, and the mark that all its processes carry in their environment."""
    mark = uuid4().hex
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, json.dumps([networks, arguments])],
        env={**os.environ, "PYTHONPATH": path, MARK: mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield process, mark
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def marked(mark: str) -> list[str]:
    """The command lines of the live processes that carry the mark."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes():
                    found.append(f"{folder.name} {(folder / 'cmdline').read_bytes().decode()!r}")
            except OSError:
                continue
    return found


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> float:
    """Seconds until the condition held; an error when that takes too long."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > seconds:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.005)
    return time.monotonic() - start


def wait_for_rows(journal: Path, count: int, seconds: float = 20.0) -> None:
    """Wait until the journal has so many rows."""
    wait_until(
        lambda: journal.exists() and journal.read_bytes().count(b'"type":"row"') >= count,
        seconds,
        f"{count} rows in the journal",
    )
