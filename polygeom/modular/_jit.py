"""Compiling with numba in a way that works with any state of its cache directory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

# contraction to fused multiply-add is exact under the bound of PrimeField.max_products; no other liberty is taken
# (numba does not notice a change here: delete the cached kernels, __pycache__/*.nb*, after one)
OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": {"contract"}}


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
        except Exception:  # noqa: BLE001  # a cache can be broken in many ways; compiling without it decides
            return njit(signature, **OPTIONS)(function)

    return compile_entry
