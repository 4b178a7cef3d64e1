"""What a supervised process is asked to do, and what becomes of it: plain data on both sides."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Protocol

from polygeom._dataclass import dataclass, field


class Job(Protocol):
    """What a supervisor can run."""

    @property
    def target(self) -> str:
        """``"module:function"``, looked up in the worker: a function from `as_dict` to a dict of plain data. If the
        module has a function ``prepare``, a new worker calls it once before its first job.
        """

    def as_dict(self) -> dict[str, Any]:
        """The argument of the function, plain data."""


@dataclass(frozen=True)
class Call:
    """A function by name with its argument: the simplest job.

    Examples
    --------
    >>> Call("mypackage.work:run", {"size": 3}).as_dict()
    {'size': 3}
    """

    target: str
    argument: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return dict(self.argument)


class Status(StrEnum):
    """What became of a task."""

    OK = "ok"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    CRASHED = "crashed"
    INVALID = "invalid"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Outcome:
    """What became of one task.

    Parameters
    ----------
    status:
        `Status.OK` goes with a ``result``, all others with a ``message``.
    result:
        What the task returned.
    message:
        One line for the table. It contains no measured times, so that it is the same in every run.
    elapsed:
        Seconds from sending the task to its worker until the answer or the end, for the last attempt.
    peak_memory:
        Largest resident size of the worker in bytes, as far as it is known.
    deaths:
        How many workers died of this task.
    """

    status: Status
    result: Mapping[str, Any] | None = None
    message: str = ""
    elapsed: float = 0.0
    peak_memory: int | None = None
    deaths: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The outcome as plain data."""
        return {
            "status": str(self.status),
            "result": None if self.result is None else dict(self.result),
            "message": self.message,
            "elapsed": round(self.elapsed, 6),
            "peak_memory": self.peak_memory,
            "deaths": self.deaths,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Outcome:
        """The outcome that `as_dict` described."""
        return cls(
            Status(data["status"]),
            data["result"],
            data["message"],
            data["elapsed"],
            data["peak_memory"],
            data["deaths"],
        )
