from __future__ import annotations

import numpy as np
import pytest

from polygeom.errors import PolygeomError
from polygeom.learning.regions.pairs import (
    class_pairs,
    end_pairs,
    patch_pairs,
    quadrant_pairs,
    random_pairs,
    window_pairs,
)


def test_patches_of_nine_pixels_give_all_36_pairs_with_centres_in_4_to_59() -> None:
    pairs = patch_pairs(64, 64, patches=2000).reshape(2000, 36, 2)
    rows, columns = pairs // 64, pairs % 64
    assert {len(np.unique(np.sort(patch, axis=1), axis=0)) for patch in pairs} == {36}
    assert (np.ptp(rows.reshape(2000, -1), axis=1) == 2).all()
    assert (np.ptp(columns.reshape(2000, -1), axis=1) == 2).all()
    centres = rows.reshape(2000, -1).min(axis=1) + 1
    assert (centres.min(), centres.max()) == (4, 59)


def test_random_pairs_of_large_patches_stay_within_them() -> None:
    pairs = patch_pairs(512, 512, patches=50, size=50, pairs=500)
    assert pairs.shape == (25_000, 2)
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert (np.abs(pairs[:, 0] // 512 - pairs[:, 1] // 512) < 50).all()
    assert (np.abs(pairs[:, 0] % 512 - pairs[:, 1] % 512) < 50).all()


def test_global_pairs_lie_in_opposite_corners_of_either_diagonal() -> None:
    first, second = quadrant_pairs(64, 64, 5000).T
    y1, x1, y2, x2 = first // 64, first % 64, second // 64, second % 64
    assert (y1.min(), y1.max(), y2.min(), y2.max()) == (0, 24, 35, 62)
    down = x1 <= 24
    assert 0.45 < down.mean() < 0.55
    assert (x2[down] >= 35).all()
    assert (x1[~down] >= 35).all()
    assert (x2[~down] <= 24).all()
    assert max(x1.max(), x2.max()) == 62


def test_pairs_of_a_signal() -> None:
    local = window_pairs(2048, windows=100, size=50, pairs=25)
    gaps = np.abs(np.diff(local, axis=1))
    assert local.shape == (2500, 2)
    assert gaps.min() >= 1
    assert gaps.max() <= 49
    assert local.min() >= 0
    assert local.max() <= 2047
    first, second = end_pairs(2048, 20_000).T
    assert (first.min(), first.max(), second.min(), second.max()) == (0, 799, 1200, 2047)


def test_random_pairs_differ_and_are_uniform() -> None:
    pairs = random_pairs(3, 30_000)
    counts = np.bincount(pairs[:, 0] * 3 + pairs[:, 1], minlength=9).reshape(3, 3)
    assert (np.diag(counts) == 0).all()
    assert np.abs(counts[~np.eye(3, dtype=bool)] / 5000 - 1).max() < 0.1


@pytest.mark.parametrize("far", [False, True])
def test_class_pairs_are_those_of_a_plain_search(far: bool, rng: np.random.Generator) -> None:
    x, labels = rng.normal(size=(60, 3)), rng.integers(0, 3, 60)
    pairs = class_pairs(x, labels, anchors=60, neighbours=4, far=far).reshape(60, 4, 2)
    for i in range(60):
        others = [j for j in range(60) if j != i and (far or labels[j] != labels[i])]
        others.sort(key=lambda j: np.linalg.norm(x[i] - x[j]), reverse=far)
        assert pairs[i, :, 0].tolist() == [i] * 4
        assert pairs[i, :, 1].tolist() == others[:4]


def test_class_pairs_agree_with_scikit_learn(rng: np.random.Generator) -> None:
    neighbors = pytest.importorskip("sklearn.neighbors")
    x, labels = rng.normal(size=(80, 5)), np.arange(80) % 2
    found = class_pairs(x, labels, anchors=80, neighbours=3).reshape(80, 3, 2)[:, :, 1]
    search = neighbors.NearestNeighbors(n_neighbors=3).fit(x[labels == 1])
    assert (found[labels == 0] == np.flatnonzero(labels == 1)[search.kneighbors(x[labels == 0])[1]]).all()


def test_the_same_seed_gives_the_same_pairs() -> None:
    assert (patch_pairs(64, 64, rng=3) == patch_pairs(64, 64, rng=3)).all()
    assert (patch_pairs(64, 64, rng=3) != patch_pairs(64, 64, rng=4)).any()


def test_impossible_pairs_are_refused() -> None:
    with pytest.raises(PolygeomError, match="size must be between 2 and 8"):
        patch_pairs(8, 9, size=9)
    with pytest.raises(PolygeomError, match="size must be between 2 and 5"):
        window_pairs(5, size=1)
    with pytest.raises(PolygeomError, match="at least 2"):
        random_pairs(1)
    with pytest.raises(PolygeomError, match="neighbours must be between 1 and 1"):
        class_pairs(np.zeros((3, 1)), np.array([0, 0, 1]), neighbours=2)
