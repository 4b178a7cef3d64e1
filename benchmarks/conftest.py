"""What the benchmarks share: one BLAS thread, references measured in alternation, a table of ratios at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

BLAS = pytest.StashKey[list[dict[str, Any]]]()
ROWS = pytest.StashKey[list["Row"]]()


@dataclass(frozen=True)
class Row:
    """One line of the table at the end: a time divided by that of a reference, and where it should lie."""

    name: str
    seconds: float
    ratio: float
    reference: str
    at_most: float | None
    at_least: float | None

    @property
    def target(self) -> str:
        if self.at_most is not None:
            return f"<= {self.at_most:g}"
        return "" if self.at_least is None else f">= {self.at_least:g}"

    @property
    def verdict(self) -> str:
        if self.at_most is None and self.at_least is None:
            return ""
        met = self.ratio <= self.at_most if self.at_most is not None else self.ratio >= (self.at_least or 0.0)
        return "met" if met else "MISSED"


def blas() -> list[dict[str, Any]]:
    """The BLAS libraries of this process: name, version, kernel chosen for the processor, threads."""
    from threadpoolctl import threadpool_info

    wanted = ("internal_api", "version", "architecture", "num_threads")
    return [{key: library.get(key) for key in wanted} for library in threadpool_info() if library["user_api"] == "blas"]


@pytest.fixture(scope="session", autouse=True)
def _one_blas_thread() -> Iterator[None]:
    """In this process, whatever it has loaded by now: plugins may have brought numpy in before any file of ours."""
    import numpy as np  # noqa: F401
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


@pytest.fixture
def compare(benchmark: Any, request: pytest.FixtureRequest) -> Callable[..., None]:
    """Measure a function and, in alternation with it, a reference; keep the ratio of the fastest rounds.

    compare(run, prepare, reference, prepare_reference, against=, rounds=, at_most=, at_least=): the prepare functions
    make fresh arguments (a tuple) for every round, outside the timer. The first round of either is not counted.
    Processor time is compared, so that other programs on the machine disturb less, and with one thread it is the time
    that passes: such tests carry ``@pytest.mark.benchmark(timer=time.process_time)``.
    """

    def measure(
        run: Callable[..., object],
        prepare: Callable[[], tuple[Any, ...]],
        reference: Callable[..., object],
        prepare_reference: Callable[[], tuple[Any, ...]],
        *,
        against: str,
        rounds: int,
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> None:
        times: list[float] = []

        def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
            arguments = prepare_reference()
            start = time.process_time()
            reference(*arguments)
            times.append(time.process_time() - start)
            del arguments
            return prepare(), {}

        benchmark.pedantic(run, setup=setup, rounds=rounds, warmup_rounds=1)
        if benchmark.stats is None:  # benchmarks are disabled: the call above was a test that everything runs
            return
        seconds = benchmark.stats.stats.min
        row = Row(benchmark.name, seconds, seconds / min(times[1:]), against, at_most, at_least)
        benchmark.extra_info.update(ratio=row.ratio, reference=against, reference_seconds=min(times[1:]), blas=blas())
        request.config.stash[BLAS] = blas()
        request.config.stash.setdefault(ROWS, []).append(row)

    return measure


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any) -> None:
    rows = terminalreporter.config.stash.get(ROWS, [])
    if not rows:
        return
    terminalreporter.section("ratios (fastest rounds, measured in alternation)")
    for library in terminalreporter.config.stash[BLAS]:
        terminalreporter.write_line("BLAS: " + ", ".join(f"{key} {value}" for key, value in library.items()))
    width = max(len(row.name) for row in rows)
    terminalreporter.write_line(f"{'':{width}}  {'seconds':>10}  {'ratio':>7}  target    reference")
    for row in rows:
        line = f"{row.name:{width}}  {row.seconds:10.3g}  {row.ratio:7.2f}  {row.target:8}  {row.reference}"
        terminalreporter.write_line(f"{line}  {row.verdict}".rstrip(), red=row.verdict == "MISSED")
