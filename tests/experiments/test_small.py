"""The preset `small` of every study: all that the study promises, and its point in little."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib").use("agg")

from here import in_this_process  # noqa: E402

from polygeom.experiments import STUDIES, study  # noqa: E402
from polygeom.experiments.algebra import (  # noqa: E402
    interpolation_threshold,
    kernel_spectrum,
    learnable_functions,
    real_solutions,
    teacher_recovery,
)
from polygeom.experiments.running import run  # noqa: E402

Table = pandas.DataFrame


def value(table: Table, column: str, **where: object) -> float:
    """The only value of a column in the rows that have these entries."""
    for name, entry in where.items():
        table = table[table[name] == entry]
    (found,) = table[column]
    return float(found)


def last(table: Table, column: str) -> dict[str, float]:
    """The value at the last mark of every network."""
    marks = table[table["epoch"].notna()]
    return marks[marks["epoch"] == marks["epoch"].max()].set_index("model")[column].to_dict()


def anisotropy(table: Table) -> None:
    assert (table["what"] == "direction").sum() == 64
    assert np.all(np.diff(table[table["what"] == "direction"]["singular_value"]) <= 0)
    learned = {index: value(table, "networks_test", what="accuracy", index=index) for index in (0, 10)}
    assert learned[0] > 0.9 > learned[10] + 0.2


def cifar2(table: Table) -> None:
    end = table[table["epoch"] == 10].set_index("learner")["test"]
    assert set(end.index) == {"network", "linearised", "unbiased", "pretrained"}
    assert end.min() > 0.8
    start = table[table["epoch"] == 0].set_index("learner")["loss"]
    assert start["linearised"] == pytest.approx(start["network"])
    assert start["unbiased"] == start["pretrained"] == pytest.approx(np.log(2))


def coordinate(table: Table) -> None:
    regions, distance = last(table, "regions"), last(table, "hamming_local")
    assert regions["relu:sin_cos5"] > 5 * regions["relu:raw"]
    assert distance["relu:sin_cos5"] > 5 * distance["relu:raw"]
    assert {"regions", "confusion_local", "section_high", "unit_3", "target"} <= set(table["array"])
    rows = table[table["psnr_best_polynomial"].notna()]
    assert set(rows["model"]) == {"ccp3:centred"}
    assert (rows["psnr"] <= rows["psnr_best_polynomial"] + 1e-6).all()


def coordinate_depth(table: Table) -> None:
    layers = table[[f"hamming_random_{number}" for number in (1, 2, 3)]].sum(axis=1)
    assert np.allclose(layers, table["hamming_random"])
    assert np.allclose(table["relative_local"], table["hamming_local"] / table["units"])
    for shape in ("1x8", "3x8"):
        assert last(table, "regions")[f"relu:sin_cos5 {shape}"] > 5 * last(table, "regions")[f"relu:raw {shape}"]


def coordinate_grid(table: Table) -> None:
    best = table[table["psnr_best"].notna()].set_index("model")["psnr_best"]
    marks = table[table["epoch"].notna()]
    assert np.allclose(best, marks.groupby("model", sort=False)["psnr_held_out"].max())
    assert best["relu:sin_cos4"] > best["relu:raw"] + 1


def coordinate_neighbours(table: Table) -> None:
    marks = table[table["epoch"].notna()]
    assert (marks["distance_near"] < marks["distance_far"]).all()
    assert set(table["array"].dropna()) == {"confusion_near", "confusion_far"}
    near, far = last(table, "hamming_near"), last(table, "hamming_far")
    assert all(near[name] < far[name] for name in ("mlp", "ccp"))
    assert last(table, "confusion_near")["mlp"] < last(table, "confusion_far")["mlp"] - 0.05


def coordinate_waves(table: Table) -> None:
    error = last(table, "error")
    assert error["relu:sin_cos4"] < 0.1 < 1 < error["relu:raw"]
    assert last(table, "amplitude_10")["relu:sin_cos4"] == pytest.approx(1, abs=0.2)
    arrays = {row["array"]: np.asarray(row["data"]) for _, row in table[table["model"] == "relu:raw"].iterrows()}
    assert np.square(arrays["learned"] - arrays["target"]).mean() == pytest.approx(error["relu:raw"], rel=1e-2)


def descent_in_dimension(table: Table) -> None:
    assert ((table["train"] < 1e-12) == (table["dimension"] >= table["labels"])).all()
    assert ((table["train"] < 1e-12) != (table["parameters"] >= table["labels"])).any()


def digit_pairs(table: Table) -> None:
    assert table["accuracy"].between(0, 100).all()
    for model in ("mlp", "ccp"):
        found = table[(table["model"] == model) & (table["rule"] == "leeway")].set_index("pairs")
        assert (found["accuracy"] > found["constant"] + 5).all()


def extrapolation(table: Table) -> None:
    assert value(table, "value", model="ccp", quantity="error outside") < 1e-2
    assert value(table, "value", model="mlp", quantity="error outside") > 0.5


def interpolation(table: Table) -> None:
    found = interpolation_threshold.thresholds(table)
    assert found[found["weights"] == "complex"]["threshold"].tolist() == [5, 2, 4]
    assert (found["threshold"] <= found["capacity"]).all()
    fits = interpolation_threshold.regressions(table, "complex").set_index("predictor")
    assert fits.loc["capacity", "correlation"] == pytest.approx(1)
    assert fits.loc["capacity", "exact"] == 3
    assert fits.loc["parameters / outputs", "largest_excess"] == 3
    text = interpolation_threshold.summarise(table)
    assert "complex weights: measured threshold = capacity for 3 of 3 networks, above for 0" in text
    interpolation_threshold.plot(table.assign(weights="positive"))  # nothing to name in two panels


def spectrum(table: Table) -> None:
    spectra = table[table["part"] == "spectrum"]
    ranks = spectra.groupby("width")[["rank", "dimension", "monomials"]].first()
    assert ranks["rank"].tolist() == ranks["dimension"].tolist() == [3, 5, 6]
    assert (ranks["monomials"] == 6).all()
    wide = spectra[spectra["width"] == 150]
    assert abs(wide["value"] - wide["limit"]).max() < 0.1
    assert wide["limit"].sum() == pytest.approx(1)
    training = table[table["part"] == "training"]
    assert (training[training["index"] == 0]["value"] - 1).abs().max() < 1e-9
    halves = kernel_spectrum.half_times(table).set_index(["width", "degree"])["half_time"]
    assert halves[(60, 0)] < halves[(60, 2)]


def label_noise(table: Table) -> None:
    assert (table["train_error"] == 0).all()
    for _, rows in table.groupby("solver"):
        assert (np.diff(rows["test_error"]) > 0).all()
        assert (rows["test_error"] < rows["noise"] + 0.07).all()
    exact, iterated = (table[table["solver"] == solver]["test_error"] for solver in ("exact", "eigenpro"))
    np.testing.assert_allclose(exact, iterated, atol=1e-9)


def learnable(table: Table) -> None:
    trained = table[table["source"] == learnable_functions.TRAINING]
    assert trained.groupby("target")["count"].sum().to_dict() == {"teacher": 8, "noise": 8, "few": 8}
    critical = trained[trained["label"] == "critical point"]
    assert critical[critical["target"] == "teacher"]["loss"].min() < 1e-18
    few = critical[(critical["target"] == "few") & (critical["loss"] < 1e-18)]
    assert few["functions"].sum() > 3  # one value on the data, many functions
    noise = critical[critical["target"] == "noise"]
    assert (noise["functions"] == 1).all()
    assert noise["error"].max() < 1e-9
    solved = table[table["source"] == learnable_functions.COMPLEX]
    assert len(solved) == table[table["source"] == learnable_functions.DEGREE]["count"].item() == 4
    assert len(noise) <= solved["attained"].sum() <= solved["real"].sum() <= 4
    (numbers,) = learnable_functions.counts(table).to_dict("records")
    assert numbers["found"] == len(noise)
    assert numbers["runs"] == 8


def coefficients(table: Table) -> None:
    exact = table.set_index(["network", "at"])["exact"].to_dict()
    assert exact["[1,1,1] r=2", "generic"] == "1/2"
    assert exact["[1,1,1] r=2", "dead 1"] == "1/4"
    assert (table["value"] - table["lower"].astype(float)).abs().max() < 0.2


def wide_networks(table: Table) -> None:
    for name in ("relu", "x^2"):
        own = table[table["activation"] == name].set_index("width")
        assert (own["train_mse"] < 1e-9).all()
        assert own.loc[80, "mse_empirical"] < own.loc[20, "mse_empirical"]
        assert own.loc[80, "mse_empirical"] < own.loc[80, "mse_infinite"]


def eigenfunctions(table: Table) -> None:
    assert set(table["what"]) == {"eigenvalue", "training", "spectrum", "summary"}
    assert (np.diff(table[table["what"] == "eigenvalue"]["eigenvalue"]) < 0).all()
    summary = table[table["what"] == "summary"].iloc[0]
    assert min(summary["network_test"], summary["linear_test"]) > 0.75
    assert 0 < summary["kernel_distance"] < 0.1


def strata(table: Table) -> None:
    assert len(table) == 36
    assert set(table["gradient"]) == {"noisy", "exact", "langevin"}
    learned = table[table["loss"] < 0.05]
    assert len(learned) >= 6
    assert (learned["coefficient"] <= learned["generic"]).all()
    assert (learned["coefficient"] < learned["generic"]).any()


def features(table: Table) -> None:
    for (data, noise), rows in table[table["model"] == "features"].groupby(["dataset", "noise"], dropna=False):
        column, samples = ("test_mse", 10) if data == "line" else ("test_error", 60)
        assert rows.set_index("width")[column].idxmax() == samples, (data, noise)
    wide = table[(table["model"] == "features") & (table["width"] >= 50) & (table["dataset"] == "line")]
    assert wide["train_mse"].max() < 1e-18


def solutions(table: Table) -> None:
    found = real_solutions.shares(table).set_index("question")
    assert found.loc["fits", ["missed", "extra"]].tolist() == [0, 0]
    assert found.loc["fits", "solvable"] == found.loc["fits", "trained"] > 0
    assert found.loc["critical", ["trained", "below"]].tolist() == [1, 0]
    for _, rows in table.groupby("question"):  # nothing to name in the other panel
        real_solutions.plot(rows)


def harmonics(table: Table) -> None:
    halves = table[table["quantity"] == "half-time"].set_index(["way", "degree", "component"])["value"]
    for degree in (1, 2):
        for component in ("k=1", "k=2"):
            flow, network = (halves[way, degree, component] for way in ("flow", "network"))
            assert network == pytest.approx(flow, rel=0.25)
        assert halves["flow", degree, "k=1"] < halves["flow", degree, "k=2"]
    assert halves["flow", 1, "k=2"] > halves["flow", 2, "k=2"]


def recovery(table: Table) -> None:
    found = teacher_recovery.thresholds(table)
    assert found["agrees"].all()
    assert found["determining"].tolist() == [5]


def descent(table: Table) -> None:
    fits = table[table["width"].notna()]
    assert ((fits["train_mse"] < 1e-10) <= (fits["rank"] >= fits["values"])).all()
    assert fits[fits["width"] == 12]["train_mse"].item() < 1e-10
    assert fits[fits["width"] == 12]["test_mse"].item() < fits["test_mse"].max()


def analogy(table: Table) -> None:
    assert table.groupby("encoder")["region"].apply(list).tolist() == [list(range(6))] * 2
    assert table["accuracy"].between(0, 100).all()
    assert table["loss"].between(1.5, 2.5).all()  # of seven choices, with little training: log 7 is 1.95


POINTS: dict[str, Callable[[Table], None]] = {
    "anisotropy": anisotropy,
    "cifar2": cifar2,
    "coordinate": coordinate,
    "coordinate-depth": coordinate_depth,
    "coordinate-grid": coordinate_grid,
    "coordinate-neighbours": coordinate_neighbours,
    "coordinate-waves": coordinate_waves,
    "descent-in-dimension": descent_in_dimension,
    "digit-pairs": digit_pairs,
    "extrapolation": extrapolation,
    "interpolation-threshold": interpolation,
    "kernel-spectrum": spectrum,
    "label-noise": label_noise,
    "learnable-functions": learnable,
    "learning-coefficient": coefficients,
    "network-vs-ntk": wide_networks,
    "ntk-eigenfunctions": eigenfunctions,
    "preferred-strata": strata,
    "random-features": features,
    "real-solutions": solutions,
    "spectral-bias": harmonics,
    "teacher-recovery": recovery,
    "trained-descent": descent,
    "visual-analogy": analogy,
}


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_in_little(name: str) -> None:
    """Rows of all cases and seeds, a summary, all figures with something drawn, and the point of the study."""
    import matplotlib.pyplot as plt

    with in_this_process():
        result = run(name, "small")
    found, table = result.run.study, result.table
    assert result.failures == ()
    assert table["seed"].unique().tolist() == list(range(result.run.repeats))
    assert str(result).strip()
    for draw in (found.plot, *found.figures.values()):
        axes = getattr(drawn := draw(table), "figure", drawn).axes
        assert any(one.has_data() for one in axes)
    POINTS[name](table)
    plt.close("all")


@pytest.mark.thorough
@pytest.mark.parametrize("name", STUDIES)
def test_a_study_writes_what_it_promises(name: str, tmp_path: Path) -> None:
    with in_this_process():
        result = run(name, "small", out=tmp_path / "out")
    found = study.load(name)
    figures = {name, *(f"{name}-{label}" for label in found.figures)}
    wanted = {"config.json", f"{name}.csv"} | {f"{figure}.{kind}" for figure in figures for kind in ("png", "svg")}
    arrays = result.table["data"].notna() if "data" in result.table else []
    wanted |= {f"{name}.npz"} if len(arrays) else set()
    assert set(result.files) == wanted
    assert wanted | {"journal"} == {path.name for path in (tmp_path / "out").iterdir()}
    assert all((tmp_path / "out" / file).stat().st_size for file in wanted)
    assert json.loads((tmp_path / "out" / "config.json").read_text())["preset"] == "small"
    rows = pandas.read_csv(tmp_path / "out" / f"{name}.csv")
    assert len(rows) == len(result.table) - sum(arrays)
