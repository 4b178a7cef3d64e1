"""Networks at the edge: affine and constant outputs, orbits of many weights, searches that end in time."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

from polygeom.errors import PolygeomError
from polygeom.ideal import Neurovariety
from polygeom.ideal.grading.characters import _shifted, highest_weights
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.ideal.grading.grading import Grading, _arrangements
from polygeom.ideal.search.search import interpolate
from polygeom.network import parse
from polygeom.report import portrait

PARABOLA = "x=input(2); a=dense(x,1); polynomial(a,[0,1,1])"
EDGES = {
    PARABOLA: (4, (1, 3)),
    "x=input(2); a=dense(x,1); b=power(a,2); sum(b,a)": (4, (1, 3)),
    "x=input(2); a=dense(x,2); polynomial(a,[3,0,1])": (4, (1, 2, 1)),
    "x=input(2); a=dense(x,2); b=power(a,2); sum(b,x)": (4, (1, 2, 1)),
    "x=input(2); a=dense(x,1); b=polynomial(a,[7,0,0,1]); c=polynomial(a,[0,1]); sum(b,c)": (9, (1, 4, 4)),
    "x=input(2); a=dense(x,1); b=polynomial(a,[1,1]); sum(b,b)": (1, (1,)),
    "x=input(1); a=dense(x,1); polynomial(a,[5,1])": (1, (1,)),
    "x=input(2); power(x,2)": (1, (1,)),
    "x=input(2); polynomial(x,[1,2])": (1, (1,)),
    "input(2)": (1, (1,)),
}


@pytest.mark.parametrize("text", EDGES)
def test_affine_and_constant_outputs(text: str) -> None:
    """The degrees by equations agree with counting solutions, a route that knows no grading."""
    degree, h_vector = EDGES[text]
    variety = Neurovariety(text)
    result = variety.ideal(timeout=60)
    assert (result.ended, result.complete) == ("ok", True)
    assert variety.h_vector == h_vector
    point = variety.random_point()
    assert variety.contains(point).answer is True
    for g in result.generators:
        assert g.proved_member
        assert not g.polynomial(*point)
    from polygeom.ideal.counting.invariants import degree as count

    found = count(variety, method="all")
    assert (found.value, found.proved) == (degree, True)
    assert {e.value for e in found.evidence} == {degree}


def test_a_fixed_linear_part_is_told_apart() -> None:
    variety = Neurovariety(PARABOLA)
    assert variety.contains("x1^2 + x1").answer is True
    assert variety.contains("x1^2 + 2*x1").answer is False
    assert portrait(PARABOLA, training=False, timeout=20).as_dict()


def test_every_arrangement_once_and_at_once() -> None:
    values = (2, 1, 1, 0, 0)
    found = dict(_arrangements(values))
    assert set(found) == set(itertools.permutations(values))
    for arrangement, order in found.items():
        assert sorted(order) == list(range(5))
        assert all(arrangement[order[k]] == values[k] for k in range(5))
    started = time.process_time()
    assert sum(1 for _ in _arrangements((1,) * 3 + (0,) * 30)) == 5456  # of 33! permutations
    assert time.process_time() - started < 2


@pytest.mark.parametrize("text", ["[2,3,2] r=2", "[3,2,1] r=3", PARABOLA, "[12,2,1] r=2"])
def test_moves_carry_dominant_weights_where_they_say(text: str) -> None:
    grading = Grading.of(Coordinates(text))
    for k in range(0, grading.size, 7):
        dominant, move = grading.move(grading.table[k])
        assert dominant == grading.dominant(grading.table[k])
        assert sorted(move) == list(range(grading.size))
        copies = dict(grading.copies(dominant))
        assert len(copies) == grading.orbit_size(dominant)
        assert np.array_equal(copies[grading.table[k]], move)
        assert {grading.table[i] for i in move[[j for j in range(grading.size) if grading.table[j] == dominant]]} == {
            grading.table[k]
        }


def test_alternating_sums_need_few_permutations() -> None:
    for weight in [(2, 1, 0), (3, 3, 1, 0), (1, 1, 1), (4, 0, 0, 0)]:
        n = len(weight)
        every = {}
        for order in itertools.permutations(range(n)):
            moved = tuple(weight[i] + order[i] - i for i in range(n))
            if min(moved) >= 0:
                sign = round(float(np.linalg.det(np.eye(n)[list(order)])))
                every[moved] = every.get(moved, 0) + sign
        few: dict[tuple[int, ...], int] = {}
        for sign, moved in _shifted(weight):
            few[moved] = few.get(moved, 0) + sign
        assert few == every
    grading = Grading.of(Coordinates("[12,2,1] r=2"))
    minors = {(3, 2, 2, 2, *[0] * 9): 1, (3, 2, 2, 1, 1, *[0] * 8): 2}
    assert highest_weights(minors, grading) is not None


@pytest.mark.slow
@pytest.mark.parametrize("text", ["[12,2,1] r=2", "[2,1,12] r=2"])
def test_searches_end_in_time_with_what_they_have(text: str) -> None:
    started = time.monotonic()
    search = interpolate(text, timeout=4)
    assert time.monotonic() - started < 4 + 2
    result = search.result
    assert result.ended in ("ok", "timeout")
    assert result.degrees == ({3: 15730} if text.startswith("[12") else {2: 276})
    if len(result.generators) < sum(result.degrees.values()):
        assert "equations were written out" in result.message
    assert search.representations()


@pytest.mark.thorough
def test_a_dimension_that_takes_too_long_ends_the_search() -> None:
    with pytest.raises(PolygeomError, match="the time was over while the dimension was computed"):
        interpolate(parse("x=input(6); a=dense(x,100); b=power(a,4); c=dense(b,40); sum(c,c)"), timeout=0.3)


@pytest.mark.parametrize("text", ["[1000000,1000000,3,1] r=2", "[3,1000000,1000000,2000] r=4"])
def test_networks_with_too_many_coefficients_are_refused_at_once(text: str) -> None:
    started = time.process_time()
    with pytest.raises(PolygeomError, match="equations are sought for at most 20000"):
        Neurovariety(text)
    assert time.process_time() - started < 2
