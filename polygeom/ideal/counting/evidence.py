"""What several routes say about one number, and how far that is a proof."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from polygeom._dataclass import dataclass
from polygeom._version import __version__
from polygeom.answers import PROBABLE, PROVED, UNKNOWN, Answer
from polygeom.checks import choice
from polygeom.errors import PolygeomError

THEOREM, EQUATIONS, MONODROMY = ROUTES = ("theorem", "equations", "monodromy")
METHODS = ("auto", "all", *ROUTES)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one route has found.

    Attributes
    ----------
    route:
        ``"theorem"``, ``"equations"`` or ``"monodromy"``.
    value:
        Its number; None if it came to no end.
    lower, upper:
        Proved bounds; None if there is none.
    likely:
        Whether the value is right with overwhelming probability or by strong numerical evidence.
    reason:
        What the numbers rest on, in one line.
    elapsed:
        Seconds.
    """

    route: str
    value: int | None
    lower: int | None
    upper: int | None
    likely: bool
    reason: str
    elapsed: float = 0.0


@dataclass(frozen=True, slots=True)
class Count(Answer):
    """A degree, or a number of critical points.

    Attributes
    ----------
    quantity:
        ``"degree"``, ``"ED degree"`` or ``"learning degree"``.
    network:
        Canonical text.
    form:
        The quadratic form, empty for the degree.
    value:
        The number; None if no route gave one.
    lower, upper:
        Proved bounds; ``upper`` is None if none is known.
    status:
        ``"proved"``, ``"probable"`` (no proof, but a route whose value is likely, and none that contradicts it), or
        ``"unknown"``: then ``value`` is the largest number found.
    evidence:
        What each route has found.
    seed, version:
        What reproduces it.
    """

    quantity: str
    network: str
    form: str
    seed: int
    value: int | None
    lower: int
    upper: int | None
    status: str
    evidence: tuple[Evidence, ...]
    version: str = __version__
    told = ("proved",)

    @property
    def proved(self) -> bool:
        """Whether the value is a theorem, given the correctness of this program."""
        return self.status == PROVED

    def __str__(self) -> str:
        name = self.quantity + (f" ({self.form})" if self.form else "")
        bounds = f", at least {self.lower} proved" if not self.proved and self.lower else ""
        value = "not found" if self.value is None else f"{self.value} ({self.status}{bounds})"
        lines = [f"{self.network}: {name} {value}"]
        return "\n".join([*lines, *(f"  {e.route}: {e.reason}" for e in self.evidence)])


Route = Callable[[], Evidence | None]
"""Answers, or None where it does not apply."""


def settle(routes: Mapping[str, Route], method: str, about: Mapping[str, Any]) -> Count:
    """Take the routes that a method names, and weigh what they say.

    Parameters
    ----------
    routes:
        By name, in the order of `ROUTES`.
    method:
        ``"auto"``: until one gives a likely value; ``"all"``; or the name of one.
    about:
        The fields of `Count` that say what is counted.

    Raises
    ------
    PolygeomError
        For another method, or if routes contradict each other.
    """
    choice("method", method, METHODS, "auto")
    evidence: list[Evidence] = []
    for name in ROUTES if method in ("auto", "all") else (method,):
        started = time.perf_counter()
        if (found := routes[name]()) is not None:
            evidence.append(replace(found, elapsed=time.perf_counter() - started))
            if method == "auto" and found.likely:
                break
    return weigh(evidence, about)


def weigh(evidence: Sequence[Evidence], about: Mapping[str, Any]) -> Count:
    """The count that the evidence supports; proved where proved bounds meet.

    Raises
    ------
    PolygeomError
        If proved bounds cross, likely values differ, or a likely value lies outside the bounds.
    """
    lower = max((e.lower for e in evidence if e.lower is not None), default=0)
    upper = min((e.upper for e in evidence if e.upper is not None), default=None)
    likely = {e.value for e in evidence if e.likely and e.value is not None}
    outside = [v for v in likely if v < lower or (upper is not None and v > upper)]
    if len(likely) > 1 or outside or (upper is not None and lower > upper):
        said = "; ".join(f"{e.route} gives {e.value} ({e.reason})" for e in evidence)
        raise PolygeomError(f"{about['network']}: the routes contradict each other: {said}; repeat with another rng")
    if upper is not None and lower == upper:
        return Count(**about, value=lower, lower=lower, upper=upper, status=PROVED, evidence=tuple(evidence))
    status = PROBABLE if likely else UNKNOWN
    value = next(iter(likely), max((e.value for e in evidence if e.value is not None), default=None))
    return Count(**about, value=value, lower=lower, upper=upper, status=status, evidence=tuple(evidence))
