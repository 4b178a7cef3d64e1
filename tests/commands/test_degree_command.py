"""The command degree as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from polygeom import learning_degree
from polygeom.cli import run

Capture = pytest.CaptureFixture[str]


def test_a_degree_with_what_it_rests_on(capsys: Capture) -> None:
    assert run(["degree", "[5,3,1] r=2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "[5,3,1] r=2: degree 20 (proved)",
        "  theorem: symmetric 5 x 5 matrices of rank at most 3 (Harris, Tu)",
    ]


def test_a_theorem_compiles_nothing() -> None:
    code = "import sys; from polygeom.cli import run; run(['degree', '[5,3,1] r=2']); print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_critical_points_as_json(capsys: Capture) -> None:
    assert run(["degree", "[3,2,1] r=2", "--form", "generic", "--method", "equations", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["quantity"], data["form"], data["value"], data["status"]) == ("ED degree", "generic", 13, "probable")
    assert [e["route"] for e in data["evidence"]] == ["equations"]


def test_the_series_that_proves_a_degree(capsys: Capture) -> None:
    assert run(["degree", "[3,3,3] r=2", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["value"], data["proved"], data["h_vector"]) == (30, True, [1, 3, 6, 10, 6, 3, 1])
    assert run(["degree", "[2,2,2] r=3", "--max-degree", "2", "--method", "equations"]) == 1
    assert "up to degree 2" in capsys.readouterr().out


@pytest.mark.thorough
def test_without_any_number_the_exit_status_says_so(capsys: Capture) -> None:
    assert run(["degree", "[2,2,2,1] r=3", "--method", "equations", "--timeout", "0.2"]) == 1
    assert "not found" in capsys.readouterr().out


def test_the_learning_degree_at_inputs_of_a_file(tmp_path: Path, capsys: Capture) -> None:
    """Three points of the line in general position are one form up to a change of inputs: 3, as for Bombieri–Weyl."""
    file = tmp_path / "inputs.csv"
    file.write_text("1, 0\n0, 1\n\n1/2 0.5\n")
    assert run(["degree", "[2,2,3] r=2", "--inputs", str(file), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["quantity"], data["value"]) == ("learning degree", 3)
    assert data["value"] == learning_degree("[2,2,3] r=2", [[1, 0], [0, 1], [1, 1]]).value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1, 0\n0, x\n", "not a row of numbers: '0, x'"),
        ("1, 0\n1/0 2\n", "not a row of numbers: '1/0 2'"),
        ("1, 0\n0, 1, 2\n", "3 numbers, 2 before"),
        ("1\n2\n3\n", "inputs must have shape (samples, 2), got (3, 1)"),
        ("", "inputs must have shape (samples, 2)"),
    ],
)
def test_inputs_that_cannot_be_used(text: str, message: str, tmp_path: Path, capsys: Capture) -> None:
    file = tmp_path / "inputs.csv"
    file.write_text(text)
    assert run(["degree", "[2,2,3] r=2", "--inputs", str(file)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["--method", "guess"], "method='auto'"),
        (["--form", "euclid"], "one of generic, unit, bombieri-weyl"),
        (["--timeout", "-1"], "--timeout must be a positive number of seconds"),
        (["--form", "generic", "--inputs", "-"], "write one of them"),
    ],
)
def test_arguments_that_cannot_be_used(arguments: list[str], advice: str, capsys: Capture) -> None:
    assert run(["degree", "[2,2,1] r=4", *arguments]) == 2
    assert advice in capsys.readouterr().err
