"""What a check answers, and how its steps are run: in order, up to the first that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from polygeom._dataclass import dataclass
from polygeom.answers import PROVED, UNKNOWN, Answer


@dataclass(frozen=True, slots=True)
class Verification(Answer):
    """The outcome of a check.

    Attributes
    ----------
    valid:
        Whether every claim holds.
    checks:
        One line for each step, in order, up to the first that fails: ``"ok: …"`` or ``"FALSE: …"``.
    claim:
        What the certificate claims, as a sentence made of the fields that were checked.
    network, version:
        What it is about, and the version that wrote it.
    """

    valid: bool
    checks: tuple[str, ...]
    claim: str
    network: str = ""
    version: str = ""
    told = ("seed", "status")

    @property
    def status(self) -> str:
        """``"proved"`` when the certificate is valid; one that is not valid settles nothing."""
        return PROVED if self.valid else UNKNOWN

    @property
    def seed(self) -> None:
        """A check draws nothing that its outcome depends on."""

    def __str__(self) -> str:
        """The claim, and the steps that were taken."""
        return "\n  ".join([f"{'valid' if self.valid else 'NOT VALID'}: {self.claim}", *self.checks])


Line = tuple[Callable[[], bool], str]
"""A step of a check, and what it shows."""


def run(claim: str, steps: Iterable[Line], network: str, version: str) -> Verification:
    """Take the steps in order. Later ones may rest on earlier ones, so the first that fails is the last."""
    checks: list[str] = []
    for step, text in steps:
        holds = step()
        checks.append(f"{'ok' if holds else 'FALSE'}: {text}")
        if not holds:
            return Verification(False, tuple(checks), claim, network, version)
    return Verification(True, tuple(checks), claim, network, version)
