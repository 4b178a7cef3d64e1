"""Paths followed by other processes: batches of solutions as tasks for workers of this machine, or for any executor.

A path depends on its start, its arc and the equations alone. So the ends are the same, bit for bit, whoever follows it;
and what a worker could not do, because it was lost, is done here.
"""

from __future__ import annotations

import base64
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from polygeom.checks import integer

if TYPE_CHECKING:  # most counts are over before others could help: what shares them out is loaded when they do
    from concurrent.futures import Executor, Future

    from polygeom.sweeps.crew import Crew

Array = np.ndarray
Ends = tuple[Array, Array, Array]
"""What `polygeom.ideal.counting.paths.kernels.follow` returns: ends, how far they are, steps."""

START = 4.0
"""Seconds of work after which workers are started: the start of each takes about half as long."""
LONG = 0.3
"""Seconds from which on a batch is shared."""
TASKS = 4
"""Tasks for every worker and batch, …"""
SHORTEST, LONGEST = 0.1, 2.0
"""… which take about so many seconds at least, and at most: so much is lost with a worker."""


class PathCrew:
    """Who follows paths beside this process. Workers are started when the work is long, and end with the context.

    Parameters
    ----------
    workers:
        How many follow paths at the same time; with 1 and no executor this process does.
    executor:
        Where they run, if not on this machine: any `concurrent.futures.Executor`, such as that of a dask cluster.
    """

    def __init__(self, workers: int = 1, executor: Executor | None = None) -> None:
        if executor is not None:
            from polygeom.sweeps.crew import check_executor

            check_executor(executor)
        self.workers, self.executor = integer("workers", workers, least=1), executor
        self._crew: Crew | None = None
        self._asked = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._crew is not None:
            self._crew.stop()
            self._crew.close()
            self._crew = None

    def takes(self, seconds: float) -> bool:
        """Whether a batch that takes so long in one process is shared; asked about every batch."""
        self._asked += seconds
        several = self.workers > 1 or self.executor is not None
        return several and seconds >= LONG and self._asked >= START

    def size(self, count: int, pace: float) -> int:
        """How many paths make a task, if one takes ``pace`` seconds."""
        even = math.ceil(count / (TASKS * self.workers))
        return max(1, min(max(even, int(SHORTEST / pace)), int(LONGEST / pace)))

    def follow(
        self,
        system: tuple[object, ...],
        parts: Sequence[tuple[Array, ...]],
        limits: tuple[Any, ...],
        until: float | None,
    ) -> list[Ends | None] | None:
        """The ends of batches of paths; None for a batch that no worker could follow, or if the time was up.

        Parameters
        ----------
        system, limits:
            The first and the last arguments of `polygeom.ideal.counting.paths.kernels.follow`.
        parts:
            The arguments between them, for each batch.
        until:
            `time.monotonic` at which to stop waiting.
        """  # fmt: skip
        from concurrent.futures import wait

        from polygeom.supervision import Limits, LocalCrew
        from polygeom.sweeps.crew import ExecutorCrew
        from polygeom.sweeps.task import Task

        left = None if until is None else max(0.0, until - time.monotonic())
        if self._crew is None:
            own = Limits(left)
            self._crew = (
                LocalCrew(self.workers, own)
                if self.executor is None
                else ExecutorCrew(self.executor, self.workers, own)
            )
        text = _packed(system)
        arguments = ({"system": text, "paths": _packed(part), "limits": list(limits)} for part in parts)
        futures: list[Future[dict[str, Any]]] = []
        try:
            with suppress(RuntimeError):  # an executor that is broken or shut down takes no more
                for argument in arguments:
                    futures.append(self._crew.submit(Task(f"{__name__}:run", argument)))  # noqa: PERF401  one by one
            pending = wait(futures, left).not_done
        finally:
            for future in futures:
                future.cancel()
        return None if pending else [*map(_ends, futures), *[None] * (len(parts) - len(futures))]


def _ends(future: Future[dict[str, Any]]) -> Ends | None:
    if future.cancelled() or future.exception() is not None or future.result()["status"] != "ok":
        return None
    ends, reached, numbers = _unpacked(future.result()["result"]["ends"])
    return ends, reached, numbers


def prepare() -> None:
    """In the worker, before its first task: load the kernels."""
    from polygeom.ideal.counting.paths import kernels

    del kernels


def run(task: Mapping[str, Any]) -> dict[str, Any]:
    """In the worker: `polygeom.ideal.counting.paths.kernels.follow`."""
    from polygeom.ideal.counting.paths import kernels

    argument = task["argument"]
    system, paths = _system(argument["system"]), _unpacked(argument["paths"])
    found = kernels.follow(*system, *paths, *argument["limits"])  # type: ignore[no-untyped-call]
    return {"ends": _packed(found)}


def _packed(values: Sequence[object]) -> str:
    """Integers and arrays as text, bit for bit: the words of each are separated by blanks, the values by lines."""
    lines = []
    for value in values:
        array = np.asarray(value)
        shape = ",".join(map(str, array.shape))
        lines.append(f"{array.dtype.str} {shape} {base64.b64encode(array.tobytes()).decode()}")
    return "\n".join(lines)


def _unpacked(text: str) -> list[Any]:
    values: list[Any] = []
    for line in text.split("\n"):
        kind, shape, data = line.split(" ")
        array = np.frombuffer(base64.b64decode(data), dtype=kind)
        values.append(array.reshape([int(n) for n in shape.split(",")]).copy() if shape else array[0].item())
    return values


@lru_cache(maxsize=2)
def _system(text: str) -> tuple[Any, ...]:
    return tuple(_unpacked(text))


__all__ = ["PathCrew", "prepare", "run"]
