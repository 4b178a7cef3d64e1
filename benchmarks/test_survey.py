"""Many perceptrons by the compiled kernels against the same ones by one; both compute the same results."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

from polygeom.dimensions import dimension
from polygeom.dimensions.survey import batch
from polygeom.dimensions.survey.thresholds import thresholds
from polygeom.network import mlp

timed = pytest.mark.benchmark(timer=time.process_time)
BOX = np.array(list(itertools.product(range(1, 7), repeat=5)))[::4]
"""1,944 networks with three hidden layers, widths up to 6."""


def nothing_known() -> tuple[()]:
    batch.tables.cache_clear()
    assert batch.tables() is not None
    batch.survey([[2, 3, 3, 1]], 2)
    return ()


@timed
@pytest.mark.parametrize("r", [2, 3])
def test_survey_against_one_by_one(compare, r: int) -> None:
    def one_by_one() -> None:
        assert all(dimension(mlp(tuple(widths), r)).proved for widths in BOX.tolist())

    def together() -> None:
        assert all(result.proved for result in batch.survey(BOX, r).results())

    compare(one_by_one, nothing_known, together, nothing_known, against="survey", rounds=2, at_least=10)


@timed
def test_thresholds_take_a_millisecond(compare) -> None:
    """729 architectures of depth 4 with widths of 2, 6 and 10."""
    rows = np.array(list(itertools.product((2, 6, 10), repeat=5)))

    def run() -> None:
        assert thresholds(rows).proved.all()

    def one_millisecond_each() -> None:
        stop = time.process_time() + 1e-3 * len(rows)
        while time.process_time() < stop:
            pass

    compare(run, nothing_known, one_millisecond_each, nothing_known, against="1 ms each", rounds=3, at_most=1.0)
