"""``dimension(network)``: ranks from below, theorems from above, until they meet or the error is small enough."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise

import numpy as np

from polygeom._dataclass import dataclass
from polygeom._version import __version__
from polygeom.checks import choice
from polygeom.dimensions.bounds.bound import Bound
from polygeom.dimensions.bounds.search import proved_bound, upper_bound
from polygeom.dimensions.counts import Degrees, Widths, parameter_count, without_idle_layers
from polygeom.dimensions.ranks import blocks as _blocks
from polygeom.dimensions.ranks.budget import require_memory
from polygeom.dimensions.ranks.confidence import heights, trial_failure
from polygeom.dimensions.ranks.tangent import TAIL, activation_degrees, generic_rank
from polygeom.dimensions.ranks.witness import (
    GENERIC,
    SPARSE,
    STRUCTURED,
    Rank,
    field_for,
    generator,
    sparse_weights,
    structured_weights,
)
from polygeom.dimensions.residual import residual_dimension
from polygeom.dimensions.result import PROBABLE, PROVED, DimensionResult
from polygeom.dimensions.theorems import exact_dimension, fewer_inputs
from polygeom.errors import BudgetError, PolygeomError
from polygeom.modular import PrimeField
from polygeom.network import Network, parse

METHODS = ("auto", "generic")
MOST_TRIALS = 16
_MOST_BITS = 10_000
"""Ambient dimensions of more bits are not reported: JSON readers and Python's ``int`` refuse thousands of digits."""
_HOPELESS_TRIALS = 2
"""Trials to make when none of them gives a statement about the error."""
COSTLY = 2e10
"""Multiplications of one trial, about a second, from which on a theorem is asked before a rank is computed."""
_MANY_WEIGHTS = 1500
"""Weights of a network that is no perceptron, from which on a theorem is asked before a rank is computed."""
_DENSE_ENOUGH = 300
"""Shared columns beyond which a sparse point is tried first."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One rank computation: what it found, and how to find it again."""

    number: int
    method: str
    prime: int
    rank: Rank


def dimension(
    network: Network | str,
    *,
    method: str = "auto",
    error: float = 1e-9,
    rng: int | np.random.Generator = 0,
    memory: int | None = None,
) -> DimensionResult:
    """The affine dimension of a network's neurovariety: the generic rank of the Jacobian of weights → coefficients.

    Parameters
    ----------
    network:
        A `Network` or its text, for example ``"[3,3,3] r=2"``; the answer is for `Network.unscaled`, which has the
        same functions.
    method:
        ``"auto"``, or ``"generic"`` for the route that uses no structure of the architecture (slower, same numbers).
    error:
        If no proof is found, repeat independent trials until the proved error bound is at most this, or 16 trials are
        done.
    rng:
        Seed (nonnegative integer) or Generator, from which a seed is drawn; the seed is stored with the result.
    memory:
        Bytes that the Jacobian may take; no limit if None.

    Returns
    -------
    `DimensionResult`. ``lower`` and ``upper`` are always proved. If they differ, ``dimension`` is ``lower``, which is
    right with probability at least ``1 - error_bound``.

    Raises
    ------
    FormatError
        If the text is not a network.
    BudgetError
        If ``memory`` does not suffice.
    PolygeomError
        If another argument is out of its range.

    Examples
    --------
    >>> result = dimension("[5,5,5,1] r=2")
    >>> result.dimension, result.proved, result.filling
    (35, True, False)
    """
    started = time.perf_counter()
    if isinstance(network, str):
        network = parse(network)
    seed = _checked(network, method, error, rng, memory)
    network = network.unscaled
    try:
        bound, trials, reason = _best(network, method, error, seed, memory)
    except MemoryError as problem:
        raise BudgetError("memory: this machine has not enough for the Jacobian; write a smaller network") from problem
    return _result(network, bound, trials, reason, seed, time.perf_counter() - started)


def _checked(network: object, method: str, error: float, rng: int | np.random.Generator, memory: int | None) -> int:
    if not isinstance(network, Network):
        write = '"[3,3,3] r=2"'
        if hasattr(network, "named_parameters"):  # a module of torch, which need not be installed
            write = "module.network" if hasattr(network, "network") else "polygeom.from_torch(module, x).network"
        raise PolygeomError(f"network must be a Network or text, got {type(network).__name__}; write {write}")
    choice("method", method, METHODS, "auto")
    if type(error) not in (int, float) or not 0 < error <= 1:
        raise PolygeomError(f"error must be a probability above 0, got {error!r}; write error=1e-9")
    if memory is not None and _whole(memory) < 1:
        raise PolygeomError(f"memory must be a positive number of bytes, got {memory!r}; write memory=2*10**9")
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(2**62))
    if not 0 <= _whole(rng) < 2**63:
        raise PolygeomError(
            f"rng must be a seed (an integer from 0 to 2**63 - 1) or a numpy Generator, got {rng!r:.40}; write rng=0"
        )
    return int(rng)


def _whole(value: object) -> int:
    """A value as an integer; -1 for what is none."""
    return int(value) if isinstance(value, int | np.integer) and not isinstance(value, bool) else -1


def _best(network: Network, method: str, error: float, seed: int, memory: int | None) -> tuple[Bound, list[Trial], str]:
    """The upper bound, trials until one meets it or enough independent ones are done, or a theorem instead."""
    bound, thorough = proved_bound(network, thorough=False), False
    if method == "auto" and (reason := _theorem(network, bound)):
        return bound, [], reason
    attempts = perceptron_trials if network.widths is not None and method == "auto" else generic_trials
    trials: list[Trial] = []
    failure = 1.0
    height = None
    for trial in attempts(network, bound.value, seed, memory):
        trials.append(trial)
        if trial.rank.value < bound.value and trial.method != SPARSE and not thorough:
            bound, thorough = proved_bound(network), True
        if trial.rank.value > bound.value:
            raise AssertionError(
                f"{network}: rank {trial.rank.value} exceeds the bound {bound.value} ({bound}); please report"
            )
        if trial.rank.value == bound.value:
            break
        if trial.number > 0:
            height = height or heights(network)
            miss = trial_failure(height, bound.value, trial.prime, TAIL, trial.rank.stages)
            failure *= miss
            if failure <= error or trial.number >= (MOST_TRIALS if miss < 1 else _HOPELESS_TRIALS):
                break
    return bound, trials, ""


def _theorem(network: Network, bound: Bound) -> str | None:
    """The theorems that give the dimension without a rank; None where a rank is quick, which needs no literature."""
    if network.widths is None or network.activation_degrees is None:
        stack = residual_dimension(network) if network.parameter_count > _MANY_WEIGHTS else None
        return stack[1] if stack is not None and stack[0] == bound.value else None
    if _has_quick_rank(network.widths, network.activation_degrees):
        return None
    known = exact_dimension(*without_idle_layers(network.widths, network.activation_degrees))
    return known[1] if known is not None and known[0] == bound.value else None


@lru_cache(maxsize=4096)
def _has_quick_rank(widths: Widths, degrees: Degrees) -> bool:
    widths, degrees = without_idle_layers(widths, degrees)
    return len(widths) > 2 and operations(fewer_inputs(widths, degrees)[0]) < COSTLY


@lru_cache(maxsize=4096)
def _shared_columns_at_first(widths: Widths, degrees: Degrees) -> int:
    return _shared_columns(fewer_inputs(widths, degrees)[0])


def operations(widths: Widths) -> float:
    """About how many multiplications one trial of a perceptron takes."""
    outputs = min(widths[-1], widths[-2])
    own, shared = widths[-2] + widths[-3] - 1, _shared_columns(widths)
    return float(outputs) * own**2 * (own + shared) + float(shared) ** 3


def generic_trials(network: Network, target: int, seed: int, memory: int | None) -> Iterator[Trial]:
    """Trials of the general route: trial 0 at the fixed prime, then at random primes, without end."""
    divisors = activation_degrees(network)
    number = 0
    while True:

        def attempt(field: PrimeField, rng: np.random.Generator, extra: int) -> Rank:
            return generic_rank(network, field, rng, target, extra=extra, memory=memory)

        yield _stabilised(number, GENERIC, attempt, seed, divisors, target)
        number += 1


def perceptron_trials(network: Network, target: int, seed: int, memory: int | None) -> Iterator[Trial]:
    """Trials for a multilayer perceptron: a sparse point first where it pays, then structured generic points."""
    assert network.widths is not None and network.activation_degrees is not None
    widths, degrees = without_idle_layers(network.widths, network.activation_degrees)
    if _shared_columns_at_first(widths, degrees) > _DENSE_ENOUGH:
        yield perceptron_trial(widths, degrees, 0, SPARSE, seed, target, memory)
    number = 0
    while True:
        yield perceptron_trial(widths, degrees, number, STRUCTURED, seed, target, memory)
        number += 1


def perceptron_trial(
    widths: Widths, degrees: Degrees, number: int, method: str, seed: int, target: int, memory: int | None = None
) -> Trial:
    """One trial for a perceptron without idle layers.

    Surplus outputs each add the rank of the last features; functions of fewer linear forms than inputs are those of as
    many inputs, and the space of these forms.
    """
    require_memory(memory, 16 * parameter_count(widths))
    outputs = min(widths[-1], widths[-2])
    core, known = fewer_inputs((*widths[:-1], outputs), degrees)

    def attempt(field: PrimeField, rng: np.random.Generator, extra: int) -> Rank:
        if len(core) == 3 and outputs == core[1]:
            found = _blocks.single_block_rank(core, degrees, field, rng, extra=extra, memory=memory)
        else:
            draw = sparse_weights if method == SPARSE else structured_weights
            weights = draw(core, field, rng)
            partition = _blocks.sparse_partition(weights) if method == SPARSE else _blocks.structured_partition(core)
            goal = target if core == widths else upper_bound(core, degrees, thorough=False).value
            found = _blocks.block_rank(core, degrees, weights, partition, field, rng, goal, extra=extra, memory=memory)
        surplus = widths[-1] - outputs
        if surplus == 0:
            return Rank(found.value + known, found.stable, found.points, found.stages) if known else found
        features = _blocks.feature_rank(core, degrees, field, rng, extra=extra)
        value, stable = found.value + known + surplus * features.value, found.stable and features.stable
        return Rank(value, stable, max(found.points, features.points), found.stages + features.stages)

    return _stabilised(number, method, attempt, seed, degrees, target)


def _stabilised(
    number: int,
    method: str,
    attempt: Callable[[PrimeField, np.random.Generator, int], Rank],
    seed: int,
    divisors: Degrees,
    target: int,
) -> Trial:
    """Repeat an attempt with more points until the rank is stable or meets the target."""
    extra, stages = 0, 0
    while True:
        rng = generator(seed, number)
        field = field_for(rng, number, divisors)
        rank = attempt(field, rng, extra)
        stages += rank.stages
        if rank.stable or rank.value >= target or method == SPARSE:
            return Trial(number, method, field.p, Rank(rank.value, rank.stable, rank.points, stages))
        extra = max(4, 2 * extra)


def _shared_columns(widths: Widths) -> int:
    outputs = min(widths[-1], widths[-2])
    inner = sum((n - 1) * m for n, m in pairwise(widths[:-2]))
    return inner + (widths[-2] - outputs) * (widths[-3] - 1)


def _result(
    network: Network, bound: Bound, trials: list[Trial], reason: str, seed: int, elapsed: float
) -> DimensionResult:
    best = max(trials, key=lambda trial: trial.rank.value) if trials else None
    lower = best.rank.value if best else bound.value
    proved = lower == bound.value
    independent = [trial for trial in trials if trial.number > 0]
    error_bound = 0.0 if proved else 1.0
    if independent and not proved:
        height = heights(network)
        for trial in independent:
            error_bound *= trial_failure(height, bound.value, trial.prime, TAIL, trial.rank.stages)
    ambient, expected = _ambient_dimension(network), network.expected_dimension
    parameters, gauge = network.parameter_count, network.gauge
    return DimensionResult(
        network=network.text,
        dimension=lower,
        lower=lower,
        upper=bound.value,
        proved=proved,
        status=PROVED if proved else PROBABLE,
        error_bound=error_bound,
        trials=len(independent) if independent else len(trials),
        bound=str(bound),
        parameters=parameters,
        ambient_dimension=ambient,
        expected_dimension=expected,
        defect=expected - lower,
        filling=lower == ambient,
        gauge=gauge,
        identifiable=_identifiable(lower, bound.value, parameters - gauge),
        primes=tuple(dict.fromkeys(trial.prime for trial in trials)),
        seed=seed,
        points=best.rank.points if best else 0,
        witness=best.number if best else 0,
        method=best.method if best else f"theorem: {reason}",
        version=__version__,
        elapsed=elapsed,
        ambient="" if ambient is None else _ambient_text(network),
    )


def _ambient_dimension(network: Network) -> int | None:
    try:
        ambient = network.ambient_dimension
    except PolygeomError:
        return None
    return ambient if ambient.bit_length() <= _MOST_BITS else None


def _ambient_text(network: Network) -> str:
    if network.activation_degrees is not None:
        return f"coefficients of degree {network.degree}"
    return str(network.ambient)


def _identifiable(lower: int, upper: int, free: int) -> bool | None:
    """Whether the dimension is the number of weights that symmetries leave free; None if the bounds do not decide."""
    if lower == free:
        return True
    return False if upper < free or lower == upper else None
