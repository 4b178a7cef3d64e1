"""Signs of the eigenfunctions of a network's tangent kernel, learned by the network and by its linearisation.

The targets are signs of eigenvectors of the kernel at initialisation, on training and test points together, next to a
semantic one: the first half of the classes against the second. Linearised networks learn leading eigenfunctions most
easily; do networks agree, do they do better, and how does training turn the kernel towards the target? (Ortiz-Jiménez,
Moosavi-Dezfooli, Frossard, arXiv 2106.06770.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from polygeom.datasets.selection import NAMES
from polygeom.errors import PolygeomError
from polygeom.experiments.study import mean_and_deviation, option
from polygeom.experiments.tangent_tasks import (
    TWO_CLASSES,
    Images,
    Model,
    distance,
    fit_labels,
    linear_problem,
    weights_of,
)
from polygeom.learning.eigen import eigensystem, nystrom_eigensystem
from polygeom.learning.tangent_kernel import TangentKernel, empirical_ntk
from polygeom.learning.target_alignment import alignment, centred_alignment, rayleigh

if TYPE_CHECKING:
    import pandas

BUDGET = 4 * 2**30


@dataclass(frozen=True)
class Config:
    """Networks and targets; every network is one case."""

    models: tuple[str, ...] = option(
        ("relu:100-100", "x^2:100@0.01"), "Networks: relu:100-100, x^2:100@0.01, lenet:gelu, ccp3:32."
    )
    targets: tuple[str, ...] = option(("1", "10", "100", TWO_CLASSES), "Indices of eigenfunctions, or classes.")
    networks: bool = option(True, "Train the networks themselves.")
    linearised: bool = option(True, "Train the linearised networks.")
    bias: bool = option(True, "Linearised networks keep the constant f(x; w0).")
    eigenvectors: int = option(200, "How many eigenvectors are kept and compared.")
    nystrom: int | None = option(None, "Points of a subsample for Nyström's method; none for the exact eigenvectors.")
    dataset: str = option("digits", "Images.", choices=NAMES)
    data_root: str | None = option(None, "Folder with the files of MNIST or CIFAR-10.")
    train: int = option(1200, "Training images.")
    test: int = option(597, "Test images.")
    epochs: int = option(100, "Passes over the training images.")
    batch_size: int = option(128, "Images of one step.")
    optimiser: str = option("sgd", "Optimiser.", choices=("sgd", "adam"))
    learning_rate: float = option(0.05, "Learning rate of networks that do not say their own.")
    momentum: float = option(0.9, "Momentum of sgd.")
    schedule: str = option("linear", "Learning rate over time; linear: down to 0.", choices=("linear", "constant"))
    marks: int = option(20, "Epochs between two measurements of the alignment during training.")


PRESETS = {
    "quick": Config(),
    "growth": Config(models=("relu:100", "x^2:100@0.01"), targets=("5", "10", "30")),
    "published": Config(
        models=("relu:100-100", "lenet:relu"), targets=("10",), dataset="cifar10", train=50_000, test=10_000,
        eigenvectors=1000, nystrom=10_000,
    ),
}  # fmt: skip


def cases(config: Config) -> list[dict[str, Any]]:
    """One for each network."""
    for target in config.targets:
        if target != TWO_CLASSES and not (target.isdecimal() and int(target) < config.eigenvectors):
            raise PolygeomError(
                f"targets must be {TWO_CLASSES} or indices below eigenvectors = {config.eigenvectors}, got {target!r}"
            )
    common = {**asdict(config), "targets": list(config.targets)}
    del common["models"]
    return [common | {"model": model} for model in config.models]


def measure(case: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For each target: accuracies and alignments, the alignment during training and with all eigenvectors."""
    images, model = Images.load(case), Model.parse(case["model"])
    fresh = model.build(tuple(images.x.shape[1:]), case["seed"])
    kernel = empirical_ntk(fresh, images.x, outputs="trace", memory_budget=BUDGET)
    vectors = torch.as_tensor(_eigenvectors(case, fresh, images.x, kernel))
    tangent = linear_problem(fresh, images.x, bias=case["bias"]) if case["linearised"] else None
    rows: list[dict[str, Any]] = []
    for target in case["targets"]:
        labels = images.labels if target == TWO_CLASSES else (vectors[:, int(target)] > 0).double()
        names = {"model": model.name, "target": target}
        row: dict[str, Any] = {}
        if tangent is not None:
            linear, inputs = tangent
            for parameter in linear.parameters():
                nn.init.zeros_(parameter)
            done = fit_labels(linear, inputs, labels, images.train, case, model.rate, every=case["epochs"]).table
            row |= {f"linear_{name}": float(done[name].iloc[-1]) for name in ("train", "test")}
        if case["networks"]:
            found, during, after = _network(case, model, images, labels, kernel)
            row |= found
            rows += [names | {"what": "training"} | mark for mark in during]
            rows += [names | {"what": "spectrum"} | mark for mark in _spectrum(images.train, vectors, kernel, after)]
        rows.append(names | {"what": "summary"} | row)
    return rows


def _eigenvectors(case: Mapping[str, Any], module: nn.Module, x: Tensor, kernel: Tensor) -> np.ndarray:
    count, subsample = case["eigenvectors"], case["nystrom"]
    if subsample is None:
        return eigensystem(kernel, count).vectors
    rows, columns = x.flatten(start_dim=1), TangentKernel(module, tuple(x.shape[1:]), BUDGET)
    return nystrom_eigensystem(columns, rows, count, subsample, rng=case["seed"], memory_budget=4 * BUDGET).vectors


def _network(
    case: Mapping[str, Any], model: Model, images: Images, labels: Tensor, kernel: Tensor
) -> tuple[dict[str, float], list[dict[str, float]], Tensor]:
    """Train a network: what is said at the end, the alignment during training, the kernel at the end."""
    module = model.build(tuple(images.x.shape[1:]), case["seed"])
    start, signs = weights_of(module), 2 * labels - 1

    def aligned(own: nn.Module) -> float:
        with torch.enable_grad():
            return float(alignment(own, images.x, signs, per_trace=True, memory_budget=BUDGET))

    done = fit_labels(
        module, images.x, labels, images.train, case, model.rate, every=case["marks"],
        metrics={"per_trace": aligned},
    )  # fmt: skip
    steps = -(-images.train // min(case["batch_size"], images.train))
    during = [
        {"epoch": int(row["step"]) // steps, "per_trace": row["per_trace"], "train": row["train"], "test": row["test"]}
        for row in done.table.to_dict("records")
    ]
    after = empirical_ntk(module, images.x, outputs="trace", memory_budget=BUDGET)
    found = {f"network_{name}": float(done.table[name].iloc[-1]) for name in ("train", "test")}
    for name, matrix in (("start", kernel), ("end", after)):
        raw = float(rayleigh(matrix, signs))
        found |= {
            f"alignment_{name}": raw,
            f"per_trace_{name}": raw / float(matrix.trace()),
            f"centred_{name}": float(centred_alignment(matrix, signs)),
        }
    return found | {"distance": distance(module, start)}, during, after


def _spectrum(train: int, vectors: Tensor, before: Tensor, after: Tensor) -> list[dict[str, float]]:
    """Alignment with every eigenvector on training, test and all points; growth of its share of the whole."""
    parts = {"train": slice(0, train), "test": slice(train, None), "all": slice(None)}
    ends = {name: rayleigh(after[part, part], vectors[part]) for name, part in parts.items()}
    first = rayleigh(before, vectors)
    growth = (ends["all"] / ends["all"].sum()) / (first / first.sum())
    return [
        {"index": index, "start": float(first[index]), "growth": float(growth[index])}
        | {f"end_{name}": float(values[index]) for name, values in ends.items()}
        for index in range(vectors.shape[1])
    ]


def plot(table: pandas.DataFrame) -> Any:
    """Test accuracies by target; growth of the alignment by eigenvector."""
    import matplotlib.pyplot as plt

    models = list(table["model"].unique())
    figure, panels = plt.subplots(
        2, len(models), figsize=(4.6 * len(models), 6.4), squeeze=False, sharey="row", layout="constrained"
    )
    for column, model in enumerate(models):
        own = table[table["model"] == model]
        _accuracies(panels[0, column], own[own["what"] == "summary"], model)
        _growth(panels[1, column], own[own["what"] == "spectrum"] if "spectrum" in set(own["what"]) else None)
    panels[0, 0].set_ylabel("test accuracy")
    panels[1, 0].set_ylabel("growth of the share of $\\alpha$")
    return figure


def _accuracies(axes: Any, rows: pandas.DataFrame, model: str) -> None:
    names = [name for name in ("network_test", "linear_test") if name in rows]
    mean = mean_and_deviation(rows, ["target"], names)
    places = np.arange(len(mean))
    for shift, name in enumerate(names):
        label = {"network_test": "network", "linear_test": "linearised"}[name]
        axes.bar(places + 0.38 * (shift - 0.5), mean[f"{name}_mean"], 0.36, yerr=mean[f"{name}_std"], label=label)
    ticks = [target if target == TWO_CLASSES else f"$\\phi_{{{target}}}$" for target in mean["target"]]
    axes.set_xticks(places, ticks)
    axes.axhline(0.5, color="0.6", lw=0.8, ls=":")
    axes.set(title=model, ylim=(0.4, 1.02))
    axes.legend(frameon=True, loc="lower left", fontsize=8)


def _growth(axes: Any, rows: pandas.DataFrame | None) -> None:
    if rows is None:
        axes.set_axis_off()
        return
    for number, (target, own) in enumerate(rows.groupby("target", sort=False)):
        curve = own.groupby("index")["growth"].mean()
        if target == TWO_CLASSES:
            axes.plot(curve.index, curve, color="0.75", lw=0.8, label=TWO_CLASSES, zorder=1)
            continue
        axes.plot(curve.index, curve, color=f"C{number}", lw=0.9, label=f"trained on $\\phi_{{{target}}}$")
        axes.plot(int(str(target)), curve[int(str(target))], "v", color=f"C{number}", ms=7, mec="k")
    axes.axhline(1, color="0.6", lw=0.8, ls=":")
    axes.set(xlabel="index $i$ of the eigenvector", xscale="symlog", xlim=(0, None))
    axes.legend(frameon=False, fontsize=8)


def summarise(table: pandas.DataFrame) -> str:
    """Accuracies, and where the kernel grew."""
    lines = []
    summary = table[table["what"] == "summary"]
    for (model, target), rows in summary.groupby(["model", "target"], sort=False):
        mean = rows.mean(numeric_only=True)
        text = f"{model}, target {target}:"
        if "network_test" in mean:
            text += f" network {mean['network_test']:.3f} on test images;"
        if "linear_test" in mean:
            text += f" linearised {mean['linear_test']:.3f};"
        if "per_trace_end" in mean:
            text += f" alignment per trace x {mean['per_trace_end'] / mean['per_trace_start']:.1f};"
        spectrum = table[(table["what"] == "spectrum") & (table["model"] == model) & (table["target"] == target)]
        if len(spectrum):
            curve = spectrum.groupby("index")["growth"].mean()
            text += f" grew most along eigenvector {curve.idxmax()}"
        lines.append(text.rstrip(";"))
    return "\n".join(lines)
