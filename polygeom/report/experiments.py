"""Sections that are measured: the spectrum of the tangent kernel and two small training experiments."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from polygeom.dimensions import DimensionResult
from polygeom.dimensions.evaluation import evaluation_ranks
from polygeom.engines.torch_module import NetworkModule
from polygeom.learning.thresholds.ranks import generic_weights, kernel_rank
from polygeom.learning.training.least_squares import levenberg_marquardt
from polygeom.network import Network
from polygeom.report.page import COUNTED, OBSERVED, PROVED, UNFINISHED, Fact, Figure, Section

ZERO = 1e-12
"""A mean squared error below this counts as zero; targets have mean square one."""

_FLOOR = 1e-30
_REPEATS = 3
_RESTARTS = 3
_ROUNDS, _STEPS = 10, 30
_STALLED = 0.98
_FAR_POINTS = 200
_FAR = 3.0


def kernel_section(network: Network, result: DimensionResult, rng: int) -> Section:
    """The spectrum of the tangent kernel with the dimension marked."""
    found = kernel_rank(network, rng=rng)
    verdict = "the same number" if found.agrees else "not the same number"
    lead = (
        f"At random weights and {found.points} random inputs it has {found.rank} directions that are not zero, and the "
        f"neurovariety has dimension {result.dimension}: {verdict}."
    )
    gap = f"singular values fall from {found.above:.1e} to {found.below:.1e} of the largest there"
    facts = (
        Fact("rank of the kernel", str(found.rank), OBSERVED, gap if found.clear else f"{gap}: no clear gap"),
        Fact("dimension", str(result.dimension), PROVED if result.proved else "probable"),
    )
    shown = found.spectrum[: min(len(found.spectrum), 2 * result.dimension + 20)]
    data = {"values": [float(v) for v in shown], "dimension": result.dimension}
    caption = (
        "Eigenvalues of the tangent kernel, largest first: those beyond the dimension are zero up to rounding "
        "(at generic weights and enough inputs this is a theorem)."
    )
    return Section("What can move? The tangent kernel", lead, facts, figures=(Figure("spectrum", data, caption),))


def sample_sizes(network: Network, dimension: int, most: int = 11) -> list[int]:
    """Numbers of samples around ``dimension / outputs``, denser close to it, up to a little beyond the parameters."""
    outputs = network.output_dimension
    centre = -(-dimension // outputs)
    top = max(-(-network.parameter_count // outputs) + 1, centre + 3)
    near = {centre + k for k in range(-3, 4)}
    spread = {round(centre * f) for f in (0.4, 0.7)} | {top, round((centre + top) / 2)}
    return sorted(n for n in near | spread if n >= 1)[:most]


def interpolation_section(network: Network, result: DimensionResult, rng: int, deadline: float) -> Section:
    """Train on random targets at growing sample sizes: up to which size does the training error vanish?"""
    outputs = network.output_dimension

    def error(n: int, repeat: int) -> float:
        generator = torch.Generator().manual_seed(rng + 7919 * repeat)
        x = torch.randn((n, *network.input_shape), generator=generator, dtype=torch.float64)
        y = torch.randn((n, *network.output_shape), generator=generator, dtype=torch.float64)
        # Beyond the dimension no start can fit generic targets; one shows the error that remains.
        starts = _RESTARTS if n * outputs <= result.dimension else 1
        return _best_loss(network, x, y / y.square().mean().sqrt(), generator, starts, deadline)

    sizes = sample_sizes(network, result.dimension)
    places, errors = _measured(sizes, outputs, deadline, error)
    title = "How many samples can it fit?"
    if not places:
        return Section(title, UNFINISHED)
    cut = f" (no more than {places[-1]} were tried in the time that was given)" if len(places) < len(sizes) else ""
    beyond = places[-1] > result.dimension
    fitted = [p for p, row in zip(places, errors, strict=True) if min(row) < ZERO]
    above = [p for p, row in zip(places, errors, strict=True) if p > result.dimension and min(row) < ZERO]
    largest = str(max(fitted)) if fitted else "none of those tried"
    lead = (
        f"Trained on random targets, it fits up to {largest} conditions exactly{cut}; "
        f"its dimension is {result.dimension}, its number of weights {network.parameter_count}."
    )
    capacity = evaluation_ranks(network, rng=rng).capacity * outputs
    facts = (
        Fact("capacity", str(capacity), COUNTED,
             "conditions that generic points impose independently, by exact ranks; at most the dimension"),
        Fact("no fit beyond the dimension", ("as it must be" if not above else "VIOLATED") if beyond else "not tried",
             OBSERVED if beyond else "",
             "more generic conditions than the dimension have no solution: a theorem"),
        Fact("largest number fitted", f"{largest}{cut}", OBSERVED,
             f"best of {_RESTARTS} starts, {_REPEATS} draws of targets; below that a real solution need not exist"),
    )  # fmt: skip
    caption = (
        "Mean squared training error on random targets after Gauss–Newton training, against the number of conditions. "
        "Beyond the capacity it cannot vanish for generic targets, however many weights there are; up to it, it can."
    )
    figure = _threshold(network, result, places, errors, "training error", caption)
    return Section(title, lead, facts, figures=(figure,))


def recovery_section(network: Network, result: DimensionResult, rng: int, deadline: float) -> Section:
    """Train on samples of a network of the same shape: from how many samples on is the function itself found?"""
    outputs = network.output_dimension

    def error(n: int, repeat: int) -> float:
        return _far_error(network, n, torch.Generator().manual_seed(rng + 104_729 * (repeat + 1)), deadline)

    sizes = sample_sizes(network, result.dimension)
    places, errors = _measured(sizes, outputs, deadline, error)
    if not places:
        return Section("When does it find the truth?", UNFINISHED)
    cut = f" (no more than {places[-1]} were tried in the time that was given)" if len(places) < len(sizes) else ""
    found = [p for p, row in zip(places, errors, strict=True) if sorted(row)[len(row) // 2] < 1e-8]
    first = str(min(found)) if found else f"none of those tried{cut}"
    lead = "Trained on exact samples of a function that it can express, " + (
        f"it finds that function, and is right far away from the data, from {first} conditions on."
        if found
        else f"it did not find that function from any number of samples that was tried{cut}."
    )
    note = f"median of {_REPEATS} teachers; dimension {result.dimension}"
    facts = (Fact("conditions that sufficed", first, OBSERVED, note),)
    caption = (
        "Relative squared error at inputs three times as far out as the samples. Fewer conditions than the dimension "
        "leave a continuum of functions that fit them; that is a theorem, the drop beyond it an observation."
    )
    figure = _threshold(network, result, places, errors, f"error at {_FAR:g} times the distance", caption)
    return Section("When does it find the truth?", lead, facts, figures=(figure,))


def _threshold(
    network: Network, result: DimensionResult, places: list[int], errors: list[list[float]], measure: str, caption: str
) -> Figure:
    """Errors over the number of conditions, with the dimension and the number of weights."""
    counts = {"dimension": result.dimension, "parameters": network.parameter_count}
    names = {"label": "conditions: samples × outputs", "measure": measure}
    return Figure("threshold", {"places": places, "errors": errors, "floor": _FLOOR, **counts, **names}, caption)


def _measured(
    sizes: list[int], outputs: int, deadline: float, error: Callable[[int, int], float]
) -> tuple[list[int], list[list[float]]]:
    """Numbers of conditions, and the errors of all repeats there; a number in which the time ends is left out."""
    places: list[int] = []
    errors: list[list[float]] = []
    for n in sizes:
        row = []
        for repeat in range(_REPEATS):
            row.append(error(n, repeat))
            if time.monotonic() > deadline:
                return places, errors
        places.append(n * outputs)
        errors.append(row)
    return places, errors


def _best_loss(
    network: Network, x: torch.Tensor, y: torch.Tensor, generator: torch.Generator, starts: int, deadline: float
) -> float:
    """The smallest training error over several starts; stops at the first that vanishes."""
    best = float("inf")
    for _ in range(starts):
        loss, _weights = _fit(network, x, y, generator)
        best = min(best, loss)
        if best < ZERO or time.monotonic() > deadline:
            break
    return best


def _fit(
    network: Network, x: torch.Tensor, y: torch.Tensor, generator: torch.Generator
) -> tuple[float, dict[str, torch.Tensor]]:
    module = NetworkModule(network, initialisation="zero")
    module.set_weights(generic_weights(network, generator))
    loss = float("inf")
    for _ in range(_ROUNDS):
        before, loss = loss, levenberg_marquardt(module, x, y, steps=_STEPS, tolerance=_FLOOR).loss
        if loss <= _FLOOR or loss > _STALLED * before:
            break
    return loss, {name: p.detach() for name, p in module.named_parameters()}


def _far_error(network: Network, n: int, generator: torch.Generator, deadline: float) -> float:
    teacher = NetworkModule(network, initialisation="zero")
    teacher.set_weights(generic_weights(network, generator))
    x = torch.randn((n, *network.input_shape), generator=generator, dtype=torch.float64)
    far = _FAR * torch.randn((_FAR_POINTS, *network.input_shape), generator=generator, dtype=torch.float64)
    with torch.no_grad():
        y, truth = teacher(x), teacher(far)
    best, error = float("inf"), float("inf")
    for _ in range(_RESTARTS):
        loss, weights = _fit(network, x, y, generator)
        if loss < best:
            best = loss
            student = NetworkModule(network, initialisation="zero")
            student.set_weights(weights)
            with torch.no_grad():
                error = float((student(far) - truth).square().mean() / truth.square().mean())
        if best < 1e-20 or time.monotonic() > deadline:
            break
    return error
