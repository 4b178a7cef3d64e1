"""Linear algebra mod p against floating-point linear algebra of the same size, and against FLINT.

The matrices are uniformly random of full rank unless the name says otherwise; LAPACK's ``dgetrf`` factors matrices of
the same size. All run in one process with one thread, in alternation.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import flint
import numpy as np
import pytest
from scipy.linalg import lapack

from polygeom.modular import P22, P23, PrimeField, eliminate_columns, load_compiled, rank
from polygeom.modular._backend import Method

GENERATOR = np.random.default_rng(20240601)
ROUNDS = {100: 500, 300: 100, 1000: 15, 3000: 4, 10000: 2}
SIZES = [100, 300, 1000, 3000, pytest.param(10000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
COMPILED_TARGETS = {100: 2.5, 300: 1.6, 1000: 1.15, 3000: 1.10, 10000: 1.10}
NUMPY_TARGETS = {300: 12.0, 1000: 2.2, 3000: 1.25}
FLINT_TARGETS = {1000: 4.0, 3000: 5.0}


def random_matrix(rows: int, columns: int, p: int = P22) -> np.ndarray:
    return PrimeField(p).random(GENERATOR, (rows, columns))


def random_columns(n: int) -> tuple[np.ndarray]:
    """A matrix in the memory layout of LAPACK, so that nothing is copied inside the timer."""
    return (np.asfortranarray(random_matrix(n, n)),)


def factor(a: np.ndarray) -> None:
    lapack.dgetrf(a, overwrite_a=True)


def rank_of(p: int, expected: int, method: Method) -> Callable[[np.ndarray], None]:
    def run(a: np.ndarray) -> None:
        assert rank(a, p, overwrite=True, method=method) == expected

    return run


@pytest.fixture(autouse=True)
def _compiled_outside_the_timer() -> None:
    assert load_compiled()


@pytest.mark.benchmark(group="rank, full, compiled", timer=time.process_time)
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("p", [P22, P23], ids=["22bit", "23bit"])
def test_compiled(compare, n: int, p: int) -> None:
    target = COMPILED_TARGETS[n] if p == P22 else None
    compare(
        rank_of(p, n, "numba"), lambda: (random_matrix(n, n, p),), factor, lambda: random_columns(n),
        against=f"dgetrf {n}", rounds=ROUNDS[n], at_most=target,
    )  # fmt: skip


@pytest.mark.benchmark(group="rank, full, numpy", timer=time.process_time)
@pytest.mark.parametrize("n", [300, 1000, 3000])
def test_numpy(compare, n: int) -> None:
    compare(
        rank_of(P22, n, "numpy"), lambda: (random_matrix(n, n),), factor, lambda: random_columns(n),
        against=f"dgetrf {n}", rounds=ROUNDS[n], at_most=NUMPY_TARGETS[n],
    )  # fmt: skip


@pytest.mark.benchmark(group="rank, full, FLINT", timer=time.process_time)
@pytest.mark.parametrize("n", [1000, 3000])
def test_flint(compare, n: int) -> None:
    field = PrimeField(P22)
    matrix = flint.nmod_mat(n, n, field.decode(random_matrix(n, n)).ravel().tolist(), P22)

    def run(a: flint.nmod_mat) -> None:
        assert a.rank() == n

    compare(
        run, lambda: (matrix,), rank_of(P22, n, "numba"), lambda: (random_matrix(n, n),),
        against=f"rank {n}, compiled", rounds=3 if n == 1000 else 2, at_least=FLINT_TARGETS[n],
    )  # fmt: skip


def half_rank(n: int) -> np.ndarray:
    return PrimeField(P22).matmul(random_matrix(n, n // 2), random_matrix(n // 2, n))


def repeated_columns(n: int) -> np.ndarray:
    return np.repeat(random_matrix(n, n // 2), 2, axis=1)


def exchanges(n: int) -> np.ndarray:
    """Lower triangular with its rows reversed: every pivot but the middle ones is found at the bottom."""
    return np.ascontiguousarray(np.tril(random_matrix(n, n))[::-1])


SHAPES = {
    "half rank": (half_rank, 500),
    "every second column repeated": (repeated_columns, 500),
    "exchanges": (exchanges, 1000),
    "tall 3:1": (lambda n: random_matrix(3 * n, n), 1000),
    "wide 1:3": (lambda n: random_matrix(n, 3 * n), 1000),
}


@pytest.mark.benchmark(group="rank, shapes and deficiency", timer=time.process_time)
@pytest.mark.parametrize("method", ["numba", "numpy"])
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes(compare, shape: str, method: Method) -> None:
    make, expected = SHAPES[shape]
    a = make(1000)
    compare(
        rank_of(P22, expected, method), lambda: (a.copy(),), factor, lambda: random_columns(1000),
        against="dgetrf 1000", rounds=5,
    )  # fmt: skip


@pytest.mark.benchmark(group="product", timer=time.process_time)
@pytest.mark.parametrize(
    ("m", "k", "n"), [(1000, 32, 32), (4000, 64, 64), (4000, 100, 100), (1000, 1000, 1000), (1000, 5000, 1000)]
)
def test_product(compare, m: int, k: int, n: int) -> None:
    field = PrimeField(P22)
    compare(
        field.matmul, lambda: (random_matrix(m, k), random_matrix(k, n)),
        np.matmul, lambda: (random_matrix(m, k), random_matrix(k, n)),
        against=f"dgemm {m}x{k}x{n}", rounds=50 if m * k * n < 10**8 else 8,
    )  # fmt: skip


@pytest.mark.benchmark(group="small calls", timer=time.process_time)
@pytest.mark.parametrize(("rows", "columns", "width"), [(6, 5, 5), (28, 19, 109), (120, 90, 90)])
def test_small_calls(benchmark, rows: int, columns: int, width: int) -> None:
    """The eliminations of a network of widths (10, 10, 10, 10), and one that is all overhead."""
    a = random_matrix(rows, width)
    benchmark.pedantic(eliminate_columns, setup=lambda: ((a.copy(), columns, rows, P22), {}), rounds=2000)
