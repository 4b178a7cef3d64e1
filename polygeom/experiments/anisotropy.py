"""Input directions that networks find easy and hard before they have seen data, and what they learn along them.

Each task can be solved by looking in one direction alone, along which two classes are separated; all others hold noise.
Convolutional networks learn it along some directions at once and along others not at all, and so do their
linearisations: the order is that of the singular values of a mixed derivative at initialisation. Homogeneous polynomial
networks have none by symmetry, and are reported so. (Ortiz-Jiménez and others, arXiv 2006.09717, 2106.06770.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from polygeom.errors import PolygeomError
from polygeom.experiments.study import mean_and_deviation, option
from polygeom.experiments.tangent_tasks import Model, distance, fit_labels, linear_problem, weights_of
from polygeom.learning.anisotropy import METHODS, VanishingError, anisotropy_directions, separable_along
from polygeom.learning.training import DivergenceError

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Config:
    """Networks and directions; every network is one case."""

    models: tuple[str, ...] = option(
        ("lenet:gelu", "lenet:x+x^2@0.02", "mlp2:60"), "Networks: lenet:gelu, lenet:x+x^2@0.02, mlp2:60."
    )
    side: int = option(12, "Inputs are side x side images of one channel.")
    directions: tuple[int, ...] = option((0, 10, 143), "Directions to learn along; beyond the last: the last.")
    sigma_inputs: float = option(0.0, "Deviation of the inputs of the mixed derivative; 0: at x = 0.")
    samples: int = option(50, "Random inputs of the mixed derivative.")
    method: str = option("dense", "How directions are computed.", choices=METHODS)
    epsilon: float = option(1.0, "Distance of the two classes.")
    sigma: float = option(1.0, "Deviation of the noise.")
    networks: bool = option(True, "Train the networks.")
    linearised: bool = option(True, "Train the linearised networks.")
    train: int = option(1500, "Training samples.")
    test: int = option(1500, "Test samples.")
    epochs: int = option(10, "Passes over the training samples.")
    batch_size: int = option(128, "Samples of one step.")
    optimiser: str = option("sgd", "Optimiser.", choices=("sgd", "adam"))
    learning_rate: float = option(0.05, "Learning rate of networks that do not say their own.")
    momentum: float = option(0.9, "Momentum of sgd.")
    schedule: str = option("linear", "Learning rate over time; linear: down to 0.", choices=("linear", "constant"))


PRESETS = {
    "quick": Config(),
    "published": Config(
        models=("lenet:gelu",), side=32, directions=(0, 10, 100, 500, 1023), train=10_000, test=10_000, epochs=100
    ),
}


def cases(config: Config) -> list[dict[str, Any]]:
    """One for each network."""
    if config.side < 4 or min(config.directions) < 0:
        raise PolygeomError(f"side must be at least 4 and directions not negative, got {config.side}")
    common = {**asdict(config), "directions": list(config.directions)}
    del common["models"]
    return [common | {"model": model} for model in config.models]


def measure(case: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Singular values of all directions; accuracies along some of them."""
    model, shape = Model.parse(case["model"]), (case["side"], case["side"])
    fresh = model.build(shape, case["seed"])
    try:
        found = anisotropy_directions(
            fresh, shape, sigma=case["sigma_inputs"], samples=case["samples"], method=case["method"], rng=case["seed"]
        )
    except VanishingError as error:
        return [{"model": model.name, "what": "no directions", "reason": str(error).partition(",")[0]}]
    rows: list[dict[str, Any]] = [
        {"model": model.name, "what": "direction", "index": i, "singular_value": float(value)}
        for i, value in enumerate(found.singular_values)
    ]
    chosen = dict.fromkeys(min(i, len(found.directions) - 1) for i in case["directions"])
    rows += [
        {"model": model.name, "what": "accuracy", "index": index} | _learn(case, model, found, index)
        for index in chosen
    ]
    return rows


def _learn(case: Mapping[str, Any], model: Model, found: Any, index: int) -> dict[str, Any]:
    shape, count = (case["side"], case["side"]), case["train"]
    inputs, labels = separable_along(
        found.directions[index], count + case["test"], epsilon=case["epsilon"], sigma=case["sigma"], rng=case["seed"]
    )
    x, y = torch.as_tensor(inputs.reshape(-1, *shape)), torch.as_tensor(labels, dtype=torch.float64)
    row: dict[str, Any] = {"singular_value": float(found.singular_values[index])}
    learners = [name for name in ("networks", "linearised") if case[name]]
    for name in learners:
        module = model.build(shape, case["seed"])
        data = x
        if name == "linearised":
            module, data = linear_problem(module, x, bias=True)
            module, data = module.float(), data.float()
        start = weights_of(module)
        try:
            done = fit_labels(module, data, y, count, case, model.rate, every=case["epochs"]).table
        except DivergenceError as error:
            row[f"{name}_diverged"] = error.step
            continue
        row |= {f"{name}_{part}": float(done[part].iloc[-1]) for part in ("train", "test")}
        row[f"{name}_distance"] = distance(module, start)
    return row


def plot(table: pandas.DataFrame) -> Any:
    """Singular values, and test accuracies along some directions."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
    for number, (model, own) in enumerate(table.groupby("model", sort=False)):
        color, values = f"C{number}", own[own["what"] == "direction"]
        if not len(values):
            left.plot([], [], color=color, label=f"{model}: none, by symmetry")
            continue
        mean = values.groupby("index")["singular_value"].mean()
        left.plot(mean.index, (mean / mean.iloc[0]) ** 2, color=color, label=str(model))
        rows = own[own["what"] == "accuracy"]
        for name, style in (("networks", "o-"), ("linearised", "s--")):
            if f"{name}_test" in rows:
                curve = mean_and_deviation(rows, ["index"], [f"{name}_test"])
                label = f"{model}{', linearised' if name == 'linearised' else ''}"
                right.plot(curve["index"], curve[f"{name}_test_mean"], style, color=color, ms=5, label=label)
    left.set(xlabel="direction", ylabel="squared singular value, relative", yscale="log", ylim=(1e-9, 2))
    right.set(xlabel="direction along which the classes differ", ylabel="test accuracy", ylim=(0.4, 1.02))
    right.axhline(0.5, color="0.6", lw=0.8, ls=":")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=True, fontsize=8)
    return figure


def summarise(table: pandas.DataFrame) -> str:
    """Accuracies along directions, and networks that have none."""
    lines = []
    for model, own in table.groupby("model", sort=False):
        for what, rows in own.groupby("what", sort=False):
            if what == "no directions":
                lines.append(f"{model}: no directions: {rows['reason'].iloc[0]}")
            if what == "accuracy":
                lines += _lines(str(model), rows)
    return "\n".join(lines)


def _lines(model: str, rows: pandas.DataFrame) -> list[str]:
    lines = []
    for index, some in rows.groupby("index"):
        found = [
            f"{label} {some[column].mean():.3f}"
            for label, column in (("network", "networks_test"), ("linearised", "linearised_test"))
            if column in some and np.isfinite(some[column].mean())
        ]
        lines.append(f"{model}, direction {index:.0f}: {', '.join(found)} on test samples")
    return lines
