"""What paths end at, what they bring along, where they begin, and what is tried when solutions are missing."""

from __future__ import annotations

import numpy as np
import pytest

from polygeom.ideal.counting.invariants import degree
from polygeom.ideal.counting.paths.graph import Graph
from polygeom.ideal.counting.paths.monodromy import Solutions
from polygeom.ideal.counting.paths.starts import balanced, complex_normal
from polygeom.ideal.counting.paths.systems import Coefficients, CriticalPoints, Outputs, Sections
from polygeom.ideal.counting.paths.trace import Trace
from polygeom.ideal.counting.paths.tracking import Steps, Tracker, _solve, shortened
from polygeom.ideal.counting.task import Task
from polygeom.network import parse
from polygeom.symmetry.gauge import scalings


def test_ends_far_from_the_right_side_are_no_critical_points(rng: np.random.Generator) -> None:
    """Along a path to infinity the differential fades, so that equations hold; the outputs tell."""
    network = parse("[2,1,1] r=2")
    outputs = Coefficients(network, 2, rng)
    system = CriticalPoints(outputs, np.diag([1, 2, 3]).astype(object), any_form=True)
    w, target = system.start(rng)
    right = system.right(target)[None]
    ends = np.concatenate([w, 1e2 * w, 1e4 * w, np.full_like(w, np.nan)])  # outputs of degree 3 in weights
    assert _solve(system, ends, np.repeat(right, 4, axis=0)).tolist() == [True, True, False, False]


def test_a_right_side_of_zero_is_an_end_like_any_other(rng: np.random.Generator) -> None:
    """The only solution of a linear network is zero there; weights with other outputs are none."""
    outputs = Coefficients(parse("[2,1] r=1"), 2, rng)
    for system in (Sections(outputs, rng), CriticalPoints(outputs, np.eye(2, dtype=int).astype(object))):
        w, start = system.start(rng)
        right = np.zeros((1, system.right(start).shape[-1]), dtype=complex)
        assert _solve(system, np.zeros_like(w), right).tolist() == [True]
        assert _solve(system, w, right).tolist() == [system.kind == 1]  # whose outputs are not compared
        _, arrived = Tracker(system).follow(w, start, start)
        assert arrived.all()
    line = Sections(Coefficients(parse("[2,1] r=1"), 1, rng), rng)  # one equation, whose solutions are a line
    (a, b) = (line.matrix @ line.outputs.raw(np.eye(2)).T)[0]
    ends = np.array([[b, -a], [b, a]])
    assert _solve(line, 1e-3 * ends, np.zeros((2, 1), dtype=complex)).tolist() == [True, False]


def test_a_solution_brings_its_conjugate() -> None:
    """Where all is real, at every node; what a path says of one says the conjugate path of the other."""
    rng = np.random.default_rng(5)
    outputs = Coefficients(parse("[2,2,1] r=4"), 4, rng, real=True)
    system = CriticalPoints(outputs, np.diag([1, 2, 1, 3, 1]).astype(object), any_form=True)
    assert system.real
    graph = Graph(Tracker(system), rng, outputs.marks(rng), 100, None)
    w, base = system.start(rng, real=True)
    home, *_ = graph.begin(w, base, 2)
    graph.saturate(Steps())
    assert len(home.weights) > 4
    for i, j in home.conjugate.items():
        one, other = (outputs.image(home.weights[k][None]) for k in (i, j))
        assert np.abs(np.conj(one) - other).max() < 1e-8 * np.abs(one).max()
    assert any(i != j for i, j in home.conjugate.items())


@pytest.mark.parametrize("text", ["[2,2,2,1] r=3", "[3,2,3] r=2", "ccp(2,rank=2,degree=2)"])
def test_balanced_weights_are_the_shortest(text: str, rng: np.random.Generator) -> None:
    """No scaling of a neuron changes the sum of squares to first order; the function stays."""
    network = parse(text)
    given = complex_normal(rng, 5, network.parameter_count) * np.exp(rng.normal(size=network.parameter_count))
    w = balanced(network, given)
    slopes = np.abs(w) ** 2 @ scalings(network).T.astype(float)
    assert np.abs(slopes).max() < 1e-6 * np.square(np.abs(w)).sum(axis=1).max()
    assert (np.linalg.norm(w, axis=1) <= np.linalg.norm(given, axis=1)).all()
    outputs = Outputs(network, 1, rng.normal(size=(4, *network.input_shape)))
    assert np.allclose(outputs.raw(w), outputs.raw(given), rtol=1e-9)


def test_weights_are_shortened_along_their_fibre() -> None:
    """A sum of two pairs of powers that cancel nearly is written with weights a hundred times as long as it needs."""
    network = parse("[2,3,1] r=2")
    rng = np.random.default_rng(2)
    system = Sections(Coefficients(network, 3, rng), rng)
    rows, outer = np.array([[30, 1], [30, -1], [1, 2]]), np.array([1.0, -1.0, 1.0])
    w = np.concatenate([rows.ravel(), outer])[None].astype(complex)
    place = system.matrix @ system.outputs.raw(w)[0]
    short = shortened(system, w, place)
    assert np.linalg.norm(short) < 0.3 * np.linalg.norm(w)
    assert np.abs(system.outputs.image(short) - system.outputs.image(w)).max() < 1e-6


def test_other_sections_are_tried_until_one_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first three have points that no loop reaches; the best of all is reported where none passes."""
    seen: list[int] = []

    def solve(self: Task, system: Sections, rng: np.random.Generator, **_: object) -> Solutions:
        seen.append(len(seen))
        w, base = system.start(rng)
        trace = Trace(1e-12 if len(seen) == passes else 1.0, 1.0, 1)
        count = 1 + len(seen) % 3
        return Solutions(count, np.repeat(w, count, axis=0), base, trace, 1, 1, 1, 0.0)

    for passes, tried, value in [(2, 2, 3), (9, 4, 3)]:
        seen.clear()
        monkeypatch.setattr(Task, "solve", solve)
        count = degree("[2,2,2,1] r=3", method="monodromy")
        assert (len(seen), count.evidence[0].value, count.evidence[0].likely) == (tried, value, passes == 2)
