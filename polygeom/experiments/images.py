"""Options of studies that learn from images: which, from where, how many."""

from __future__ import annotations

from dataclasses import dataclass

from polygeom.datasets.labelled import Labelled
from polygeom.datasets.selection import NAMES, train_and_test
from polygeom.errors import PolygeomError
from polygeom.experiments.study import FILES, Needs, option


@dataclass(frozen=True)
class ImageOptions:
    """Images of one data set, for training and for the test."""

    dataset: str = option("digits", "Images.", choices=NAMES)
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
            rng=seed,
        )  # fmt: skip


@dataclass(frozen=True)
class SomeImageOptions(ImageOptions):
    """The same, where the first images can be asked for."""

    first: bool = option(False, "Train on the first images of each class instead of random ones.")


@dataclass(frozen=True)
class DigitOptions:
    """All handwritten digits of one source."""

    source: str = option("digits", "Images: of scikit-learn, or MNIST.", choices=("digits", "mnist"))
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

        if self.source == "digits":
            return digits()
        if self.data_root is None:
            raise PolygeomError("data_root must name the folder with the files of MNIST; write --data-root FOLDER")
        return mnist(self.data_root, self.split)
