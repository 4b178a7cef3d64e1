"""Small functions of the checker, each against a brute force, a definition, or the search's own statement."""

from __future__ import annotations

import inspect
import itertools
import math
import random
from fractions import Fraction
from typing import Any

import flint
import numpy as np
import pytest

from polygeom.dimensions.bounds.architecture import feature_span, orbit, parameters_bound
from polygeom.dimensions.bounds.graphs import plain_text
from polygeom.dimensions.proofs import certificate, frontier_check, jacobians, maps, monomials, rules, symmetries
from polygeom.dimensions.proofs.added import _Recorder, record
from polygeom.dimensions.proofs.frontier_check import _Held, _lowered, find_gap
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.maps import read_map
from polygeom.dimensions.proofs.programs import Layer, Program, read
from polygeom.dimensions.proofs.texts import _arguments, _numbers, _perceptron, _rationals, _value
from polygeom.errors import CertificateError
from polygeom.network import parse


def program_of(text: str) -> Program:
    return read(plain_text(parse(text)))


def test_numbers_have_ends() -> None:
    assert _numbers("1,1000000") == [1, 10**6]
    assert _rationals("0," * 1000 + "1") == [0] * 1000 + [1]
    assert _rationals("-3/7,1") == [Fraction(-3, 7), 1]
    for wrong in ("0,1", "1000001"):
        with pytest.raises(ValueError, match=wrong):
            _numbers(wrong)
    for wrong in ("0," * 1001 + "1", "1", "1,0", "1,2/1", "1,10/5", "1,-0", "x,1"):
        with pytest.raises(ValueError):
            _rationals(wrong)
    assert _value("x12") == (12, "x12")
    assert _value("[[0,-1],[2,3]]") == ([[0, -1], [2, 3]], "[[0,-1],[2,3]]")
    assert _value("[[5]]") == ([[5]], "[[5]]")
    assert _value("[1,1/2]") == ([1, Fraction(1, 2)], "[1,1/2]")
    assert _value("-7") == (-7, "-7")
    assert _arguments("w", "x0,x1,2,3,shares=x1", 2) == ("w", (0, 1), [2, 3], {"shares": 1})
    assert _arguments("w", "", 2) == ("w", (), [], {})
    for wrong in ("x2", "x0,2,x1", "x0,size=2,3", "2,", "x0,shares=2", "x0,size=x1", "x0,size=1,size=1", "x0;2"):
        with pytest.raises(ValueError):
            _arguments("w", wrong, 2)


def test_perceptrons_in_statements() -> None:
    assert _perceptron("[2,1]") == [("input", (), [2], {}), ("dense", (0,), [1], {})]
    words = [word for word, *_ in _perceptron("[2,3,4,1] p=0,1;1,1 bias")]
    assert words == ["input", "dense", "bias", "dense", "bias", "polynomial", "dense", "bias"]
    assert [line[1] for line in _perceptron("[2,3,4,1] r=2,3")] == [(), (0,), (1,), (2,), (3,), (4,)]
    assert [line[3] for line in _perceptron("[2,2,2,2,2] r=1 tied")][2:] == [{}, {"shares": 2}, {}]
    for wrong in ("[2]", "[2,1] r=2", "[2,2,1]", "[2,2,2,2,1] r=2,2", "[2,2,1] r=2 p=0,1"):
        with pytest.raises(ValueError):
            _perceptron(wrong)


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("x0=input(2); dense(x0,3)", 2 + 6 + 3 + 6),
        ("x0=input(2,5); dense(x0,3)", 10 + 15 + 6 + 15),
        ("x0=input(3); scale(x0)", 3 + 9 + 3 + 3 + 9),
        ("x0=input(3); bias(x0)", 3 + 3 + 3 + 3),
        ("x0=input(3); power(x0,2)", 3 + 3),
        ("x0=input(2,2); flatten(x0)", 4 + 4 + 4),
        ("x0=input(5); convolution(x0,2,2)", 5 + (4 + 4) + 2 + (2 + 2) + (2 + 2)),
        ("map(s,t: s, t, s*t)", 2 + 3),
    ],
)
def test_entries_are_counted(text: str, entries: int) -> None:
    """Weights, values and indices, each once."""
    assert read(text).entries == entries


def test_layers_know_what_is_their_own() -> None:
    text = "x0=input(2); x1=dense(x0,2); x2=dense(x1,2,shares=x1); x3=dense(x2,2,pattern=[[0,-1],[-1,0]]); "
    text += "x4=dense(x3,2); x5=power(x4,3); x6=polynomial(x5,[0,1]); polynomial(x6,[0,2])"
    program = read(text)
    assert [layer.own for layer in program.layers[1:5]] == [False, False, False, True]
    assert program.steps[2].data.tolist() == [[4, -1], [-1, 4]]
    assert [layer.degree for layer in program.layers] == [0, 0, 0, 0, 0, 3, 1, 0]
    assert [layer.value for layer in program.layers] == list(range(8))
    assert [layer.reads for layer in program.layers] == [(), *((k,) for k in range(7))]
    for wrong in ("x0=input(2); power(x0,1000001)", "x0=input(2,2,2,2,2); flatten(x0)"):
        with pytest.raises(CertificateError):
            read(wrong)
    others = read(
        "x0=input(2); x1=polynomial(x0,[0,0,1]); x2=polynomial(x1,[-1,1]); x3=polynomial(x2,[0,1/2]); bias(x3)"
    )
    assert [layer.degree for layer in others.layers] == [0] * 5
    for wrong in (
        "x0=input(2); dense(x0,2,pattern=[[0,1],[2,3],[4,5]])",
        "x0=input(2); dense(x0,2,pattern=[[0,1,2],[3,4,5]])",
        "x0=input(2); x1=dense(x0,3); dense(x1,2,shares=x1)",
    ):
        with pytest.raises(CertificateError):
            read(wrong)
    assert read("x0=input(2); power(x0,1000000)").steps[0].data == 10**6
    assert read("x0=input(2,2,2,2); flatten(x0)").outputs == 16


class Lines:
    """A program for steps that a layer of somebody adds."""

    def __init__(self, *shapes: tuple[int, ...]) -> None:
        self.shapes, self.made = list(shapes), list[Any]()

    def push(self, word: str, reads: tuple[int, ...], shape: tuple[int, ...], data: Any = None) -> int:
        self.shapes.append(shape)
        self.made.append((word, reads, shape, data))
        return len(self.shapes) - 1


def test_steps_of_added_layers_have_their_shapes() -> None:
    target = Lines((2, 3), (3, 4), (2, 3))
    recorder = _Recorder(target)
    w, b, index = np.arange(15).reshape(5, 3), np.arange(3), np.array([2, 0])
    assert recorder.linear(0, w) == 3
    assert recorder.bias(0, b) == 4
    assert recorder.add(0, 2) == 5
    assert recorder.multiply(2, 0) == 6
    assert recorder.power(1, 3) == 7
    assert recorder.polynomial(1, [Fraction(1), Fraction(2)]) == 8
    assert recorder.matmul(0, 1) == 9
    assert recorder.reindex(0, index) == 10
    assert target.made == [
        ("linear", (0,), (2, 5), w),
        ("bias", (0,), (2, 3), b),
        ("add", (0, 2), (2, 3), None),
        ("multiply", (2, 0), (2, 3), None),
        ("power", (1,), (3, 4), 3),
        ("polynomial", (1,), (3, 4), (Fraction(1), Fraction(2))),
        ("matmul", (0, 1), (2, 4), None),
        ("gather", (0,), (2,), index),
    ]
    assert recorder.arrange(np.array([[7, 8], [9, 10]]), np.array([[0, -1], [3, 1]])).tolist() == [[7, -1], [10, 8]]
    for refused in (lambda: recorder.reindex(0, np.array([0, -1])), lambda: recorder.inverse(0)):
        with pytest.raises(CertificateError, match="which a layer needs"):
            refused()
    with pytest.raises(CertificateError, match="constant matrices"):
        recorder.combine(0, None)  # type: ignore[arg-type]

    class Square:
        kind = "square"

        def __init__(self, shape: tuple[int, ...]) -> None:
            self.said = shape

        def parameters(self, *shapes: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
            return {"b": shapes[0][-1:]}

        def shape(self, *shapes: tuple[int, ...]) -> tuple[int, ...]:
            return self.said

        def apply(self, engine: Any, x: Any, weights: Any, shapes: Any) -> Any:
            return engine.power(engine.bias(x[0], weights["b"]), 2)

    layer: Any = Square((2, 3))
    assert record(layer, Lines((2, 3)), (0,), lambda name, *shape: (name, shape)) == 2  # type: ignore[arg-type,return-value]
    layer.said = (2, 2)
    with pytest.raises(ValueError, match="square"):
        record(layer, Lines((2, 3)), (0,), lambda name, *shape: (name, shape))  # type: ignore[arg-type,return-value]


def test_seeds_and_limits_that_nobody_gives() -> None:
    for function in (certificate.certify, certificate.certified, frontier_check.verify_frontier, frontier_check.check):
        assert inspect.signature(function).parameters["rng"].default == 0
    assert [inspect.signature(Budget.step).parameters[name].default for name in ("operations", "size")] == [0, 0]
    assert Layer("power", (), {}, 0, True).degree == Program().weights == Program().entries == 0


def test_numbers_of_monomials_are_exact_up_to_the_largest() -> None:
    for n, d in itertools.product(range(1, 8), range(8)):
        assert rules.monomials(n, d) == math.comb(n + d - 1, d)
    assert rules.monomials(2, 2**62 - 1) == 2**62
    assert rules.monomials(2, 2**62) > rules.LARGEST
    assert rules.monomials(300, 300) > rules.LARGEST
    assert rules.product((2**31, 2**31)) == 2**62
    assert rules.product((2**40, 2**40, 2**40)) > rules.LARGEST
    assert rules.product(()) == 1


def test_counts_of_perceptrons_are_those_of_the_search() -> None:
    for hidden in range(3):
        for widths in itertools.product(range(1, 4), repeat=hidden + 2):
            for degrees in itertools.product((1, 2), repeat=hidden):
                assert rules.parameters(widths, degrees) == parameters_bound(widths, degrees)
                if hidden:
                    assert rules.span(widths[:-1], degrees[:-1]) == feature_span(widths[:-1], degrees[:-1])
                for k in range(1, hidden + 1):
                    assert rules._orbit(widths, degrees, k) == orbit(widths, degrees, k)
    assert rules.span((2, 9, 30), (2, 3)) == feature_span((2, 9, 30), (2, 3)) == 3 * 2 + 1


def test_gaps_are_found_where_there_are_some() -> None:
    for number in range(150):
        draw = random.Random(number)
        top = tuple(draw.randint(1, 4) for _ in range(draw.randint(1, 3)))
        some = [[tuple(draw.randint(1, t) for t in top) for _ in range(draw.randint(0, most))] for most in (3, 6)]
        filling, boxes = some
        free = {
            x
            for x in itertools.product(*(range(1, t + 1) for t in top))
            if not any(all(a >= b for a, b in zip(x, low, strict=True)) for low in filling)
            and not any(all(a <= b for a, b in zip(x, box, strict=True)) for box in boxes)
        }
        gap = find_gap(top, filling, boxes)
        assert (gap in free) if free else gap is None
        held = _Held(boxes, lambda *_: None)
        for x in itertools.product(*(range(1, t + 1) for t in top)):
            assert held.somewhere(x) is any(all(a <= b for a, b in zip(x, box, strict=True)) for box in boxes)
    above, nothing = np.array([(3, 3, 2), (2, 1, 4)]), _Held([], lambda *_: None)
    for beside, left in (([], [(1, 4)]), ([(1, 5)], []), ([(1, 3)], [(1, 4)]), ([(1, 4)], [])):
        others = np.array(beside, int).reshape(-1, 2).T
        assert list(map(tuple, _lowered(above, 0, 1, others, nothing, lambda *_: None).T)) == left
    assert _lowered(above, 0, 1, above[:, :0], _Held([(1, 4)], lambda *_: None), lambda *_: None).shape == (2, 0)
    told: list[tuple[float, float]] = []
    assert find_gap((3,), [(3,), (2,)], [(1,)], lambda _, a=0, b=0: told.append((a, b))) is None
    each = frontier_check._TUPLE
    assert told == [(1, 1 / 8), (2, 24), (each, each), (1, 2 / 8), (0, 0), (0, 0)]


def test_exponents_are_as_many_as_equations_leave() -> None:
    """Random equations between unknown exponents: those that are free are unknowns minus the rank."""
    for number in range(20):
        draw = random.Random(number)
        system = symmetries._Exponents(Budget())
        unknown = [system.new() for _ in range(6)]
        assert [next(iter(form)) for form in unknown] == [1, 2, 3, 4, 5, 6]
        table = [[draw.randint(-2, 2) for _ in range(6)] for _ in range(draw.randint(0, 5))]
        for row in table:
            system.equal(
                {i + 1: Fraction(c) for i, c in enumerate(row) if c > 0},
                {i + 1: Fraction(-c) for i, c in enumerate(row) if c < 0},
            )
        forms = [system.reduced(form) for form in unknown]
        free = sorted({i for form in forms for i in form})
        rank = flint.fmpz_mat(table).rank() if table else 0
        assert len(free) == 6 - rank
        for row in table:
            total: dict[int, Fraction] = {}
            for c, form in zip(row, forms, strict=True):
                total = symmetries._combined(total, form, Fraction(c))
            assert total == {}
    assert symmetries._combined({1: Fraction(2)}, {1: Fraction(1), 2: Fraction(1)}, Fraction(-2)) == {2: Fraction(-2)}


def test_fractions_of_small_numbers_are_recognised() -> None:
    p, bound = maps.PRIME, 2**29
    for a, b in ((0, 1), (1, 1), (-1, 1), (1, 2), (-7, 12), (bound, 1), (-bound, 1), (1, bound), (bound, bound - 1)):
        assert maps._fraction(a * pow(b, -1, p) % p) == Fraction(a, b)
    p_less = [bound + 1, bound * pow(bound + 1, -1, p), 3**38, 7**21, p - bound - 1]
    assert [maps._fraction(residue % p) for residue in p_less] == [None] * 5
    assert maps._fraction((bound + 1) * pow(bound + 3, -1, p) % p) != Fraction(bound + 1, bound + 3)


def test_slopes_of_terms() -> None:
    assert maps._value_and_slopes({(1, 0): Fraction(1, 2), (2, 3): Fraction(5)}, 101, [3, 4]) == (
        (3 * 51 + 5 * 9 * 64) % 101,
        [(51 + 5 * 2 * 3 * 64) % 101, 5 * 9 * 3 * 16 % 101],
    )


def test_slopes_where_parameters_vanish() -> None:
    assert maps._value_and_slopes({(1, 0): Fraction(2), (0, 2): Fraction(1)}, 101, [3, 0]) == (6, [2, 0])
    assert maps._value_and_slopes({(1, 1): Fraction(1)}, 101, [0, 5]) == (0, [5, 0])


def test_symmetries_of_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scalings, then affine fields: each lifted to fractions and checked exactly."""
    for text, scalings, every in (
        ("map(s,t: s/(t))", 1, 1),
        ("map(s,t: s-t)", 0, 1),
        ("map(s,t,u: s*t, u)", 1, 1),
        ("map(s,t,u: s*t/(u), s^2*t^2/(u^2))", 2, 2),
        ("map(s,t: s, t)", 0, 0),
        ("map(s,t: 1, 2)", 2, 2),
        ("map(s,t,u: s+2*t, u/(s+2*t))", 0, 1),
        ("map(s,t: s^2+t^2)", 0, 1),
        ("map(: 1)", 0, 0),
    ):
        made = read_map(text)
        assert (maps._scalings(made, Budget()), maps.gauge(made, 9, Budget())) == (scalings, every), text
        assert maps.gauge(made, scalings, Budget()) == scalings
    made = read_map("map(s,t: s-t)")
    with monkeypatch.context() as patch:
        patch.setattr(maps, "constant_along", lambda *_: False)
        assert maps.gauge(made, 9, Budget()) == 0
    monkeypatch.setattr(maps, "_fraction", lambda residue: None if residue else Fraction(0))
    assert maps.gauge(made, 9, Budget()) == 0


def test_coordinates_of_maps_that_vary() -> None:
    made = read_map("map(s,t: s, 2, 0, s/(s), 2*s*t/(s*t), s/(t), (s+t)/(2*s+2*t), (s+t)/(s-t), s+1)")
    assert made.varying == 4
    assert made.names == tuple(f"y{i}" for i in range(1, 10))
    assert read_map("map(s,t: s/(s+t), (s+t)/(s), (s+2*t)/(s+1/2*t), (s+2*t)/(2*s+4*t))").varying == 3
    for junk in ("!s", "s!", "s!t", " s", "s+!t", ".s", "~s"):
        with pytest.raises(ValueError):
            read_map(f"map(s,t: {junk})")
    assert read_map("map(s: s^1000000)").quotients[0][0] == {(10**6,): 1}
    for wrong in (
        "map(s: s^1000001)",
        "map(s: s^600000*s^600000)",
        "map(s: a=s, s)",
        "map(s: a=s, a=s)",
        "map(s,s: s)",
    ):
        with pytest.raises(ValueError):
            read_map(wrong)
    for wrong in ("map(s: s+s)", "map(s: 0*s)", "map(s: s+1/(s))", "map(s: (s))", "map(s: s/(0))", "map(s: s+0)"):
        with pytest.raises(ValueError):
            read_map(wrong)


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("x=input(4); a=convolution(x,2,2); power(a,2)", [(0, 1), (2, 3)]),
        ("x=input(3); a=convolution(x,2,1); power(a,2)", [(0, 1, 2)]),
        ("x=input(3); a=scale(x); power(a,2)", [(0,), (1,), (2,)]),
        ("x=input(5); a=convolution(x,2,2); power(a,2)", [(0, 1), (2, 3), (4,)]),
        ("x=input(4); a=convolution(x,2,2); b=bias(a); polynomial(b,[0,1])", [(0, 1), (2, 3)]),
        ("x=input(4); a=convolution(x,2,2); b=power(a,1); c=power(b,2); dense(c,2)", [(0, 1), (2, 3)]),
        ("x=input(2); a=scale(x); polynomial(a,[0,0,1])", [(0,), (1,)]),
        ("x=input(2); a=scale(x); b=polynomial(a,[0,1,1]); dense(b,1)", [(0, 1)]),
        ("x=input(2); a=scale(x); b=dense(x,1); c=dense(a,1); product(b,c)", [(0, 1)]),
        ("x=input(2); a=scale(x); b=scale(x); c=sum(a,b); product(c,x)", [(0,), (1,)]),
        ("x=input(2,2); attention(x,1,1)", [(0, 1), (2, 3)]),
        ("x=input(2); a=scale(x); b=polynomial(a,[1,1]); power(b,2)", [(0,), (1,)]),
        ("x=input(2); a=scale(x); b=bias(a); c=dense(b,1); power(c,2)", [(0, 1)]),
        ("x=input(2); a=scale(x); b=power(a,1); c=dense(b,1); power(c,2)", [(0, 1)]),
        ("x=input(2); dense(x,2)", [(0, 1)]),
    ],
)
def test_inputs_that_are_read_separately(text: str, groups: list[tuple[int, ...]]) -> None:
    assert monomials.separate_inputs(program_of(text)) == groups


def test_groups_have_a_largest_number(monkeypatch: pytest.MonkeyPatch) -> None:
    program = program_of("x=input(5); a=convolution(x,2,2); power(a,2)")
    for most, count in ((3, 3), (2, 1)):
        monkeypatch.setattr(monomials, "MOST_GROUPS", most)
        assert len(monomials.separate_inputs(program)) == count
    monkeypatch.undo()
    every = monomials.coordinates(program, Budget())
    assert every == [
        [(2, 0, 0, 0, 0), (1, 1, 0, 0, 0), (0, 2, 0, 0, 0)],
        [(0, 0, 2, 0, 0), (0, 0, 1, 1, 0), (0, 0, 0, 2, 0)],
    ]
    assert monomials._count((0, 1, 2), 4) == 15
    assert monomials._count((0,), monomials.MOST_COORDINATES) == 1
    assert monomials._count((0,), monomials.MOST_COORDINATES + 1) == monomials.MOST_COORDINATES + 1
    monkeypatch.setattr(monomials, "MOST_GROUPS", 3)
    fine = program_of("x=input(2); a=scale(x); polynomial(a,[0,0,1,1])")
    for most, sizes in ((2, [2, 2]), (1, [7, 7])):
        monkeypatch.setattr(monomials, "MOST_MULTIDEGREES", most)
        assert [len(x) for x in monomials.coordinates(fine, Budget())] == sizes


def test_primes_and_large_ranks_have_ends() -> None:
    assert jacobians.is_odd_prime(2**26 - 5)
    assert not jacobians.is_odd_prime(2**26 + 15)
    assert not jacobians.is_odd_prime(1)
    assert not jacobians.is_odd_prime(9)
    assert jacobians._derivative([Fraction(5), Fraction(3), Fraction(2)]) == [3, 4]
