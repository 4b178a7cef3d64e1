"""The study of learnable functions: its rows on small runs, its claims on the worked case slowly."""

from __future__ import annotations

import dataclasses

import pandas
import pytest

torch = pytest.importorskip("torch", reason="studies need the extra learn")

from polygeom.experiments.algebra import learnable_functions  # noqa: E402
from polygeom.experiments.algebra.learnable_functions import COMPLEX, DEGREE, SURVEY, TRAINING, WORKED  # noqa: E402
from polygeom.experiments.running import run  # noqa: E402

SMALL = learnable_functions.PRESETS["small"]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def measured(config: learnable_functions.Config, seed: int = 0) -> pandas.DataFrame:
    cases = [dataclasses.replace(case, seed=seed) for case in learnable_functions.cases(config)]
    rows = [{"seed": seed, **row} for case in cases for row in learnable_functions.measure(case)]
    return pandas.DataFrame(rows)


@pytest.mark.slow  # every study runs through the same pool, whose rows test_study compares
def test_the_same_rows_with_one_and_two_workers() -> None:
    config = dataclasses.replace(SMALL, targets=("teacher", "few"))
    one = run(learnable_functions.STUDY, config=config, workers=1).table
    two = run(learnable_functions.STUDY, config=config, workers=2).table
    pandas.testing.assert_frame_equal(one, two, check_exact=True)


def test_the_survey_counts_data_sets_whose_best_function_can_be_reached() -> None:
    config = dataclasses.replace(SMALL, networks=(WORKED,), surveyed=200)
    (case,) = [case for case in learnable_functions.cases(config) if case.target == SURVEY]
    (row,) = learnable_functions.measure(dataclasses.replace(case, seed=0))
    assert 90 <= row["count"] <= 140


@pytest.mark.thorough
def test_summary_and_figure_of_a_small_table() -> None:
    pytest.importorskip("matplotlib").use("agg")
    from matplotlib import pyplot

    empty = dict.fromkeys(learnable_functions._COLUMNS)
    base = {"seed": 0, "network": WORKED, "target": "noise", **empty}
    rows = [
        base | {"source": TRAINING, "label": "critical point", "count": 7, "functions": 1, "loss": 1.0, "error": 1e-15},
        base | {"source": TRAINING, "label": "boundary", "count": 3, "functions": 1, "loss": 1.1, "error": 1e-7},
        base | {"source": DEGREE, "label": "proved", "count": 3},
        *[
            base | {"source": COMPLEX, "real": True, "attained": k != 1, "index": k, "loss": 1 + k / 10}
            for k in range(3)
        ],
        base | {"source": SURVEY, "target": SURVEY, "label": "10", "count": 6},
    ]
    table = pandas.DataFrame(rows)
    text = learnable_functions.summarise(table)
    assert (
        "learning degree 3 (proved), complex 3, real 3.0 (3), attained 2.0 (2), minima 1.0 (1), found 1.0 (1)" in text
    )
    assert "critical point 70, boundary 30; 1.0 different critical points" in text
    assert "the best matrix is two real squares in 6 of 10 data sets" in text
    figure = learnable_functions.plot(table)
    assert [axes.get_title() for axes in figure.axes] == [
        f"{WORKED}, noise",
        "noise: mean over data\nsets, line to the most",
        "what became of the runs",
    ]
    pyplot.close(figure)
    only = table[table["source"] == TRAINING].assign(target="teacher")
    assert "Noise" not in learnable_functions.summarise(only)
    figure = learnable_functions.plot(only)
    assert len(figure.axes) == 1
    pyplot.close(figure)


@pytest.mark.slow
@pytest.mark.timeout(2000)
def test_what_training_of_the_worked_case_reaches() -> None:
    config = dataclasses.replace(learnable_functions.PRESETS["published"], surveyed=0)
    tables = [measured(config, seed) for seed in (0, 1, 3)]
    for table in tables:
        trained = table[table["source"] == TRAINING]
        share = trained.groupby(["target", "label"])["count"].sum()
        assert share["teacher", "critical point"] == 100
        noise = trained[trained["target"] == "noise"]
        assert set(noise["label"]) <= {"critical point", "boundary"}
        assert noise[noise["label"] == "critical point"]["error"].max(skipna=True) < 1e-9 or "boundary" in set(
            noise["label"]
        )
        assert noise["error"].max() < 1e-2
        best = table[(table["source"] == "closed form")].sort_values("loss").iloc[0]
        assert ("critical point" in set(noise["label"])) == bool(best["attained"])
