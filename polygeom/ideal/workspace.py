"""`Workspace`: a network, its dimension, and the equations found so far: what every question about it shares."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from polygeom.dimensions import DimensionResult
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.network import Network
from polygeom.network.builder import as_network

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from polygeom.ideal.search.search import Progress, Search


class Workspace:
    """A network with what was computed about its neurovariety: a search for equations goes on where an earlier one
    ended.

    Parameters
    ----------
    network:
        A `Network` or its text; `Network.unscaled` takes its place, which has the same functions.
    rng:
        Seed of all random choices.
    workers:
        Processes that share a search for equations, and that follow paths.
    executor:
        What runs these processes instead of this machine, such as the executor of a dask cluster.
    """

    def __init__(
        self, network: Network | str, *, rng: int = 0, workers: int = 1, executor: Executor | None = None
    ) -> None:
        self.network = as_network(network).unscaled
        self.coordinates = Coordinates(self.network)
        self.rng, self.workers, self.executor = rng, workers, executor
        self._search: Search | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.network.text!r})"

    @cached_property
    def dimension_result(self) -> DimensionResult:
        """The affine dimension with what is proved about it, see `polygeom.dimension`."""
        from polygeom.dimensions import dimension

        return dimension(self.network, rng=self.rng)

    @property
    def dimension(self) -> int:
        """The affine dimension as a number; `dimension_result` says how far it is proved."""
        return self.dimension_result.dimension

    def search(
        self,
        max_degree: int | None = None,
        *,
        timeout: float | None = None,
        memory: int | None = None,
        journal: str | None = None,
        lift: int | None = None,
        progress: Progress | None = None,
    ) -> Search:
        """The search for equations, continued up to ``max_degree``; see `polygeom.ideal.search.search.interpolate`."""
        from polygeom.ideal.search.search import interpolate

        known = self._search
        enough = known is not None and (
            known.completeness is not None or (max_degree is not None and known.interpolation.degree >= max_degree)
        )
        if known is None or not enough:
            self._search = interpolate(
                self.network,
                max_degree,
                timeout=timeout,
                memory=memory,
                workers=self.workers,
                executor=self.executor,
                rng=self.rng,
                journal=journal,
                lift=lift,
                progress=progress,
                resume=known,
            )
        assert self._search is not None
        return self._search

    @property
    def found(self) -> Search | None:
        """The search so far, None if there was none."""
        return self._search
