"""Grid: train on the pixels of even rows and columns, test on all others.

The sharper the features a network reads, the better it fits the pixels it has seen, and beyond some point the worse it
guesses those between them. Networks end with a sigmoid, but for polynomial ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from polygeom.datasets.images import make_image
from polygeom.errors import PolygeomError
from polygeom.experiments.coordinate import figures as figures
from polygeom.experiments.coordinate.dynamics import (
    COORDINATES,
    DEEP,
    ENCODED,
    RATED,
    RAW,
    Model,
    Probe,
    chosen,
    fit,
    settings_for,
    shared,
    told_losses,
)
from polygeom.experiments.study import Needs, Study, mean_and_deviation, option
from polygeom.learning.functions.spectra import OCTAVES, learned_by_band, psnr


@dataclass(frozen=True)
class Config:
    """The options."""

    images: tuple[str, ...] = option(("scene", "clouds"), "random, scene, clouds, or paths of image files.")
    size: int = option(64, "Images are size × size pixels.")
    models: tuple[str, ...] = option(
        (
            "relu:raw",
            "relu:centred",
            "relu:sin_cos3",
            "relu:sin_cos4",
            "relu:sin_cos5",
            "relu:sin_cos7",
            "relu:fourier4",
            "siren:centred",
            "siren12:centred",
            "gabor16:centred",
            "gabor4:centred",
            "ccp9:centred",
            "ccp3:sin_cos4",
        ),
        "Family and what it reads: relu:sin_cos4 (published: fourier_l), gabor16:centred.",
    )
    train_encoding: bool = option(True, "Train the networks that read an encoding.", needs=ENCODED)
    train_coordinates: bool = option(True, "Train the networks that read coordinates.", needs=COORDINATES)
    negative: bool = option(False, "Raw coordinates on [-1, 1) instead of [0, 1).", needs=RAW)
    output: str = option(
        "sigmoid",
        "Output of networks that are no polynomials.",
        choices=("sigmoid", "linear"),
        needs=Needs("models", pattern=r"^(?!ccp|monomial)", words="a network that is no polynomial"),
    )
    neurons: int = option(128, "Units of a hidden layer; rank of a ccp network.")
    layers: int = option(2, "Hidden layers.", needs=DEEP)
    epochs: int = option(400, "Passes over the trained pixels.")
    batch_size: int | None = option(8192, "Pixels of one step; none for all.")
    learning_rate: float = option(2e-3, "Of Adam.", needs=RATED)
    order: str = option(
        "fixed", "Order of the pixels; fixed: shuffled once.", choices=("fixed", "reshuffle"), needs=Needs("batch_size")
    )
    every: int = option(20, "Epochs between two marks.")
    print_loss: bool = option(False, "Print the loss at every mark.")


_PUBLISHED = Config(size=512, neurons=256, layers=4, epochs=2000, learning_rate=9e-4, every=1)
PRESETS = {"quick": Config(), "published": _PUBLISHED}
ARRAYS = ("image", "model", "array")


def cases(config: Config) -> list[dict[str, Any]]:
    """One for each image and network."""
    common = shared(config, "images", "models")
    names = chosen(config.models, config)
    return [common | {"image": image, "model": name} for image in config.images for name in names]


def measure(case: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of the marks: quality of the trained pixels, of the others, and learned bands of the whole image."""
    model, size, seed = Model.parse(case["model"]), case["size"], case["seed"]
    image = make_image(case["image"], size, rng=seed)
    inputs = model.encode((size, size), case, seed).to(case["device"])
    targets = torch.as_tensor(image.reshape(-1, 3), dtype=inputs.dtype, device=inputs.device)
    even = np.zeros((size, size), dtype=bool)
    even[::2, ::2] = True
    trained = torch.as_tensor(np.flatnonzero(even.ravel()), device=inputs.device)

    def quality(module: torch.nn.Module) -> dict[str, float]:
        values = module(inputs).detach().double().cpu().numpy().reshape(image.shape)
        bands = {f"band_{number}": share for number, share in enumerate(learned_by_band(values, image), 1)}
        return {"psnr": psnr(values[even], image[even]), "psnr_held_out": psnr(values[~even], image[~even]), **bands}

    network = model.build(inputs.shape[1], 3, case, seed, case["output"])
    probe = Probe(inputs, targets, extra=quality)
    settings, steps = settings_for(case, len(trained), model.rate)
    marks = fit(
        network,
        inputs[trained],
        targets[trained],
        settings,
        probe,
        steps_per_epoch=steps,
        seed=seed,
        tell=case["print_loss"],
    )
    if not marks:
        raise PolygeomError(f"{case['model']} diverged at once; lower its learning rate: {case['model']}@1e-4")
    marks[-1]["psnr_best"] = max(row["psnr_held_out"] for row in marks)
    names = {"image": case["image"], "model": case["model"]}
    with torch.no_grad():
        drawn = network(inputs).reshape(image.shape).double().cpu().numpy().round(4)
    arrays = {"target": image.round(4), "image": drawn}
    return [names | row for row in marks] + [
        names | {"array": name, "data": data.tolist()} for name, data in arrays.items()
    ]


def plot(table: Any) -> Any:
    """Quality over the epochs, at the end, and by band."""
    return figures.comparison(table, OCTAVES)


FIGURES = {"spectrum": figures.spectrum, "pictures": figures.pictures}


def summarise(table: Any) -> str:
    """PSNR of the other pixels, best and last, and of the trained ones, one line for each network."""
    last = table[table["psnr_best"].notna()]
    names = ["psnr", "psnr_held_out", "psnr_best"]
    means = mean_and_deviation(last, ["image", "model"], names)
    lines = [f"{'image':8} {'model':18} {'trained':>8} {'others':>8} {'best':>8}"]
    for _, row in means.iterrows():
        cells = " ".join(f"{row[f'{name}_mean']:8.2f}" for name in names)
        lines.append(f"{str(row['image'])[-8:]:8} {row['model']:18} {cells}")
    return "\n".join([*lines, *told_losses(table)])


STUDY = Study(
    "coordinate-grid",
    config=Config,
    presets=PRESETS,
    cases=cases,
    measure=measure,
    plot=plot,
    summarise=summarise,
    any_device=True,
    figures=FIGURES,
    arrays=ARRAYS,
    trains=True,
)
