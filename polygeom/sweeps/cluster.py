"""Sweeps on many machines: a dask cluster as the executor of a sweep.

Every task is supervised where it runs, by a child of the dask worker, so deadlines and memory limits hold as they do
locally. A dask worker that is lost costs nothing: dask hands its tasks to the others, and only this process writes the
journal. A task that has killed three dask workers is given up as ``crashed``.
"""

from __future__ import annotations

import contextlib
import importlib
import socket
import urllib.parse
from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Any

from polygeom.errors import MissingPackageError, PolygeomError

LOCAL = "local"
"""Address that stands for a cluster of this machine, started and ended with the sweep."""


@contextlib.contextmanager
def dask_executor(
    address: str | None, workers: int = 1, *, connect_timeout: float = 10.0
) -> Iterator[tuple[Executor | None, int]]:
    """An executor on the dask cluster at ``address``, and the number of tasks it can run at the same time.

    Parameters
    ----------
    address:
        Address of a scheduler, such as ``"tcp://127.0.0.1:8786"``, or `LOCAL`. None for no cluster: then there is no
        executor, and ``workers`` processes of this machine do the work.
    workers:
        Number of worker processes, of a `LOCAL` cluster too.
    connect_timeout:
        Seconds to wait for the scheduler.

    Raises
    ------
    PolygeomError
        If dask is not installed, or no scheduler answers.
    """
    if address is None:
        yield None, workers
        return
    try:
        distributed: Any = importlib.import_module("distributed")  # untyped
    except ImportError as error:
        raise MissingPackageError("--dask", "distributed") from error
    with contextlib.ExitStack() as stack:
        client: Any
        if address == LOCAL:
            cluster = stack.enter_context(
                distributed.LocalCluster(
                    n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
                )
            )
            client = stack.enter_context(distributed.Client(cluster))
        else:
            _check_answer(address, connect_timeout)
            client = stack.enter_context(distributed.Client(address, timeout=connect_timeout))
        threads = sum(worker["nthreads"] for worker in client.scheduler_info(n_workers=-1)["workers"].values())
        yield client.get_executor(pure=False), max(1, threads)


def _check_answer(address: str, timeout: float) -> None:
    """Whether anyone listens at the address; dask's own client leaves a thread behind when nobody does."""
    try:
        parts = urllib.parse.urlsplit(address if "://" in address else f"tcp://{address}")
        socket.create_connection((parts.hostname or "", parts.port or 8786), timeout).close()
    except (OSError, ValueError) as error:
        raise PolygeomError(
            f"dask: no scheduler answers at {address!r}; write the address that `dask scheduler` prints, "
            f"such as tcp://127.0.0.1:8786, or {LOCAL}"
        ) from error
