"""What is stored of a finished task, and whether it still answers the question."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from polygeom._version import __version__
from polygeom.supervision import Limits, Outcome, Status
from polygeom.supervision.child import plain
from polygeom.sweeps.task import Task

Check = Callable[[Mapping[str, Any]], str]
"""From the result of a task to what is wrong with it; empty text when nothing is."""


def make_record(
    task: Task, facts: Mapping[str, Any], limits: Limits, outcome: Outcome, check: Check | None = None
) -> dict[str, Any]:
    """The record of a finished task. A result that ``check`` finds fault with makes it `Status.CRASHED`."""
    told = outcome.as_dict()
    if check is not None and outcome.result is not None and (problem := check(outcome.result)):
        misfit = Outcome(Status.CRASHED, message=f"the task returned what does not fit the table: {plain(problem)}")
        told = misfit.as_dict() | {"elapsed": told["elapsed"]}
    return {
        "key": task.key,
        "task": task.as_dict(),
        "facts": dict(facts),
        "limits": {"timeout": limits.timeout, "memory": limits.memory},
        "version": __version__,
        "outcome": told,
    }


def answers(record: Mapping[str, Any], task: Task, facts: Mapping[str, Any], check: Check | None = None) -> bool:
    """Whether a stored record is one of this task, whole, and does not contradict what is known without computing.

    What is stored may have been edited, with a new checksum: then it is computed again.
    """
    try:
        outcome = Outcome.from_dict(record["outcome"])
        whole = isinstance(outcome.message, str) and isinstance(outcome.elapsed, int | float)
        whole &= isinstance(outcome.result, dict) if outcome.status is Status.OK else outcome.result is None
        limits = [record["limits"][name] for name in ("timeout", "memory")]
        whole &= all(limit is None or isinstance(limit, int | float) for limit in limits)
        known = record["facts"]
        whole &= all(known[name] == facts[name] for name in known.keys() & facts.keys())
        whole &= record["task"] == task.as_dict() and isinstance(record["version"], str)
        return whole and not (check is not None and outcome.result is not None and check(outcome.result))
    except (KeyError, TypeError, ValueError, AttributeError):
        return False


def is_settled(record: Mapping[str, Any], limits: Limits, retry: Collection[str]) -> bool:
    """Whether a stored record answers the task under these limits, or is worth another attempt.

    What ran out of time or memory is computed again when more is allowed now than then.
    """
    status = record["outcome"]["status"]
    if status in retry:
        return False
    for name, allowed in (("timeout", limits.timeout), ("memory", limits.memory)):
        if status == name:
            had = record["limits"][name]
            return had is None or (allowed is not None and allowed <= had)
    return True
