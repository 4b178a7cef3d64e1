"""Two disjoint stratified subsets of a data set chosen by name: what studies on real data begin with."""

from __future__ import annotations

import os

import numpy as np

from polygeom.checks import choice
from polygeom.datasets.bundled import digits
from polygeom.datasets.files import cifar10, mnist
from polygeom.datasets.labelled import Labelled, class_by_class, stratified_order
from polygeom.datasets.own import read_own
from polygeom.errors import PolygeomError

NAMES = ("digits", "mnist", "cifar10")
_READERS = {"mnist": mnist, "cifar10": cifar10}


def train_and_test(
    name: str,
    train: int,
    test: int,
    *,
    data_root: str | os.PathLike[str] | None = None,
    train_from: str = "train",
    first: bool = False,
    data: str | os.PathLike[str] | None = None,
    rng: int = 0,
) -> tuple[Labelled, Labelled]:
    """Stratified subsets for training and testing, without a common sample.

    Parameters
    ----------
    name:
        ``"digits"``, ``"mnist"`` or ``"cifar10"``.
    train, test:
        Their sizes.
    data_root:
        The folder with the files of MNIST or CIFAR-10, see `polygeom.datasets.mnist`, `polygeom.datasets.cifar10`;
        digits need none.
    train_from:
        The official split that training samples are taken from: ``"train"``, of which the first ten thousands that
        hold enough are read; or ``"test"``, where only its files are at hand, and then both subsets come from it.
        Digits have no official split.
    first:
        Take the first ``train / classes`` samples of every class, and the first ``test`` of the others, instead of
        random stratified subsets.
    data:
        Data of your own in place of ``name``, see `polygeom.datasets.own`; where it keeps samples for testing apart,
        the test subset is taken from them.
    rng:
        Seed of the choice.

    Returns
    -------
    Training and test samples.

    Raises
    ------
    PolygeomError
        For unknown names, missing folders, and sizes beyond what there is.
    """
    choice("name", name, NAMES, "digits")
    if train < 1 or test < 1:
        raise PolygeomError(f"train and test must be at least 1, got {train} and {test}")
    other: Labelled | None = None
    if data is not None:
        source, other = read_own(data)
    elif name == "digits":
        source = digits()
    elif data_root is None:
        raise PolygeomError(f"data_root must name the folder with the files of {name}; digits need no files")
    elif train_from == "test":
        source = _READERS[name](str(data_root), "test")
    else:
        # Whole files of ten thousand: a stratified subset of few samples needs no more of them.
        source = _READERS[name](str(data_root), train_from, limit=10_000 * -(-train // 10_000))
        other = _READERS[name](str(data_root), "test")
    order = _order(source, train, first, rng)
    if other is None:
        return _stretch(source, order, 0, train), _stretch(source, order, train, test)
    rest = np.arange(len(other)) if first else stratified_order(other.labels, rng=rng)
    return _stretch(source, order, 0, train), _stretch(other, rest, 0, test)


def _order(source: Labelled, train: int, first: bool, rng: int) -> np.ndarray:
    """An order of all samples that begins with those to train on."""
    if not first:
        return stratified_order(source.labels, rng=rng)
    each, left = divmod(train, len(source.classes))
    if left:
        raise PolygeomError(f"train must be a multiple of {len(source.classes)} classes with first=True, got {train}")
    chosen = class_by_class(source.labels, each)
    return np.concatenate([chosen, np.setdiff1d(np.arange(len(source)), chosen)])


def _stretch(source: Labelled, order: np.ndarray, start: int, count: int) -> Labelled:
    if start + count > len(source):
        wanted, write = (f"{start} + {count}", "train + test") if start else (str(count), "train or test")
        found = f"{source.name} has {len(source)} samples to take from, {wanted} are wanted"
        raise PolygeomError(f"{found}; write at most {len(source)} for {write}")
    return source.take(order[start : start + count])
