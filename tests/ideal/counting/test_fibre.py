"""How many weights give the same function: theorems, monodromy, and both together."""

from __future__ import annotations

import numpy as np
import pytest

from polygeom.dimensions.fibres import known_fibre
from polygeom.dimensions.identifiability import identifiability
from polygeom.errors import PolygeomError
from polygeom.ideal.counting.fibre import fibre, weight_marks
from polygeom.ideal.counting.paths.systems import complex_normal
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
    (evidence,) = fibre(text, method="monodromy", timeout=40).evidence
    weights = int(evidence.reason.split()[0])
    assert weights > 20
