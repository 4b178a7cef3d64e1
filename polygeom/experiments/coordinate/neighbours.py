"""Neighbours: how gradients and patterns of similar images of different classes compare with those of distant ones.

A classifier is trained on digits or photographs. Its gradients at the nearest inputs of another class pull against each
other, those at the furthest inputs do not care (Lazzari, Liu, arXiv 2301.05816). The digits come with scikit-learn;
MNIST and CIFAR-10 are read from a local folder.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.experiments import style
from polygeom.experiments.coordinate import figures as figures
from polygeom.experiments.coordinate.dynamics import (
    Probe,
    Training,
    TrainingCase,
    fit,
    table_rows,
    told_losses,
    told_means,
)
from polygeom.experiments.own import is_own, own_module
from polygeom.experiments.study import NO_DATA, Needs, Study, like, option
from polygeom.learning.networks.coordinate import coordinate_network
from polygeom.learning.regions.pairs import class_pairs

DATASETS = ("digits", "mnist", "cifar10")
OWN = "own"
"""How data of the user's own is called in the table."""


_FILES = Needs("datasets", ("mnist", "cifar10"))


@dataclass(frozen=True)
class Options(Training):
    """Options of a case."""

    data: str | None = option(None, "Data of your own: FILE.npz, FILE.csv or a folder.")
    data_root: str | None = option(None, "Folder of MNIST or CIFAR-10.", needs=_FILES)
    split: str = option("train", "Which part of MNIST or CIFAR-10.", choices=("train", "test"), needs=_FILES)
    limit: int | None = option(None, "Only this many samples.")
    neurons: int = option(
        128,
        "Units of a hidden layer of the mlp; rank of the ccp network.",
        needs=Needs("models", ("mlp", "ccp")),
    )
    layers: int = option(4, "Hidden layers of the mlp.", needs=Needs("models", ("mlp",)))
    degree: int = option(3, "Of the ccp network.", needs=Needs("models", ("ccp",)))
    epochs: int = like(Training, "epochs", 25)
    batch_size: int | None = like(Training, "batch_size", 64)
    order: str = like(Training, "order", "reshuffle")
    every: int = like(Training, "every", 5)
    anchors: int = option(500, "Samples whose partners are sought.")
    neighbours: int = option(25, "Partners of each.")
    hamming: bool = option(True, "Hamming distances at every mark.")
    confusion: bool = option(True, "Gradient confusion at every mark.")


@dataclass(frozen=True)
class Config(Options):
    """The options."""

    datasets: tuple[str, ...] = option(("digits",), "What to learn.", choices=DATASETS, needs=NO_DATA)
    models: tuple[str, ...] = option(("mlp", "cnn", "ccp"), "Networks.", choices=("mlp", "cnn", "ccp"), own=True)


@dataclass(frozen=True, kw_only=True)
class Piece(Options, TrainingCase):
    """A network on a data set."""

    dataset: str


_PUBLISHED = Config(
    datasets=("mnist", "cifar10"), models=("mlp", "cnn"), neurons=512, batch_size=512, anchors=2500, epochs=25
)
PRESETS = {
    "quick": Config(),
    "small": Config(
        models=("mlp", "ccp"), limit=200, anchors=5, neighbours=3, neurons=16, epochs=12, every=12, batch_size=16
    ),
    "published": _PUBLISHED,
}
ARRAYS = ("image", "model", "array")


def cases(config: Config) -> list[Piece]:
    """One for each data set and network."""
    datasets = config.datasets if config.data is None else (OWN,)
    return [Piece.of(config, dataset=data, model=model) for data in datasets for model in config.models]


def samples(case: Piece) -> tuple[np.ndarray, np.ndarray]:
    """Images ``(N, channels, height, width)`` from -1 to 1, and their classes."""
    from polygeom.datasets.bundled import digits
    from polygeom.datasets.files import cifar10, mnist
    from polygeom.datasets.own import read_own

    if case.data is not None:
        data = read_own(case.data)[0]
        low, high = float(data.inputs.min()), float(data.inputs.max())
        images = (data.inputs.astype(np.float64) - low) / ((high - low) or 1.0)
    elif case.dataset == "digits":
        data = digits()
        images = data.inputs / data.inputs.max()
    else:
        if case.data_root is None:
            raise PolygeomError(f"data_root: {case.dataset} is read from a folder; write --data-root FOLDER")
        reader = mnist if case.dataset == "mnist" else cifar10
        data = reader(case.data_root, case.split, limit=case.limit)
        images = data.inputs.astype(np.float64) / 255
    images = images[:, None] if images.ndim == 3 else images
    return 2 * images[: case.limit] - 1, data.labels[: case.limit]


class ConvolutionalNetwork(nn.Module):
    """Three convolutions with stride 2 and 32, 64, 96 channels, a dense layer of 256 units, and logits."""

    def __init__(self, shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        channels = (shape[0], 32, 64, 96)
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(channels):
            layers += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.ReLU()]
        sides = [-(-side // 8) for side in shape[1:]]
        self.layers = nn.Sequential(
            *layers, nn.Flatten(), nn.Linear(96 * sides[0] * sides[1], 256), nn.ReLU(), nn.Linear(256, classes)
        )

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits


def _network(case: Piece, shape: tuple[int, ...], classes: int) -> nn.Module:
    seed = case.seed
    if case.model == "cnn" and len(shape) != 3:
        raise PolygeomError(f"models: cnn reads images, the data has shape {shape}; write models=mlp")
    if is_own(case.model):
        return own_module(case.model, shape, classes, seed).float()
    if case.model == "cnn":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return ConvolutionalNetwork(shape, classes)
    family, inputs = "relu" if case.model == "mlp" else "ccp", int(np.prod(shape))
    sizes: dict[str, Any] = {"hidden": case.layers, "width": case.neurons, "degree": case.degree}
    return coordinate_network(family, inputs, classes, **sizes, rng=seed)


def measure(case: Piece) -> list[dict[str, Any]]:
    """Rows of the marks: accuracy, Hamming distances and confusion of near and far pairs; rows with densities."""
    images, labels = samples(case)
    flat = images.reshape(len(images), -1)
    read = images if case.model == "cnn" or is_own(case.model) else flat
    x = torch.as_tensor(read, dtype=torch.float32, device=case.device)
    y = torch.as_tensor(labels, device=x.device)
    network = _network(case, images.shape[1:], int(labels.max()) + 1).to(x.device)
    wanted = {"anchors": case.anchors, "neighbours": case.neighbours, "rng": case.seed}
    pairs = {name: class_pairs(flat, labels, far=name == "far", **wanted) for name in ("near", "far")}

    def accuracy(module: nn.Module) -> dict[str, float]:
        chunks = zip(torch.split(x, 2048), torch.split(y, 2048), strict=True)
        right = sum(int((module(part).argmax(dim=1) == true).sum()) for part, true in chunks)
        return {"accuracy": right / len(y)}

    hamming, confusion = (pairs if getattr(case, name) else {} for name in ("hamming", "confusion"))
    probe = Probe(x, y, hamming, confusion, loss="cross_entropy", extra=accuracy)
    marks = fit(network, x, y, case, probe)
    distances = {f"distance_{name}": _mean_distance(flat, found) for name, found in pairs.items()}
    names = {"image": case.dataset, "model": case.model}
    return table_rows(names, [row | distances for row in marks], probe.densities(network))


def _mean_distance(flat: np.ndarray, pairs: np.ndarray) -> float:
    """Mean Euclidean distance of pairs, from a thousand of them at most."""
    first, second = pairs[:: max(1, len(pairs) // 1000)].T
    return float(np.linalg.norm(flat[first] - flat[second], axis=1).mean())


def plot(table: Any) -> Any:
    """Densities of the confusion of near and far pairs at the end, and Hamming distances over the epochs."""
    data, models = (list(dict.fromkeys(table[name])) for name in ("image", "model"))
    figure, axes = style.subplots(len(data), 3, 2.1 * len(data) + 0.4)
    palette = style.lines(models)
    for row, name in zip(axes, data, strict=True):
        of_data = table[table["image"] == name]
        for cell, kind in zip(row, ("near", "far"), strict=False):
            if "array" in table:
                figures.densities(cell, of_data[of_data["array"] == f"confusion_{kind}"], models, palette)
            cell.set(title=f"{name}: {kind} pairs", xlabel="cosine of two gradients")
        row[0].set_ylabel("density")
        marks = of_data[of_data["epoch"].notna()]
        if "hamming_near" in marks:
            relative = marks.assign(
                near=marks["hamming_near"] / marks["units"], far=marks["hamming_far"] / marks["units"]
            )
            figures.curves(row[2], relative, "far", models, palette)
            figures.curves(row[2], relative, "near", models, palette, linestyle="--")
            row[2].set(ylabel="Hamming distance / units", title="far (lines), near (dashes)")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
    return figure


def summarise(table: Any) -> str:
    """Accuracy, Hamming distances and confusion at the end, one line for each network."""
    marks = table[table["epoch"].notna()]
    last = marks[marks["epoch"] == marks.groupby(["seed", "image", "model"])["epoch"].transform("max")]
    wanted = ["accuracy", "hamming_near", "hamming_far", "confusion_near", "confusion_near_std", "confusion_far"]
    there = [name for name in [*wanted, "confusion_far_std"] if name in last]
    named = last[["image", "model", *there]].rename(columns={"image": "data"})
    lines = told_means(named, {"data": 8, "model": 6}, there, 18)
    return "\n".join([*lines, *told_losses(table)])


STUDY = Study(
    "coordinate-neighbours",
    config=Config,
    case=Piece,
    presets=PRESETS,
    cases=cases,
    measure=measure,
    plot=plot,
    summarise=summarise,
    any_device=True,
    arrays=ARRAYS,
    trains=True,
)
