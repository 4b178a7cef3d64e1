"""Names, orders and conversions of coordinates."""

from __future__ import annotations

import itertools
import keyword
import math
from collections import Counter
from fractions import Fraction

import pytest

from polygeom.errors import BudgetError, PolygeomError
from polygeom.ideal.grading.coordinates import Coordinates

NETWORKS = [
    "[2,3,1] r=2",
    "[3,3,3] r=2",
    "[2,1,1] r=12",
    "[2,2,2] r=2 bias",
    "convolutional(4,kernels=[2,2],degrees=2)",
]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("system", ["plain", "divided", "tensor"])
def test_names_are_different_identifiers(network: str, system: str) -> None:
    names = Coordinates(network).names_in(system)
    assert len(set(names)) == len(names) == Coordinates(network).network.ambient_dimension
    assert all(name.isalnum() and name.isidentifier() and not keyword.iskeyword(name) for name in names)
    assert [str(x) for x in Coordinates(network).ring_in(system).gens] == list(names)


def test_long_exponents_stay_readable() -> None:
    assert Coordinates("[2,1,1] r=12").names[:3] == ("c1x12x0", "c1x11x1", "c1x10x2")


def test_no_tensor_name_is_the_beginning_of_another() -> None:
    """gfan takes the first name that fits, and read t1x1x10 as t1x1x1 and a zero."""
    for network in ("[10,1,1] r=2", "[3,1,2] r=2", "[11,1,1] r=1"):
        names = Coordinates(network).names_in("tensor")
        assert not any(a != b and b.startswith(a) for a in names for b in names)
    assert "t1x01x10" in Coordinates("[10,1,1] r=2").names_in("tensor")


@pytest.mark.parametrize("network", NETWORKS)
def test_positions_are_those_of_entries(network: str) -> None:
    coordinates = Coordinates(network)
    assert [coordinates.position(*entry) for entry in coordinates.entries] == list(range(len(coordinates.entries)))
    assert coordinates.factors == tuple(
        math.factorial(sum(a)) // math.prod(map(math.factorial, a)) for _, a in coordinates.entries
    )


def test_values_convert_back() -> None:
    coordinates = Coordinates("[3,2,2] r=2 bias")
    values = list(range(1, len(coordinates.entries) + 1))
    divided = coordinates.convert(values, "plain", "divided")
    assert coordinates.convert(divided, "tensor", "plain") == values
    assert [d * f for d, f in zip(divided, coordinates.factors, strict=True)] == values


def test_a_power_of_a_linear_form_is_a_rank_one_tensor() -> None:
    coordinates = Coordinates("[3,1,2] r=3")
    line = (2, -3, 5)
    plain = [
        factor * (i + 1) * math.prod(x**e for x, e in zip(line, alpha, strict=True))
        for (i, alpha), factor in zip(coordinates.entries, coordinates.factors, strict=True)
    ]
    tensor = coordinates.tensor(plain)
    assert tensor.shape == (2, 3, 3, 3)
    for index in itertools.product(range(2), range(3), range(3), range(3)):
        assert tensor[index] == (index[0] + 1) * math.prod(line[j] for j in index[1:])


def test_equations_rewrite_with_the_same_zeros() -> None:
    coordinates = Coordinates("[3,2,1] r=2")
    names = coordinates.names
    polynomial = sum(
        (k + 2) * coordinates.ring.gens[k] * coordinates.ring.gens[(3 * k) % len(names)] for k in range(len(names))
    )
    values = [Fraction(k * k - 3, 2) for k in range(len(names))]
    divided = coordinates.rewrite(polynomial, "plain", "divided")
    assert coordinates.rewrite(divided, "divided", "plain") == polynomial
    assert Counter(map(sum, divided.monoms())) == {2: len(polynomial)}
    at = coordinates.convert(values, "plain", "tensor")
    tensor = coordinates.rewrite(polynomial, "plain", "tensor")
    assert tensor.evaluate(list(zip(tensor.ring.gens, at, strict=True))) == polynomial.evaluate(
        list(zip(polynomial.ring.gens, values, strict=True))
    )


def test_wrong_requests() -> None:
    coordinates = Coordinates("[2,3,1] r=2")
    with pytest.raises(PolygeomError, match="no coefficient of x"):
        coordinates.position(0, (3, 0))
    with pytest.raises(PolygeomError, match="must be 3 numbers"):
        coordinates.convert([1, 2], "plain", "divided")
    with pytest.raises(PolygeomError, match="system must be one of"):
        coordinates.names_in("decimal")
    with pytest.raises(PolygeomError, match="several degrees"):
        Coordinates("[2,3,1] r=2 bias").tensor([0] * 6)
    with pytest.raises(BudgetError, match="at most"):
        Coordinates("[30,3,3,1] r=3")
    with pytest.raises(PolygeomError, match="network must be"):
        Coordinates(3)  # type: ignore[arg-type]
