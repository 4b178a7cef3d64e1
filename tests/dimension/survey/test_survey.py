"""Many perceptrons at once have the dimensions, bounds and witnesses of one by one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest

from polygeom.dimensions import dimension
from polygeom.dimensions.bounds import bound, search
from polygeom.dimensions.compute import perceptron_trial
from polygeom.dimensions.ranks.witness import STRUCTURED
from polygeom.dimensions.survey import batch, bounds
from polygeom.dimensions.survey.batch import survey
from polygeom.dimensions.survey.task import run
from polygeom.dimensions.task import describe, small_perceptron
from polygeom.errors import PolygeomError
from polygeom.network import mlp, parse


def random_architectures(count: int, widest: int, seed: int) -> Iterator[tuple[tuple[int, ...], int]]:
    rng = np.random.default_rng(seed)
    for _ in range(count):
        length = int(rng.integers(3, 7))
        yield tuple(map(int, rng.integers(1, widest + 1, length))), int(rng.integers(2, 6))


SPECIAL = [
    *[((5, 7, 1), 3), ((3, 5, 1), 4), ((4, 9, 1), 4), ((5, 14, 1), 4), ((3, 5, 2), 3), ((4, 6, 5), 2), ((4, 5, 3), 2)],
    *[((5, 5, 5, 1), 2), ((4, 8, 20, 1), 2), ((2, 3, 4, 5, 4, 6, 3, 1), 2), ((3, 5, 9, 12, 1), 3), ((3, 5, 10, 4), 2)],
]
"""Cases of the rules that are seldom the smallest."""


@pytest.mark.thorough
@pytest.mark.parametrize("thorough", [False, True])
def test_the_table_has_the_bounds_of_the_search(thorough: bool) -> None:
    table, rules = bounds.BoundTable(thorough=thorough), set()
    for widths, r in [*SPECIAL, *random_architectures(90, 7, 1)]:
        expected = search.upper_bound(widths, (r,) * (len(widths) - 2), thorough=thorough)
        assert table.tree(widths, r) == expected
        assert table.text(widths, r) == str(expected)
        rules |= {expected.rule}
    assert len(rules) >= 9


def test_a_table_grows_without_losing_anything() -> None:
    with mock.patch.object(bounds, "_FIRST_SIZE", 4):
        small = bounds.BoundTable(thorough=False)
    rows = np.array(list(itertools.product(range(1, 5), repeat=4)))
    assert np.array_equal(small.find(rows, 2), bounds.BoundTable(thorough=False).find(rows, 2))


def test_where_a_part_is_too_wide_for_the_table_its_bound_is_one_but_not_called_the_smallest() -> None:
    table = bounds.BoundTable(thorough=False)
    wide = (2, 2, 5, 9, 17, 33, 65, 129, 257, 513, 1)  # lifted, the last three layers have 2^16 inputs and more
    assert table.find(np.array([wide]), 2).tolist() == [[-1, -1, -1]]
    value, _, _ = table.find(np.array([wide]), 2, rough=True)[0].tolist()
    assert value == 4 + 257 - 2  # a form of degree 256 in the two squares: 257 coefficients, 4 weights, 2 scalings
    tree = table.tree(wide, 2)
    assert tree.value == value
    assert {part.rule for part in tree.parts} == {"cut"}
    narrow = (2, 2, 5, 9, 17, 33, 65, 129, 252, 65, 1)
    assert table.find(np.array([wide, narrow]), 2)[:, 0].tolist() == [-1, 259]


def test_the_kernels_know_every_rule() -> None:
    """A rule for perceptrons that they do not know would send every survey the slow way."""
    assert bounds.available()


def test_a_new_rule_sends_every_network_the_slow_way() -> None:
    rule = bound.Rule(name="one more", meaning="m", statement="s", perceptrons=lambda w, d, limit: [])
    with mock.patch.dict(bound.RULES, {"one more": rule}):
        assert not bounds.available()


def test_ranks_are_those_of_trial_0_proved_or_not() -> None:
    from polygeom.dimensions.survey.ranks import first_ranks

    known, unproved = batch.tables(), 0
    assert known is not None
    for widths, r in [((3, 3, 1), 2), ((5, 3, 1, 2, 4), 2), ((2, 2, 5), 3), *random_architectures(60, 6, 2)]:
        target = search.upper_bound(widths, (r,) * (len(widths) - 2), thorough=False).value
        extra, found = 0, -1
        while True:
            ranks = first_ranks(np.array([widths]), np.array([r]), known[0], 7, extra)
            if ranks.value[0] in (target, found):
                break
            found, extra = int(ranks.value[0]), max(4, 2 * extra)
        trial = perceptron_trial(widths, (r,) * (len(widths) - 2), 0, STRUCTURED, 7, target)
        assert ranks.value[0] == trial.rank.value
        unproved += trial.rank.value < target
        if trial.rank.value == target:
            assert ranks.points[0] == trial.rank.points
    assert unproved < 10


def same(widths: tuple[int, ...], r: int, seed: int = 0) -> None:
    (found,) = survey([widths], r, rng=seed).results()
    assert replace(found, elapsed=0.0) == replace(dimension(mlp(widths, r), rng=seed), elapsed=0.0)


def test_results_are_those_of_one_by_one() -> None:
    for widths, r in [*SPECIAL, ((30, 2, 2), 2), ((2, 300, 1), 2), *random_architectures(60, 6, 3)]:
        same(widths, r)
    same((3, 4, 2), 2, seed=5)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("r", [2, 3, 4])
def test_results_of_the_whole_box_are_those_of_one_by_one(r: int) -> None:
    """Widths up to 6, up to three hidden layers: 9,288 networks of each degree."""
    for hidden in (1, 2, 3):
        rows = list(itertools.product(range(1, 7), repeat=hidden + 2))
        found = survey(rows, r)
        assert found.proved.sum() >= len(rows) - 1
        for widths, result in zip(rows, found.results(), strict=True):
            assert replace(result, elapsed=0.0) == replace(dimension(mlp(widths, r)), elapsed=0.0)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_results_of_random_perceptrons_are_those_of_one_by_one() -> None:
    for widths, r in random_architectures(2000, 10, 4):
        same(widths, r)


def test_without_kernels_the_results_are_the_same() -> None:
    with mock.patch.object(batch, "tables", return_value=None):
        found = survey([[2, 3, 1]], 2)
    assert found.singly
    assert found.dimension.tolist() == [3]


@pytest.mark.parametrize(
    ("widths", "degree"), [([[2, 3]], 2), ([[2, 0, 1]], 2), ([[2, 3, 1]], 1), ([2, 3, 1], 2), ([[2.5, 3, 1]], 2)]
)
def test_what_is_no_list_of_perceptrons_is_refused(widths: object, degree: int) -> None:
    with pytest.raises(PolygeomError, match="widths must be rows"):
        survey(widths, degree)  # type: ignore[arg-type]


def test_a_task_of_many_has_the_rows_of_the_single_ones() -> None:
    texts = ["[2,3,1] r=2", "[2,3,3,1] r=3", "[4,3,2] r=2"]
    rows = run({"argument": {"arguments": [{"network": text} for text in texts]}, "seed": 0})["results"]
    assert [row | {"elapsed": 0} for row in rows] == [dimension(text).as_dict() | {"elapsed": 0} for text in texts]
    with pytest.raises(PolygeomError, match="one by one"):
        run({"argument": {"arguments": [{"network": "attention(2,2)"}]}, "seed": 0})


def test_what_is_known_of_a_small_perceptron_needs_no_network() -> None:
    for widths, r in [((2, 3, 1), 2), ((9, 9, 9, 9), 5), ((1, 1, 1), 9)]:
        text = batch.text(widths, r)
        network = parse(text)
        assert small_perceptron(text) == (widths, r)
        assert network.text == text
        with mock.patch("polygeom.dimensions.task.small_perceptron", return_value=None):
            slow = describe(text)
        assert describe(text) == slow
