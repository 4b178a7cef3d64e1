"""The model of cost: it finds laws that were put in, and tells what was stored."""

from __future__ import annotations

import pytest
from here import of_the_repository

of_the_repository("benchmarks")

from cost import AtlasCost, FrontierCost, Job, Power, extrapolated  # noqa: E402


def frontier_row(architectures: int, boxes: int, ambient: int) -> dict[str, float]:
    """A search whose ranks cost 1e-9 N^2.5 and whose boxes cost 1e-3 B^0.25, with workers that begin after 1.5 s."""
    ranks, rest = architectures * 1e-9 * ambient**2.5, boxes**1.25 * 1e-3
    row = {"architectures": architectures, "boxes": boxes, "ambient": ambient, "ranks": ranks, "rest": rest}
    return row | {"workers": ranks + 3.0}


def test_the_laws_of_a_frontier_are_found() -> None:
    fitted = FrontierCost.fit([frontier_row(13, 21, 65), frontier_row(128, 124, 129), frontier_row(2304, 2261, 257)])
    assert (fitted.rank.exponent, fitted.box.exponent) == pytest.approx((2.5, 0.25))
    assert fitted.start == pytest.approx(1.5)
    job = fitted.job(50_000, 40_000, 513)
    expected = frontier_row(50_000, 40_000, 513)
    assert (job.shared, job.own) == pytest.approx((expected["ranks"], expected["rest"]))


def test_the_laws_of_an_atlas_are_found() -> None:
    rows = [{"rows": n, "parent": 1 + 2e-5 * n, "workers": 3 + 1e-4 * n} for n in (1000, 20_000, 300_000)]
    job = AtlasCost.fit(rows).job(10**8)
    assert (job.own, job.shared, job.start) == pytest.approx((2000, 10_000, 1.5))


def test_more_workers_help_until_the_first_process_is_the_limit() -> None:
    job = Job(own=10.0, shared=80.0, start=2.0)
    assert [job.wall(n) for n in (1, 2, 8, 64)] == [82.0, 42.0, 12.0, 12.0]
    assert job.enough == 8


def test_powers_and_counts() -> None:
    assert Power.fit([1, 10, 100], [3, 30, 300])(1000) == pytest.approx(3000)
    assert extrapolated([1.0, 10.0, 200.0]) == pytest.approx((4000.0, 8000.0))
    assert extrapolated([1.0, 20.0, 200.0]) == pytest.approx((2000.0, 2000.0)), "a factor that shrinks stays"
