"""Signs of the eigenfunctions of a network's tangent kernel, learned by the network and by its linearisation.

The targets are signs of eigenvectors of the kernel at initialisation, on training and test points together, next to a
semantic one: the first half of the classes against the second. Linearised networks learn leading eigenfunctions most
easily; do networks agree, do they do better, and how does training turn the kernel towards the target? (Ortiz-Jiménez,
Moosavi-Dezfooli, Frossard, arXiv 2106.06770.)
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.experiments.study import Needs, Study, mean_and_deviation, option
from polygeom.experiments.style import COLOURS, WIDTH, subplots
from polygeom.experiments.tangent.networks import Model
from polygeom.experiments.tangent.options import KernelCase, KernelOptions, for_each_model
from polygeom.experiments.tangent.snapshot import Snapshot, initial
from polygeom.experiments.tangent.tasks import TWO_CLASSES, Images, ends, fit_labels, linear_problem, precision
from polygeom.learning.tangent.target_alignment import split_alignment

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Options(KernelOptions):
    """Options of a case."""

    targets: tuple[str, ...] = option(("1", "10", "100", TWO_CLASSES), "Indices of eigenfunctions, or classes.")
    networks: bool = option(True, "Train the networks themselves.")
    linearised: bool = option(True, "Train the linearised networks.")
    bias: bool = option(True, "Linearised networks keep the constant f(x; w0).", needs=Needs("linearised"))
    eigenvectors: int = option(200, "How many eigenvectors are kept and compared.")
    marks: int = option(
        20, "Epochs between two measurements of the alignment during training.", needs=Needs("networks")
    )


@dataclass(frozen=True)
class Config(Options):
    """Networks and targets; every network is one case."""

    models: tuple[str, ...] = option(
        ("relu:100-100", "x^2:100@0.01"),
        "Networks: relu:100-100, x^2:100@0.01, lenet:gelu, resnet18:relu:8, ccp3:32.",
        own=True,
    )


@dataclass(frozen=True, kw_only=True)
class Piece(Options, KernelCase):
    """One network."""


PRESETS = {
    "quick": Config(targets=("10", TWO_CLASSES), epochs=50),
    "page": Config(),
    "small": Config(
        models=("relu:100-100",), targets=("10",), eigenvectors=40, train=200, test=100, epochs=10, marks=5
    ),
    "growth": Config(models=("relu:100", "x^2:100@0.01"), targets=("5", "10", "30")),
    "published": Config(
        models=("relu:100-100", "lenet:relu"), targets=("10",), dataset="cifar10", train=50_000, test=10_000,
        eigenvectors=1000, nystrom=10_000, memory=16.0,
    ),
}  # fmt: skip


PARTS = ("train", "test", "all")
"""Sets of images on which alignments are measured."""


def cases(config: Config) -> list[Piece]:
    """One for each network."""
    for target in config.targets:
        if target != TWO_CLASSES and not (target.isdecimal() and int(target) < config.eigenvectors):
            raise PolygeomError(
                f"targets must be {TWO_CLASSES} or indices below eigenvectors = {config.eigenvectors}, got {target!r}"
            )
    return for_each_model(config, Piece)


def measure(case: Piece) -> list[dict[str, Any]]:
    """Eigenvalues; for each target accuracies and alignments, the alignment in training and with all eigenvectors."""
    images, model = Images.load(case), Model.parse(case.model)
    start, system = initial(case, model, images, case.eigenvectors)
    vectors = torch.as_tensor(system.vectors.copy())
    before = start.alignments(vectors) if case.networks else {}
    tangent = None
    if case.linearised:
        tangent = linear_problem(start.module, images.x, bias=case.bias, dtype=precision(case))
    rows: list[dict[str, Any]] = [
        {"model": model.name, "what": "eigenvalue", "index": index, "eigenvalue": float(value)}
        for index, value in enumerate(system.values)
    ]
    for target in case.targets if case.networks or case.linearised else ():
        labels = images.labels if target == TWO_CLASSES else (vectors[:, int(target)] > 0).double()
        names = {"model": model.name, "target": target}
        row: dict[str, Any] = {}
        if tangent is not None:
            linear, inputs = tangent
            for parameter in linear.parameters():
                if parameter.requires_grad:  # the displacement, not the weights that a linearised module starts from
                    nn.init.zeros_(parameter)
            done = fit_labels(linear, inputs, labels, images.train, case, model.rate, every=case.epochs)
            row |= {f"linear_{name}": value for name, value in ends(done).items()}
        if case.networks:
            found, during, end = _network(case, model, images, labels, start)
            row |= found
            rows += [names | {"what": "training"} | mark for mark in during]
            rows += [names | {"what": "spectrum"} | mark for mark in _spectrum(before, end.alignments(vectors))]
        rows.append(names | {"what": "summary"} | row)
    return rows


def _network(
    case: Piece, model: Model, images: Images, labels: Tensor, start: Snapshot
) -> tuple[dict[str, float], list[dict[str, Any]], Snapshot]:
    """Train a network: what is said at the end, the alignment during training, the network at the end."""
    module, signs = copy.deepcopy(start.module), 2 * labels - 1
    aligned: list[dict[str, float]] = []

    def align(own: nn.Module) -> float:
        with torch.enable_grad():
            shares = split_alignment(
                own, images.x, signs, images.train, per_trace=True, memory=int(case.memory * 2**30)
            )
        aligned.append({f"per_trace_{part}": float(value[0]) for part, value in shares.items()})
        return aligned[-1]["per_trace_all"]

    done = fit_labels(
        module, images.x, labels, images.train, case, model.rate, every=case.marks, metrics={"per_trace": align}
    )
    kept = ["epoch", "train", "test", "weight_norm", "gradient_norm"]
    during = [{**row, **shares} for row, shares in zip(done[kept].to_dict("records"), aligned, strict=True)]
    end = Snapshot(module, images, case)
    found = {f"network_{name}": value for name, value in ends(done).items()}
    for moment, snapshot in (("start", start), ("end", end)):
        found |= {f"{name}_{moment}": value for name, value in snapshot.describe(signs).items()}
    return found | end.kernel_distance(start), during, end


def _spectrum(first: Mapping[str, Tensor], last: Mapping[str, Tensor]) -> list[dict[str, float]]:
    """Alignment with every eigenvector on training, test and all images; growth of its share of the whole."""
    growth = (last["all"] / last["all"].sum()) / (first["all"] / first["all"].sum())
    columns = {"growth": growth} | {f"start_{part}": values for part, values in first.items()}
    columns |= {f"end_{part}": values for part, values in last.items()}
    return [
        {"index": index} | {name: float(values[index]) for name, values in columns.items()}
        for index in range(len(growth))
    ]


def plot(table: pandas.DataFrame) -> Any:
    """Test accuracies by target; growth of the alignment by eigenvector. Without training, the eigenvalues."""
    if "summary" not in set(table["what"]):
        return plot_alignment(table)
    models, lines = list(table["model"].unique()), 2 if "spectrum" in set(table["what"]) else 1
    figure, panels = subplots(lines, len(models), 2.1 * lines + 0.4, sharey="row")
    for column, model in enumerate(models):
        own = table[table["model"] == model]
        _accuracies(panels[0, column], own[own["what"] == "summary"], model)
        if lines == 2:
            _growth(panels[1, column], own[own["what"] == "spectrum"])
    panels[0, 0].set_ylabel("test accuracy")
    if lines == 2:
        panels[1, 0].set_ylabel("growth of the share of $\\alpha$")
        figure.legend(*panels[1, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def plot_alignment(table: pandas.DataFrame) -> Any:
    """Alignment of the kernel after training with every eigenvector of that before, on three sets of images."""
    models = list(table["model"].unique())
    trained = "spectrum" in set(table["what"])
    symbol = "$\\alpha$" if trained else "eigenvalue"
    figure, panels = subplots(
        len(models),
        len(PARTS) if trained else 1,
        2.1 * len(models) + 0.4,
        width=WIDTH if trained else WIDTH / 2,
        sharex=True,
        sharey="row",
    )
    for line, model in zip(panels, models, strict=True):
        own = table[table["model"] == model]
        line[0].set_ylabel(f"{model}\n{symbol}")
        if not trained:
            values = own[own["what"] == "eigenvalue"].groupby("index")["eigenvalue"].mean()
            line[0].plot(values.index, values, color="0.3")
        for part, axes in zip(PARTS if trained else (), line, strict=trained):
            _alignments(axes, own[own["what"] == "spectrum"], part)
        for axes in line:
            axes.set(yscale="log", xlabel="index $i$ of the eigenvector")
            axes.grid(alpha=0.3)
    if trained:
        figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
        for axes, part in zip(panels[0], PARTS, strict=True):
            axes.set_title(f"{part} images")
    return figure


def _alignments(axes: Any, rows: pandas.DataFrame, part: str) -> None:
    first = rows.groupby("index")[f"start_{part}"].mean()
    axes.plot(first.index, first, color="0.3", lw=1, ls="--", label="before training")
    for number, (target, own) in enumerate(rows.groupby("target", sort=False)):
        curve = own.groupby("index")[f"end_{part}"].mean()
        classes = target == TWO_CLASSES
        color, name = ("0.6", TWO_CLASSES) if classes else (COLOURS[number % 7], f"$\\phi_{{{target}}}$")
        axes.plot(curve.index, curve, color=color, lw=0.8, label=f"after, on {name}")
        if not classes:
            axes.plot(int(str(target)), curve[int(str(target))], "v", color=color, ms=6, mec="k")


def _accuracies(axes: Any, rows: pandas.DataFrame, model: str) -> None:
    labels = {"network_test": "network", "linear_test": "linearised"}
    names = [name for name in labels if name in rows]
    mean = mean_and_deviation(rows, ["target"], names)
    places = np.arange(len(mean))
    for number, name in enumerate(names):
        at = places + 0.16 * (number - (len(names) - 1) / 2)
        which = list(labels).index(name)
        axes.errorbar(
            at, mean[f"{name}_mean"], mean[f"{name}_std"].fillna(0), fmt="os"[which], color=COLOURS[which], ms=4,
            elinewidth=0.8, label=labels[name],
        )  # fmt: skip
    ticks = [target if target == TWO_CLASSES else f"$\\phi_{{{target}}}$" for target in mean["target"]]
    axes.set_xticks(places, ticks)
    axes.axhline(0.5, color="0.6", lw=0.8, ls=":")
    axes.set(title=model, ylim=(0.4, 1.02), xlim=(-0.7, len(mean) - 0.3))
    axes.grid(axis="y", alpha=0.3)
    axes.legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 0.18))


def _growth(axes: Any, rows: pandas.DataFrame) -> None:
    for number, (target, own) in enumerate(rows.groupby("target", sort=False)):
        curve = own.groupby("index")["growth"].mean()
        if target == TWO_CLASSES:
            axes.plot(curve.index, curve, color="0.75", lw=0.8, label=TWO_CLASSES, zorder=1)
            continue
        axes.plot(curve.index, curve, color=COLOURS[number % 7], lw=0.9, label=f"trained on $\\phi_{{{target}}}$")
        axes.plot(int(str(target)), curve[int(str(target))], "v", color=COLOURS[number % 7], ms=5, mec="k")
    axes.axhline(1, color="0.6", lw=0.8, ls=":")
    axes.set(xlabel="index $i$ of the eigenvector", xscale="symlog", xlim=(0, None))


def summarise(table: pandas.DataFrame) -> str:
    """Accuracies, and where the kernel grew."""
    lines = []
    summary = table[table["what"] == "summary"]
    if not len(summary):
        return "\n".join(
            f"{model}: {len(rows)} eigenvalues, {rows['eigenvalue'].iloc[0]:.3g} to {rows['eigenvalue'].iloc[-1]:.3g}"
            for model, rows in table.groupby("model", sort=False)
        )
    for (model, target), rows in summary.groupby(["model", "target"], sort=False):
        mean = rows.mean(numeric_only=True)
        text = f"{model}, target {target}:"
        if "network_test" in mean:
            text += f" network {mean['network_test']:.3f} on test images;"
        if "linear_test" in mean:
            text += f" linearised {mean['linear_test']:.3f};"
        if "per_trace_end" in mean:
            text += f" alignment per trace x {mean['per_trace_end'] / mean['per_trace_start']:.1f};"
        if "kernel_distance" in mean:
            text += f" kernel turned by {mean['kernel_distance']:.2f};"
        spectrum = table[(table["what"] == "spectrum") & (table["model"] == model) & (table["target"] == target)]
        if len(spectrum):
            curve = spectrum.groupby("index")["growth"].mean()
            text += f" grew most along eigenvector {curve.idxmax():.0f}"
        lines.append(text.rstrip(";"))
    return "\n".join(lines)


FIGURES = {"alignment": plot_alignment}


STUDY = Study(
    "ntk-eigenfunctions",
    config=Config,
    case=Piece,
    presets=PRESETS,
    cases=cases,
    measure=measure,
    plot=plot,
    summarise=summarise,
    figures=FIGURES,
    trains=True,
)
