"""Checks of arguments that every room shares: seeds, choices, integers, shapes. One place, one wording."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from operator import index
from typing import Any

import numpy as np

from polygeom.errors import PolygeomError

_MOST = 2**63 - 1
_TEN_YEARS = 315_360_000


def is_integer(value: Any) -> bool:
    """Whether ``value`` is an integer of Python or NumPy, and not a bool.

    Examples
    --------
    >>> is_integer(np.int64(2)), is_integer(2.0), is_integer(True)
    (True, False, False)
    """
    try:
        index(value)
    except TypeError:
        return False
    return not isinstance(value, bool)


def seconds(value: Any, name: str = "timeout") -> float:
    """A limit of time as a float: a positive number of at most ten years.

    Raises
    ------
    PolygeomError
        For anything else, numbers that are not finite among it.

    Examples
    --------
    >>> seconds(60)
    60.0
    """
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not number or not 0 < value <= _TEN_YEARS:
        raise PolygeomError(
            f"{name} must be a positive number of seconds, got {value!r:.40}; write {name}=60, or None for no limit"
        )
    return float(value)


def seed(rng: Any, name: str = "rng") -> int:
    """A seed from what ``rng=`` may be: an integer as it is, a generator of NumPy or torch by one draw from it.

    The draw moves the generator on, so that the next call with it gives another seed.

    Raises
    ------
    PolygeomError
        For anything else, and for integers outside ``0 … 2⁶³ - 1``.

    Examples
    --------
    >>> seed(3), seed(np.random.default_rng(0)) == seed(np.random.default_rng(0))
    (3, True)
    """
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(_MOST))
    torch = sys.modules.get("torch")  # a generator of torch can only come from someone who has imported it
    if torch is not None and isinstance(rng, torch.Generator):
        return int(torch.randint(_MOST, (), generator=rng, device=rng.device))
    number = index(rng) if is_integer(rng) else -1
    if not 0 <= number <= _MOST:
        raise PolygeomError(
            f"{name} must be an integer from 0 to 2^63 - 1 or a generator of NumPy or torch, got {rng!r}; "
            f"write {name}=0"
        )
    return number


def choice(name: str, value: Any, choices: Iterable[Any], write: Any = None) -> None:
    """Refuse an argument that is none of the values it may have.

    Parameters
    ----------
    name, value:
        Of the argument.
    choices:
        What it may be, the one to suggest first.
    write:
        What to suggest instead of the first.

    Raises
    ------
    PolygeomError
        When it is something else.

    Examples
    --------
    >>> choice("method", "guess", ("dense", "sparse"))
    Traceback (most recent call last):
    polygeom.errors.PolygeomError: method must be one of dense, sparse, got 'guess'; write method='dense'
    """
    known = list(choices)
    if not any(isinstance(value, type(one)) and value == one for one in known):
        shown, told = ", ".join(map(str, known)), known[0] if write is None else write
        raise PolygeomError(f"{name} must be one of {shown}, got {_shown(value)}; write {name}={told!r}")


def integer(name: str, value: Any, least: int = 1, most: int | None = None) -> int:
    """An integer of Python or NumPy within bounds, as one of Python.

    Raises
    ------
    PolygeomError
        For anything else.

    Examples
    --------
    >>> integer("workers", 0)
    Traceback (most recent call last):
    polygeom.errors.PolygeomError: workers must be an integer of at least 1, got 0; write workers=1
    """
    if is_integer(value) and index(value) >= least and (most is None or index(value) <= most):
        return index(value)
    bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
    raise PolygeomError(f"{name} must be an integer {bounds}, got {_shown(value)}; write {name}={least}")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def same_numbers(shape: Sequence[int], wanted: Sequence[int]) -> bool:
    """Whether arrays of both shapes hold the same numbers of the same points: equal but for axes of length 1.

    The first axis, that of the points, must be there and agree.

    Examples
    --------
    >>> same_numbers((8,), (8, 1)), same_numbers((8, 2), (2, 8)), same_numbers((1, 8), (8,))
    (True, False, False)
    """
    if not shape or not wanted or shape[0] != wanted[0]:
        return False
    return [size for size in shape[1:] if size != 1] == [size for size in wanted[1:] if size != 1]


__all__ = ["choice", "integer", "is_integer", "same_numbers", "seed"]
