"""Packages whose public names are imported when they are first used (SPEC 1 of Scientific Python)."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping

from polygeom.errors import EXTRAS, MissingPackageError


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
