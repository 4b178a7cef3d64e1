"""Depth and width: how activation patterns spread over the layers of networks of different shape.

Networks of different shape are fitted to a random image, on coordinates and on their encoding. The Hamming distance of
two patterns is counted layer by layer, and relative to the number of units (Lazzari, Liu, arXiv 2301.05816).
"""

from __future__ import annotations

from typing import Any

import torch

from polygeom._dataclass import dataclass
from polygeom.datasets.images import make_image
from polygeom.errors import PolygeomError
from polygeom.experiments import style
from polygeom.experiments.coordinate import figures as figures
from polygeom.experiments.coordinate.dynamics import (
    CoordinateOptions,
    Model,
    NetworkCase,
    Probe,
    Reading,
    Selection,
    Training,
    fit,
    told_losses,
    told_means,
)
from polygeom.experiments.study import Study, like, option
from polygeom.learning.functions.spectra import psnr
from polygeom.learning.regions.pairs import patch_pairs, quadrant_pairs, random_pairs


@dataclass(frozen=True)
class Options(CoordinateOptions, Training):
    """Options of a case."""

    image: str = option("random", "random, scene, clouds, or the path of an image file.")
    size: int = option(32, "The image has size × size pixels.")
    L: int = like(Reading, "L", 5)
    pairs: int = option(50_000, "Uniformly random pairs.")


@dataclass(frozen=True)
class Config(Selection, Options):
    """The options."""

    shapes: tuple[str, ...] = option(("2x64", "4x64", "6x64", "2x128"), "Hidden layers × units of each.")


@dataclass(frozen=True, kw_only=True)
class Piece(Options, NetworkCase):
    """A network of one shape."""

    shape: str


PRESETS = {
    "quick": Config(),
    "small": Config(shapes=("1x8", "3x8"), size=16, epochs=2, every=1, pairs=100),
    "published": Config(size=64, shapes=("2x128", "4x256", "6x512"), epochs=1000),
}
ARRAYS = ("image", "model", "array")


def cases(config: Config) -> list[Piece]:
    """One for each network and shape."""
    sizes = {shape: _layers_and_units(shape) for shape in config.shapes}
    return [
        Piece.of(config, model=name, shape=shape, layers=layers, neurons=neurons)
        for name in config.chosen()
        for shape, (layers, neurons) in sizes.items()
    ]


def _layers_and_units(shape: str) -> tuple[int, int]:
    layers, _, units = shape.partition("x")
    if not (layers.isdecimal() and units.isdecimal() and int(layers) > 0 and int(units) > 0):
        raise PolygeomError(f"shapes must be layers × units, got {shape!r}; write 4x256")
    return int(layers), int(units)


def measure(case: Piece) -> list[dict[str, Any]]:
    """Rows of the marks: Hamming distances of local, distant and random pairs, in total and in every layer."""
    model, size, seed = Model.parse(case.model), case.size, case.seed
    image = make_image(case.image, size, rng=seed).reshape(size * size, 3)
    inputs = model.encode((size, size), case)
    targets = torch.as_tensor(image, dtype=inputs.dtype, device=inputs.device)
    network = model.build(inputs.shape[1], 3, case)
    pairs = {
        "local": patch_pairs(size, size, rng=seed),
        "global": quadrant_pairs(size, size, rng=seed),
        "random": random_pairs(size * size, case.pairs, rng=seed),
    }

    def quality(module: torch.nn.Module) -> dict[str, float]:
        return {"psnr": psnr(module(inputs).detach().double().cpu().numpy(), image)}

    probe = Probe(inputs, targets, pairs, what=frozenset({"act_patterns", "dead_neurons"}), extra=quality)
    marks = fit(network, inputs, targets, case, probe, model.rate)
    names = {"image": case.image, "model": f"{case.model} {case.shape}"}
    relative = [{f"relative_{name}": row[f"hamming_{name}"] / row["units"] for name in pairs} for row in marks]
    return [names | row | more for row, more in zip(marks, relative, strict=True)]


def plot(table: Any) -> Any:
    """Relative Hamming distances over the epochs, and the share of each layer in that of random pairs at the end."""
    import numpy as np

    models = list(dict.fromkeys(table["model"]))
    figure, (axes,) = style.subplots(1, 4, 2.9)
    reads, shapes = (list(dict.fromkeys(model.rpartition(" ")[part] for model in models)) for part in (0, 2))
    colours = {  # one colour for what a network reads, one kind of line for its shape
        f"{one} {shape}": {"color": style.COLOURS[i % 7], "linestyle": style.DASHES[j % 5]}
        for i, one in enumerate(reads)
        for j, shape in enumerate(shapes)
    }
    for cell, name in zip(axes, ("local", "global", "random"), strict=False):
        figures.curves(cell, table, f"relative_{name}", models, colours)
        cell.set_title(f"{name} pairs")
        style.few_ticks(cell)
    last = table[table["epoch"] == table.groupby(["seed", "model"])["epoch"].transform("max")]
    columns = sorted(name for name in last if name.startswith("hamming_random_") and name[15:].isdecimal())
    for model in models:
        rows = last[last["model"] == model]
        means = rows[columns].mean().dropna().to_list()
        units = rows["units"].iloc[0] / len(means)
        axes[3].plot(
            range(1, len(means) + 1), np.array(means) / units, marker="o", markersize=3, label=model, **colours[model]
        )
    axes[3].set_title("random pairs,\nlayer by layer, at the end")
    axes[3].set_xlabel("layer")
    axes[0].set_ylabel("Hamming distance / units")
    figure.legend(*axes[3].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def summarise(table: Any) -> str:
    """Relative Hamming distances at the end, one line for each network."""
    last = table[table["epoch"] == table.groupby(["seed", "model"])["epoch"].transform("max")]
    names = ["psnr", "regions", "dead", "relative_local", "relative_global", "relative_random"]
    return "\n".join([*told_means(last, {"model": 22}, names, 15), *told_losses(table)])


STUDY = Study(
    "coordinate-depth",
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
