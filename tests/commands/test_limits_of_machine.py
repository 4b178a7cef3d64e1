"""``polygeom info --limits``: sizes read off small runs."""

from __future__ import annotations

import json
import time

import pytest

from polygeom.cli import run
from polygeom.commands.pages import calibration
from polygeom.commands.pages.calibration import Limit, read_off
from polygeom.dimensions import dimension
from polygeom.network import parse


@pytest.mark.parametrize("power", [1.0, 2.0, 3.0])
def test_a_power_law_is_read_off(power: float) -> None:
    runs = [(size, 1e-4 * (size / 100) ** power) for size in (100.0, 200.0, 400.0)]
    limit = read_off("it", "rows", runs, 1.0, 10**15)
    assert limit.growth == pytest.approx(power)
    assert 1e-4 * (limit.minute / 100) ** power == pytest.approx(60, rel=0.02)
    assert 1e-4 * (limit.hour / 100) ** power == pytest.approx(3600, rel=0.02)


def test_memory_and_a_growth_that_is_known_bound_it() -> None:
    runs = [(100.0, 0.1), (200.0, 0.1)]
    assert read_off("it", "rows", runs, 2.0, 10**9).minute == int(200 * (60 / 0.1) ** 0.5)
    assert read_off("it", "rows", runs, 2.0, 300).hour == 300


def test_runs_of_growing_size_end_in_time() -> None:
    found = [*calibration._timed(lambda step: None if step > 5 else 10 * (step + 1), 100.0)]
    assert [size for size, _ in found] == [20, 30, 40, 50, 60]  # the first one compiles
    assert len([*calibration._timed(lambda step: step + 1, 0.0)]) == 2


def test_the_command_tells_them(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    limit = Limit("dimension", "weights", ((10.0, 0.1),), 2.0, 500, 4000, 9000)
    monkeypatch.setattr(calibration, "calibrate", lambda: [limit])
    assert run(["info", "--limits"]) == 0
    assert "dimension: about 500 weights in a minute, 4000 in an hour" in capsys.readouterr().out
    assert run(["info", "--limits", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["hour"] == 4000


@pytest.mark.slow
def test_the_estimate_for_dimensions_is_near() -> None:
    """At a size that was not run, within a factor of three; theorems prove the family before at large widths."""
    limit = next(iter(calibration.calibrate(10.0)))
    size, took = limit.measured[-1]
    network = parse("[60,60,60,1] r=2")
    assert size < network.parameter_count
    start = time.process_time()
    dimension(network)
    spent = time.process_time() - start
    assert 1 / 3 < took * (network.parameter_count / size) ** limit.growth / spent < 3


def test_the_sizes_that_are_timed_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("polygeom.dimensions.dimension", lambda network: asked.append(str(network)))
    monkeypatch.setattr("polygeom.ideal.Neurovariety.ideal", lambda self, *_, **__: asked.append(self.network.text))
    for run_step, most in ((calibration._dimension, 12), (calibration._equations, 6)):
        sizes = [run_step(step) for step in range(most + 2)]
        assert sizes[-1] is None
        kept = [size for size in sizes[1:] if size is not None]
        assert kept == sorted(set(kept))
        assert len(kept) == most
    assert "[120,120,120,1] r=2" in asked
