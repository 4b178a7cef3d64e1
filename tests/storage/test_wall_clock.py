"""Nothing depends on the time of day: deadlines and progress go by clocks that nobody can set."""

from __future__ import annotations

import ast
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import polygeom
from polygeom.errors import PolygeomError
from polygeom.tables import sweep

SETTABLE = {
    "time.time",
    "time.time_ns",
    "time.localtime",
    "time.gmtime",
    "datetime.now",
    "datetime.today",
    "date.today",
}


LAST = {name.rpartition(".")[2] for name in SETTABLE}


def test_nothing_reads_a_clock_that_can_be_set() -> None:
    package = Path(polygeom.__file__).parent
    found = [
        f"{path.relative_to(package)}:{node.lineno}"
        for path in package.rglob("*.py")
        if any(f".{name}" in (text := path.read_text(encoding="utf-8")) for name in LAST)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute)
        and node.attr in LAST
        and any(ast.unparse(node).endswith(name) for name in SETTABLE)
    ]
    assert found == []


JUMPING = """
import itertools, time
_real, _days = time.time, itertools.cycle([-20 * 86400, 30 * 86400])
time.time = lambda: _real() + next(_days)
"""


def test_a_clock_that_jumps_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By weeks, forward and backward at every look, in the sweep and in its workers: deadlines and files stay."""
    (tmp_path / "sitecustomize.py").write_text(JUMPING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(time, "time", time.time)  # put back afterwards
    exec(JUMPING, {})
    assert abs(time.time() - time.time()) > 86400
    out = tmp_path / "table.csv"

    def networks() -> Iterator[str]:
        yield from ("clock", "sleep 30", "answer")
        with pytest.raises(PolygeomError, match="another process is writing"):
            sweep(["answer"], target="sweeps.workloads:act", journal=tmp_path / "other", out=out)

    table = sweep(networks(), target="sweeps.workloads:act", timeout=1.5, out=out)
    assert table["status"].tolist() == ["ok", "timeout", "ok"]
    assert table["dimension"][0] == 50 * 86400
    assert 1.5 <= table["elapsed"][1] < 10
    assert (table["elapsed"] >= 0).all()
