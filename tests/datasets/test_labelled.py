from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from polygeom import datasets
from polygeom.datasets import cifar10, digits, normalise, one_hot, train_and_test
from polygeom.datasets.labelled import Labelled, class_by_class, corrupt, stratified_order
from polygeom.errors import PolygeomError


def toy(rng: np.random.Generator, count: int = 200) -> Labelled:
    labels = rng.choice(4, size=count, p=[0.5, 0.25, 0.15, 0.1])
    return Labelled("toy", rng.integers(0, 17, (count, 2, 3)), labels, ("a", "b", "c", "d"))


def test_every_name_is_there() -> None:
    assert all(hasattr(datasets, name) for name in datasets.__all__)
    with pytest.raises(AttributeError, match="it offers"):
        _ = datasets.imagenet


def test_lengths_and_ranges_are_checked() -> None:
    with pytest.raises(PolygeomError, match="same length, got 2 and 3"):
        Labelled("x", np.zeros((2, 1)), np.zeros(3, dtype=int), ("a",))
    with pytest.raises(PolygeomError, match=r"labels must lie in 0, …, 0"):
        Labelled("x", np.zeros((1, 1)), np.ones(1, dtype=int), ("a",))
    with pytest.raises(PolygeomError, match="labels must lie"):
        one_hot(np.array([0, -1]), 2)


def test_one_hot_inverts_argmax(rng) -> None:
    data = toy(rng)
    rows = data.one_hot()
    assert rows.dtype == np.float64
    np.testing.assert_array_equal(rows.argmax(axis=1), data.labels)
    np.testing.assert_array_equal(rows.sum(axis=1), 1)
    assert set(np.unique(rows)) == {0.0, 1.0}


def test_a_stratified_order_is_a_permutation_with_fair_stretches(rng) -> None:
    data = toy(rng, 1000)
    order = stratified_order(data.labels, rng=3)
    np.testing.assert_array_equal(np.sort(order), np.arange(1000))
    share = np.bincount(data.labels) / 1000
    for start, stop in [(0, 50), (0, 333), (50, 250), (700, 1000)]:
        counts = np.bincount(data.labels[order[start:stop]], minlength=4)
        assert abs(counts - (stop - start) * share).max() <= 2
    assert not np.array_equal(order, stratified_order(data.labels, rng=4))
    np.testing.assert_array_equal(order, stratified_order(data.labels, rng=3))


def test_the_order_within_a_class_is_random(rng) -> None:
    order = stratified_order(np.zeros(500, dtype=int), rng=1)
    assert abs(np.corrcoef(order, np.arange(500))[0, 1]) < 0.2


def test_normalise_against_scikit_learn(rng) -> None:
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    train, test = rng.standard_normal((40, 5)) + 3, rng.standard_normal((20, 5)) + 3
    ours = normalise(train, test)
    mean = train.mean(axis=0)
    for rows, given in zip(ours, (train, test), strict=True):
        np.testing.assert_allclose(rows, preprocessing.normalize(given - mean), atol=1e-14)
    (plain,) = normalise(train, centre=False)
    np.testing.assert_allclose(plain, preprocessing.normalize(train), atol=1e-14)
    (centred,) = normalise(train, unit_rows=False)
    np.testing.assert_allclose(centred.mean(axis=0), 0, atol=1e-14)
    np.testing.assert_allclose(centred.std(axis=0), train.std(axis=0), atol=1e-14)


def test_a_zero_row_stays_zero_and_bytes_do_not_wrap_around() -> None:
    (rows,) = normalise(np.array([[200, 100], [0, 100]], dtype=np.uint8), unit_rows=False)
    np.testing.assert_array_equal(rows, [[100, 0], [-100, 0]])
    (rows,) = normalise(np.array([[0.0, 0.0], [0.0, 2.0]]), centre=False)
    np.testing.assert_array_equal(rows, [[0, 0], [0, 1]])


def test_the_first_of_each_class_as_a_loop_would_collect_them(rng) -> None:
    data = toy(rng)
    collected: dict[int, list[int]] = {}
    for i, label in enumerate(data.labels.tolist()):
        group = collected.setdefault(label, [])
        if len(group) < 7:
            group.append(i)
    expected = [i for group in collected.values() for i in group]
    np.testing.assert_array_equal(class_by_class(data.labels, 7), expected)
    with pytest.raises(PolygeomError, match="count must be at most"):
        class_by_class(data.labels, 150)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_corrupted_labels_are_uniform_and_nested(share, rng) -> None:
    labels = rng.integers(0, 5, 20_000)
    before = labels.copy()
    new, replaced = corrupt(labels, 5, share, rng=3)
    np.testing.assert_array_equal(labels, before)
    assert replaced.mean() == pytest.approx(share, abs=0.015)
    np.testing.assert_array_equal(new[~replaced], labels[~replaced])
    assert (new != labels).mean() == pytest.approx(0.8 * share, abs=0.015)
    if share:
        assert np.bincount(new[replaced]) / replaced.sum() == pytest.approx(np.full(5, 0.2), abs=0.02)
    more, superset = corrupt(labels, 5, min(1.0, share + 0.2), rng=3)
    assert (superset | ~replaced).all()
    np.testing.assert_array_equal(more[replaced], new[replaced])
    assert not np.array_equal(corrupt(labels, 5, 0.3, rng=4)[0], corrupt(labels, 5, 0.3, rng=3)[0])


def test_the_first_of_each_class_and_then_the_others() -> None:
    pytest.importorskip("sklearn")
    whole = digits()
    train, test = train_and_test("digits", 100, 797, first=True)
    np.testing.assert_array_equal(train.inputs, whole.inputs[class_by_class(whole.labels, 10)])
    assert np.bincount(train.labels).tolist() == [10] * 10
    assert not {row.tobytes() for row in train.inputs} & {row.tobytes() for row in test.inputs}
    np.testing.assert_array_equal(test.labels, np.delete(whole.labels, class_by_class(whole.labels, 10))[:797])
    with pytest.raises(PolygeomError, match="train must be a multiple of 10 classes"):
        train_and_test("digits", 101, 10, first=True)
    with pytest.raises(PolygeomError, match="share must be between 0 and 1"):
        corrupt(whole.labels, 10, 1.5)


def test_two_classes_are_the_lower_and_the_upper_half(rng) -> None:
    data = toy(rng)
    two = data.two_classes()
    np.testing.assert_array_equal(two.labels == 1, data.labels <= 1)
    assert len(two.classes) == 2
    assert two.name == "toy2"


def test_digits() -> None:
    pytest.importorskip("sklearn")
    data = digits()
    assert data.inputs.shape == (1797, 8, 8)
    assert np.bincount(data.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert data.inputs.max() == 16
    np.testing.assert_array_equal(data.two_classes().labels == 1, data.labels <= 4)


def test_subsets_of_digits_are_disjoint_stratified_and_reproducible() -> None:
    pytest.importorskip("sklearn")
    train, test = train_and_test("digits", 300, 500, rng=5)
    assert (len(train), len(test)) == (300, 500)
    assert np.bincount(train.labels).min() >= 28
    assert np.bincount(test.labels).min() >= 47
    assert not {row.tobytes() for row in train.inputs} & {row.tobytes() for row in test.inputs}
    again, _ = train_and_test("digits", 300, 500, rng=5)
    other, _ = train_and_test("digits", 300, 500, rng=6)
    np.testing.assert_array_equal(train.inputs, again.inputs)
    assert not np.array_equal(train.inputs, other.inputs)
    with pytest.raises(
        PolygeomError, match=r"1797 samples to take from, 1000 \+ 1000 are wanted; write at most 1797 for"
    ):
        train_and_test("digits", 1000, 1000)


def test_subsets_by_name_refuse_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PolygeomError, match="name must be one of digits, mnist, cifar10"):
        train_and_test("imagenet", 1, 1)
    with pytest.raises(PolygeomError, match="data_root must name the folder"):
        train_and_test("mnist", 1, 1)
    with pytest.raises(PolygeomError, match="train and test must be at least 1"):
        train_and_test("digits", 0, 1)


def cifar_folder(folder: Path, rng: np.random.Generator) -> Path:
    for name in ("data_batch_1.bin", "test_batch.bin"):
        labels = np.arange(100, dtype=np.uint8)[:, None] % 10
        (folder / name).write_bytes(np.hstack([labels, rng.integers(0, 256, (100, 3072), dtype=np.uint8)]).tobytes())
    return folder


def test_subsets_from_the_official_splits_or_from_one_of_them(tmp_path: Path, rng) -> None:
    folder = cifar_folder(tmp_path, rng)
    stored = {split: {row.tobytes() for row in cifar10(folder, split, limit=100).inputs} for split in ("train", "test")}
    with pytest.raises(PolygeomError, match=r"data_batch_2\.bin is missing"):
        train_and_test("cifar10", 50, 40, data_root=folder)
    train, test = train_and_test("cifar10", 50, 40, data_root=folder, train_from="test")
    assert (len(train), len(test)) == (50, 40)
    chosen = {row.tobytes() for row in train.inputs}, {row.tobytes() for row in test.inputs}
    assert chosen[0] | chosen[1] <= stored["test"]
    assert not chosen[0] & chosen[1]
    with pytest.raises(PolygeomError, match='split must be "train" or "test"'):
        train_and_test("cifar10", 50, 40, data_root=folder, train_from="middle")


def test_real_mnist_subsets() -> None:
    root = os.environ.get("POLYGEOM_DATA")
    if not root or not (Path(root) / "mnist").is_dir():
        pytest.skip("needs a folder mnist below $POLYGEOM_DATA")
    train, test = train_and_test("mnist", 1000, 2000, data_root=Path(root) / "mnist", train_from="test")
    assert np.bincount(train.labels).min() >= 88
    assert np.bincount(test.labels).max() <= 229
