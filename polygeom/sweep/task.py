"""A task is plain data with a stable key: what to compute, for which network, with which options and seed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from polygeom.errors import PolygeomError


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

    @property
    def target(self) -> str:
        """The function that runs it, as ``"module:function"``."""
        return kind_of(self.kind).target

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


def resolve(path: str) -> Callable[..., Any]:
    """The function that ``"module:function"`` names, importing the module."""
    import importlib

    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]
