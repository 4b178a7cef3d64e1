"""Certificates of maps: the checker reads the formulas, differentiates and substitutes by itself."""

from __future__ import annotations

import copy
import random
from fractions import Fraction
from typing import Any

import pytest
from certificates.honest import plain
from certificates.lists import listed, recount, times
from certificates.test_lies import call_filling, refused
from certificates.truths import Data, polynomial

import polygeom
from polygeom import certificates, maps
from polygeom.dimensions import certify as certify_dimension
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.maps import constant_along, gauge, read_map, slopes
from polygeom.errors import CertificateError, PolygeomError
from polygeom.ideal import interpolate
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.ideal.proofs.certificate import certify
from polygeom.ideal.proofs.coefficients import common_denominator, expand
from polygeom.network import Network

CYCLE = maps.gaussian_graphical_model(4, [(1, 2), (2, 3), (3, 4), (1, 4)])
VALID: dict[str, tuple[Network, int, str | None, int | None]] = {
    "twisted cubic": (maps.rational_normal_curve(3), 2, "section", 3),
    "circle": (maps.from_text("x=(1-t^2)/(1+t^2), y=2*t/(1+t^2)"), 1, "hypersurface", 2),
    "Cayley cubic": (maps.from_text("1/a, 1/b, 1/c, -1/(a+b+c)"), 3, "hypersurface", 3),
    "Whitney umbrella": (maps.from_text("x=u*v, y=u, z=v^2"), 2, "hypersurface", 3),
    "G(2,5)": (maps.grassmannian(2, 5), 7, "section", 5),
    "Gaussian 4-cycle": (CYCLE, 8, "section", 9),
    "essential matrices": (maps.essential_matrices(), 6, "section", 10),
    "quadrics of rank 2": (maps.veronese(3, 2, 2), 5, "hypersurface", 3),
    "all 2 x 2 matrices": (maps.segre([2, 2], 2), 4, "filling", 1),
    "torus": (maps.toric([[1, 0, -1], [0, 1, 2]]), 2, "hypersurface", 2),
    "constants and zeros": (maps.from_text("a=0, b=1/3, c=s^2/2, d=s", "s"), 1, "hypersurface", 2),
    "one point": (maps.from_text("1, 2"), 0, "filling", 1),
}  # fmt: skip


@pytest.mark.parametrize("name", VALID)
def test_honest_certificates_of_maps_are_valid(name: str) -> None:
    network, dimension, argument, degree = VALID[name]
    data = plain(certify_dimension(network))
    assert data["network"] == network.text
    found = polygeom.verify(data)
    assert found.valid, found.checks
    assert found.claim == f"the dimension of {network.text} is {dimension}"
    ideal = plain(certify(interpolate(network)))
    found = polygeom.verify(ideal)
    assert found.valid, found.checks
    assert (ideal["claim"]["completeness"], ideal["claim"]["degree"]) == (argument, degree)
    assert ideal["coordinates"] == [*Coordinates(network).names]


@pytest.fixture(scope="module")
def cubic() -> Data:
    return plain(certify("map(s,t: x=s^3, y=s^2*t, z=s*t^2, w=t^3)"))


@pytest.fixture
def data(cubic: Data) -> Data:
    return copy.deepcopy(cubic)


def rename(data: Data, text: str) -> None:
    data["network"] = data["dimension"]["network"] = text


OTHERS = {
    "another curve": "map(s,t: x=s^3, y=s^2*t, z=s*t^2, w=t^3+s^3)",
    "another coefficient": "map(s,t: x=s^3, y=2*s^2*t, z=s*t^2, w=t^3)",
    "another name": "map(s,t: x=s^3, y=s^2*t, w=s*t^2, z=t^3)",
    "a denominator": "map(s,t: x=s^3, y=s^2*t, z=s*t^2/(s+t), w=t^3)",
    "a surface": "map(s,t,u: x=s^3, y=s^2*t, z=s*t^2, w=t^3+u)",
    "one more coordinate": "map(s,t: x=s^3, y=s^2*t, z=s*t^2, w=t^3, v=s)",
    "one parameter less": "map(s: x=s^3, y=s^2, z=s, w=1)",
}


@pytest.mark.parametrize("name", OTHERS)
def test_the_formulas_are_part_of_the_claim(data: Data, name: str) -> None:
    rename(data, OTHERS[name])
    assert refused(data)


@pytest.mark.parametrize(
    "text",
    [
        "map(s,t: x=s^3, y=s^2*t, z=s*t^2, w=t^3 )",
        "map(s,t:x=s^3,y=s^2*t,z=s*t^2,w=t^3)",
        "map(s,t: s^3, s^2*t, s*t^2, w=t^3)",
        "map(s,t: x=s^3, x=s^2*t, z=s*t^2, w=t^3)",
        "map(s,s: x=s^3, y=s^2*t, z=s*t^2, w=t^3)",
        "map(s,t: x=s^3+s^3, y=s^2*t, z=s*t^2, w=t^3)",
        "map(s,t: x=s^3, y=s+t/(s), z=s*t^2, w=t^3)",
        "map(s,t: x=s^3, y=s^2t, z=s*t^2, w=t^3)",
        "map(s,t: x=s^3, y=s**2*t, z=s*t^2, w=t^3)",
        "map(s,t: x=s^3, y=s^2*u, z=s*t^2, w=t^3)",
        "map(s,t: x=s^-3, y=s^2*t, z=s*t^2, w=t^3)",
        "map(s,t: x=0.5*s^3, y=s^2*t, z=s*t^2, w=t^3)",
        "map(s,t: x=s/(0), y=s^2*t, z=s*t^2, w=t^3)",
        "map(s,t: x=s/t, y=s^2*t, z=s*t^2, w=t^3)",
        "map(s,t: x=(s), y=s^2*t, z=s*t^2, w=t^3)",
        "map(s,t: x=s^9999999, y=s^2*t, z=s*t^2, w=t^3)",
        "map(s,t,: x=s^3, y=s^2*t, z=s*t^2, w=t^3)",
        "map(s,t: )",
        "map(s,t: x=s^3, y=+-t, z=s*t^2, w=t^3)",
    ],
)
def test_texts_that_are_written_differently_are_no_certificate(data: Data, text: str) -> None:
    rename(data, text)
    with pytest.raises(CertificateError, match="as polygeom writes it"):
        polygeom.verify(data)


def other_dimension(data: Data) -> None:
    dimension = data["dimension"]
    dimension["claim"].update(dimension=3, lower=3, upper=3)
    dimension["lower"]["rank"] = dimension["upper"]["value"] = 3


def smaller_dimension(data: Data) -> None:
    dimension = data["dimension"]
    dimension["claim"].update(dimension=1, lower=1, upper=1)
    dimension["lower"]["rank"] = dimension["upper"]["value"] = 1


def dropped(data: Data) -> None:
    data["equations"].pop()
    recount(data)


def squared(data: Data) -> None:
    e = data["equations"][0]
    data["equations"].append(listed(times(polynomial(e), polynomial(e)), data["grading"]["weights"]))
    data["equations"].pop(0)
    recount(data)


def wrong_scaling(data: Data) -> None:
    data["grading"]["scalings"][0][2] += 1


def wrong_weight(data: Data) -> None:
    data["grading"]["weights"][1][0] += 1


def a_point(data: Data) -> None:
    data["dimension"]["lower"]["points"] = [[1]]


def two_points(data: Data) -> None:
    data["dimension"]["lower"]["points"] = [[0], [0]]


def no_cone(data: Data) -> None:
    data["grading"]["cone"] = False


def outputs(data: Data) -> None:
    data["grading"]["outputs"] = 4


LIES = [
    other_dimension, smaller_dimension, dropped, squared, wrong_scaling, wrong_weight, a_point, two_points, no_cone,
    outputs, call_filling,
]  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_lies_about_a_map_are_refused(data: Data, lie: Any) -> None:
    lie(data)
    assert refused(data)


def test_a_cone_over_a_map_with_denominators_is_not_called_a_cone() -> None:
    """The products with the common denominator form a cone, 1 + t² ↦ weight 0; the circle does not."""
    data = plain(certify("map(t: x=(1-t^2)/(1+t^2), y=2*t/(1+t^2))"))
    grading = data["grading"]
    assert not grading["cone"]
    claimed = copy.deepcopy(data)
    claimed["grading"]["cone"] = True
    claimed["grading"]["weights"].pop()
    claimed["grading"]["scalings"].insert(0, [1, 0, 0])
    assert refused(claimed)
    line = plain(certify("map(s,t: x=s/(s+t), y=t/(s+t))"))  # x + y = 1, and the numerators s, t form a cone
    assert line["claim"]["counts"] == {"1": 1}
    assert not line["grading"]["cone"]
    line["grading"].update(cone=True, weights=[[0], [0]], scalings=[[1, 0, 1, 1], [1, 0, 0, 0]])
    line.update(kept=[0, 1], equations=[], completeness=None, degrees=[{"degree": 1, "spaces": [[[0], 2, 2]]}])
    line["claim"].update(
        counts={}, hilbert_function=[1, 2], complete_to=1, completeness=None, degree=None, h_vector=None
    )
    found = polygeom.verify(line)  # everything else fits: no linear equation would be there
    assert found.checks[-1] == "FALSE: 1 scalings act with the weights listed"


def test_derivatives_are_those_of_exact_fractions() -> None:
    """Slopes times D² against difference quotients of exact rational functions modulo the prime, by sympy."""
    import sympy

    text = "map(s,t: 1/2*s^3-t, (s+t)/(s-t^2), 3*s*t^2/(s*t+1), 7)"
    s, t = symbols = sympy.symbols("s t")
    p, point = 10007, [12, 345]
    formulas = [s**3 / 2 - t, (s + t) / (s - t**2), 3 * s * t**2 / (s * t + 1), sympy.Integer(7)]
    expected = []
    for f in formulas:
        bottom = sympy.fraction(sympy.together(f))[1]
        scale = bottom if bottom.free_symbols else sympy.Integer(1)
        values = [Fraction(str((f.diff(x) * scale**2).subs({s: point[0], t: point[1]}))) for x in symbols]
        expected.append([v.numerator * pow(v.denominator, -1, p) % p for v in values])
    assert slopes(read_map(text), p, point, Budget()) == expected


def test_expansions_over_a_common_denominator_have_the_values_of_the_map() -> None:
    text = "map(s,t: 1/2*s^3-t, (s+t)/(s-t^2), 3*s*t^2/(s*t+1), 7)"
    known, bottom = expand(text, Budget()), common_denominator(text, Budget())
    w = [Fraction(3), Fraction(5, 2)]
    values = [w[0] ** 3 / 2 - w[1], (w[0] + w[1]) / (w[0] - w[1] ** 2), 3 * w[0] * w[1] ** 2 / (w[0] * w[1] + 1), 7]

    def at(p: Any) -> Fraction:
        terms = [Fraction(int(c.p), int(c.q)) * w[0] ** e[0] * w[1] ** e[1] for e, c in p.items()]
        return sum(terms, Fraction(0))

    assert [at(known[i, (0,)]) / at(bottom) for i in range(4)] == values


@pytest.mark.parametrize(
    ("text", "fibre"),
    [
        ("map(a,b,c,d: a*d-b*c)", 3),
        ("map(a,b: a+b)", 1),  # a shift, no scaling
        ("map(a,b: a/(b))", 1),
        ("map(a,b: a^2+b^2)", 1),  # a rotation
        ("map(a,b: a^3+b^3)", 0),  # no affine field, though fibres are curves
        ("map(a,b: a, b)", 0),
        ("map(a,b,c: a)", 2),
        ("map(a,b: (a+b)/(a-b))", 1),
        ("map(a,b: a*b+b)", 1),  # a scaling about a = -1
    ],
)
def test_symmetries_that_the_checker_finds(text: str, fibre: int) -> None:
    assert gauge(read_map(text), 10, Budget()) == fibre


def test_a_field_that_moves_a_coordinate_is_no_symmetry() -> None:
    rotation = [Fraction(x) for x in (0, -1, 0, 1, 0, 0)]  # (a, b) ↦ (-b, a)
    assert constant_along(read_map("map(a,b: a^2+b^2, 1/(a^2+b^2))"), rotation, Budget())
    assert not constant_along(read_map("map(a,b: a^2+b^2, a)"), rotation, Budget())
    assert not constant_along(read_map("map(a,b: a^2+b^2, 1/(a+b))"), rotation, Budget())


def test_what_certificates_do_not_hold_is_said() -> None:
    names = [f"{'a' * 37}{k}" for k in range(100, 160)]
    wide = maps.from_text(", ".join(f"{'*'.join(names)}^{k}" for k in range(1, 50)))
    with pytest.raises(PolygeomError, match="more than 100000 characters"):
        certify_dimension(wide)
    with pytest.raises(PolygeomError, match="does not read layers of the kinds formula"):
        certify_dimension('x=input(1); formula(x,[s],["s*x1"])')


def test_the_second_checker_says_that_it_does_not_read_maps(cubic: Data) -> None:
    names: dict[str, Any] = {"__name__": "check"}
    exec(compile(certificates.standalone(), "check.py", "exec"), names)
    for data in (cubic, cubic["dimension"]):
        assert names["check"](data) == (
            3, "NOT COVERED: a map given by formulas, which only polygeom verify reads"
        )  # fmt: skip


def test_random_maps_are_certified() -> None:
    """Sixty small maps, polynomial and rational; every dimension is that of the engine, every certificate valid."""
    rng = random.Random(3)
    for _ in range(60):
        names = ["s", "t", "u"][: rng.randint(1, 3)]
        term = lambda: "*".join([str(rng.randint(1, 5)), *(f"{n}^{rng.randint(0, 2)}" for n in names)])  # noqa: E731, B023
        parts = [f"{term()} - {term()}" for _ in range(rng.randint(1, 4))]
        parts = [f"({part})/(1 + {term()})" if rng.random() < 0.3 else part for part in parts]
        network = maps.from_text(", ".join(parts), names)
        data = plain(certify_dimension(network))
        assert polygeom.verify(data).valid
        assert data["claim"]["dimension"] == polygeom.dimension(network).dimension
