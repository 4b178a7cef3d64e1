"""Trained networks of studies: kept on request, found again, and what they were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from experiments import tiny_study  # noqa: E402

from polygeom.errors import FormatError, PolygeomError  # noqa: E402
from polygeom.experiments import STUDIES, load_weights, run  # noqa: E402
from polygeom.experiments.algebra import descent_in_dimension  # noqa: E402
from polygeom.experiments.coordinate.dynamics import Model  # noqa: E402
from polygeom.experiments.running import Run, measure_all  # noqa: E402
from polygeom.experiments.study import load, plain  # noqa: E402
from polygeom.experiments.weights import KeptWeights, keep_weights, keeping  # noqa: E402
from polygeom.network import parse  # noqa: E402


def test_kept_weights_are_those_that_gave_the_rows(tmp_path: Path) -> None:
    """A network of polygeom comes back by itself."""
    config = descent_in_dimension.Config(families=("product",), restarts=1, steps=4, test_points=10)
    case = replace(descent_in_dimension.cases(config)[1], seed=3)
    (before,) = descent_in_dimension.measure(case)
    with keeping(str(tmp_path / "weights"), "descent-in-dimension", case):
        (row,) = descent_in_dimension.measure(case)
    assert row == before
    (one,) = load_weights(tmp_path)
    assert (one.study, one.case, one.network) == ("descent-in-dimension", plain(case), row["network"])
    family, network = descent_in_dimension.FAMILIES["product"], parse(row["network"])
    x, y, *_ = descent_in_dimension.labels(
        network.input_dimension, network.output_dimension, family.samples, 10, case.label_noise, 3
    )
    assert float((one.to_torch()(x) - y).square().mean().detach()) == pytest.approx(row["train"], rel=1e-9)


@pytest.mark.usefixtures("here")
def test_a_run_keeps_weights_once_and_other_modules_take_them_back(tmp_path: Path) -> None:
    flags = ("visualize_regions", "hyperplanes", "boundary", "param_norms")
    options = {"images": ("random",), "size": 8, "models": ("relu:raw",), "neurons": 5, "epochs": 2, "inradius": 0}
    plan = Run.of("coordinate", **options, **dict.fromkeys(flags, False))
    for _ in range(2):  # the second time nothing is trained
        table, failures = measure_all(plan, 1, tmp_path, None, False, (), keep_weights=True)
        (one,) = load_weights(tmp_path)
        stamp = one.path.stat().st_mtime_ns
    assert (one.path.stat().st_mtime_ns, failures) == (stamp, ())
    assert (one.study, one.network) == ("coordinate", None)
    case = msgspec.convert(one.case, plan.study.case)
    model = Model.parse(case.model)
    inputs = model.encode((8, 8), case)
    module = one.load_into(model.build(inputs.shape[1], 3, replace(case, seed=99)))
    (drawn,) = table[table["array"] == "image"]["data"]
    np.testing.assert_allclose(module(inputs).detach().reshape(8, 8, 3).numpy(), drawn, atol=1e-4)
    with pytest.raises(PolygeomError, match="no network of polygeom"):
        one.to_torch()
    with pytest.raises(PolygeomError, match="does not fit a Linear"):
        one.load_into(torch.nn.Linear(2, 1))


def test_keeping_weights_without_effect_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PolygeomError, match="keep_weights has no effect here: there is no folder"):
        run("descent-in-dimension", keep_weights=True)
    for study in (tiny_study.STUDY, "label-noise"):
        with pytest.raises(PolygeomError, match="this study trains no network"):
            run(study, keep_weights=True, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_holds_no_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolygeomError, match="holds no weights"):
        load_weights(tmp_path)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "a.npz").write_bytes(b"nonsense")
    with pytest.raises(FormatError, match="no polygeom study weights"):
        load_weights(tmp_path)


def test_several_networks_of_a_case_are_told_apart(tmp_path: Path) -> None:
    modules = [torch.nn.Linear(2, 1), parse("[2,2,1] r=2").to_torch()]
    keep_weights(modules[0])  # nobody keeps anything
    with keeping(str(tmp_path / "weights"), "mine", {"seed": 3, "widths": (1, 2)}):
        for name, module in zip("ab", modules, strict=True):
            keep_weights(module, name)
    found = load_weights(tmp_path)
    assert [(one.name, one.number, one.case) for one in found] == [
        ("a", 1, {"seed": 3, "widths": [1, 2]}),
        ("b", 2, {"seed": 3, "widths": [1, 2]}),
    ]
    assert isinstance(found[0], KeptWeights)
    x = torch.randn(4, 2, dtype=torch.float64)
    assert torch.equal(found[1].to_torch()(x), modules[1](x))


NOT_TRAINING = {
    "interpolation-threshold", "teacher-recovery", "kernel-spectrum", "learnable-functions", "label-noise",
    "random-features", "learning-coefficient", "preferred-strata", "real-solutions",
}  # fmt: skip


def test_studies_say_whether_they_train() -> None:
    """The others fit thousands of throw-away networks, or none."""
    assert {name for name in STUDIES if not load(name).trains} == NOT_TRAINING
