"""What all studies share: the same rows for any number of workers, failures told, kills survived, files written."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pandas
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from experiments import tiny_study
from here import in_this_process

from polygeom import experiments
from polygeom.cli import run as command
from polygeom.errors import PolygeomError
from polygeom.experiments import running, study
from polygeom.experiments.running import run

Capture = pytest.CaptureFixture[str]
TINY = "experiments.tiny_study"


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(experiments.STUDIES, "tiny", TINY)


@pytest.mark.thorough
def test_rows_come_in_the_order_of_the_cases_and_do_not_depend_on_workers() -> None:
    config = tiny_study.STUDY.configuration("published", model="noisy")
    with in_this_process():
        one = run(TINY, config=config, repeats=2, seed=5).table
    two = run(tiny_study.STUDY, config=config, repeats=2, seed=5, workers=2).table
    assert one["seed"].tolist() == [5] * 6 + [6] * 6
    assert one["power"].tolist() == [*range(1, 7)] * 2
    assert list(one.columns) == ["seed", "power", "value", "root"]
    assert one["root"].isna().all()
    pandas.testing.assert_frame_equal(one, two, check_exact=True)
    assert one["value"].nunique() == 12
    assert one["value"].tolist()[6] != one["value"].tolist()[0]


@pytest.mark.parametrize("name", experiments.STUDIES)
def test_studies_say_whether_they_honour_a_device(name: str) -> None:
    found = study.load(name)
    source = Path(str(sys.modules[found.module].__file__)).read_text(encoding="utf-8")
    assert found.any_device == bool(re.search(r"case\.device|model\.encode\(", source))
    assert running.usable_device(found, "cpu") == "cpu"
    if not found.any_device:
        assert running.usable_device(found, "auto") == "cpu"


@pytest.mark.usefixtures("here")
def test_one_failing_case_is_told_and_all_failing_raise() -> None:
    result = run(TINY, config=tiny_study.Config(fail=2))
    assert result.table["power"].tolist() == [1, 3]
    (failure,) = result.failures
    assert (failure["status"], failure["message"]) == ("invalid", "power 2 was told to fail")
    with pytest.raises(PolygeomError, match="every case failed; the first: power 2 was told to fail"):
        run(TINY, config=tiny_study.Config(powers=(2,), fail=2))


@pytest.mark.thorough
@pytest.mark.usefixtures("here")
def test_a_finished_study_measures_nothing_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    config = tiny_study.Config(log=str(log))
    first = run(TINY, config=config, out=tmp_path / "out").table
    again = run(TINY, config=config, out=tmp_path / "out").table
    pandas.testing.assert_frame_equal(first, again, check_exact=True)
    assert len(log.read_text().splitlines()) == 3
    run(TINY, config=config, out=tmp_path / "out", repeats=2)
    assert len(log.read_text().splitlines()) == 6


@pytest.mark.thorough
@pytest.mark.usefixtures("registered")
def test_a_study_killed_in_the_middle_goes_on(tmp_path: Path, capsys: Capture) -> None:
    log, out = tmp_path / "log", tmp_path / "out"
    options = ["--out", str(out), "--log", str(log), "--pause", "0.4", "--powers", "1,2,3,4,5", "--device", "cpu"]
    code = (
        "import sys; from polygeom import experiments, cli; "
        f"experiments.STUDIES['tiny'] = '{TINY}'; cli.main(['study', 'tiny', *sys.argv[1:]])"
    )
    program = [sys.executable, "-c", code, *options]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    victim = subprocess.Popen(program, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (log.exists() and len(log.read_text().splitlines()) >= 3):
        assert time.monotonic() < deadline
        assert victim.poll() is None
        time.sleep(0.02)
    time.sleep(0.2)  # until the row of the case before is written, in the middle of the one that runs
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    started = len(log.read_text().splitlines())
    assert started < 5
    assert not (out / "tiny.csv").exists()
    time.sleep(0.5)  # the worker ends with its parent
    with in_this_process():
        assert command(["study", "tiny", *options]) == 0
    assert capsys.readouterr().out == "power 1: 2\npower 2: 4\npower 3: 8\npower 4: 16\npower 5: 32\n"
    assert pandas.read_csv(out / "tiny.csv")["value"].tolist() == [2, 4, 8, 16, 32]
    counts = pandas.Series(log.read_text().splitlines()).value_counts()
    assert set(counts.index) == {f"{power} 0" for power in range(1, 6)}
    assert sorted(counts)[:4] == [1, 1, 1, 1]  # only the case that was running is measured twice
    assert counts.max() <= 2


@pytest.mark.usefixtures("registered", "here")
def test_the_command_writes_configuration_table_and_figure(tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "out"
    arguments = [
        "study",
        "tiny",
        "--preset",
        "published",
        "--base",
        "3",
        "--shift",
        "--fail",
        "none",
        "--out",
        str(out),
    ]
    assert command([*arguments, "--seed", "4", "--workers", "2"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("power 1: 4\npower 2: 10\n")
    assert "tiny.csv, tiny.png, tiny.svg" in captured.err
    config = json.loads((out / "config.json").read_text())
    assert config["config"] == {
        "powers": [1, 2, 3, 4, 5, 6], "base": 3.0, "model": "exact", "fail": None, "shift": True, "log": None,
        "pause": 0.0,
    }  # fmt: skip
    assert (config["study"], config["preset"], config["repeats"], config["seed"]) == ("tiny", "published", 2, 4)
    assert config["environment"]["packages"]["torch"]
    table = pandas.read_csv(out / "tiny.csv")
    assert table["seed"].tolist() == [4] * 6 + [5] * 6
    assert (out / "tiny.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in out.iterdir()} == {"config.json", "tiny.csv", "tiny.png", "tiny.svg", "journal"}


@pytest.mark.usefixtures("registered")
@pytest.mark.usefixtures("here")
def test_the_command_tells_failures(tmp_path: Path, capsys: Capture) -> None:
    assert command(["study", "tiny", "--fail", "2", "--out", str(tmp_path), "-q"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "polygeom: invalid: power 2 was told to fail (seed=0, device=cpu, base=2.0," in err
    assert "1 cases failed and are not in the table" in err


@pytest.mark.usefixtures("registered")
def test_help_lists_studies_and_the_options_of_each(capsys: Capture) -> None:
    for arguments in ([], ["--list"]):
        assert command(["study", *arguments]) == 0
        assert "tiny  A study of nothing: powers of two" in " ".join(capsys.readouterr().out.split()).replace(
            "tiny A", "tiny  A"
        )
    assert command(["study", "tiny", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "Presets: quick, published." in text
    assert "--powers N,… Exponents. [quick: 1,2,3]" in text
    assert "--model TEXT How. One of: exact, noisy. [quick: exact]" in text
    assert "--shift / --no-shift Add one. [quick: no-shift]" in text
    assert "--fail N|none Exponent that fails. [quick: none]" in text


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "No such command 'nothing'"),
        (["tiny", "--model", "magic"], "model must be one of exact, noisy, got 'magic'; write exact"),
        (["tiny", "--powers", "1,x"], "'1,x' is not what powers takes"),
        (["tiny", "--preset", "huge"], "preset must be one of quick, published, got 'huge'"),
        (["tiny", "--repeats", "0"], "repeats must be an integer of at least 1"),
        (["tiny", "--device", "cuda"], "this study computes on the CPU alone, got device 'cuda'"),
        (["extrapolation", "--device", "abacus"], "device 'abacus' cannot be used"),
        (["tiny", "--out", "no/such/folder"], "cannot create the folder 'no/such/folder'"),
    ],
)
def test_what_cannot_be_used_is_one_message(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(["study", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_an_unknown_study_or_option_is_refused() -> None:
    with pytest.raises(PolygeomError, match=r"study must be one of .*got 'nothing'"):
        study.load("nothing")
    with pytest.raises(PolygeomError, match="colour is no option of this study; it has base, model"):
        tiny_study.STUDY.configuration(colour=1)


@pytest.mark.parametrize("missing", ["torch", "matplotlib", "sklearn"])
def test_a_missing_extra_says_what_to_install(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == missing else find(name, *rest))
    with pytest.raises(PolygeomError, match=rf'{missing}.* \(extras learn, plot\); .*pip install "\.\[learn,plot\]"'):
        study.load(TINY)


@pytest.mark.parametrize("name", list(experiments.STUDIES))
def test_every_study_keeps_the_contract(name: str) -> None:
    found = study.load(name)
    assert found.name == name
    assert {"small", "quick", "published"} <= set(found.presets)
    for preset, config in found.presets.items():
        assert isinstance(config, found.config), preset
        study.check(config)
        work = found.cases(config)
        assert work
        assert msgspec.json.decode(msgspec.json.encode(work), type=list[found.case]) == work  # type: ignore[name-defined]
    assert set(found.repeats) <= set(found.presets)
    assert all(count >= 1 for count in found.repeats.values())
    fields = found.config.__dataclass_fields__.values()
    assert all(one.metadata["help"].endswith(".") for one in fields)


@pytest.mark.thorough
@pytest.mark.usefixtures("registered")
@pytest.mark.usefixtures("here")
def test_results_of_other_options_are_not_overwritten_in_silence(tmp_path: Path, capsys: Capture) -> None:
    out = ["--out", str(tmp_path / "out"), "-q"]
    assert command(["study", "tiny", "--base", "3", *out]) == 0
    before = (tmp_path / "out" / "tiny.csv").read_bytes()
    assert command(["study", "tiny", "--base", "3", *out]) == 0
    capsys.readouterr()
    for options, told in (
        (["--base", "4"], "base 3.0 (now 4.0)"),
        (["--base", "3", "--seed", "1"], "seed 0 (now 1)"),
        (["--preset", "published", "--base", "3"], "powers [1, 2, 3] (now [1, 2, 3, 4, 5, 6])"),
    ):
        assert command(["study", "tiny", *options, *out]) == 2
        message = capsys.readouterr().err
        assert f"has results of other options: {told}; name another folder, or write --overwrite" in message
        assert (tmp_path / "out" / "tiny.csv").read_bytes() == before
    assert command(["study", "tiny", "--base", "3", "--repeats", "2", *out]) == 0
    assert command(["study", "tiny", "--base", "3", *out]) == 2  # fewer repeats would lose rows
    assert command(["study", "tiny", "--base", "4", "--overwrite", *out]) == 0
    assert pandas.read_csv(tmp_path / "out" / "tiny.csv")["value"].tolist() == [4, 16, 64]


def test_a_folder_with_files_of_unknown_origin_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "tiny.csv").write_text("precious")
    with pytest.raises(PolygeomError, match=r"has files of this study without config\.json"):
        run(TINY, out=tmp_path)
    assert (tmp_path / "tiny.csv").read_text() == "precious"


@pytest.mark.usefixtures("here")
def test_a_run_is_repeated_from_its_configuration(tmp_path: Path) -> None:
    first = run(TINY, "published", out=tmp_path / "one", base=3.0, shift=True, seed=4)
    again = run(TINY, config=tmp_path / "one" / "config.json", out=tmp_path / "two")
    assert (again.run, again.files) == (first.run, first.files)
    assert (tmp_path / "one" / "tiny.csv").read_bytes() == (tmp_path / "two" / "tiny.csv").read_bytes()
    other = run(TINY, config=tmp_path / "one" / "config.json", repeats=1, base=2.0)
    assert other.table["value"].tolist() == [3, 5, 9, 17, 33, 65]
    assert str(other) == tiny_study.summarise(other.table)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("[]", "it lacks 'study'"),
        ('{"study": "tiny"}', "it lacks 'preset'"),
        (None, "cannot read"),
        ('{"study":"other","preset":"quick","config":{},"repeats":1,"seed":0,"device":"cpu"}', "of the study other"),
        ('{"study":"tiny","preset":"quick","config":{"x":1},"repeats":1,"seed":0,"device":"cpu"}', "x is no option"),
        (
            '{"study":"tiny","preset":"quick","config":{"base":"a"},"repeats":1,"seed":0,"device":"cpu"}',
            "Expected `float`",
        ),
        ('{"study":"tiny","preset":"quick","config":{"powers":[1.5]},"repeats":1,"seed":0,"device":"cpu"}', "powers"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.raises(PolygeomError, match=message):
        run(TINY, config=tmp_path / "config.json")


def test_a_case_has_what_it_depends_on_and_no_more() -> None:
    """So that finished cases are found again: steps of training are nothing to a spectrum, other widths to nobody."""
    found = study.load("kernel-spectrum")
    before, after = (found.cases(found.config(**changes)) for changes in ({}, {"steps": 7, "widths": (2, 4, 9)}))
    spectra = [{case for case in some if case.part == "spectrum"} for some in (before, after)]
    assert len(spectra[0] & spectra[1]) == 2
    assert {case.width for case in spectra[1] - spectra[0]} == {9}
    assert {case.steps for case in after if case.part == "training"} == {7}
    assert not {case for case in before if case.part == "training"} & set(after)


@pytest.mark.usefixtures("registered")
def test_an_option_without_effect_is_an_error(tmp_path: Path, capsys: Capture) -> None:
    with pytest.raises(PolygeomError, match="pause has no effect here: it needs log with a value, got log None"):
        tiny_study.STUDY.configuration(pause=0.1)
    assert tiny_study.STUDY.configuration(pause=0.1, log=str(tmp_path / "log")).pause == 0.1
    assert tiny_study.STUDY.configuration(pause=0.0).pause == 0.0  # the value that it has anyway
    for options in (["--preset", "published"], ["--models", "relu:raw"]):
        assert command(["study", "coordinate", *options, "--L", "8", "--out", str(tmp_path / "out")]) == 2
        assert "L has no effect here: it needs models with a network that reads sin_cos" in capsys.readouterr().err
    assert study.load("coordinate").configuration(models=("relu:sin_cos",), L=8).L == 8


@pytest.mark.parametrize("name", list(experiments.STUDIES))
def test_conditions_of_options_name_options(name: str) -> None:
    found = study.load(name)
    fields = found.config.__dataclass_fields__
    for one in fields.values():
        for needs in one.metadata["needs"]:
            assert set(needs.names) <= set(fields)


@pytest.mark.parametrize("name", list(experiments.STUDIES))
def test_what_presets_change_has_an_effect(name: str) -> None:
    """So every condition holds somewhere, as far as presets use the option."""
    found = study.load(name)
    start = found.config()
    for preset in found.presets.values():
        for one in found.config.__dataclass_fields__.values():
            if getattr(preset, one.name) != getattr(start, one.name):
                assert all(needs.holds(preset) for needs in one.metadata["needs"]), (name, one.name)


WITHOUT_EFFECT = [
    ("label-noise", {"kernels": ("laplacian",), "solvers": ("exact",)},
     {"degree": 3, "depth": 2, "exponent": 0.5, "offset": 2.0, "epochs": 3, "top": 7, "data_root": "x"}),
    ("label-noise", {"kernels": ("ntk-relu",), "solvers": ("eigenpro",)}, {"bandwidth": 2.0, "ridge": 1.0}),
    ("random-features", {"features": ("relu",)}, {"fourier_seed": 1, "bandwidth": 2.0, "train_from": "test"}),
    ("random-features", {"datasets": ("line",)}, {"train": 20, "centre": False}),
    ("random-features", {"datasets": ("digits",)}, {"samples": 20}),
    ("extrapolation", {"models": ("mlp",)}, {"degrees": (2,), "width": 3, "bias": False, "learning_rate": 0.1}),
    ("extrapolation", {"models": ("ccp",)}, {"mlp_width": 3, "mlp_bias": False, "step_size": 3, "terms": 2}),
    ("extrapolation", {}, {"fixed": 2, "ray_degrees": (1,)}),
    ("digit-pairs", {"models": ("ccp",)}, {"pooled_degree": 2, "mlp_layers": 2, "inner_bias": False, "momentum": 0.9}),
    ("digit-pairs", {"models": ("mlp",)}, {"degrees": (5,), "split": "test"}),
    ("spectral-bias", {"network": False}, {"width": 3, "steps": 4, "data_root": "x"}),
    ("spectral-bias", {"flow": False}, {"horizon": 10.0}),
    ("coordinate", {"models": ("ccp3:raw@1e-3",)},
     {"L": 3, "extent": 2.0, "features": 3, "scale": 2.0, "layers": 3, "learning_rate": 0.1, "train_encoding": False,
      "resolution": 9, "first_layer": True, "inradius": 3}),
    ("coordinate", {"mean_hamming_in_region": False, "confusion_in_region": False}, {"patches": 3, "patch_size": 2}),
    ("coordinate", {"visualize_regions": False, "batch_size": None}, {"neuron_maps": (1,), "order": "reshuffle"}),
    ("coordinate-waves", {"hamming": False, "confusion": False}, {"windows": 3, "pairs": 4}),
    ("coordinate-grid", {"models": ("ccp3:centred",)}, {"output": "linear", "negative": True, "layers": 3}),
    ("coordinate-neighbours", {"models": ("cnn",)}, {"neurons": 3, "layers": 2, "degree": 2, "split": "test"}),
    ("anisotropy", {"networks": False, "linearised": False}, {"epochs": 3, "train": 4, "gamma": 0.3}),
    ("anisotropy", {"networks": False, "linearised": False}, {"optimiser": "adam"}),
    ("anisotropy", {}, {"samples": 3, "paired": False, "warmup": 0.1, "milestones": (3,)}),
    ("cifar2", {"learners": ("network",)}, {"statistics": "trained", "memory": 1.0, "nystrom": 20}),
    ("ntk-eigenfunctions", {"linearised": False}, {"bias": False, "nystrom_first": True}),
    ("trained-descent", {"method": "least-squares"}, {"learning_rate": 0.1, "train_from": "test"}),
    ("learnable-functions", {"targets": ("few",)}, {"samples": 7, "surveyed": 3}),
    ("teacher-recovery", {"situations": ("outside",)}, {"networks": "[2,2,1] r=2"}),
]  # fmt: skip


def test_a_change_without_which_the_others_are_refused_has_an_effect() -> None:
    found = study.load("cifar2").configuration("small", target="10", artefacts="kept")
    assert (found.target, found.artefacts) == ("10", "kept")


@pytest.mark.parametrize(("name", "setting", "options"), WITHOUT_EFFECT)
def test_options_of_every_study_without_effect_are_errors(
    name: str, setting: dict[str, object], options: dict[str, object]
) -> None:
    found = study.load(name)
    found.configuration(**setting)
    for option, value in options.items():
        with pytest.raises(PolygeomError, match=f"^{option} has no effect here"):
            found.configuration(**setting, **{option: value})


@pytest.mark.usefixtures("here")
def test_a_study_of_another_package_runs_from_the_command_line(tmp_path: Path, capsys: Capture) -> None:
    assert command(["study", TINY, "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == "power 1: 2\npower 2: 4\npower 3: 8\n"
    assert command(["study", "no.such.module"]) == 2
    assert "there is no module 'no.such.module'" in capsys.readouterr().err
    assert command(["study", "os.path"]) == 2
    assert "the module 'os.path' has no STUDY; end it with STUDY = Study(…)" in capsys.readouterr().err
