"""A task is plain data with a stable key: which function to call, with what, from which seed."""

from __future__ import annotations

import hashlib
import importlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from polygeom._dataclass import dataclass, field
from polygeom.errors import PolygeomError

_PATH = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


@dataclass(frozen=True)
class Task:
    """One computation, as data that can be written to JSON and sent to another process or machine.

    Parameters
    ----------
    target:
        ``"module:function"``, looked up in the worker: a function from the task as a dict (`as_dict`) to a dict of
        plain data. If the module has a function ``prepare``, a new worker calls it once before its first task.
    argument:
        What the function is asked: a mapping with text keys and JSON values.
    seed:
        Where its randomness starts.
    algorithm:
        Version of the function. It is part of the key, so raising it computes again what an older one has stored.

    Raises
    ------
    PolygeomError
        When the target is not written ``"module:function"``.

    Examples
    --------
    >>> one = Task("mypackage.work:run", {"size": 3})
    >>> one.key == Task("mypackage.work:run", {"size": 3}, seed=0).key
    True
    """

    target: str
    argument: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    algorithm: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.target, str) or not _PATH.fullmatch(self.target):
            raise PolygeomError(f"target must be a function as 'package.module:function'; got {self.target!r}")

    def as_dict(self) -> dict[str, Any]:
        """The task as plain data."""
        return {
            "target": self.target,
            "argument": dict(self.argument),
            "seed": self.seed,
            "algorithm": self.algorithm,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Task:
        """The task that `as_dict` described."""
        return cls(data["target"], data["argument"], data["seed"], data["algorithm"])

    @property
    def key(self) -> str:
        """SHA-256 of the task: the same task has the same key on every machine."""
        text = json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def __hash__(self) -> int:
        return hash(self.key)


def resolve(path: str) -> Callable[..., Any]:
    """The function that ``"module:function"`` names, importing the module."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]
