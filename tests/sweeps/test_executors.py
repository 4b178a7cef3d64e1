"""What is no executor is refused in the same words by all that takes one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import polygeom
from polygeom.dimensions.frontier.search import frontier
from polygeom.ideal.neurovariety import Neurovariety
from polygeom.singularities.critical.table import build_table
from polygeom.tables.atlas.build import build_atlas
from polygeom.tables.atlas.thresholds import build_thresholds

JOBS: dict[str, Callable[[Any, Path], Any]] = {
    "atlas": lambda it, folder: build_atlas({2: 2}, [2], executor=it),
    "thresholds": lambda it, folder: build_thresholds(folder / "t.csv.gz", widest=2, deepest=2, executor=it),
    "frontier": lambda it, folder: frontier(2, 1, 2, 4, executor=it),
    "critical weights": lambda it, folder: build_table(folder / "c.csv", 3, executor=it),
    "equations": lambda it, folder: Neurovariety("[3,2,1] r=2", executor=it).equations(),
}


@pytest.mark.parametrize("job", JOBS)
def test_what_takes_no_tasks_is_no_executor(job: str, tmp_path: Path) -> None:
    with pytest.raises(polygeom.PolygeomError, match=r"executor must be a concurrent\.futures\.Executor, got str"):
        JOBS[job]("tcp://127.0.0.1:8786", tmp_path)
