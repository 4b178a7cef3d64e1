"""Waves: which frequencies of a one-dimensional signal coordinate networks learn, and how their gradients agree.

The signal is a sum of sines with random phases, sampled at equal distances. Frequencies are learned from low to high;
how far depends on what the network reads (Lazzari, Liu, arXiv 2301.05816; Rahaman et al., arXiv 1806.08734).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from polygeom.datasets.waves import phased_waves
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
from polygeom.experiments.study import Either, Needs, Study, mean_and_deviation, option
from polygeom.learning.functions.spectra import amplitude_ratios
from polygeom.learning.regions.pairs import end_pairs, window_pairs

_PAIRS = Either(Needs("hamming"), Needs("confusion"))


@dataclass(frozen=True)
class Config:
    """The options."""

    length: int = option(1024, "Samples of the signal.")
    frequencies: tuple[int, ...] = option(tuple(range(5, 75, 5)), "Waves in one unit of time.")
    models: tuple[str, ...] = option(
        (
            "relu:raw",
            "relu:centred",
            "relu:sin_cos4",
            "relu:sin_cos7",
            "siren:centred",
            "ccp9:centred",
            "ccp3:sin_cos7",
        ),
        "Family and what it reads: relu:sin_cos4 reads l = 0, …, 3.",
    )
    train_encoding: bool = option(True, "Train the networks that read an encoding.", needs=ENCODED)
    train_coordinates: bool = option(True, "Train the networks that read coordinates.", needs=COORDINATES)
    negative: bool = option(False, "Raw coordinates on [-1, 1) instead of [0, 1).", needs=RAW)
    neurons: int = option(128, "Units of a hidden layer; rank of a ccp network.")
    layers: int = option(4, "Hidden layers.", needs=DEEP)
    epochs: int = option(200, "Passes over the signal.")
    batch_size: int | None = option(None, "Samples of one step; none for all.")
    learning_rate: float = option(1e-3, "Of Adam.", needs=RATED)
    order: str = option(
        "fixed",
        "Order of the samples; fixed: shuffled once.",
        choices=("fixed", "reshuffle"),
        needs=Needs("batch_size"),
    )
    every: int = option(20, "Epochs between two marks.")
    windows: int = option(100, "Random windows for local pairs.", needs=_PAIRS)
    window_size: int = option(50, "Samples of a window.", needs=_PAIRS)
    window_pairs: int = option(25, "Random pairs of a window.", needs=_PAIRS)
    pairs: int = option(5000, "Random pairs from the two ends.", needs=_PAIRS)
    hamming: bool = option(True, "Hamming distances, regions and dead units.")
    confusion: bool = option(True, "Gradient confusion.")
    print_loss: bool = option(False, "Print the loss at every mark.")


_PUBLISHED = Config(
    length=2048, models=("relu:raw", "relu:centred", "relu:sin_cos4", "relu:sin_cos7"), epochs=500, every=25
)
PRESETS = {"quick": Config(), "published": _PUBLISHED}
REPEATS = {"published": 5}
ARRAYS = ("image", "model", "array")


def cases(config: Config) -> list[dict[str, Any]]:
    """One for each network."""
    common = shared(config, "models")
    return [common | {"model": name} for name in chosen(config.models, config)]


def measure(case: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of the marks, each with the ratio of amplitudes of every frequency, and rows with densities and signals."""
    model, seed = Model.parse(case["model"]), case["seed"]
    _, y = phased_waves(case["length"], case["frequencies"], rng=seed)
    inputs = model.encode((case["length"],), case, seed).to(case["device"])
    targets = torch.as_tensor(y[:, None], dtype=inputs.dtype, device=inputs.device)
    network = model.build(inputs.shape[1], 1, case, seed)

    def spectrum(module: torch.nn.Module) -> dict[str, float]:
        values = module(inputs).detach().double().cpu().numpy()[:, 0]
        ratios = amplitude_ratios(values, y, case["frequencies"])
        names = [f"amplitude_{frequency}" for frequency in case["frequencies"]]
        return {"error": float(np.square(values - y).mean()), **dict(zip(names, map(float, ratios), strict=True))}

    windows = {"windows": case["windows"], "size": case["window_size"], "pairs": case["window_pairs"]}
    pairs = {
        "local": window_pairs(case["length"], **windows, rng=seed),
        "global": end_pairs(case["length"], case["pairs"], rng=seed),
    }
    what = frozenset({"act_patterns", "dead_neurons"} if case["hamming"] else ())
    hamming, confusion = (pairs if case[name] else {} for name in ("hamming", "confusion"))
    probe = Probe(inputs, targets, hamming, confusion, what, extra=spectrum)
    settings, steps = settings_for(case, case["length"], model.rate)
    marks = fit(network, inputs, targets, settings, probe, steps_per_epoch=steps, seed=seed, tell=case["print_loss"])
    if not marks:
        raise PolygeomError(f"{case['model']} diverged at once; lower its learning rate: {case['model']}@1e-4")
    with torch.no_grad():
        learned = network(inputs)[:, 0].double().cpu().numpy().round(4)
    arrays = {**probe.densities(network), "target": y.round(4), "learned": learned}
    names = {"image": "waves", "model": case["model"]}
    return [names | row for row in marks] + [
        names | {"array": name, "data": np.asarray(data).tolist()} for name, data in arrays.items()
    ]


def plot(table: Any) -> Any:
    """Amplitudes over the epochs for each network, and the error."""
    import matplotlib.pyplot as plt

    marks, models = table[table["epoch"].notna()], list(dict.fromkeys(table["model"]))
    columns = [name for name in marks if name.startswith("amplitude_")]
    figure, axes = plt.subplots(1, len(models) + 1, figsize=(2.6 * len(models) + 4, 3.4), layout="constrained")
    for cell, model in zip(axes, models, strict=False):
        means = marks[marks["model"] == model].groupby("epoch")[columns].mean()
        drawn = cell.imshow(
            np.clip(means.to_numpy().T, 0, 1), origin="lower", aspect="auto", vmin=0, vmax=1, cmap="viridis"
        )
        cell.set_title(model, fontsize=9)
        cell.set_xticks([0, len(means) - 1], [f"{means.index[0]:g}", f"{means.index[-1]:g}"])
        cell.set_yticks(range(len(columns)), [name.removeprefix("amplitude_") for name in columns], fontsize=7)
        cell.set_xlabel("epoch")
    axes[0].set_ylabel("frequency: share of the amplitude")
    figure.colorbar(drawn, ax=list(axes[:-1]), shrink=0.8)
    figures.curves(axes[-1], marks, "error", models, figures.colours(models))
    axes[-1].set(yscale="log", ylabel="mean squared error")
    axes[-1].legend(fontsize=7)
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
    means = mean_and_deviation(last, ["model"], there)
    lines = [f"{'model':16} " + " ".join(f"{name:>21}" for name in there)]
    for _, row in means.iterrows():
        lines.append(f"{row['model']:16} " + " ".join(f"{row[f'{name}_mean']:>21.4g}" for name in there))
    return "\n".join([*lines, *told_losses(table)])


STUDY = Study(
    "coordinate-waves",
    config=Config,
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
