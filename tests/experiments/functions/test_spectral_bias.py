"""Which harmonic is learned when: the harmonics themselves, gradient flow, and networks that follow it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from experiments.configured import configured  # noqa: E402

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.experiments.functions import spectral_bias  # noqa: E402
from polygeom.experiments.functions.spectral_bias import harmonic  # noqa: E402
from polygeom.experiments.running import run  # noqa: E402


@pytest.mark.parametrize("dimension", [3, 10])
def test_harmonics_are_orthonormal_on_the_sphere(dimension: int) -> None:
    t, weights = np.polynomial.legendre.leggauss(400)
    weights = weights * (1 - t**2) ** ((dimension - 3) / 2)
    values = np.stack([harmonic(t, k, dimension) for k in range(1, 13)])
    gram = (values * weights / weights.sum()) @ values.T
    assert np.abs(gram - np.eye(12)).max() < 1e-6


def test_the_published_harmonics_are_mixtures_and_not_normalised() -> None:
    t, weights = np.polynomial.legendre.leggauss(400)
    weights = weights * (1 - t**2) ** 3.5
    weights /= weights.sum()
    published = [harmonic(t, k, 10, published=True) for k in (1, 3, 4, 5, 8, 12)]
    sizes = [math.sqrt(value**2 @ weights) for value in published]
    assert sizes[0] == pytest.approx(9 / math.sqrt(10), rel=1e-6)  # C_1 is 9 t
    assert sizes == sorted(sizes)
    assert sizes[-1] > 50 * sizes[0]
    assert abs((published[1] * weights) @ harmonic(t, 1, 10)) > 0.05 * sizes[1]


def test_dimensions_and_frequencies_out_of_range_are_refused() -> None:
    with pytest.raises(PolygeomError, match="dimension must be at least 3"):
        harmonic(np.zeros(1), 1, 2)
    with pytest.raises(PolygeomError, match="both off"):
        spectral_bias.cases(spectral_bias.Config(flow=False, network=False))


def measured(preset: str, way: str, degree: int, seed: int = 0, **changes: Any) -> list[dict[str, Any]]:
    config = configured(spectral_bias.STUDY, preset, **{way: True}, degrees=(degree,), **changes)
    (case,) = [case for case in spectral_bias.cases(config) if case.way == way]
    return spectral_bias.measure(replace(case, seed=seed))


def halves(rows: list[dict[str, Any]]) -> dict[str, float]:
    return {row["component"]: row["value"] for row in rows if row["quantity"] == "half-time"}


def ends(rows: list[dict[str, Any]]) -> dict[str, float]:
    return {row["component"]: row["value"] for row in rows if row["quantity"] == "left"}


def test_half_times_are_interpolated() -> None:
    left = np.array([[2.0, 1.0, 1.0], [1.5, 0.9, 0.2], [0.5, 0.8, 0.1]])
    assert spectral_bias.half_times(np.array([0.0, 10.0, 20.0]), left) == [15.0, math.inf, 6.25]


def test_flow_is_the_limit_of_small_steps_of_gradient_descent_with_the_kernel() -> None:
    from polygeom.learning.kernels.product_kernels import CoupledKernel

    config = spectral_bias.Config(samples=60, frequencies=(1, 2))
    x, target, parts = spectral_bias.problem(config, 3)
    kernel = CoupledKernel(2)
    gram = kernel(torch.tensor(x), torch.tensor(x)).numpy()
    projector = np.linalg.pinv(np.stack(list(parts.values()), axis=1))
    moments, left = spectral_bias._flow(config, kernel, gram[0, 0], x, target, projector)
    residual, time = target.copy(), 0.0
    while time < 30:
        residual -= 0.01 * gram @ residual / gram[0, 0] / 60  # rate 1/2 of the mean squared error
        time += 0.01
    at = [np.interp(30.0, moments, column) for column in left.T]
    assert at == pytest.approx(projector @ residual, abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_products_learn_the_third_harmonic_sooner_in_the_limit(seed: int) -> None:
    ten = {degree: halves(measured("flow", "flow", degree, seed)) for degree in (1, 3, 6, 9)}
    assert ten[1]["k=3"] > 5 * ten[3]["k=3"]
    assert ten[1]["k=4"] > ten[3]["k=4"] > ten[6]["k=4"] > ten[9]["k=4"]
    three = {degree: halves(measured("quick", "flow", degree, seed)) for degree in (1, 3)}
    assert three[1]["k=3"] > 100 * three[3]["k=3"]


def test_images_give_labels_and_perturbations() -> None:
    config = configured(spectral_bias.STUDY, "digits", samples=300)
    x, target, parts = spectral_bias.problem(config, 0)
    assert list(parts) == ["labels", "k=1", "k=2", "k=3", "k=4"]
    assert np.allclose(np.linalg.norm(x, axis=1), 1)
    assert set(parts["labels"]) == {-1.0, 1.0}
    assert [float(np.sqrt(np.mean(parts[f"k={k}"] ** 2))) for k in range(1, 5)] == pytest.approx([0.5] * 4)
    assert np.allclose(target, sum(parts.values()))
    found = halves(measured("digits", "flow", 3, samples=300))
    assert found["k=1"] < found["k=4"]
    with pytest.raises(PolygeomError, match="data_root must name the folder"):
        spectral_bias.problem(configured(spectral_bias.STUDY, "mnist"), 0)
    with pytest.raises(PolygeomError, match="samples must be at most 1797"):
        spectral_bias.problem(configured(spectral_bias.STUDY, "digits", samples=2000), 0)


def test_the_published_variant_runs_and_subtracts_nothing() -> None:
    rows = measured("published", "network", 3, samples=40, width=16, steps=4)
    assert {row["component"] for row in rows} == {f"k={k}" for k in (1, 3, 4, 5, 8, 12)}
    with pytest.raises(PolygeomError, match="training diverged"):
        measured("published", "network", 9, samples=40, width=16, steps=200, rate=10.0)


@pytest.mark.thorough
@pytest.mark.usefixtures("here")
def test_figure_and_summary() -> None:
    import matplotlib.pyplot as plt

    config = configured(spectral_bias.STUDY, "quick", degrees=(1, 2), samples=50, width=16, steps=20)
    table = run(spectral_bias.STUDY, config=config, repeats=2).table
    text = spectral_bias.summarise(table)
    assert "flow, degree 2: k=1 " in text
    assert "network, degree 1: k=1 " in text
    figure = spectral_bias.plot(table)
    assert len(figure.axes) == 4
    plt.close(figure)


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_real_networks_of_higher_degree_learn_the_third_harmonic() -> None:
    found = {degree: measured("network", "network", degree) for degree in (1, 3, 6)}
    left = {degree: ends(rows) for degree, rows in found.items()}
    print(left, {degree: halves(rows) for degree, rows in found.items()})
    assert left[1]["k=3"] > 0.9
    assert abs(left[3]["k=3"]) < 0.05
    assert abs(left[6]["k=3"]) < 0.05
    assert all(halves(rows)["k=1"] < halves(rows)["k=4"] for rows in found.values())
