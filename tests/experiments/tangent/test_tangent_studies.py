from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from experiments.configured import configured  # noqa: E402
from here import in_this_process  # noqa: E402

from polygeom import dimension  # noqa: E402
from polygeom.datasets import normalise, train_and_test  # noqa: E402
from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.experiments import study  # noqa: E402
from polygeom.experiments.running import run  # noqa: E402
from polygeom.experiments.tangent import (  # noqa: E402
    anisotropy,
    cifar2,
    network_vs_ntk,
    ntk_eigenfunctions,
    trained_descent,
)
from polygeom.experiments.tangent.networks import Model  # noqa: E402
from polygeom.experiments.tangent.options import KernelCase  # noqa: E402
from polygeom.experiments.tangent.tasks import Images, fit_labels, linear_problem, logits  # noqa: E402
from polygeom.learning.kernels.duals import Monomial  # noqa: E402
from polygeom.learning.kernels.infinite_width import WidePerceptron  # noqa: E402
from polygeom.learning.kernels.machines import nystrom  # noqa: E402
from polygeom.learning.networks.activations import Elementwise  # noqa: E402
from polygeom.learning.tangent.eigen import eigensystem, nystrom_eigensystem, subspace_overlap  # noqa: E402
from polygeom.learning.tangent.tangent_kernel import TangentKernel, empirical_ntk, jacobian  # noqa: E402
from polygeom.learning.tangent.target_alignment import rayleigh  # noqa: E402

STUDIES = {
    "ntk-eigenfunctions": (ntk_eigenfunctions, {
        "models": ("relu:8", "ccp2:4@0.01"), "targets": ("1", "classes"), "eigenvectors": 5, "train": 60, "test": 40,
        "epochs": 2, "marks": 1,
    }),
    "cifar2": (cifar2, {"models": ("x^2:8@0.01", "lenet:tanh"), "train": 60, "test": 40, "epochs": 2}),
    "anisotropy": (anisotropy, {
        "models": ("gelu:6", "mlp2:5"), "side": 4, "directions": (0, 99), "train": 40, "test": 40, "epochs": 2,
    }),
    "network-vs-ntk": (network_vs_ntk, {"widths": (20, 40), "samples": 8, "dimension": 12, "test": 10}),
    "trained-descent": (trained_descent, {"widths": (2, 12), "train": 20, "test": 30, "steps": 5}),
}  # fmt: skip


class Tables(dict[str, pandas.DataFrame]):
    """The table of each study of `STUDIES`, measured where it is first asked for."""

    def __missing__(self, name: str) -> pandas.DataFrame:
        module, small = STUDIES[name]
        with in_this_process():
            self[name] = run(module.STUDY, config=configured(module.STUDY, **small)).table
        return self[name]


@pytest.fixture(scope="module")
def tables() -> Tables:
    return Tables()


@pytest.mark.thorough
@pytest.mark.parametrize("name", STUDIES)
def test_a_study_measures_draws_and_sums_up(name: str, tables: Tables) -> None:
    import matplotlib.pyplot as plt

    module, small = STUDIES[name]
    table = tables[name]
    assert len(table) >= 2
    figure = module.plot(table)
    assert figure.axes
    plt.close(figure)
    named = small.get("models", ("relu",))[0].partition("@")[0]
    assert named in module.summarise(table)
    assert study.load(name) is module.STUDY


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.usefixtures("here")
def test_the_rank_of_the_tangent_kernel_on_images(bias: bool) -> None:
    """Two hidden units cannot fit 200 values; the rank is that at other weights, and at most the dimension.

    It is less than the dimension where a pixel is not empty in one image alone.
    """
    config = configured(trained_descent.STUDY, widths=(2,), activations=("x^2",), train=200, steps=1, bias=bias)
    row = run(trained_descent.STUDY, config=config).table.iloc[0]
    first, second = train_and_test("digits", 200, 1000, rng=0)
    x = torch.as_tensor(normalise(first.rows(), second.rows(), centre=True)[0])
    module = WidePerceptron((64, 2, 1), Monomial(2), biases=(float(bias), 0.0), rng=5)
    assert row["rank"] == torch.linalg.matrix_rank(jacobian(module, x)[:, 0])
    seen = int(torch.linalg.matrix_rank(torch.cat([x, torch.ones(200, int(bias), dtype=x.dtype)], dim=1)))
    assert row["rank"] <= dimension(f"[{seen},2,1] r=2").dimension < row["parameters"]


@pytest.mark.parametrize("name", ["cifar2", "network-vs-ntk"])
@pytest.mark.slow  # every study runs through the same pool, whose rows test_study compares
def test_the_number_of_workers_changes_nothing(name: str, tables: Tables) -> None:
    module, small = STUDIES[name]
    again = run(module.STUDY, config=configured(module.STUDY, **small), workers=2).table
    pandas.testing.assert_frame_equal(tables[name], again, check_exact=True)


@pytest.mark.slow
def test_the_command_writes_table_and_figure(tmp_path: Path) -> None:
    arguments = "study network-vs-ntk --widths 10,20 --activations relu --samples 6 --dimension 8 --test 5 --out out"
    done = subprocess.run(
        [sys.executable, "-m", "polygeom", *arguments.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    endings = {path.suffix for path in (tmp_path / "out").iterdir()}
    assert {".csv", ".png", ".json"} <= endings


@pytest.mark.thorough
def test_spectra_are_rayleigh_quotients_of_the_kernels(tables: Tables) -> None:
    """The rows at the start are eigenvalues; shares grow by one on average, weighted by where they were."""
    rows = tables["ntk-eigenfunctions"].query("what == 'spectrum' and model == 'relu:8' and target == '1'")
    assert np.all(np.diff(rows["start_all"]) < 0)
    weight = rows["start_all"] / rows["start_all"].sum()
    assert float((weight * rows["growth"]).sum()) == pytest.approx(1)
    case = KernelCase(train=60, test=40, seed=0, model="relu:6")
    module = Model.parse("relu:8").build((8, 8), 0)
    kernel = empirical_ntk(module, Images.load(case).x, outputs="trace")
    np.testing.assert_allclose(rows["start_all"], eigensystem(kernel, 5).values, rtol=1e-9)


RESIDUAL = {
    "ntk-eigenfunctions": (ntk_eigenfunctions, {
        "models": ("resnet18:relu:2",), "targets": ("1",), "eigenvectors": 4, "train": 40, "test": 20, "epochs": 2,
        "marks": 1, "batch_size": 20,
    }),
    "cifar2": (cifar2, {
        "models": ("resnet18:relu:2", "preresnet18:x^2:2@0.01"), "train": 40, "test": 20, "epochs": 2, "batch_size": 20,
    }),
    "anisotropy": (anisotropy, {
        "models": ("resnet18:gelu:2", "preresnet18:x^2:2"), "side": 4, "directions": (0,), "train": 40, "test": 20,
        "epochs": 2, "batch_size": 20,
    }),
}  # fmt: skip


# One small study with a residual network is enough for every change; the larger ones take as long as fifty other tests.
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.slow if n in ("anisotropy", "cifar2", "ntk-eigenfunctions") else ())
        for n in RESIDUAL
    ],
)
@pytest.mark.usefixtures("here")
def test_residual_networks_in_every_study(name: str) -> None:
    module, small = RESIDUAL[name]
    table = run(module.STUDY, config=configured(module.STUDY, **small)).table
    assert "resnet18" in module.summarise(table)
    if name == "anisotropy":  # even the quadric has directions: its weights include shifts
        assert (table[table["what"] == "direction"].groupby("model").size() == 16).all()
    if name == "cifar2":  # without the statistics it was trained with, a polynomial of high degree overflows
        assert table.loc[table["diverged"].notna(), ["model", "learner"]].to_numpy().tolist() == [
            ["preresnet18:x^2:2", "pretrained"]
        ]
        assert "linearised after training, without constant: diverged in 1 of the runs" in module.summarise(table)
    if name == "ntk-eigenfunctions":
        summary = table[table["what"] == "summary"].iloc[0]
        first = table[(table["what"] == "training") & (table["epoch"] == 0)].iloc[0]
        assert first["per_trace_all"] == pytest.approx(summary["per_trace_start"], rel=1e-9)  # statistics not yet moved
        last = table[table["what"] == "training"].iloc[-1]
        assert last["per_trace_all"] == pytest.approx(summary["per_trace_end"], rel=1e-9)


@pytest.mark.thorough
def test_the_linearisation_after_training_has_the_statistics_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict] = []

    def spy(module, x, *, bias, dtype):
        seen.append({"bias": bias, "training": module.training, "mean": float(module.stem[1].running_mean.abs().sum()),
                     "variance": float(module.stem[1].running_var.sum())})  # fmt: skip
        return linear_problem(module, x, bias=bias, dtype=dtype)

    monkeypatch.setattr(cifar2, "linear_problem", spy)
    _, small = RESIDUAL["cifar2"]
    small = {**small, "models": ("resnet18:relu:2",), "learners": ("linearised", "pretrained"), "epochs": 1}
    for statistics in ("start", "trained"):
        cifar2.measure(replace(cifar2.cases(configured(cifar2.STUDY, statistics=statistics, **small))[0], seed=0))
    start, reset, again, trained = seen
    assert not any(one["training"] for one in seen)
    assert [one["bias"] for one in seen] == [True, False, True, False]
    assert all((one["mean"], one["variance"]) == (0, 2) for one in (start, reset, again))
    assert trained["mean"] > 0
    assert trained["variance"] != 2


@pytest.mark.parametrize(
    ("name", "layers", "activation", "width"),
    [pytest.param("resnet18", 21, "relu", 64, marks=pytest.mark.slow),
     ("resnet18:gelu:3", 21, "gelu", 3), ("preresnet34:x^2:2", 37, "x^2", 2),
     ("resnet50:tanh:1", 54, "tanh", 1)],
)  # fmt: skip
def test_residual_networks_by_name(name: str, layers: int, activation: str, width: int) -> None:
    module = Model.parse(f"{name}@0.01").build((3, 8, 8), 1)
    maps = [part for part in module.modules() if isinstance(part, torch.nn.Conv2d | torch.nn.Linear)]
    assert len(maps) == layers
    assert maps[0].out_channels == width
    assert next(module.parameters()).dtype == torch.float64
    assert not module.training
    assert {part.name for part in module.modules() if isinstance(part, Elementwise)} == {activation}


def test_accuracies_take_some_images_at_a_time() -> None:
    """The values of a residual network of full width on all images of CIFAR-10 would take tens of gigabytes."""
    taken: list[int] = []

    class Spy(torch.nn.Flatten):
        def forward(self, x):
            taken.append(len(x))
            return super().forward(x)

    x = torch.randn(600, 1, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    module = torch.nn.Sequential(Spy(), torch.nn.Linear(3, 1).double())
    torch.testing.assert_close(logits(module, x), module[1](x[:, 0])[:, 0], rtol=1e-12, atol=1e-12)
    assert max(taken) <= 256
    assert sum(taken) == 600


def test_the_zero_matrix_is_reported_not_trained(tables: Tables) -> None:
    rows = tables["anisotropy"].query("model == 'mlp2:5'")
    assert rows["what"].tolist() == ["no directions"]
    assert "zero" in rows["reason"].iloc[0]
    assert "no directions" in anisotropy.summarise(tables["anisotropy"])


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-9), pytest.param(torch.float32, 1e-3, marks=pytest.mark.thorough)]
)
def test_a_linearised_problem_is_one_model_by_two_routes(
    monkeypatch: pytest.MonkeyPatch, dtype: torch.dtype, tolerance: float
) -> None:
    """Rows of a Jacobian, or forward derivatives where it does not fit into memory."""
    from polygeom.experiments.tangent import tasks as tangent_tasks

    name = str(dtype).removeprefix("torch.")
    case = KernelCase(train=40, test=20, epochs=2, batch_size=16, precision=name, seed=0, model="relu:6")
    images = Images.load(case)
    module = Model.parse("lenet:gelu").build((8, 8), 0)
    fast = linear_problem(module, images.x, bias=True, dtype=dtype)
    monkeypatch.setattr(tangent_tasks, "_JACOBIAN_BYTES", 0)
    slow = linear_problem(module, images.x, bias=True, dtype=dtype)
    assert type(fast[0]) is not type(slow[0])
    assert {p.dtype for own, _ in (fast, slow) for p in own.parameters()} == {dtype}
    values = [fit_labels(m, x, images.labels, 40, case, None).to_numpy() for m, x in (fast, slow)]
    np.testing.assert_allclose(values[0], values[1], rtol=tolerance)


def test_eigenfunctions_are_learned_alike_by_both_routes(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also the second target: the linearised network starts again from the weights that it was made of."""
    monkeypatch.setattr("polygeom.experiments.tangent.tasks._JACOBIAN_BYTES", 0)
    _, small = STUDIES["ntk-eigenfunctions"]
    config = configured(ntk_eigenfunctions.STUDY, **small | {"models": ("relu:8",), "networks": False})
    with in_this_process():
        found = run(ntk_eigenfunctions.STUDY, config=config).table.query("what == 'summary'")
    first = tables["ntk-eigenfunctions"].query("what == 'summary' and model == 'relu:8'")
    columns = [name for name in found if name.startswith("linear_")]
    assert len(columns) == 7
    assert np.allclose(found[columns].to_numpy(), first[columns].to_numpy(), rtol=1e-9, atol=1e-12)


def test_images_are_normalised_by_their_training_part() -> None:
    case = KernelCase(train=100, test=50, seed=3, model="relu:6")
    images = Images.load(case)
    assert images.x.shape == (150, 8, 8)
    assert float(images.x[:100].mean()) == pytest.approx(0, abs=1e-12)
    assert float(images.x[:100].std(correction=0)) == pytest.approx(1)
    assert set(images.labels.tolist()) == {0.0, 1.0}
    raw = Images.load(replace(case, normalise=False))
    assert (float(raw.x.min()), float(raw.x.max())) == (0, 16)
    mean, deviation = raw.x[:100].mean(), raw.x[:100].std(correction=0)
    torch.testing.assert_close((raw.x - mean) / deviation, images.x)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Model.parse("relu:8@fast"), "models must look like"),
        (lambda: Model.parse("relu:wide").build((8, 8), 0), "there is no module relu"),
        (lambda: Model.parse("resnet20").build((8, 8), 0), "depth must be one of 18, 34"),
        (lambda: Model.parse("resnet18:relu:wide").build((8, 8), 0), "width must be a number"),
        (lambda: Model.parse("resnet18:8").build((8, 8), 0), "activation must be one of"),
        (
            lambda: Model.parse("swish:8").build((8, 8), 0),
            r"activation must be one of relu, gelu, .* or x\^r, got 'swish'",
        ),
        (lambda: ntk_eigenfunctions.cases(ntk_eigenfunctions.Config(targets=("500",))), "targets must be classes or"),
        (lambda: cifar2.cases(cifar2.Config(target="first")), "target must be classes or an index"),
        (lambda: anisotropy.cases(anisotropy.Config(side=2)), "side must be at least 4"),
        (lambda: network_vs_ntk.activation("swish"), r"activations must be relu, erf or x\^r"),
    ],
)
def test_bad_options_are_explained(call, message: str) -> None:
    with pytest.raises(PolygeomError, match=message):
        call()


@pytest.mark.usefixtures("here")
def test_missing_files_are_named_before_anything_runs(tmp_path: Path) -> None:
    folder = tmp_path / ("a_folder_of_some_length_" * 6)
    folder.mkdir()
    config = configured(cifar2.STUDY, "published", models=("relu:4",), data_root=str(folder))
    with pytest.raises(PolygeomError, match="downloads nothing"):
        run(cifar2.STUDY, config=config)


# What follows takes minutes.


def mean(table: pandas.DataFrame, column: str, **where: str) -> float:
    for name, value in where.items():
        table = table[table[name] == value]
    assert len(table)
    return float(table[column].mean())


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_linearised_networks_win_on_eigenfunctions_and_lose_on_classes() -> None:
    targets = ("1", "10", "30", "100", "classes")
    config = configured(ntk_eigenfunctions.STUDY, "page", models=("relu:100-100",), targets=targets)
    table = run(ntk_eigenfunctions.STUDY, config=config, repeats=3, workers=2).table
    summary = table[table["what"] == "summary"]
    for learner in ("network_test", "linear_test"):
        one, ten, hundred = (mean(summary, learner, target=t) for t in ("1", "10", "100"))
        assert one >= 0.95
        assert one > ten > hundred
    for target in ("30", "100"):
        assert mean(summary, "linear_test", target=target) >= mean(summary, "network_test", target=target) + 0.03
    assert mean(summary, "network_test", target="classes") >= mean(summary, "linear_test", target="classes") + 0.01
    for target in ("1", "classes"):
        grown = mean(summary, "per_trace_end", target=target) / mean(summary, "per_trace_start", target=target)
        assert grown >= 2


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("model", ["relu:100", "x^2:100@0.01"])
def test_the_kernel_turns_towards_the_target_alone(model: str) -> None:
    config = configured(ntk_eigenfunctions.STUDY, "growth", models=(model,), linearised=False)
    table = run(ntk_eigenfunctions.STUDY, config=config, repeats=3, workers=2).table
    spectrum = table[table["what"] == "spectrum"]
    for target, rows in spectrum.groupby("target"):  # the mean of three seeds; of one, noise among late vectors may win
        assert int(rows.groupby("index")["growth"].mean().idxmax()) == int(str(target))
    early = spectrum[spectrum["index"] < 100]
    for (target, _), rows in early.groupby(["target", "seed"]):
        assert rows["index"].iloc[int(rows["growth"].to_numpy().argmax())] == int(str(target))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("model", "ahead"), [("relu:100-100", (1, 3)), ("relu:100-100@0.01", (1, 3, 10, 30))])
def test_the_kernel_after_training_explains_the_network(model: str, ahead: tuple[int, ...]) -> None:
    """At the larger rate all learners are near their end after ten epochs, and closer together than that."""
    config = configured(cifar2.STUDY, "page", models=(model,))
    table = run(cifar2.STUDY, config=config, repeats=3, workers=2).table
    curves = table.groupby(["learner", "epoch"])["test"].mean()
    assert curves["pretrained"].iloc[-1] >= curves["unbiased"].iloc[-1] + 0.01
    assert curves["network"].iloc[-1] >= curves["linearised"].iloc[-1] + 0.01
    for epoch in ahead:
        assert curves["pretrained"][epoch] >= curves["unbiased"][epoch] + 0.03


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_easy_directions_are_learned_and_hard_ones_are_not() -> None:
    config = configured(anisotropy.STUDY, "page", models=("lenet:gelu",), directions=(0, 143), linearised=False)
    rows = run(anisotropy.STUDY, config=config, repeats=3, workers=2).table.query("what == 'accuracy'")
    assert (rows[rows["index"] == 0]["networks_test"] >= 0.9).all()
    assert (rows[rows["index"] == 143]["networks_test"] <= 0.6).all()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_wide_networks_are_kernel_regression() -> None:
    """Geometric means over ten seeds: of one, four times the width may bring a factor of 2 or of 13."""
    config = configured(network_vs_ntk.STUDY, activations=("relu", "x^2"), widths=(250, 1000, 4000))
    table = run(network_vs_ntk.STUDY, config=config, repeats=10, workers=2).table
    assert (table["steps"] < 2000).all()
    rectifier = table[table["activation"] == "relu"]
    assert (rectifier[rectifier["width"] == 1000]["mse_empirical"] <= 5e-3).all()
    assert (rectifier[rectifier["width"] == 4000]["mse_empirical"] <= 5e-4).all()
    columns = ["mse_empirical", "mse_infinite", "kernel_moved", "kernel_to_limit"]
    means = np.log(table.set_index(["activation", "width"])[columns]).groupby(level=[0, 1]).mean()
    assert (means["mse_infinite"] - means["mse_empirical"] >= np.log(4)).all()
    assert means.loc[("relu", 1000), "mse_empirical"] - means.loc[("relu", 4000), "mse_empirical"] >= np.log(5)
    rates = (means.xs(4000, level=1) - means.xs(250, level=1)) / np.log(16)
    assert rates.loc["relu", "mse_empirical"] == pytest.approx(-1.5, abs=0.25)
    assert rates.loc["x^2", "mse_empirical"] == pytest.approx(-2, abs=0.3)
    assert rates.loc["relu", "kernel_moved"] == pytest.approx(-0.75, abs=0.15)
    assert rates.loc["x^2", "kernel_moved"] == pytest.approx(-1, abs=0.15)
    for name in ("relu", "x^2"):
        assert rates.loc[name, "mse_infinite"] == pytest.approx(-1, abs=0.15)
        assert rates.loc[name, "kernel_to_limit"] == pytest.approx(-0.5, abs=0.1)


@pytest.mark.slow  # of a smaller tangent kernel in tests/learning/tangent/test_linearised.py
def test_nystrom_of_the_kernel_of_the_digits() -> None:
    """Of 1797 images 600 are looked at: eigenvalues to 1 %, eigenspaces to 1e-3; eigenfunctions are less exact."""
    case = KernelCase(seed=0, model="relu:6")
    x = Images.load(case).x.flatten(start_dim=1)
    kernel = TangentKernel(Model.parse("relu:100").build((64,), 0))
    full = kernel(x, x)
    exact = eigensystem(full, 10)
    for seed in (0, None):
        some = nystrom_eigensystem(kernel, x, 10, 600, rng=seed)
        assert np.abs(some.values / exact.values - 1).max() <= 0.01
        assert subspace_overlap(some.vectors, exact.vectors) >= 0.999
    functions = nystrom(kernel, x, 10, subsample=600)
    assert np.abs(len(x) * functions.values.numpy() / exact.values - 1).max() <= 0.15
    assert subspace_overlap(functions(x).numpy(), exact.vectors) >= 0.95
    assert torch.allclose(rayleigh(full, torch.as_tensor(exact.vectors.copy())), torch.as_tensor(exact.values.copy()))
    assert jacobian(kernel.module, x[:5]).shape == (5, 1, 6601)
