"""Kernel regression on a thousand digits: EigenPro with either step against the exact solution."""

from __future__ import annotations

import time
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from polygeom.datasets import normalise, train_and_test  # noqa: E402
from polygeom.learning.kernels import Gaussian, Laplacian, eigenpro, solve  # noqa: E402
from polygeom.learning.kernels.kernels import squared_distances  # noqa: E402

GOAL = 1e-6
"""The training error that iterations have to reach."""


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def digits() -> tuple[Any, Any]:
    train, test = train_and_test("digits", 1000, 797)
    rows, _ = normalise(train.rows(), test.rows(), centre=False)
    return torch.from_numpy(rows), torch.from_numpy(train.one_hot())


def iterate(x: Any, y: Any, legacy: bool) -> None:
    eigenpro(Laplacian(10.0), x, y, epochs=3000, top=40, tolerance=GOAL, record_every=3000, legacy_step=legacy)


def direct(x: Any, y: Any) -> None:
    solve(Laplacian(10.0), x, y, condition=False)


@pytest.mark.benchmark(group="kernel regression", timer=time.process_time)
def test_the_right_step_against_the_published_one(compare, digits) -> None:
    """Time to the same training error."""
    compare(
        iterate, lambda: (*digits, False), iterate, lambda: (*digits, True),
        against="the published step", rounds=2, at_most=0.5,
    )  # fmt: skip


@pytest.mark.benchmark(group="kernel regression", timer=time.process_time)
def test_eigenpro_against_the_exact_solution(compare, digits) -> None:
    """At this size the factorisation wins; EigenPro is for data whose matrix does not fit."""
    compare(iterate, lambda: (*digits, False), direct, lambda: digits, against="Cholesky", rounds=3)


@pytest.mark.benchmark(group="kernel values", timer=time.process_time)
@pytest.mark.parametrize("kernel", [Gaussian(), Laplacian()], ids=["gaussian", "laplacian"])
def test_kernel_values_against_the_product_of_matrices(compare, kernel) -> None:
    x = torch.randn(2000, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    compare(kernel, lambda: (x, x), lambda a, b: a @ b.T, lambda: (x, x), against="matrix product", rounds=10)


@pytest.mark.benchmark(group="kernel values", timer=time.process_time)
def test_distances_against_torch(compare) -> None:
    """torch's own distances without matrix products: as accurate for close rows, and slower."""
    x = torch.randn(2000, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def reference(a: Any, b: Any) -> Any:
        return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist")

    compare(squared_distances, lambda: (x, x), reference, lambda: (x, x), against="torch.cdist", rounds=5, at_most=1.0)
