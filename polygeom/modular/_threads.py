"""One BLAS thread while a matrix is eliminated.

Panels are small, so further threads mostly wait for each other; on a busy machine they make the elimination several
times slower. POLYGEOM_BLAS_THREADS asks for another number of threads, 0 leaves BLAS as it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from polygeom.errors import PolygeomError

SMALL = 1 << 21
"""Eliminations of fewer multiplications contain no product large enough for BLAS to share it out."""


@contextmanager
def limited(compiled: bool) -> Iterator[None]:
    """One BLAS thread in this context; ``compiled`` says that scipy's BLAS is in use, besides numpy's."""
    wanted = _wanted()
    before = [(library, library.num_threads) for library in _libraries(compiled)] if wanted else []
    changed = [(library, threads) for library, threads in before if threads != wanted]
    for library, _ in changed:
        library.set_num_threads(wanted)
    try:
        yield
    finally:
        for library, threads in changed:
            library.set_num_threads(threads)


def _wanted() -> int:
    text = os.environ.get("POLYGEOM_BLAS_THREADS", "1")
    if not (text.isascii() and text.isdecimal() and len(text) < 5):
        raise PolygeomError(f"POLYGEOM_BLAS_THREADS must be a number of threads, got {text!r}; write 1, or unset it")
    return int(text)


@lru_cache(maxsize=2)
def _libraries(compiled: bool) -> list[Any]:
    """The BLAS libraries in this process; numpy and scipy bring one each, so the list is made anew once scipy is in."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return []
    return list(ThreadpoolController().select(user_api="blas").lib_controllers)
