"""Data and networks of the user's own in studies: against the bundled ones, and what is refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from here import of_the_repository

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from polygeom.commands.pages.study import split_list  # noqa: E402
from polygeom.datasets import cifar10, digits  # noqa: E402
from polygeom.datasets.own import digest, read_own  # noqa: E402
from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.experiments import STUDIES, run  # noqa: E402
from polygeom.experiments.own import own_module  # noqa: E402
from polygeom.experiments.running import _digests  # noqa: E402
from polygeom.experiments.study import load  # noqa: E402
from polygeom.experiments.takes import table  # noqa: E402

FACTORY = '''
import torch
from torch import nn

def twin(inputs, rng):
    """The network that the studies call relu:6."""
    from polygeom.learning.networks.activations import Elementwise
    from polygeom.learning.networks.initialisation import initialise

    layers = [nn.Flatten(), nn.Linear(inputs, 6), Elementwise("relu"), nn.Linear(6, 1)]
    return initialise(nn.Sequential(*layers).double(), "truncated", rng)

def small(inputs, outputs):
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, 5), nn.ReLU(), nn.Linear(5, outputs))

def needs(much):
    return nn.Linear(much, 1)

def wrong(inputs):
    return nn.Linear(inputs, 7)

number = 3
def none(): return 3
'''


@pytest.fixture
def factory(tmp_path: Path) -> str:
    (tmp_path / "nets.py").write_text(FACTORY)
    return str(tmp_path / "nets.py")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    file = tmp_path / "own.npz"
    np.savez(file, x=digits().inputs, y=digits().labels)
    return file


def rows(study: str, **options: Any) -> list[dict[str, Any]]:
    """What the first case of a study measures, in this process."""
    found = load(study)
    case = found.cases(found.configuration(**options))[0]
    return [dict(row) for row in found.measure(case)]


def same(one: list[dict[str, Any]], other: list[dict[str, Any]], *without: str) -> bool:
    """Whether rows are equal, where missing numbers are equal to each other."""
    first, second = (pandas.DataFrame(table).drop(columns=list(without)) for table in (one, other))
    return len(first) > 0 and first.equals(second)


TINY: dict[str, dict[str, Any]] = {
    "cifar2": {"train": 60, "test": 40, "epochs": 2, "learners": ("network",), "models": ("relu:6",)},
    "label-noise": {"train": 60, "test": 40, "noise": (0.0,), "kernels": ("laplacian",)},
    "trained-descent": {"train": 30, "test": 20, "widths": (2,), "activations": ("x^2",), "steps": 2},
    "spectral-bias": {"samples": 60, "flow": True, "network": False, "degrees": (1,), "source": "digits"},
}


@pytest.mark.parametrize("study", TINY)
def test_own_data_is_read_as_the_bundled_is(study: str, archive: Path) -> None:
    bundled = rows(study, **TINY[study])
    own = {name: value for name, value in TINY[study].items() if name != "source"}
    assert same(rows(study, **own, data=str(archive)), bundled)


def test_own_data_in_the_studies_of_several_data_sets(archive: Path) -> None:
    tiny = {"widths": (20,), "features": ("x^2",), "train": 40, "test": 30, "label_noise": (0.0,)}
    known = rows("random-features", **tiny, datasets=("digits",))
    own = rows("random-features", **tiny, data=str(archive))
    assert same(own, known, "dataset")
    study = load("coordinate-neighbours")
    (case,) = study.cases(study.configuration(models=("mlp",), data=str(archive)))
    images, labels = __import__(study.module, fromlist=["samples"]).samples(case)
    assert images.shape == (1797, 1, 8, 8)
    assert np.array_equal(labels, digits().labels)


def test_a_factory_is_the_network_that_it_makes(factory: str) -> None:
    known = rows("cifar2", **TINY["cifar2"])
    own = rows("cifar2", **TINY["cifar2"] | {"models": (f"{factory}:twin",)})
    assert same(own, known, "model")


NETWORKS: dict[str, dict[str, Any]] = {
    "digit-pairs": {"train": 50, "test": 20, "steps": 2},
    "extrapolation": {"train": 20, "test": 10, "steps": 2},
    "coordinate-neighbours": {"limit": 60, "epochs": 1, "anchors": 10, "neighbours": 2},
    "coordinate": {"images": ("scene",), "size": 8, "epochs": 1, "pairs": 20, "patches": 2, "hyperplanes": False},
    "coordinate-depth": {"size": 8, "epochs": 1, "shapes": ("1x4",), "pairs": 10},
    "coordinate-grid": {"images": ("scene",), "size": 8, "epochs": 1},
    "coordinate-waves": {
        "length": 64,
        "frequencies": (5,),
        "epochs": 1,
        "windows": 2,
        "window_size": 8,
        "window_pairs": 2,
        "pairs": 5,
    },
}


@pytest.mark.parametrize("study", NETWORKS)
def test_own_networks_run(study: str, factory: str) -> None:
    found = rows(study, **NETWORKS[study], models=(f"{factory}:small",))
    assert found
    assert all(row["model"].startswith(f"{factory}:small") for row in found)


def test_texts_of_networks_run() -> None:
    text = "[1,4,1] r=2 bias"
    assert {row["parameters"] for row in rows("extrapolation", **NETWORKS["extrapolation"], models=(text,))} == {13}
    assert split_list(f"relu:8,{text},ccp(4,rank=2,degree=2)") == ["relu:8", text, "ccp(4,rank=2,degree=2)"]
    with pytest.raises(PolygeomError, match=r"\[2,4,1\] r=2 has 2 inputs, the data has 1"):
        rows("extrapolation", models=("[2,4,1] r=2",))
    assert load("coordinate").cases(load("coordinate").configuration(models=("[2,4,3] r=2:sin_cos5@1e-4",)))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.at.all:f", "there is no module nowhere"),
        ("{}:gone", "has no function or class gone"),
        ("{}:number", "has no function or class number"),
        ("{}:none", "must make a torch module, got int"),
        ("{}:needs", "must need no arguments but shape, inputs, outputs, rng"),
        ("{}:wrong", r"must give 1 outputs for each input, shape \(2, 1\), got \(2, 7\)"),
        ("gone.py:f", "there is no file gone.py"),
    ],
)
def test_factories_that_make_no_network(name: str, message: str, factory: str) -> None:
    with pytest.raises(PolygeomError, match=message):
        own_module(name.format(factory), (3,), 1, 0)


def test_the_content_of_own_files_is_known(factory: str, archive: Path) -> None:
    study = load("cifar2")
    work = study.cases(study.configuration(data=str(archive), models=(f"{factory}:twin", "relu:3")))
    before = _digests(work)
    Path(factory).write_text(FACTORY + "\n")
    np.savez(archive, x=digits().inputs[::-1], y=digits().labels[::-1])
    after = _digests(work)
    assert len(before) == len(after) == 2
    assert not set(before) & set(after)


@pytest.mark.slow
def test_the_file_of_own_data_and_networks_counts(factory: str, archive: Path, tmp_path: Path) -> None:
    """The journal forgets what was measured with other content."""
    (tmp_path / "out").mkdir()
    told = {"out": tmp_path / "out", "data": str(archive), **TINY["cifar2"], "models": (f"{factory}:twin",)}
    first = run("cifar2", **told).table
    np.savez(archive, x=digits().inputs[::-1], y=digits().labels[::-1])
    second = run("cifar2", **told).table
    assert not second.equals(first)
    Path(factory).write_text(FACTORY.replace("inputs, 6", "inputs, 9").replace("Linear(6", "Linear(9"))
    assert not run("cifar2", **told).table.equals(second)


def test_the_python_version_of_cifar_is_the_binary_one(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (12, 3072), dtype=np.uint8)
    labels = generator.integers(0, 10, 12)
    for folder in ("cifar-10-batches-py", "cifar-10-batches-bin"):
        (tmp_path / folder).mkdir()
    for number in range(1, 6):
        batch = {b"batch_label": b"x", b"labels": labels.tolist(), b"data": pixels, b"filenames": [b"a.png"] * 12}
        with (tmp_path / "cifar-10-batches-py" / f"data_batch_{number}").open("wb") as file:
            pickle.dump(batch, file, protocol=2)
        records = np.hstack([labels[:, None].astype(np.uint8), pixels])
        (tmp_path / "cifar-10-batches-bin" / f"data_batch_{number}.bin").write_bytes(records.tobytes())
    (own, test), known = read_own(tmp_path), cifar10(tmp_path)
    assert test is None
    assert np.array_equal(own.inputs, known.inputs)
    assert np.array_equal(own.labels, known.labels)
    assert own.classes == known.classes


class Evil:
    """Something that acts when it is unpickled."""

    def __reduce__(self) -> Any:
        return Path.touch, (Path("touched"),)


def test_nothing_in_a_pickle_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data_batch_1").write_bytes(pickle.dumps({b"data": Evil(), b"labels": [0]}))
    with pytest.raises(PolygeomError, match="is no batch of cifar-10-batches-py: UnpicklingError: it names"):
        read_own(tmp_path)
    assert not (tmp_path / "touched").exists()


def test_tables_pictures_and_split_archives(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,label,b\n1,cat,2\n3,dog,4\n5,cat,6\n")
    data = read_own(tmp_path / "a.csv")[0]
    assert (data.inputs.tolist(), data.labels.tolist(), data.classes) == (
        [[1, 2], [3, 4], [5, 6]], [0, 1, 0], ("cat", "dog"),
    )  # fmt: skip
    (tmp_path / "b.csv").write_text("1,2,7\n3,4,5\n")
    assert read_own(tmp_path / "b.csv")[0].classes == ("5", "7")
    from PIL import Image

    for split in ("train", "test"):
        for word, shade in (("dark", 10), ("light", 200)):
            (tmp_path / "pictures" / split / word).mkdir(parents=True)
            Image.new("RGB", (4, 3), (shade, shade, shade)).save(tmp_path / "pictures" / split / word / "1.png")
    train, test = read_own(tmp_path / "pictures")
    assert test is not None
    assert train.inputs.shape == (2, 3, 4)
    assert train.inputs[:, 0, 0].tolist() == [10, 200]
    assert test.classes == ("dark", "light")
    np.savez(tmp_path / "s.npz", x_train=np.eye(3), y_train=[0, 1, 2], x_test=np.eye(3)[:1], y_test=[2])
    assert read_own(tmp_path / "s.npz")[1].labels.tolist() == [2]  # type: ignore[union-attr]
    assert digest(tmp_path / "a.csv") != digest(tmp_path / "b.csv")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"z": np.eye(2)}, "must have arrays x and y"),
        ({"x": np.eye(2), "y": [0.5, 1]}, "must be classes, integers or texts"),
        ({"x": np.eye(2), "y": [0]}, "labels must be one for each of 2 samples"),
        ({"x": np.eye(2), "y": [0, 0]}, "must be of 2 to 1000 classes, got 1"),
        ({"x": np.array([[1, np.nan]] * 2), "y": [0, 1]}, "inputs must be finite"),
        ({"x": np.ones(2), "y": [0, 1]}, "inputs must be numbers of shape"),
        ({"x_train": np.eye(2), "y_train": [0, 1], "x_test": np.eye(2), "y_test": [0, 3]}, "class '3' is in the test"),
    ],
)
def test_arrays_that_are_no_data(arrays: dict[str, Any], message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(PolygeomError, match=message):
        read_own(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gap.csv", "f,label\n1,a\n2,\n3,b\n", "must have a class in every row, row 2 has none"),
        ("a.txt", "1", "must be a folder or a file .npz or .csv"),
        ("a.npz", "1", "is no archive|cannot"),
        ("a.csv", "1,2\n3\n", "must have 2 entries in every row"),
        ("a.csv", "a,b\nx,1\ny,2\n", "must have numbers in all columns"),
    ],
)
def test_files_that_are_no_data(name: str, content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(PolygeomError, match=message):
        read_own(tmp_path / name)


def test_options_that_own_data_replaces(archive: Path) -> None:
    with pytest.raises(PolygeomError, match="dataset has no effect here: it needs data with no data of your own"):
        load("cifar2").configuration(data=str(archive), dataset="mnist")
    np.savez(archive, x=np.eye(4), y=["a", "b", "a", "b"])
    study = load("digit-pairs")
    case = study.cases(study.configuration(data=str(archive)))[0]
    with pytest.raises(PolygeomError, match="classes must be digits here, got a, b"):
        study.measure(case)


def test_the_page_of_the_studies_has_the_table() -> None:
    text = of_the_repository("docs/studies/index.md").read_text(encoding="utf-8")
    assert table() in text
    assert all(f"polygeom study {name}" in text for name in STUDIES)


def test_an_archive_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(PolygeomError, match=r"No such file or directory; write one by numpy\.savez"):
        read_own(tmp_path / "none.npz")
