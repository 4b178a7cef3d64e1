"""Networks of the user's own in studies: a factory in a module or file, or the text of a network.

- ``package.module:factory`` or ``path/to/file.py:factory``: a function or class that makes a torch module. It is given
  those of ``shape`` (of one input), ``inputs`` (their number), ``outputs`` and ``rng`` that it names as parameters, and
  is called with torch's seed set to ``rng``;
- any text that `polygeom.network.parse` reads, for example ``[64,8,1] r=2``, which reads the flattened data.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polygeom.errors import PolygeomError
from polygeom.learning.factories import make_module

if TYPE_CHECKING:
    from torch import nn

_FACTORY = re.compile(r"(?P<place>[\w./\\-]+\.py|[A-Za-z_]\w*(\.[A-Za-z_]\w*)*):(?P<name>[A-Za-z_]\w*)")
_TEXT = re.compile(r"\[|\{|\w+\s*\(|\w+\s*=")


def is_own(text: str) -> bool:
    """Whether a name of a network has the form of one of the user's own.

    Examples
    --------
    >>> [is_own(name) for name in ("my_lab.nets:small", "[4,3,1] r=2", "ccp(4,rank=2,degree=3)", "relu:100-100")]
    [True, True, True, False]
    """
    return bool(_FACTORY.fullmatch(text) or _TEXT.match(text))


def own_module(text: str, shape: tuple[int, ...], outputs: int, rng: int) -> nn.Module:
    """The module that a factory or a text gives for inputs of a shape.

    Raises
    ------
    PolygeomError
        When there is no such thing, or its inputs or outputs are others.
    """
    return make_module(_factory(text) or text, shape, outputs, rng, argument=f"models: {text}")


def sources(names: Iterable[str]) -> list[str]:
    """Digests of the files that factories among some names are in, which change when these do."""
    found = []
    for name in names:
        match = _FACTORY.fullmatch(str(name))
        place = None if match is None else _file(match["place"])
        if place is not None and place.is_file():
            found.append(hashlib.sha256(place.read_bytes()).hexdigest())
    return found


def _file(place: str) -> Path | None:
    if place.endswith(".py"):
        return Path(place)
    try:
        found = importlib.util.find_spec(place)
    except (ImportError, ValueError):
        return None
    return None if found is None or not found.origin else Path(found.origin)


def _factory(text: str) -> Callable[..., Any] | None:
    """The function or class that a text names; None for the text of a network."""
    match = _FACTORY.fullmatch(text)
    if match is None:
        return None
    place, name = match["place"], match["name"]
    try:
        module = _loaded(place) if place.endswith(".py") else importlib.import_module(place)
    except ModuleNotFoundError as error:
        raise PolygeomError(f"models: {text}: there is no module {error.name}; is its folder on PYTHONPATH?") from None
    found = getattr(module, name, None)
    if not callable(found):
        raise PolygeomError(f"models: {text}: {place} has no function or class {name}")
    return found  # type: ignore[no-any-return]


def _loaded(place: str) -> Any:
    file = Path(place).resolve()
    if not file.is_file():
        raise PolygeomError(f"models: there is no file {place}")
    spec = importlib.util.spec_from_file_location(f"_own_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


__all__ = ["is_own", "own_module", "sources"]
