"""Studies without processes, for tests of everything but the pool: a worker costs the import of torch each time."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import pytest

from polygeom.supervision import Job, Limits, Outcome, Status
from polygeom.supervision.child import _failure


class CrewOfNone:
    """Does the work of a crew in this process, one job after the other: the number of workers says nothing."""

    def __init__(self, workers: int, limits: Limits) -> None:
        self.capacity = workers

    def submit(self, task: Job) -> Future[dict[str, Any]]:
        """The outcome at once; results pass through JSON as they do on the way from a worker."""
        future: Future[dict[str, Any]] = Future()
        module, _, name = task.target.partition(":")
        try:
            result = getattr(importlib.import_module(module), name)(task.as_dict())
            outcome = Outcome(Status.OK, json.loads(json.dumps(result, allow_nan=False)))
        except Exception as error:  # noqa: BLE001  # what a worker does with it
            told = _failure(error)
            outcome = Outcome(Status(told["status"]), None, told["message"])
        future.set_result(outcome.as_dict())
        return future

    def stop(self) -> None:
        """Nothing runs."""

    def close(self) -> None:
        """Nothing was opened."""


@contextmanager
def in_this_process() -> Iterator[None]:
    """Let studies measure their cases in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("polygeom.sweeps.run.LocalCrew", CrewOfNone)
        yield
