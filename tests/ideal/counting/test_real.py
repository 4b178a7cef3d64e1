"""Real solutions among the complex ones, against discriminants, theorems and published counts."""

from __future__ import annotations

import numpy as np
import pytest

from polygeom.errors import PolygeomError
from polygeom.ideal.counting.interpolation import boundary_infima, real_fits
from polygeom.ideal.counting.real import real_critical_points, real_fibres, real_weights
from polygeom.network import parse


def test_a_cubic_is_a_sum_of_two_real_cubes_when_it_has_one_real_root() -> None:
    """Counted here by paths, and independently by the roots of the same cubics' number: 75.4 % in the long run."""
    counts = real_fibres("[2,2,1] r=3", 150)
    rng = np.random.default_rng(5)
    one = np.mean([np.iscomplex(np.roots(rng.standard_normal(4))).any() for _ in range(4000)])
    assert abs(one - 0.754) < 0.02
    assert abs(counts.share - one) < 4 * np.sqrt(one * (1 - one) / 150)
    assert counts.certified == counts.histogram[1]
    assert (counts.lost, counts.samples, counts.complex_count) == (0, 150, 1)


@pytest.mark.thorough
def test_few_data_sets_at_capacity_are_fitted_by_real_weights() -> None:
    """About one in eight, although the dimension says that four samples fit."""
    counts = real_fits("[2,2,1] r=4", 60, rng=1)
    assert counts.complex_count == 3
    assert 0.02 < counts.share < 0.3
    assert counts.lost <= 4


@pytest.mark.thorough
def test_the_fits_are_those_of_the_discriminant() -> None:
    counts = real_fits("[2,2,1] r=3", 60)
    rng = np.random.default_rng(0)
    expected = 0
    for _ in range(3000):
        x, y = rng.standard_normal((4, 2)), rng.standard_normal(4)
        table = np.stack([x[:, 0] ** (3 - k) * x[:, 1] ** k for k in range(4)], axis=1)
        expected += np.iscomplex(np.roots(np.linalg.solve(table, y))).any()
    share = expected / 3000
    assert abs(counts.share - share) < 4 * np.sqrt(share * (1 - share) / 60)


@pytest.mark.thorough
def test_real_critical_points_of_a_binary_cubic() -> None:
    """Best powers of a real linear form for a binary cubic under the Bombieri–Weyl form: one or three of three."""
    counts = real_critical_points("[2,1,1] r=3", "bombieri-weyl", 40)
    assert counts.complex_count == 3
    assert set(counts.histogram) == {1, 3}
    assert counts.certified == counts.histogram[1] + 3 * counts.histogram[3]


def test_symmetric_matrices_have_only_real_eigenvalues() -> None:
    counts = real_critical_points("[3,2,1] r=2", "bombieri-weyl", 10)
    assert counts.quantity == "real critical functions"
    assert counts.histogram == {3: 10}


@pytest.mark.parametrize(("roots", "number"), [((1, 2, 3), 3), ((-1, 0.5, 4), 3)])
def test_a_target_with_three_real_roots_has_three_infima_on_the_boundary(roots: tuple[float, ...], number: int) -> None:
    found = boundary_infima(np.poly(roots))
    assert len(found) == number
    for _, function in found:  # a square of a linear form divides it: the discriminant vanishes
        a, b, c, d = function
        terms = [b * b * c * c, -4 * a * c**3, -4 * b**3 * d, -27 * a * a * d * d, 18 * a * b * c * d]
        assert abs(sum(terms)) < 1e-7 * max(map(abs, terms))


def test_a_sum_of_two_real_cubes_needs_no_boundary() -> None:
    assert boundary_infima([1, 0, 0, 2]) == []


def test_phases_that_scalings_can_turn() -> None:
    network = parse("[2,2,1] r=3")
    w = np.array([[1, 2, 3, 4, 5, 6]], dtype=complex)
    turned = w * np.array([[1j, 1j, 1, 1, 1j, 1]])  # i and i: i^3 i = 1
    np.testing.assert_allclose(np.abs(real_weights(network, turned)), np.abs(w))
    assert not real_weights(network, w * np.array([[1j, 1, 1, 1, 1, 1]])).any()


def test_what_has_no_real_count() -> None:
    with pytest.raises(PolygeomError, match="must fill its space"):
        real_fibres("[2,2,1] r=4", 5)
    with pytest.raises(PolygeomError, match="finitely many weights"):
        real_fits("[3,2,1] r=2", 5)
    with pytest.raises(PolygeomError, match="at least 4 coefficients"):
        boundary_infima([1, 2, 3])
