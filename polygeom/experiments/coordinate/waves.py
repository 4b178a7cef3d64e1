"""Waves: which frequencies of a one-dimensional signal coordinate networks learn, and how their gradients agree.

The signal is a sum of sines with random phases, sampled at equal distances. Frequencies are learned from low to high;
how far depends on what the network reads (Lazzari, Liu, arXiv 2301.05816; Rahaman et al., arXiv 1806.08734).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from polygeom._dataclass import dataclass
from polygeom.datasets.waves import phased_waves
from polygeom.experiments import style
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
    told_means,
)
from polygeom.experiments.study import Either, Needs, Study, like, option
from polygeom.learning.functions.spectra import amplitude_ratios
from polygeom.learning.regions.pairs import end_pairs, window_pairs

_PAIRS = Either(Needs("hamming"), Needs("confusion"))


@dataclass(frozen=True)
class Options(CoordinateOptions, Sizes, Training):
    """Options of a case."""

    length: int = option(1024, "Samples of the signal.")
    frequencies: tuple[int, ...] = option(tuple(range(5, 75, 5)), "Waves in one unit of time.")
    layers: int = like(Sizes, "layers", 4)
    epochs: int = like(Training, "epochs", 200)
    batch_size: int | None = like(Training, "batch_size", None)
    windows: int = option(100, "Random windows for local pairs.", needs=_PAIRS)
    window_size: int = option(50, "Samples of a window.", needs=_PAIRS)
    window_pairs: int = option(25, "Random pairs of a window.", needs=_PAIRS)
    pairs: int = option(5000, "Random pairs from the two ends.", needs=_PAIRS)
    hamming: bool = option(True, "Hamming distances, regions and dead units.")
    confusion: bool = option(True, "Gradient confusion.")


@dataclass(frozen=True)
class Config(Selection, Options):
    """The options."""

    models: tuple[str, ...] = like(
        Selection,
        "models",
        (
            "relu:raw",
            "relu:centred",
            "relu:sin_cos4",
            "relu:sin_cos7",
            "siren:centred",
            "ccp9:centred",
            "ccp3:sin_cos7",
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Piece(Options, NetworkCase):
    """A network."""


_PUBLISHED = Config(
    length=2048, models=("relu:raw", "relu:centred", "relu:sin_cos4", "relu:sin_cos7"), epochs=500, every=25
)
PRESETS = {
    "quick": Config(),
    "small": Config(
        models=("relu:raw", "relu:sin_cos4"), length=128, frequencies=(2, 5, 10), neurons=16, epochs=40, every=10,
        batch_size=32, learning_rate=5e-3, pairs=50, windows=5,
    ),
    "published": _PUBLISHED,
}  # fmt: skip
REPEATS = {"published": 5}
ARRAYS = ("image", "model", "array")


def cases(config: Config) -> list[Piece]:
    """One for each network."""
    return [Piece.of(config, model=name) for name in config.chosen()]


def measure(case: Piece) -> list[dict[str, Any]]:
    """Rows of the marks, each with the ratio of amplitudes of every frequency, and rows with densities and signals."""
    model, seed = Model.parse(case.model), case.seed
    _, y = phased_waves(case.length, case.frequencies, rng=seed)
    inputs = model.encode((case.length,), case)
    targets = torch.as_tensor(y[:, None], dtype=inputs.dtype, device=inputs.device)
    network = model.build(inputs.shape[1], 1, case)

    def spectrum(module: torch.nn.Module) -> dict[str, float]:
        values = module(inputs).detach().double().cpu().numpy()[:, 0]
        ratios = amplitude_ratios(values, y, case.frequencies)
        names = [f"amplitude_{frequency}" for frequency in case.frequencies]
        return {"error": float(np.square(values - y).mean()), **dict(zip(names, map(float, ratios), strict=True))}

    windows = {"windows": case.windows, "size": case.window_size, "pairs": case.window_pairs}
    pairs = {
        "local": window_pairs(case.length, **windows, rng=seed),
        "global": end_pairs(case.length, case.pairs, rng=seed),
    }
    what = frozenset({"act_patterns", "dead_neurons"} if case.hamming else ())
    hamming, confusion = (pairs if getattr(case, name) else {} for name in ("hamming", "confusion"))
    probe = Probe(inputs, targets, hamming, confusion, what, extra=spectrum)
    marks = fit(network, inputs, targets, case, probe, model.rate)
    with torch.no_grad():
        learned = network(inputs)[:, 0].double().cpu().numpy().round(4)
    arrays = {**probe.densities(network), "target": y.round(4), "learned": learned}
    return table_rows({"image": "waves", "model": case.model}, marks, arrays)


def plot(table: Any) -> Any:
    """Amplitudes over the epochs for each network, and the error."""
    import matplotlib.pyplot as plt

    marks, models = table[table["epoch"].notna()], list(dict.fromkeys(table["model"]))
    columns = [name for name in marks if name.startswith("amplitude_")]
    across = min(4, len(models))
    down = -(-len(models) // across)
    figure = plt.figure(figsize=(style.WIDTH, 1.75 * down + 2.1), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=(1.75 * down, 2.1))
    above, below = parts
    cells = above.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    frequencies = [float(name.removeprefix("amplitude_")) for name in columns]
    for cell, model in zip(cells.flat, models, strict=False):
        means = marks[marks["model"] == model].groupby("epoch")[columns].mean()
        ends = (float(means.index[0]), float(means.index[-1]), -0.5, len(columns) - 0.5)
        drawn = cell.imshow(np.clip(means.to_numpy().T, 0, 1), origin="lower", extent=ends, **style.SHARES)
        cell.set_title(model, fontsize=style.SMALLEST)
        cell.set_yticks(range(0, len(columns), 3), [f"{frequency:g}" for frequency in frequencies[::3]])
    for cell in cells.flat[len(models) :]:
        cell.axis("off")
    above.supxlabel("epoch", fontsize=8)
    above.supylabel("frequency", fontsize=8)
    above.colorbar(drawn, ax=cells, label="share of the amplitude")
    axes, side = below.subplots(1, 2, width_ratios=(4, 1))
    side.axis("off")
    palette = style.lines(models)
    figures.curves(axes, marks, "error", models, palette)
    axes.set(yscale="log", ylabel="mean squared error")
    figure.canvas.draw()
    style.end_labels(axes, figures.ends(marks, "error", models, palette))
    return figure


FIGURES = {"confusion": figures.confusion, "dynamics": figures.dynamics}


def summarise(table: Any) -> str:
    """Error, amplitude of the middle frequency, Hamming distances and confusion at the end, a line for each network."""
    marks = table[table["epoch"].notna()]
    last = marks[marks["epoch"] == marks.groupby(["seed", "model"])["epoch"].transform("max")]
    amplitudes = [name for name in marks if name.startswith("amplitude_")]
    middle = amplitudes[len(amplitudes) // 2]
    wanted = ["error", middle, "hamming_local", "hamming_global", "confusion_local_std", "confusion_global_std"]
    there = [name for name in wanted if name in last]
    return "\n".join([*told_means(last, {"model": 16}, there, 21), *told_losses(table)])


STUDY = Study(
    "coordinate-waves",
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
