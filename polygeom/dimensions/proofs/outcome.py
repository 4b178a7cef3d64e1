"""What a check answers, and how its steps are run: in order, up to the first that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verification:
    """The outcome of a check.

    Attributes
    ----------
    valid:
        Whether every claim holds.
    checks:
        One line for each step, in order, up to the first that fails: ``"ok: …"`` or ``"FALSE: …"``.
    claim:
        What the certificate claims, as a sentence made of the fields that were checked.
    """

    valid: bool
    checks: tuple[str, ...]
    claim: str


Line = tuple[Callable[[], bool], str]
"""A step of a check, and what it shows."""


def run(claim: str, steps: Iterable[Line]) -> Verification:
    """Take the steps in order. Later ones may rest on earlier ones, so the first that fails is the last."""
    checks: list[str] = []
    for step, text in steps:
        holds = step()
        checks.append(f"{'ok' if holds else 'FALSE'}: {text}")
        if not holds:
            return Verification(False, tuple(checks), claim)
    return Verification(True, tuple(checks), claim)
