"""Selections: depths and filters against plain enumeration."""

from __future__ import annotations

import itertools

import pytest

from polygeom.errors import FormatError, PolygeomError
from polygeom.network import parse
from polygeom.network.selection import architectures, expand_depths
from polygeom.network.shapes import SHAPES


def all_of(first: range, hidden: range, last: range, depths: range, degrees: range) -> list[str]:
    return [
        f"[{','.join(map(str, (a, *h, c)))}] r={r}"
        for depth in depths
        for a in first
        for h in itertools.product(hidden, repeat=depth - 1)
        for c in last
        for r in degrees
    ]


FAMILY = "[2..3,1..3^1..3,1..2] r=2..3"
EVERY = all_of(range(2, 4), range(1, 4), range(1, 3), range(2, 5), range(2, 4))


def test_a_range_of_depths_stands_for_every_depth() -> None:
    chosen = architectures(FAMILY)
    assert sorted(chosen.texts()) == sorted(EVERY)
    assert chosen.count() == len(EVERY) == 2 * 2 * 2 * (3 + 9 + 27)
    assert [network.text for network in chosen] == list(chosen.texts())


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_keeps_exactly_the_networks_that_have_it(shape: str) -> None:
    def has(widths: tuple[int, ...]) -> bool:
        rises = all(a <= b for a, b in itertools.pairwise(widths))
        falls = all(a >= b for a, b in itertools.pairwise(widths))
        peak = widths.index(max(widths))
        unimodal = list(widths[: peak + 1]) == sorted(widths[: peak + 1]) and list(widths[peak:]) == sorted(
            widths[peak:], reverse=True
        )
        return {"non-decreasing": rises, "monotone": rises or falls, "unimodal": unimodal}.get(shape, falls)

    chosen = set(architectures(FAMILY, shape=shape).texts())
    assert chosen == {text for text in EVERY if has(parse(text).widths)}  # type: ignore[arg-type]
    assert 0 < len(chosen) < len(EVERY)


@pytest.mark.parametrize("limit", [1, 5, 12, 30, 10**9])
def test_sizes_are_limited_exactly(limit: int) -> None:
    small = {text for text in EVERY if parse(text).parameter_count <= limit}
    assert set(architectures(FAMILY, max_parameters=limit).texts()) == small
    narrow = {text for text in EVERY if parse(text).ambient_dimension <= limit}
    assert set(architectures(FAMILY, max_ambient=limit).texts()) == narrow


def test_filters_work_on_networks_of_other_kinds_and_degrees() -> None:
    biased = architectures("[2,2..4,1] r=2 bias", max_parameters=13)
    assert [n.parameter_count <= 13 for n in biased] == [True] * biased.count() != []
    mixed = architectures(["[2,2,2..3,1] r=2,3", "[2,3,1] r=5"], max_ambient=7)
    assert list(mixed.texts()) == ["[2,2,2,1] r=2,3", "[2,2,3,1] r=2,3", "[2,3,1] r=5"]
    assert architectures("ccp(2,3,1..2,1)", max_parameters=100).count() == 2
    with pytest.raises(PolygeomError, match="has no widths"):
        list(architectures("ccp(2,3,2,1)", shape="unimodal"))


def test_several_repetitions_multiply() -> None:
    assert expand_depths("[2,3^1..2,4..5^2,1] r=2") == ["[2,3,4..5,4..5,1] r=2", "[2,3,3,4..5,4..5,1] r=2"]
    assert expand_depths("[2,3,1] r=2") == ["[2,3,1] r=2"]
    assert expand_depths("[2,2|5 ^ 2,1] r=2") == ["[2,2|5 ,2|5 ,1] r=2"]


def test_huge_families_are_counted_without_filters_and_refused_with_them() -> None:
    assert architectures("[1..1000,1..1000,1..1000] r=2").count() == 10**9
    with pytest.raises(PolygeomError, match="too many to filter"):
        architectures("[1..1000,1..1000,1..1000] r=2", shape="unimodal").count()
    huge = architectures("[9,9^100,9] r=1000", max_ambient=10**6)
    assert huge.count() == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[2,^2,1] r=2", "nothing is repeated"),
        ("[2,3^0,1] r=2", "not a number of layers"),
        ("[2,3^4..2,1] r=2", "not a number of layers"),
        ("[2,3^999,1] r=2", "not a number of layers"),
        ("[2,3^,1] r=2", "without a number"),
        ("[2,3^x,1] r=2", "without a number"),
        ("[2,3,1] r=2^3", "without a number"),
        ("[2,3^1..200,3^1..200,1] r=2", "more than 1000 depths"),
    ],
)
def test_malformed_repetitions_are_refused_where_they_stand(text: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        architectures(text)


def test_bad_filters_are_refused() -> None:
    with pytest.raises(PolygeomError, match="shape must be one of"):
        architectures("[2,3,1] r=2", shape="round")
    for bad in (0, -1, 2.5, True):
        with pytest.raises(PolygeomError, match="max_parameters must be"):
            architectures("[2,3,1] r=2", max_parameters=bad)  # type: ignore[arg-type]
