"""Double descent of regression on random features, finite and infinite, on a line and on images.

A hidden layer of k random units (Fourier, ReLU or a power), a least-norm linear fit on top: the test error peaks where
k is the number n of samples and falls again, to that of a kernel machine. In one dimension the numbers of the published
tutorial come out, with its infinitely wide limit put right.

Sources: Belkin, Hsu, Ma, Mandal, arXiv 1812.11118; Belkin, arXiv 2105.14368, and the deep learning theory tutorial that
accompanies it; Rahimi and Recht, Random features for large-scale kernel machines, 2007.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from polygeom._dataclass import dataclass
from polygeom.datasets.labelled import corrupt, normalise, one_hot
from polygeom.datasets.published import make_dataset
from polygeom.datasets.selection import NAMES, train_and_test
from polygeom.experiments.images import SomeImageOptions
from polygeom.experiments.study import NO_DATA, Case, Needs, Study, like, option
from polygeom.experiments.style import COLOURS, DASHES, SMALLEST, few_ticks, subplots
from polygeom.learning.kernels.algebra import Kernel
from polygeom.learning.kernels.duals import Activation, Erf, LeakyReLU, Monomial, PolynomialActivation
from polygeom.learning.kernels.kernels import Laplacian, gram
from polygeom.learning.kernels.machines import solve
from polygeom.learning.kernels.random_features import FourierFeatures, RandomFeatures, fit_random_features

if TYPE_CHECKING:
    import pandas

ACTIVATIONS: dict[str, Activation] = {"relu": LeakyReLU(), "erf": Erf()}
ACTIVATIONS |= {f"x^{power}": Monomial(power) for power in range(1, 6)}
KINDS = ("fourier", *ACTIVATIONS)
LINE = "line"
_CUTOFF, _PUBLISHED_CUTOFF = 1e-12, 1e-15
REPEATS = {"images": 3}


_FILES = Needs("datasets", ("mnist", "cifar10"))
_FOURIER = Needs("features", ("fourier",))


@dataclass(frozen=True)
class LineOptions:
    """Data on a line."""

    samples: int = option(10, "Training samples of the line.")
    dimension: int = option(1, "Dimension of the line's inputs, a divisor of 1000.")
    noise_deviation: float = option(0.5, "Standard deviation of the noise of the line's values.")
    data_seed: int = option(2134, "Seed of the line's data; the repeat's seed is added.")
    fourier_seed: int = option(
        4321, "Seed of the Fourier features of the line; the repeat's seed is added.", needs=_FOURIER
    )
    other_seed: int = option(
        1717,
        "Seed of the other features of the line; the repeat's seed is added.",
        needs=Needs("features", pattern=r"^(?!fourier$)", words="another kind than fourier"),
    )


@dataclass(frozen=True)
class RowOptions:
    """Images as rows."""

    train: int = option(300, "Training images.")
    test: int = option(1000, "Test images.")
    label_noise: tuple[float, ...] = option((0.0, 0.2), "Shares of training labels to replace by random ones.")
    bandwidth: float = option(1.0, "Of Fourier features on images.", needs=_FOURIER)
    centre: bool = option(True, "Subtract the mean training image; features are nearly collinear otherwise.")
    unit_rows: bool = option(True, "Scale images to length one.")
    data: str | None = like(SomeImageOptions, "data", None)
    data_root: str | None = like(SomeImageOptions, "data_root", None, needs=_FILES)
    train_from: str = like(SomeImageOptions, "train_from", "train", needs=_FILES)
    first: bool = like(SomeImageOptions, "first", False)


@dataclass(frozen=True)
class Config(RowOptions, LineOptions):
    """What to fit; every pair of a data set and a kind of features is one case."""

    datasets: tuple[str, ...] = option((LINE, "digits"), "What to learn.", choices=(LINE, *NAMES), needs=NO_DATA)
    features: tuple[str, ...] = option(("fourier", "relu", "x^2"), "Kinds of features.", choices=KINDS)
    line_widths: tuple[int, ...] = option(
        (1, 5, 10, 50, 100, 500, 1000, 5000, 10_000), "Numbers k of features on the line."
    )
    widths: tuple[int, ...] = option(
        (50, 100, 200, 260, 280, 290, 300, 310, 320, 350, 400, 600, 1000, 3000, 10_000),
        "Numbers k of features on images.",
    )


@dataclass(frozen=True, kw_only=True)
class Piece(RowOptions, LineOptions, Case):
    """A data set and a kind of features."""

    dataset: str
    features: str
    widths: tuple[int, ...]


PRESETS = {
    "quick": Config(),
    "small": Config(features=("relu",), line_widths=(1, 5, 10, 50), train=60, test=300, widths=(20, 60, 1000)),
    "published": Config(
        datasets=(LINE,),
        features=("fourier", "relu"),
        line_widths=(1, 5, 10, 50, 100, 500, 1000, 5000, 10_000, 100_000, 200_000),
    ),
    "images": Config(datasets=("digits",), features=("fourier", "relu", "x^2", "x^3")),
}


def cases(config: Config) -> list[Piece]:
    """One for each data set and kind of features."""
    datasets = config.datasets if config.data is None else ("own",)
    pairs = [(dataset, kind) for dataset in datasets for kind in config.features]
    return [_case(config, dataset, kind) for dataset, kind in pairs]


def _case(config: Config, dataset: str, kind: str) -> Piece:
    widths = config.line_widths if dataset == LINE else config.widths
    without = [one.name for one in fields(RowOptions if dataset == LINE else LineOptions)]
    return Piece.of(config, *without, dataset=dataset, features=kind, widths=widths)


def measure(case: Piece) -> list[dict[str, Any]]:
    """Fits of all widths and of their limits.

    Returns
    -------
    Rows with ``dataset``, ``features``, ``noise`` (share of labels), ``model`` (``"features"``; ``"limit"``, that of
    infinite width; ``"tangent"``, with the hidden layer trained; ``"laplacian"``, which the tutorial took for the limit
    of Fourier features), ``width``, ``samples``, ``train_mse``, ``test_mse``, ``test_error`` (share of wrong classes),
    ``distance`` (of the kernel matrix of the training rows to its limit, relative Frobenius norm), ``rank`` of the
    features, ``condition`` of the limit's kernel matrix.
    """
    problem = _line(case) if case.dataset == LINE else _images(case)
    problem = {name: value.to(case.device) for name, value in problem.items()}
    features = _features(case)
    limit = gram(features.limit(), problem["x"])
    rows = []
    for width, (directions, biases) in _draws(case, features, problem["x"].shape[1]):
        directions, biases = directions.to(problem["x"]), None if biases is None else biases.to(problem["x"])
        cutoff = _PUBLISHED_CUTOFF if case.dataset == LINE and case.features == "fourier" else _CUTOFF
        model = fit_random_features(features, problem["x"], problem["y"], directions, biases, cutoff=cutoff)
        values = features(problem["x"], directions, biases)
        apart = torch.linalg.norm(values @ values.mH - limit) / torch.linalg.norm(limit)
        about = {"model": "features", "width": width, "rank": model.rank, "distance": float(apart)}
        rows += _rows(case, problem, about, model.predict(problem["x"]), model.predict(problem["x_test"]))
    for name, kernel in _limits(case, features).items():
        machine = solve(
            kernel, problem["x"], problem["y"], cutoff=None if _regular(features, problem["x"]) else _CUTOFF
        )
        about = {"model": name, "width": None, "rank": None, "distance": None, "condition": machine.condition}
        rows += _rows(case, problem, about, machine.predict(problem["x"]), machine.predict(problem["x_test"]))
    return rows


def _features(case: Piece) -> RandomFeatures | FourierFeatures:
    """The features that a case names; with biases on the line."""
    if case.features == "fourier":
        return FourierFeatures(case.bandwidth)
    return RandomFeatures(ACTIVATIONS[case.features], bias=case.dataset == LINE)


def _limits(case: Piece, features: RandomFeatures | FourierFeatures) -> dict[str, Kernel]:
    if isinstance(features, RandomFeatures):
        return {"limit": features.limit(), "tangent": features.limit(tangent=True)}
    return {"limit": features.limit()} | ({"laplacian": Laplacian(2.0)} if case.dataset == LINE else {})


def _regular(features: RandomFeatures | FourierFeatures, x: Tensor) -> bool:
    """Whether the limit of infinite width can interpolate: powers have as much rank as there are monomials."""
    if not (isinstance(features, RandomFeatures) and isinstance(features.activation, PolynomialActivation)):
        return True
    power = len(features.activation.coefficients) - 1
    return math.comb(x.shape[1] - 1 + features.bias + power, power) >= len(x)


def _line(case: Piece) -> dict[str, Tensor]:
    data = make_dataset(case.samples, case.dimension, case.noise_deviation, seed=case.data_seed + case.seed)
    names = ("x", "y", "x_test", "y_test")
    return {name: torch.from_numpy(np.ascontiguousarray(getattr(data, name))) for name in names}


def _images(case: Piece) -> dict[str, Tensor]:
    """Rows and one-hot targets; the columns of ``y`` are those of all shares of label noise, one after the other."""
    dataset = "digits" if case.data is not None else case.dataset
    names = ("data", "data_root", "train_from", "first")
    where: dict[str, Any] = {name: getattr(case, name) for name in names}
    train, test = train_and_test(dataset, case.train, case.test, **where, rng=case.seed)
    rows = normalise(train.rows(), test.rows(), centre=case.centre, unit_rows=case.unit_rows)
    classes = len(train.classes)
    labels = [corrupt(train.labels, classes, share, rng=case.seed)[0] for share in case.label_noise]
    targets = np.hstack([one_hot(own, classes) for own in labels])
    arrays: dict[str, np.ndarray] = {"x": rows[0], "x_test": rows[1], "y": targets}
    arrays |= {"y_test": test.one_hot(), "labels_test": test.labels}
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _draws(
    case: Piece, features: RandomFeatures | FourierFeatures, dimension: int
) -> Iterator[tuple[int, tuple[Tensor, Tensor | None]]]:
    """Widths with directions and biases; on the line from the legacy generator, one width after the other."""
    if case.dataset == LINE:
        first = case.fourier_seed if case.features == "fourier" else case.other_seed
        legacy = np.random.RandomState(first + case.seed)
        for width in case.widths:
            directions = torch.from_numpy(legacy.randn(width, dimension))
            biases = torch.from_numpy(legacy.randn(width, 1)[:, 0]) if features.bias else None
            yield width, (directions, biases)
        return
    generator = torch.Generator().manual_seed(case.seed)
    for width in case.widths:
        yield width, (torch.randn((width, dimension), generator=generator, dtype=torch.float64), None)


def _rows(
    case: Piece, problem: Mapping[str, Tensor], about: dict[str, Any], fitted: Tensor, predicted: Tensor
) -> list[dict[str, Any]]:
    """One row for each share of label noise."""
    columns = problem["y_test"].shape[1]
    rows = []
    for number, share in enumerate((0.0,) if case.dataset == LINE else case.label_noise):
        own, guess, given = (
            values[:, number * columns : (number + 1) * columns] for values in (fitted, predicted, problem["y"])
        )
        row = {"dataset": case.dataset, "features": case.features, "noise": share, **about}
        row |= {"samples": len(problem["x"]), "train_mse": _mse(own, given), "test_mse": _mse(guess, problem["y_test"])}
        if "labels_test" in problem:
            guesses = (guess.real if guess.is_complex() else guess).argmax(1)
            row["test_error"] = float((guesses != problem["labels_test"]).double().mean())
        rows.append(row)
    return rows


def _mse(values: Tensor, truth: Tensor) -> float:
    return float((values - truth).abs().square().mean())


def plot(table: pandas.DataFrame) -> Any:
    """Above, test errors over the number of features; below, distances of the kernel to its limit (medians)."""
    panels = list(table[["dataset", "noise"]].drop_duplicates().itertuples(index=False, name=None))
    figure, axes = subplots(2, len(panels), 4.4)
    drawn: set[str] = set()
    for (dataset, noise), (above, below) in zip(panels, axes.T, strict=True):
        own = table[(table["dataset"] == dataset) & (table["noise"] == noise)]
        _draw_errors(own, above, "test_mse" if dataset == LINE else "test_error")
        share = f", {noise:.0%} of labels random" if noise else ""
        above.set_title(f"{dataset}{share}")
        if dataset in drawn:  # labels do not change kernels
            below.axis("off")
            continue
        drawn.add(dataset)
        _draw_distances(own, below)
        below.set_title(f"{dataset}: kernel")
    axes[0, 0].plot([], [], color="0.3", linestyle="--", linewidth=1, label="k → ∞")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    for row in axes:
        for cell in row:
            few_ticks(cell, 4)
    axes[0, 0].set_ylabel("test error")
    axes[1, 0].set_ylabel("distance to the limit")
    return figure


def _draw_errors(own: pandas.DataFrame, axes: Any, column: str) -> None:
    for number, (kind, rows) in enumerate(own.groupby("features", sort=False)):
        colour = COLOURS[number]
        middle = rows[rows["model"] == "features"].groupby("width")[column].median()
        axes.plot(middle.index, middle, linestyle=DASHES[number], marker="o", markersize=3, color=colour, label=kind)
        for model, style in (("limit", "--"), ("laplacian", ":")):
            if (level := rows.loc[rows["model"] == model, column].median()) == level:
                axes.axhline(level, color=colour, linestyle=style, linewidth=1)
    axes.axvline(own["samples"].iloc[0], color="0.7", linewidth=1, zorder=0)
    axes.set_xscale("log")
    if column == "test_mse":
        axes.set_yscale("log")
    else:
        axes.set_ylim(0, None)
    laplacian = own.loc[own["model"] == "laplacian", column]
    if len(laplacian):
        place = (own["width"].max(), laplacian.median())
        axes.annotate("Laplacian kernel", place, (0, 3), textcoords="offset points", ha="right", fontsize=SMALLEST)


def _draw_distances(own: pandas.DataFrame, axes: Any) -> None:
    finite = own[own["model"] == "features"]
    for number, (_, rows) in enumerate(finite.groupby("features", sort=False)):
        middle = rows.groupby("width")["distance"].median()
        axes.plot(middle.index, middle, linestyle=DASHES[number], marker="o", markersize=3, color=COLOURS[number])
    widths = np.array(sorted(finite["width"].unique()), dtype=float)
    axes.plot(widths, widths**-0.5, color="0.6", linewidth=1, linestyle=":")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.annotate("$k^{-1/2}$", (widths[-1], widths[-1] ** -0.5), (-4, 3), textcoords="offset points", ha="right")
    axes.set_xlabel("random features k")


def summarise(table: pandas.DataFrame) -> str:
    """For each data set and kind: where the error peaks, what is left at the largest width and in the limit."""
    lines = []
    for (dataset, noise, kind), own in table.groupby(["dataset", "noise", "features"], sort=False):
        column = "test_mse" if dataset == LINE else "test_error"
        middle = own[own["model"] == "features"].groupby("width")[[column, "distance"]].median()
        widths, errors = middle.index.to_numpy(dtype=float), middle[column].to_numpy(dtype=float)
        peak = int(errors.argmax())
        share = f" with {noise:.0%} random labels" if noise else ""
        line = f"{dataset}{share}, {kind}: {column} peaks at k = {widths[peak]:.0f} ({errors[peak]:.3g}); "
        line += f"{errors[-1]:.4g} at k = {widths[-1]:.0f}"
        for model in ("limit", "tangent", "laplacian"):
            rows = own[own["model"] == model]
            if len(rows):
                line += f", {model} {rows[column].median():.5g} (condition {rows['condition'].max():.0e})"
        slope = np.polyfit(np.log(widths), np.log(middle["distance"].to_numpy(dtype=float)), 1)[0]
        lines.append(f"{line}; distance to the limit falls as k^{slope:.2f}")
    return "\n".join(lines)


STUDY = Study(
    "random-features",
    config=Config,
    case=Piece,
    presets=PRESETS,
    cases=cases,
    measure=measure,
    plot=plot,
    summarise=summarise,
    repeats=REPEATS,
    any_device=True,
)
