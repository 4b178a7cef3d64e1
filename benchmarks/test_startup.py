"""How long a user waits before anything is computed. Each round is a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest


def start(*arguments: str) -> Callable[[], None]:
    def run() -> None:
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)

    return run


@pytest.mark.benchmark(group="startup")
@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("-c", "pass"), id="python"),
        pytest.param(("-c", "import polygeom"), id="import"),
        pytest.param(("-m", "polygeom", "--help"), id="help"),
        pytest.param(("-m", "polygeom", "dim", "[3,3,3] r=2"), id="dim"),
    ],
)
def test_startup(benchmark, arguments: tuple[str, ...]) -> None:
    benchmark.pedantic(start(*arguments), rounds=7, warmup_rounds=1)
