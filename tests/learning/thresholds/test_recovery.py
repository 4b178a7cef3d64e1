"""Students and teachers: below the determining number never, above always; spans of inputs; coefficients as a check."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="fits need the extra learn")

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.functions import coefficients  # noqa: E402
from polygeom.learning.thresholds.recovery import RecoveryCount, RecoveryThreshold, recover_teachers, recovery_threshold  # noqa: E402
from polygeom.learning.training.fleet import fit_fleet, fleet_outputs, generic_points, random_starts  # noqa: E402
from polygeom.network import parse  # noqa: E402


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("text", "determining"),
    [("[4,3,1] r=2", 9), ("[3,3,3] r=2", 5), ("[5,1,3] r=2", 5), ("convolutional(6,kernels=[3,4],degrees=2)", 6)],
)
def test_recovery_starts_at_the_determining_number(text: str, determining: int) -> None:
    below, above = (recover_teachers(text, determining + shift, teachers=3, restarts=6, steps=150) for shift in (-1, 1))
    assert below.reached > 0
    assert below.recovered == below.recovered_teachers == 0
    assert above.reached == above.recovered == above.recovered_inside > 0
    assert above.median_error is not None
    assert above.median_error < 1e-9 < below.median_error


@pytest.mark.thorough
def test_identifiable_networks_recover_weights() -> None:
    found = recover_teachers("[3,3,3] r=2", 6, teachers=3, restarts=6, steps=150)
    assert found.recovered_weights == found.recovered > 0
    assert recover_teachers("[2,3,1] r=2", 5, teachers=2, restarts=3, steps=100).recovered_weights is None


@pytest.mark.thorough
def test_recovered_functions_have_the_coefficients_of_the_teacher() -> None:
    network = parse("[3,4,1] r=3")
    generator = torch.Generator().manual_seed(0)
    x = generic_points(network, (2, 11), generator)
    teachers = random_starts(network, 2, rng=1)
    y = fleet_outputs(network, teachers, x)
    fleet = fit_fleet(network, x.repeat_interleave(8, 0), y.repeat_interleave(8, 0), random_starts(network, 16, rng=2))
    assert fleet.reached.any()
    for b in fleet.reached.nonzero()[0]:
        found = coefficients(network, {name: w[b] for name, w in fleet.weights.items()})
        truth = coefficients(network, {name: w[b // 8] for name, w in teachers.items()})
        torch.testing.assert_close(found, truth, rtol=1e-7, atol=1e-7)


def test_missing_directions_are_not_learned() -> None:
    found = recover_teachers("[4,3,1] r=2", 5, directions=2, teachers=3, restarts=6, steps=150)
    assert found.reached == found.recovered_inside > 0
    assert found.recovered == 0
    fewer = recover_teachers("[4,3,1] r=2", 3, directions=3, teachers=3, restarts=3, steps=60)
    assert fewer.reached > fewer.recovered_inside == 0


def test_teachers_outside_are_not_interpolated_and_filling_students_learn_them() -> None:
    outside = recover_teachers("[3,2,1] r=2", 7, teacher="[3,3,1] r=2", teachers=3, restarts=4, steps=100)
    assert outside.reached == 0
    assert outside.share is outside.median_error is outside.recovered_weights is None
    filling = recover_teachers("[3,6,1] r=2", 6, teacher="[3,3,1] r=2", teachers=3, restarts=4, steps=100)
    assert filling.reached == filling.recovered > 0


@pytest.mark.thorough
def test_thresholds_are_read_from_counts() -> None:
    def count(samples: int, reached: int, recovered: int) -> RecoveryCount:
        return RecoveryCount(samples, 2, 8, reached, recovered, recovered, 1, None, None)

    counts = (count(3, 8, 0), count(4, 6, 0), count(5, 4, 1), count(6, 0, 0), count(7, 3, 3))
    found = RecoveryThreshold("[3,2,1] r=2", 1, 8, 5, 5, counts, 0)
    assert (found.first, found.certain, found.agrees) == (5, 7, True)
    assert not RecoveryThreshold("[3,2,1] r=2", 1, 8, 6, 6, counts, 0).agrees
    assert not RecoveryThreshold("[3,2,1] r=2", 1, 8, 4, 4, counts, 0).agrees
    measured = recovery_threshold("[3,2,1] r=2", teachers=2, restarts=4, steps=100, window=1)
    assert measured.agrees
    assert measured.determining == 5
    assert measured.certain == 6


def test_bad_arguments_are_explained() -> None:
    with pytest.raises(PolygeomError, match=r"teacher must have inputs \(3,\) and outputs \(1,\) like the student"):
        recover_teachers("[3,2,1] r=2", 3, teacher="[3,2,2] r=2")
    with pytest.raises(PolygeomError, match="directions must be from 1 to 3, got 4"):
        recover_teachers("[3,2,1] r=2", 3, directions=4)
    with pytest.raises(PolygeomError, match="teachers must be at least 1, got 0"):
        recover_teachers("[3,2,1] r=2", 3, teachers=0)
