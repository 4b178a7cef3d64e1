# ruff: noqa: E402  torch is an extra: without it the file is skipped before anything else is imported
"""What is known about coordinate networks, measured again with three seeds.

The protocol is that of Lazzari, Liu, arXiv 2301.05816: a random image of 64 × 64 pixels, two hidden layers of 128
units, Adam at 1e-3, batches of 256, shuffled once.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

torch = pytest.importorskip("torch")

from functools import cache
from typing import Any

import numpy as np
import pandas
from experiments.configured import configured

from polygeom.experiments.coordinate import depth as coordinate_depth
from polygeom.experiments.coordinate import grid as coordinate_grid
from polygeom.experiments.coordinate import images as coordinate
from polygeom.experiments.coordinate import neighbours as coordinate_neighbours
from polygeom.experiments.coordinate import waves as coordinate_waves
from polygeom.learning.networks.coordinate import relu_network
from polygeom.learning.regions import cell_inradii

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
torch.set_num_threads(1)
SEEDS = (0, 1, 2)
MODELS = ("relu:raw", "relu:centred", "relu:sin_cos5", "relu:fourier14")


@cache
def trained(model: str, seed: int) -> tuple[pandas.DataFrame, dict[str, Any]]:
    """Marks every 100 epochs up to 300, and the arrays at the end."""
    config = configured(coordinate.STUDY, "published", models=(model,), epochs=300, inradius=0)
    (case,) = coordinate.cases(config)
    rows = coordinate.measure(replace(case, seed=seed))
    marks = pandas.DataFrame([row for row in rows if "epoch" in row])
    return marks, {row["array"]: np.asarray(row["data"]) for row in rows if "array" in row}


def last(model: str, column: str) -> np.ndarray:
    """A column at the end, for every seed."""
    values = np.array([trained(model, seed)[0][column].iloc[-1] for seed in SEEDS])
    print(f"{model} {column}: {values.round(4).tolist()}")
    return values


def test_quality_after_300_epochs() -> None:
    assert (last("relu:raw", "psnr") < 11.5).all()
    assert (last("relu:centred", "psnr") < 11.5).all()
    assert (last("relu:sin_cos5", "psnr") > 13.5).all()
    assert (last("relu:fourier14", "psnr") > 25).all()


def test_numbers_of_regions() -> None:
    raw, centred = last("relu:raw", "regions"), last("relu:centred", "regions")
    assert (last("relu:sin_cos5", "regions") == 4096).all()
    assert (last("relu:fourier14", "regions") == 4096).all()
    assert (raw < 1500).all()
    assert ((raw < centred) & (centred < 4096)).all()
    assert trained("relu:raw", 0)[1]["regions"].max() + 1 == raw[0]


def test_hamming_distances() -> None:
    assert (last("relu:raw", "hamming_local") < 2).all()
    assert (last("relu:sin_cos5", "hamming_local") > 25).all()
    assert (last("relu:fourier14", "hamming_local") > 60).all()
    assert (last("relu:raw", "hamming_global") < last("relu:sin_cos5", "hamming_global")).all()


def test_gradient_confusion() -> None:
    raw, encoded = last("relu:raw", "confusion_local_opposed"), last("relu:sin_cos5", "confusion_local_opposed")
    assert (raw > 0.18).all()
    assert (encoded < raw - 0.06).all()
    assert (last("relu:fourier14", "confusion_local_opposed") < 0.02).all()
    deviations = [last(model, "confusion_local_std") for model in ("relu:raw", "relu:sin_cos5", "relu:fourier14")]
    assert (deviations[0] > deviations[1]).all()
    assert (deviations[1] > deviations[2]).all()
    last("relu:raw", "confusion_global_std")


def test_dead_units() -> None:
    first = {model: np.array([trained(model, s)[0]["dead"].iloc[0] for s in SEEDS]) for model in MODELS}
    print({model: dead.tolist() for model, dead in first.items()})
    raw, centred, encoded = (last(f"relu:{name}", "dead") for name in ("raw", "centred", "sin_cos5"))
    assert (first["relu:raw"] > 0.1 * 256).all()
    assert (raw > first["relu:raw"]).all()
    assert (centred < raw).all()
    assert (first["relu:centred"] < first["relu:raw"]).all()
    assert (encoded < 0.05 * 256).all()


def test_spectral_norms_grow_and_angles_close() -> None:
    for model in ("relu:raw", "relu:sin_cos5"):
        for seed in SEEDS:
            products = trained(model, seed)[0]["norm_product"].to_numpy()
            assert (np.diff(products) > 0).all()
    for model in ("relu:raw", "relu:sin_cos5", "relu:fourier14"):
        first = np.array([trained(model, seed)[0]["angles"].iloc[0] for seed in SEEDS])
        print(f"{model} angles at first: {first.round(4).tolist()}")
        assert (last(model, "angles") > first).all()
    last("relu:raw", "norm_product")
    last("relu:sin_cos5", "norm_product")


def test_distances_to_boundaries_grow() -> None:
    for model in ("relu:raw", "relu:sin_cos5"):
        first = np.array([trained(model, seed)[0]["boundary"].iloc[0] for seed in SEEDS])
        print(f"{model} boundary at first: {first.round(5).tolist()}")
        assert (last(model, "boundary") > first).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_cross_sections_of_a_trained_network(seed: int) -> None:
    config = configured(coordinate.STUDY, "published", models=("relu:sin_cos5",), epochs=100, inradius=0)
    counts = {}
    for first_layer in (True, False):
        (case,) = coordinate.cases(config)
        rows = coordinate.measure(replace(case, seed=seed, first_layer=first_layer))
        marks = [row for row in rows if "section_low" in row]
        counts[first_layer] = (marks[-1]["section_low"], marks[-1]["section_high"])
    print(f"sections, first layer {counts[True]}, all {counts[False]}")
    assert counts[False][0] != counts[False][1]
    assert counts[True][0] < counts[False][0]
    assert counts[True][1] < counts[False][1]


def test_inradii_of_untrained_layers() -> None:
    expected = {4: 0.021, 8: 0.038, 12: 0.053, 16: 0.070, 20: 0.084}
    found = {}
    for frequencies in expected:
        radii = []
        for seed in SEEDS:
            network = relu_network(4 * frequencies, 3, hidden=1, width=512, rng=seed)
            points = np.random.default_rng(seed).uniform(-1, 1, (20, 4 * frequencies))
            radii.append(cell_inradii(network, torch.as_tensor(points, dtype=torch.float32)).mean())
        found[frequencies] = float(np.mean(radii))
    print({key: round(value, 4) for key, value in found.items()})
    assert list(found.values()) == sorted(found.values())
    for frequencies, radius in expected.items():
        assert found[frequencies] == pytest.approx(radius, rel=0.2)


@pytest.mark.parametrize("seed", SEEDS)
def test_waves(seed: int) -> None:
    config = configured(coordinate_waves.STUDY, "published", models=("relu:raw", "relu:sin_cos4", "relu:sin_cos7"))
    ends = {}
    for case in coordinate_waves.cases(config):
        rows = coordinate_waves.measure(replace(case, seed=seed))
        ends[case.model] = [row for row in rows if "epoch" in row][-1]
    columns = ("error", "amplitude_40", "hamming_local")
    print({model: {name: round(end[name], 4) for name in columns} for model, end in ends.items()})
    assert ends["relu:raw"]["error"] > 5
    assert ends["relu:sin_cos4"]["error"] < 2
    assert ends["relu:sin_cos7"]["error"] < 0.05
    assert ends["relu:raw"]["amplitude_40"] < 0.15
    assert ends["relu:raw"]["hamming_local"] < 3
    assert ends["relu:sin_cos7"]["hamming_local"] > 40


@pytest.mark.parametrize("seed", SEEDS)
def test_depth_and_width(seed: int) -> None:
    config = configured(coordinate_depth.STUDY, "quick", shapes=("2x64", "4x64"), epochs=20, every=10)
    for case in coordinate_depth.cases(config):
        for row in coordinate_depth.measure(replace(case, seed=seed)):
            layers = [
                value for name, value in row.items() if name.startswith("hamming_random_") and name[15:].isdecimal()
            ]
            assert sum(layers) == pytest.approx(row["hamming_random"])
            assert row["relative_random"] == pytest.approx(row["hamming_random"] / row["units"])


@pytest.mark.parametrize("model", ["mlp", "cnn"])
@pytest.mark.parametrize("seed", SEEDS)
def test_neighbours_among_digits(model: str, seed: int) -> None:
    pytest.importorskip("sklearn")
    config = configured(coordinate_neighbours.STUDY, "quick", models=(model,), every=25)
    (case,) = coordinate_neighbours.cases(config)
    rows = coordinate_neighbours.measure(replace(case, seed=seed))
    end = [row for row in rows if "epoch" in row][-1]
    print(model, seed, {name: round(value, 3) for name, value in end.items() if isinstance(value, float)})
    assert {row["array"] for row in rows if "array" in row} == {"confusion_near", "confusion_far"}
    assert end["accuracy"] > 0.98
    assert end["hamming_near"] < end["hamming_far"]
    if model == "mlp":
        assert end["confusion_near"] < -0.1
        assert abs(end["confusion_far"]) < 0.1


@pytest.mark.parametrize("seed", SEEDS)
def test_every_second_pixel(seed: int) -> None:
    config = configured(
        coordinate_grid.STUDY,
        images=("scene",),
        models=("relu:raw", "relu:sin_cos5", "siren:centred", "gabor4:centred"),
    )
    best = {}
    for case in coordinate_grid.cases(config):
        rows = coordinate_grid.measure(replace(case, seed=seed))
        best[case.model] = next(row["psnr_best"] for row in rows if "psnr_best" in row)
    print({model: round(value, 2) for model, value in best.items()})
    assert best["relu:sin_cos5"] > best["relu:raw"] + 3
