"""Compiling with numba in a way that works with any state of its cache directory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

# contraction to fused multiply-add is exact under the bound of PrimeField.max_products; no other liberty is taken
OPTIONS = {"nogil": True, "fastmath": {"contract"}}


def inner(function: Callable[..., Any]) -> Any:
    """A function called from compiled code only: compiled into its callers, cached with them."""
    return njit(**OPTIONS)(function)


def entry(signature: str) -> Callable[[Callable[..., Any]], Any]:
    """A function called from Python: compiled (or loaded from the cache) when the module is imported.

    The explicit signature keeps later calls at the cost of a fixed type check.
    """

    def compile_entry(function: Callable[..., Any]) -> Any:
        try:
            return njit(signature, cache=True, **OPTIONS)(function)
        except Exception:  # an unwritable, full or damaged cache, in whatever way: the uncached compilation decides
            return njit(signature, **OPTIONS)(function)

    return compile_entry
