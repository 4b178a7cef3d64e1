"""Studies of thresholds, recovery and spectra: small runs say what the theorems say; larger ones are slow."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

import matplotlib

from polygeom.experiments import study
from polygeom.experiments.algebra import (
    descent_in_dimension,
    interpolation_threshold,
    kernel_spectrum,
    teacher_recovery,
)
from polygeom.network import parse

matplotlib.use("Agg")


def rows(module: object, config: object, seeds: tuple[int, ...] = (0,)) -> object:
    """The table of a study, measured in this process."""
    import pandas

    found = [
        {"seed": seed, **row}
        for seed in seeds
        for case in module.cases(config)
        for row in module.measure(replace(case, seed=seed))
    ]
    return pandas.DataFrame(found)


def test_every_case_is_a_network_and_presets_are_known() -> None:
    for module in (interpolation_threshold, teacher_recovery, descent_in_dimension, kernel_spectrum):
        for preset in module.PRESETS.values():
            study.check(preset)
            assert len(module.cases(preset)) >= (1 if preset == module.PRESETS["small"] else 10)
    published = interpolation_threshold.cases(interpolation_threshold.PRESETS["published"])
    networks = {parse(case.network) for case in published}
    assert len(networks) >= 40
    assert sum(network.expected_dimension * 2 <= network.parameter_count for network in networks) >= 3
    assert {case.weights for case in published} == {"real", "complex", "positive"}
    assert len({case.network for case in teacher_recovery.cases(teacher_recovery.PRESETS["page"])}) >= 20


def test_labels_of_the_descent_are_noisy_signs_of_linear_functions() -> None:
    x, y, test_x, test_y = descent_in_dimension.labels(6, 2, 4000, 50, 0.3, seed=1)
    assert x.shape == (4000, 6)
    assert (x[:, -1] == 1).all()
    assert (test_x.shape, test_y.shape) == ((50, 6), (50, 2))
    clean = descent_in_dimension.labels(6, 2, 4000, 50, 0.0, seed=1)[1]
    assert set(y.unique().tolist()) == {-1.0, 1.0}
    assert float((y != clean).double().mean()) == pytest.approx(0.15, abs=0.02)


@pytest.mark.thorough
def test_small_recovery_study() -> None:
    config = teacher_recovery.Config(networks="[3,2,1] r=2", teachers=2, restarts=3, steps=60)
    work = [
        case for case in teacher_recovery.cases(config) if case.network in ("[3,2,1] r=2", "[2,2,1] r=2", "[4,3,1] r=2")
    ]
    import pandas

    table = pandas.DataFrame(
        [{"seed": 0, **row} for case in work for row in teacher_recovery.measure(replace(case, seed=0))]
    )
    found = teacher_recovery.thresholds(table)
    assert found["agrees"].all()
    assert found["determining"].tolist() == [5]
    text = teacher_recovery.summarise(table)
    assert "1 of 1 networks agree" in text
    assert "0 of them are the teacher everywhere" in text.splitlines()[-1]
    assert teacher_recovery.restricted(parse("[4,3,1] r=2"), 3) == parse("[3,3,1] r=2")
    figure = teacher_recovery.plot(table)
    matplotlib.pyplot.close(figure)


def test_wide_networks_approach_the_kernel_of_infinite_width() -> None:
    from polygeom.learning.functions.harmonics import tangent_spectrum

    network = parse("[3,400,1] r=2")
    weights, rates = kernel_spectrum.standard_weights(network, 0)
    traces = tangent_spectrum(network, weights, rates=rates).traces
    ideal = kernel_spectrum.limit(3, 2, 1)
    assert traces[0] / traces.sum() == pytest.approx(ideal[0], rel=0.2)
    assert sum(value * count for value, count in zip(ideal.values(), (1, 5), strict=True)) == pytest.approx(1)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_double_descent_peaks_where_the_dimension_reaches_the_labels() -> None:
    """180 labels in 21 dimensions: at width 9 parameters suffice by count, the dimension at width 12."""
    config = descent_in_dimension.Config(families=("quadratic",))
    table = rows(descent_in_dimension, config, seeds=(0, 1, 2))
    lines = descent_in_dimension.medians(table).set_index("width")
    near = lines.loc[8:14]
    assert ((near["train"] < 1e-12) == (near["dimension"] >= 180)).all()
    assert lines.loc[9, "parameters"] >= 180 > lines.loc[9, "dimension"]
    assert lines["test"].idxmax() in (10, 11, 12)
    assert lines.loc[60, "test"] < 0.7 * lines["test"].max()


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_thresholds_of_many_architectures() -> None:
    config = interpolation_threshold.Config(weights=("real", "complex"))
    table = rows(interpolation_threshold, config)
    found = interpolation_threshold.thresholds(table)
    assert found["network"].nunique() >= 20
    assert (found["threshold"] <= found["capacity"]).all()
    exact = found.assign(same=found["threshold"] == found["capacity"]).groupby("weights")["same"].mean()
    assert exact["complex"] >= 0.95
    assert exact["real"] >= 0.75
    fits = interpolation_threshold.regressions(table, "complex").set_index("predictor")["correlation"]
    assert fits["dimension / outputs"] > 0.99 > fits["parameters / outputs"]
    assert len(list(interpolation_threshold.shortfalls(table))) >= 5


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_recovery_over_many_architectures() -> None:
    table = rows(teacher_recovery, teacher_recovery.Config())
    found = teacher_recovery.thresholds(table)
    assert len(found) >= 20
    assert found["agrees"].mean() >= 0.95
    assert (found["first"] == found["determining"]).mean() >= 0.75
    weights = table[table["recovered_weights"].notna()]
    above = weights[weights["samples"] > weights["determining"]]
    assert (above["recovered_weights"] == above["recovered"]).all()
    outside = table[(table["situation"] == "outside")]
    assert (outside["recovered"] == 0).all()
