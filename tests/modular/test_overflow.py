"""Sums of products stay exact. Random entries cancel and would not show a wrong bound; entries of one sign do."""

from __future__ import annotations

import numpy as np
import pytest
from matrices import P21, P24, P25, P26, extreme

from polygeom.modular import P22, P23, PrimeField, echelon_form, eliminate_columns, rank
from polygeom.modular import _elementwise_numpy as plain
from polygeom.modular._backend import Method

METHODS: tuple[Method, ...] = ("numpy", "numba")
BOUNDS = {P21: 8192, P22: 2047, P23: 512, P24: 127, P25: 32, P26: 8}


def odd(n: int) -> int:
    """The largest odd number up to n: products are odd, so that a sum beyond 2^53 cannot stay exact by luck."""
    return n - 1 + n % 2


@pytest.mark.parametrize("p", [3, 5, 7, 101, 32003, *BOUNDS])
def test_the_bound_is_exact(p: int) -> None:
    field = PrimeField(p)
    assert field.half == (p + 3) // 2
    k, h = field.max_products, field.half
    assert k * h**2 + 2 * h <= 2**53 < (k + 1) * h**2 + 2 * h


def test_the_bound_in_numbers() -> None:
    assert {p: PrimeField(p).max_products for p in BOUNDS} == BOUNDS


@pytest.mark.parametrize("p", [3, 5, 7, 101, 32003, *BOUNDS])
def test_reduction_near_the_limit_of_exact_integers(p: int, rng: np.random.Generator) -> None:
    from polygeom.modular import _elementwise_numba as compiled

    field = PrimeField(p)
    top = 2**53 - field.half
    near_top = np.arange(top - 5000, top + 1)
    quotients = np.concatenate([rng.integers(0, top // p - 1, 3000), np.arange(top // p - 1000, top // p - 1)])
    near_half = (quotients[:, None] * p + np.array([0, 1, p // 2 - 1, p // 2, p // 2 + 1, p // 2 + 2, p - 1])).ravel()
    x = np.concatenate([near_top, near_half, -near_top, -near_half])
    assert np.abs(x).max() <= top
    for kernels in (plain, compiled):
        y = x.astype(np.float64)
        kernels.reduce_inplace(y, float(p))
        assert np.all(np.abs(y) <= field.half)
        assert np.array_equal(y.astype(np.int64) % p, x % p)
        assert np.array_equal(y == 0, x % p == 0)


@pytest.mark.parametrize("p", BOUNDS)
@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, -1)], ids=["++", "+-", "--"])
def test_products_of_one_sign(p: int, signs: tuple[int, int]) -> None:
    field = PrimeField(p)
    k = field.max_products
    for magnitude in {field.half, odd(field.half)}:
        left, right = signs[0] * magnitude, signs[1] * magnitude
        for inner in (k - 1, k, k + 1, 2 * k - 1, 2 * k + 1, 5 * k + 2):
            got = field.matmul(np.full((3, inner), float(left)), np.full((inner, 2), float(right)))
            assert np.all(field.decode(got) == inner * left * right % p)
            assert np.all(np.abs(got) <= field.half)


SIGNS = {"++": (1, 1), "+-": (1, -1)}
ELIMINATIONS = [
    *(
        (p, block, method, signs)
        for p in (P23, P24, P25, P26)
        for block in (1, 8, 32)
        for method in METHODS
        for signs in SIGNS
    ),
    # large, so only with the factors that the method meets
    (P22, 1, "numba", "+-"),
    (P22, 32, "numpy", "+-"),
]


@pytest.mark.thorough
@pytest.mark.parametrize(("p", "block", "method", "signs"), ELIMINATIONS)
def test_eliminations_of_one_sign(p: int, block: int, method: Method, signs: str) -> None:
    field = PrimeField(p)
    true_rank = max(field.max_products + field.max_products // 8 + 1, 150)
    large = odd(p // 2)
    a = extreme(field, true_rank, true_rank + 40, block, *(sign * large for sign in SIGNS[signs]))
    assert rank(a, p, method=method) == true_rank
    e = a.copy()
    assert eliminate_columns(e, true_rank, true_rank + 20, p, method=method) == true_rank
    assert not e[true_rank:, true_rank:].any()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("p", [P23, P26])
def test_echelon_forms_of_one_sign(p: int, method: Method) -> None:
    field = PrimeField(p)
    true_rank = field.max_products + 70
    a = extreme(field, true_rank, true_rank + 30, 1 if method == "numba" else 32, odd(p // 2), -odd(p // 2))
    form = echelon_form(a, p, method=method)
    assert form.pivots == tuple(range(true_rank))
    # rows of a are combinations of the echelon form, with the entries of a in the pivot columns as coefficients
    assert np.array_equal(field.decode(field.matmul(a[:, :true_rank], form.matrix)), field.decode(a))


@pytest.mark.parametrize("method", METHODS)
def test_the_code_itself_checks_the_bound(method: Method) -> None:
    """A kernel that is handed too large a bound refuses to compute with it."""
    import polygeom.modular._elimination_numba as compiled
    import polygeom.modular._elimination_numpy as plain_elimination

    kernels = {"numpy": plain_elimination, "numba": compiled}[method]
    kernels.eliminate(np.eye(64), 64, 64, 64, False, P22, 2047)
    for bound in (2048, 0):
        with pytest.raises(AssertionError):
            kernels.eliminate(np.eye(64), 64, 64, 64, False, P22, bound)
