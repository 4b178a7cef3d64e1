"""``polygeom coefficient``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from polygeom.cli import run


def test_a_subnetwork(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["coefficient", "[3,2,1] r=2", "--dead", "2", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["value"], found["multiplicity"], found["status"]) == ("2", 2, "proved")


def test_text_bounds_and_weights(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run(["coefficient", "[4,4,1] r=3", "--dead", "1,2"]) == 3
    assert "between" in capsys.readouterr().out
    file = tmp_path / "w.json"
    file.write_text('{"W1": [[1, 2, 3], [0, 0, 0]], "W2": [["1/3", 0]]}')
    assert run(["coefficient", "[3,2,1] r=2", "--weights", str(file)]) == 0
    assert "learning coefficient 2, multiplicity 2" in capsys.readouterr().out
    assert run(["coefficient", "[3,2,1] r=2", "--weights", str(file), "--dead", "1"]) == 2
    file.write_text("[1]")
    assert run(["coefficient", "[3,2,1] r=2", "--weights", str(file)]) == 2
    assert run(["coefficient", "[3,2,1] r=2", "--weights", str(tmp_path / "none")]) == 2


def test_time_is_over(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["coefficient", "[3,2,1] r=2", "--timeout", "0.001"]) == 1
    assert "timeout" in capsys.readouterr().out
