"""What fits this machine: runs of growing size, timed, and sizes for a minute and an hour read off their growth."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil

from polygeom._dataclass import dataclass

MINUTE, HOUR = 60.0, 3600.0


@dataclass(frozen=True)
class Limit:
    """The largest sizes of one kind of question.

    Attributes
    ----------
    question, unit:
        What is computed, and what its size counts.
    measured:
        Sizes and processor seconds of the runs.
    growth:
        The exponent of the time in the size, fitted to the last two runs and at least `least`.
    minute, hour:
        Sizes that take about as long; never more than fit into memory.
    memory:
        The size that half of the free memory holds.
    """

    question: str
    unit: str
    measured: tuple[tuple[float, float], ...]
    growth: float
    minute: int
    hour: int
    memory: int

    def line(self) -> str:
        """One line for the terminal."""
        return (
            f"{self.question}: about {self.minute} {self.unit} in a minute, {self.hour} in an hour "
            f"(time grows as size^{self.growth:.1f}; memory holds {self.memory})"
        )


def read_off(question: str, unit: str, runs: list[tuple[float, float]], least: float, memory: int) -> Limit:
    """Sizes from timed runs: time is taken to grow as a power, as between the last two runs, and at least ``least``.

    Examples
    --------
    >>> limit = read_off("x", "rows", [(10, 0.001), (100, 0.01), (200, 0.04)], 1.0, 10**6)
    >>> limit.growth, limit.minute
    (2.0, 7745)
    """
    (first, early), (last, late) = runs[-2:]
    growth = max(least, math.log(max(late, 1e-6) / max(early, 1e-6)) / math.log(last / first))
    sizes = [min(memory, int(last * (budget / max(late, 1e-6)) ** (1 / growth))) for budget in (MINUTE, HOUR)]
    return Limit(question, unit, tuple(runs), growth, sizes[0], sizes[1], memory)


def calibrate(seconds: float = 20.0) -> Iterator[Limit]:
    """Time dimensions, equations and tangent kernels of growing size for about so many processor seconds."""
    free = psutil.virtual_memory().available / 2
    parts = list(_parts())
    for question, unit, least, held, run in parts:
        runs = [*_timed(run, seconds / len(parts))]
        if len(runs) > 1:
            yield read_off(question, unit, runs, least, int(held(free)))


def _timed(run: Callable[[int], int | None], seconds: float) -> Iterator[tuple[float, float]]:
    """Sizes and processor seconds of runs of growing size, until the next would take too long: at least two."""
    step, spent = 0, 0.0
    while True:
        start = time.process_time()
        size = run(step)
        took = time.process_time() - start
        if size is None:
            return
        if step:  # the first run compiles and imports
            spent += took
            yield float(size), took
        if step > 1 and spent + 4 * took > seconds:
            return
        step += 1


def _parts() -> Iterator[tuple[str, str, float, Callable[[float], float], Callable[[int], int | None]]]:
    """Question, unit, least growth, the size that so many bytes hold, and a run of each step.

    The families are those for which no theorem spares the work; bytes are what their largest runs took.
    """
    yield "dimension of [n,n,n,1] r=2", "weights", 2.5, lambda free: (free / 20) ** 0.5, _dimension
    yield "equations of degree 4 of [n,3,1] r=2", "coefficients of one", 1.5, lambda free: free / 1000, _equations
    from importlib.util import find_spec

    if find_spec("torch") is not None:
        yield "exact tangent kernel of [16,64,64,1] r=2", "points", 2.0, lambda free: (free / 24) ** 0.5, _kernel


def _dimension(step: int) -> int | None:
    from polygeom.dimensions import dimension
    from polygeom.network import parse

    width = 10 * max(1, step)
    if width > 120:
        return None
    network = parse(f"[{width},{width},{width},1] r=2")
    dimension(network)
    return network.parameter_count


def _equations(step: int) -> int | None:
    """The minors of symmetric matrices, found among all forms of degree four by their highest weights."""
    from polygeom.ideal import Neurovariety

    if step > 6:
        return None
    variety: Any = Neurovariety(f"[{7 + max(1, step)},3,1] r=2")
    variety.ideal("interpolation", max_degree=4)
    return math.comb(int(variety.network.ambient_dimension) + 3, 4)


def _kernel(step: int) -> int | None:
    import torch

    from polygeom.learning.tangent.tangent_kernel import empirical_ntk
    from polygeom.network import parse

    count = 64 << step
    if count > 2**13:
        return None
    module = parse("[16,64,64,1] r=2").to_torch(rng=0)
    x = torch.randn(count, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    empirical_ntk(module, x, outputs="trace", memory=2**31)
    return count


__all__ = ["Limit", "calibrate", "read_off"]
