"""Jobs in this process, for tests of everything but processes: a new one costs imports, with torch two seconds.

And where the tests are: in the repository, or beside an installed package alone.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from polygeom.supervision import Job, Limits, Outcome, Status
from polygeom.supervision.child import _failure

ROOT = Path(__file__).parent.parent


def of_the_repository(path: str) -> Path:
    """A file or folder of the repository; without it the test is skipped, or the whole file that asks at its top."""
    found = ROOT / path
    if not found.exists():
        pytest.skip(f"needs {path} of the repository", allow_module_level=True)
    return found


def perform(job: Job, *_: Any) -> Outcome:
    """What becomes of a job; its result passes through JSON as it does on the way from a worker."""
    module, _, name = job.target.partition(":")
    try:
        result = getattr(importlib.import_module(module), name)(job.as_dict())
        return Outcome(Status.OK, json.loads(json.dumps(result, allow_nan=False)))
    except Exception as error:  # noqa: BLE001  # what a worker does with it
        told = _failure(error)
        return Outcome(Status(told["status"]), None, told["message"])


class CrewOfNone:
    """Does the work of a crew one job after the other; the number of workers says nothing."""

    def __init__(self, workers: int, limits: Limits) -> None:
        self.capacity = workers

    def submit(self, task: Job) -> Future[dict[str, Any]]:
        """The outcome at once."""
        future: Future[dict[str, Any]] = Future()
        future.set_result(perform(task).as_dict())
        return future

    def stop(self) -> None:
        """Nothing runs."""

    def close(self) -> None:
        """Nothing was opened."""


@contextmanager
def in_this_process() -> Iterator[None]:
    """Let studies, sweeps and eliminations do their work in this process."""
    import pytest  # a process of its own that takes its crew from here goes without

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("polygeom.sweeps.run.LocalCrew", CrewOfNone)
        patch.setattr("polygeom.ideal.search.elimination.run_alone", perform)
        patch.setattr("polygeom.supervision.run_alone", perform)
        yield
