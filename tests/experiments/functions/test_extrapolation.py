"""The study of extrapolation: its claims at their thresholds, and that a seed decides everything."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from experiments.configured import configured

from polygeom.errors import PolygeomError
from polygeom.experiments.functions import extrapolation
from polygeom.experiments.running import run


def measured(preset: str, model: str, degree: int = 0, seed: int = 0, **changes: Any) -> dict[str, float]:
    config = configured(extrapolation.STUDY, preset, models=(model,), degrees=(degree or 3,), **changes)
    (case,) = extrapolation.cases(config)
    rows = extrapolation.measure(replace(case, seed=seed))
    return {
        row["quantity"] if row["at"] is None else f"{row['quantity']} {row['at']:g}": row["value"]
        for row in rows
        if row["quantity"] not in ("truth", "curve")
    }


@pytest.mark.thorough
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
def test_ccp_of_degree_three_extends_the_cubic(seed: int) -> None:
    assert measured("quick", "ccp", 3, seed, train=300)["error outside"] < 1e-4


@pytest.mark.thorough
def test_degree_two_does_not() -> None:
    assert measured("quick", "ccp", 2, train=300, steps=1000)["error outside"] > 0.8


@pytest.mark.slow  # every study runs through the same pool, whose rows test_study compares
def test_the_same_seed_gives_the_same_table_with_one_and_two_workers() -> None:
    config = configured(extrapolation.STUDY, "quick", train=100, steps=60, mlp_width=16)
    one = run(extrapolation.STUDY, config=config, repeats=2).table
    two = run(extrapolation.STUDY, config=config, repeats=2, workers=2).table
    pandas.testing.assert_frame_equal(one, two, check_exact=True)
    assert set(one["model"]) == {"ccp", "ncp", "ccp-relu", "mlp"}
    assert "error inside" in extrapolation.summarise(one)
    figure = extrapolation.plot(one)
    assert [len(ax.lines) for ax in figure.axes] == [5, 5]
    import matplotlib.pyplot as plt

    plt.close(figure)


@pytest.mark.parametrize("target", ["helix", "periodic", "actgelu", "log"])
@pytest.mark.parametrize("model", ["product", "pooled-relu", "mlp-sin"])
def test_every_target_and_model_can_be_chosen(target: str, model: str) -> None:
    found = measured(
        "quick", model, 2, target=target, train=50, test=50, steps=5, directions=3, initialisation="kaiming"
    )
    assert found["error outside"] > 0
    assert found["ray R2 1"] <= 1


@pytest.mark.usefixtures("here")
def test_a_diverging_run_says_so() -> None:
    config = configured(extrapolation.STUDY, "quick", models=("ccp",), optimiser="sgd", learning_rate=10.0, train=50)
    with pytest.raises(PolygeomError, match=r"every case failed; the first: training diverged.*lower learning_rate"):
        run(extrapolation.STUDY, config=config)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_perceptrons_do_not_extend_the_cubic(seed: int) -> None:
    found = measured("quick", "mlp", seed=seed, mlp_width=256)
    assert found["error inside"] < 0.05
    assert found["error outside"] > 0.4


@pytest.mark.slow
def test_the_published_configuration_runs() -> None:
    assert measured("published", "ccp", 3)["error outside"] < 0.2


@pytest.mark.slow
def test_cosine_is_fitted_inside_and_reported_by_distance() -> None:
    found = measured("cosine", "ccp", 10)
    assert found["error inside"] < 0.2
    assert {"error by distance 1.1", "error by distance 1.25", "error by distance 2"} <= set(found)


@pytest.mark.slow
def test_products_of_relus_need_data_in_all_directions() -> None:
    assert measured("quadratic", "product-relu", 2)["error outside"] < 0.02
    assert measured("quadratic-quarter", "product-relu", 2)["error outside"] > 0.5
    assert measured("quadratic-quarter", "product", 2)["error outside"] < 1e-5
    assert measured("quadratic", "mlp")["error outside"] > 0.1


@pytest.mark.slow
def test_perceptrons_extend_linear_targets_in_directions_they_have_seen() -> None:
    full, missing = (measured(preset, "mlp")["mape outside"] for preset in ("linear", "linear-one-sided"))
    assert missing > 4 * full


@pytest.mark.slow
def test_degrees_along_rays() -> None:
    assert measured("quadratic", "mlp")["ray R2 1"] > 0.99
    two = measured("quadratic", "product-relu", 2)
    assert two["ray R2 1"] < 0.985
    assert two["ray R2 2"] > 0.999
    assert measured("quadratic", "product-relu", 3)["ray R2 3"] > 0.999
