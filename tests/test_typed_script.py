"""What a user writes against the public names is understood by a strict type checker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from here import of_the_repository

SCRIPT = """
import polygeom
from polygeom.learning.tangent import empirical_ntk
from polygeom.tables import read_table
from torch import nn

result = polygeom.dimension("[3,3,3] r=2", rng=1)
number: int = result.dimension
proved: bool = result.proved
variety = polygeom.Neurovariety("[3,2,1] r=2")
text: str = str(variety.ideal())
network = polygeom.network.mlp([2, 3, 1], 2)
print(number, proved, text, network.text, read_table, empirical_ntk, nn, polygeom.sweep, polygeom.explain(network))
"""


@pytest.mark.slow
def test_a_script_passes_a_strict_type_checker(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the extra learn")
    pytest.importorskip("mypy", reason="the extra dev")
    (tmp_path / "script.py").write_text(SCRIPT)
    root = of_the_repository("polygeom").parent
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports", "--follow-imports=silent", "script.py"],
        cwd=tmp_path, env={**os.environ, "MYPYPATH": str(root)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    wrong = SCRIPT.replace("number: int", "number: str")
    (tmp_path / "script.py").write_text(wrong)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports", "--follow-imports=silent", "script.py"],
        cwd=tmp_path, env={**os.environ, "MYPYPATH": str(root)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Incompatible types in assignment" in done.stdout
