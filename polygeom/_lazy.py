"""What is imported when it is first used: public names of packages (SPEC 1 of Scientific Python), and methods."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any

from polygeom.errors import EXTRAS, MissingPackageError

_GIVEN: dict[str, str] = {}


def give(**homes: str) -> None:
    """Say where methods of values on lower floors are computed on higher ones: ``gauge="package.module:function"``.

    The face of the package calls this; the lower floors ask by name (`given`) and import nothing from above.
    """
    _GIVEN.update(homes)


def given(name: str) -> Callable[..., Any]:
    """The function that the face of the package gave by ``name``, imported at its first use."""
    module, _, function = _GIVEN[name].partition(":")
    value: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return value


def attach(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The functions ``__getattr__`` and ``__dir__`` of the package called ``package``.

    Parameters
    ----------
    package:
        Its full name.
    homes:
        For each public name the module it is found in.
    """

    def get(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}; it offers {', '.join(homes)}")
        try:
            module = importlib.import_module(homes[name])
        except ModuleNotFoundError as error:
            if error.name in EXTRAS:
                raise MissingPackageError(f"{package}.{name}", error.name) from error
            raise
        value: object = getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    def listing() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return get, listing
