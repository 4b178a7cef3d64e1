"""What every test shares: one BLAS thread, seeds that can be replayed, and a look for what a test left behind."""

from __future__ import annotations

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")  # before numpy is imported: its thread pool is created then
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # a hundred processes import the package: they share what is compiled

import contextlib
import gc
import re
import signal
import sys
import tempfile
import zlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TypeVar

import hypothesis
import numpy as np
import pytest
from here import in_this_process
from leaks import Footprint

from polygeom.errors import EXTRAS

sys.dont_write_bytecode = False
MULTIPLIER = "POLYGEOM_TEST_MULTIPLIER"
HERE = Path(__file__).parent
LONG = HERE / "long_cases.txt"
Report = TypeVar("Report", pytest.CollectReport, pytest.TestReport)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--multiplier",
        type=int,
        metavar="N",
        help=f"repeat randomised tests N times as often (default: ${MULTIPLIER}, or 1)",
    )


def pytest_configure(config: pytest.Config) -> None:
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a shell starts what runs in the background like that
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # and nohup like this
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if (times := config.getoption("multiplier")) is not None:
        os.environ[MULTIPLIER] = str(times)
    examples = 100 * int(os.environ.get(MULTIPLIER, "1"))
    slow = [hypothesis.HealthCheck.too_slow]  # how fast examples come says how busy the machine is
    hypothesis.settings.register_profile(
        "explore", deadline=None, print_blob=True, max_examples=examples, suppress_health_check=slow
    )
    hypothesis.settings.register_profile(
        "ci", hypothesis.settings.get_profile("explore"), derandomize=True, database=None
    )
    _take_no_constants_from_sources()
    hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "explore")


def _name_the_extra(report: Report) -> Report:
    """Say of a test that was skipped because a package is not there which extra brings the package."""
    if report.skipped and isinstance(report.longrepr, tuple):
        path, line, reason = report.longrepr
        if (found := re.search(r"could not import '(\w+)", reason)) and found[1] in EXTRAS:
            report.longrepr = (path, line, f"Skipped: needs {found[1]} (extra {EXTRAS[found[1]]})")
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _name_the_extra((yield))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return _name_the_extra((yield))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long cases are thorough; one that is not there any more is an error, where its whole file is collected."""
    long = {line for line in LONG.read_text(encoding="utf-8").splitlines() if not line.startswith("#")}
    files, found = set(), set()
    for item in items:
        file = item.path.relative_to(HERE).as_posix() if item.path.is_relative_to(HERE) else ""
        name = f"{file}::{item.nodeid.partition('::')[2]}"
        files.add(file)
        if name in long:
            item.add_marker(pytest.mark.thorough)
            found.add(name)
    gone = sorted(name for name in long - found if name.partition("::")[0] in files)
    if gone and not any("::" in argument for argument in config.args):
        raise pytest.UsageError(f"{LONG.name} names cases that there are not: {'; '.join(gone)}")


def pytest_collection_finish() -> None:
    """What is loaded by now stays: later collections of garbage need not walk it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)  # nine thousand tests make much young garbage that reference counts do not free


def _take_no_constants_from_sources() -> None:
    """Hypothesis reads every module for constants to try: seconds, and examples that change with any line of code."""
    with contextlib.suppress(ImportError, AttributeError):  # its own business, which may look different one day
        from hypothesis.internal.conjecture import providers

        known = providers._local_constants
        providers._get_local_constants = lambda: known


@pytest.fixture(scope="session")
def multiplier() -> int:
    """How many times as many random cases as usual a test should try."""
    return int(os.environ.get(MULTIPLIER, "1"))


@pytest.fixture
def here() -> Iterator[None]:
    """For a test that is not about processes: studies, sweeps and eliminations do their work in this one."""
    with in_this_process():
        yield


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """A generator seeded by the test's own name: the same numbers in every run and in any order of tests."""
    return np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))


@pytest.fixture(scope="session")
def _own_temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of our own for ``tempfile``, so that what other programs put into /tmp is not taken for a leak."""
    folder = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        patch.setattr(tempfile, "tempdir", None)
        yield folder


@pytest.fixture(autouse=True)
def _leaves_nothing_behind(_own_temporary_folder: Path) -> Iterator[None]:
    """Children, threads, files and shared memory after a test are those before it."""
    before = Footprint.now(_own_temporary_folder)
    yield
    if left := before.wait_for_return(seconds=2.0):
        pytest.fail("left behind: " + "; ".join(left))
