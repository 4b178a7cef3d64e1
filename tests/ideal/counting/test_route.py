"""Counting with and without compiled kernels: the same results, and nothing loaded for small counts."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from polygeom.dimensions import dimension
from polygeom.ideal.counting.paths import kernels, plain, route
from polygeom.ideal.counting.paths.monodromy import monodromy
from polygeom.ideal.counting.paths.starts import complex_normal
from polygeom.ideal.counting.paths.systems import Coefficients, CriticalPoints, Outputs, Sections, System
from polygeom.network import parse

LIMITS = (1e-4, 1e-2, 1e-6, 1000, 2)


def system_of(text: str, rng: np.random.Generator, *, critical: bool) -> System:
    network = parse(text)
    size = dimension(network).dimension
    if critical:
        outputs = Coefficients(network, size, rng)
        return CriticalPoints(outputs, np.diag(np.arange(1, len(outputs.readout) + 1)))
    return Sections(Outputs.random(network, size, rng), rng)


@pytest.mark.parametrize("critical", [False, True])
@pytest.mark.parametrize("text", ["[3,2,1] r=2", "[2,2,2] r=3 bias", "convolutional(4,kernels=[2,2],degrees=2)",
                                  "lightning_attention(tokens=2,features=2,rank=1,outputs=1)"])  # fmt: skip
def test_kernels_and_their_twin_agree(text: str, critical: bool, rng: np.random.Generator) -> None:
    system = system_of(text, rng, critical=critical)
    w, base = system.start(rng)
    w, end = np.repeat(w, 4, axis=0), np.array([system.move(base, rng) for _ in range(4)])
    start, end = (np.array(np.broadcast_to(system.right(p), (4, p.shape[-1])) if p.ndim == 1 else system.right(p),
                           dtype=complex, order="C") for p in (np.repeat(base[None], 4, axis=0), end))  # fmt: skip
    other = np.ascontiguousarray(w * (1 + 0.3 * complex_normal(rng, *w.shape)))
    operations, constants, outputs, registers, _ = system.outputs.program.lowered
    values = [each.values_of(operations, constants, outputs, registers, system.outputs.packed, other)
              for each in (kernels, plain)]  # fmt: skip
    np.testing.assert_allclose(values[1], values[0], rtol=1e-11)
    frames = np.zeros((*w.shape, len(system.matrix)), dtype=complex)
    kernels.linearised(*system.packed, other, frames, True, end)
    found = [each.linearised(*system.packed, other, frames.copy(), False, end) for each in (kernels, plain)]
    for compiled, simple in zip(*found, strict=True):
        np.testing.assert_allclose(simple, compiled, rtol=1e-9, atol=1e-10 * np.abs(compiled).max())
    fresh = np.zeros_like(frames)
    plain.linearised(*system.packed, other, fresh, True, end)
    projections = [each @ each.conj().swapaxes(1, 2) for each in (fresh, frames)]  # bases may differ, spaces not
    np.testing.assert_allclose(*projections, atol=1e-9)
    gamma = np.exp(2j * np.pi * rng.random(4))
    (ends, reached, _), (plain_ends, plain_reached, _) = (
        each.follow(*system.packed, w, start, end, gamma, *LIMITS) for each in (kernels, plain)
    )
    assert reached.tolist() == plain_reached.tolist()
    arrived = reached == 1
    assert arrived.sum() >= 2
    images = [system.outputs.image(each[arrived]) for each in (ends, plain_ends)]
    np.testing.assert_allclose(images[1], images[0], rtol=1e-5, atol=1e-6 * np.abs(images[0]).max())


def points(monkeypatch: pytest.MonkeyPatch, budget: float, text: str, critical: bool) -> tuple[np.ndarray, set[str]]:
    """The points that are found, in an order of their own, and what found them."""
    used: set[str] = set()
    choose = route.Route.kernels

    def noted(self: route.Route, *work: int) -> object:
        module = choose(self, *work)
        used.add(module.__name__.rpartition(".")[2])
        return module

    monkeypatch.setattr(route, "_COMPILED", "")  # other tests have loaded the kernels
    monkeypatch.setattr(route, "_BUDGET", budget)
    monkeypatch.setattr(route, "_BATCHES", 0)  # no foresight
    monkeypatch.setattr(route.Route, "kernels", noted)
    rng = np.random.default_rng(5)
    system = system_of(text, rng, critical=critical)
    found = monodromy(system, rng)
    assert found.complete
    images = system.outputs.image(found.weights)
    monkeypatch.undo()
    return images[np.argsort(images[:, 0].real + 2 * images[:, 0].imag)], used


@pytest.mark.parametrize(("text", "critical", "count"), [("[3,2,1] r=2", False, 3), ("[2,1,1] r=2", True, 4)])
def test_counts_find_the_same_points_either_way(
    monkeypatch: pytest.MonkeyPatch, text: str, critical: bool, count: int
) -> None:
    compiled, by_kernels = points(monkeypatch, 0.0, text, critical)
    simple, by_twin = points(monkeypatch, np.inf, text, critical)
    mixed, by_both = points(monkeypatch, 0.02, text, critical)
    assert (by_kernels, by_twin, by_both) == ({"kernels"}, {"plain"}, {"kernels", "plain"})
    assert len(compiled) == count
    for other in (simple, mixed):
        np.testing.assert_allclose(other, compiled, rtol=1e-7, atol=1e-8 * np.abs(compiled).max())


def test_small_counts_load_no_kernels() -> None:
    """What loads numba takes longer than such a count."""
    code = """
import sys
from polygeom.ideal import degree
found = degree("[2,2,1] r=3", method="monodromy")
assert (found.value, found.lower) == (1, 1), found
assert "numba" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
