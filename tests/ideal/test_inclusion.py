"""Membership of functions: proofs where there are equations or weights, honest answers elsewhere; reading functions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy

from polygeom.engines.exact import ExactEngine
from polygeom.errors import PolygeomError
from polygeom.ideal import Neurovariety
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.ideal.inclusion import distance
from polygeom.ideal.reading import read_function, read_polynomial


@pytest.mark.parametrize(
    ("network", "function", "answer", "status"),
    [
        ("[3,2,1] r=2", "x1^2 + x2^2", True, "proved"),
        ("[3,2,1] r=2", "x1*x2", True, "proved"),
        ("[3,2,1] r=2", "x1^2 + x2^2 + x3^2", False, "proved"),
        ("[2,3,1] r=2", "5*x1*x2 - x2^2/7", True, "proved"),
        ("[2,2,1] r=4", "x1^4 + x2^4", True, "proved"),
        ("[2,2,1] r=4", "x1^3*x2", True, "proved"),  # in the closure, not in the image
        ("[2,2,1] r=4", "x1^2*x2^2", False, "proved"),
        ("[2,1,2] r=2", "x1^2; 3*x1^2", True, "proved"),
        ("[2,1,2] r=2", "x1^2; x2^2", False, "proved"),
        ("[2,1,1] r=2 bias", "(x1 + 2*x2 - 3)^2 + 5", True, "proved"),
        ("[2,1,1] r=2 bias", "x1*x2", False, "proved"),
    ],
)
def test_exact_functions(network: str, function: str, answer: bool, status: str) -> None:
    found = Neurovariety(network).contains(function)
    assert (found.answer, found.status) == (answer, status), found


def test_floats_are_only_probable() -> None:
    variety = Neurovariety("[3,2,1] r=2")
    yes = variety.contains([1.0, 0.0, 0.0, 2.0, 0.0, 0.0])
    no = variety.contains([1.0, 0.0, 0.0, 2.0, 0.0, 3.0])
    assert (yes.answer, yes.status) == (True, "probable")
    assert yes.residual is not None
    assert yes.residual < 1e-9
    assert (no.answer, no.status) == (False, "probable")


def test_without_all_equations_weights_decide() -> None:
    variety = Neurovariety("[2,2,2,1] r=3")
    inside = variety.random_point()
    outside = variety.contains("x1^9 + 7*x1^5*x2^4 + x2^9", max_degree=5)
    assert (outside.answer, outside.status) == (False, "proved")
    found = variety.contains(inside, max_degree=5)
    assert (found.answer, found.status) == (True, "probable")
    assert "weights" in found.reason


def test_unknown_is_said() -> None:
    """Equations of degree 4 alone say nothing about a function outside; weights do not give it either."""
    found = Neurovariety("[2,2,2,1] r=3").contains("x1^9 + 7*x1^5*x2^4 + x2^9", max_degree=4)
    assert (found.answer, found.status) == (None, "unknown")
    assert found.residual is not None
    assert found.residual > 1e-3
    assert "unknown" in str(found)


@pytest.mark.parametrize("network", ["[2,2,3] r=2", "[2,1,2] r=2 bias", "ccp(2,rank=1,degree=2)", "[2,1,1] p=0,1/2,1"])
def test_random_points_lie_on_the_neurovariety(network: str) -> None:
    variety = Neurovariety(network)
    equations = variety.equations(3)
    assert equations
    point = variety.random_point()
    assert len(point) == len(variety.coordinates.names)
    assert all(e.evaluate(list(zip(e.ring.gens, point, strict=True))) == 0 for e in equations)
    residues = variety.random_point(101)
    for e in equations:
        value = e.evaluate(list(zip(e.ring.gens, residues, strict=True)))
        assert int(value.numerator) % 101 == 0
    for field in ("R", "C"):
        floats = variety.random_point(field)
        assert all(isinstance(c, float if field == "R" else complex) for c in floats)
        assert distance(floats, variety.coordinates) < 1e-8  # type: ignore[operator]


def test_random_points_are_those_of_the_network() -> None:
    """The same weights give the same values at points, by the exact engine."""
    variety = Neurovariety("[3,2,2] r=2", rng=5)
    network = variety.network
    rng = np.random.default_rng(5)
    drawn = rng.integers(-10, 11, size=network.parameter_count)
    engine = ExactEngine()
    weights = {"W1": engine.encode(drawn[:6].reshape(2, 3)), "W2": engine.encode(drawn[6:].reshape(2, 2))}
    x = [2, -1, 3]
    (values,) = network.evaluate(engine, weights, engine.encode([x]))
    point = variety.random_point()
    for output in range(2):
        total = sum(
            c * np.prod([b**e for b, e in zip(x, alpha, strict=True)])
            for c, (i, alpha) in zip(point, variety.coordinates.entries, strict=True)
            if i == output
        )
        assert total == values[output]


def test_wrong_fields() -> None:
    variety = Neurovariety("[2,1,1] r=2")
    for field in ("Z", 4, 2, True, 2.5):
        with pytest.raises(PolygeomError):
            variety.random_point(field)  # type: ignore[arg-type]


def test_forms_of_functions_agree() -> None:
    coordinates = Coordinates("[2,3,2] r=2")
    x1, x2 = sympy.symbols("x1 x2")
    expected = [1, 0, Fraction(-1, 2), 0, 3, 0]
    for function in [
        "x1^2 - x2^2/2; 3*x1*x2",
        ["x1**2 - 1/2*x2**2", "3*x2*x1"],
        [x1**2 - x2**2 / 2, 3 * x1 * x2],
        {"c1x20": 1, "c1x02": Fraction(-1, 2), "c2x11": 3},
        {(0, (2, 0)): 1, (0, (0, 2)): sympy.Rational(-1, 2), (1, (1, 1)): 3},
        expected,
        np.array([1, 0, -0.5, 0, 3, 0]),
    ]:
        assert read_function(function, coordinates) == expected


@pytest.mark.parametrize(
    "text",
    [
        "((x1 + 2*x2)*(x1 - x2) - 3)/7",
        "-x1^3 + +x2",
        "(x1 - 1)^5 - (x1 + x2)^2 * x1",
        "2^3 * x1 - x2*0",
        "1/3/4*x1",
    ],
)
def test_polynomials_are_those_of_sympy(text: str) -> None:
    x1, x2 = sympy.symbols("x1 x2")
    expected = sympy.Poly(sympy.sympify(text.replace("^", "**"), rational=True), x1, x2)
    found = read_polynomial(text, 2)
    assert found == {e: Fraction(int(c.p), int(c.q)) for e, c in expected.terms() if c}


@pytest.mark.thorough
@pytest.mark.parametrize(
    "text",
    [
        "",
        "x3",
        "y",
        "x0",
        "x1^x2",
        "x1^-1",
        "x1/x2",
        "x1/0",
        "sin(x1)",
        "__import__('os')",
        "x1.real",
        "[x1]",
        "x1; x2",
        "True*x1",
        "1e400*x1",
        "x1^100000",
        "(1+x1+x2)^2000",
        "(" * 500 + "x1" + ")" * 500,
        "'x1'",
        "x1 if x2 else 1",
        "lambda: 1",
    ],
)
def test_what_is_no_polynomial_is_refused(text: str) -> None:
    with pytest.raises(PolygeomError):
        read_polynomial(text, 2)


def test_functions_of_the_wrong_shape() -> None:
    coordinates = Coordinates("[2,3,2] r=2")
    for function, message in [
        ("x1^2", "one polynomial for each of 2 outputs"),
        ("x1^3; x2^2", "no coefficient of x"),
        ([1, 2], "must have 6 coefficients"),
        ([1, 2, 3, 4, 5, True], "must be numbers"),
        ([1, 2, 3, 4, 5, float("nan")], "must be finite"),
        ([1, 2, 3, 4, 5, 1j], "must be real"),
        ({"c9x20": 1}, "no coordinate"),
        ({(0, (1, 0)): 1}, "no coefficient"),
    ]:
        with pytest.raises(PolygeomError, match=message):
            read_function(function, coordinates)
