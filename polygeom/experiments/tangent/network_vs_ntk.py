"""Wide networks trained to the end, against regression with their tangent kernels, empirical and of infinite width.

A linear function on the sphere is learned by gradient descent on all layers of a network with one hidden layer of k
units, until it interpolates. Kernel regression of what the untrained network leaves over predicts the result: with the
kernel at initialisation up to an error of about 1/k for smooth units and k^(-3/4) for the rectifier, with the
infinitely wide one up to about 1/√k. The published comparison left the untrained network out of the theory's test
error. (Deep learning theory tutorial that accompanies Belkin, arXiv 2105.14368; Jacot, Gabriel, Hongler, arXiv
1806.07572.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from polygeom._dataclass import dataclass
from polygeom.datasets.published import linear_on_sphere
from polygeom.errors import PolygeomError
from polygeom.experiments.study import Case, Study, mean_and_deviation, option
from polygeom.experiments.style import subplots
from polygeom.experiments.weights import keep_weights
from polygeom.learning.kernels.duals import Activation, Erf, LeakyReLU, Monomial
from polygeom.learning.kernels.infinite_width import InfiniteWidth, WidePerceptron
from polygeom.learning.tangent.linearised import kernel_regression
from polygeom.learning.tangent.tangent_kernel import empirical_ntk
from polygeom.learning.training.loop import train
from polygeom.learning.training.settings import TrainingSettings

if TYPE_CHECKING:
    import pandas

_CURVES = {
    "mse_empirical": ("trained network and kernel at the start", "o-"),
    "mse_infinite": ("trained network and infinite width", "s--"),
    "kernel_to_limit": ("kernel at the start and infinite width (relative)", "^:"),
    "kernel_moved": ("kernel at the end and at the start (relative)", "v-."),
}


@dataclass(frozen=True)
class Options:
    """Data and training."""

    samples: int = option(32, "Training samples.")
    dimension: int = option(100, "Dimension of the sphere's space.")
    test: int = option(100, "Test samples.")
    data_seed: int = option(2134, "Seed of the data; the repeat's seed is added.")
    bias: bool = option(True, "Biases of the hidden units, variance 1.")
    learning_rate: float | None = option(None, "Step of gradient descent; none: 0.9 n over the largest eigenvalue.")
    tolerance: float = option(1e-10, "Stop at this mean square error.")
    steps: int = option(20_000, "Stop after this many steps at the latest.")


@dataclass(frozen=True)
class Config(Options):
    """Data, networks and training; every pair of an activation and a width is one case."""

    widths: tuple[int, ...] = option((250, 1000, 4000), "Hidden units.")
    activations: tuple[str, ...] = option(("relu", "x^2", "x^3"), "relu, erf or x^r.")


@dataclass(frozen=True, kw_only=True)
class Piece(Options, Case):
    """A network."""

    activation: str
    width: int


PRESETS = {
    "quick": Config(),
    "small": Config(widths=(20, 80), activations=("relu", "x^2"), samples=8, dimension=12, test=10),
    "published": Config(widths=(16_000,), activations=("relu",), learning_rate=1e-2),
    "widths": Config(widths=(250, 1000, 4000, 16_000)),
}


def cases(config: Config) -> list[Piece]:
    """One for each activation and width."""
    for name in config.activations:
        activation(name)
    return [Piece.of(config, activation=name, width=width) for name in config.activations for width in config.widths]


def activation(name: str) -> Activation:
    """An activation with its dual, by name."""
    if name.startswith("x^") and name[2:].isdecimal():
        return Monomial(int(name[2:]))
    known: dict[str, Activation] = {"relu": LeakyReLU(), "erf": Erf()}
    if name not in known:
        raise PolygeomError(f"activations must be relu, erf or x^r, got {name!r}; write x^2")
    return known[name]


def measure(case: Piece) -> list[dict[str, Any]]:
    """One row: distances between the trained network and both predictions, and between kernels."""
    data = linear_on_sphere(case.samples, case.dimension, case.test, seed=case.data_seed + case.seed)
    x, y, z, truth = (torch.as_tensor(part) for part in (data.x, data.y, data.x_test, data.y_test))
    sigma = activation(case.activation)
    biases = (float(case.bias), 0.0)
    module = WidePerceptron((x.shape[1], case.width, 1), sigma, biases=biases, rng=case.seed)
    points = torch.cat([x, z])
    before, start = empirical_ntk(module, points, outputs="trace"), module(points).detach()
    limit = InfiniteWidth(sigma, biases=biases)(points, points)
    n, largest = len(x), float(torch.linalg.eigvalsh(before[: len(x), : len(x)])[-1])
    rate = 0.9 * n / largest if case.learning_rate is None else case.learning_rate
    settings = TrainingSettings(steps=case.steps, optimiser="sgd", learning_rate=rate, record_every=10)
    done = train(module, x, y, settings, stop=lambda row: row["loss"] < case.tolerance, rng=case.seed)
    keep_weights(module)
    after, found = empirical_ntk(module, points, outputs="trace"), module(z).detach()
    row: dict[str, Any] = {
        "activation": case.activation, "width": case.width, "steps": done.steps, "learning_rate": rate,
        "train_mse": done.loss, "test_mse": float((found - truth).square().mean()),
        "kernel_to_limit": float((before - limit).norm() / limit.norm()),
        "kernel_moved": float((after - before).norm() / before.norm()),
    }  # fmt: skip
    for name, kernel in (("empirical", before), ("infinite", limit)):
        solution = kernel_regression(kernel[:n, :n], y, start=start[:n])
        predicted = solution.predict(kernel[n:, :n], start[n:])
        row[f"mse_{name}"] = float((found - predicted).square().mean())
        row[f"condition_{name}"] = solution.condition
    zero = kernel_regression(limit[:n, :n], y).predict(limit[n:, :n])
    return [row | {"test_mse_infinite": float((zero - truth).square().mean())}]


def plot(table: pandas.DataFrame) -> Any:
    """Distances over the width."""
    names = list(table["activation"].unique())
    figure, panels = subplots(1, len(names), 3, sharey=True)
    for axes, name in zip(panels[0], names, strict=True):
        own = mean_and_deviation(table[table["activation"] == name], ["width"], list(_CURVES))
        for column, (label, style) in _CURVES.items():
            axes.plot(own["width"], own[f"{column}_mean"], style, ms=3.5, label=label)
        axes.set(title=f"activation {name}", xlabel="hidden units", xscale="log", yscale="log")
        axes.set_xticks(own["width"], [f"{width:,}" for width in own["width"]])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    panels[0, 0].set_ylabel("mean square / relative distance")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def summarise(table: pandas.DataFrame) -> str:
    """Distances, and the rate at which they fall."""
    import numpy as np

    lines = []
    for name, own in table.groupby("activation", sort=False):
        mean = own.groupby("width")[[*_CURVES, "steps", "test_mse"]].mean()
        last = mean.iloc[-1]
        text = (
            f"{name}, {mean.index[-1]} units: mean square distance to kernel regression {last['mse_empirical']:.1e} "
            f"(kernel at the start), {last['mse_infinite']:.1e} (infinite width); {last['steps']:.0f} steps"
        )
        if len(mean) > 1:
            width = np.log(mean.index.to_numpy(dtype=float))
            slope = np.polyfit(width, np.log(mean["mse_empirical"].to_numpy(dtype=float)), 1)[0]
            text += f"; the first falls like width^{slope:.1f}"
        lines.append(text)
    return "\n".join(lines)


STUDY = Study(
    "network-vs-ntk",
    config=Config,
    case=Piece,
    presets=PRESETS,
    cases=cases,
    measure=measure,
    plot=plot,
    summarise=summarise,
    trains=True,
)
