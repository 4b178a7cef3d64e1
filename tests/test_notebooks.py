"""The notebooks run from top to bottom in a kernel, and what they show is HTML and LaTeX."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from here import of_the_repository

import polygeom
from polygeom.supervision import bars

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted(of_the_repository("docs/notebooks").glob("*.ipynb"))
EXECUTE = """
import sys
import nbformat
from nbclient import NotebookClient

notebook = nbformat.read(sys.argv[1], 4)
NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
nbformat.write(notebook, sys.argv[2])
"""
SHOWN = {
    "batch_workflow": ("text/html", "sweep: 100%"),
    "custom_map": ("text/html", "text/latex", "y^{2}"),
    "geometers_hour": ("text/html", "text/latex", r"\\left(W_{1} x\\right)^{2}", "nine quartics"),
    "one_study": ("text/html", "image/png", "study: 100%"),
    "torch_users_hour": ("text/html", "training: 100%"),
}
"""What the outputs of each must have."""


def test_there_are_five_and_they_are_clean() -> None:
    assert {file.stem for file in NOTEBOOKS} == set(SHOWN)
    for file in NOTEBOOKS:
        cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
        assert cells[0]["source"][0].startswith("# ")
        for cell in cells:
            if cell["cell_type"] == "code":
                ast.parse("".join(cell["source"]))
                assert not cell["outputs"]


@pytest.mark.slow
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_a_notebook_runs(file: Path, tmp_path: Path) -> None:
    for package in ("nbclient", "ipykernel"):
        pytest.importorskip(package, reason=f"needs {package} (extra dev)")
    if file.stem in ("torch_users_hour", "one_study"):
        pytest.importorskip("torch", reason="needs torch (extra learn)")
    done = subprocess.run(
        [sys.executable, "-c", EXECUTE, str(file), str(tmp_path / "done.ipynb")],
        cwd=tmp_path, capture_output=True, text=True, timeout=400,
        env={**os.environ, "PYTHONPATH": str(ROOT), "IPYTHONDIR": str(tmp_path), "JUPYTER_RUNTIME_DIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    shown = (tmp_path / "done.ipynb").read_text(encoding="utf-8")
    assert [part for part in SHOWN[file.stem] if part not in shown] == []


def answers() -> list[Any]:
    variety = polygeom.Neurovariety("[2,2,1] r=4")
    other = polygeom.parse("ccp(2,rank=2,degree=2)")
    return [variety.network, variety, polygeom.dimension("[2,2,1] r=2"), variety.ideal(), other]


def test_networks_varieties_and_results_show_themselves() -> None:
    for one in answers():
        assert "<b>" in one._repr_html_()
        latex = one._repr_latex_()
        assert latex.startswith("$$")
        assert latex.endswith("$$")
        assert latex.count("{") - latex.count(r"\{") == latex.count("}") - latex.count(r"\}")
    assert answers()[0]._repr_latex_() == r"$$x \mapsto W_{2} \left(W_{1} x\right)^{4}$$"
    assert r"\text{dimension} & \text{3}" in answers()[2]._repr_latex_()


def test_bars_are_lines_of_text_in_a_notebook_without_widgets(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not bars.in_notebook()
    with bars.bar(1, "beside a terminal") as one:
        assert one.ncols != 100
    kernel = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=1))
    monkeypatch.setitem(sys.modules, "IPython", kernel)
    assert bars.in_notebook()
    with bars.bar(1, "in a notebook") as one:
        assert one.ncols == 100
        assert one.monitor is None  # no thread
    table = polygeom.sweep("[2,2,1] r=2", progress=None)
    assert len(table) == 1
    assert "sweep: 100%" in capsys.readouterr().err
