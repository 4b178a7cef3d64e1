# ruff: noqa: E402  torch is an extra: without it the file is skipped before anything else is imported
"""The studies of coordinate networks at the size of a test: what they write, what they refuse, what they draw."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
mpl = pytest.importorskip("matplotlib")

import dataclasses
import json
import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas
from experiments.configured import configured

from polygeom.cli import run as command
from polygeom.datasets.images import make_image
from polygeom.errors import PolygeomError
from polygeom.experiments.coordinate import depth as coordinate_depth
from polygeom.experiments.coordinate import images as coordinate
from polygeom.experiments.coordinate import neighbours as coordinate_neighbours
from polygeom.experiments.coordinate.dynamics import GRID, Model, density
from polygeom.experiments.running import run
from polygeom.learning.functions.spectra import psnr

mpl.use("agg")
torch.set_num_threads(1)
SMALL = {"size": 16, "neurons": 16, "epochs": 4, "every": 2, "patches": 10, "pairs": 50, "resolution": 8, "inradius": 1}
SMALL |= {"neuron_maps": (0, 3), "features": 8}
FEW = ("relu:raw", "relu:sin_cos5", "siren:centred@1e-4", "gabor4:centred", "ccp3:centred", "ccp3:sin_cos5")


def rows_of(study: Any, seed: int = 0, **changes: Any) -> pandas.DataFrame:
    """What a study measures, in this process."""
    config = configured(study.STUDY, **changes)
    rows = [
        {"seed": seed} | row
        for case in study.cases(config)
        for row in study.measure(dataclasses.replace(case, seed=seed))
    ]
    return pandas.DataFrame(rows)


@pytest.fixture(scope="module")
def images() -> pandas.DataFrame:
    return rows_of(coordinate, images=("scene",), **SMALL | {"models": FEW})


def test_names_of_networks() -> None:
    assert Model.parse("relu:raw") == Model("relu", None, "raw", None, None)
    assert Model.parse("ccp9:sin_cos4@1e-4") == Model("ccp", 9, "sin_cos", 4, 1e-4)
    assert Model.parse("gabor4:centred").number == 4
    for wrong in ("relu", "relu:polar", "cnn:raw", "ccp:raw@x", "relu:raw@"):
        with pytest.raises(PolygeomError, match=r"write relu:sin_cos5, ccp6:centred or siren:centred@1e-4"):
            Model.parse(wrong)


def test_switches_of_encodings_and_coordinates() -> None:
    names = ("relu:raw", "relu:sin_cos5", "ccp3:centred", "relu:fourier4")
    assert coordinate.Config(models=names, train_encoding=False).chosen() == ["relu:raw", "ccp3:centred"]
    assert coordinate.Config(models=names, train_coordinates=False).chosen() == ["relu:sin_cos5", "relu:fourier4"]
    with pytest.raises(PolygeomError, match="none is left"):
        coordinate.Config(models=names, train_encoding=False, train_coordinates=False).chosen()


def test_options_reach_what_the_networks_read() -> None:
    def options(**own: object) -> SimpleNamespace:
        whole = {"negative": False, "L": 3, "features": 8, "scale": 2.0, "extent": 1.0, "seed": 0, "device": "cpu"}
        return SimpleNamespace(**(whole | own))

    raw = Model.parse("relu:raw")
    assert float(raw.encode((4, 4), options()).min()) == 0
    assert float(raw.encode((4, 4), options(negative=True, extent=3.0)).min()) == -3
    assert float(Model.parse("relu:centred").encode((4, 4), options(extent=2.0)).min()) == -2
    assert Model.parse("relu:sin_cos").encode((4, 4), options()).shape[1] == 12
    assert Model.parse("relu:sin_cos4").encode((4, 4), options()).shape[1] == 16
    assert Model.parse("relu:fourier").encode((4, 4), options()).shape[1] == 16


def test_densities_integrate_to_one_and_have_their_mass_in_place(rng: np.random.Generator) -> None:
    values = 0.2 + 0.1 * rng.standard_normal(5000)
    found = np.array(density(values))
    assert np.trapezoid(found, GRID) == pytest.approx(1, abs=1e-3)
    assert np.trapezoid(found * GRID, GRID) == pytest.approx(0.2, abs=0.01)
    scipy = pytest.importorskip("scipy.stats")
    assert np.abs(found - scipy.gaussian_kde(values)(GRID)).max() < 0.01
    assert max(density(np.zeros(10))) > 10


@pytest.mark.thorough
def test_every_network_has_marks_arrays_and_its_own_measurements(images: pandas.DataFrame) -> None:
    assert set(images["model"]) == set(FEW)
    marks = images[images["epoch"].notna()]
    assert sorted(set(marks["epoch"])) == [0, 2, 4]
    assert (marks["status"] == "finished").all()
    relu = marks["model"].str.startswith("relu")
    assert marks.loc[relu, "dead"].notna().all()
    assert marks.loc[~relu, "dead"].isna().all()
    assert set(marks.loc[relu, "kind"]) == {"activation"}
    assert set(marks.loc[marks["model"].str.startswith("ccp"), "kind"]) == {"sign"}
    assert (marks["hamming_local"] <= marks["units"]).all()
    layers = marks[[name for name in marks if name.startswith("hamming_local_") and name[14:].isdecimal()]]
    assert np.allclose(layers.sum(axis=1), marks["hamming_local"])
    assert (marks["psnr_held_out"].notna()).all()
    arrays = images[images["array"].notna()]
    assert {"confusion_local", "confusion_global", "regions", "unit_0", "unit_3", "target", "image"} <= set(
        arrays["array"]
    )
    sections = arrays[arrays["array"] == "section_high"]
    assert set(sections["model"]) == {"relu:sin_cos5", "ccp3:sin_cos5"}


@pytest.mark.thorough
def test_numbers_and_arrays_say_the_same(images: pandas.DataFrame) -> None:
    for model in ("relu:raw", "ccp3:sin_cos5"):
        rows = images[(images["image"] == "scene") & (images["model"] == model)]
        last = rows[rows["epoch"] == 4].iloc[0]
        arrays = {row["array"]: np.asarray(row["data"]) for _, row in rows[rows["array"].notna()].iterrows()}
        assert len(np.unique(arrays["regions"])) == last["regions"]
        assert np.allclose(arrays["target"], make_image("scene", 16, rng=0), atol=1e-4)
        held = round(0.1 * 256)
        whole = 10 ** (-psnr(arrays["image"], arrays["target"]) / 10)
        parts = [10 ** (-last[name] / 10) for name in ("psnr", "psnr_held_out")]
        assert whole == pytest.approx(((256 - held) * parts[0] + held * parts[1]) / 256, rel=1e-2)


@pytest.mark.slow  # every study runs through the same pool, whose rows test_study compares
def test_the_same_seed_gives_the_same_rows_for_any_number_of_workers() -> None:
    changes = {"images": ("random",), **SMALL, "models": ("relu:raw", "ccp3:centred")}
    here = rows_of(coordinate, seed=1, **changes)
    config = configured(coordinate.STUDY, **changes)
    there = run("coordinate", config=config, seed=1, workers=2).table
    pandas.testing.assert_frame_equal(here, there, check_exact=True, check_dtype=False)


def test_measurements_can_be_left_out() -> None:
    off = dict.fromkeys(("act_patterns", "dead_neurons", "param_norms", "boundary", "hyperplanes"), False)
    off |= dict.fromkeys(("mean_hamming_in_region", "confusion_between_region", "visualize_regions"), False)
    table = rows_of(coordinate, images=("random",), **SMALL | {"models": ("relu:raw",), "held_out": 0.0} | off)
    gone = {
        "regions",
        "dead",
        "norm_product",
        "boundary",
        "angles",
        "hamming_local",
        "confusion_global",
        "psnr_held_out",
    }
    assert not gone & set(table.columns)
    assert {"hamming_global", "confusion_local"} <= set(table.columns)
    assert set(table["array"].dropna()) == {"confusion_local", "image", "target"}
    coordinate.plot(table)
    assert "hamming" not in coordinate.summarise(table)


def test_a_network_that_diverges_says_so() -> None:
    table = rows_of(coordinate, images=("random",), **SMALL | {"models": ("ccp9:centred@1000",), "epochs": 20})
    assert "diverged" in set(table["status"].dropna())


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(PolygeomError, match="held_out must be at least 0"):
        coordinate.cases(coordinate.Config(held_out=1.0))
    with pytest.raises(PolygeomError, match=r"shapes must be layers × units, got '4'; write 4x256"):
        coordinate_depth.cases(coordinate_depth.Config(shapes=("4",)))
    with pytest.raises(PolygeomError, match=r"got 'no/such\.png'"):
        coordinate.measure(coordinate.cases(coordinate.Config(images=("no/such.png",)))[0])
    case = coordinate_neighbours.cases(coordinate_neighbours.Config(datasets=("mnist",)))[0]
    with pytest.raises(PolygeomError, match="write --data-root FOLDER"):
        coordinate_neighbours.samples(case)


@pytest.mark.thorough
def test_figures_have_what_they_promise(images: pandas.DataFrame) -> None:
    import matplotlib.pyplot as plt

    figure = coordinate.plot(images)
    assert len(figure.axes) >= 3
    assert {line.get_label() for line in figure.axes[0].lines} == set(FEW)
    for draw in coordinate.FIGURES.values():
        draw(images)
    plt.close("all")


@pytest.mark.thorough
@pytest.mark.usefixtures("here")
def test_the_command_writes_table_arrays_and_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = {name: value for name, value in SMALL.items() if not isinstance(value, tuple) and name != "features"}
    small = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    small += [
        "--images",
        "random",
        "--models",
        "relu:sin_cos5",
        "--repeats",
        "2",
        "--out",
        str(tmp_path / "out"),
    ]
    assert command(["study", "coordinate", *small, "--print-loss", "--device", "cpu", "-q"]) == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"config.json", "coordinate.csv", "coordinate.npz", "coordinate.png", "coordinate-regions.png"} <= names
    table = pandas.read_csv(tmp_path / "out" / "coordinate.csv")
    assert len(table) == 2 * 3
    assert "data" not in table.columns
    with np.load(tmp_path / "out" / "coordinate.npz") as arrays:
        assert arrays["1/random/relu:sin_cos5/regions"].shape == (16, 16)
        assert arrays["0/random/relu:sin_cos5/confusion_local"].shape == GRID.shape
    assert json.loads((tmp_path / "out" / "config.json").read_text())["config"]["epochs"] == 4


def test_every_published_flag_is_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    flags = "neurons layers epochs batch-size print-loss param-norms dead-neurons mean-hamming-in-region L negative "
    flags += "mean-hamming-between-region confusion-in-region confusion-between-region act-patterns visualize-regions "
    flags += "train-encoding train-coordinates images frequency-slice first-layer learning-rate device repeats seed out"
    with pytest.raises(SystemExit):
        raise SystemExit(command(["study", "coordinate", "--help"]))
    shown = capsys.readouterr().out
    assert [flag for flag in flags.split() if f"--{flag}" not in shown] == []


def test_losses_are_told_where_asked_for() -> None:
    small = {"shapes": ("1x8",), "models": ("relu:raw",), "size": 16, "epochs": 2, "every": 1, "pairs": 100}
    table = rows_of(coordinate_depth, **small, print_loss=True)
    told = [line for line in coordinate_depth.summarise(table).splitlines() if ": loss " in line]
    assert len(told) == len(table)
    assert told[0] == f"random relu:raw 1x8 seed 0 epoch 0: loss {table['loss'][0]:.6g}"


def test_neighbours_of_a_convolutional_network_and_of_files(tmp_path: Path) -> None:
    small = {"epochs": 1, "every": 1, "anchors": 5, "neighbours": 3, "limit": 100}
    table = rows_of(coordinate_neighbours, models=("cnn",), **small)
    assert set(table["array"].dropna()) == {"confusion_near", "confusion_far"}
    images, labels = np.random.default_rng(0).integers(0, 256, (40, 28, 28)), np.arange(40) % 10
    for name, array in (("images-idx3", images), ("labels-idx1", labels)):
        header = bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
        (tmp_path / f"train-{name}-ubyte").write_bytes(header + array.astype(np.uint8).tobytes())
    config = coordinate_neighbours.Config(datasets=("mnist",), data_root=str(tmp_path), limit=30)
    found, classes = coordinate_neighbours.samples(coordinate_neighbours.cases(config)[0])
    assert found.shape == (30, 1, 28, 28)
    assert np.allclose(found[:, 0], 2 * images[:30] / 255 - 1)
    assert classes.tolist() == labels[:30].tolist()
    records = np.random.default_rng(0).integers(0, 256, (12, 3073)).astype(np.uint8)
    records[:, 0] = np.arange(12) % 10
    records.tofile(tmp_path / "test_batch.bin")
    config = dataclasses.replace(config, datasets=("cifar10",), split="test", limit=12)
    found, classes = coordinate_neighbours.samples(coordinate_neighbours.cases(config)[0])
    assert found.shape == (12, 3, 32, 32)
    assert found[3, 1, 0, 0] == pytest.approx(2 * records[3, 1 + 1024] / 255 - 1)
