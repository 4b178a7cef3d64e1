"""Every command with a limit ends within it, whatever it is doing, and says what it knows by then."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from polygeom.cli import run
from polygeom.commands.limits import check_timeout, ticking, within
from polygeom.errors import BudgetError, PolygeomError
from polygeom.report import composition
from polygeom.supervision import alarm
from polygeom.supervision.alarm import last_resort

ROOT = Path(__file__).parents[2]
ALLOWED = 2.0
"""Seconds that a command may take beyond its limit, the start of the interpreter not counted."""


def start_of_the_interpreter(command: str) -> float:
    """With the libraries that a command loads."""
    libraries = "torch, matplotlib" if command == "portrait" else "sympy"
    started = time.monotonic()
    code = f"import polygeom.cli, polygeom.ideal.neurovariety, {libraries}"
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)  # or as far as they are installed
    return time.monotonic() - started


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["ideal", "[12,2,1] r=2"],
        ["ideal", "[2,1,12] r=2"],
        ["ideal", "[190,2,1] r=2"],
        ["ideal", "[12,2,1] r=2", "--method", "elimination"],
        ["contains", "[12,2,1] r=2", "x1^2+x2^2+x3^2"],
        ["degree", "[12,2,1] r=2", "--method", "equations"],
        ["degree", "[2,1,12] r=2", "--method", "monodromy"],
        ["degree", "[4,4,4,3] r=2", "--form", "generic"],
        ["fibre", "[3,6,3] r=3"],
        ["fibre", "[2,3,5,3,1] r=3"],
        ["fibre", "[3,6,3] r=3", "--real", "20"],
        ["threshold", "--singular", "[3,9,1]"],
        ["identifiability", "[3,6,1] r=4", "--critical"],
        ["dim", "[64,64,64,1] r=2"],
        ["portrait", "[12,2,1] r=2"],
        ["portrait", "[6,6,6,6,2] r=2", "--html", "page.html"],
        ["portrait", "[64,64,64,1] r=2"],
    ],
    ids=lambda arguments: " ".join(arguments),
)
def test_the_limit_holds(arguments: list[str], tmp_path: Path) -> None:
    start = start_of_the_interpreter(arguments[0])
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "polygeom", *arguments, "--timeout", "4"],
        capture_output=True, text=True, timeout=60, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert time.monotonic() - started < 4 + ALLOWED + 2 * start
    assert done.returncode in (0, 1, 2, 3)
    assert "Traceback" not in done.stderr


@pytest.mark.thorough
def test_an_unfinished_dimension_says_what_is_proved(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["dim", "[64,64,64,1] r=2", "[2,2,1] r=2", "--timeout", "0.5", "--json"]) == 1
    unfinished, *others = map(json.loads, capsys.readouterr().out.splitlines())
    assert unfinished["status"] == "timeout"
    assert (unfinished["upper"], unfinished["bound"][:9]) == (6112, "rotations")
    assert len(others) == 1
    assert run(["dim", "[64,64,64,1] r=2", "--timeout", "0.3"]) == 1
    assert "no dimension within 0.3 s (timeout); proved to be at most 6112: rotations" in capsys.readouterr().out


@pytest.mark.thorough
def test_an_unfinished_count_and_membership_are_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    hard = "[4,4,4,3] r=2"
    assert run(["degree", hard, "--form", "generic", "--timeout", "0.3"]) == 1
    assert capsys.readouterr().out == f"{hard}: not found within 0.3 s (timeout)\n"
    assert run(["contains", hard, "x1^4; 0; 0", "--timeout", "0.2"]) == 3
    assert capsys.readouterr().out == "unknown: stopped after 0.2 s\n"


@pytest.mark.parametrize("command", [["dim"], ["ideal"], ["degree"]])
@pytest.mark.parametrize("seconds", ["0", "-1", "nan"])
def test_limits_that_are_none(command: list[str], seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "[2,2,1] r=2", "--timeout", seconds]) == 2
    assert "--timeout must be a positive number of seconds" in capsys.readouterr().err


@pytest.mark.thorough
def test_a_limited_dimension_is_the_same_and_can_be_certified(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = str(tmp_path / "proof.json")
    assert run(["dim", "[3,3,3] r=2"]) == 0
    plain = capsys.readouterr().out
    assert run(["dim", "[3,3,3] r=2", "--timeout", "60", "--certificate", path]) == 0
    assert capsys.readouterr().out == plain
    assert run(["verify", "-q", path]) == 0


def test_errors_of_the_other_process_are_words() -> None:
    task = {"argument": {"network": "[3,3,3] r=2", "options": {"error": 7}}, "seed": 0}
    with pytest.raises(PolygeomError, match="error must be a probability"):
        within("polygeom.dimensions.task:run", task, 60)


@pytest.mark.thorough
def test_a_last_resort_stops_what_looks_at_no_clock() -> None:
    before = time.monotonic()

    def endless() -> None:
        with last_resort(0.01):
            while time.monotonic() - before < 30:
                pass

    with pytest.raises(BudgetError, match="in a step that cannot be divided"):
        endless()
    assert time.monotonic() - before < 10
    with last_resort(0.001):
        pass
    time.sleep(0.01)  # the clock is off again


def test_the_alarm_of_a_last_resort_rings_until_it_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm, "GRACE", 0.05)
    monkeypatch.setattr(alarm, "AGAIN", 0.05)
    before, swallowed = time.monotonic(), 0

    def deaf() -> None:
        nonlocal swallowed
        with last_resort(0.01):
            while time.monotonic() - before < 30:
                try:
                    while time.monotonic() - before < 30:
                        pass
                except PolygeomError:
                    swallowed += 1
                    if swallowed == 2:
                        raise

    with pytest.raises(BudgetError, match="in a step that cannot be divided"):
        deaf()
    assert time.monotonic() - before < 10


@pytest.mark.thorough
def test_parts_of_a_portrait_that_are_not_finished_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*_: object) -> None:
        while True:
            pass

    monkeypatch.setattr(alarm, "GRACE", 0.1)
    monkeypatch.setattr(composition, "explanation_section", endless)
    started = time.monotonic()
    page = composition.portrait("[3,2,1] r=2", training=False, timeout=0.5)
    assert time.monotonic() - started < 2.5
    titles = {section.title: section.lead for section in page.sections}
    assert titles["How big is it?"].startswith("Its neurovariety has dimension 5")
    assert titles["Why this size?"] == titles["Which equations?"] == composition.UNFINISHED


def test_progress_is_a_line_that_goes_away(capsys: pytest.CaptureFixture[str]) -> None:
    with ticking("counting", shown=True) as tell:
        assert tell is not None
        tell(3.2)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "\rcounting, 3 s \r"  # the signs that clear the line are for terminals
    assert threading.active_count() == 1
    with ticking("counting", shown=False) as tell:
        assert tell is None
    check_timeout(None)
