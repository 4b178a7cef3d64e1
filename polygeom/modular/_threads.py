"""One BLAS thread while a matrix is eliminated.

Panels are small, so further threads mostly wait for each other; on a busy machine they make the elimination several times
slower. POLYGEOM_BLAS_THREADS asks for another number of threads, 0 leaves BLAS as it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

SMALL = 1 << 18
"""Below this many multiplications no product of the elimination is large enough for BLAS to share it out."""


def limited(multiplications: int, compiled: bool) -> AbstractContextManager[None]:
    """A context with one BLAS thread, or an empty one where the matrix is too small for BLAS to use more."""
    return nullcontext() if multiplications < SMALL else _limited(compiled)


@contextmanager
def _limited(compiled: bool) -> Iterator[None]:
    wanted = int(os.environ.get("POLYGEOM_BLAS_THREADS", "1"))
    before = [(library, library.num_threads) for library in _libraries(compiled)] if wanted else []
    changed = [(library, threads) for library, threads in before if threads != wanted]
    for library, _ in changed:
        library.set_num_threads(wanted)
    try:
        yield
    finally:
        for library, threads in changed:
            library.set_num_threads(threads)


@lru_cache(maxsize=2)
def _libraries(compiled: bool) -> list[Any]:
    """The BLAS libraries in this process; numpy and scipy bring one each, so the list is made anew once scipy is in."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        return []
    return list(ThreadpoolController().select(user_api="blas").lib_controllers)
