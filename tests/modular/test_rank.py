"""Rank, stability and Schur complements: both methods against FLINT and against elimination in Python integers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matrices import P21, P26, as_flint, extreme, families, flint_rank, python_echelon, scrambled

from polygeom.errors import BudgetError, PolygeomError
from polygeom.modular import P22, P23, PrimeField, eliminate_columns, eliminate_columns_stable, rank, rank_stable
from polygeom.modular._backend import Method

PRIMES = [3, 5, 7, 101, 32003, P21, P22, P23, P26]
FEW_PRIMES = [3, 101, P22, P26]
METHODS: tuple[Method, ...] = ("numpy", "numba")
both_methods = pytest.mark.parametrize("method", METHODS)


@both_methods
@pytest.mark.parametrize("p", PRIMES)
def test_ranks_are_those_of_flint(p: int, method: Method, rng: np.random.Generator, multiplier: int) -> None:
    field = PrimeField(p)
    for largest in (5, 40, 130) * multiplier:
        for name, a in families(field, rng, largest):
            before = a.copy()
            assert rank(a, p, method=method) == flint_rank(a, p), (name, a.shape)
            assert np.array_equal(a, before)


@both_methods
@pytest.mark.parametrize("p", PRIMES)
def test_rank_by_construction(p: int, method: Method, rng: np.random.Generator, multiplier: int) -> None:
    field = PrimeField(p)
    for _ in range(5 * multiplier):
        rows, columns = (int(n) for n in rng.integers(1, 90, size=2))
        r = int(rng.integers(0, min(rows, columns) + 1))
        assert rank(scrambled(field, rng, (rows, columns), r), p, method=method) == r


@both_methods
@pytest.mark.parametrize("p", FEW_PRIMES)
def test_tail_rows(p: int, method: Method, rng: np.random.Generator, multiplier: int) -> None:
    field = PrimeField(p)
    for largest in (4, 30, 90) * multiplier:
        for name, a in families(field, rng, largest):
            whole = flint_rank(a, p)
            for rows in {0, a.shape[0], int(rng.integers(0, a.shape[0] + 1)), max(a.shape[0] - 2, 0)}:
                head = flint_rank(a[:rows], p)
                assert rank_stable(a, rows, p, method=method) == (head, head == whole), (name, a.shape, rows)
                limit = int(rng.integers(0, whole + 2))
                expected = min(head, limit), min(head, limit) == min(whole, limit)
                assert rank_stable(a, rows, p, limit=limit, method=method) == expected, (name, a.shape, rows, limit)


@both_methods
def test_a_single_tail_entry_is_noticed(method: Method, rng: np.random.Generator) -> None:
    field = PrimeField(P22)
    basis = field.random(rng, (30, 100))
    for column in range(0, 100, 7):
        a = field.matmul(field.random(rng, (60, 30)), basis)
        assert rank_stable(a, 57, P22, method=method) == (30, True)
        a[59, column] += 1.0
        assert rank_stable(field.reduce(a), 57, P22, method=method) == (30, False)


@both_methods
def test_limit(method: Method, rng: np.random.Generator) -> None:
    field = PrimeField(P22)
    a = scrambled(field, rng, (80, 70), 50)
    assert [rank(a, P22, limit=n, method=method) for n in (-1, 0, 1, 49, 50, 51, 1000)] == [0, 0, 1, 49, 50, 50, 50]


@both_methods
@pytest.mark.parametrize("p", FEW_PRIMES)
def test_schur_complements(p: int, method: Method, rng: np.random.Generator, multiplier: int) -> None:
    """Rank of the whole = rank of the eliminated columns + rank of what remains, for the first rows and for all."""
    field = PrimeField(p)
    for largest in (4, 40, 100) * multiplier:
        for name, a in families(field, rng, largest):
            columns, rows = (int(rng.integers(0, size + 1)) for size in a.shape[::-1])
            e = a.copy()
            k, stable = eliminate_columns_stable(e, columns, rows, p, method=method)
            assert k == flint_rank(a[:rows, :columns], p), name
            assert stable == (k == flint_rank(a[:, :columns], p)), name
            height = a.shape[0] if stable else rows
            rest = e[k:height, columns:]
            assert np.all(np.abs(rest) <= field.half)
            assert k + flint_rank(e[k:rows, columns:], p) == flint_rank(a[:rows], p), name
            assert k + flint_rank(rest, p) == flint_rank(a[:height], p), name


@both_methods
def test_tail_rows_keep_their_place(method: Method, rng: np.random.Generator) -> None:
    """Each tail row of the Schur complement is that of its own row, whatever was exchanged above."""
    field = PrimeField(101)
    for _ in range(10):
        a = field.random(rng, (50, 60)) * (rng.random((50, 60)) < 0.3)
        a[:, :20] = field.matmul(field.random(rng, (50, 12)), field.random(rng, (12, 20)))
        e = a.copy()
        k, stable = eliminate_columns_stable(e, 20, 45, 101, method=method)
        assert (k, stable) == (12, True)
        for row in range(45, 50):
            alone = np.concatenate([a[:45], a[row : row + 1]])
            eliminate_columns(alone, 20, 45, 101, method=method)
            assert np.array_equal(field.decode(alone[45, 20:]), field.decode(e[row, 20:]))


@pytest.mark.parametrize("p", PRIMES)
def test_the_methods_take_the_same_pivots_and_leave_the_same_rest(
    p: int, rng: np.random.Generator, multiplier: int
) -> None:
    from polygeom.modular import _elimination_numba as compiled
    from polygeom.modular import _elimination_numpy as plain

    field = PrimeField(p)
    kmax = field.max_products
    for bound, width in ((kmax, 32), (min(kmax, 40), 16), (min(kmax, 7), 32), (min(kmax, 8), 8)) * multiplier:
        for name, a in families(field, rng, 100):
            columns, rows = (int(rng.integers(0, size + 1)) for size in a.shape[::-1])
            results = []
            for kernels in (plain, compiled):
                e = a.copy()
                found, unstable, pivots, _ = kernels.eliminate(e, columns, rows, 10**6, False, p, bound, width)
                rest = field.decode(e[found : rows if unstable else None, columns:])
                results.append((found, unstable, pivots.tolist(), rest.tolist()))
            assert results[0] == results[1], (name, bound, width, a.shape, columns, rows)


@pytest.mark.thorough
@both_methods
@given(data=st.data())
def test_small_matrices_against_python_integers(method: Method, data: st.DataObject) -> None:
    p = data.draw(st.sampled_from([3, 5, 7, 101, P22]))
    m, n = data.draw(st.integers(0, 6)), data.draw(st.integers(0, 6))
    entries = st.integers(-2, 2) | st.integers(-(10**9), 10**9)
    a = np.array(data.draw(st.lists(entries, min_size=m * n, max_size=m * n)), dtype=object).reshape(m, n)
    rows = data.draw(st.integers(0, m))
    whole, head = len(python_echelon(a, p)[1]), len(python_echelon(a[:rows], p)[1])
    assert rank(a, p, method=method) == whole
    assert rank_stable(a, rows, p, method=method) == (head, head == whole)


@pytest.mark.thorough
@both_methods
def test_large_matrices(method: Method, rng: np.random.Generator) -> None:
    """Wide enough for several levels of the schedule and, compiled, for wider panels."""
    for p, shape, true_rank in ((P22, (700, 600), 555), (32003, (300, 1100), 290), (P26, (150, 3100), 149)):
        field = PrimeField(p)
        a = field.matmul(field.random(rng, (shape[0], true_rank)), field.random(rng, (true_rank, shape[1])))
        assert rank(a, p, method=method) == true_rank == as_flint(a, p).rank()


@both_methods
def test_wide_panels(method: Method) -> None:
    p = P26
    a = extreme(PrimeField(p), 60, 80, 1 if method == "numba" else 32, -(p // 2), p // 2)
    assert rank(np.concatenate([a, np.zeros((80, 3000))], axis=1), p, method=method) == 60


@both_methods
class TestInput:
    def test_any_integers(self, method: Method) -> None:
        rows = [[1, 2, 3], [2, 4, 6], [0, 0, 5]]
        for a in (rows, np.array(rows), np.array(rows, np.uint8), np.array(rows, object), np.array(rows, float)):
            assert rank(a, 7, method=method) == 2
            assert rank(a, PrimeField(5), method=method) == 1

    def test_float_entries_that_are_not_reduced(self, method: Method) -> None:
        assert rank(np.array([[7.0, 1.0], [14.0, 3.0]]), 7, method=method) == 1
        assert rank(np.array([[2.0**52, 1.0], [2.0**52, 1.0]]), P22, method=method) == 1

    def test_other_memory_layouts(self, method: Method, rng: np.random.Generator) -> None:
        a = scrambled(PrimeField(P22), rng, (40, 50), 20)
        padded = np.zeros((80, 150))
        padded[::2, ::3] = a
        for view in (a.T, np.asfortranarray(a), padded[::2, ::3], a[::-1, ::-1]):
            before = view.copy()
            assert rank(view, P22, method=method) == 20
            assert rank(view, P22, overwrite=True, method=method) == 20
            if not view.flags.c_contiguous:
                assert np.array_equal(view, before)

    def test_overwrite_uses_the_matrix_itself(self, method: Method, rng: np.random.Generator) -> None:
        a = PrimeField(P22).random(rng, (40, 40))
        before = a.copy()
        assert rank(a, P22, overwrite=True, memory=0, method=method) == 40
        assert not np.array_equal(a, before)
        frozen = before.copy()
        frozen.flags.writeable = False
        assert rank(frozen, P22, overwrite=True, method=method) == 40
        assert np.array_equal(frozen, before)

    @pytest.mark.parametrize("bad", [np.ones(3), np.ones((2, 2, 2)), 3, []], ids=str)
    def test_matrices_only(self, method: Method, bad: object) -> None:
        with pytest.raises(PolygeomError, match="a must be a matrix"):
            rank(bad, 7, method=method)  # type: ignore[arg-type]

    def test_other_numbers_are_refused(self, method: Method) -> None:
        for bad in ([[0.5]], np.array([[0.5]]), np.array([[np.nan]]), np.array([[2.0**60]])):
            with pytest.raises(PolygeomError, match="must be integers"):
                rank(bad, 7, method=method)

    def test_memory_limit(self, method: Method, rng: np.random.Generator) -> None:
        a = PrimeField(P22).random(rng, (30, 40))
        assert rank(a, P22, memory=9600, method=method) == 30
        assert rank_stable(a, 20, P22, memory=9600, method=method) == (20, False)
        for call in (lambda: rank(a, P22, memory=9599, method=method), lambda: rank([[1] * 10], 7, memory=79)):
            with pytest.raises(BudgetError, match=r"needs (9600|80) bytes of working memory, allowed are (9599|79)"):
                call()

    def test_rows_in_range(self, method: Method) -> None:
        for rows in (-1, 4):
            with pytest.raises(PolygeomError, match=f"rows must be from 0 to 3 for a matrix of this shape, got {rows}"):
                rank_stable(np.eye(3), rows, 7, method=method)
            with pytest.raises(PolygeomError, match=f"columns must be from 0 to 3 .*, got {rows}"):
                eliminate_columns(np.eye(3), rows, 2, 7, method=method)

    @pytest.mark.parametrize(
        "bad",
        [np.eye(3, dtype=int), np.eye(3)[:, ::2], np.ones(3), [[1.0]], np.broadcast_to(np.ones(3), (3, 3))],
        ids=str,
    )
    def test_elimination_in_place_needs_a_matrix_to_write(self, method: Method, bad: np.ndarray) -> None:
        with pytest.raises(
            PolygeomError, match="e must be a writable C-contiguous float64 matrix of balanced residues"
        ):
            eliminate_columns(bad, 1, 1, 7, method=method)

    def test_elimination_in_place_needs_balanced_residues(self, method: Method) -> None:
        with pytest.raises(PolygeomError, match="e must hold integers of magnitude at most 5"):
            eliminate_columns(np.full((3, 3), 6.0), 1, 1, 7, method=method)
