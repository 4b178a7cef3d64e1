from __future__ import annotations

import numpy as np
import pytest

from polygeom.datasets import vaec
from polygeom.errors import PolygeomError

REGIONS = [(regime, region) for regime in vaec.REGIMES for region in range(vaec.REGIONS)]


def test_the_levels_of_the_features() -> None:
    values = vaec.feature_values()
    assert values.shape == (42, 4)
    assert values[:, 0].tolist() == values[:, 1].tolist() == list(range(43, 85))
    assert values[:, 2].tolist() == list(range(3, 86, 2))
    assert (values[0, 3], values[-1, 3]) == (102, 255)
    assert np.abs(values[:, 3] - (102 + 153 * np.arange(42) / 41)).max() < 1


def test_the_regions_of_both_regimes() -> None:
    moved = np.concatenate([vaec.region_levels("translation", region) for region in range(6)])
    assert moved.tolist() == list(range(42))
    assert [vaec.region_levels("scale", region).tolist() for region in (0, 5)] == [
        [0, 1, 2, 3, 4, 5, 6],
        [0, 6, 12, 18, 24, 30, 36],
    ]


def test_there_are_140_analogies_and_each_is_one() -> None:
    found = vaec.one_dimensional_analogies()
    a, b, c, d = found.T
    assert len(found) == len({tuple(row) for row in found.tolist()}) == 140
    assert (b - a == d - c).all()
    assert (a != b).all()
    assert (a != c).all()
    counted = [(p, q, r, s) for p, q, r, s in np.ndindex(7, 7, 7, 7) if q - p == s - r and p != q and p != r]
    assert sorted(map(tuple, found.tolist())) == counted


@pytest.mark.parametrize(("regime", "region"), REGIONS)
def test_the_problems_of_a_region(regime: str, region: int) -> None:
    problems = vaec.analogies(regime, region, rng=3)
    assert len(problems) == 19_040
    assert np.bincount(problems.feature).tolist() == [140 * 34] * 4
    rows = np.arange(len(problems))
    levels = np.arange(7)
    for varying in range(4):
        chosen = problems.objects[problems.feature == varying]
        assert (chosen[:, :, varying] == levels).all()
        fixed = np.delete(chosen, varying, axis=2)
        assert (fixed == fixed[:, :1]).all()
        case = np.concatenate([problems.terms[problems.feature == varying], fixed[:, 0]], axis=1)
        assert len(np.unique(case, axis=0)) == 140 * 34
        assert set(np.unique(problems.terms[problems.feature == varying], axis=0, return_counts=True)[1]) == {34}
    assert (problems.candidates[:, 0] == problems.terms[:, 3]).all()
    assert (np.sort(problems.candidates, axis=1) == levels).all()
    values = problems.values(rows[:50])
    table = vaec.feature_values()[vaec.region_levels(regime, region)]
    assert values[7, 2].tolist() == [table[problems.objects[7, 2, k], k] for k in range(4)]


def test_one_seed_gives_one_set_of_problems_and_another_another() -> None:
    first, again, other = (vaec.analogies("scale", 2, rng=seed) for seed in (1, 1, 2))
    assert first.objects.tobytes() == again.objects.tobytes()
    assert first.terms.tobytes() == again.terms.tobytes()
    assert first.objects.tobytes() != other.objects.tobytes()
    assert first.objects.tobytes() == vaec.analogies("translation", 5, rng=1).objects.tobytes()


def test_images_equal_those_of_pillow_pixel_by_pixel(rng: np.random.Generator) -> None:
    image, draw = pytest.importorskip("PIL.Image"), pytest.importorskip("PIL.ImageDraw")
    table = vaec.feature_values()
    objects = np.stack([table[rng.integers(0, 42, 1000), k] for k in range(4)], axis=1)
    objects[:2] = table[0], table[-1]
    objects[2:4] = [43, 43, 85, 255], [84, 84, 85, 102]
    for x, y, size, brightness in objects.tolist():
        canvas = image.new("RGB", (128, 128), color=(128, 128, 128))
        corners = [(x - size / 2, y - size / 2), (x + size / 2, y + size / 2)]
        draw.Draw(canvas).rectangle(corners, fill=(0, brightness, 0))
        ours = vaec.render(np.array([x, y, size, brightness]))
        assert (np.moveaxis(ours, 0, -1) == np.asarray(canvas)).all(), (x, y, size, brightness)


@pytest.mark.parametrize("resolution", [16, 32, 64])
def test_a_smaller_image_is_the_mean_of_blocks(resolution: int, rng: np.random.Generator) -> None:
    objects = vaec.region_objects("scale", 5)[rng.integers(0, 7**4, 40)]
    block = 128 // resolution
    full = vaec.render(objects).reshape(40, 3, resolution, block, resolution, block)
    np.testing.assert_allclose(vaec.render(objects, resolution), full.mean(axis=(3, 5)), rtol=0, atol=1e-4)


def test_an_odd_resolution_keeps_the_mean_colour() -> None:
    objects = vaec.region_objects("translation", 3)[::500]
    np.testing.assert_allclose(
        vaec.render(objects, 37).mean(axis=(2, 3)), vaec.render(objects).mean(axis=(2, 3)), rtol=1e-5
    )


def test_images_of_problems_are_those_of_their_objects() -> None:
    problems = vaec.analogies("scale", 4)
    images = problems.images(np.array([5, 9]), 32)
    assert images.shape == (2, 7, 3, 32, 32)
    assert images.dtype == np.float32
    table = vaec.render(vaec.region_objects("scale", 4), 32)
    assert (images == table[problems.numbers[[5, 9]]]).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: vaec.region_levels("shift", 0), "regime must be one of translation, scale, got 'shift'"),
        (lambda: vaec.analogies("scale", 6), "region must be an integer from 0 to 5, got 6"),
        (lambda: vaec.render(np.zeros(4), 0), "resolution must be an integer of at least 1, got 0"),
        (lambda: vaec.render(np.zeros((2, 3)), 8), r"values must have shape \(..., 4\)"),
    ],
)
def test_wrong_arguments_are_named(call, message: str) -> None:
    with pytest.raises(PolygeomError, match=message):
        call()


def test_every_analogy_has_contexts_of_its_own() -> None:
    """Of the 343 contexts each of the 560 analogies has its own 34."""
    problems = vaec.analogies("scale", 3, rng=1)
    seen = set()
    for varying in range(4):
        rows = problems.feature == varying
        fixed = np.delete(problems.objects[rows][:, 0], varying, axis=1)
        for terms in np.unique(problems.terms[rows], axis=0):
            own = fixed[(problems.terms[rows] == terms).all(axis=1)]
            seen.add((varying, frozenset(map(tuple, own.tolist()))))
    assert len(seen) == 560
