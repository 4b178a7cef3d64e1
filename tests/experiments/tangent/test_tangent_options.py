"""Every option of the studies of tangent kernels reaches what it names; artefacts come back bit for bit."""

from __future__ import annotations

import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
from here import of_the_repository

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from polygeom.cli import run as run_command  # noqa: E402
from polygeom.errors import BudgetError, FormatError, PolygeomError  # noqa: E402
from polygeom.experiments.tangent import (  # noqa: E402
    anisotropy,
    artefacts,
    cifar2,
    ntk_eigenfunctions,
)
from polygeom.experiments.tangent import snapshot as tangent_snapshot  # noqa: E402
from polygeom.experiments.tangent.networks import Model  # noqa: E402
from polygeom.experiments.tangent.options import KernelCase, KernelOptions, TrainingOptions  # noqa: E402
from polygeom.experiments.tangent.snapshot import Snapshot, initial  # noqa: E402
from polygeom.experiments.tangent.tasks import Images, ends, fit_labels  # noqa: E402
from polygeom.learning.tangent import eigen  # noqa: E402
from polygeom.learning.training.loop import DivergenceError, train  # noqa: E402
from polygeom.learning.training.settings import TrainingSettings  # noqa: E402
from polygeom.storage.arrays import read_archive, write_archive  # noqa: E402

TINY = KernelCase(train=50, test=30, epochs=4, batch_size=20, model="relu:6")
EIGEN: dict[str, Any] = {
    "models": ("relu:8",), "targets": ("1",), "eigenvectors": 5, "train": 50, "test": 30, "epochs": 2, "marks": 1,
}  # fmt: skip


def case(module: Any, seed: int = 0, **options: Any) -> Any:
    (found,) = module.cases(module.Config(**options))
    return replace(found, seed=seed)


def fitted(**options: Any) -> tuple[torch.nn.Module, Any]:
    own = replace(TINY, **options)
    images, module = Images.load(own), Model.parse("relu:6").build((8, 8), 0)
    return module, fit_labels(module, images.x, images.labels, images.train, own, None)


def test_training_in_single_precision_is_close_and_leaves_double_behind() -> None:
    """Float32 is seen by every forward pass, the table is that of float64 to its rounding, the module is as it was."""
    seen: set[torch.dtype] = set()
    images, module = Images.load(TINY), Model.parse("relu:6").build((8, 8), 0)
    module.register_forward_hook(lambda _, x, y: seen.update({x[0].dtype, y.dtype}))
    own = replace(TINY, precision="float32")
    single = fit_labels(module, images.x, images.labels, images.train, own, None)
    assert seen == {torch.float32}
    double = fitted()[1]
    assert not single.equals(double)
    np.testing.assert_allclose(single["loss"], double["loss"], rtol=1e-4)
    assert {p.dtype for p in module.parameters()} == {torch.float64}
    with pytest.raises(DivergenceError):
        fit_labels(module, images.x, images.labels, images.train, replace(own, learning_rate=1e30), None)
    assert {p.dtype for p in module.parameters()} == {torch.float64}


@pytest.mark.parametrize(
    ("module", "options"),
    [
        pytest.param(
            anisotropy, {"models": ("lenet:gelu",), "side": 4, "directions": (0,)}, marks=pytest.mark.thorough
        ),
        (cifar2, {"models": ("relu:8",)}),
        (ntk_eigenfunctions, EIGEN),
    ],
)
def test_studies_run_in_single_precision(module: Any, options: dict[str, Any]) -> None:
    small = {"train": 50, "test": 30, "epochs": 2} | options
    single, double = (module.measure(case(module, precision=name, **small)) for name in ("float32", "float64"))
    assert [list(row) for row in single] == [list(row) for row in double]
    assert single != double


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ({}, {"schedule": "linear", "momentum": 0.9}),
        ({"schedule": "constant", "momentum": 0.5}, {"momentum": 0.5}),
        ({"schedule": "cyclic", "warmup": 0.2}, {"schedule": "cyclic", "warmup": 0.2, "momentum": 0.9}),
        (
            {"schedule": "piecewise", "milestones": [1, 3], "gamma": 0.3, "learning_rate": 0.02},
            {"schedule": "piecewise", "milestones": (3, 9), "gamma": 0.3, "momentum": 0.9, "learning_rate": 0.02},
        ),
        ({"max_weight_norm": 2.5}, {"schedule": "linear", "momentum": 0.9, "max_weight_norm": 2.5}),
        ({"optimiser": "adam", "batch_size": 50}, {"schedule": "linear", "optimiser": "adam", "batch_size": 50}),
    ],
)
def test_every_option_of_training_reaches_the_weights(options: dict[str, Any], settings: dict[str, Any]) -> None:
    """By the training loop itself, where 50 images in batches of 20 make three steps an epoch."""
    module, _ = fitted(**options)
    images, other = Images.load(TINY), Model.parse("relu:6").build((8, 8), 0)
    steps = 4 * (1 if settings.get("batch_size") == 50 else 3)
    common: dict[str, Any] = {"steps": steps, "optimiser": "sgd", "learning_rate": 0.05, "batch_size": 20}
    train(
        other, images.x[:50], images.labels[:50, None], TrainingSettings(**common | settings),
        loss=torch.nn.functional.binary_cross_entropy_with_logits,
    )  # fmt: skip
    for one, two in zip(module.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)


def test_the_table_of_a_training_has_norms_and_the_way_gone() -> None:
    module, table = fitted(epochs=3)
    start = Model.parse("relu:6").build((8, 8), 0)
    assert table["epoch"].tolist() == [0, 1, 2, 3]
    pairs = [(v.detach(), w.detach()) for v, w in zip(module.parameters(), start.parameters(), strict=True)]
    assert table["distance"].iloc[-1] == pytest.approx(float(sum((v - w).square().sum() for v, w in pairs)))
    assert table["distance"].iloc[:-1].isna().all()
    for row, side in ((0, 1), (-1, 0)):
        norm = float(sum(pair[side].square().sum() for pair in pairs)) ** 0.5
        assert table["weight_norm"].iloc[row] == pytest.approx(norm)
    summary = ends(table)
    assert summary["weight_norm_start"] == table["weight_norm"].iloc[0]
    assert summary["gradient_norm_end"] == table["gradient_norm"].iloc[-1] > 0


@pytest.mark.parametrize(("name", "model"), [("relu:8", (8, 8)), ("lenet:gelu", (8, 8))])
def test_streamed_and_formed_kernels_say_the_same(name: str, model: tuple[int, ...]) -> None:
    own = TINY
    images = Images.load(own)
    formed, streamed = (
        Snapshot(Model.parse(name).build(model, 3), images, replace(own, nystrom=columns)) for columns in (None, 30)
    )
    vectors = torch.as_tensor(formed.eigensystem(12, own).vectors.copy())
    first, second = formed.alignments(vectors), streamed.alignments(vectors)
    assert list(first) == ["train", "test", "all"]
    for part, values in first.items():
        torch.testing.assert_close(second[part], values, rtol=1e-8, atol=1e-10 * float(values.max()))
    signs = 2 * images.labels - 1
    said, told = formed.describe(signs), streamed.describe(signs)
    assert told == pytest.approx({name: said[name] for name in ("alignment", "per_trace")}, rel=1e-9)
    assert set(said) - set(told) == {"centred"}
    assert formed.kernel_distance(formed)["kernel_distance"] == pytest.approx(0, abs=1e-12)
    assert streamed.kernel_distance(formed) == {}


def test_with_columns_no_kernel_of_all_images_is_formed(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any, **__: Any) -> None:
        raise AssertionError("the kernel of all images")

    monkeypatch.setattr(tangent_snapshot, "empirical_ntk", forbidden)
    asked: list[tuple[int, int]] = []
    gram = tangent_snapshot.TangentKernel.__call__

    def watch(self: Any, x: Any, y: Any) -> Any:
        asked.append((len(x), len(y)))
        return gram(self, x, y)

    monkeypatch.setattr(tangent_snapshot.TangentKernel, "__call__", watch)
    rows = ntk_eigenfunctions.measure(case(ntk_eigenfunctions, **EIGEN, nystrom=20))
    assert {row["what"] for row in rows} == {"eigenvalue", "training", "spectrum", "summary"}
    assert asked
    assert max(min(sizes) for sizes in asked) == 20
    with pytest.raises(AssertionError, match="the kernel of all images"):
        ntk_eigenfunctions.measure(case(ntk_eigenfunctions, **EIGEN))


def test_first_columns_as_published_or_random_ones() -> None:
    own = replace(TINY, nystrom=20)
    images, model = Images.load(own), Model.parse("relu:8")
    first, drawn = (initial(replace(own, nystrom_first=choice), model, images, 5)[1] for choice in (True, False))
    kernel = Snapshot(model.build((8, 8), 0), images, replace(own, nystrom=None)).matrix.numpy()
    columns, block = kernel[:, :20], kernel[:20, :20]
    exact = np.linalg.eigvalsh(columns @ np.linalg.pinv(block) @ columns.T)[::-1][:5]
    np.testing.assert_allclose(first.values, exact, rtol=1e-6)
    assert not np.allclose(drawn.values, exact, rtol=1e-6)


def test_the_memory_asked_for_is_kept() -> None:
    with pytest.raises(BudgetError, match="memory"):
        ntk_eigenfunctions.measure(case(ntk_eigenfunctions, **EIGEN, memory=1e-6))


def test_alignments_during_training_begin_and_end_with_the_summary() -> None:
    rows = ntk_eigenfunctions.measure(case(ntk_eigenfunctions, **EIGEN, linearised=False))
    during = [row for row in rows if row["what"] == "training"]
    (summary,) = (row for row in rows if row["what"] == "summary")
    assert [row["epoch"] for row in during] == [0, 1, 2]
    assert during[0]["per_trace_all"] == pytest.approx(summary["per_trace_start"])
    assert during[-1]["per_trace_all"] == pytest.approx(summary["per_trace_end"])
    assert {"per_trace_train", "per_trace_test", "weight_norm", "gradient_norm"} <= set(during[0])
    assert 0 < summary["kernel_distance"] < 1
    spectrum = [row for row in rows if row["what"] == "spectrum"]
    assert all(row[f"{when}_{part}"] > 0 for row in spectrum for when in ("start", "end") for part in ("train", "test"))


def same(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> None:
    assert json.dumps(first) == json.dumps(second)


def test_saved_eigenfunctions_come_back_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where = str(tmp_path / "kept")
    plain = ntk_eigenfunctions.measure(case(ntk_eigenfunctions, **EIGEN))
    saved = ntk_eigenfunctions.measure(case(ntk_eigenfunctions, **EIGEN, artefacts=where))
    same(plain, saved)
    (path,) = Path(where).iterdir()
    assert path.name == "eigenfunctions-digits-relu-8-seed0.npz"
    system = eigen.Eigensystem.load(path)
    assert [row["eigenvalue"] for row in saved if row["what"] == "eigenvalue"] == system.values.tolist()
    request = system.record["request"]
    assert request | {"seed": 0, "model": "relu:8", "train": 50, "nystrom": None} == request
    assert {"polygeom", "packages"} <= set(system.record["environment"])
    with np.load(path) as data:
        assert "weights/1.weight" in data.files

    def forbidden(*_: Any, **__: Any) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(Snapshot, "eigensystem", forbidden)
    same(plain, ntk_eigenfunctions.measure(case(ntk_eigenfunctions, **EIGEN, artefacts=where)))
    fewer = EIGEN | {"eigenvectors": 3}
    assert len(ntk_eigenfunctions.measure(case(ntk_eigenfunctions, **fewer, artefacts=where))) < len(plain)
    halves = {"models": ("relu:8",), "target": "1", "train": 50, "test": 30, "epochs": 1}
    cifar2.measure(case(cifar2, **halves, artefacts=where))


def test_training_starts_at_the_weights_that_were_saved(tmp_path: Path) -> None:
    options = EIGEN | {"artefacts": str(tmp_path), "epochs": 1, "linearised": False}
    first = ntk_eigenfunctions.measure(case(ntk_eigenfunctions, **options))
    (path,) = tmp_path.iterdir()
    arrays, record = read_archive(path, eigen.FORMAT)
    write_archive(path, eigen.FORMAT, arrays | {"weights/1.weight": 2 * arrays["weights/1.weight"]}, record)
    second = ntk_eigenfunctions.measure(case(ntk_eigenfunctions, **options))
    (one,), (two,) = ([row for row in rows if row["what"] == "summary"] for rows in (first, second))
    assert two["network_weight_norm_start"] > one["network_weight_norm_start"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train": 40}, r"was made with images '.*train 50 instead of 40; name another folder, or remove the file"),
        ({"normalise": False}, "normalise True instead of False"),
        ({"nystrom": 20}, "nystrom None instead of 20"),
        ({"eigenvectors": 6}, "has 5 eigenvectors, 6 are wanted"),
    ],
)
def test_artefacts_of_something_else_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    options = EIGEN | {"artefacts": str(tmp_path), "networks": False, "linearised": False}
    ntk_eigenfunctions.measure(case(ntk_eigenfunctions, **options))
    with pytest.raises(PolygeomError, match=message):
        ntk_eigenfunctions.measure(case(ntk_eigenfunctions, **options | change))


def test_files_that_are_no_artefacts_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(b"nonsense")
    with pytest.raises(FormatError, match="this file is no polygeom directions"):
        artefacts.recall(str(tmp_path), "a", "polygeom directions", {}, dict)
    write_archive(path, "polygeom eigensystem", {"weights/0.bias": np.zeros(3)}, {})
    with pytest.raises(FormatError, match="this file is no polygeom directions"):
        read_archive(path, "polygeom directions")
    with pytest.raises(FormatError, match="weights of another network"):
        artefacts.set_weights(torch.nn.Sequential(torch.nn.Linear(2, 2)), {"weights/0.bias": np.zeros(3)})
    with pytest.raises(PolygeomError, match="artefacts are eigenfunctions; write target=10"):
        cifar2.cases(cifar2.Config(artefacts=str(tmp_path)))


NADS: dict[str, Any] = {
    "models": ("lenet:gelu",), "side": 4, "directions": (2,), "train": 30, "test": 20, "epochs": 1, "sigma_inputs": 0.5,
    "samples": 3,
}  # fmt: skip


def test_saved_directions_come_back_bit_for_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = anisotropy.measure(case(anisotropy, **NADS))
    same(plain, anisotropy.measure(case(anisotropy, **NADS, artefacts=str(tmp_path))))
    (path,) = tmp_path.iterdir()
    arrays, record = read_archive(path, "polygeom directions")
    assert arrays["directions"].shape == (16, 16)
    assert record["request"]["sigma_inputs"] == 0.5
    monkeypatch.setattr(anisotropy, "anisotropy_directions", None)
    same(plain, anisotropy.measure(case(anisotropy, **NADS, artefacts=str(tmp_path))))
    with pytest.raises(PolygeomError, match=r"artefacts: .* was made with sigma_inputs 0\.5 instead of 1\.0"):
        anisotropy.measure(case(anisotropy, **NADS | {"sigma_inputs": 1.0}, artefacts=str(tmp_path)))


@pytest.mark.thorough
def test_inputs_of_the_mixed_derivative_are_as_asked_for() -> None:
    """Channels, deviation, number and pairing of the inputs each change the directions; epsilon and sigma the data."""
    base = NADS | {"networks": False, "linearised": False}

    def values(**options: Any) -> list[float]:
        return [row["singular_value"] for row in anisotropy.measure(case(anisotropy, **base | options))]

    assert len(values(channels=3)) == 48
    found = [whole := values(), values(sigma_inputs=0.0), values(samples=4), values(paired=False), values(seed=1)]
    assert len({tuple(one) for one in found}) == 5
    np.testing.assert_allclose(values(method="matrix-free"), whole[:15], rtol=1e-6)
    learned = [
        anisotropy.measure(case(anisotropy, **NADS | {"linearised": False} | change))[-1][
            "networks_gradient_norm_start"
        ]
        for change in ({}, {"epsilon": 3.0}, {"sigma": 0.5})
    ]
    assert len(set(learned)) == 3


def test_options_are_shared_by_the_three_studies() -> None:
    for module, kind in ((ntk_eigenfunctions, KernelOptions), (cifar2, KernelOptions), (anisotropy, TrainingOptions)):
        assert issubclass(module.Config, kind)
    eigen, halves = ntk_eigenfunctions.PRESETS["small"], cifar2.PRESETS["small"]
    assert (eigen.train, eigen.test) == (halves.train, halves.test)  # one takes the eigenfunctions that the other kept


SHRUNK = {
    "ntk-eigenfunctions": "--models relu:6 --eigenvectors 12 --train 50 --test 30 --epochs 1 --marks 1",
    "cifar2": "--models relu:6 --train 50 --test 30 --epochs 1",
    "anisotropy": "--side 4 --train 30 --test 20 --epochs 1",
}
LEARNED = {
    "train-ntk": {"network"}, "train-ntk-linear": {"linear"},
    "train-nads": {"networks"}, "train-nads-linear": {"linearised"},
}  # fmt: skip


@pytest.mark.thorough
@pytest.mark.usefixtures("here")
def test_every_command_in_place_of_a_published_script_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Smaller still, one after the other, as later ones take what earlier ones have kept."""
    page = of_the_repository("docs/studies/linearised-networks.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\$ polygeom (study .*)$", page, re.MULTILINE)
    monkeypatch.chdir(tmp_path)
    assert len(commands) == 9
    kept: dict[str, float] = {}
    for line in commands:
        name = line.split()[1]
        assert "--preset small" in line
        shrunk = SHRUNK[name]
        if "--no-networks" in line:  # options without effect are refused
            shrunk = shrunk.replace("--marks 1", "")
        if "--no-networks" in line and "--no-linearised" in line:
            shrunk = re.sub(r"--epochs 1|--train 30 --test 20", "", shrunk)
        assert run_command([*line.split(), *shrunk.split(), "--quiet"]) == 0, line
        out = Path(line.partition("--out ")[2])
        figures = {path.stem for path in out.glob("*.png")}
        assert figures == ({name, f"{name}-alignment"} if name == "ntk-eigenfunctions" else {name})
        table = pandas.read_csv(out / f"{name}.csv")
        assert len(table) > 0
        assert ("learner" in table) == (name == "cifar2")
        learned = {column.partition("_")[0] for column in table if column.endswith("_test")} - {"end", "start", "per"}
        assert learned == LEARNED.get(out.name, set())
        for path in Path("kept").iterdir():  # written once
            assert kept.setdefault(path.name, path.stat().st_mtime_ns) == path.stat().st_mtime_ns
    assert sorted(kept) == ["directions-lenet-gelu-seed0.npz", "eigenfunctions-digits-relu-6-seed0.npz"]


def test_the_page_names_options_that_exist_and_all_of_them() -> None:
    page = of_the_repository("docs/studies/linearised-networks.md").read_text(encoding="utf-8")
    studies = (ntk_eigenfunctions, cifar2, anisotropy)
    own = {"--" + one.name.replace("_", "-") for module in studies for one in fields(module.Config)}
    named = {option.replace("--no-", "--") for option in re.findall(r"--[a-z][a-z-]*", page)}
    framework = {"--seed", "--repeats", "--preset", "--out"}
    assert named - own <= framework
    assert own - named == {"--data", "--method", "--marks"}


def test_the_constant_of_a_linearised_network_is_kept_or_left_out() -> None:
    """Before training a full batch has the loss of the network with it, and log 2 without."""
    common: dict[str, Any] = {"models": ("relu:6",), "train": 50, "test": 30, "batch_size": 50, "epochs": 1}
    rows = [row for row in cifar2.measure(case(cifar2, **common)) if row["epoch"] == 0]
    first = {row["learner"]: row["loss"] for row in rows}
    assert first["linearised"] == pytest.approx(first["network"], rel=1e-12)
    assert first["unbiased"] == first["pretrained"] == pytest.approx(np.log(2))
    assert abs(first["network"] - np.log(2)) > 1e-3
    ends = []
    for bias in (True, False):
        options = common | {"targets": ("classes",), "eigenvectors": 3, "networks": False, "bias": bias}
        ends.append(ntk_eigenfunctions.measure(case(ntk_eigenfunctions, **options))[-1]["linear_gradient_norm_start"])
    assert ends[0] != ends[1]
