"""Two disjoint stratified subsets of a data set chosen by name: what studies on real data begin with."""

from __future__ import annotations

import os

from polygeom.datasets.digits import digits
from polygeom.datasets.files import cifar10, mnist
from polygeom.datasets.labelled import Labelled, stratified_order
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
    if name not in NAMES:
        raise PolygeomError(f'name must be one of {", ".join(NAMES)}, got {name!r}; write "digits"')
    if train < 1 or test < 1:
        raise PolygeomError(f"train and test must be at least 1, got {train} and {test}")
    if name == "digits":
        return _both_from(digits(), train, test, rng)
    if data_root is None:
        raise PolygeomError(f"data_root must name the folder with the files of {name}; digits need no files")
    read = _READERS[name]
    if train_from == "test":
        return _both_from(read(data_root, "test"), train, test, rng)
    first = read(data_root, train_from, limit=10_000 * -(-train // 10_000))
    second = read(data_root, "test")
    return _some(first, train, rng), _some(second, test, rng)


def _both_from(data: Labelled, train: int, test: int, rng: int) -> tuple[Labelled, Labelled]:
    if train + test > len(data):
        raise PolygeomError(f"train + test must be at most {len(data)}, the size of {data.name}, got {train} + {test}")
    order = stratified_order(data.labels, rng=rng)
    return data.take(order[:train]), data.take(order[train : train + test])


def _some(data: Labelled, count: int, rng: int) -> Labelled:
    if count > len(data):
        raise PolygeomError(f"at most {len(data)} samples of {data.name} are there, got {count}")
    return data.take(stratified_order(data.labels, rng=rng)[:count])
