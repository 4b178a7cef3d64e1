"""A task is plain data with a stable key: what to compute, for which network, with which options and seed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from polygeom.errors import PolygeomError


class Status(StrEnum):
    """What became of a task."""

    OK = "ok"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    CRASHED = "crashed"
    INVALID = "invalid"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Kind:
    """A kind of task.

    Parameters
    ----------
    target:
        ``"module:function"``, looked up in the worker: a function from the task as a dict to a dict of plain data. If
        the module has a function ``prepare``, a new worker calls it once before its first task.
    algorithm:
        Version of the algorithm. It is part of every key, so raising it makes a sweep compute again what an older
        version has stored.
    describe:
        ``"module:function"``, looked up in the calling process: from the text of a network to facts known without
        computing (columns of the table; ``"network"`` replaces the text by its canonical form); raises `PolygeomError`
        for text that is not a network.
    """

    target: str
    algorithm: int = 1
    describe: str | None = None


KINDS: Mapping[str, Kind] = {
    "dimension": Kind("polygeom.dimension.task:run", algorithm=1, describe="polygeom.sweep.networks:describe"),
}


def kind_of(name: str) -> Kind:
    """The kind called ``name``: one of `KINDS`, or any function as ``"module:function"``.

    Raises
    ------
    PolygeomError
        For other text.

    Examples
    --------
    >>> kind_of("mypackage.tasks:run").algorithm
    1
    """
    if name in KINDS:
        return KINDS[name]
    if isinstance(name, str) and re.fullmatch(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*", name):
        return Kind(name)
    known = ", ".join(repr(known) for known in KINDS)
    raise PolygeomError(f"kind must be one of {known}, or a function as 'package.module:function'; got {name!r}")


@dataclass(frozen=True)
class Task:
    """One computation, as data that can be written to JSON and sent to another process or machine.

    Parameters
    ----------
    kind:
        See `kind_of`.
    network:
        Text of the network.
    options:
        Further arguments: a mapping with text keys and JSON values.
    seed:
        Where the randomness starts.

    Examples
    --------
    >>> Task("dimension", "[2,3,1] r=2").key[:8] == Task("dimension", "[2,3,1] r=2", {}, 0).key[:8]
    True
    """

    kind: str
    network: str
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """The task as plain data."""
        return {"kind": self.kind, "network": self.network, "options": dict(self.options), "seed": self.seed}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Task:
        """The task that `as_dict` described."""
        return cls(data["kind"], data["network"], data["options"], data["seed"])

    @property
    def key(self) -> str:
        """SHA-256 of the task and the version of its algorithm: the same task has the same key on every machine."""
        identity = {**self.as_dict(), "algorithm": kind_of(self.kind).algorithm}
        text = json.dumps(identity, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def __hash__(self) -> int:
        return hash(self.key)


@dataclass(frozen=True)
class Limits:
    """What one task may use: seconds, and bytes beyond those of a worker at rest; None for no limit."""

    timeout: float | None = None
    memory: int | None = None


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


def resolve(path: str) -> Callable[..., Any]:
    """The function that ``"module:function"`` names, importing the module."""
    import importlib

    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]


_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
SMALLEST_MEMORY = 10**6


def parse_memory(value: int | str | None, name: str = "memory") -> int | None:
    """A size in bytes from a number, or text such as ``"2GB"`` (10⁹ bytes each) or ``"512 MiB"`` (2²⁰ bytes each).

    Raises
    ------
    PolygeomError
        When it is neither, or less than one megabyte.

    Examples
    --------
    >>> parse_memory("2GB"), parse_memory("1.5 MiB"), parse_memory(None)
    (2000000000, 1572864, None)
    """
    if value is None:
        return None
    size: float | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    elif isinstance(value, str) and (
        found := re.fullmatch(r"\s*([0-9]{1,12}(?:\.[0-9]{1,9})?)\s*([KMGT]?I?)B?\s*", value.upper(), re.ASCII)
    ):
        if found[2] in _UNITS:
            size = float(found[1]) * _UNITS[found[2]]
    if size is None:
        raise PolygeomError(f"{name} must be a number of bytes or text such as '2GB' or '512MiB'; got {value!r}")
    if not SMALLEST_MEMORY <= size < 2**60:
        raise PolygeomError(
            f"{name} must be at least 1MB (and less than 1EiB) for one task; got {value!r}, write '500MB'"
        )
    return int(size)


def parse_timeout(value: float | None, name: str = "timeout") -> float | None:
    """A number of seconds as a float, None for no limit.

    Raises
    ------
    PolygeomError
        When it is not a positive number of at most ten years.

    Examples
    --------
    >>> parse_timeout(60)
    60.0
    """
    if value is None:
        return None
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 < value <= 315_360_000:
        raise PolygeomError(
            f"{name} must be a positive number of seconds, or None for no limit; got {value!r}, write 60"
        )
    return float(value)
