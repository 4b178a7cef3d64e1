"""Double descent of trained polynomial networks, over parameters and over dimension.

Networks of growing width are fitted to noisy ±1 labels by Levenberg–Marquardt until nothing improves. The training
error falls to machine zero where the dimension of the neurovariety reaches the number of labels, and the test error
peaks just before; the number of parameters passes that number earlier, by an amount that depends on the architecture.
On the axis dimension / labels all families have their peak at one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from polygeom._dataclass import dataclass
from polygeom.experiments.study import Case, Study, option
from polygeom.experiments.style import COLOURS, subplots
from polygeom.experiments.weights import keep_weights
from polygeom.network import parse

if TYPE_CHECKING:
    import pandas
    from torch import Tensor

INTERPOLATED = 1e-12
"""Training errors below this count as zero."""


@dataclass(frozen=True)
class Family:
    """Networks of growing width ``k`` and the number of samples that they are fitted to."""

    text: str
    samples: int
    widths: tuple[int, ...]


FAMILIES: Mapping[str, Family] = {
    "quadratic": Family("[21,{k},1] r=2", 180, (4, 6, 8, 9, 10, 11, 12, 13, 14, 16, 20, 30, 60)),
    "cubic": Family("[6,{k},1] r=3", 40, (2, 3, 4, 5, 6, 7, 8, 9, 10, 14, 20)),
    "deep": Family("[7,{k},{k},1] r=2", 50, (2, 3, 4, 5, 6, 7, 8, 10)),
    "product": Family("product_network(11,rank={k},degree=2)", 55, (1, 2, 3, 4, 5, 6, 8, 12)),
    "two-outputs": Family("[11,{k},2] r=2", 45, (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16)),
}


@dataclass(frozen=True)
class Options:
    """Options of a case."""

    label_noise: float = option(0.2, "Share of the training labels that are drawn anew.")
    test_points: int = option(1000, "Points of the test set, with clean labels.")
    restarts: int = option(2, "Starts; the fit with the least training error counts.")
    steps: int = option(250, "Levenberg–Marquardt steps of a fit.")


@dataclass(frozen=True)
class Config(Options):
    """Options of the study."""

    families: tuple[str, ...] = option(tuple(FAMILIES), "Families of networks.", choices=tuple(FAMILIES))


@dataclass(frozen=True, kw_only=True)
class Piece(Options, Case):
    """A family at one width."""

    family: str
    width: int


PRESETS = {
    "quick": Config(),
    "small": Config(families=("product",), steps=80, test_points=200),
    "published": Config(restarts=4, steps=600),
}
REPEATS = {"quick": 1, "published": 5}


def cases(config: Config) -> list[Piece]:
    """One case for each family and width."""
    return [Piece.of(config, family=name, width=width) for name in config.families for width in FAMILIES[name].widths]


def labels(
    inputs: int, outputs: int, samples: int, test_points: int, label_noise: float, seed: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Points with last coordinate one, labels the signs of linear functions, and part of the first labels drawn anew.

    Returns
    -------
    Training inputs ``(samples, inputs)`` and labels ``(samples, outputs)``; test inputs and labels.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    x = torch.randn((samples + test_points, inputs), generator=generator, dtype=torch.float64)
    x[:, -1] = 1
    clean = torch.sign(x @ torch.randn((inputs, outputs), generator=generator, dtype=torch.float64))
    drawn = torch.randint(2, (samples, outputs), generator=generator, dtype=torch.float64) * 2 - 1
    noisy = torch.rand((samples, outputs), generator=generator) < label_noise
    return x[:samples], torch.where(noisy, drawn, clean[:samples]), x[samples:], clean[samples:]


def measure(case: Piece) -> list[dict[str, Any]]:
    """One row: the errors of the best fit, with the counts of the network."""
    from polygeom.dimensions.evaluation import evaluation_ranks
    from polygeom.engines.torch_module import NetworkModule
    from polygeom.learning.training.fleet import fit_fleet, random_starts

    family = FAMILIES[case.family]
    network = parse(family.text.format(k=case.width))
    exact = evaluation_ranks(network)
    outputs, restarts = network.output_dimension, case.restarts
    data = labels(network.input_dimension, outputs, family.samples, case.test_points, case.label_noise, case.seed)
    x, y, test_x, test_y = data
    samples = (x.expand(restarts, *x.shape), y.expand(restarts, *y.shape))
    starts = random_starts(network, restarts, rng=case.seed)
    fleet = fit_fleet(network, *samples, starts, steps=case.steps, tolerance=1e-22)
    best = int(fleet.losses.argmin())
    module = NetworkModule(network, initialisation="zero")
    module.set_weights({name: w[best] for name, w in fleet.weights.items()})
    keep_weights(module)
    test = float((fleet.outputs(test_x)[best] - test_y).square().mean())
    return [
        {
            "family": case.family,
            "network": network.text,
            "width": case.width,
            "labels": family.samples * outputs,
            "parameters": network.parameter_count,
            "free_parameters": network.parameter_count - network.gauge,
            "dimension": exact.dimension,
            "train": float(fleet.losses[best]),
            "test": test,
            "state": str(fleet.states[best]),
            "steps": int(fleet.steps[best]),
        }
    ]


def medians(table: pandas.DataFrame) -> pandas.DataFrame:
    """Medians of the errors over seeds, one row for each family and width."""
    keys = ["family", "width"]
    counts = table.groupby(keys, sort=False)[["labels", "parameters", "free_parameters", "dimension"]].first()
    return counts.join(table.groupby(keys, sort=False)[["train", "test"]].median()).reset_index()


def plot(table: pandas.DataFrame) -> Any:
    """Training and test errors over parameters (left) and over dimension (right), both relative to the labels."""
    figure, panels = subplots(2, 2, 4.4, sharex=True, sharey="row")
    lines = medians(table)
    labels = {"parameters": "parameters", "dimension": "dimension of the neurovariety"}
    for column, (name, label) in enumerate(labels.items()):
        for number, (family, part) in enumerate(lines.groupby("family", sort=False)):
            style = {"color": COLOURS[number % 7], "marker": "os^vD"[number % 5], "markersize": 3, "label": family}
            x = part[name] / part["labels"]
            panels[0, column].plot(x, part["train"].clip(lower=1e-26), **style)
            panels[1, column].plot(x, part["test"], **style)
        panels[1, column].set_xlabel(f"{label} / labels")
    for axes in panels.flat:
        axes.axvline(1, color="0.6", linewidth=1, zorder=0)
        axes.set(xscale="log", yscale="log")
        axes.set_xticks([0.25, 0.5, 1, 2, 4, 8], ["1/4", "1/2", "1", "2", "4", "8"])
        axes.minorticks_off()
    panels[0, 0].set_ylabel("training error (mean square)")
    panels[1, 0].set_ylabel("test error (mean square)")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def summarise(table: pandas.DataFrame) -> str:
    """For each family: where the training error vanishes, where the test error peaks, and what predicts it."""
    lines = []
    for family, part in medians(table).groupby("family", sort=False):
        part = part.sort_values("width")
        fitted, reached = part["train"] < INTERPOLATED, part["dimension"] >= part["labels"]
        first = _first(part, fitted)
        enough = part["parameters"] >= part["labels"]
        lines.append(
            f"{family}: {part['labels'].iloc[0]} labels; training error zero from width {first}, dimension >= labels "
            f"from {_first(part, reached)}, parameters >= labels from {_first(part, enough)}; test error peaks at "
            f"width {part['width'].iloc[part['test'].argmax()]}; zero exactly where dimension >= labels: "
            f"{bool((fitted == reached).all())}"
        )
    return "\n".join(lines)


def _first(part: pandas.DataFrame, where: pandas.Series[bool]) -> str:
    return str(int(part["width"][where].min())) if where.any() else "none"


STUDY = Study(
    "descent-in-dimension",
    config=Config,
    case=Piece,
    presets=PRESETS,
    cases=cases,
    measure=measure,
    plot=plot,
    summarise=summarise,
    repeats=REPEATS,
    trains=True,
)
