"""Sweeps under every fault at once: what finds a fault must be able to fail, and five minutes must find none."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from polygeom.sweeps import Journal
from polygeom.testing import soak
from polygeom.testing.marked import MARK, left_over, of_kind

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")

TABLE = "network,dimension,elapsed\n[2],3,{}\n[3],{},1.0\n"


def record(key: str, dimension: int) -> dict[str, Any]:
    return {"key": key, "outcome": {"status": "ok", "result": {"dimension": dimension, "elapsed": 0.1}}}


@pytest.fixture
def one(tmp_path: Path) -> soak.Round:
    (tmp_path / "table.csv").write_text(TABLE.format(0.5, 4))
    with Journal(tmp_path / "table.csv.journal") as journal:
        journal.append([record("a", 3), record("b", 4)])
    return soak.Round(tmp_path, "none", random.Random(0), soak.Soak())


def test_times_do_not_matter_and_the_rest_does(one: soak.Round, tmp_path: Path) -> None:
    reference = soak.stable_table(one.folder / "table.csv")
    seen = one.rows()
    (tmp_path / "table.csv").write_text(TABLE.format(7.0, 4))
    soak.compare(one, reference, seen)
    assert (one.soak.wrong, one.soak.rows) == ([], 2)
    (tmp_path / "table.csv").write_text(TABLE.format(7.0, 5))
    soak.compare(one, reference, {**seen, "c": {"dimension": 1}, "b": {"dimension": 5}})
    (tmp_path / "extra").touch()
    (tmp_path / "table.csv").unlink()
    soak.compare(one, reference, seen)
    assert [text.partition(": ")[2][:40] for text in one.soak.wrong] == [
        "the table differs in 1 lines from that o",
        "2 acknowledged rows are lost or changed",
        "no table: [Errno 2] No such file or dire",
    ]


def test_processes_of_a_round_are_found_by_their_mark(one: soak.Round, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polygeom.testing.marked.PATIENCE", 0.2)
    child = subprocess.Popen(["sleep", "60"], env={**os.environ, MARK: "token"})
    try:
        until = time.monotonic() + 10
        while child.pid not in left_over("token") and time.monotonic() < until:  # until the new program has begun
            time.sleep(0.01)
        assert left_over("token") == of_kind("stop", 1, "token") == [child.pid]
        assert of_kind("worker", 1, "token") == []
        assert left_over("toke") == []
    finally:
        child.kill()
        child.wait()


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_five_minutes() -> None:
    """POLYGEOM_SOAK_MINUTES sets another number."""
    found = soak.soak(float(os.environ.get("POLYGEOM_SOAK_MINUTES", "5")), seed=int(os.environ.get("SEED", "0")))
    print(found.line())
    assert found.wrong == []
    assert found.rows > 0
    assert sum(found.faults.values()) > 5
