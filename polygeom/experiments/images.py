"""Options of studies that learn from images: which, from where, how many."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.datasets.labelled import Labelled
from polygeom.datasets.selection import NAMES, train_and_test
from polygeom.errors import PolygeomError
from polygeom.experiments.study import FILES, NO_DATA, Needs, option


@dataclass(frozen=True)
class ImageOptions:
    """Images of one data set, for training and for the test."""

    data: str | None = option(None, "Data of your own: FILE.npz, FILE.csv or a folder.")
    dataset: str = option("digits", "Images.", choices=NAMES, needs=NO_DATA)
    data_root: str | None = option(None, "Folder with the files of MNIST or CIFAR-10.", needs=FILES)
    train_from: str = option(
        "train", "Official split that training images come from.", choices=("train", "test"), needs=FILES
    )
    train: int = option(1000, "Training images.")
    test: int = option(1000, "Test images.")

    def read(self, seed: int, *, first: bool = False) -> tuple[Labelled, Labelled]:
        """The images: random ones, or the ``first`` of each class to train on."""
        return train_and_test(
            self.dataset, self.train, self.test, data_root=self.data_root, train_from=self.train_from, first=first,
            data=self.data, rng=seed,
        )  # fmt: skip


@dataclass(frozen=True)
class SomeImageOptions(ImageOptions):
    """The same, where the first images can be asked for."""

    first: bool = option(False, "Train on the first images of each class instead of random ones.")


@dataclass(frozen=True)
class DigitOptions:
    """All handwritten digits of one source."""

    data: str | None = option(None, "Digits of your own: FILE.npz, FILE.csv or a folder.")
    source: str = option("digits", "Images: of scikit-learn, or MNIST.", choices=("digits", "mnist"), needs=NO_DATA)
    data_root: str | None = option(None, "Folder with the files of MNIST.", needs=Needs("source", ("mnist",)))
    split: str = option(
        "train", "Official part of MNIST that images come from.", choices=("train", "test"),
        needs=Needs("source", ("mnist",)),
    )  # fmt: skip

    def digits(self) -> Labelled:
        """The images.

        Raises
        ------
        PolygeomError
            Without a folder for MNIST.
        """
        from polygeom.datasets.bundled import digits
        from polygeom.datasets.files import mnist
        from polygeom.datasets.own import read_own

        if self.data is not None:
            return _as_digits(read_own(self.data)[0])
        if self.source == "digits":
            return digits()
        if self.data_root is None:
            raise PolygeomError("data_root must name the folder with the files of MNIST; write --data-root FOLDER")
        return mnist(self.data_root, self.split)


def _as_digits(data: Labelled) -> Labelled:
    """Images whose classes are digits, each labelled by its own."""
    known = tuple("0123456789")
    if not set(data.classes) <= set(known):
        raise PolygeomError(f"data: classes must be digits here, got {', '.join(data.classes[:5])}")
    labels = np.array([int(name) for name in data.classes])[data.labels]
    return replace(data, labels=labels, classes=known)
