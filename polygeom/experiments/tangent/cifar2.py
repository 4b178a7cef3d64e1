"""Half of the classes against the other half: a network, its linearisation, and the linearisation after training.

The semantic task on which networks beat their linearisation at initialisation, and whether the tangent kernel of the
trained network explains how they do: the linearisation at the trained weights, without its constant, is trained from
zero on the same task. With CIFAR-10 this is CIFAR2; digits are the small analogue. The target can be the sign of an
eigenfunction as well. Linearisations normalise with fixed statistics, by default those of the start at the trained
weights too. (Ortiz-Jiménez, Moosavi-Dezfooli, Frossard, arXiv 2106.06770.)
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.experiments.study import Needs, Study, mean_and_deviation, option
from polygeom.experiments.style import COLOURS, DASHES, subplots
from polygeom.experiments.tangent.networks import Model
from polygeom.experiments.tangent.options import KernelCase, KernelOptions, for_each_model
from polygeom.experiments.tangent.snapshot import initial
from polygeom.experiments.tangent.tasks import TWO_CLASSES, Images, fit_labels, linear_problem, precision
from polygeom.learning.tangent.functional import reset_statistics
from polygeom.learning.training.loop import DivergenceError

if TYPE_CHECKING:
    import pandas

LEARNERS = ("network", "linearised", "unbiased", "pretrained")
_LABELS = {
    "network": "network",
    "linearised": "linearised at the start",
    "unbiased": "linearised at the start, without constant",
    "pretrained": "linearised after training, without constant",
}


_EIGENFUNCTION = Needs("target", pattern=rf"^(?!{TWO_CLASSES}$)", words="an eigenfunction")


@dataclass(frozen=True)
class Options(KernelOptions):
    """Options of a case."""

    learners: tuple[str, ...] = option(
        LEARNERS, "network; linearised at the start; the same, unbiased; unbiased at the trained weights.",
        choices=LEARNERS,
    )  # fmt: skip
    statistics: str = option(
        "start", "Running statistics of batch normalisation in the linearisation at the trained weights.",
        choices=("start", "trained"), needs=Needs("learners", ("pretrained",)))  # fmt: skip
    nystrom: int | None = option(
        None, "Images whose kernel columns Nyström's method takes; none: exact eigenvectors.", needs=_EIGENFUNCTION
    )
    nystrom_first: bool = option(
        False, "Take the first images for Nyström's method instead of random ones.",
        needs=(_EIGENFUNCTION, Needs("nystrom")),
    )  # fmt: skip
    memory: float = option(4.0, "Gibibytes for kernels and Jacobians.", needs=_EIGENFUNCTION)
    target: str = option(TWO_CLASSES, "classes, or the index of an eigenfunction of the kernel at the start.")


@dataclass(frozen=True)
class Config(Options):
    """Networks, learners and images; every network is one case."""

    models: tuple[str, ...] = option(
        ("relu:100-100", "x^2:100@0.01"),
        "Networks: relu:100-100, x^2:100@0.01, lenet:gelu, resnet18:relu:8, ccp3:32.",
        own=True,
    )


@dataclass(frozen=True, kw_only=True)
class Piece(Options, KernelCase):
    """One network."""


PRESETS = {
    "quick": Config(epochs=40),
    "page": Config(),
    "small": Config(models=("relu:100-100",), train=200, test=100, epochs=10),
    "published": Config(models=("relu:100-100", "lenet:relu"), dataset="cifar10", train=50_000, test=10_000),
    "polynomial": Config(models=("x^2:100@0.01", "x^3:60@0.01", "ccp3:32@0.01", "ncp3:32@0.01")),
    "eigenfunction": Config(models=("relu:100-100",), target="10"),
}


def cases(config: Config) -> list[Piece]:
    """One for each network."""
    if config.target != TWO_CLASSES and not config.target.isdecimal():
        raise PolygeomError(f"target must be {TWO_CLASSES} or an index, got {config.target!r}; write {TWO_CLASSES}")
    if config.artefacts is not None and config.target == TWO_CLASSES:
        raise PolygeomError("artefacts are eigenfunctions; write target=10 to train on one, or leave artefacts out")
    return for_each_model(config, Piece)


def measure(case: Piece) -> list[dict[str, Any]]:
    """Accuracies of every learner after every epoch."""
    images, model = Images.load(case), Model.parse(case.model)
    fresh, labels = model.build(tuple(images.x.shape[1:]), case.seed), images.labels
    if case.target != TWO_CLASSES:
        start, system = initial(case, model, images, int(case.target) + 1)
        fresh, labels = start.module, torch.as_tensor(system.vectors[:, -1] > 0).double()
    rows: list[dict[str, Any]] = []
    network = copy.deepcopy(fresh)
    if {"network", "pretrained"} & set(case.learners):
        found = _learn(model, "network", network, images.x, labels, images.train, case)
        rows += found if "network" in case.learners else []
    if case.statistics == "start":
        reset_statistics(network)
    for learner in (name for name in case.learners if name != "network"):
        base = network if learner == "pretrained" else fresh
        module, inputs = linear_problem(base, images.x, bias=learner == "linearised", dtype=precision(case))
        rows += _learn(model, learner, module, inputs, labels, images.train, case)
    return rows


def _learn(
    model: Model, learner: str, module: nn.Module, inputs: Tensor, labels: Tensor, count: int, case: Piece
) -> list[dict[str, Any]]:
    """A row for every epoch, or one that says that training diverged."""
    names = {"model": model.name, "learner": learner}
    try:
        table = fit_labels(module, inputs, labels, count, case, model.rate)
    except DivergenceError as error:
        return [names | {"epoch": 0, "diverged": error.step}]
    return [names | {str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def plot(table: pandas.DataFrame) -> Any:
    """Test accuracy over epochs."""
    models = list(table["model"].unique())
    figure, panels = subplots(1, len(models), 2.6, sharey=True)
    for axes, model in zip(panels[0], models, strict=True):
        own = mean_and_deviation(table[table["model"] == model], ["learner", "epoch"], ["test"])
        for learner, rows in own.groupby("learner", sort=False):
            number = LEARNERS.index(str(learner))
            color = COLOURS[number]
            axes.plot(
                1 + rows["epoch"], rows["test_mean"], linestyle=DASHES[number], color=color, label=_LABELS[str(learner)]
            )
            low, high = rows["test_mean"] - rows["test_std"], rows["test_mean"] + rows["test_std"]
            axes.fill_between(1 + rows["epoch"], low, high, color=color, alpha=0.2, lw=0)
        axes.set(title=model, xlabel="1 + epochs", xscale="log")
        axes.grid(alpha=0.3)
    panels[0, 0].set(ylabel="test accuracy", ylim=(0.45, 1.01))
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def summarise(table: pandas.DataFrame) -> str:
    """Final accuracies, and those after few epochs."""
    lines = []
    for model, own in table.groupby("model", sort=False):
        for learner, rows in own.groupby("learner", sort=False):
            name = _LABELS[str(learner)]
            if "diverged" in rows and rows["diverged"].notna().any():
                lines.append(f"{model}, {name}: diverged in {rows['diverged'].notna().sum()} of the runs")
                rows = rows[rows["diverged"].isna()]
            if not len(rows):
                continue
            curve = rows.groupby("epoch")["test"].mean()
            early = ", ".join(f"{curve[epoch]:.3f}" for epoch in (1, 3, 10, 30) if epoch in curve)
            lines.append(f"{model}, {name}: {curve.iloc[-1]:.3f} on test images (epochs 1, 3, …: {early})")
    return "\n".join(lines)


STUDY = Study(
    "cifar2",
    config=Config,
    case=Piece,
    presets=PRESETS,
    cases=cases,
    measure=measure,
    plot=plot,
    summarise=summarise,
    trains=True,
)
