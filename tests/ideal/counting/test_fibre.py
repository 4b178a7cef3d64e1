"""How many weights give the same function: theorems, monodromy, and both together."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np
import pytest

from polygeom.dimensions.fibres import known_fibre
from polygeom.dimensions.identifiability import identifiability
from polygeom.errors import PolygeomError
from polygeom.ideal.counting.fibre import fibre, weight_marks
from polygeom.ideal.counting.paths import proofs
from polygeom.ideal.counting.paths.monodromy import _well_conditioned
from polygeom.ideal.counting.paths.starts import complex_normal
from polygeom.ideal.counting.paths.systems import Outputs, Sections
from polygeom.ideal.counting.paths.tracking import CAREFUL, Tracker
from polygeom.network import parse
from polygeom.symmetry.gauge import scalings

ONE = ["[2,3,1] r=5", "[2,2,1] r=4", "[2,2,2,2] r=2", "[2,2,2] r=3", "[2,3,2] r=4", "[3,4,4] r=2", "[2,2,2] r=2"]
"""One weight, by theorem and by monodromy."""


@pytest.mark.parametrize("text", ONE)
def test_one_weight_by_two_routes(text: str) -> None:
    found = fibre(text, method="all")
    assert {e.route: e.value for e in found.evidence}["monodromy"] == 1
    assert (found.value, found.level) == (1, "globally")
    assert found.evidence[-1].likely


@pytest.mark.parametrize(
    ("text", "value"),
    [("[3,3,1] r=4", 1), ("[4,8,1] r=4", 2), ("[3,9,1] r=6", 2), ("[6,9,1] r=3", 2), ("[4,5,1] r=3", 1),
     ("[3,7,1] r=5", 1), ("[2,4,1] r=7", 1), ("[3,1,2] r=2", 1), ("[5,3] r=1", 1)],
)  # fmt: skip
def test_theorems(text: str, value: int) -> None:
    known = known_fibre(parse(text))
    assert known.value == value
    answer = identifiability(text)
    assert (answer.fibre, answer.level) == (value, "globally" if value == 1 else "finitely")


def test_no_theorem_is_claimed_where_none_applies() -> None:
    assert known_fibre(parse("[3,6,3] r=3")) is None
    assert known_fibre(parse("[3,5,1] r=4")) is None  # defective: infinitely many
    assert known_fibre(parse("[3,3,1] r=2")) is None  # rotations
    assert known_fibre(parse("[4,10,1] r=3")) is None
    known = known_fibre(parse("[3,5,1] r=4 bias"))
    assert known is None


@pytest.mark.slow
def test_two_weights_are_proved_where_the_network_fills_its_space() -> None:
    found = fibre("[3,6,3] r=3", method="monodromy", rng=0)
    assert (found.value, found.lower, found.functions) == (2, 2, 1)
    assert found.level == "finitely"


def test_infinitely_many() -> None:
    found = fibre("[2,2,4,1] r=2")
    assert (found.infinite, found.value, found.status, found.level) == (True, None, "proved", "not")
    assert str(found).startswith("[2,2,4,1] r=2: infinitely many weights (proved)")


def test_the_group_of_the_loops_is_transitive_and_its_blocks_are_the_fibres() -> None:
    found = fibre("[2,2,2] r=3", method="monodromy")
    group = found.group()
    assert group.is_transitive()
    assert group.degree == found.functions == 6
    with pytest.raises(PolygeomError, match="no loops were made"):
        fibre("[2,2,2] r=3").group()


def test_marks_see_weights_up_to_symmetries_alone(rng: np.random.Generator) -> None:
    network = parse("[2,3,2,2] r=2")
    marks = weight_marks(network, rng)
    w = complex_normal(rng, 1, network.parameter_count)
    other = w * np.exp(0.3j * scalings(network)).prod(axis=0)
    first, second, third = w[0, :6].reshape(3, 2), w[0, 6:12].reshape(2, 3), w[0, 12:]
    order = [2, 0, 1]
    swapped = np.concatenate([first[order].ravel(), second[:, order].ravel(), third])[None]
    np.testing.assert_allclose(marks(other), marks(w), rtol=1e-9)
    np.testing.assert_allclose(marks(swapped), marks(w), rtol=1e-9)
    assert np.abs(marks(w + 0.1) - marks(w)).max() > 1e-3


@pytest.mark.parametrize(
    ("text", "options", "advice"),
    [
        ("lightning_attention(tokens=2,features=2,rank=1,outputs=1)", {"method": "monodromy"}, "perceptron"),
        ("[2,2,1] r=4", {"method": "guess"}, "method must be one of"),
        ("[2,2,1] r=4", {"timeout": -1}, "timeout must be"),
    ],
)
def test_questions_that_cannot_be_asked(text: str, options: dict[str, object], advice: str) -> None:
    with pytest.raises(PolygeomError, match=advice):
        fibre(text, **options)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["[2,3,4,2] r=3", "[2,3,5,3,1] r=3"])
def test_tight_deep_networks_do_not_lose_their_paths(text: str) -> None:
    """All of the second one's paths were lost: few of its neurons count at normal weights."""
    (evidence,) = fibre(text, method="monodromy", timeout=60).evidence
    weights, paths, lost = (
        int(evidence.reason.split()[0]),
        int(evidence.reason.split(" paths")[0].split()[-1]),
        float(evidence.reason.split("%")[0].split()[-1]),
    )
    assert weights > 10
    assert paths > 20
    assert lost < 30


@pytest.mark.thorough
def test_a_well_conditioned_start_lets_all_neurons_count() -> None:
    network = parse("[2,3,5,3,1] r=3")
    rng = np.random.default_rng(0)
    system = Sections(Outputs.random(network, 28, rng), rng)
    usual = min(float(system.conditions(*system.start(rng))[0]) for _ in range(10))
    w, place = _well_conditioned(system, rng)
    assert system.conditions(w, place)[0] < 1e8 < usual
    values = system.outputs.packed
    for k, matrix in enumerate(np.split(w[0], [6, 21, 36])):
        before = matrix.reshape((3, 5, 3, 1)[k], -1) @ values
        sizes = np.linalg.norm(before, axis=1)
        assert sizes.max() < 100 * sizes.min()
        values = before**3
    reached, arrived = Tracker(system, None).follow(w, place, system.move(place, rng), np.exp(0.3j), CAREFUL)
    assert np.isfinite(reached[arrived]).all()


def test_nothing_proved_is_no_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once a raw error: no weight was proved to exist, and none was there to be told from others."""
    proved = proofs.proved

    def nothing(*arguments: Any, **options: Any) -> proofs.Proved:
        found = proved(*arguments, **options)
        return dataclasses.replace(found, mask=np.zeros_like(found.mask))

    monkeypatch.setattr(proofs, "proved", nothing)
    found = fibre("[2,2,2] r=3", method="monodromy")
    assert (found.value, found.lower, found.status) == (1, 1, "probable")


@pytest.mark.thorough
def test_a_limit_of_time_holds_for_fibres() -> None:
    fibre("[3,6,3] r=3", method="monodromy", timeout=0.5)  # compile
    started = time.monotonic(), time.process_time()
    found = fibre("[3,6,3] r=3", method="monodromy", timeout=1)
    assert (found.lower, found.status) == (1, "unknown") or found.lower == 2
    assert time.process_time() - started[1] < 3
    assert time.monotonic() - started[0] < 10
