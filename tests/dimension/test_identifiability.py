"""Thresholds and identifiability: published values, theorems against ranks, formulas for layers of width one."""

from __future__ import annotations

import itertools

import pytest

from polygeom.dimensions.compute import dimension
from polygeom.dimensions.counts import ambient_dimension, expected_dimension, parameter_count
from polygeom.dimensions.identifiability import identifiability, identifying_theorems, threshold
from polygeom.errors import PolygeomError
from polygeom.network import mlp


@pytest.mark.parametrize(
    ("widths", "value", "defective"),
    [
        ((2, 2, 4, 1), 6, (3, 4, 5, 6)),
        ((3, 2, 4, 1), 6, (2, 3, 4, 5, 6)),
        ((3, 2, 1), 2, (2,)),
        ((3, 5, 1), 4, (4,)),
        ((5, 7, 1), 3, (3,)),
    ],
)
def test_published_thresholds(widths: tuple[int, ...], value: int, defective: tuple[int, ...]) -> None:
    found = threshold(widths)
    assert (found.threshold, found.defective, found.proved, found.defective_from) == (value, defective, True, None)


@pytest.mark.parametrize("widths", [(2, 2), (2, 2, 2), (3, 3, 3, 3), (4, 4, 4, 4, 4), (1, 1, 1)])
def test_equal_widths_have_threshold_one(widths: tuple[int, ...]) -> None:
    assert threshold(widths).threshold == 1
    for r in (2, 3):
        if len(widths) > 2:
            assert dimension(mlp(widths, r)).defect == 0


def test_beyond_the_last_computed_degree_nothing_is_defective(multiplier: int) -> None:
    for widths in itertools.islice(itertools.product((2, 3), (2, 3), (2, 3), (1, 2)), 16 * multiplier):
        found = threshold(widths)
        assert found.computed_to == (1 if len(set(widths)) == 1 else 2 * max(widths[1:-1]) - 2)
        for r in (found.computed_to + 1, found.computed_to + 2):
            assert dimension(mlp(widths, r), error=1e-3).defect == 0


@pytest.mark.parametrize("widths", list(itertools.product((1, 2, 3), (1, 2), (1, 3), (1, 2))))
def test_the_verdict_for_every_degree_agrees_with_ranks(widths: tuple[int, ...]) -> None:
    found = threshold(widths)
    for r in range(2, 9):
        result = dimension(mlp(widths, r), error=1e-3)
        said = r in found.defective or (found.defective_from is not None and r >= found.defective_from)
        assert said == (result.dimension < expected_dimension(widths, (r, r)))


def test_a_layer_of_width_one_can_be_defective_for_ever() -> None:
    found = threshold((3, 4, 1, 2, 2))
    assert (found.threshold, found.defective_from, found.defective) == (None, 7, (2, 3, 4, 5, 6))
    assert "every r ≥ 7" in str(found)
    assert threshold((3, 4, 1, 2)).threshold == 3
    assert threshold((2, 2, 4, 1)).as_dict()["defective"] == [3, 4, 5, 6]


def test_theorems_give_the_dimension_that_ranks_give(multiplier: int) -> None:
    seen: set[str] = set()
    for depth, most, degrees in ((2, 5, (2, 3, 5)), (3, 3, (2, 3, 5)), (4, 2, (2, 3))):
        for widths in itertools.product(range(1, most + multiplier), repeat=depth + 1):
            for r in itertools.product(degrees, repeat=depth - 1):
                theorems = list(identifying_theorems(widths, r))
                free = parameter_count(widths) - sum(widths[1:-1])
                if theorems and free <= ambient_dimension(widths, r):
                    assert dimension(mlp(widths, r), error=1e-2).dimension == free, (widths, r, theorems)
                    seen.update(theorem.split(",")[0] for theorem in theorems)
    assert len(seen) == 4


def test_the_answer_agrees_with_the_dimension_and_names_its_reason() -> None:
    for widths in itertools.product((2, 3), (2, 4), (1, 3)):
        for r in (2, 3):
            answer, result = identifiability(mlp(widths, r)), dimension(mlp(widths, r))
            assert (answer.identifiable, answer.proved) == (result.identifiable, True)
            assert answer.dimension == result.dimension
            assert answer.reason


@pytest.mark.parametrize(
    ("network", "identifiable", "reason"),
    [
        ("[3,3,3] r=2", True, "equal widths"),
        ("[4,3,2] r=2", True, "non-increasing widths"),
        ("[2,2,4,1] r=7", True, "at least 2d - 1"),
        ("[3,4,2] r=4", True, "localisation"),
        ("[4,6,2] r=3", True, "rank"),
        ("[2,3,1] r=2", False, "ambient"),
        ("[3,5,2] r=3", False, "Segre–Veronese"),
        ("[3,2]", True, "linear map"),
        ("[3,2,3] r=1", True, "rank"),
        ("[2,3,1] r=2 bias", False, "ambient"),
    ],
)
def test_reasons(network: str, identifiable: bool, reason: str) -> None:
    answer = identifiability(network)
    assert (answer.identifiable, answer.proved) == (identifiable, True)
    assert reason in answer.reason
    assert str(answer).startswith(network)
    assert answer.as_dict()["free"] == answer.free


def test_bad_widths_are_refused_with_advice() -> None:
    for widths in ([3], [2, 0, 1], ["2", 3], [2.0, 3]):
        with pytest.raises(PolygeomError, match="at least 2 positive integers"):
            threshold(widths)  # type: ignore[arg-type]


def test_what_is_no_network_or_no_widths_is_told_what_to_write() -> None:
    class Module:
        def named_parameters(self) -> None:
            """As modules of torch have them."""

    for call, told in (
        (lambda: dimension(Module()), r"got Module; write polygeom\.from_torch\(module, x\)\.network"),
        (lambda: threshold("[5,7,1]"), r"got '\[5,7,1\]'; write threshold\(\[2,2,4,1\]\)"),
        (lambda: threshold(5), "got 5; write threshold"),
    ):
        with pytest.raises(PolygeomError, match=told):
            call()
