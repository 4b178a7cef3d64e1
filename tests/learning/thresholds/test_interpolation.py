"""Measured interpolation thresholds: the capacity, real roots as an oracle for real weights, definite forms."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="fits need the extra learn")

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.thresholds.interpolation import (  # noqa: E402
    SuccessCount,
    fit_random_targets,
    interpolation_threshold,
)
from polygeom.learning.training.fleet import generic_points  # noqa: E402
from polygeom.network import parse  # noqa: E402


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("text", "capacity"),
    [
        ("[4,3,1] r=2", 9),  # forms of rank at most 3: expected dimension 10, 15 parameters
        pytest.param("[2,2,2,2,1] r=2", 7, marks=pytest.mark.slow),  # expected dimension 8
        ("[5,1,3] r=2", 1),  # dimension 7, but the outputs are proportional
        ("product_network(3,rank=3,degree=3)", 10),  # 30 parameters
        ("lightning_attention(tokens=2,features=4,rank=2,outputs=1)", 7),  # two outputs
    ],
)
def test_complex_networks_interpolate_up_to_the_capacity_and_not_beyond(text: str, capacity: int) -> None:
    found = interpolation_threshold(text, draws=2, restarts=3, field="complex")
    assert (found.threshold, found.capacity, found.reliable) == (capacity, capacity, capacity)
    assert found.fraction(capacity) == 1
    assert found.fraction(capacity + 1) == 0
    assert found.agrees
    assert "as predicted" in str(found)


@pytest.mark.thorough
def test_real_networks_have_the_same_threshold() -> None:
    found = interpolation_threshold("[3,2,1] r=2", draws=4, restarts=4, window=2, steps=120)
    assert (found.threshold, found.dimension, found.parameters) == (5, 5, 8)
    assert [c.samples for c in found.counts if 3 < c.samples < 8] == [4, 5, 6, 7]
    assert found.as_dict()["threshold"] == 5
    assert found.fraction(1000) is None


def real_roots(points: np.ndarray, targets: np.ndarray) -> int:
    """Real linear factors of the binary cubic with given values."""
    rows = np.array([[x**3, x * x * y, x * y * y, y**3] for x, y in points])
    roots = np.roots(np.linalg.solve(rows, targets))
    return int((abs(roots.imag) < 1e-7 * (1 + abs(roots))).sum())


@pytest.mark.thorough
def test_a_binary_cubic_is_a_sum_of_two_real_cubes_iff_it_has_one_real_root() -> None:
    """[2,2,1] r=3 is filling, so four targets determine a cubic; real weights exist iff one root is real."""
    fits = fit_random_targets("[2,2,1] r=3", 4, draws=24, restarts=8)
    roots = [real_roots(x, y.ravel()) for x, y in zip(fits.inputs.numpy(), fits.targets.numpy(), strict=True)]
    assert fits.reached.any(axis=1).tolist() == [found == 1 for found in roots]
    assert 0 < fits.count.interpolated < 24
    assert fit_random_targets("[2,2,1] r=3", 4, draws=10, restarts=2, field="complex").count.fraction == 1


@pytest.mark.thorough
def test_forms_of_rank_three_are_interpolated_iff_a_determinant_has_a_real_root() -> None:
    """Nine values leave a pencil A + tB of quadratic forms in four variables: singular at the roots of a quartic."""
    fits = fit_random_targets("[4,3,1] r=2", 9, draws=16, restarts=16, rng=1)
    solvable = []
    i, j = np.triu_indices(4)
    for x, y in zip(fits.inputs.numpy(), fits.targets.numpy(), strict=True):
        rows = x[:, i] * x[:, j]
        start = np.linalg.lstsq(rows, y.ravel(), rcond=None)[0]
        direction = np.linalg.svd(rows)[2][-1]
        forms = np.zeros((2, 4, 4))
        for form, entries in zip(forms, (start, direction), strict=True):
            form[i, j] = entries
        a, b = forms + forms.transpose(0, 2, 1)
        roots = np.linalg.eigvals(-np.linalg.solve(b, a))
        solvable.append(bool((abs(roots.imag) < 1e-9 * (1 + abs(roots))).any()))
    reached = fits.reached.any(axis=1)
    assert 0 < sum(solvable) < 16
    assert not (reached & ~np.array(solvable)).any()
    assert sum(solvable) - reached.sum() <= 3  # a root far away may be missed


@pytest.mark.thorough
def test_definite_forms_take_no_negative_value() -> None:
    """Output weights one: a sum of squares of linear forms. Random signs are all positive with probability 2^-n."""
    ones = {"W2": torch.ones((1, 3), dtype=torch.float64)}
    fits = fit_random_targets("[3,3,1] r=2", 3, draws=24, restarts=4, fixed=ones)
    positive = (fits.targets > 0).all(dim=1).flatten().numpy()
    reached = fits.reached.any(axis=1)
    assert not reached[~positive].any()
    assert 0 < positive.sum() < 12
    free = fit_random_targets("[3,3,1] r=2", 3, draws=24, restarts=4)
    assert free.reached.any(axis=1).all()
    assert fit_random_targets("[3,3,1] r=2", 3, draws=8, fixed=ones, field="complex").count.fraction == 1


def test_points_are_moderate_and_generic() -> None:
    generator = torch.Generator().manual_seed(0)
    homogeneous = generic_points(parse("[3,2,1] r=4"), (5, 7), generator)
    assert homogeneous.shape == (5, 7, 3)
    torch.testing.assert_close(homogeneous.square().sum(dim=2), torch.full((5, 7), 3.0, dtype=torch.float64))
    mixed = generic_points(parse("ccp(3,rank=2,degree=2)"), (4000,), generator)
    assert float(mixed.abs().max()) <= 3**0.5
    assert float(mixed.square().mean()) == pytest.approx(1, abs=0.05)
    tokens = generic_points(parse("lightning_attention(tokens=2,features=3,rank=1,outputs=1)"), (2,), generator)
    assert tokens.shape[0] == 2
    assert tokens[0].numel() == 6


@pytest.mark.thorough
def test_counts_and_their_reading() -> None:
    count = SuccessCount(samples=4, draws=8, interpolated=2, runs=64, reached=5, bounded=10)
    assert count.fraction == 0.25
    first = fit_random_targets("[2,2,1] r=2", 2, draws=2, restarts=2, rng=1)
    again = fit_random_targets("[2,2,1] r=2", 2, draws=2, restarts=2, rng=1)
    assert torch.equal(first.targets, again.targets)
    assert torch.equal(first.fleet.weights["W1"], again.fleet.weights["W1"])
    assert not torch.equal(first.targets, fit_random_targets("[2,2,1] r=2", 2, draws=2, restarts=2, rng=2).targets)


def test_bad_arguments_are_explained() -> None:
    with pytest.raises(PolygeomError, match="draws must be at least 1, got 0; write draws=8"):
        interpolation_threshold("[2,2,1] r=2", draws=0)
    with pytest.raises(PolygeomError, match='field must be "real" or "complex", got \'p-adic\''):
        fit_random_targets("[2,2,1] r=2", 2, field="p-adic")
    with pytest.raises(PolygeomError, match="samples must be at least 1, got 0"):
        fit_random_targets("[2,2,1] r=2", 0)
