"""One function in a process of its own, which ends with its limits whatever it does."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import wait

from polygeom.supervision.crew import LocalCrew
from polygeom.supervision.job import Job, Outcome, Status
from polygeom.supervision.limits import Limits

START = 0.5
"""Seconds that the start of the process may take beyond the timeout."""
TICK = 1.0

Progress = Callable[[float], None]
"""Called about once a second with the seconds since the start."""


def run_alone(job: Job, limits: Limits, progress: Progress | None = None) -> Outcome:
    """Run a job in a process that ends with the limits, or with an interruption of this one.

    Parameters
    ----------
    job:
        What to run, for example a `Call`.
    limits:
        Seconds and bytes; None for no limit.
    progress:
        Called about once a second with the seconds so far.

    Returns
    -------
    What became of it, at the latest `START` seconds after the timeout.

    Examples
    --------
    >>> from polygeom.supervision import Call
    >>> task = {"argument": {"network": "[2,2,1] r=2"}, "seed": 0}
    >>> run_alone(Call("polygeom.dimensions.task:run", task), Limits(60)).status.value
    'ok'
    """
    started = time.monotonic()
    end = math.inf if limits.timeout is None else started + limits.timeout + START
    crew = LocalCrew(1, limits)
    try:
        future = crew.submit(job)
        while not future.done():
            wait([future], timeout=max(0.0, min(end - time.monotonic(), TICK)))
            if time.monotonic() >= end and not future.done():
                crew.stop()
                return Outcome(Status.TIMEOUT, message=f"stopped after {limits.timeout:g} s")
            if progress is not None and not future.done():
                progress(time.monotonic() - started)
        return Outcome.from_dict(future.result())
    except BaseException:
        crew.stop()
        raise
    finally:
        crew.close()
