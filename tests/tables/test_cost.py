"""The model of cost: it finds laws that were put in, and tells what was stored."""

from __future__ import annotations

import json

import pytest
from here import of_the_repository

of_the_repository("benchmarks")

from cost import STORED, AtlasCost, FrontierCost, Job, Power, continued, tell  # noqa: E402


def frontier_row(architectures: int, boxes: int, ambient: int) -> dict[str, float]:
    """Ranks of 1e-3 + 2e-8 N^2 + 1e-11 N^3 and boxes of 1e-3 B^0.25 seconds, workers that begin after 1.5."""
    ranks = architectures * (1e-3 + 2e-8 * ambient**2 + 1e-11 * ambient**3)
    rest = 0.3 + boxes**1.25 * 1e-3 * (boxes > 10)
    row = {"architectures": architectures, "boxes": boxes, "ambient": ambient, "ranks": ranks, "rest": rest}
    return row | {"workers": ranks + 3.0}


def test_the_laws_of_a_frontier_are_found() -> None:
    sizes = [(1, 5, 33), (128, 124, 129), (2304, 2261, 257), (9000, 8000, 400)]
    fitted = FrontierCost.fit([frontier_row(*one) for one in sizes])
    assert (fitted.overhead, fitted.evaluation, fitted.elimination) == pytest.approx((1e-3, 2e-8, 1e-11))
    assert (fitted.box.exponent, fitted.fixed, fitted.start) == pytest.approx((0.25, 0.3, 1.5))
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
    assert continued([1.0, 10.0, 200.0], growing=False) == pytest.approx(4000)
    assert continued([1.0, 10.0, 200.0], growing=True) == pytest.approx(8000)
    assert continued([1.0, 20.0, 200.0], growing=True) == pytest.approx(2000), "a factor that shrinks stays"


def test_what_is_stored_can_be_told() -> None:
    text = tell(json.loads(STORED.read_text(encoding="utf-8")))
    assert "| atlas of 10^8 rows |" in text
    assert "| frontier, depth 11 from depth 9 with growing factors: " in text
