"""Pairs of images of digits side by side, to be added: some pairs of digits are kept for the test."""

from __future__ import annotations

import itertools

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.datasets.labelled import Labelled
from polygeom.errors import PolygeomError


@dataclass(frozen=True, eq=False)
class DigitPairs:
    """Samples of sums of two digits.

    Parameters
    ----------
    inputs:
        Shape ``(N, 2 · pixels)``: the two images flattened, each pixel row of the left one followed by that of the
        right one, scaled to ``[0, 1]``.
    sums:
        Shape ``(N, 1)``, 0 to 18.
    pairs:
        Shape ``(N, 2)``: the digits.
    """

    inputs: np.ndarray
    sums: np.ndarray
    pairs: np.ndarray


def digit_pairs(
    data: Labelled,
    *,
    train: int = 20_000,
    test: int = 2_000,
    unseen: int = 10,
    test_share: float = 0.3,
    rng: int | np.random.Generator = 0,
) -> dict[str, DigitPairs]:
    """Training pairs, test pairs of digits that occur in training, and test pairs that do not.

    Images are divided first: no image of a test pair, seen or unseen, occurs in training.

    Parameters
    ----------
    data:
        Images ``(N, side, side)`` of digits with labels 0 to 9, such as `polygeom.datasets.digits`.
    train, test:
        Samples for training, and of each of the two tests.
    unseen:
        How many of the 100 ordered pairs of digits are kept for the test.
    test_share:
        Share of the images that are kept for the tests.
    rng:
        Seed of everything.

    Returns
    -------
    Entries ``"train"``, ``"seen"`` and ``"unseen"``.

    Raises
    ------
    PolygeomError
        When a digit has no image on one side, or numbers are out of range.

    References
    ----------
    Bloice, Roth, Holzinger, arXiv 2002.01283 (the task); Wu et al., arXiv 2209.07736.
    """
    if not 1 <= unseen <= 99 or train < 1 or test < 1 or not 0 < test_share < 1:
        raise PolygeomError(
            f"unseen must be from 1 to 99, train and test positive, test_share between 0 and 1; got {unseen}, {train}, "
            f"{test}, {test_share}"
        )
    generator = np.random.default_rng(rng)
    order = generator.permutation(len(data.labels))
    cut = round(test_share * len(order))
    pairs = np.array(list(itertools.product(range(10), repeat=2)))[generator.permutation(100)]
    images = data.inputs.astype(np.float64) / max(float(data.inputs.max()), 1.0)
    plan = {"train": (order[cut:], pairs[unseen:], train), "seen": (order[:cut], pairs[unseen:], test),
            "unseen": (order[:cut], pairs[:unseen], test)}  # fmt: skip
    return {
        name: _draw(images, data.labels, pool, allowed, count, generator)
        for name, (pool, allowed, count) in plan.items()
    }


def _draw(
    images: np.ndarray,
    labels: np.ndarray,
    pool: np.ndarray,
    allowed: np.ndarray,
    count: int,
    generator: np.random.Generator,
) -> DigitPairs:
    by_digit = [pool[labels[pool] == digit] for digit in range(10)]
    if empty := [digit for digit in range(10) if not len(by_digit[digit])]:
        raise PolygeomError(f"no image of the digit {empty[0]} is left in a part of the data; take more images")
    pairs = allowed[generator.integers(len(allowed), size=count)]
    chosen = [
        np.array([by_digit[digit][int(u * len(by_digit[digit]))] for digit, u in zip(column, at, strict=True)])
        for column, at in zip(pairs.T, generator.random((2, count)), strict=True)
    ]
    both = np.concatenate([images[index] for index in chosen], axis=2)
    return DigitPairs(both.reshape(count, -1), pairs.sum(axis=1, keepdims=True).astype(np.float64), pairs)
