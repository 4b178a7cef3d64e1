from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")
plt = pytest.importorskip("matplotlib.pyplot")

from experiments.configured import configured  # noqa: E402

from polygeom.experiments.functions import random_features  # noqa: E402


def measured(preset: str = "quick", seed: int = 0, **changes: object) -> pd.DataFrame:
    config = configured(random_features.STUDY, preset, **changes)
    rows = [row for case in random_features.cases(config) for row in random_features.measure(tagged(case, seed))]
    return pd.DataFrame(rows)


def tagged(case: dict, seed: int) -> dict:
    return dataclasses.replace(case, seed=seed)


def value(table: pd.DataFrame, column: str, **wanted: object) -> float:
    rows = table
    for name, entry in wanted.items():
        rows = rows[rows[name] == entry]
    (found,) = rows[column]
    return float(found)


@pytest.fixture(scope="module")
def line() -> pd.DataFrame:
    return measured("published", line_widths=(1, 5, 10, 50, 100, 500, 1000, 5000, 10_000))


PUBLISHED = {
    "fourier": {1: 1.3246, 5: 0.19219, 10: 48.161, 50: 39.752, 100: 37.790, 500: 26.923, 1000: 25.086, 5000: 16.618},
    "relu": {1: 0.6781, 5: 0.5693, 10: 5.2544, 50: 1.1025, 100: 0.9110},
}
"""Test errors printed in the tutorial or recomputed from its seeds."""


@pytest.mark.thorough
@pytest.mark.parametrize("kind", PUBLISHED)
def test_the_published_errors_of_finite_widths(line, kind) -> None:
    for width, error in PUBLISHED[kind].items():
        found = value(line, "test_mse", features=kind, model="features", width=width)
        assert found == pytest.approx(error, rel=1e-4), width


@pytest.mark.thorough
def test_the_published_limits_under_their_right_names(line) -> None:
    assert value(line, "test_mse", features="relu", model="limit") == pytest.approx(0.8432877, abs=1e-6)
    assert value(line, "test_mse", features="fourier", model="laplacian") == pytest.approx(0.26786, abs=1e-5)
    assert value(line, "test_mse", features="fourier", model="limit") == pytest.approx(10.07, abs=0.01)
    assert value(line, "condition", features="fourier", model="limit") == pytest.approx(7.7e11, rel=0.05)


@pytest.mark.thorough
def test_wide_features_interpolate(line) -> None:
    fits = line[(line["model"] == "features") & (line["width"] >= 50)]
    assert fits["train_mse"].max() < 1e-18
    assert (fits["rank"] == 10).all()


def test_powers_on_the_line_are_polynomial_regression() -> None:
    table = measured(datasets=("line",), features=("x^2", "x^3"), line_widths=(20,))
    from polygeom.datasets.published import make_dataset

    data = make_dataset(10, 1, 0.5)
    for degree in (2, 3):
        fit = np.polynomial.Polynomial.fit(data.x[:, 0], data.y[:, 0], degree)
        expected = np.mean((fit(data.x_test[:, 0]) - data.y_test[:, 0]) ** 2)
        for model in ("features", "limit"):
            found = value(table, "test_mse", features=f"x^{degree}", model=model)
            assert found == pytest.approx(expected, rel=1e-5)
        assert value(table, "rank", features=f"x^{degree}", model="features") == degree + 1


SMALL = {"datasets": ("digits",), "train": 60, "test": 300, "widths": (20, 60, 1000)}


@pytest.mark.thorough
def test_the_error_peaks_where_there_are_as_many_features_as_images() -> None:
    table = measured(**SMALL, features=("fourier", "relu", "x^2"))
    for (_, noise), rows in table[table["model"] == "features"].groupby(["features", "noise"]):
        errors = rows.set_index("width")["test_error"]
        assert errors.idxmax() == 60, noise
    fits = table[(table["model"] == "features") & (table["width"] >= 60)]
    assert fits["train_mse"].max() < 1e-18
    narrow = table[(table["model"] == "features") & (table["width"] == 20)]
    assert narrow["train_mse"].min() > 1e-3


def test_label_noise_hurts_and_repeats_differ() -> None:
    first, second = (measured(**SMALL, features=("relu",), seed=seed) for seed in (0, 1))
    errors = first[first["model"] == "limit"].set_index("noise")["test_error"]
    assert errors[0.2] > errors[0.0]
    assert not np.allclose(first["test_mse"], second["test_mse"])
    pd.testing.assert_frame_equal(first, measured(**SMALL, features=("relu",), seed=0))


def test_a_kernel_of_too_small_rank_does_not_interpolate() -> None:
    table = measured(datasets=("line",), features=("x^2",), line_widths=(5,), samples=12)
    assert value(table, "train_mse", model="limit") > 1e-3


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(random_features.Config)])
def test_every_option_reaches_a_case(name) -> None:
    other = {
        "datasets": ("line",),
        "features": ("x^4",),
        "line_widths": (3,),
        "widths": (3,),
        "label_noise": (0.5,),
        "centre": False,
        "unit_rows": False,
        "data": "own.npz",
        "data_root": "folder",
        "train_from": "test",
        "first": True,
    }
    config = random_features.PRESETS["quick"]
    changed = other.get(name, getattr(config, name) * 2 if name not in other else None)
    assert random_features.cases(config) != random_features.cases(dataclasses.replace(config, **{name: changed}))


@pytest.mark.thorough
def test_figure_and_summary() -> None:
    table = pd.concat([measured(**SMALL, features=("relu",)), measured("published", line_widths=(1, 5, 10))])
    figure = random_features.plot(table)
    assert len(figure.axes) == 6
    plt.close(figure)
    text = random_features.summarise(table)
    assert "line, fourier: test_mse peaks at k = 10 (48.2)" in text
    assert "laplacian 0.26786" in text
    assert len(text.splitlines()) == 4


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["relu", "x^2", "fourier"])
def test_the_sweep_on_digits(kind) -> None:
    table = pd.concat([measured(datasets=("digits",), features=(kind,), seed=seed) for seed in range(3)])
    clean = table[(table["noise"] == 0) & (table["model"] == "features")]
    errors = clean.groupby("width")["test_error"].mean()
    assert abs(errors.idxmax() - 300) <= 10
    assert errors.max() >= 0.7
    limit = table[(table["noise"] == 0) & (table["model"] == "limit")]["test_error"].mean()
    assert abs(errors[10_000] - limit) <= 0.01
    assert clean[clean["width"] >= 310]["train_mse"].max() < 1e-20
    distance = clean.groupby("width")["distance"].mean()
    slope = np.polyfit(np.log(distance.index), np.log(distance), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.05)
    if kind != "fourier":
        tangent = table[(table["noise"] == 0) & (table["model"] == "tangent")]
        assert tangent["train_mse"].max() < 1e-12
        assert tangent["condition"].between(1e2, 1e6).all()
        assert tangent["test_error"].mean() <= errors[10_000] + 0.005
    if kind == "relu":
        assert tangent["test_error"].mean() <= 0.03
