"""``polygeom coefficient``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
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


def test_weights_in_an_archive_are_those_of_the_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text, archive = tmp_path / "w.json", tmp_path / "w.npz"
    text.write_text('{"W1": [[1, 2], [0, 0]], "W2": [[1, 0]]}')
    np.savez(archive, W1=np.array([[1.0, 2.0], [0.0, 0.0]]), W2=np.array([[1.0, 0.0]]))
    told = []
    for file in (text, archive):
        assert run(["coefficient", "[2,2,1] r=2", "--weights", str(file)]) == 0
        told.append(capsys.readouterr().out)
    assert told[0] == told[1]
    assert "5/4" in told[0]


def test_weights_from_a_device_that_never_ends_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["coefficient", "[2,2,1] r=2", "--weights", "/dev/zero"]) == 2
    assert "write a smaller file" in capsys.readouterr().err
