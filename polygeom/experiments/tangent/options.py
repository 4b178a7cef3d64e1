"""Options that the studies of tangent kernels share: how one logit is trained, on which images, with which kernel."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from polygeom._dataclass import dataclass
from polygeom.experiments.images import ImageOptions
from polygeom.experiments.study import SGD, Case, Needs, like, option

K = TypeVar("K", bound=Case)

SCHEDULES = ("linear", "constant", "cyclic", "piecewise")


@dataclass(frozen=True)
class TrainingOptions:
    """How networks and their linearisations are trained, and where artefacts are kept."""

    epochs: int = option(100, "Passes over the training samples.")
    batch_size: int = option(128, "Samples of one step.")
    optimiser: str = option("sgd", "Optimiser.", choices=("sgd", "adam"))
    learning_rate: float = option(
        0.05,
        "Learning rate, at its peak, of networks that do not say their own.",
        needs=Needs("models", pattern=r"^[^@]*$", words="a network without a rate of its own"),
    )
    momentum: float = option(0.9, "Momentum of sgd.", needs=SGD)
    schedule: str = option(
        "linear", "Learning rate over time; linear: down to 0, cyclic: up from 0 and down to 0.", choices=SCHEDULES
    )
    warmup: float = option(
        0.4, "Fraction of the steps in which the rate of cyclic rises.", needs=Needs("schedule", ("cyclic",))
    )
    milestones: tuple[int, ...] = option(
        (), "Epochs after which the rate of piecewise is multiplied by gamma.", needs=Needs("schedule", ("piecewise",))
    )
    gamma: float = option(0.1, "Factor of piecewise.", needs=Needs("schedule", ("piecewise",)))
    precision: str = option(
        "float64", "Precision of training; kernels, Jacobians and directions are always float64.",
        choices=("float64", "float32"),
    )  # fmt: skip
    max_weight_norm: float | None = option(
        None, "Weights (of linearised networks: their displacement) are projected onto the ball of this radius."
    )
    artefacts: str | None = option(
        None, "Folder for what is computed before training; taken from there when it fits, bit for bit."
    )


_OF_TRAINING = {one.name for one in fields(TrainingOptions)} - {"artefacts"}


@dataclass(frozen=True)
class KernelOptions(ImageOptions, TrainingOptions):
    """Images, and the eigenvectors of the tangent kernel on them."""

    train: int = like(ImageOptions, "train", 1200)
    test: int = like(ImageOptions, "test", 597)
    normalise: bool = option(True, "Bring every channel to mean 0 and deviation 1, by the training images.")
    nystrom: int | None = option(
        None, "Images whose kernel columns Nyström's method takes; then no kernel is formed. none: exact eigenvectors."
    )
    nystrom_first: bool = option(
        False, "Take the first images for Nyström's method instead of random ones.", needs=Needs("nystrom")
    )
    memory: float = option(4.0, "Gibibytes for kernels and Jacobians.")


@dataclass(frozen=True, kw_only=True)
class TrainingCase(TrainingOptions, Case):
    """One network that is trained."""

    model: str


@dataclass(frozen=True, kw_only=True)
class KernelCase(KernelOptions, TrainingCase):
    """One network with its tangent kernel on images."""


def for_each_model(config: Any, kind: type[K]) -> list[K]:
    """One case for each of the ``models`` of a configuration; options of training only where something is trained."""
    trained = getattr(config, "networks", True) or getattr(config, "linearised", True)
    return [kind.of(config, *(() if trained else _OF_TRAINING), model=model) for model in config.models]
