"""The errors polygeom raises for what a user can mend.

Each message names the argument, the constraint, what came, and what to write instead.
"""

from __future__ import annotations


class PolygeomError(ValueError):
    """A request that cannot be carried out as written; the message says what to write instead."""


class FormatError(PolygeomError):
    """Text that does not follow its grammar.

    Parameters
    ----------
    problem:
        What is wrong, in one clause.
    text:
        The text that was read.
    position:
        Index into ``text`` (0-based) where reading stopped.
    hint:
        What to write instead.
    """

    def __init__(self, problem: str, text: str, position: int, hint: str) -> None:
        self.problem, self.text, self.position, self.hint = problem, text, position, hint
        super().__init__(problem, text, position, hint)

    def __str__(self) -> str:
        start = max(0, self.position - 40)
        window = "".join(c if c.isprintable() else "?" for c in self.text[start : self.position + 40])
        caret = " " * (self.position - start) + "^"
        return f"{self.problem} (at position {self.position}); {self.hint}\n    {window}\n    {caret}"


class PoleError(PolygeomError):
    """A rational function that has no value at the chosen numbers, since a denominator vanishes there."""


class BudgetError(PolygeomError):
    """A computation that would exceed the time or memory it was allowed; the message says what would be needed."""
