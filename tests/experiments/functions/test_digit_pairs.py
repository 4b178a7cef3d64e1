"""Sums of digit pairs: disjoint images and pairs, the three rules, MNIST from a folder, and networks that learn."""

from __future__ import annotations

import gzip
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from experiments.configured import configured

from polygeom.datasets import digits
from polygeom.datasets.digit_pairs import digit_pairs
from polygeom.errors import PolygeomError
from polygeom.experiments.functions import digit_pairs as pairs_study
from polygeom.experiments.running import run


def test_images_and_unseen_pairs_are_disjoint_and_sums_are_right() -> None:
    data = digits()
    parts = digit_pairs(data, train=3000, test=400, unseen=10, rng=3)
    known = {image.tobytes(): label for image, label in zip(data.inputs / 16, data.labels, strict=True)}
    images: dict[str, set[bytes]] = {}
    for name, part in parts.items():
        both = part.inputs.reshape(-1, 8, 16)
        left, right = both[:, :, :8], both[:, :, 8:]
        values = np.array([[known[np.ascontiguousarray(image).tobytes()] for image in side] for side in (left, right)])
        assert np.array_equal(values.T, part.pairs)
        assert np.array_equal(values.sum(axis=0), part.sums[:, 0])
        images[name] = {np.ascontiguousarray(image).tobytes() for side in (left, right) for image in side}
    assert not images["train"] & (images["seen"] | images["unseen"])
    kinds = {name: set(map(tuple, part.pairs.tolist())) for name, part in parts.items()}
    assert len(kinds["train"]) == 90
    assert kinds["seen"] <= kinds["train"]
    assert len(kinds["unseen"]) == 10
    assert not kinds["unseen"] & kinds["train"]


def test_the_seed_decides() -> None:
    first, again, other = (digit_pairs(digits(), train=50, test=50, rng=seed) for seed in (1, 1, 2))
    assert np.array_equal(first["unseen"].inputs, again["unseen"].inputs)
    assert not np.array_equal(first["unseen"].pairs, other["unseen"].pairs)


def test_the_rules() -> None:
    found = pairs_study.accuracies(np.array([3.4, 5.6, 8.6, 11.4, -0.2]), np.array([3.0, 5.0, 10.0, 13.0, 0.0]))
    assert found == {"round": 40.0, "floor or ceil": 60.0, "leeway": 80.0}


def test_numbers_out_of_range_are_refused() -> None:
    with pytest.raises(PolygeomError, match="unseen must be from 1 to 99"):
        digit_pairs(digits(), unseen=100)
    with pytest.raises(PolygeomError, match="no image of the digit 0 is left"):
        digit_pairs(digits().take(list(np.nonzero(digits().labels)[0])))


def write_mnist(folder: Path, count: int) -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (count, 28, 28), dtype=np.uint8)
    labels = (np.arange(count) % 10).astype(np.uint8)
    for name, array, packed in (("images-idx3", images, True), ("labels-idx1", labels, False)):
        header = bytes((0, 0, 8, array.ndim)) + b"".join(size.to_bytes(4, "big") for size in array.shape)
        data = header + array.tobytes()
        if packed:
            (folder / f"train-{name}-ubyte.gz").write_bytes(gzip.compress(data))
        else:
            (folder / f"train-{name}-ubyte").write_bytes(data)


SMALL: dict[str, Any] = {"train": 64, "test": 32, "steps": 4, "width": 8, "degrees": (2,)}


def test_mnist_comes_from_a_folder(tmp_path: Path) -> None:
    write_mnist(tmp_path, 200)
    config = configured(pairs_study.STUDY, "mnist", data_root=str(tmp_path), **SMALL)
    rows = pairs_study.measure(replace(pairs_study.cases(config)[0], seed=0))
    assert len(rows) == 6
    with pytest.raises(PolygeomError, match="data_root must name the folder with the files of MNIST"):
        pairs_study.measure(replace(pairs_study.cases(configured(pairs_study.STUDY, "mnist"))[0], seed=0))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(b"nonsense")
    with pytest.raises(PolygeomError, match="must begin with the bytes"):
        pairs_study.measure(replace(pairs_study.cases(config)[0], seed=0))


@pytest.mark.parametrize("model", pairs_study.MODELS)
def test_every_model_can_be_chosen(model: str) -> None:
    config = configured(pairs_study.STUDY, "quick", models=(model,), batch_norm=True, **SMALL)
    rows = [row for case in pairs_study.cases(config) for row in pairs_study.measure(replace(case, seed=0))]
    assert [(row["pairs"], row["rule"]) for row in rows] == [
        (pairs, rule) for pairs in ("seen", "unseen") for rule in pairs_study.RULES
    ]
    assert all(0 <= row["accuracy"] <= 100 for row in rows)


@pytest.mark.thorough
@pytest.mark.usefixtures("here")
def test_figure_and_summary() -> None:
    import matplotlib.pyplot as plt

    table = run(
        pairs_study.STUDY, config=configured(pairs_study.STUDY, "quick", models=("mlp", "ccp"), **SMALL), repeats=2
    ).table
    text = pairs_study.summarise(table)
    assert "mlp, unseen pairs: " in text
    assert "ccp degree 2, seen pairs: " in text
    figure = pairs_study.plot(table)
    assert [len(ax.patches) for ax in figure.axes] == [6, 6]
    plt.close(figure)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_networks_add_digits_of_pairs_they_have_not_seen(seed: int) -> None:
    for case in pairs_study.cases(pairs_study.PRESETS["quick"]):
        rows = pairs_study.measure(replace(case, seed=seed))
        (leeway,) = (row for row in rows if (row["pairs"], row["rule"]) == ("unseen", "leeway"))
        print(seed, case.model, case.degree, [round(row["accuracy"], 1) for row in rows])
        assert leeway["accuracy"] > 55 > leeway["constant"]


@pytest.mark.slow
@pytest.mark.skipif("POLYGEOM_DATA" not in os.environ, reason="needs a folder with mnist in POLYGEOM_DATA")
def test_networks_add_real_mnist_digits() -> None:
    root = str(Path(os.environ["POLYGEOM_DATA"]) / "mnist")
    config = configured(pairs_study.STUDY, "mnist", data_root=root, split="test", models=("mlp",), steps=1000)
    rows = pairs_study.measure(replace(pairs_study.cases(config)[0], seed=0))
    (leeway,) = (row for row in rows if (row["pairs"], row["rule"]) == ("unseen", "leeway"))
    assert leeway["accuracy"] > 45 > leeway["constant"]
