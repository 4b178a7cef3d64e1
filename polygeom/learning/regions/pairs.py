"""Pairs of inputs to compare: close together, far apart, of different classes. All are positions ``(P, 2)``.

Pixels are numbered row by row, ``y · width + x``. Both ends of a pair always differ.
"""

from __future__ import annotations

import numpy as np

from polygeom.errors import PolygeomError

Rng = int | np.random.Generator


def patch_pairs(
    height: int, width: int, *, patches: int = 100, size: int = 3, pairs: int | None = None, rng: Rng = 0
) -> np.ndarray:
    """Pairs of pixels within random square patches: *local* pairs.

    Parameters
    ----------
    height, width:
        Of the image.
    patches, size:
        How many patches, of ``size × size`` pixels, anywhere in the image but for a margin of 1/16 of its sides.
    pairs:
        How many random pairs of each patch; all ``s (s - 1) / 2`` pairs of its ``s = size²`` pixels if None.
    rng:
        Seed or generator.

    References
    ----------
    Lazzari, Liu, arXiv 2301.05816: 100 patches of 3 × 3 pixels in images of 64 × 64, all 36 pairs; 500 pairs in patches
    of 50 × 50 pixels in images of 512 × 512.

    Examples
    --------
    >>> patch_pairs(64, 64).shape
    (3600, 2)
    """
    generator = np.random.default_rng(rng)
    if not 2 <= size <= min(height, width):
        raise PolygeomError(f"size must be between 2 and {min(height, width)}, got {size}; write size=3")
    top, left = (generator.integers(*_corners(length, size), size=(patches, 1)) for length in (height, width))
    first, second = _within(size * size, patches, pairs, generator)
    return np.stack([((top + k // size) * width + left + k % size).ravel() for k in (first, second)], axis=1)


def window_pairs(length: int, *, windows: int = 100, size: int = 50, pairs: int = 25, rng: Rng = 0) -> np.ndarray:
    """Random pairs of samples within random windows of a one-dimensional signal: *local* pairs.

    Parameters
    ----------
    length:
        Number of samples of the signal.
    windows, size, pairs:
        How many windows, of how many samples, with how many random pairs each.
    rng:
        Seed or generator.

    Examples
    --------
    >>> bool(abs(np.diff(window_pairs(2048))).max() < 50)
    True
    """
    generator = np.random.default_rng(rng)
    if not 2 <= size <= length:
        raise PolygeomError(f"size must be between 2 and {length}, got {size}; write size={min(50, length)}")
    start = generator.integers(0, length - size + 1, size=(windows, 1))
    first, second = _within(size, windows, pairs, generator)
    return np.stack([(start + first).ravel(), (start + second).ravel()], axis=1)


def quadrant_pairs(height: int, width: int, pairs: int = 10_000, *, rng: Rng = 0) -> np.ndarray:
    """Pairs of pixels from opposite corners of an image: *global* pairs.

    A corner is a block of 25/64 of either side that begins at the edge, or, opposite to it, at 35/64; either diagonal
    is taken with probability 1/2.

    Examples
    --------
    >>> first, second = quadrant_pairs(64, 64, 1000).T
    >>> bool((abs(first // 64 - second // 64) >= 11).all())
    True
    """
    generator = np.random.default_rng(rng)
    swap = generator.random(pairs) < 0.5
    ends = []
    for length, low in ((height, None), (width, swap)):
        near = generator.integers(0, max(1, length * 25 // 64), size=pairs)
        far = generator.integers(length * 35 // 64, max(length * 63 // 64, length * 35 // 64 + 1), size=pairs)
        ends.append((near, far) if low is None else (np.where(low, far, near), np.where(low, near, far)))
    (y1, y2), (x1, x2) = ends
    return np.stack([y1 * width + x1, y2 * width + x2], axis=1)


def end_pairs(length: int, pairs: int = 10_000, *, rng: Rng = 0) -> np.ndarray:
    """Pairs of samples from the two ends of a one-dimensional signal: *global* pairs.

    The first lies in the first 800/2048 of the signal, the second after 1200/2048.

    Examples
    --------
    >>> end_pairs(2048, 5).shape
    (5, 2)
    """
    generator = np.random.default_rng(rng)
    first = generator.integers(0, max(1, length * 800 // 2048), size=pairs)
    return np.stack([first, generator.integers(length * 1200 // 2048, length, size=pairs)], axis=1)


def random_pairs(inputs: int, pairs: int = 50_000, *, rng: Rng = 0) -> np.ndarray:
    """Uniformly random pairs of different inputs.

    Examples
    --------
    >>> random_pairs(2, 3, rng=1).sum(axis=1)
    array([1, 1, 1])
    """
    if inputs < 2:
        raise PolygeomError(f"inputs must be at least 2, got {inputs}; write more inputs")
    generator = np.random.default_rng(rng)
    first = generator.integers(0, inputs, size=pairs)
    return np.stack([first, (first + generator.integers(1, inputs, size=pairs)) % inputs], axis=1)


def class_pairs(
    x: np.ndarray, labels: np.ndarray, *, anchors: int = 2500, neighbours: int = 25, far: bool = False, rng: Rng = 0
) -> np.ndarray:
    """Pairs of an input and its nearest inputs of another class, or its furthest ones of any class.

    Parameters
    ----------
    x:
        Inputs ``(N, D)``; distances are Euclidean.
    labels:
        Classes ``(N,)``.
    anchors:
        How many inputs, drawn at random without repetition; all when there are fewer.
    neighbours:
        How many partners for each.
    far:
        False: the nearest of another class. True: the furthest, as published, whatever their class.
    rng:
        Seed or generator.

    References
    ----------
    Lazzari, Liu, arXiv 2301.05816.

    Examples
    --------
    >>> x = np.array([[0.0], [1.0], [2.0]])
    >>> class_pairs(x, np.array([0, 0, 1]), neighbours=1, anchors=3)[:, 1]
    array([2, 2, 1])
    """
    generator = np.random.default_rng(rng)
    flat = np.asarray(x, dtype=np.float64).reshape(len(x), -1)
    labels = np.asarray(labels)
    partners = len(x) - 1 if far else len(x) - int(np.bincount(np.unique(labels, return_inverse=True)[1]).max())
    if not 1 <= neighbours <= partners:
        raise PolygeomError(f"neighbours must be between 1 and {partners}, got {neighbours}; write neighbours=1")
    chosen = np.sort(generator.choice(len(x), size=min(anchors, len(x)), replace=False))
    squares = np.square(flat).sum(axis=1)
    found = []
    for part in np.array_split(chosen, max(1, len(chosen) * len(flat) // 10**7)):
        distances = squares[None] - 2 * flat[part] @ flat.T + squares[part, None]
        if far:
            distances = -distances
            distances[np.arange(len(part)), part] = np.inf
        else:
            distances[labels[part, None] == labels[None]] = np.inf
        found.append(np.argsort(distances, axis=1, kind="stable")[:, :neighbours])
    return np.stack([np.repeat(chosen, neighbours), np.concatenate(found).ravel()], axis=1)


def _corners(length: int, size: int) -> tuple[int, int]:
    """Range of the first row of a patch: the centre of a 3 × 3 patch lies in rows 4 to 59 of 64."""
    margin = min(length // 16 - size // 2, (length - size) // 2) if length // 16 > size // 2 else 0
    return margin, max(length - margin - size, margin) + 1


def _within(
    points: int, groups: int, pairs: int | None, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Positions within a group of points, all pairs or random ones: two arrays ``(groups or 1, pairs)``."""
    if pairs is None:
        first, second = np.triu_indices(points, 1)
        return np.tile(first, (groups, 1)), np.tile(second, (groups, 1))
    first = generator.integers(0, points, size=(groups, pairs))
    return first, (first + generator.integers(1, points, size=(groups, pairs))) % points
