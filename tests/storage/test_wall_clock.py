"""Nothing depends on the time of day: deadlines and progress go by clocks that nobody can set."""

from __future__ import annotations

import ast
from pathlib import Path

import polygeom

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
