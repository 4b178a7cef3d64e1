"""The dimensions of many perceptrons in one go, each the same as that of `polygeom.dimensions.dimension`.

Bounds come from a table that a compiled search fills, ranks from a compiled kernel at the points of trial 0; where
the two meet, the dimension is proved by the same argument as for one network: a rank modulo a prime from below, a
theorem from above. The few networks where they do not meet at once, or which the kernels do not take, are computed
one by one.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from polygeom._dataclass import dataclass
from polygeom._version import __version__
from polygeom.dimensions.bounds.bound import Bound
from polygeom.dimensions.compute import dimension
from polygeom.dimensions.counts import ambient_dimension
from polygeom.dimensions.ranks.witness import STRUCTURED
from polygeom.dimensions.result import PROVED, DimensionResult
from polygeom.dimensions.survey import bounds as _bounds
from polygeom.dimensions.survey.bounds import BoundTable
from polygeom.errors import PolygeomError
from polygeom.modular import P22
from polygeom.network import mlp

Array = np.ndarray
Widths = tuple[int, ...]

MOST_WIDTHS = 14
WIDEST = 255
_MOST_DEGREE = 64
_MOST_EXTRA = 64


@functools.lru_cache(maxsize=1)
def tables() -> tuple[BoundTable, BoundTable] | None:
    """The tables of quick and of thorough bounds of this process; None where there are no compiled kernels."""
    if not _bounds.available():
        return None
    return BoundTable(thorough=False), BoundTable(thorough=True)


@dataclass(frozen=True)
class Survey:
    """Dimensions of architectures of one depth, as columns.

    Attributes
    ----------
    widths, degree:
        Integers ``(N, L + 1)`` and ``(N,)``: what was asked.
    dimension, upper:
        The dimension (a lower bound where not proved) and its upper bound.
    points:
        Points of the rank.
    seed:
        Of all of them.
    singly:
        The results of those that were computed one by one, by number.
    elapsed:
        Seconds for all.
    """

    widths: Array
    degree: Array
    dimension: Array
    upper: Array
    points: Array
    seed: int
    singly: dict[int, DimensionResult]
    elapsed: float

    def __len__(self) -> int:
        return len(self.widths)

    @property
    def proved(self) -> Array:
        """Whether the bounds meet."""
        met: Array = self.dimension == self.upper
        return met

    @property
    def parameters(self) -> Array:
        """Numbers of weights."""
        total: Array = (self.widths[:, :-1] * self.widths[:, 1:]).sum(axis=1)
        return total

    @property
    def ambient(self) -> list[int]:
        """Numbers of coefficients of the outputs."""
        hidden = self.widths.shape[1] - 2
        ends = zip(self.widths[:, 0].tolist(), self.widths[:, -1].tolist(), self.degree.tolist(), strict=True)
        return [_ambient(n, m, r, hidden) for n, m, r in ends]

    def bound(self, number: int) -> Bound:
        """The upper bound of one architecture, with its tree."""
        known = tables()
        assert known is not None
        return known[0].tree(tuple(self.widths[number].tolist()), int(self.degree[number]))

    def results(self) -> Iterator[DimensionResult]:
        """The results in order, each what `polygeom.dimensions.dimension` gives but for ``elapsed``, the mean here."""
        elapsed = self.elapsed / max(1, len(self))
        gauges = self.widths[:, 1:-1].sum(axis=1).tolist()
        columns = zip(
            self.widths.tolist(), self.degree.tolist(), self.dimension.tolist(), self.points.tolist(),
            self.parameters.tolist(), gauges, self.ambient, strict=True,
        )  # fmt: skip
        for number, (widths, r, found, points, parameters, gauge, ambient) in enumerate(columns):
            if number in self.singly:
                yield self.singly[number]
                continue
            expected = min(ambient, parameters - gauge)
            yield DimensionResult(
                network=text(widths, r),
                dimension=found,
                lower=found,
                upper=found,
                proved=True,
                status=PROVED,
                error_bound=0.0,
                trials=1,
                bound=self._bound_text(number, widths, r),
                parameters=parameters,
                ambient_dimension=ambient,
                expected_dimension=expected,
                defect=expected - found,
                filling=found == ambient,
                gauge=gauge,
                identifiable=found == parameters - gauge,
                primes=(P22,),
                seed=self.seed,
                points=points,
                witness=0,
                method=STRUCTURED,
                version=__version__,
                elapsed=elapsed,
                ambient=_degree_text(r, len(widths) - 2),
            )

    def _bound_text(self, number: int, widths: Sequence[int], degree: int) -> str:
        known = tables()
        assert known is not None
        return known[0].text(tuple(widths), degree)


def text(widths: Sequence[int], degree: int) -> str:
    """The canonical text of a perceptron with hidden layers.

    >>> text((2, 3, 1), 2)
    '[2,3,1] r=2'
    """
    return f"[{','.join(map(str, widths))}] r={degree}"


@functools.lru_cache(maxsize=1 << 14)
def _ambient(inputs: int, outputs: int, degree: int, hidden: int) -> int:
    return ambient_dimension((inputs, outputs), (degree,) * hidden)


@functools.lru_cache(maxsize=1 << 10)
def _degree_text(degree: int, hidden: int) -> str:
    return f"coefficients of degree {degree**hidden}"


def survey(widths: Array | Sequence[Sequence[int]], degree: int | Sequence[int] | Array, *, rng: int = 0) -> Survey:
    """The dimensions of perceptrons of one depth.

    Parameters
    ----------
    widths:
        Integers ``(N, L + 1)``: one architecture a row, with at least one hidden layer.
    degree:
        The activation degree, at least 2, or one for each row.
    rng:
        Seed of every network, as for `polygeom.dimensions.dimension`.

    Raises
    ------
    PolygeomError
        If these are no positive integers of that shape, or a degree is below 2.

    Examples
    --------
    >>> found = survey([[5, 5, 5, 1], [2, 3, 3, 1]], 2)
    >>> found.dimension.tolist(), found.proved.tolist()
    ([35, 5], [True, True])
    """
    started = time.perf_counter()
    rows, degrees = _checked(widths, degree)
    found, upper = np.full(len(rows), -1), np.zeros(len(rows), np.int64)
    points = np.zeros(len(rows), np.int64)
    if len(rows):
        _fill(rows, degrees, rng, found, upper, points)
    singly = {}
    for number in np.flatnonzero(found < 0).tolist():
        result = dimension(mlp(tuple(rows[number].tolist()), int(degrees[number])), rng=rng)
        singly[number] = result
        found[number], upper[number], points[number] = result.lower, result.upper, result.points
    return Survey(rows, degrees, found, upper, points, rng, singly, time.perf_counter() - started)


def _fill(rows: Array, degrees: Array, rng: int, found: Array, upper: Array, points: Array) -> None:
    """Dimensions, bounds and points where the kernels prove them; the others are left at -1."""
    known = tables()
    if known is None or rows.shape[1] > MOST_WIDTHS:
        return
    from polygeom.dimensions.survey.ranks import first_ranks

    quick = known[0]
    left = np.flatnonzero((rows.max(axis=1) <= WIDEST) & (degrees <= _MOST_DEGREE))
    extra = 0
    before = np.full(len(rows), -1)
    while len(left) and extra <= _MOST_EXTRA:
        bound = quick.find(rows[left], degrees[left])[:, 0]
        ranks = first_ranks(rows[left], degrees[left], quick, rng, extra)
        met = (ranks.value == bound) & (bound >= 0)
        done = left[met]
        found[done], upper[done], points[done] = bound[met], bound[met], ranks.points[met]
        # more points help only where the last ones did: elsewhere the rank at these weights is final
        again = ~met & (ranks.value > before[left])
        before[left] = ranks.value
        left = left[again]
        extra = max(4, 2 * extra)


def _checked(widths: Any, degree: Any) -> tuple[Array, Array]:
    rows = np.asarray(widths)
    degrees = np.broadcast_to(np.asarray(degree), rows.shape[:1]) if rows.ndim == 2 else np.asarray(degree)
    whole = all(np.issubdtype(a.dtype, np.integer) for a in (rows, degrees)) or rows.size == 0
    if rows.ndim != 2 or not whole or rows.shape[1] < 3 or (rows.size and (rows.min() < 1 or degrees.min() < 2)):
        raise PolygeomError(
            f"widths must be rows of at least 3 positive integers and degree at least 2, got {widths!s:.40} and "
            f"{degree!s:.40}; write survey([[2,3,1],[2,4,1]], 2)"
        )
    return np.ascontiguousarray(rows, np.int64), np.ascontiguousarray(degrees, np.int64)


__all__ = ["Survey", "survey", "tables", "text"]
