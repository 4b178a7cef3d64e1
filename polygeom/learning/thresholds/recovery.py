"""Does a network that interpolates samples of a teacher become the teacher?

Students of an architecture are trained on ``n`` samples of random teachers, to machine zero. What the theorem of
`polygeom.dimensions.evaluation` predicts for a teacher of the same architecture, with ``n*`` the determining
number: below ``n*`` a student that interpolates is some other function, from ``n* + 1`` on it *is* the teacher,
everywhere; at ``n*`` it is one of finitely many functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from polygeom._dataclass import dataclass
from polygeom.dimensions.evaluation import evaluation_ranks
from polygeom.dimensions.identifiability import identifiability
from polygeom.errors import PolygeomError
from polygeom.learning.thresholds.bisection import counts_around
from polygeom.learning.thresholds.weight_matching import weight_distance
from polygeom.learning.training.fleet import Fleet, fit_fleet, fleet_outputs, generic_points, random_starts
from polygeom.network import Network, parse
from polygeom.network.builder import as_network

RECOVERED = 1e-8
"""A relative error below this counts as recovery.

Recovered functions have 1e-14 to 1e-10. Others have about 1, down to 1e-7 for teachers that happen to be close to those
of a smaller network.
"""

_SAME_WEIGHTS = 1e-4
"""Weights of a recovered function are as exact as its derivative is well conditioned; others differ by about 1."""

_FAR = 10.0
_TEST_POINTS = 64


@dataclass(frozen=True)
class RecoveryCount:
    """How often students became their teachers from ``samples`` samples.

    Attributes
    ----------
    samples, teachers, runs:
        Number of samples, of teachers, and of students altogether.
    reached:
        Students that interpolate to machine zero.
    recovered:
        Of those, the students that agree with the teacher at points ten times as far out as the samples.
    recovered_inside:
        Of those, the students that agree with it at such points in the span of the directions that samples have.
    recovered_teachers:
        Teachers that some student became.
    recovered_weights:
        Students whose weights agree with the teacher's up to permutations and scalings; None where this makes no sense
        (no perceptron, or infinitely many weights for each function).
    median_error:
        Median relative error of the interpolating students far out; None if there is none.
    """

    samples: int
    teachers: int
    runs: int
    reached: int
    recovered: int
    recovered_inside: int
    recovered_teachers: int
    recovered_weights: int | None
    median_error: float | None

    @property
    def share(self) -> float | None:
        """``recovered / reached``, None when no student interpolates."""
        return self.recovered / self.reached if self.reached else None

    def as_dict(self) -> dict[str, object]:
        """Plain data."""
        return asdict(self)


def recover_teachers(
    network: Network | str,
    samples: int,
    *,
    teacher: Network | str | None = None,
    directions: int | None = None,
    teachers: int = 6,
    restarts: int = 12,
    steps: int = 300,
    rng: int = 0,
) -> RecoveryCount:
    """Train students of ``network`` on samples of random teachers and compare functions and weights.

    Parameters
    ----------
    network:
        The students, a `Network` or its text.
    samples:
        Number of samples of each teacher, at least 1.
    teacher:
        The architecture of the teachers, with inputs and outputs of the same shapes; that of the students if None.
    directions:
        Samples vary in the first ``directions`` input coordinates only, the others being zero; in all if None.
    teachers, restarts:
        Number of teachers, and of students for each.
    steps:
        Of Levenberg–Marquardt.
    rng:
        Seed.

    Raises
    ------
    PolygeomError
        When shapes differ or a number is out of range.

    Examples
    --------
    >>> few, enough = (recover_teachers("[3,2,1] r=2", n, teachers=2, restarts=4) for n in (4, 6))
    >>> few.share, enough.share
    (0.0, 1.0)
    """
    network = as_network(network)
    source = network if teacher is None else parse(teacher) if isinstance(teacher, str) else teacher
    _check(network, source, samples, directions, teachers, restarts)
    seeds = [int(seed) for seed in np.random.SeedSequence((rng, samples)).generate_state(3)]
    generator = torch.Generator().manual_seed(seeds[0])
    x = _only(generic_points(network, (teachers, samples), generator), directions)
    own = random_starts(source, teachers, rng=seeds[1], biases=1.0)
    y = fleet_outputs(source, own, x)
    inputs, targets = (part.repeat_interleave(restarts, dim=0) for part in (x, y))
    starts = random_starts(network, teachers * restarts, rng=seeds[2])
    fleet = fit_fleet(network, inputs, targets, starts, steps=steps)
    far = _FAR * generic_points(network, (_TEST_POINTS,), generator)
    error = _errors(fleet, source, own, far)
    inside = _errors(fleet, source, own, _only(far, directions))
    reached = fleet.reached
    same = reached & (error < RECOVERED)
    return RecoveryCount(
        samples=samples,
        teachers=teachers,
        runs=len(reached),
        reached=int(reached.sum()),
        recovered=int(same.sum()),
        recovered_inside=int((reached & (inside < RECOVERED)).sum()),
        recovered_teachers=int(same.reshape(teachers, -1).any(axis=1).sum()),
        recovered_weights=_same_weights(fleet, own, same) if source == network else None,
        median_error=float(np.median(error[reached])) if reached.any() else None,
    )


@dataclass(frozen=True)
class RecoveryThreshold:
    """From how many samples on students that interpolate are their teachers.

    Attributes
    ----------
    network, outputs, parameters:
        Canonical text, and integers of the network.
    dimension, determining:
        Of `polygeom.dimensions.evaluation.EvaluationRanks`.
    counts:
        What was measured, by number of samples.
    seed:
        Of all randomness.
    """

    network: str
    outputs: int
    parameters: int
    dimension: int
    determining: int
    counts: tuple[RecoveryCount, ...]
    seed: int

    @property
    def first(self) -> int | None:
        """The least number of samples from which some student became its teacher; predicted: ``determining``."""
        return min((c.samples for c in self.counts if c.recovered), default=None)

    @property
    def certain(self) -> int | None:
        """The least number from which on all that interpolate did; predicted: at most ``determining + 1``."""
        below = max((c.samples for c in self.counts if c.share is not None and c.share < 1), default=0)
        return min((c.samples for c in self.counts if c.samples > below and c.reached), default=None)

    @property
    def agrees(self) -> bool:
        """Whether no measured number contradicts the prediction."""
        below = all(c.recovered == 0 for c in self.counts if c.samples < self.determining)
        return below and all(c.share in (None, 1) for c in self.counts if c.samples > self.determining)


def recovery_threshold(
    network: Network | str, *, window: int = 2, teachers: int = 6, restarts: int = 12, steps: int = 300, rng: int = 0
) -> RecoveryThreshold:
    """The number of samples from which on interpolating students are their teachers, by bisection up to ``P + 1``.

    Parameters
    ----------
    network, teachers, restarts, steps, rng:
        As for `recover_teachers`.
    window:
        How many sample sizes on each side of the threshold are measured in any case.

    Examples
    --------
    >>> found = recovery_threshold("[3,2,1] r=2", teachers=2, restarts=3)
    >>> found.determining, found.first, found.certain, found.agrees
    (5, 5, 6, True)
    """
    network = as_network(network)
    count = partial(recover_teachers, network, teachers=teachers, restarts=restarts, steps=steps, rng=rng)
    most = network.parameter_count + 1
    # Few samples are always interpolated, so where none is there are many
    counts = counts_around(count, lambda found: found.share not in (None, 1), most, window, window + 1)
    exact = evaluation_ranks(network, rng=rng)
    return RecoveryThreshold(
        network=network.text,
        outputs=network.output_dimension,
        parameters=network.parameter_count,
        dimension=exact.dimension,
        determining=exact.determining,
        counts=counts,
        seed=rng,
    )


def _only(x: Tensor, directions: int | None) -> Tensor:
    """The points with all but the first ``directions`` coordinates set to zero."""
    if directions is None:
        return x
    kept = x.clone()
    kept[..., directions:] = 0
    return kept


def _errors(fleet: Fleet, source: Network, own: dict[str, Tensor], x: Tensor) -> np.ndarray:
    """Relative errors of all students at points ``x``, against their teachers."""
    teachers = len(next(iter(own.values())))
    truth = fleet_outputs(source, own, x.expand(teachers, *x.shape)).reshape(teachers, -1)
    truth = truth.repeat_interleave(len(fleet.losses) // teachers, dim=0)
    found = fleet.outputs(x).reshape(len(fleet.losses), -1)
    return np.asarray((found - truth).norm(dim=1) / truth.norm(dim=1))


def _same_weights(fleet: Fleet, own: dict[str, Tensor], same: np.ndarray) -> int | None:
    """How many of the students that are their teachers have their weights."""
    network = fleet.network
    degrees = network.activation_degrees
    if degrees is None or 1 in degrees or not identifiability(network).identifiable:
        return None
    restarts = len(same) // len(next(iter(own.values())))

    def one(weights: Mapping[str, Tensor], number: Any) -> dict[str, Tensor]:
        return {name: w[number] for name, w in weights.items()}

    pairs = ((one(fleet.weights, b), one(own, b // restarts)) for b in np.flatnonzero(same))
    distances = [weight_distance(network, student, teacher) for student, teacher in pairs]
    return sum(distance < _SAME_WEIGHTS for distance in distances)


def _check(
    network: Network, source: Network, samples: int, directions: int | None, teachers: int, restarts: int
) -> None:
    for name, value in (("samples", samples), ("teachers", teachers), ("restarts", restarts)):
        if value < 1:
            raise PolygeomError(f"{name} must be at least 1, got {value}; write {name}=6")
    if (source.input_shape, source.output_shape) != (network.input_shape, network.output_shape):
        raise PolygeomError(
            f"teacher must have inputs {network.input_shape} and outputs {network.output_shape} like the student, got "
            f"{source.input_shape} and {source.output_shape}; write a teacher with the same first and last width"
        )
    if directions is not None and not 0 < directions <= network.input_shape[-1]:
        raise PolygeomError(
            f"directions must be from 1 to {network.input_shape[-1]}, got {directions}; leave it out for all"
        )


__all__ = ["RECOVERED", "RecoveryCount", "RecoveryThreshold", "recover_teachers", "recovery_threshold"]
