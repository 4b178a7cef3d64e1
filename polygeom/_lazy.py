"""What is imported when it is first used: public names of packages (SPEC 1 of Scientific Python), and methods."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterable, Mapping
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


def import_below(package: str, paths: Iterable[str]) -> None:
    """Import every module below a package, whose ``__path__`` is ``paths``, in the order of their names.

    As `pkgutil.walk_packages` does for folders, without what that loads to read archives.
    """
    for path in paths:
        for entry in sorted(os.scandir(path), key=lambda one: one.name):
            name = f"{package}.{entry.name.removesuffix('.py')}"
            if entry.is_dir() and "__init__.py" in os.listdir(entry.path):
                importlib.import_module(name)
                import_below(name, [entry.path])
            elif entry.name.endswith(".py") and entry.name != "__init__.py":
                importlib.import_module(name)


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
        value = _explained(package, name, lambda: getattr(importlib.import_module(homes[name]), name))
        setattr(sys.modules[package], name, value)
        return value

    def listing() -> list[str]:
        return sorted({*vars(sys.modules[package]), *homes})

    return get, listing


def attach_stub(package: str, file: str) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """As `lazy_loader.attach_stub`, where a name whose package of an extra is missing says which extra brings it.

    Parameters
    ----------
    package, file:
        ``__name__`` and ``__file__`` of the package, next to whose ``__init__.py`` lies ``__init__.pyi``.
    """
    import lazy_loader  # here, so that the package itself loads without it

    get, listing, names = lazy_loader.attach_stub(package, file)
    return (lambda name: _explained(package, name, lambda: get(name))), listing, names


def _explained(package: str, name: str, load: Callable[[], object]) -> object:
    try:
        return load()
    except ModuleNotFoundError as error:
        if error.name in EXTRAS:
            raise MissingPackageError(f"{package}.{name}", error.name) from error
        raise
