"""How many random targets a network can interpolate, measured by training it, next to what its dimension predicts.

For each number ``n`` of points, ``draws`` data sets of generic points and independent normal targets are fitted from
``restarts`` random starts each. A data set counts as interpolated when a fit reaches machine zero. The *measured
threshold* is the largest ``n`` with an interpolated data set; the prediction is the capacity of
`polygeom.dimensions.evaluation`: beyond it interpolable targets have measure zero, up to it they contain an open
set — over the reals not necessarily all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor

from polygeom._dataclass import dataclass
from polygeom.dimensions.evaluation import evaluation_ranks
from polygeom.errors import PolygeomError
from polygeom.learning.thresholds.bisection import counts_around
from polygeom.learning.training.fleet import STALLED, STATIONARY, Fleet, fit_fleet, generic_points, random_starts
from polygeom.network import Network
from polygeom.network.builder import as_network

FIELDS: Mapping[str, torch.dtype] = {"real": torch.float64, "complex": torch.complex128}
"""Over which numbers weights and targets are drawn; points are always real."""


@dataclass(frozen=True)
class SuccessCount:
    """How often ``samples`` random targets were interpolated.

    Attributes
    ----------
    samples:
        Number of points of a data set.
    draws, interpolated:
        Number of data sets, and of those that some start interpolated.
    runs, reached:
        Number of fits, and of those that reached machine zero.
    bounded:
        Of the fits that did not, the number that ended at a zero of the gradient or where no step helps; the others
        ran out of steps, usually with weights that grow without bound (the infimum is on the boundary of the image).
    """

    samples: int
    draws: int
    interpolated: int
    runs: int
    reached: int
    bounded: int

    @property
    def fraction(self) -> float:
        """``interpolated / draws``."""
        return self.interpolated / self.draws


@dataclass(frozen=True)
class InterpolationThreshold:
    """The measured interpolation threshold of a network and its predictions.

    Attributes
    ----------
    network, outputs, parameters, gauge:
        Canonical text, and integers of the network.
    dimension, capacity:
        Of `polygeom.dimensions.evaluation.EvaluationRanks`: the dimension of the neurovariety and the predicted
        threshold.
    field:
        ``"real"`` or ``"complex"``.
    counts:
        What was measured, by number of points.
    seed:
        Of all randomness.
    """

    network: str
    outputs: int
    parameters: int
    gauge: int
    dimension: int
    capacity: int
    field: str
    counts: tuple[SuccessCount, ...]
    seed: int

    @cached_property
    def threshold(self) -> int:
        """The largest number of points with an interpolated data set; 0 if there is none."""
        return max((c.samples for c in self.counts if c.interpolated), default=0)

    @cached_property
    def reliable(self) -> int:
        """The largest number of points up to which, as far as measured, at least half of the data sets were."""
        below = [c.samples for c in self.counts if 2 * c.interpolated < c.draws]
        return max((c.samples for c in self.counts if c.samples < min(below, default=10**9)), default=0)

    @property
    def agrees(self) -> bool:
        """Whether the measured threshold is the predicted one."""
        return self.threshold == self.capacity

    def fraction(self, samples: int) -> float | None:
        """The fraction of data sets of that size that were interpolated; None if it was not measured."""
        return next((c.fraction for c in self.counts if c.samples == samples), None)

    def as_dict(self) -> dict[str, object]:
        """Plain data."""
        own = asdict(self) | {"threshold": self.threshold, "reliable": self.reliable, "agrees": self.agrees}
        return own | {"counts": [asdict(c) for c in self.counts]}

    def __str__(self) -> str:
        """One line for a reader."""
        verdict = "as predicted" if self.agrees else f"predicted {self.capacity}"
        return (
            f"{self.network}: interpolates {self.threshold} random targets ({self.field} weights), {verdict}; "
            f"dimension / outputs {self.dimension / self.outputs:g}, parameters / outputs "
            f"{self.parameters / self.outputs:g}"
        )


@dataclass(frozen=True, eq=False)
class TargetFits:
    """Fits of random targets from random starts, draw by draw.

    Attributes
    ----------
    fleet:
        The fits; entry ``draw * restarts + restart``.
    inputs, targets:
        Shapes ``(draws, samples, *input_shape)`` and ``(draws, samples, *output_shape)``.
    restarts:
        Starts for each data set.
    """

    fleet: Fleet
    inputs: Tensor
    targets: Tensor
    restarts: int

    @property
    def reached(self) -> np.ndarray:
        """Which fits reached machine zero, shape ``(draws, restarts)``."""
        return self.fleet.reached.reshape(-1, self.restarts)

    @property
    def count(self) -> SuccessCount:
        """The number of successes."""
        bounded = int(np.isin(self.fleet.states, (STATIONARY, STALLED)).sum())
        draws, samples = self.inputs.shape[:2]
        reached = self.reached
        return SuccessCount(samples, draws, int(reached.any(axis=1).sum()), reached.size, int(reached.sum()), bounded)


def fit_random_targets(
    network: Network | str,
    samples: int,
    *,
    draws: int = 8,
    restarts: int = 8,
    field: str = "real",
    fixed: Mapping[str, Tensor] | None = None,
    steps: int = 300,
    rng: int = 0,
) -> TargetFits:
    """Fit random targets at generic points from random starts.

    Parameters
    ----------
    network:
        A `Network` or its text.
    samples:
        Number of points, at least 1.
    draws, restarts:
        Number of data sets, and of starts for each.
    field:
        ``"real"`` or ``"complex"``: of weights and targets.
    fixed:
        Weights that are held at given values.
    steps:
        Of Levenberg–Marquardt.
    rng:
        Seed. Points, targets and starts for one ``samples`` are independent of those for others.

    Raises
    ------
    PolygeomError
        For counts below 1 or an unknown field.

    Examples
    --------
    >>> fit_random_targets("[3,2,1] r=2", 4, draws=2).count.fraction
    1.0
    >>> fit_random_targets("[3,2,1] r=2", 6, draws=2).count.fraction
    0.0
    """
    network = as_network(network)
    _check(samples, draws, restarts, field)
    generator = torch.Generator().manual_seed(_seed(rng, samples, 0))
    x = generic_points(network, (draws, samples), generator)
    y = torch.randn((draws, samples, *network.output_shape), generator=generator, dtype=FIELDS[field])
    runs = draws * restarts
    starts = random_starts(network, runs, rng=_seed(rng, samples, 1), dtype=FIELDS[field])
    held = {name: value.to(FIELDS[field]).expand(runs, *value.shape) for name, value in (fixed or {}).items()}
    inputs, targets = (part.repeat_interleave(restarts, dim=0) for part in (x, y))
    fleet = fit_fleet(network, inputs, targets, {**starts, **held}, fixed=held, steps=steps)
    return TargetFits(fleet, x, y, restarts)


def interpolation_threshold(
    network: Network | str,
    *,
    draws: int = 8,
    restarts: int = 8,
    field: str = "real",
    fixed: Mapping[str, Tensor] | None = None,
    window: int = 1,
    steps: int = 300,
    rng: int = 0,
) -> InterpolationThreshold:
    """The largest number of random targets that a network interpolates when it is trained.

    The threshold is found by bisection between 0 and parameters / outputs + 1, without use of the dimension.

    Parameters
    ----------
    network, draws, restarts, field, fixed, steps, rng:
        As for `fit_random_targets`.
    window:
        How many sample sizes on each side of the threshold are measured in any case.

    Returns
    -------
    `InterpolationThreshold`. That no target beyond the capacity is interpolated is a theorem; that training finds the
    interpolations that exist is an observation.

    Raises
    ------
    PolygeomError
        For counts below 1 or an unknown field.

    Examples
    --------
    >>> found = interpolation_threshold("[3,2,1] r=2", draws=4, restarts=4)
    >>> found.threshold, found.dimension, found.parameters
    (5, 5, 8)
    """
    network = as_network(network)
    _check(1, draws, restarts, field)
    fits = partial(
        fit_random_targets, network, draws=draws, restarts=restarts, field=field, fixed=fixed, steps=steps, rng=rng
    )
    most = network.parameter_count // network.output_dimension + 1
    counts = counts_around(lambda n: fits(n).count, lambda found: found.interpolated > 0, most, window, window)
    exact = evaluation_ranks(network, rng=rng)
    return InterpolationThreshold(
        network=network.text,
        outputs=network.output_dimension,
        parameters=network.parameter_count,
        gauge=network.gauge,
        dimension=exact.dimension,
        capacity=exact.capacity,
        field=field,
        counts=counts,
        seed=rng,
    )


def _seed(rng: int, samples: int, stream: int) -> int:
    return int(np.random.SeedSequence((rng, samples, stream)).generate_state(1)[0])


def _check(samples: int, draws: int, restarts: int, field: str) -> None:
    for name, value in (("samples", samples), ("draws", draws), ("restarts", restarts)):
        if value < 1:
            raise PolygeomError(f"{name} must be at least 1, got {value}; write {name}=8")
    if field not in FIELDS:
        raise PolygeomError(f'field must be "real" or "complex", got {field!r}; write field="real"')


__all__ = [
    "FIELDS",
    "InterpolationThreshold",
    "SuccessCount",
    "TargetFits",
    "fit_random_targets",
    "interpolation_threshold",
]
