"""What a sweep costs beyond the mathematics: the time of a task that does nothing, of a worker, of a stored row."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from polygeom.supervision import Supervisor
from polygeom.sweeps import Journal, Task
from polygeom.tables import read_table, sweep
from polygeom.tables.table import write_rows

NOTHING = "time:gmtime"
"""A task whose answer is an error at once, so that nothing but the way there and back is timed."""


def record(number: int) -> dict[str, Any]:
    """A record of the usual size."""
    return {"key": f"{number:064d}", "text": "x" * 600}


@pytest.mark.benchmark(group="sweep: one task")
@pytest.mark.parametrize("limits", [(None, None), (60.0, 10**9)], ids=["free", "limited"])
def test_supervised_task(benchmark, limits: tuple[float | None, int | None]) -> None:
    with Supervisor() as supervisor:
        supervisor.run(Task(NOTHING, {"network": "first"}))
        benchmark(supervisor.run, Task(NOTHING, {"network": "x"}), *limits)


@pytest.mark.benchmark(group="sweep: one worker")
def test_start_and_end_of_a_worker(benchmark) -> None:
    def run() -> None:
        with Supervisor() as supervisor:
            supervisor.run(Task(NOTHING, {"network": "x"}))

    benchmark.pedantic(run, rounds=10, warmup_rounds=1)


@pytest.mark.benchmark(group="sweep: 1000 tasks")
@pytest.mark.parametrize("workers", [1, 2])
def test_sweep_of_trivial_tasks(benchmark, tmp_path: Path, workers: int) -> None:
    """With the journal on the disk; more than 1000 a minute and worker are wanted, so less than 60 s."""
    names = itertools.count()

    def run() -> None:
        networks = [f"net {number}" for number in range(1000)]
        sweep(networks, target=NOTHING, workers=workers, journal=tmp_path / f"{next(names)}", timeout=60)

    benchmark.pedantic(run, rounds=3, warmup_rounds=1)
    assert benchmark.stats.stats.median < 60 / workers


@pytest.mark.benchmark(group="sweep: 500 networks")
def test_sweep_of_small_networks(benchmark, tmp_path: Path) -> None:
    names = itertools.count()
    networks = [f"[{a},{b},{c}] r={r}" for a in range(2, 7) for b in range(2, 12) for c in range(1, 6) for r in (2, 3)]

    def run() -> None:
        table = sweep(networks, workers=2, out=tmp_path / f"{next(names)}.csv", timeout=60)
        assert table["status"].eq("ok").all()

    benchmark.pedantic(run, rounds=3, warmup_rounds=1)


@pytest.mark.benchmark(group="sweep: a stored batch")
@pytest.mark.parametrize("rows", [1, 50])
def test_append(benchmark, tmp_path: Path, rows: int) -> None:
    numbers = itertools.count()
    with Journal(tmp_path / "journal") as journal:
        benchmark(lambda: journal.append([record(next(numbers)) for _ in range(rows)]))


@pytest.mark.benchmark(group="sweep: 10000 rows")
@pytest.mark.parametrize("step", ["open journal", "write table", "read table"])
def test_ten_thousand_rows(benchmark, tmp_path: Path, step: str) -> None:
    rows = [{"network": f"[2,3,{n}] r=2", "dimension": n, "status": "ok", "elapsed": n / 7} for n in range(10_000)]
    write_rows(rows, tmp_path / "table.csv")
    with Journal(tmp_path / "journal") as journal:
        journal.append(map(record, range(10_000)))
    work = {
        "open journal": lambda: Journal(tmp_path / "journal").close(),
        "write table": lambda: write_rows(rows, tmp_path / "again.csv"),
        "read table": lambda: read_table(tmp_path / "table.csv"),
    }
    benchmark.pedantic(work[step], rounds=5, warmup_rounds=1)
