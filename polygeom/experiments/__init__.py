"""The studies: each one file that says what is measured, in which cases, and how it is told and drawn.

``run(name, out=…)`` does all that ``polygeom study NAME`` does; ``load_weights(out)`` finds the networks that it kept.
"""

from __future__ import annotations

from typing import Any

from polygeom.experiments.registry import STUDIES

__all__ = ["STUDIES", "load_weights", "run"]


def __getattr__(name: str) -> Any:
    if name == "run":
        from polygeom.experiments.running import run

        return run
    if name == "load_weights":
        from polygeom.experiments.weights import load_weights

        return load_weights
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it offers {', '.join(__all__)}")
