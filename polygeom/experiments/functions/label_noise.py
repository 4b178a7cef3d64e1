"""Interpolation of noisy labels: a kernel machine fits every wrong label and still classifies.

A share p of the training labels is replaced by random classes, a kernel machine interpolates all of them, and the error
on clean test data grows slowly until most labels are random. Polynomial kernels and the kernels of infinitely wide
networks stand next to the Laplacian; EigenPro next to the exact solution.

Sources: Belkin, arXiv 2105.14368, and the deep learning theory tutorial that accompanies it; Ma and Belkin,
arXiv 1806.06144.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from polygeom._dataclass import dataclass
from polygeom.datasets.labelled import Labelled, corrupt, normalise, one_hot
from polygeom.experiments.images import SomeImageOptions
from polygeom.experiments.study import Case, Needs, Study, like, option
from polygeom.experiments.style import COLOURS, DASHES, subplots
from polygeom.learning.kernels.algebra import Kernel
from polygeom.learning.kernels.duals import LeakyReLU, Monomial
from polygeom.learning.kernels.infinite_width import InfiniteWidth
from polygeom.learning.kernels.kernels import Dispersal, Gaussian, Laplacian, Polynomial
from polygeom.learning.kernels.machines import KernelMachine, solve
from polygeom.learning.kernels.preconditioning import eigenpro

if TYPE_CHECKING:
    import pandas

KERNELS = ("laplacian", "gaussian", "dispersal", "polynomial", "nngp-relu", "ntk-relu", "nngp-power", "ntk-power")
SOLVERS = ("exact", "eigenpro", "eigenpro-legacy")
SCHEMES = ("nested", "independent", "cumulative")
DTYPES = ("float64", "float32")
_TEST_SEED = 1_000_003


_NETWORK_KERNELS = Needs("kernels", ("nngp-relu", "ntk-relu", "nngp-power", "ntk-power"))
_EIGENPRO = Needs("solvers", ("eigenpro", "eigenpro-legacy"))


@dataclass(frozen=True)
class Options(SomeImageOptions):
    """What to interpolate, and how."""

    test: int = like(SomeImageOptions, "test", 797)
    two_classes: bool = option(False, "Distinguish the first half of the classes from the second.")
    centre: bool = option(False, "Subtract the mean training image.")
    noise: tuple[float, ...] = option(tuple(i / 10 for i in range(10)), "Shares p of labels to replace.")
    bandwidth: float = option(
        1.0,
        "Of the Laplacian, Gaussian and dispersal kernels; images have length one.",
        needs=Needs("kernels", ("laplacian", "gaussian", "dispersal")),
    )
    exponent: float = option(0.7, "Of the dispersal kernel.", needs=Needs("kernels", ("dispersal",)))
    degree: int = option(
        5,
        "Of the polynomial kernel, and of the power in networks.",
        needs=Needs("kernels", ("polynomial", "nngp-power", "ntk-power")),
    )
    depth: int = option(1, "Hidden layers of the networks.", needs=_NETWORK_KERNELS)
    offset: float = option(1.0, "Of the polynomial kernel.", needs=Needs("kernels", ("polynomial",)))
    ridge: float = option(0.0, "Added to the diagonal; zero interpolates.", needs=Needs("solvers", ("exact",)))
    epochs: int = option(60, "Of EigenPro.", needs=_EIGENPRO)
    subsample: int | None = option(
        None, "Rows that EigenPro takes eigenvectors from; none for all up to 2000.", needs=_EIGENPRO
    )
    top: int | None = option(
        None, "Eigenvectors that EigenPro damps, plus one; none for as many as memory suggests.", needs=_EIGENPRO
    )
    batch_size: int | None = option(None, "Of EigenPro; none for the critical one.", needs=_EIGENPRO)
    memory: float = option(1.0, "GiB for kernel values.")
    dtype: str = option("float64", "Precision.", choices=DTYPES)


@dataclass(frozen=True)
class Config(Options):
    """What to interpolate; every combination of kernel, solver and scheme is one case."""

    schemes: tuple[str, ...] = option(
        ("nested",),
        "What is replaced for growing p: more and more of the same random choice; a new choice each time; a new choice "
        "on top of what was replaced before.",
        choices=SCHEMES,
    )
    kernels: tuple[str, ...] = option(("laplacian", "polynomial", "ntk-relu"), "Kernels.", choices=KERNELS)
    solvers: tuple[str, ...] = option(("exact", "eigenpro"), "How to solve.", choices=SOLVERS)


@dataclass(frozen=True, kw_only=True)
class Piece(Options, Case):
    """A kernel, a solver and a scheme."""

    kernel: str
    solver: str
    scheme: str


PRESETS = {
    "quick": Config(),
    "small": Config(kernels=("laplacian",), train=150, test=300, noise=(0.0, 0.3, 0.6), epochs=40),
    "schemes": Config(schemes=SCHEMES, kernels=("laplacian",), solvers=("exact",)),
    "published": Config(
        dataset="mnist",
        train=4000,
        test=10_000,
        first=True,
        kernels=("laplacian",),
        bandwidth=10.0,
        solvers=("eigenpro",),
        epochs=150,
        dtype="float32",
    ),
}


def cases(config: Config) -> list[Piece]:
    """One for each kernel, solver and scheme; all shares of noise are solved at once."""
    return [
        Piece.of(config, kernel=kernel, solver=solver, scheme=scheme)
        for kernel in config.kernels
        for solver in config.solvers
        for scheme in config.schemes
    ]


def measure(case: Piece) -> list[dict[str, Any]]:
    """Interpolate the labels of all shares of noise; the same weights solve for all of them.

    Returns
    -------
    Rows with ``kernel``, ``solver``, ``scheme``, ``noise``, ``corrupted`` (labels replaced), ``train_error`` and
    ``train_mse`` on the noisy training labels, ``test_error`` on clean test labels, ``noisy_test_error`` on test labels
    that are corrupted alike, ``best`` (the least that any classifier can have on those), ``condition`` of the exact
    solution.
    """
    train, test = _data(case)
    precision = getattr(torch, case.dtype)
    rows = normalise(train.rows(), test.rows(), centre=case.centre)
    x, x_test = (torch.from_numpy(part).to(case.device, precision) for part in rows)
    classes = len(train.classes)
    labels = noisy_labels(train.labels, classes, case.noise, case.scheme, case.seed)
    targets = torch.from_numpy(np.hstack([one_hot(own, classes) for own, _ in labels])).to(x)
    machine = _solve(case, x, targets)
    fitted, predicted = machine.predict(x).cpu(), machine.predict(x_test).cpu()
    found = []
    for number, (share, (own, replaced)) in enumerate(zip(case.noise, labels, strict=True)):
        columns = slice(number * classes, (number + 1) * classes)
        noisy = corrupt(test.labels, classes, share, rng=_TEST_SEED + case.seed)[0]
        found.append(
            {
                "kernel": case.kernel,
                "solver": case.solver,
                "scheme": case.scheme,
                "noise": share,
                "corrupted": int(replaced.sum()),
                "train_error": _error(fitted[:, columns], own),
                "train_mse": float((fitted[:, columns] - targets[:, columns].cpu()).square().mean()),
                "test_error": _error(predicted[:, columns], test.labels),
                "noisy_test_error": _error(predicted[:, columns], noisy),
                "best": share * (1 - 1 / classes),
                "condition": machine.condition,
            }
        )
    return found


def noisy_labels(
    labels: np.ndarray, classes: int, shares: Sequence[float], scheme: str, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each share, the labels and which of them were replaced; see `SCHEMES`.

    The tutorial replaces labels in place, one share after the other, which would be ``"cumulative"``; but its solver
    resets the global random generator, so that every share draws the same numbers, and what came out is ``"nested"``.
    """
    drawn = []
    before, touched = labels, np.zeros(len(labels), dtype=bool)
    for number, share in enumerate(shares):
        own = np.random.default_rng([seed, 0 if scheme == "nested" else number])
        new, replaced = corrupt(before if scheme == "cumulative" else labels, classes, share, rng=own)
        if scheme == "cumulative":
            before, touched = new, touched | replaced
            replaced = touched
        drawn.append((new, replaced))
    return drawn


def kernel_of(case: Piece) -> Kernel:
    """The kernel that a case names."""
    power = Monomial(case.degree)
    made: dict[str, Kernel] = {
        "laplacian": Laplacian(case.bandwidth),
        "gaussian": Gaussian(case.bandwidth),
        "dispersal": Dispersal(case.exponent, case.bandwidth),
        "polynomial": Polynomial(case.degree, case.offset),
        "nngp-relu": InfiniteWidth(LeakyReLU(), case.depth, "nngp"),
        "ntk-relu": InfiniteWidth(LeakyReLU(), case.depth, "ntk"),
        "nngp-power": InfiniteWidth(power, case.depth, "nngp"),
        "ntk-power": InfiniteWidth(power, case.depth, "ntk"),
    }
    return made[case.kernel]


def _data(case: Piece) -> tuple[Labelled, Labelled]:
    train, test = case.read(case.seed, first=case.first)
    return (train.two_classes(), test.two_classes()) if case.two_classes else (train, test)


def _solve(case: Piece, x: Tensor, targets: Tensor) -> KernelMachine:
    kernel, budget = kernel_of(case), int(case.memory * 2**30)
    if case.solver == "exact":
        return solve(kernel, x, targets, ridge=case.ridge, memory=budget)
    own: dict[str, Any] = {name: getattr(case, name) for name in ("epochs", "subsample", "top", "batch_size")}
    own |= {"legacy_step": case.solver == "eigenpro-legacy", "record_every": case.epochs}
    return eigenpro(kernel, x, targets, **own, memory=budget, rng=case.seed)


def _error(values: Tensor, labels: np.ndarray) -> float:
    return float((values.argmax(1).numpy() != labels).mean())


def plot(table: pandas.DataFrame) -> Any:
    """Test errors over the share of random labels: against clean labels, and against labels as noisy."""
    figure, (axes,) = subplots(1, 2, 3.1, sharey=True)
    groups = table.groupby(["kernel", "scheme", "solver"], sort=False)
    kernels = list(table["kernel"].unique())
    schemes = list(table["scheme"].unique())
    markers = dict(zip(table["solver"].unique(), "ox+", strict=False))
    for (kernel, scheme, solver), rows in groups:
        parts = [kernel, *([scheme] if len(schemes) > 1 else []), *([solver] if len(markers) > 1 else [])]
        label = ", ".join(map(str, parts))
        number = kernels.index(kernel) * len(schemes) + schemes.index(scheme)
        style = {"color": COLOURS[number % len(COLOURS)], "marker": markers[solver], "linestyle": DASHES[number % 5]}
        style |= {"markersize": 3.5} if markers[solver] == "o" else {"markersize": 5, "linestyle": "none"}
        means = rows.groupby("noise")[["test_error", "noisy_test_error"]].mean()
        for column, axis in zip(means.columns, axes, strict=True):
            axis.plot(means.index, means[column], label=label, **style)
    best = table.groupby("noise")["best"].mean()
    axes[1].plot(best.index, best, color="0.3", linestyle="--", label="best possible")
    axes[0].axhline(0, color="0.3", linestyle="--", linewidth=1)
    for axis, title in zip(axes, ("clean test labels", "test labels as noisy as the training labels"), strict=True):
        axis.set_xlabel("share p of labels replaced")
        axis.set_title(title)
    axes[0].set_ylabel("test error")
    figure.legend(*axes[1].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def summarise(table: pandas.DataFrame) -> str:
    """For each kernel, solver and scheme: the test errors in per cent, and whether every label was fitted."""
    lines = []
    for (kernel, solver, scheme), rows in table.groupby(["kernel", "solver", "scheme"], sort=False):
        errors = 100 * rows.groupby("noise")["test_error"].mean()
        text = ", ".join(f"{error:.1f}" for error in errors)
        worst = f"largest training error {100 * rows['train_error'].max():.1f} % (mse {rows['train_mse'].max():.0e})"
        condition = rows["condition"].max()
        known = f", condition {condition:.0e}" if condition == condition else ""
        lines.append(f"{kernel}, {solver}, {scheme}: test errors {text} %; {worst}{known}")
    shares = ", ".join(f"{share:g}" for share in sorted(table["noise"].unique()))
    return "\n".join([f"shares of random labels: {shares}", *lines])


STUDY = Study(
    "label-noise",
    config=Config,
    case=Piece,
    presets=PRESETS,
    cases=cases,
    measure=measure,
    plot=plot,
    summarise=summarise,
    any_device=True,
)
