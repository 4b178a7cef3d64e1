from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")
plt = pytest.importorskip("matplotlib.pyplot")

from experiments.configured import configured  # noqa: E402

from polygeom.experiments.functions import label_noise  # noqa: E402

SMALL = {"train": 150, "test": 300, "noise": (0.0, 0.3, 0.6), "epochs": 40}


def measured(preset: str = "quick", seed: int = 0, **changes: object) -> pd.DataFrame:
    config = configured(label_noise.STUDY, preset, **changes)
    cases = [dataclasses.replace(case, seed=seed) for case in label_noise.cases(config)]
    return pd.DataFrame([row for case in cases for row in label_noise.measure(case)])


def test_nested_choices_grow_and_do_not_depend_on_the_other_shares() -> None:
    labels = np.arange(2000) % 10
    whole = label_noise.noisy_labels(labels, 10, [0.1, 0.4, 0.8], "nested", 3)
    for (_, less), (_, more) in itertools.pairwise(whole):
        assert (more | ~less).all()
    ((alone, _),) = label_noise.noisy_labels(labels, 10, [0.4], "nested", 3)
    np.testing.assert_array_equal(alone, whole[1][0])
    np.testing.assert_array_equal(labels, np.arange(2000) % 10)


def test_independent_choices_are_neither_nested_nor_alike() -> None:
    labels = np.arange(2000) % 10
    (_, less), (_, more) = label_noise.noisy_labels(labels, 10, [0.4, 0.5], "independent", 3)
    assert (less & more).sum() / less.sum() == pytest.approx(0.5, abs=0.06)


def test_cumulative_choices_leave_the_product_of_what_each_leaves() -> None:
    labels = np.arange(20_000) % 10
    shares = [0.1, 0.3, 0.5]
    drawn = label_noise.noisy_labels(labels, 10, shares, "cumulative", 3)
    kept = np.cumprod([1 - share for share in shares])
    assert [1 - replaced.mean() for _, replaced in drawn] == pytest.approx(kept, abs=0.02)
    assert (drawn[2][0] == labels).mean() == pytest.approx(kept[2] + 0.1 * (1 - kept[2]), abs=0.02)


@pytest.mark.parametrize("kernel", label_noise.KERNELS)
def test_every_kernel_fits_every_label(kernel) -> None:
    table = measured(**SMALL, kernels=(kernel,), solvers=("exact",))
    assert (table["train_error"] == 0).all()
    assert table["train_mse"].max() < 1e-12
    assert (np.diff(table["test_error"]) > 0).all()
    assert table["best"].tolist() == pytest.approx([0, 0.27, 0.54])
    expected = (1 - table["noise"]) * table["test_error"] + table["best"]
    np.testing.assert_allclose(table["noisy_test_error"], expected, atol=0.08)
    assert table["condition"].between(1, 1e10).all()
    assert table["corrupted"].tolist() == pytest.approx([0, 45, 90], abs=18)


def test_eigenpro_and_the_exact_solution_agree() -> None:
    table = measured(**SMALL, kernels=("laplacian",), solvers=("exact", "eigenpro"))
    exact, iterated = (table[table["solver"] == solver] for solver in ("exact", "eigenpro"))
    np.testing.assert_allclose(exact["test_error"], iterated["test_error"], atol=1e-9)
    assert iterated["train_mse"].max() < 1e-8
    legacy = measured(**SMALL, kernels=("laplacian",), solvers=("eigenpro-legacy",))
    assert legacy["train_mse"].max() > 10 * iterated["train_mse"].max()


def test_the_ridge_stops_interpolation() -> None:
    table = measured(**SMALL, kernels=("laplacian",), solvers=("exact",), ridge=10.0)
    assert table["train_error"].max() > 0.1


def test_two_classes_single_precision_and_repeats() -> None:
    table = measured(**SMALL, kernels=("laplacian",), solvers=("exact",), two_classes=True, dtype="float32")
    assert table["best"].max() == pytest.approx(0.3)
    assert (table["train_error"] == 0).all()
    same, other = (
        measured(**SMALL, kernels=("laplacian",), solvers=("exact",), two_classes=True, dtype="float32", seed=seed)
        for seed in (0, 1)
    )
    pd.testing.assert_frame_equal(table, same)
    assert not table["test_error"].equals(other["test_error"])


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(label_noise.Config)])
def test_every_option_reaches_a_case(name) -> None:
    other = {
        "data": "own.npz",
        "dataset": "mnist",
        "data_root": "folder",
        "train_from": "test",
        "first": True,
        "two_classes": True,
        "centre": True,
        "noise": (0.5,),
        "schemes": ("cumulative",),
        "kernels": ("ntk-power",),
        "solvers": ("eigenpro-legacy",),
        "subsample": 50,
        "top": 7,
        "batch_size": 20,
        "ridge": 0.1,
        "dtype": "float32",
    }
    config = label_noise.PRESETS["quick"]
    changed = other[name] if name in other else getattr(config, name) * 2
    assert label_noise.cases(config) != label_noise.cases(dataclasses.replace(config, **{name: changed}))


@pytest.mark.thorough
def test_figure_and_summary() -> None:
    table = measured(**SMALL, kernels=("laplacian",), schemes=("nested", "cumulative"))
    figure = label_noise.plot(table)
    assert len(figure.axes) == 2
    assert len(figure.legends[0].get_texts()) == 5
    plt.close(figure)
    text = label_noise.summarise(table)
    assert text.startswith("shares of random labels: 0, 0.3, 0.6\n")
    assert "laplacian, eigenpro, cumulative: test errors" in text


@pytest.mark.thorough
def test_a_thousand_digits() -> None:
    tables = [measured(kernels=("laplacian",), solvers=("exact",), seed=seed) for seed in range(3)]
    for table in tables:
        errors = table.set_index("noise")["test_error"]
        assert (table["train_error"] == 0).all()
        assert errors[0.0] <= 0.03
        assert errors[0.4] <= 0.15
        assert errors[0.5] <= 0.25
    mean = pd.concat(tables).groupby("noise")["test_error"].mean()
    assert (np.diff(mean) > 0).all()
    assert mean[0.0] <= 0.02
    assert mean[0.4] <= 0.10
    assert mean[0.5] <= 0.20
