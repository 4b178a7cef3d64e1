"""Test error over the width of networks with all layers trained, next to regression with their tangent kernel.

A network of one hidden layer, all parameters standard normal at the start, learns classes of images as unit vectors, or
two halves of them as ±1. Does its test error have a bump near the width at which it begins to interpolate: as many
parameters as values to fit for the rectifier, dimension of the neurovariety for a polynomial? The infinitely wide limit
is one linear system. Published with a rectifier, MNIST and gradient descent that did not come to its end; here also
with a least squares method that does. (Deep learning theory tutorial that accompanies Belkin, arXiv 2105.14368.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from polygeom._dataclass import dataclass
from polygeom.datasets.labelled import Labelled, normalise
from polygeom.errors import BudgetError
from polygeom.experiments.images import SomeImageOptions
from polygeom.experiments.study import Case, Needs, Study, like, mean_and_deviation, option
from polygeom.experiments.style import COLOURS, subplots
from polygeom.experiments.tangent.network_vs_ntk import activation
from polygeom.experiments.weights import keep_weights
from polygeom.learning.kernels.infinite_width import InfiniteWidth, WidePerceptron
from polygeom.learning.kernels.machines import solve
from polygeom.learning.tangent.tangent_kernel import empirical_ntk, jacobian
from polygeom.learning.thresholds.ranks import numerical_rank
from polygeom.learning.training.least_squares import levenberg_marquardt
from polygeom.learning.training.loop import train
from polygeom.learning.training.settings import TrainingSettings

if TYPE_CHECKING:
    import pandas

METHODS = ("least-squares", "gradient-descent")
TARGETS = ("classes", "halves")


@dataclass(frozen=True)
class Options(SomeImageOptions):
    """Images and training."""

    train: int = like(SomeImageOptions, "train", 400)
    target: str = option("halves", "Classes as unit vectors, or halves of the classes as ±1.", choices=TARGETS)
    bias: bool = option(True, "Biases of the hidden units.")
    centre: bool = option(True, "Subtract the mean training image.")
    method: str = option("least-squares", "How networks are trained.", choices=METHODS)
    steps: int = option(40, "Steps at the most.")
    tolerance: float = option(1e-16, "Stop at this mean square error.")
    learning_rate: float | None = option(
        None,
        "Of gradient descent; none: 0.9 n C over the largest eigenvalue.",
        needs=Needs("method", pattern=r"^(?!least-squares$)", words="gradient descent"),
    )


@dataclass(frozen=True)
class Config(Options):
    """Networks, images and training; every pair of an activation and a width is one case, and the limit one more."""

    widths: tuple[int, ...] = option((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 32), "Hidden units.")
    activations: tuple[str, ...] = option(("relu", "x^2"), "relu, erf or x^r.")


@dataclass(frozen=True, kw_only=True)
class Piece(Options, Case):
    """A network, or the limit of infinite width."""

    activation: str
    width: int | None


PRESETS = {
    "quick": Config(),
    "small": Config(widths=(1, 2, 3, 12), activations=("x^2",), train=40, test=100, steps=15),
    "published": Config(
        widths=(16, 32, 40, 45, 50, 55, 60, 128, 256, 512), activations=("relu",), dataset="mnist", target="classes",
        train=4000, test=10_000, first=True, centre=False, method="gradient-descent", steps=100_000, learning_rate=10.0,
        tolerance=0.0,
    ),
}  # fmt: skip


def cases(config: Config) -> list[Piece]:
    """One for each activation and width, None for the infinite one."""
    for name in config.activations:
        activation(name)
    return [
        Piece.of(config, activation=name, width=width)
        for name in config.activations
        for width in (*config.widths, None)
    ]


def measure(case: Piece) -> list[dict[str, Any]]:
    """One row."""
    first, second = case.read(case.seed, first=case.first)
    rows = normalise(first.rows(), second.rows(), centre=case.centre)
    x, z = (torch.as_tensor(part) for part in rows)
    y, truth = (_values(part, case.target) for part in (first, second))
    sigma = activation(case.activation)
    biases = (float(case.bias), 0.0)
    row: dict[str, Any] = {"activation": case.activation, "width": case.width, "values": y.numel()}
    if case.width is None:
        machine = solve(InfiniteWidth(sigma, biases=biases), x, y)
        found, fitted = machine.predict(z), machine.predict(x)
    else:
        module = WidePerceptron((x.shape[1], case.width, y.shape[1]), sigma, biases=biases, rng=case.seed)
        row["parameters"] = sum(p.numel() for p in module.parameters())
        row |= _rank(module, x)
        row["steps"] = _train(module, x, y, case)
        keep_weights(module)
        found, fitted = module(z).detach(), module(x).detach()
    row |= {
        "train_mse": float((fitted - y).square().mean()),
        "train_error": _error(fitted, y),
        "test_mse": float((found - truth).square().mean()),
        "test_error": _error(found, truth),
    }
    return [row]


def _rank(module: nn.Module, x: torch.Tensor) -> dict[str, int]:
    """The numerical rank of the tangent kernel on the training images, where its Jacobian fits into a gibibyte.

    Before training, at random weights. For polynomial networks it is there the largest there is (with probability one,
    and if rounding does not hide small singular values): how many values a step can change independently.
    """
    try:
        return {"rank": numerical_rank(jacobian(module, x).flatten(end_dim=1)).rank}
    except BudgetError:
        return {}


def _values(data: Labelled, target: str) -> torch.Tensor:
    if target == "classes":
        return torch.as_tensor(data.one_hot())
    return torch.as_tensor(2.0 * data.two_classes().labels[:, None] - 1)


def _error(found: torch.Tensor, truth: torch.Tensor) -> float:
    if truth.shape[1] == 1:
        return float(((found > 0) != (truth > 0)).double().mean())
    return float((found.argmax(1) != truth.argmax(1)).double().mean())


def _train(module: nn.Module, x: torch.Tensor, y: torch.Tensor, case: Piece) -> int:
    if case.method == "least-squares":
        return levenberg_marquardt(module, x, y, steps=case.steps, tolerance=case.tolerance).steps
    rate = case.learning_rate
    if rate is None:
        kernel = empirical_ntk(module, x, outputs="trace")
        rate = 0.9 * y.numel() / float(torch.linalg.eigvalsh(kernel)[-1])
    settings = TrainingSettings(steps=case.steps, optimiser="sgd", learning_rate=rate, record_every=100)
    return train(module, x, y, settings, stop=lambda row: row["loss"] <= case.tolerance, rng=case.seed).steps


def plot(table: pandas.DataFrame) -> Any:
    """Test and training error over the number of parameters."""
    names = list(table["activation"].unique())
    figure, panels = subplots(2, len(names), 4.3, sharex=True, sharey="row")
    for column, name in enumerate(names):
        own = table[table["activation"] == name]
        finite = mean_and_deviation(own[own["width"].notna()], ["width", "parameters"], ["test_error", "train_mse"])
        limit = own[own["width"].isna()]["test_error"].mean()
        top, bottom = panels[:, column]
        top.errorbar(
            finite["parameters"], finite["test_error_mean"], finite["test_error_std"], fmt="o-", ms=3, elinewidth=0.8
        )
        top.axhline(limit, color=COLOURS[2], ls="--", label="tangent kernel, infinite width")
        bottom.plot(finite["parameters"], np.maximum(finite["train_mse_mean"], 1e-20), "o-", ms=3)
        for axes in (top, bottom):
            axes.axvline(own["values"].iloc[0], color="0.5", ls=":", label="parameters = values to fit")
            if (full := _full_rank(own)) is not None:
                axes.axvline(full, color=COLOURS[1], ls="-.", lw=1, label="rank of the tangent kernel = values to fit")
            axes.grid(alpha=0.3)
        top.set_title(f"activation {name}")
        bottom.set(xlabel="parameters", xscale="log", yscale="log")
    panels[0, 0].set_ylabel("test error")
    panels[1, 0].set_ylabel("training mean square error")
    figure.legend(*_last(panels[0]).get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _last(panels: Any) -> Any:
    """The panel with most names of lines."""
    return max(panels, key=lambda axes: len(axes.get_legend_handles_labels()[0]))


def _full_rank(rows: pandas.DataFrame) -> float | None:
    """Parameters of the first width at which the tangent kernel has full rank for every seed; None if there is none."""
    if "rank" not in rows:
        return None
    full = rows.dropna(subset="rank").assign(full=rows["rank"] == rows["values"]).groupby("parameters")["full"].all()
    return float(full[full].index.to_numpy()[0]) if full.any() else None


def summarise(table: pandas.DataFrame) -> str:
    """Where interpolation begins, the worst and the best width, and the limit."""
    lines = []
    for name, own in table.groupby("activation", sort=False):
        columns = ["parameters", "train_mse", "test_error", "test_mse"]
        finite = own[own["width"].notna()].groupby("width")[columns].mean().reset_index()
        limit = own[own["width"].isna()]["test_error"].mean()
        exact = finite[finite["train_mse"] < 1e-10]
        first = f"{exact['parameters'].iloc[0]:.0f} parameters" if len(exact) else "no width"
        full = _full_rank(own)
        told = "" if full is None else f" (its tangent kernel has full rank from {full:.0f})"
        worst = finite["width"].iloc[int(finite["test_mse"].to_numpy().argmax())]
        best = finite.iloc[int(finite["test_error"].to_numpy().argmin())]
        lines.append(
            f"{name}: interpolates {own['values'].iloc[0]} values from {first} on{told}; largest test mean square "
            f"error at width {worst:.0f}; best test error {best['test_error']:.3f} at width {best['width']:.0f}, "
            f"infinite width {limit:.3f}"
        )
    return "\n".join(lines)


STUDY = Study(
    "trained-descent",
    config=Config,
    case=Piece,
    presets=PRESETS,
    cases=cases,
    measure=measure,
    plot=plot,
    summarise=summarise,
    trains=True,
)
