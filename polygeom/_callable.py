"""Packages named after their main function can be called like it: ``polygeom.dimension("[3,3,3] r=2")``.

Python supports replacing a module's class ("Customizing module attribute access" in the language reference). This is
the only place polygeom uses it, so that a room of the package and the verb it is named after share one word.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _CallableModule(ModuleType):
    """A module that forwards calls to the function that carries its own last name."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return getattr(self, self.__name__.rpartition(".")[2])(*args, **kwargs)


def make_callable(name: str) -> None:
    """Let the module ``name`` (``"polygeom.dimension"``) be called as the function of the same last name inside it."""
    sys.modules[name].__class__ = _CallableModule
