"""The commands frontier, threshold, identifiability, explain and atlas as a user meets them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from polygeom.cli import run
from polygeom.tables import read_table
from polygeom.tables.atlas import load_atlas
from polygeom.tables.conjectures import CONJECTURES

Capture = pytest.CaptureFixture[str]


@pytest.mark.thorough
def test_frontier_prints_the_list_and_a_certificate_that_verifies(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "certificate.json"
    assert run(["frontier", "2", "1", "-r", "2", "-L", "6", "--certificate", str(path), "--excluded"]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].startswith("(2,*,*,*,*,*,1) r=2: 1 minimal filling architecture of dimension 33, complete (5 boxes")
    assert lines[1:3] == ["  (2,3,3,4,4,2,1)", "excluded:"]
    assert len(lines) == 8
    assert "polygeom verify" in err
    assert run(["verify", str(path)]) == 0
    assert "valid" in capsys.readouterr().out
    text = path.read_text().replace("[2,3,3,4,4,2,1]", "[2,3,3,3,4,2,1]")
    path.write_text(text)
    assert run(["verify", str(path)]) == 1


@pytest.mark.thorough
def test_frontier_stops_in_time_and_goes_on_from_its_state(tmp_path: Path, capsys: Capture) -> None:
    command = ["frontier", "2", "2", "-r", "2", "-L", "6", "--journal", str(tmp_path / "state.jsonl"), "-q"]
    assert run([*command, "--timeout", "1e-9"]) == 1
    assert "undecided" in capsys.readouterr().out
    assert run([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["claim"] == {"complete": True, "count": 4}


def test_an_interrupted_frontier_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("polygeom.dimensions.frontier.search.frontier", interrupt)
    assert run(["frontier", "2", "1", "-r", "2", "-L", "6", "--journal", "x.jsonl"]) == 130
    assert "go on from x.jsonl" in capsys.readouterr().err


@pytest.mark.thorough
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_process_leaves_a_state_to_go_on_from(sign: signal.Signals, tmp_path: Path, capsys: Capture) -> None:
    state = tmp_path / "state.jsonl"
    options = ["frontier", "2", "2", "-r", "2", "-L", "7", "--journal", str(state), "--json"]
    process = subprocess.Popen([sys.executable, "-m", "polygeom", *options], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and (not state.exists() or state.stat().st_size < 400):
        time.sleep(0.005)
    process.send_signal(sign)
    _, err = process.communicate(timeout=30)
    assert process.returncode == (130 if sign == signal.SIGINT else -sign)
    assert (f"go on from {state}" in err) == (sign == signal.SIGINT)
    before = state.read_bytes().count(b'"type":"row"')
    assert run(options) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["claim"] == {"complete": True, "count": 38}
    assert state.read_bytes().count(b'"type":"row"') == 38 + len(found["excluded"]) > before


def test_threshold_prints_one_line_each(capsys: Capture) -> None:
    assert run(["threshold", "[2,2,4,1]", "3,3,3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("(2,2,4,1): activation degree threshold 6 (proved): defective for r = 3, 4, 5, 6,")
    assert lines[1].startswith("(3,3,3): activation degree threshold 1")
    assert run(["threshold", "--json", "[3,2,4,1]"]) == 0
    assert json.loads(capsys.readouterr().out)["defective"] == [2, 3, 4, 5, 6]


def test_identifiability_and_explain_print_one_line_each(capsys: Capture) -> None:
    assert run(["identifiability", "[3,3,3] r=2", "[2,3,1] r=2"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("[3,3,3] r=2: globally identifiable (proved): equal widths")
    assert "not finitely identifiable" in second
    assert run(["explain", "[5,5,5,1] r=2"]) == 0
    assert "10 below the expected 45: ≤ 35 by rotations" in capsys.readouterr().out
    assert run(["explain", "--json", "[5,5,5,1] r=2"]) == 0
    assert json.loads(capsys.readouterr().out)["causes"] == ["rotations"]
    assert run(["identifiability", "--json", "[3,3,3] r=2"]) == 0
    assert json.loads(capsys.readouterr().out)["identifiable"] is True


@pytest.mark.thorough
def test_atlas_prints_the_share_of_proved_rows_and_filters(tmp_path: Path, capsys: Capture) -> None:
    assert run(["atlas"]) == 0
    assert " proved (100.00 %)" in capsys.readouterr().out
    assert run(["atlas", "--where", "defect > 3", "--where", "depth = 2", "--limit", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[::3] == ["network", "dimension", "explanation"]
    assert len(lines) == 6
    assert run(["atlas", "--where", "defect > 99999"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "no rows"
    assert run(["atlas", "--where", "defect > 60", "--out", str(tmp_path / "some.csv")]) == 0
    assert (tmp_path / "some.csv").read_text().startswith("network,widths,activation")
    assert run(["atlas", "--out", str(tmp_path / "all.csv")]) == 0
    assert (tmp_path / "all.csv").read_text().count("\n") == 1 + len(load_atlas())


def test_atlas_checks_a_sample(capsys: Capture) -> None:
    assert run(["atlas", "--check", "20", "--seed", "3"]) == 0
    assert capsys.readouterr().out == "20 of 20 rows computed again agree\n"


@pytest.mark.thorough
def test_an_atlas_of_another_box_is_built(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "atlas.csv.gz"
    assert run(["atlas", "--build", "2:2 r=2..3", "--out", str(path)]) == 0
    out, err = capsys.readouterr()
    assert "16 rows written" in err
    assert "16 proved (100.00 %)" in out
    assert (tmp_path / "atlas.csv.gz.journal").exists()
    for box in ("2:2", "2:2 r=1", "2 r=2", "2:2,2:3 r=2", "1:2 r=2", "2:0 r=2", "2:2 r=2..", "2:99,3:99,4:99 r=2"):
        assert run(["atlas", "--build", box, "--out", str(path)]) == 2
        assert "--build" in capsys.readouterr().err
    assert run(["atlas", "--workers", "2"]) == 2


def test_sweep_filters_its_families(tmp_path: Path, capsys: Capture) -> None:
    command = ["sweep", "[2,1..3^1..2,1] r=2", "--shape", "unimodal", "--max-parameters", "9", "--limit", "0"]
    assert run(command) == 0
    assert capsys.readouterr().err.startswith("5 networks")


@pytest.mark.thorough
def test_a_table_is_explained_and_confronted_with_conjectures(tmp_path: Path, capsys: Capture) -> None:
    path, explained = tmp_path / "table.csv", tmp_path / "explained.csv"
    assert run(["sweep", "[2..3,2..3^1..2,1] r=2", "--out", str(path), "-q"]) == 0
    capsys.readouterr()
    assert run(["table", str(path), "--where", "defect > 0", "--explain", "--out", str(explained)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("status  explanation")
    assert any(line.startswith("[3,2,1] r=2") and line.endswith("quadrics") for line in lines)
    assert read_table(explained)["explanation"].ne("").all()
    assert run(["table", str(path), "--conjectures"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == list(CONJECTURES)
    assert lines[1].startswith("non-increasing to one output: 4 of 7 rows against it")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["frontier", "2", "1", "-r", "x", "-L", "3"], "--degree must be"),
        (["frontier", "2", "1", "-r", "2,2", "-L", "4"], "one for each of the 3 hidden layers"),
        (["frontier", "2", "1", "-r", "2", "-L", "40"], "ambient dimension"),
        (["frontier", "2", "1", "-r", "2", "-L", "3", "--certificate", "/no/folder/x"], "there is no such folder"),
        (["threshold", "two"], "widths must be"),
        (["threshold", "[3]"], "widths must be"),
        (["explain", "[3,3"], "close the bracket"),
        (["atlas", "--rebuild"], "--out"),
        (["atlas", "--rebuild", "--out", "x", "--workers", "0"], "--workers"),
        (["atlas", "--check", "0"], "--check"),
        (["atlas", "--where", "colour = 3"], "is no column"),
        (["atlas", "--where", "depth = 2", "--out", "/no/folder/x.csv"], "there is no such folder"),
        (["sweep", "[2,3,1] r=2", "--shape", "round"], "shape must be one of"),
    ],
)
def test_bad_input_is_one_clear_message(command: list[str], message: str, capsys: Capture) -> None:
    assert run(command) == 2
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err
