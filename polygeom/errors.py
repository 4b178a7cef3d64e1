"""The errors polygeom raises for what a user can mend.

Each message names the argument, the constraint, what came, and what to write instead.
"""

from __future__ import annotations

EXTRAS = {
    "torch": "learn",
    "sklearn": "learn",
    "matplotlib": "plot",
    "PIL": "plot",
    "distributed": "cluster",
    "pyarrow": "parquet",
    "onnx": "onnx",
    "curvlinops": "curvature",
}
"""For each package that is imported when it is used alone, the extra of polygeom that brings it."""


def install(*extras: str) -> str:
    """The one command that installs polygeom with some of its extras, as messages and pages say it.

    No index has a release yet, so what works is a checkout; the project called polygeom on the Python package index is
    an unrelated one.

    Examples
    --------
    >>> print(install("learn", "plot"))
    pip install ".[learn,plot]"
    """
    return f'pip install ".[{",".join(extras)}]"'


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


class MissingPackageError(PolygeomError, ModuleNotFoundError):
    """A package of an extra that is not installed; the message names the extra and says how to install it.

    Parameters
    ----------
    purpose:
        What needs it, at the start of the message: ``"a figure"``.
    packages:
        Names under which they are imported, each a key of `EXTRAS`.

    Examples
    --------
    >>> print(MissingPackageError("a figure", "matplotlib"))
    a figure needs matplotlib (extra plot); in a checkout of polygeom write: pip install ".[plot]"
    """

    def __init__(self, purpose: str, *packages: str) -> None:
        self.purpose, self.packages = purpose, packages
        super().__init__(purpose, *packages)
        self.name = packages[0]

    def __str__(self) -> str:
        extras = tuple(dict.fromkeys(EXTRAS[package] for package in self.packages))
        kind = "extra" if len(extras) == 1 else "extras"
        return (
            f"{self.purpose} needs {', '.join(self.packages)} ({kind} {', '.join(extras)}); "
            f"in a checkout of polygeom write: {install(*extras)}"
        )


class CertificateError(PolygeomError):
    """What was to be checked is not a certificate: not JSON, a field missing, unknown, or of another form."""
