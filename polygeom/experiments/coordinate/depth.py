"""Depth and width: how activation patterns spread over the layers of networks of different shape.

Networks of different shape are fitted to a random image, on coordinates and on their encoding. The Hamming distance of
two patterns is counted layer by layer, and relative to the number of units (Lazzari, Liu, arXiv 2301.05816).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from polygeom.datasets.images import make_image
from polygeom.errors import PolygeomError
from polygeom.experiments.coordinate import figures as figures
from polygeom.experiments.coordinate.dynamics import (
    COORDINATES,
    ENCODED,
    RATED,
    RAW,
    UNNUMBERED,
    Model,
    Probe,
    chosen,
    fit,
    settings_for,
    shared,
    told_losses,
)
from polygeom.experiments.study import Needs, Study, mean_and_deviation, option
from polygeom.learning.functions.spectra import psnr
from polygeom.learning.regions.pairs import patch_pairs, quadrant_pairs, random_pairs


@dataclass(frozen=True)
class Config:
    """The options."""

    image: str = option("random", "random, scene, clouds, or the path of an image file.")
    size: int = option(32, "The image has size × size pixels.")
    shapes: tuple[str, ...] = option(("2x64", "4x64", "6x64", "2x128"), "Hidden layers × units of each.")
    models: tuple[str, ...] = option(("relu:raw", "relu:sin_cos5"), "Family and what it reads.")
    train_encoding: bool = option(True, "Train the networks that read an encoding.", needs=ENCODED)
    train_coordinates: bool = option(True, "Train the networks that read coordinates.", needs=COORDINATES)
    negative: bool = option(False, "Raw coordinates on [-1, 1) instead of [0, 1).", needs=RAW)
    L: int = option(5, "Frequencies of a sin_cos encoding that does not say how many.", needs=UNNUMBERED)
    epochs: int = option(100, "Passes over the pixels.")
    batch_size: int | None = option(256, "Pixels of one step; none for all.")
    learning_rate: float = option(1e-3, "Of Adam.", needs=RATED)
    order: str = option(
        "fixed", "Order of the pixels; fixed: shuffled once.", choices=("fixed", "reshuffle"), needs=Needs("batch_size")
    )
    every: int = option(20, "Epochs between two marks.")
    pairs: int = option(50_000, "Uniformly random pairs.")
    print_loss: bool = option(False, "Print the loss at every mark.")


PRESETS = {
    "quick": Config(),
    "published": Config(size=64, shapes=("2x128", "4x256", "6x512"), epochs=1000),
}
ARRAYS = ("image", "model", "array")


def cases(config: Config) -> list[dict[str, Any]]:
    """One for each network and shape."""
    common = shared(config, "models", "shapes")
    names = chosen(config.models, config)
    for shape in config.shapes:
        _layers_and_units(shape)
    return [common | {"model": name, "shape": shape} for name in names for shape in config.shapes]


def _layers_and_units(shape: str) -> tuple[int, int]:
    layers, _, units = shape.partition("x")
    if not (layers.isdecimal() and units.isdecimal() and int(layers) > 0 and int(units) > 0):
        raise PolygeomError(f"shapes must be layers × units, got {shape!r}; write 4x256")
    return int(layers), int(units)


def measure(case: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of the marks: Hamming distances of local, distant and random pairs, in total and in every layer."""
    model, size, seed = Model.parse(case["model"]), case["size"], case["seed"]
    layers, units = _layers_and_units(case["shape"])
    image = make_image(case["image"], size, rng=seed).reshape(size * size, 3)
    inputs = model.encode((size, size), case, seed).to(case["device"])
    targets = torch.as_tensor(image, dtype=inputs.dtype, device=inputs.device)
    network = model.build(inputs.shape[1], 3, {**case, "layers": layers, "neurons": units}, seed)
    pairs = {
        "local": patch_pairs(size, size, rng=seed),
        "global": quadrant_pairs(size, size, rng=seed),
        "random": random_pairs(size * size, case["pairs"], rng=seed),
    }

    def quality(module: torch.nn.Module) -> dict[str, float]:
        return {"psnr": psnr(module(inputs).detach().double().cpu().numpy(), image)}

    probe = Probe(inputs, targets, pairs, what=frozenset({"act_patterns", "dead_neurons"}), extra=quality)
    settings, steps = settings_for(case, size * size, model.rate)
    marks = fit(network, inputs, targets, settings, probe, steps_per_epoch=steps, seed=seed, tell=case["print_loss"])
    names = {"image": case["image"], "model": f"{case['model']} {case['shape']}"}
    relative = [{f"relative_{name}": row[f"hamming_{name}"] / row["units"] for name in pairs} for row in marks]
    return [names | row | more for row, more in zip(marks, relative, strict=True)]


def plot(table: Any) -> Any:
    """Relative Hamming distances over the epochs, and the share of each layer in that of random pairs at the end."""
    import matplotlib.pyplot as plt
    import numpy as np

    models = list(dict.fromkeys(table["model"]))
    figure, axes = plt.subplots(1, 4, figsize=(16, 3.8), layout="constrained")
    colours = figures.colours(models)
    for cell, name in zip(axes, ("local", "global", "random"), strict=False):
        figures.curves(cell, table, f"relative_{name}", models, colours)
        cell.set_title(f"{name} pairs: Hamming distance / units", fontsize=9)
    last = table[table["epoch"] == table.groupby(["seed", "model"])["epoch"].transform("max")]
    columns = sorted(name for name in last if name.startswith("hamming_random_") and name[15:].isdecimal())
    for model in models:
        rows = last[last["model"] == model]
        means = [rows[name].mean() for name in columns]
        means = [value for value in means if not np.isnan(value)]
        units = rows["units"].iloc[0] / len(means)
        axes[3].plot(range(1, len(means) + 1), np.array(means) / units, marker="o", color=colours[model], label=model)
    axes[3].set_title("random pairs, by layer, at the end", fontsize=9)
    axes[3].set_xlabel("layer")
    axes[3].legend(fontsize=7)
    return figure


def summarise(table: Any) -> str:
    """Relative Hamming distances at the end, one line for each network."""
    last = table[table["epoch"] == table.groupby(["seed", "model"])["epoch"].transform("max")]
    names = ["psnr", "regions", "dead", "relative_local", "relative_global", "relative_random"]
    means = mean_and_deviation(last, ["model"], names)
    lines = [f"{'model':22} " + " ".join(f"{name:>15}" for name in names)]
    for _, row in means.iterrows():
        lines.append(f"{row['model']:22} " + " ".join(f"{row[f'{name}_mean']:>15.4g}" for name in names))
    return "\n".join([*lines, *told_losses(table)])


STUDY = Study(
    "coordinate-depth",
    config=Config,
    presets=PRESETS,
    cases=cases,
    measure=measure,
    plot=plot,
    summarise=summarise,
    any_device=True,
    arrays=ARRAYS,
    trains=True,
)
