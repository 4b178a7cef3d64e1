"""Which kernels to use: numpy at once, or compiled ones that cost a noticeable time to load.

Both sets of kernels compute the same numbers, so the choice changes speed alone. Loading the compiled kernels costs
about half a second per process (and some ten seconds once per installation, to compile them), which a single small
matrix never earns back, while a loop over thousands of them does. So ``auto`` rents before it buys: calls run on numpy
until the time they are estimated to have lost against compiled kernels exceeds the price of those.
"""

from __future__ import annotations

import importlib
import os
import threading
from types import ModuleType
from typing import Literal

from polygeom.errors import PolygeomError
from polygeom.modular import _elementwise_numpy

Method = Literal["auto", "numba", "numpy"]

PRICE = 0.5
"""Seconds it takes to import numba and scipy.linalg and to load the compiled kernels from their cache."""
COMPILATION = 10.0
"""Seconds it takes to compile them, once, where the cache is empty."""


class _Kernels:
    """The state of this process: compiled kernels once loaded, whether loading failed, time lost to numpy so far."""

    def __init__(self) -> None:
        self.elementwise: ModuleType = _elementwise_numpy
        self.elimination: ModuleType | None = None
        self.failure: str | None = None
        self.lost = 0.0
        self.price: float | None = None
        self.lock = threading.Lock()


_kernels = _Kernels()


def elementwise() -> ModuleType:
    """The elementwise kernels in use now: compiled if they are loaded already, else numpy; never loads anything."""
    return _kernels.elementwise


def load_compiled() -> bool:
    """Load the compiled kernels into this process; say whether they are available.

    They need numba and scipy. Long loops over small matrices gain by calling this first, a pool worker for instance.
    """
    if _kernels.elimination is None and _kernels.failure is None:
        with _kernels.lock:
            if _kernels.elimination is None and _kernels.failure is None:
                _load()
    return _kernels.elimination is not None


def _load() -> None:
    try:
        from numba import config

        if getattr(config, "DISABLE_JIT", 0):
            _kernels.failure = "numba is switched off by NUMBA_DISABLE_JIT"
            return
        elementwise_kernels = importlib.import_module("polygeom.modular._elementwise_numba")
        _kernels.elimination = importlib.import_module("polygeom.modular._elimination_numba")
        _kernels.elementwise = elementwise_kernels
    except ImportError as problem:
        _kernels.failure = f"{problem}"


def _price() -> float:
    """What loading costs here: more where no compiled kernels are found in the places numba keeps them."""
    if _kernels.price is None:
        from pathlib import Path

        name = "_elimination_numba._eliminate-*.nbi"
        chosen = os.environ.get("NUMBA_CACHE_DIR")
        user = os.environ.get("XDG_CACHE_HOME") or Path(os.environ.get("HOME", "/"), ".cache")
        folders = [Path(chosen)] if chosen else [Path(__file__).parent, Path(user, "numba")]
        compiled = any(any(folder.glob(f"*/{name}")) for folder in folders)
        _kernels.price = PRICE if compiled else COMPILATION
    return _kernels.price


def compiled_elimination(method: str, loss: float) -> ModuleType | None:
    """The compiled elimination kernels if they are to be used for this call, else None.

    Parameters
    ----------
    method:
        ``"auto"``, ``"numba"`` or ``"numpy"``.
    loss:
        Estimated seconds that numpy would need more than compiled kernels for this call.
    """
    if method == "auto":
        if _kernels.elimination is not None:
            return _kernels.elimination
        _kernels.lost += loss
        if _kernels.lost > PRICE and _kernels.failure is None and _kernels.lost > _price():
            load_compiled()
        return _kernels.elimination
    if method == "numba":
        if not load_compiled():
            raise PolygeomError(f"method='numba' needs numba and scipy ({_kernels.failure}); write method='auto'")
        return _kernels.elimination
    if method == "numpy":
        return None
    raise PolygeomError(f"method must be 'auto', 'numba' or 'numpy', got {method!r}; write method='auto'")
