"""From what a task gave to what is stored, and from what is stored to a row of the table."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from polygeom._version import __version__
from polygeom.supervision import Limits, Outcome, Status
from polygeom.supervision.child import plain
from polygeom.sweep.task import Task
from polygeom.tables.table import NAMES, check_values

_OWN = ("network", "status", "message", "elapsed")


def make_record(task: Task, facts: Mapping[str, Any], limits: Limits, outcome: Outcome) -> dict[str, Any]:
    """The record of a finished task. A result whose values do not fit the table makes it `Status.CRASHED`."""
    record = {
        "key": task.key,
        "task": task.as_dict(),
        "facts": dict(facts),
        "limits": {"timeout": limits.timeout, "memory": limits.memory},
        "version": __version__,
        "outcome": outcome.as_dict(),
    }
    if problem := check_values(row_of(record)):
        misfit = Outcome(Status.CRASHED, message=f"the task returned what does not fit the table: {plain(problem)}")
        record["outcome"] = misfit.as_dict() | {"elapsed": outcome.as_dict()["elapsed"]}
    return record


def row_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """The row of the table that a record stands for."""
    task, outcome = record["task"], record["outcome"]
    row: dict[str, Any] = dict.fromkeys(NAMES)
    row.update(seed=task["seed"], version=record["version"], network=task["network"])
    row.update(record["facts"])
    for name, value in (outcome["result"] or {}).items():
        if name in row and name not in _OWN and value is not None:
            row[name] = " ".join(str(item) for item in value) if isinstance(value, list) else value
    row.update({name: outcome[name] for name in ("status", "message", "elapsed")})
    return row


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
