"""Input directions that networks find easy and hard before they have seen data, and what they learn along them.

Each task can be solved by looking in one direction alone, along which two classes are separated; all others hold noise.
Convolutional networks learn it along some directions at once and along others not at all, and so do their
linearisations: the order is that of the singular values of a mixed derivative at initialisation. Homogeneous polynomial
networks have none by symmetry, and are reported so. (Ortiz-Jiménez and others, arXiv 2006.09717, 2106.06770.)
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.experiments.study import Either, Needs, Study, mean_and_deviation, option
from polygeom.experiments.style import COLOURS, legend, subplots
from polygeom.experiments.tangent.artefacts import recall, set_weights, weight_arrays
from polygeom.experiments.tangent.networks import Model
from polygeom.experiments.tangent.options import TrainingCase, TrainingOptions, for_each_model
from polygeom.experiments.tangent.tasks import ends, fit_labels, linear_problem, precision
from polygeom.learning.tangent.anisotropy import METHODS, VanishingError, anisotropy_directions, separable_along
from polygeom.learning.training.loop import DivergenceError

if TYPE_CHECKING:
    import pandas


_TRAINED = Either(Needs("networks"), Needs("linearised"))


@dataclass(frozen=True)
class Options(TrainingOptions):
    """Options of a case."""

    side: int = option(12, "Inputs are side x side images.")
    channels: int = option(1, "Channels of the images.")
    directions: tuple[int, ...] = option(
        (0, 10, 143), "Directions to learn along; beyond the last: the last.", needs=_TRAINED
    )
    sigma_inputs: float = option(0.0, "Deviation of the inputs of the mixed derivative; 0: at x = 0.")
    samples: int = option(50, "Random inputs of the mixed derivative.", needs=Needs("sigma_inputs"))
    paired: bool = option(True, "Use every random input with its negative as well.", needs=Needs("sigma_inputs"))
    method: str = option("dense", "How directions are computed.", choices=METHODS)
    epsilon: float = option(1.0, "Distance of the two classes.", needs=_TRAINED)
    sigma: float = option(1.0, "Deviation of the noise.", needs=_TRAINED)
    networks: bool = option(True, "Train the networks.")
    linearised: bool = option(True, "Train the linearised networks.")
    train: int = option(1500, "Training samples.", needs=_TRAINED)
    test: int = option(1500, "Test samples.", needs=_TRAINED)
    epochs: int = option(10, "Passes over the training samples.", needs=_TRAINED)


@dataclass(frozen=True)
class Config(Options):
    """Networks and directions; every network is one case."""

    models: tuple[str, ...] = option(
        ("lenet:gelu", "lenet:x+x^2@0.02", "mlp2:60"),
        "Networks: lenet:gelu, lenet:x+x^2@0.02, resnet18:gelu:8, mlp2:60.",
        own=True,
    )


@dataclass(frozen=True, kw_only=True)
class Piece(Options, TrainingCase):
    """One network."""


PRESETS = {
    "quick": Config(models=("lenet:gelu", "mlp2:60"), train=1000, test=1000),
    "page": Config(),
    "small": Config(models=("lenet:gelu",), side=8, directions=(0, 10), train=200, test=200, epochs=15, batch_size=32),
    "published": Config(
        models=("lenet:gelu",), side=32, directions=(0, 10, 100, 500, 1023), train=10_000, test=10_000, epochs=100
    ),
}


def cases(config: Config) -> list[Piece]:
    """One for each network."""
    if config.side < 4 or min(config.directions) < 0:
        raise PolygeomError(f"side must be at least 4 and directions not negative, got {config.side}")
    if config.channels < 1:
        raise PolygeomError(f"channels must be at least 1, got {config.channels}; write channels=1")
    return for_each_model(config, Piece)


def measure(case: Piece) -> list[dict[str, Any]]:
    """Singular values of all directions; accuracies along some of them."""
    model = Model.parse(case.model)
    fresh = model.build(_shape(case), case.seed)
    try:
        directions, values = _directions(case, model, fresh)
    except VanishingError as error:
        return [{"model": model.name, "what": "no directions", "reason": str(error).partition(",")[0]}]
    rows: list[dict[str, Any]] = [
        {"model": model.name, "what": "direction", "index": i, "singular_value": float(value)}
        for i, value in enumerate(values)
    ]
    if case.networks or case.linearised:
        for index in dict.fromkeys(min(i, len(directions) - 1) for i in case.directions):
            row = {"model": model.name, "what": "accuracy", "index": index, "singular_value": float(values[index])}
            rows.append(row | _learn(case, model, fresh, directions[index]))
    return rows


def _shape(case: Piece) -> tuple[int, ...]:
    return (case.side,) * 2 if case.channels == 1 else (case.channels, case.side, case.side)


def _directions(case: Piece, model: Model, fresh: nn.Module) -> tuple[np.ndarray, np.ndarray]:
    """Directions ``(k, D)`` and singular values of a network before training, which gets its weights back as well."""

    def make() -> dict[str, np.ndarray]:
        found = anisotropy_directions(
            fresh, _shape(case), sigma=case.sigma_inputs, samples=case.samples, paired=case.paired,
            method=case.method, rng=case.seed,
        )  # fmt: skip
        return {"directions": found.directions, "singular_values": found.singular_values} | weight_arrays(fresh)

    request = {
        name: getattr(case, name)
        for name in ("seed", "side", "channels", "sigma_inputs", "samples", "paired", "method")
    }
    name = f"directions-{model.name}-seed{case.seed}"
    arrays = recall(case.artefacts, name, "polygeom directions", request | {"model": model.name}, make)
    set_weights(fresh, arrays)
    return arrays["directions"], arrays["singular_values"]


def _learn(case: Piece, model: Model, fresh: nn.Module, direction: np.ndarray) -> dict[str, Any]:
    count = case.train
    inputs, labels = separable_along(
        direction, count + case.test, epsilon=case.epsilon, sigma=case.sigma, rng=case.seed
    )
    x = torch.as_tensor(inputs.reshape(-1, *_shape(case)))
    y = torch.as_tensor(labels, dtype=torch.float64)
    row: dict[str, Any] = {}
    for name in (learner for learner in ("networks", "linearised") if getattr(case, learner)):
        module, data = copy.deepcopy(fresh), x
        if name == "linearised":
            module, data = linear_problem(module, x, bias=True, dtype=precision(case))
        try:
            done = fit_labels(module, data, y, count, case, model.rate, every=case.epochs)
        except DivergenceError as error:
            row[f"{name}_diverged"] = error.step
            continue
        row |= {f"{name}_{key}": value for key, value in ends(done).items()}
    return row


def plot(table: pandas.DataFrame) -> Any:
    """Singular values, and test accuracies along some directions if there are any."""
    columns = 2 if "accuracy" in set(table["what"]) else 1
    figure, panels = subplots(1, columns, 2.9)
    measured = sorted(table.loc[table["what"] == "accuracy", "index"].unique())
    for number, (model, own) in enumerate(table.groupby("model", sort=False)):
        _draw_values(panels[0, 0], own[own["what"] == "direction"], str(model), number)
        if columns == 2:
            _draw_accuracies(panels[0, 1], own[own["what"] == "accuracy"], str(model), number, measured)
    panels[0, 0].set(xlabel="direction", ylabel="squared singular value, relative", yscale="log")
    if columns == 2:
        panels[0, 1].set(xlabel="direction along which the classes differ", ylabel="test accuracy", ylim=(0.4, 1.02))
        panels[0, 1].axhline(0.5, color="0.6", lw=0.8, ls=":")
        panels[0, 1].set_xticks(range(len(measured)), [f"{index:.0f}" for index in measured])
        panels[0, 1].set_xlim(-0.5, len(measured) - 0.5)  # also where there is one
    for axes in panels[0]:
        axes.grid(alpha=0.3)
        legend(axes, loc="upper center", bbox_to_anchor=(0.5, -0.2))
    return figure


def _draw_values(axes: Any, rows: pandas.DataFrame, model: str, number: int) -> None:
    if not len(rows):
        axes.plot([], [], color=COLOURS[number % 7], label=f"{model}: none, by symmetry")
        return
    mean = rows.groupby("index")["singular_value"].mean()
    style = ("-", "--")[number % 2]  # curves of several networks may coincide
    axes.plot(mean.index, (mean / mean.iloc[0]) ** 2, style, color=COLOURS[number % 7], label=model)


def _draw_accuracies(axes: Any, rows: pandas.DataFrame, model: str, number: int, measured: list[float]) -> None:
    """Points beside each other for each direction: what lies between two directions was not measured."""
    color = COLOURS[number % 7]
    kinds = (("networks", "o", model), ("linearised", "s", f"{model}, linearised"))
    for shift, (name, mark, label) in enumerate(kinds):
        if len(rows) and f"{name}_test" in rows:
            curve = mean_and_deviation(rows, ["index"], [f"{name}_test"])
            at = [measured.index(index) + 0.12 * (2 * number + shift - 1.5) for index in curve["index"]]
            spread = curve[f"{name}_test_std"].fillna(0)
            filled = {"mfc": "white"} if shift else {}
            axes.errorbar(at, curve[f"{name}_test_mean"], spread, fmt=mark, color=color, ms=5, label=label, **filled)


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


STUDY = Study(
    "anisotropy",
    config=Config,
    case=Piece,
    presets=PRESETS,
    cases=cases,
    measure=measure,
    plot=plot,
    summarise=summarise,
    trains=True,
)
