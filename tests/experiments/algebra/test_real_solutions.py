"""Real solutions by algebra against training: a table made by hand, cubics of one and three real roots, a slow run."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("matplotlib")

import matplotlib
import pandas

from polygeom.experiments import study
from polygeom.experiments.algebra import real_solutions as real
from polygeom.ideal.counting.interpolation import fits_of
from polygeom.network import parse

matplotlib.use("Agg")


def table(config: real.Config) -> pandas.DataFrame:
    rows = [row for case in real.cases(config) for row in real.measure(replace(case, seed=0))]
    return pandas.DataFrame(rows)


def test_cases() -> None:
    for preset in real.PRESETS.values():
        study.check(preset)
        wanted = {"fits", "critical"} if preset == real.PRESETS["small"] else {"fits", "critical", "boundary"}
        assert {case.question for case in real.cases(preset)} == wanted


@pytest.mark.parametrize(("roots", "number"), [((1, 1j, -1j), 1), ((1, 2, -3), 0)])
def test_a_cubic_with_one_real_root_is_fitted(roots: tuple[complex, ...], number: int) -> None:
    rng = np.random.default_rng(4)
    points = rng.standard_normal((4, 2))
    form = np.real(np.poly(roots))
    values = np.stack([points[:, 0] ** (3 - k) * points[:, 1] ** k for k in range(4)], axis=1) @ form
    found = fits_of(parse("[2,2,1] r=3"), points, values, rng)
    assert found.weights is not None
    assert (found.complex_count, len(found.weights), found.certified) == (1, number, number)


def test_labels_of_real_weights_are_fitted_by_them() -> None:
    rng = np.random.default_rng(1)
    points, inner, outer = rng.standard_normal((4, 2)), rng.standard_normal((2, 2)), rng.standard_normal(2)
    found = fits_of(parse("[2,2,1] r=4"), points, (points @ inner.T) ** 4 @ outer, rng)
    assert found.weights is not None
    assert found.complex_count == 3
    assert len(found.weights) == found.certified >= 1
    lines = found.weights[:, :4].reshape(-1, 2, 2)
    slopes = np.sort(lines[:, :, 1] / lines[:, :, 0], axis=1)
    assert (np.abs(slopes - np.sort(inner[:, 1] / inner[:, 0])).max(axis=1) < 1e-6).sum() == 1


def test_shares_and_pictures() -> None:
    columns = ["question", "data_set", "exact", "found", "best", "first", "least", "infimum"]
    numbers = [
        ("fits", 0, 1, 1, 2, 3, 0.0, 0.0),
        ("fits", 1, 1, 0, 0, 0, 0.1, 0.0),
        ("fits", 2, 0, 0, 0, 0, 0.2, np.nan),
        ("fits", 3, -1, 0, 0, 0, 0.2, np.nan),
        ("fits", 4, 0, 1, 1, 2, 0.0, np.nan),
        ("boundary", 0, 3, 2, 3, 1, 0.5, 0.5),
        ("boundary", 1, 3, 2, 3, 1, 0.4, 0.5),
        ("boundary", 2, 3, 2, 3, 1, 0.6, 0.5),
    ]
    shared = {"network": "[2,2,1] r=3", "labels": "normal", "runs": 4, "complex": 1, "certified": 0}
    rows = [shared | dict(zip(columns, row, strict=True)) for row in numbers]
    found = real.shares(pandas.DataFrame(rows)).set_index("question")
    assert found.loc["fits", ["data_sets", "missed", "extra"]].tolist() == [4, 1, 1]
    assert found.loc["fits", ["solvable", "trained", "runs"]].tolist() == pytest.approx([2 / 4, 2 / 4, 1 / 4])
    assert found.loc["boundary", ["exact", "found", "below"]].tolist() == [3, 2, 1]
    assert "1 missed by all runs, 1 fitted where algebra finds none" in real.summarise(pandas.DataFrame(rows))
    figure = real.plot(pandas.DataFrame(rows))
    assert figure.axes[0].lines[0].get_ydata().tolist() == pytest.approx([0, 1 / 4, 1 / 2, 1 / 2])
    matplotlib.pyplot.close(figure)


@pytest.mark.slow
def test_training_finds_what_algebra_finds() -> None:
    found = real.shares(table(real.Config(data_sets=10, searched=4)))
    fits = found[found["question"] == "fits"]
    assert (fits["extra"] == 0).all()
    assert fits["missed"].sum() <= 2
    others = found[found["question"] != "fits"].set_index("question")
    assert (others["below"] == 0).all()
    assert (others["trained"] == 1).all()
    assert others.loc["boundary", "exact"] == 3
