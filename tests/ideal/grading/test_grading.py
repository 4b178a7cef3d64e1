"""The grading is that of the symmetries: scaled points and permuted points stay on the neurovariety."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from polygeom.ideal import interpolate
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.ideal.grading.grading import Grading
from polygeom.ideal.grading.points import Points
from polygeom.modular import as_field

NETWORKS = [
    "[2,3,2] r=2",
    "[3,2,2] r=2",
    "[2,1,2] r=2 bias",
    "[2,2,2,1] r=2,3",
    "[2,1,1] p=0,1,1",
    "ccp(2,rank=1,degree=2)",
    "ncp(2,rank=1,degree=2)",
    "convolutional(4,kernels=[2,2],degrees=2)",
    "lightning_attention(tokens=2,features=2,rank=1,outputs=1)",
    "x=input(2); a=dense(x,1); b=power(a,2); c=dense(b,2); sum(x,c)",
]


@pytest.mark.parametrize("network", NETWORKS)
def test_every_equation_is_homogeneous_and_permutations_map_equations_to_equations(network: str) -> None:
    search = interpolate(network, 3)
    grading = search.interpolation.grading
    for equation in search.interpolation.equations:
        weights = grading.weights[equation.monomials].sum(axis=1)
        assert (weights == np.array(equation.weight)).all()
        assert grading.dominant(equation.weight) == equation.weight


@pytest.mark.parametrize("network", NETWORKS)
def test_permuted_equations_vanish_at_random_points(network: str) -> None:
    search = interpolate(network, 3).interpolation
    field = as_field(1000003)
    points = Points(search.coordinates, field.p, 5).first(20).T
    for equation in search.equations:
        coefficients = field.encode(np.array(equation.integers, dtype=object))
        for weight, move in search.grading.copies(equation.weight):
            moved = move[equation.monomials]
            assert (search.grading.weights[moved].sum(axis=1) == np.array(weight)).all()
            values = np.ones((len(moved), 20))
            for k in range(equation.degree):
                values = field.multiply(values, np.ascontiguousarray(points[moved[:, k]]))
            assert not field.decode(field.matmul(coefficients[None, :], values)).any()


@pytest.mark.parametrize(
    ("network", "outputs", "inputs", "cone", "rank"),
    [
        ("[2,3,2] r=2", 2, 2, True, 3),
        ("[2,3,2] r=2 bias", 2, 2, True, 4),
        ("ccp(2,rank=2,degree=3)", 1, 2, True, 3),
        ("convolutional(4,kernels=[2,2],degrees=2)", 0, 0, True, 2),
        ("x=input(2); a=dense(x,2); b=power(a,2); sum(x,b)", 0, 0, False, 2),
        ("x=input(2); a=dense(x,2); b=power(a,2); dense(b,2,shares=a)", 0, 0, True, 2),
        ("[2,1,1] p=1,1,1", 1, 2, True, 3),
    ],
)
def test_blocks_and_torus(network: str, outputs: int, inputs: int, cone: bool, rank: int) -> None:
    grading = Grading.of(Coordinates(network))
    assert (grading.outputs, grading.inputs, grading.cone) == (outputs, inputs, cone)
    assert np.linalg.matrix_rank(np.array(grading.table)) == rank
    assert min(map(min, grading.table)) >= 0


def test_orbits() -> None:
    grading = Grading.of(Coordinates("[3,3,3] r=2"))
    copies = grading.copies((2, 1, 1, 3, 3, 2))
    assert len(copies) == grading.orbit_size((2, 1, 1, 3, 3, 2)) == 9
    assert len({weight for weight, _ in copies}) == 9
    assert all(sorted(move.tolist()) == list(range(18)) for _, move in copies)


def test_dominant_weights_are_those_of_all_monomials() -> None:
    grading = Grading.of(Coordinates("[2,2,2] r=2"))
    everything = {
        grading.dominant([*map(sum, zip(*(grading.table[k] for k in m), strict=True))])
        for m in itertools.combinations_with_replacement(range(6), 3)
    }
    assert set(grading.dominant_weights(3, range(6))) == everything
    assert sum(map(grading.orbit_size, everything)) <= math.comb(8, 3)
