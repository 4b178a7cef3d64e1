"""Ranks of many perceptrons at the points of their first trial, by the compiled kernel."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.dimensions.ranks.tangent import TAIL
from polygeom.dimensions.ranks.witness import generator
from polygeom.dimensions.survey.bounds import BoundTable
from polygeom.modular import P22

Array = np.ndarray

MOST_SHARED = 300
"""Shared columns beyond which `polygeom.dimensions.compute` takes a sparse point first."""
_CHUNK = 4096


@dataclass(frozen=True)
class Ranks:
    """Ranks of perceptrons at trial 0, one entry each; -1 where the kernel does not compute one.

    Attributes
    ----------
    value:
        The rank, as `polygeom.dimensions.compute.perceptron_trial` finds it.
    points:
        How many points it takes.
    """

    value: Array
    points: Array


def first_ranks(widths: Array, degree: Array, quick: BoundTable, seed: int, extra: int = 0) -> Ranks:
    """The ranks of perceptrons of one depth at the structured point of trial 0 of a seed.

    Architectures that reduce to the same core (no more inputs than first neurons, no more outputs than last ones) have
    their rank computed once.

    Parameters
    ----------
    widths:
        Integers ``(N, L + 1)`` with ``L ≥ 2``.
    degree:
        Activation degrees ``(N,)`` of at least 2, none divisible by the prime.
    quick:
        Bounds without the costly rules, which say how many points are needed.
    seed:
        Of the stream of weights and points.
    extra:
        Points beyond those that suffice generically.
    """
    fewer = widths[:, 0] > widths[:, 1]
    known = np.where(fewer, widths[:, 1] * (widths[:, 0] - widths[:, 1]), 0)
    cores = np.concatenate([widths, degree[:, None]], axis=1)
    cores[:, 0] = np.minimum(widths[:, 0], widths[:, 1])
    cores[:, -2] = np.minimum(widths[:, -1], widths[:, -2])
    surplus = widths[:, -1] - cores[:, -2]
    unique, place = _distinct(cores)
    wanted = np.zeros(len(unique), bool)
    wanted[place[surplus > 0]] = True
    found = _core_ranks(unique, wanted, quick, seed, extra)[place]
    value = np.where(found[:, 0] < 0, -1, known + found[:, 0] + surplus * found[:, 2])
    points = np.where(surplus > 0, np.maximum(found[:, 1], found[:, 3]), found[:, 1])
    return Ranks(value, points)


def _distinct(rows: Array) -> tuple[Array, Array]:
    """The distinct rows, and for each row its place among them."""
    packed = np.ascontiguousarray(rows).view([("", rows.dtype)] * rows.shape[1]).ravel()
    _, first, place = np.unique(packed, return_index=True, return_inverse=True)
    return rows[first], place


def _core_ranks(cores: Array, wanted: Array, quick: BoundTable, seed: int, extra: int) -> Array:
    """Rows (rank, points, rank of the features, their points); -1 where a core is too large."""
    from polygeom.dimensions.survey import _ranks_numba as kernels

    widths, degree = np.ascontiguousarray(cores[:, :-1]), np.ascontiguousarray(cores[:, -1])
    goals = np.ascontiguousarray(quick.find(widths, degree)[:, 0])
    plans = np.empty((len(cores), 4), np.int64)
    kernels.plan_cores(widths, degree, goals, extra, plans)
    small = (goals >= 0) & (plans[:, 2] <= MOST_SHARED) & (plans[:, 1] + plans[:, 2] <= kernels.MOST_COLUMNS)
    out = np.full((len(cores), 4), -1, np.int64)
    stream = _stream(seed, int(plans[small, 3].max(initial=0)))
    for chosen in _by_size(np.flatnonzero(small), plans):
        result = np.zeros((len(chosen), 4), np.int64)
        kernels.core_ranks(
            widths[chosen], degree[chosen], goals[chosen], wanted[chosen], plans[chosen], stream, float(P22), TAIL,
            extra, result,
        )  # fmt: skip
        out[chosen] = result
    return out


def _by_size(numbers: Array, plans: Array) -> Iterator[Array]:
    """Chunks of architectures of similar size, so that the matrices of small ones lie close together."""
    order = numbers[np.argsort(plans[numbers, 0] * (plans[numbers, 1] + plans[numbers, 2]), kind="stable")]
    for start in range(0, len(order), _CHUNK):
        yield order[start : start + _CHUNK]


def _stream(seed: int, length: int) -> Array:
    """The residues that trial 0 draws, in order: one draw of many is the same as many draws."""
    middle = P22 // 2
    return generator(seed, 0).integers(-middle, middle + 1, size=length).astype(np.float64)
