"""Maps from text, sympy, matrices and files; what is refused, and where."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import sympy

import polygeom
from polygeom import maps
from polygeom.errors import PolygeomError
from polygeom.maps.files import read_map_text
from polygeom.network import Network, parse

TWISTED = "map(s,t: x=s^3, y=s^2*t, z=s*t^2, w=t^3)"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("s^4, s^3*t, s*t^3, t^4", "map(s,t: s^4, s^3*t, s*t^3, t^4)"),
        ("s**2; s*t\nt**2", "map(s,t: s^2, s*t, t^2)"),
        ("p=(a+b)^2, q=a*b/3", "map(a,b: p=a^2+2*a*b+b^2, q=1/3*a*b)"),
        ("(a^2-b^2)/(a-b), 1", "map(a,b: a+b, 1)"),
        ("1/(1+1/a)", "map(a: a/(a+1))"),
    ],
)
def test_text_has_one_canonical_form_that_reads_back(text: str, canonical: str) -> None:
    network = maps.from_text(text)
    assert str(network) == canonical
    assert parse(canonical) == network == maps.from_text(canonical)
    assert parse(network.to_json()) == network == pickle.loads(pickle.dumps(network))
    assert isinstance(network, maps.Parametrisation)


def test_sympy_and_matrices_give_the_maps_that_text_gives() -> None:
    s, t = sympy.symbols("s t")
    assert maps.from_sympy([s**2, s * t / 2, s / (s + t)]) == maps.from_text("s^2, s*t/2, s/(s+t)")
    assert maps.from_sympy(sympy.Matrix([[t, s]])) == maps.from_text("t, s", "s t")
    generic = sympy.Matrix(2, 3, lambda i, j: sympy.Symbol("abcdef"[3 * i + j]))
    assert maps.minors(generic, 2) == maps.from_text("p12=a*e-b*d, p13=a*f-c*d, p23=b*f-c*e", "a b c d e f")
    expected = [str(sympy.expand(generic[:, [i, j]].det())) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert maps.minors(generic, 2) == maps.from_text(",".join(expected), "abcdef"[:0] or list("abcdef"), "p12 p13 p23")
    assert maps.toric([[1, 0], [-1, 2]]) == maps.from_text("t1/t2, t2^2", "t1 t2")
    assert maps.from_matrix([["a", "a*b"]]).nodes[1].layer.names == ("m11", "m12")


FILES = {
    "polygeom": TWISTED,
    "lines": "# twisted cubic\nparameters: s, t\nx = s^3\ny = s^2*t\nz = s*t^2\nw = t^3\n",
    "macaulay2": "-- a curve\nR = QQ[x,y,z,w]; S = QQ[s,t];\nf = map(S, R, {s^3, s^2*t, s*t^2, t^3})\nkernel f\n",
    "macaulay2 matrix": "R=QQ[x,y,z,w,Degrees=>{4:1}]\nS=QQ[s..t]\nmap(S,R,matrix {{s^3,s^2*t,s*t^2,t^3}})"
    .replace("s..t", "s,t"),
    "singular": "ring R = 0,(x,y,z,w),dp;\nring S = 0,(s,t),dp;\nmap f = R, s^3, s^2*t, s*t^2, t^3; // images\n",
    "sage": "R.<x,y,z,w> = QQ[]\nS.<s,t> = PolynomialRing(QQ)\nf = R.hom([s^3, s^2*t, s*t^2, t^3], S)  # map\n",
    "oscar": 'R, (x,y,z,w) = polynomial_ring(QQ, ["x","y","z","w"])\nS, (s, t) = polynomial_ring(QQ, [:s, :t])\n'
    "f = hom(R, S, [s^3, s^2*t, s*t^2, t^3])\n",
}  # fmt: skip


@pytest.mark.parametrize("system", FILES)
def test_every_system_says_the_same_map(system: str, tmp_path: Path) -> None:
    path = tmp_path / "map.txt"
    path.write_text(FILES[system], encoding="utf-8")
    assert str(maps.read_map(path)) == TWISTED


def test_indexed_variables_of_macaulay2_and_julia() -> None:
    network = read_map_text("R=QQ[p_0..p_2]; S=QQ[x_(1,1),x_(1,2)]; map(S,R,{x_(1,1)^2, x_(1,1)*x_(1,2), x_(1,2)^2})")
    assert str(network) == "map(x_1_1,x_1_2: p_0=x_1_1^2, p_1=x_1_1*x_1_2, p_2=x_1_2^2)"


MALFORMED = {
    "": "no formulas",
    "s^2,,t": "empty coordinate",
    "2s, t": "write 2\\*s",
    "s t, t": "write every product with \\*",
    "s^t, t": "whole exponent",
    "s^(1/2), t": "write s\\^\\(3\\)",
    "sqrt(s), t": "function 'sqrt'",
    "sin(s)": "function 'sin'",
    "0.5*s": "1/2 for one half",
    "s/0": "division by zero",
    "s/(t-t)": "division by zero",
    "(s, t": "closing parenthesis",
    "s), t": "expected an operator",
    "s +, t": "expected a number",
    "s ** 2 ** 2": "power of a power",
    "x=s, t": "name all of them",
    "x=s, x=t": "'x' twice",
    "(s+t)^999999": "products of terms",
    "s^99999999": "exponent must be from",
    "s·t": "unexpected character",
    "map(s,t s^2)": "expected , or :",
    "map(s,s: s)": "parameter s twice",
    "map(s: s^2, u)": "no parameter is named 'u'",
    "map(s: )": "expected a number",
    "map(s: s) and more": "expected the end",
    "parameters: s\ns*t": "no parameter is named 't'",
    "R=QQ[x,y]; map(S,R,{s,t})": "no definition of the ring S",
    "R=QQ[x]; S=QQ[s,t]; map(S,R,{s,t})": "2 images for 1 variables",
    "R=QQ[x,y]; S=ZZ/7[s,t]; map(S,R,{s,t})": "coefficients ZZ/7",
    "R=QQ[x,y]; S=QQ[s,t]; map(S,R,{s,t": "no closing }",
    "R=QQ[x]; S=QQ[s]; map(S,R,{s}); map(S,R,{s^2})": "2 ring maps",
    "ring R = 0,(x),dp;\nmap f = R, s": "no closing ;",
    "R=QQ[x_0..y_2]; S=QQ[s]; map(S,R,{s})": "write them out",
}


@pytest.mark.parametrize("text", MALFORMED)
def test_malformed_maps_are_refused_with_the_place_and_what_to_write(text: str) -> None:
    with pytest.raises(PolygeomError, match=MALFORMED[text]) as info:
        read_map_text(text)
    assert "; " in str(info.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: maps.from_sympy([sympy.sqrt(2)]), "no quotient of polynomials"),
        (lambda: maps.from_sympy([sympy.Symbol("s") ** sympy.Rational(1, 2)]), "no quotient of polynomials"),
        (lambda: maps.from_sympy([sympy.exp(sympy.Symbol("s"))]), "no quotient of polynomials"),
        (lambda: maps.from_sympy([0.5 * sympy.Symbol("s")]), "rounded number"),
        (lambda: maps.from_sympy([]), "at least one"),
        (lambda: maps.minors([["a", "b"], ["c"]], 1), "rows of one length"),
        (lambda: maps.minors([["a", "b"], ["c", "d"]], 3), "size must be an integer from 1 to 2"),
        (lambda: maps.minors([["a", "b"], ["c", "2d"]], 2), "row 2, column 2"),
        (lambda: maps.toric([[1, 2], [3]]), "rows of one length"),
        (lambda: maps.toric([[0.5]]), "must be integers"),
        (lambda: maps.toric([[1]], "s t"), "1 names"),
        (lambda: maps.segre([2, 0]), "sizes must be an integer from 1"),
        (lambda: maps.segre(3, 4), r"sizes must be 1 to 20 integers, got 3; write segre\(\[2, 2, 2\]\)"),
        (lambda: maps.tree_model([(0, 1), (2, 1)]), "tree with one root"),
        (lambda: maps.tree_model([(0, 1, 2)]), "edges must be pairs of integers"),
        (lambda: maps.gaussian_graphical_model(3, 2), "edges must be pairs of integers, got 2"),
        (lambda: maps.gaussian_graphical_model(3, [(1, 4)]), "nodes from 1 to 3"),
        (lambda: maps.read_map("/nowhere/at/all"), "cannot read"),
        (lambda: parse("x=input(1); formula(x,[s],[\"s*x2\"])"), "write x1 to x1"),
        (lambda: parse("x=input(1); formula(x,[s],[\"s*x1])"), "closing quote"),
    ],
)  # fmt: skip
def test_malformed_arguments(call: object, message: str) -> None:
    with pytest.raises(PolygeomError, match=message) as info:
        call()  # type: ignore[operator]
    assert "; " in str(info.value)


def test_questions_about_rational_maps_that_have_no_answer_are_refused() -> None:
    with pytest.raises(PolygeomError, match="write method='interpolation'"):
        polygeom.Neurovariety("map(t: 1/t, t)").ideal("elimination")
    inverse: Network = parse('x=input(1); formula(x,[s],["s/x1"])')
    with pytest.raises(PolygeomError, match="rational functions of the inputs"):
        _ = inverse.ambient_dimension
    assert polygeom.dimension(inverse).dimension == 1
