"""What other systems write is read for what it means, or refused by name."""

from __future__ import annotations

import json
import re

import pytest
from programs import needs, output
from sympy import sympify

from polygeom.errors import PolygeomError
from polygeom.exchange.expressions import MOST_NAMES, name_range
from polygeom.exchange.ideals import READERS, read_ideal, recognise

BASIS = """#Reduced Groebner basis data
#---
#field characteristic: 65521
#variable order:       x, y
#monomial order:       graded reverse lexicographical
#length of basis:      2 elements sorted by increasing leading monomials
#---
[1*y^2+65520*x^1,
1*x^1*y^1+65520]:
"""

READ = [
    # text, language, names, characteristic, polynomials
    ("R = QQ[a..d]; I = ideal(a*d-b*c)", "m2", "a b c d", 0, "a*d - b*c"),
    ("R = QQ[x,y,Degrees=>{1,2},MonomialOrder=>Lex]\nI = ideal(x^2-y)", "m2", "x y", 0, "x**2 - y"),
    ("R = ZZ/101[x_1..x_3, MonomialOrder=>{2,1}]\nI = ideal(x_1^2-(1/3)*x_2,x_3)", "m2", "x_1 x_2 x_3", 101,
     "x_1**2 - 34*x_2; x_3"),
    ("R = QQ[p_(0,0)..p_(1,1)]; I = ideal(p_(0,0)*p_(1,1)-p_(0,1)*p_(1,0));", "m2", "p_0_0 p_0_1 p_1_0 p_1_1", 0,
     "p_0_0*p_1_1 - p_0_1*p_1_0"),
    ("kk = ZZ/32003\nR = kk[x,y]\nf = x^2-y\nI = ideal(f, x*y)\n", "m2", "x y", 32003, "x**2 - y; x*y"),
    ("R = QQ[x,y]; I = ideal matrix {{x,y},{x*y,y^2}}", "m2", "x y", 0, "x; y; x*y; y**2"),
    ("S = GF 7 [x,y]; J = ideal {x, y^2} -- over a field of 7\n", "m2", "x y", 7, "x; y**2"),
    ("R = QQ[x,y]\nuse R\no3 = ideal (x - y, x*y)\no3 : Ideal of R", "m2", "x y", 0, "x - y; x*y"),
    ("ring R=0,(x(1..3),y),dp; ideal I=x(1)^2-y,1/3*x(2);", "singular", "x_1 x_2 x_3 y", 0, "x_1**2 - y; 1/3*x_2"),
    ("ring R=7,x(1..3),(lp(2),dp); poly f=(x(1)+x(2))^2; ideal I=f,x(3); I;", "singular", "x_1 x_2 x_3", 7,
     "x_1**2 + 2*x_1*x_2 + x_2**2; x_3"),
    ("ring r=(7),(x,y),wp(1,2); // weights\nideal I=x-y;", "singular", "x y", 7, "x - y"),
    ("ring r=ZZ/7,(x,y),dp; ideal I=x-y; option(redSB); print(I);", "singular", "x y", 7, "x - y"),
    ("R.<x,y> = QQ[]\nI = R.ideal([x^2-y, x*y])", "sage", "x y", 0, "x**2 - y; x*y"),
    ("R.<x,y> = PolynomialRing(GF(7), order='lex')\nI = ideal(x**2-y)", "sage", "x y", 7, "x**2 - y"),
    ("R = QQ['x','y']\nR.inject_variables()\nI = R.ideal(x-y)", "sage", "x y", 0, "x - y"),
    ('R = QQ["x,y"]; x, y = R.gens(); I = R.ideal(x-y)', "sage", "x y", 0, "x - y"),
    ("K = GF(7)\nR = PolynomialRing(K, 'x', 3)\nx0,x1,x2 = R.gens()\nI = R.ideal(x0*x2-x1^2)", "sage", "x0 x1 x2", 7,
     "x0*x2 - x1**2"),
    ("R = PolynomialRing(QQ, ['x', 'y'])\nf = x - y\nI = R.ideal([f, (1/3)*x])", "sage", "x y", 0, "x - y; 1/3*x"),
    ("Ideal (x^2 - y, x*y) of Multivariate Polynomial Ring in x, y over Finite Field of size 7", "sage", "x y", 7,
     "x**2 - y; x*y"),
    ('using Oscar\nR, (x, y) = polynomial_ring(QQ, ["x", "y"])\nI = ideal(R, [x^2 - 1//2*y])', "oscar", "x y", 0,
     "x**2 - 1/2*y"),
    ("F = GF(7) # a field\nR, (x, y) = polynomial_ring(F, [:x, :y])\nI = ideal([x^2 - y])", "oscar", "x y", 7,
     "x**2 - y"),
    ("R, x = polynomial_ring(QQ, :x => 1:3)\nI = ideal(R, [x[1]*x[3]-x[2]^2])", "oscar", "x_1 x_2 x_3", 0,
     "x_1*x_3 - x_2**2"),
    ('R, (x, y) = PolynomialRing(QQ, ["x", "y"])\nf = x - y\nI = ideal(R, f)', "oscar", "x y", 0, "x - y"),
    ("Q := RationalField();\nR<x,y> := PolynomialRing(Q, 2);\nI := ideal<R | x^2 - y, x*y>;", "magma", "x y", 0,
     "x**2 - y; x*y"),
    ('R<[x]> := PolynomialRing(GF(7), 3, "grevlex"); f := x[1]*x[3]; I := ideal<R | f-x[2]^2>;', "magma",
     "x_1 x_2 x_3", 7,
     "x_1*x_3 - x_2**2"),
    ("x,y\n65521\nx^2-y,\nx*y-1\n", "msolve", "x y", 65521, "x**2 - y; x*y - 1"),
    (BASIS, "msolve", "x y", 65521, "y**2 - x; x*y - 1"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "language", "names", "characteristic", "polynomials"), READ)
def test_texts_of_every_system(text: str, language: str, names: str, characteristic: int, polynomials: str) -> None:
    found = read_ideal(text)
    assert (found.language, recognise(text)) == (language, language)
    assert [str(s) for s in found.ring.symbols] == names.split()
    assert found.characteristic == characteristic
    known = {str(symbol): symbol for symbol in found.ring.symbols}
    expected = [found.ring.from_expr(sympify(p, locals=known)) for p in polynomials.split(";")]
    assert list(found.polynomials) == expected


REFUSED = [
    ("R = QQ[x,y]/(x^2)\nI = ideal(y)", "Macaulay2, line 1: '/' makes a quotient ring"),
    ("R = ZZ[x,y]; I = ideal(x)", "coefficients 'ZZ' are not a field"),
    ("R = GF(9)[x]; I = ideal(x)", "9 elements make no prime field"),
    ("R = GF(3,2)[x]; I = ideal(x)", "an extension field"),
    ("R = QQ[x,y,WeylAlgebra=>{x=>y}]; I = ideal(x)", "the option 'WeylAlgebra' is not understood"),
    ("R = QQ[x,y,SkewCommutative=>true]; I = ideal(x)", "the option 'SkewCommutative' is not understood"),
    ("R = QQ[x][y]; I = ideal(y)", "a ring over a ring"),
    ("R = RR[x,y]; I = ideal(x)", "'RR' is not understood"),
    ("R = frac(QQ[t])[x]; I = ideal(x)", "Macaulay2, line 1"),
    ("R = QQ[vars(0..3)]; I = ideal(a)", "Macaulay2, line 1"),
    ("R = QQ[x,y]; I = ideal(x); J = ideal(y)", "there are 2 ideals; leave one of I, J"),
    ("R = QQ[x,y]; S = QQ[z]; I = ideal(z)", "a second ring is declared"),
    ('R = QQ[x,y]; I = ideal "x2-y"', "the string 'x2-y'"),
    ("R = QQ[x,y]; I = kernel map(R,R)", "Macaulay2, line 1"),
    ("R = QQ[x_3..x_1]; I = ideal(x_1)", "x_3..x_1 is no range of names"),
    ("R = QQ[x,y]\n            2\no2 = ideal(x  - y)", "two-dimensional print"),
    ("ring r=integer,(x,y),dp; ideal I=x;", "coefficients 'integer' are not read"),
    ("ring r=real,(x,y),dp; ideal I=x;", "coefficients 'real' are not read"),
    ("ring r=ZZ,(x,y),dp; ideal I=x;", "coefficients 'ZZ' are not read"),
    ("ring r=(7,a),(x,y),dp; ideal I=x;", "coefficients with the parameter 'a': an extension field"),
    ("ring r=(0,t),x,dp; ideal I=x;", "an extension field"),
    ("ring r=7^2,(x,y),dp; ideal I=x;", "an extension field"),
    ("ring r=0,(x,y),ds; ideal I=x;", "the order 'ds' is local"),
    ("ring r=0,(x,y),dp; qring q=std(x); ideal I=y;", "'qring' makes a quotient ring"),
    ("ring r=0,(x,y),dp; ideal I=x2y;", "'x2y' is no variable of the ring"),
    (
        "ring r=0,(x,y),dp; ideal I=1 2*x;",
        "expected an operator or the end of the statement, found '2'; blanks may not",
    ),
    ("ring r=0,(x,y),dp; ideal I=2x;", "2x is no product; write 2*x"),
    ("ring r=0,(x,y),dp; ideal I=1.5*x;", "the decimal '1.5'"),
    ("ring r=0,(x,y),dp; matrix m=x; ideal I=x;", "'matrix' is not understood"),
    ("ring r=0,(x,y),dp; ideal I=x; I=std(I);", "Singular, line 1: 'I' is not understood"),
    ("ring r=0,x,dp; I[2]=x", "Singular, line 1: I[2] after 0 generators"),
    ("R.<x,y> = ZZ[]\nI = R.ideal(x)", "coefficients 'ZZ' are not read"),
    ("R.<x,y> = GF(9)[]\nI = R.ideal(x)", "9 elements make no prime field"),
    ("R.<x,y> = GF(9,'a')[]\nI = R.ideal(x)", "an extension field"),
    ("R.<x,y> = QQ[]\nS = R.quotient(x)\nI = S.ideal(y)", "'quotient' makes a quotient ring"),
    ("R.<x,y> = QQ[]\nI = R.ideal(x.subs(x=1))", "Sage, line 2"),
    ("R.<x,y> = PolynomialRing(QQ, order='neglex')\nI = R.ideal(x)", "is local"),
    ('R, (x,) = polynomial_ring(ZZ, ["x"])\nI = ideal(R, [x])', "coefficients 'ZZ' are not read"),
    ('R, (x,) = polynomial_ring(GF(7,2), ["x"])\nI = ideal(R, [x])', "an extension field"),
    ('R, (x, y) = polynomial_ring(QQ, ["x", "y"])\nQ, p = quo(R, ideal(R, [x]))', "OSCAR, line 2"),
    ('R, (a, b) = polynomial_ring(QQ, ["x", "y"])\nI = ideal(R, [a])', "the variables x, y are called a, b"),
    ("R<x,y> := PolynomialRing(IntegerRing(), 2); I := ideal<R | x>;", "coefficients 'IntegerRing' are not read"),
    ("R<x,y> := PolynomialRing(GF(9), 2); I := ideal<R | x>;", "9 elements make no prime field"),
    ("R<x,y> := PolynomialRing(GF(7), 3); I := ideal<R | x>;", "3 variables and 2 names"),
    ("R<x> := PolynomialRing(GF(7), 1); Q := quo<R | x>; I := ideal<Q | x>;", "'quo' makes a quotient ring"),
    ("x,y\n32004\nx^2-y\n", "32004 elements make no prime field"),
    ("x,y\n0\nx^2-y\ny^2-x\n", "expected a comma, found 'y'"),
    ("[0, [1,\n[[[-1, -1], [1, 1]]]\n]]:", "msolve: these are solutions and not an ideal"),
    ("x^2 - y", "declares no ring"),
    ("", "no ring"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_is_not_understood_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(PolygeomError) as raised:
        read_ideal(text)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "kk = ZZ/32003\nR = kk[c1x20,c1x11,c1x02]\nI = ideal(16002*c1x11^2-2*c1x20*c1x02)",
        'R, c = polynomial_ring(GF(32003), ["c1x20","c1x11","c1x02"]); I = ideal(c1x11^2-4*c1x20*c1x02)',
        "R = PolynomialRing(GF(32003), 'c1x20,c1x11,c1x02')\nI = R.ideal(16002*c1x11^2-2*c1x20*c1x02)",
        "R.<c1x20,c1x11,c1x02> = GF(32003)[]\nI = R.ideal(16002*c1x11^2-2*c1x20*c1x02)",
        "ring R=32003,(c1x20,c1x11,c1x02),dp; ideal I=16002*c1x11^2-2*c1x20*c1x02;",
    ],
)
def test_a_prime_field_stays_one_when_the_network_is_known(text: str) -> None:
    found = read_ideal(text, "[2,1,1] r=2")
    assert found.characteristic == 32003
    (f,) = found.polynomials
    a, b, c = found.ring.gens
    assert f in (-16001 * b**2 - 2 * a * c, b**2 - 4 * a * c)  # residues of least absolute value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2*c1x20", "found '2'; blanks may not stand inside numbers and names"),
        ("c1 x20", "'c1' is no variable of the ring"),
        ("c1x20 c1x02", "blanks may not stand inside"),
        ("     2\nc1x11  - 4*c1x20*c1x02", "two-dimensional print"),
        ("something = else", "'something' is no variable"),
    ],
)
def test_plain_texts_are_polynomials_and_nothing_else(text: str, message: str) -> None:
    with pytest.raises(PolygeomError, match=re.escape(message)):
        read_ideal(text, "[2,1,1] r=2")


def test_plain_texts_may_have_lines_commas_and_semicolons() -> None:
    both = read_ideal("c1x20\n+ c1x11\nc1x02", "[2,1,1] r=2").polynomials
    assert [str(f) for f in both] == ["c1x20 + c1x11", "c1x02"]
    assert read_ideal("c1x20 + c1x11; c1x02", "[2,1,1] r=2").polynomials == both
    assert read_ideal("c1x20 + c1x11,\nc1x02,", "[2,1,1] r=2").polynomials == both


def test_one_polynomial_is_one_generator() -> None:
    ring = {"_type": {"name": "MPolyRing", "params": {"_type": "QQField"}}, "data": {"symbols": ["x", "y"]}}
    document = {"_type": {"name": "MPolyRingElem", "params": "r"}, "_refs": {"r": ring},
                "data": [[["1", "0"], "1//2"], [["0", "2"], "-3"]]}  # fmt: skip
    assert [str(f) for f in read_ideal(json.dumps(document)).polynomials] == ["-3*y**2 + 1/2*x"]


def test_documents_of_macaulay2() -> None:
    field = {"_type": "Ring", "data": "QQ"}
    ring = {"_type": {"name": "PolynomialRing", "params": field}, "data": {"variables": ["x_1", "x_2"]}}
    document = {"_type": {"name": "Ideal", "params": "r"}, "_refs": {"r": ring},
                "data": [[[["2", "0"], ["1", "1"]], [["0", "1"], ["-1", "3"]]]]}  # fmt: skip
    assert [str(f) for f in read_ideal(json.dumps(document)).polynomials] == ["x_1**2 - 1/3*x_2"]
    with pytest.raises(PolygeomError, match="coefficients 'ZZ' are not read"):
        read_ideal(json.dumps(document).replace('"QQ"', '"ZZ"'))
    other = {"_type": {"name": "FiniteField", "_instance": "fpField"}, "data": "9"}
    ring = {"_type": {"name": "MPolyRing", "params": other}, "data": {"symbols": ["x"]}}
    document = {"_type": {"name": "MPolyIdeal", "params": "r"}, "_refs": {"r": ring}, "data": []}
    with pytest.raises(PolygeomError, match="make no prime field"):
        read_ideal(json.dumps(document))


def test_ranges_of_names() -> None:
    assert list(name_range("x1", "x3")) == ["x1", "x2", "x3"]
    with pytest.raises(ValueError, match="more than"):
        list(name_range("x_1", f"x_{MOST_NAMES + 1}"))
    with pytest.raises(PolygeomError, match="language must be one of m2"):
        read_ideal("x", language="maple")
    assert set(READERS) == {"m2", "singular", "oscar", "sage", "magma", "msolve", "plain"}


@pytest.mark.thorough
@pytest.mark.oracle
@needs("M2", "Macaulay2")
def test_macaulay2_prints_what_is_read(tmp_path: object) -> None:
    script = f"{tmp_path}/a.m2"
    with open(script, "w", encoding="ascii") as file:  # noqa: PTH123
        file.write(
            'needsPackage "MRDI"; R = QQ[x_1..x_3]; I = ideal(x_1^2-1/3*x_2, x_3);\n'
            'print "R = QQ[x_1..x_3]"; print ("I = " | toString I); print "====";\n'
            'print "R = QQ[x_1..x_3]"; print ("I = " | toExternalString I); print "===="; print saveMRDI I;\n'
            'print "===="; print saveMRDI (x_1^2+1/2); print "===="; print net I;'
        )
    first, second, third, fourth, fifth = output("M2", ["--script", script]).split("====\n")
    for text in (first, third):
        assert [str(f) for f in read_ideal(text).polynomials] == ["x_1**2 - 1/3*x_2", "x_3"]
    assert [str(f) for f in read_ideal(fourth).polynomials] == ["x_1**2 + 1/2"]
    for text in (second, fifth):  # a map with degrees; two-dimensional
        with pytest.raises(PolygeomError):
            read_ideal(text)


@pytest.mark.thorough
@pytest.mark.oracle
@needs("msolve", "msolve")
@pytest.mark.parametrize("prime", [0, 65521])
def test_msolve_prints_what_is_read(prime: int, tmp_path: object) -> None:
    path = f"{tmp_path}/a.ms"
    with open(path, "w", encoding="ascii") as file:  # noqa: PTH123
        file.write(f"x,y\n{prime}\nx^2-y,\ny^2-x\n")
    basis = read_ideal(output("msolve", ["-g", "2", "-f", path]))
    assert (basis.characteristic, {str(f) for f in basis.polynomials}) == (prime, {"x**2 - y", "y**2 - x"})
    if prime == 0:
        with pytest.raises(PolygeomError, match="these are solutions"):
            read_ideal(output("msolve", ["-f", path]))
