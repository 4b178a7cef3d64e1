"""Grid: train on the pixels of even rows and columns, test on all others.

The sharper the features a network reads, the better it fits the pixels it has seen, and beyond some point the worse it
guesses those between them. Networks end with a sigmoid, but for polynomial ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from polygeom._dataclass import dataclass
from polygeom.datasets.images import make_image
from polygeom.experiments.coordinate import figures as figures
from polygeom.experiments.coordinate.dynamics import (
    CoordinateOptions,
    Model,
    NetworkCase,
    Probe,
    Selection,
    Sizes,
    Training,
    fit,
    table_rows,
    told_losses,
)
from polygeom.experiments.study import Needs, Study, like, mean_and_deviation, option
from polygeom.learning.functions.spectra import OCTAVES, learned_by_band, psnr


@dataclass(frozen=True)
class Options(CoordinateOptions, Sizes, Training):
    """Options of a case."""

    size: int = option(64, "Images are size × size pixels.")
    output: str = option(
        "sigmoid",
        "Output of networks that are no polynomials.",
        choices=("sigmoid", "linear"),
        needs=Needs("models", pattern=r"^(?!ccp|monomial)", words="a network that is no polynomial"),
    )
    epochs: int = like(Training, "epochs", 400)
    batch_size: int | None = like(Training, "batch_size", 8192)
    learning_rate: float = like(Training, "learning_rate", 2e-3)


@dataclass(frozen=True)
class Config(Selection, Options):
    """The options."""

    images: tuple[str, ...] = option(("scene", "clouds"), "random, scene, clouds, or paths of image files.")
    models: tuple[str, ...] = like(
        Selection,
        "models",
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
    )


@dataclass(frozen=True, kw_only=True)
class Piece(Options, NetworkCase):
    """A network on an image."""

    image: str


_PUBLISHED = Config(size=512, neurons=256, layers=4, epochs=2000, learning_rate=9e-4, every=1)
PRESETS = {
    "quick": Config(
        images=("scene",),
        models=("relu:raw", "relu:centred", "relu:sin_cos5", "relu:fourier4", "siren:centred", "gabor16:centred",
                "ccp9:centred", "ccp3:sin_cos4"),
    ),
    "page": Config(),
    "small": Config(
        images=("scene",), models=("relu:raw", "relu:sin_cos4", "ccp2:centred"), size=16, epochs=30, every=10
    ),
    "published": _PUBLISHED,
}  # fmt: skip
REPEATS = {"page": 3}
"""A single seed moves some networks by decibels."""
ARRAYS = ("image", "model", "array")


def cases(config: Config) -> list[Piece]:
    """One for each image and network."""
    return [Piece.of(config, image=image, model=name) for image in config.images for name in config.chosen()]


def measure(case: Piece) -> list[dict[str, Any]]:
    """Rows of the marks: quality of the trained pixels, of the others, and learned bands of the whole image."""
    model, size, seed = Model.parse(case.model), case.size, case.seed
    image = make_image(case.image, size, rng=seed)
    inputs = model.encode((size, size), case)
    targets = torch.as_tensor(image.reshape(-1, 3), dtype=inputs.dtype, device=inputs.device)
    even = np.zeros((size, size), dtype=bool)
    even[::2, ::2] = True
    trained = torch.as_tensor(np.flatnonzero(even.ravel()), device=inputs.device)

    def quality(module: torch.nn.Module) -> dict[str, float]:
        values = module(inputs).detach().double().cpu().numpy().reshape(image.shape)
        bands = {f"band_{number}": share for number, share in enumerate(learned_by_band(values, image), 1)}
        return {"psnr": psnr(values[even], image[even]), "psnr_held_out": psnr(values[~even], image[~even]), **bands}

    network = model.build(inputs.shape[1], 3, case, case.output)
    probe = Probe(inputs, targets, extra=quality)
    marks = fit(network, inputs[trained], targets[trained], case, probe, model.rate)
    marks[-1]["psnr_best"] = max(row["psnr_held_out"] for row in marks)
    names = {"image": case.image, "model": case.model}
    with torch.no_grad():
        drawn = network(inputs).reshape(image.shape).double().cpu().numpy().round(4)
    arrays = {"target": image.round(4), "image": drawn}
    return table_rows(names, marks, arrays)


def plot(table: Any) -> Any:
    """Quality over the epochs, at the end, and by band."""
    return figures.comparison(table, OCTAVES)


FIGURES = {"spectrum": figures.spectrum, "pictures": figures.pictures}


def summarise(table: Any) -> str:
    """PSNR of the other pixels, best and last, and of the trained ones, one line for each network."""
    last = table[table["psnr_best"].notna()]
    names = ["psnr", "psnr_held_out", "psnr_best"]
    means = mean_and_deviation(last, ["image", "model"], names)
    lines = [
        f"{'image':8} {'model':18} {'trained':>14} {'others':>14} {'best':>14}   (dB, mean ± deviation over the seeds)"
    ]
    for _, row in means.iterrows():
        cells = " ".join(f"{_cell(row[f'{name}_mean'], row[f'{name}_std']):>14}" for name in names)
        lines.append(f"{str(row['image'])[-8:]:8} {row['model']:18} {cells}")
    return "\n".join([*lines, *told_losses(table)])


def _cell(mean: float, deviation: float) -> str:
    return f"{mean:.2f}" if deviation != deviation else f"{mean:.2f} ± {deviation:.2f}"


STUDY = Study(
    "coordinate-grid",
    config=Config,
    case=Piece,
    presets=PRESETS,
    cases=cases,
    measure=measure,
    plot=plot,
    summarise=summarise,
    repeats=REPEATS,
    any_device=True,
    figures=FIGURES,
    arrays=ARRAYS,
    trains=True,
)
