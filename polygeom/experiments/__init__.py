"""The studies: each one file that says what is measured, in which cases, and how it is told and drawn.

``run(name, out=…)`` does all that ``polygeom study NAME`` does.
"""

from __future__ import annotations

from typing import Any

from polygeom.experiments.registry import STUDIES

__all__ = ["STUDIES", "run"]


def __getattr__(name: str) -> Any:
    if name == "run":
        from polygeom.experiments.running import run

        return run
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it offers {', '.join(__all__)}")
