"""What all studies share: the same rows for any number of workers, failures told, kills survived, files written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas
import pytest

pytest.importorskip("torch")
pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from experiments import tiny_study

from polygeom import experiments
from polygeom.cli import run as command
from polygeom.errors import PolygeomError
from polygeom.experiments import study

Capture = pytest.CaptureFixture[str]
TINY = "experiments.tiny_study"


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(experiments.STUDIES, "tiny", TINY)


def test_rows_come_in_the_order_of_the_cases_and_do_not_depend_on_workers() -> None:
    config = study.configuration(tiny_study, "published", model="noisy")
    one = study.run(TINY, config, repeats=2, seed=5)
    two = study.run(tiny_study, config, repeats=2, seed=5, workers=2)
    assert one["seed"].tolist() == [5] * 6 + [6] * 6
    assert one["power"].tolist() == [*range(1, 7)] * 2
    assert list(one.columns) == ["seed", "power", "value", "root"]
    assert one["root"].isna().all()
    pandas.testing.assert_frame_equal(one, two, check_exact=True)
    assert one["value"].nunique() == 12
    assert one["value"].tolist()[6] != one["value"].tolist()[0]


@pytest.mark.parametrize("name", experiments.STUDIES)
def test_studies_say_whether_they_honour_a_device(name: str) -> None:
    module = study.load(name)
    honoured = '["device"]' in Path(str(module.__file__)).read_text(encoding="utf-8")
    assert getattr(module, "ANY_DEVICE", False) == honoured
    assert study.usable_device(module, "cpu") == "cpu"
    if not honoured:
        assert study.usable_device(module, "auto") == "cpu"


def test_one_failing_case_is_told_and_all_failing_raise() -> None:
    table = study.run(TINY, tiny_study.Config(fail=2))
    assert table["power"].tolist() == [1, 3]
    (failure,) = table.attrs["failures"]
    assert (failure["status"], failure["message"]) == ("invalid", "power 2 was told to fail")
    with pytest.raises(PolygeomError, match="every case failed; the first: power 2 was told to fail"):
        study.run(TINY, tiny_study.Config(powers=(2,), fail=2))


def test_a_finished_study_measures_nothing_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    config = tiny_study.Config(log=str(log))
    first = study.run(TINY, config, out=tmp_path / "out")
    again = study.run(TINY, config, out=tmp_path / "out")
    pandas.testing.assert_frame_equal(first, again, check_exact=True)
    assert len(log.read_text().splitlines()) == 3
    study.run(TINY, config, out=tmp_path / "out", repeats=2)
    assert len(log.read_text().splitlines()) == 6


def test_a_study_killed_in_the_middle_goes_on(tmp_path: Path) -> None:
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
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    started = len(log.read_text().splitlines())
    assert started < 5
    assert not (out / "tiny.csv").exists()
    time.sleep(0.5)  # the worker ends with its parent
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "power 1: 2\npower 2: 4\npower 3: 8\npower 4: 16\npower 5: 32\n"
    assert pandas.read_csv(out / "tiny.csv")["value"].tolist() == [2, 4, 8, 16, 32]
    counts = pandas.Series(log.read_text().splitlines()).value_counts()
    assert set(counts.index) == {f"{power} 0" for power in range(1, 6)}
    assert sorted(counts)[:4] == [1, 1, 1, 1]  # only the case that was running is measured twice
    assert counts.max() <= 2


@pytest.mark.usefixtures("registered")
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
    assert "tiny.csv, tiny.png" in captured.err
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
    assert {path.name for path in out.iterdir()} == {"config.json", "tiny.csv", "tiny.png", "journal"}


@pytest.mark.usefixtures("registered")
def test_the_command_tells_failures(tmp_path: Path, capsys: Capture) -> None:
    assert command(["study", "tiny", "--fail", "2", "--out", str(tmp_path), "-q"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "polygeom: invalid: power 2 was told to fail (device=cpu, seed=0, power=2," in err
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
    with pytest.raises(PolygeomError, match="colour is no option of this study; it has powers, base"):
        study.configuration(tiny_study, colour=1)


@pytest.mark.parametrize("missing", ["torch", "matplotlib", "sklearn"])
def test_a_missing_extra_says_what_to_install(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == missing else find(name, *rest))
    with pytest.raises(PolygeomError, match=rf'{missing}.* \(extras learn, plot\); .*pip install "\.\[learn,plot\]"'):
        study.load(TINY)


@pytest.mark.parametrize("name", list(experiments.STUDIES))
def test_every_study_keeps_the_contract(name: str) -> None:
    module = study.load(name)
    assert {"quick", "published"} <= set(module.PRESETS)
    for preset, config in module.PRESETS.items():
        assert isinstance(config, module.Config), preset
        study.check(config)
        work = module.cases(config)
        assert work
        assert json.loads(json.dumps(work)) == work
    repeats = getattr(module, "REPEATS", {})
    assert set(repeats) <= set(module.PRESETS)
    assert all(count >= 1 for count in repeats.values())
    fields = module.Config.__dataclass_fields__.values()
    assert all(one.metadata["help"].endswith(".") for one in fields)
