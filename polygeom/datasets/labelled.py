"""Inputs with a class each, and what is done to them before learning: subsets, one-hot targets, normalisation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError


@dataclass(frozen=True, eq=False)
class Labelled:
    """Inputs and their classes.

    Parameters
    ----------
    name:
        Of the data set.
    inputs:
        Shape ``(N, *shape)``; images as they are stored, unscaled.
    labels:
        Shape ``(N,)``, integers in ``0, …, len(classes) - 1``.
    classes:
        The names of the classes.

    Raises
    ------
    PolygeomError
        When lengths differ or a label is out of range.

    Examples
    --------
    >>> data = Labelled("toy", np.arange(8.0).reshape(4, 2), np.array([0, 1, 1, 0]), ("even", "odd"))
    >>> len(data), data.take([1, 3]).labels.tolist()
    (4, [1, 0])
    """

    name: str
    inputs: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.labels):
            raise PolygeomError(
                f"inputs and labels must have the same length, got {len(self.inputs)} and {len(self.labels)}"
            )
        if len(self.labels) and not 0 <= self.labels.min() <= self.labels.max() < len(self.classes):
            raise PolygeomError(
                f"labels must lie in 0, …, {len(self.classes) - 1}, got {self.labels.min()} to {self.labels.max()}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray | list[int] | slice) -> Labelled:
        """The samples at ``indices``, in this order."""
        return replace(self, inputs=self.inputs[indices], labels=self.labels[indices])

    def rows(self) -> np.ndarray:
        """Each input as one row of numbers; float64, shape ``(N, D)``."""
        return self.inputs.reshape(len(self), -1).astype(np.float64)

    def one_hot(self) -> np.ndarray:
        """The classes as unit vectors; float64, shape ``(N, len(classes))``."""
        return one_hot(self.labels, len(self.classes))

    def two_classes(self) -> Labelled:
        """The first half of the classes against the second: CIFAR2, and its analogue for digits (arXiv 2106.06770).

        A label becomes 1 where the class was 0 to 4 (of ten), and 0 otherwise.
        """
        half = len(self.classes) // 2
        names = (f"{self.classes[half]} …", f"… {self.classes[half - 1]}")
        return replace(self, name=f"{self.name}2", labels=(self.labels < half).astype(self.labels.dtype), classes=names)


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """Classes as unit vectors.

    Parameters
    ----------
    labels:
        Shape ``(N,)``, integers in ``0, …, classes - 1``.
    classes:
        Their number.

    Returns
    -------
    float64, shape ``(N, classes)``.

    Examples
    --------
    >>> one_hot(np.array([2, 0]), 3).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise PolygeomError(f"labels must lie in 0, …, {classes - 1}, got {labels.min()} to {labels.max()}")
    rows: np.ndarray = np.eye(classes)[labels]
    return rows


def class_by_class(labels: np.ndarray, count: int) -> np.ndarray:
    """Indices of the first ``count`` samples of every class, class after class as they first appear.

    Parameters
    ----------
    labels:
        Shape ``(N,)``.
    count:
        Samples of each class.

    Raises
    ------
    PolygeomError
        When a class has fewer samples.

    Examples
    --------
    >>> class_by_class(np.array([3, 1, 1, 3, 3, 1]), 2).tolist()
    [0, 3, 1, 2]
    """
    found, first = np.unique(labels, return_index=True)
    groups = [np.flatnonzero(labels == label)[:count] for label in found[np.argsort(first)]]
    if short := [len(group) for group in groups if len(group) < count]:
        raise PolygeomError(f"count must be at most {min(short)}, the size of the smallest class, got {count}")
    return np.concatenate(groups)


def stratified_order(labels: np.ndarray, *, rng: int | np.random.Generator = 0) -> np.ndarray:
    """A random order in which every stretch has about as many samples of each class as the whole has.

    A stretch of ``m`` samples out of ``N`` has ``m n_c / N`` of a class with ``n_c`` samples, up to one or two; so
    consecutive stretches are disjoint stratified subsets.

    Parameters
    ----------
    labels:
        Shape ``(N,)``.
    rng:
        Seed or generator.

    Returns
    -------
    Indices, shape ``(N,)``.

    Examples
    --------
    >>> labels = np.array([0] * 6 + [1] * 3)
    >>> labels[stratified_order(labels)[:3]].tolist().count(0)
    2
    """
    generator = np.random.default_rng(rng)
    shuffled = generator.permutation(len(labels))
    due = np.empty(len(labels))
    for label in np.unique(labels):
        members = np.flatnonzero(labels[shuffled] == label)
        due[members] = (np.arange(len(members)) + 0.5) / len(members)
    order: np.ndarray = shuffled[np.argsort(due, kind="stable")]
    return order


def normalise(
    train: np.ndarray, *others: np.ndarray, centre: bool = True, unit_rows: bool = True
) -> tuple[np.ndarray, ...]:
    """Rows minus the mean training row, then divided by their lengths.

    Parameters
    ----------
    train:
        Shape ``(N, D)``.
    others:
        Further arrays of shape ``(N', D)``, treated with the mean of ``train``.
    centre:
        Whether to subtract the mean. Without it, features of non-negative pixels are nearly collinear.
    unit_rows:
        Whether to divide each row by its Euclidean length; a zero row stays zero.

    Returns
    -------
    All the arrays, in order; float64.

    Examples
    --------
    >>> normalise(np.array([[3.0, 4.0], [0.0, 2.0]]), centre=False)[0].tolist()
    [[0.6, 0.8], [0.0, 1.0]]
    """
    mean = train.mean(axis=0, dtype=np.float64) if centre else 0.0
    moved = [np.asarray(rows, dtype=np.float64) - mean for rows in (train, *others)]
    if not unit_rows:
        return tuple(moved)
    lengths = [np.linalg.norm(rows, axis=1, keepdims=True) for rows in moved]
    return tuple(rows / np.where(length > 0, length, 1.0) for rows, length in zip(moved, lengths, strict=True))


def corrupt(
    labels: np.ndarray, classes: int, share: float, *, rng: int | np.random.Generator = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which a share is replaced by uniformly random classes, the right one included.

    Each label has a number in [0, 1) and a replacement, drawn from ``rng`` alike for every ``share``, and is replaced
    when its number is below ``share``. With the same seed, what is replaced for a smaller share is replaced, by the
    same, for a larger one.

    Parameters
    ----------
    labels:
        Shape ``(N,)``, not changed.
    classes:
        Number of classes.
    share:
        Probability of replacement, 0 to 1.
    rng:
        Seed or generator.

    Returns
    -------
    The new labels, and which were replaced (booleans); both of shape ``(N,)``.

    Examples
    --------
    >>> labels = np.zeros(1000, dtype=int)
    >>> new, replaced = corrupt(labels, 10, 0.3)
    >>> bool(250 < replaced.sum() < 350), bool((new != labels).sum() < replaced.sum())
    (True, True)
    """
    if not 0 <= share <= 1:
        raise PolygeomError(f"share must be between 0 and 1, got {share}")
    generator = np.random.default_rng(rng)
    replaced = generator.random(len(labels)) < share
    other = generator.integers(0, classes, len(labels), dtype=labels.dtype)
    return np.where(replaced, other, labels), replaced
