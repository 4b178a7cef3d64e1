"""Limits of time and memory, as users write them."""

from __future__ import annotations

import re

from polygeom import checks
from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError


@dataclass(frozen=True)
class Limits:
    """What one task may use: seconds, and bytes beyond those of a worker at rest; None for no limit."""

    timeout: float | None = None
    memory: int | None = None


_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
SMALLEST_MEMORY = 10**6


def parse_memory(value: int | str | None, name: str = "memory") -> int | None:
    """A size in bytes from a number, or text such as ``"2GB"`` (10⁹ bytes each) or ``"512 MiB"`` (2²⁰ bytes each).

    Raises
    ------
    PolygeomError
        When it is neither, or less than one megabyte.

    Examples
    --------
    >>> parse_memory("2GB"), parse_memory("1.5 MiB"), parse_memory(None)
    (2000000000, 1572864, None)
    """
    if value is None:
        return None
    size: float | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    elif isinstance(value, str) and (
        found := re.fullmatch(r"\s*([0-9]{1,12}(?:\.[0-9]{1,9})?)\s*([KMGT]?I?)B?\s*", value.upper(), re.ASCII)
    ):
        if found[2] in _UNITS:
            size = float(found[1]) * _UNITS[found[2]]
    if size is None:
        raise PolygeomError(f"{name} must be a number of bytes or text such as '2GB' or '512MiB'; got {value!r}")
    if not SMALLEST_MEMORY <= size < 2**60:
        raise PolygeomError(
            f"{name} must be at least 1MB (and less than 1EiB) for one task; got {value!r}, write '500MB'"
        )
    return int(size)


def parse_timeout(value: float | None, name: str = "timeout") -> float | None:
    """A number of seconds as a float, None for no limit.

    Raises
    ------
    PolygeomError
        When it is not a positive number of at most ten years.

    Examples
    --------
    >>> parse_timeout(60)
    60.0
    """
    if value is None:
        return None
    return checks.seconds(value, name)
