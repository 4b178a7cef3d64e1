"""A dask cluster on the loopback address, by the command ``dask``."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Member:
    """A process of the ``dask`` command and the file it logs to."""

    process: subprocess.Popen[bytes]
    log: Path

    def line(self, pattern: str) -> str:
        """The first group of the first match in the log, waited for."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            match = re.search(pattern, self.log.read_text())
            if match:
                return match.group(1)
            time.sleep(0.05)
        raise TimeoutError(self.log.read_text())


@dataclass(frozen=True)
class Cluster:
    """A scheduler's address and its workers."""

    address: str
    workers: list[Member]

    def lose(self, number: int) -> None:
        """Kill a worker."""
        self.workers[number].process.kill()
        assert self.workers[number].process.wait(timeout=10) != 0


@contextlib.contextmanager
def running(folder: Path, workers: int = 2) -> Iterator[Cluster]:
    """A scheduler and workers of one thread each, for the body of the ``with`` statement."""
    with contextlib.ExitStack() as stack:

        def start(name: str, *arguments: str) -> Member:
            command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard", "--host", "127.0.0.1"]
            log = stack.enter_context((folder / name).open("wb"))
            process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "TMPDIR": str(folder)})
            stack.callback(process.wait)
            stack.callback(process.kill)
            return Member(process, folder / name)

        address = start("scheduler", "scheduler", "--port", "0").line(r"Scheduler at:\s+(tcp://\S+)")
        options = ["--local-directory", str(folder), "--nthreads", "1", "--no-nanny"]
        started = [start(f"worker{i}", "worker", address, *options) for i in range(workers)]
        for worker in started:
            worker.line(r"Registered to:\s+(tcp://\S+)")
        yield Cluster(address, started)
