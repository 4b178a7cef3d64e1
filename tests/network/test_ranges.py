"""Ranges of networks."""

from __future__ import annotations

import itertools
import pickle

import pytest

from polygeom.errors import FormatError
from polygeom.network import expand, mlp, parse


def test_a_range_is_the_product_of_its_choices_the_last_moving_first() -> None:
    networks = expand("[2..4,2|5,1] r=2..3")
    expected = [mlp((a, b, 1), r) for a, b, r in itertools.product((2, 3, 4), (2, 5), (2, 3))]
    assert networks.count() == 12
    assert list(networks) == expected
    assert [networks[k] for k in range(12)] == expected
    assert [str(parse(text)) for text in networks.texts()] == [str(network) for network in expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[2,3,1] r=2", ["[2,3,1] r=2"]),
        ("[2,3,3,1] r=2..3,2..3", ["[2,3,3,1] r=2", "[2,3,3,1] r=2,3", "[2,3,3,1] r=3,2", "[2,3,3,1] r=3"]),
        ("[2,3,3,1] r=2,3", ["[2,3,3,1] r=2,3"]),
        (" [ 2 .. 3 , 1 | 2 .. 3 ] ", ["[2,1]", "[2,2]", "[2,3]", "[3,1]", "[3,2]", "[3,3]"]),
        ("[2,2..3,1] r=2..3 bias", ["[2,2,1] r=2 bias", "[2,2,1] r=3 bias", "[2,3,1] r=2 bias", "[2,3,1] r=3 bias"]),
        ("[5|3|5,1]", ["[5,1]", "[3,1]", "[5,1]"]),
        ("[9..11,1]", ["[9,1]", "[10,1]", "[11,1]"]),
        ("[2,2,1] p=0,1|2,1", ["[2,2,1] p=0,1,1", "[2,2,1] p=0,2,1"]),
        ("ccp(2,rank=1|3,degree=2..3)", [f"ccp(2,rank={k},degree={n})" for k in (1, 3) for n in (2, 3)]),
        (
            "convolutional(9,kernels=[2..3,2],degrees=2)",
            [f"convolutional(9,kernels=[{k},2],degrees=2)" for k in (2, 3)],
        ),
        ("x0=input(2); dense(x0,1..2)", ["[2,1]", "[2,2]"]),
        (parse("[2,3,1] r=2").to_json(), ["[2,3,1] r=2"]),
    ],
)
def test_texts_with_ranges(text: str, expected: list[str]) -> None:
    assert [str(network) for network in expand(text)] == expected
    assert expand(text).count() == len(expected)


def test_counting_makes_no_networks() -> None:
    networks = expand("[" + "1..1000000," * 20 + "1] r=2")
    assert networks.count() == 10**120
    assert str(networks[10**120 - 1]) == "[" + "1000000," * 20 + "1] r=2"
    with pytest.raises(IndexError, match="from 0 to"):
        networks.text(10**120)


def test_a_range_is_plain_data() -> None:
    networks = expand("[2..4,1]")
    assert networks == pickle.loads(pickle.dumps(networks)) == expand("[2..4,1]")
    assert hash(networks) == hash(expand("[2..4,1]"))


def test_a_network_that_does_not_exist_is_refused_when_it_is_reached() -> None:
    networks = expand("convolutional(3,kernels=[2..4])")
    assert networks.count() == 3
    assert str(networks[1]) == "convolutional(3,kernels=[3])"
    with pytest.raises(FormatError, match="write a longer input or a smaller size"):
        _ = networks[2]
    assert len(list(networks.texts())) == 3
