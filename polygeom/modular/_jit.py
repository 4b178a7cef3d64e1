"""Compiling with numba in a way that works with any state of its cache directory."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from numba import njit

# contraction to fused multiply-add is exact under the bound of PrimeField.max_products; no other liberty is taken
# (numba does not notice a change here: delete the cached kernels, __pycache__/*.nb*, after one)
OPTIONS: dict[str, Any] = {"nogil": True, "fastmath": {"contract"}}


def inner(function: Callable[..., Any]) -> Any:
    """A function called from compiled code only: compiled into its callers, cached with them."""
    return njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **OPTIONS)(function)


def entry(signature: str, **more: Any) -> Callable[[Callable[..., Any]], Any]:
    """A function called from Python: compiled (or loaded from the cache) when the module is imported.

    The explicit signature keeps later calls at the cost of a fixed type check; ``more`` are further options of numba.
    """

    def compile_entry(function: Callable[..., Any]) -> Any:
        options = {"no_cfunc_wrapper": True, **OPTIONS, **more}
        try:
            with _alone(Path(function.__code__.co_filename)):
                return njit(signature, cache=True, **options)(function)
        except Exception:  # noqa: BLE001  # a cache can be broken in many ways; compiling without it decides
            return njit(signature, **options)(function)

    return compile_entry


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """Of processes that come to one file at a time, the first compiles, and the others load what it has compiled.

    The file itself is locked, which changes nothing about it and ends with the process.
    """
    with file.open("rb") as source:
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(source, fcntl.LOCK_EX)
        yield
