from __future__ import annotations

import pickle
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matrices import P21, P24, P25, P26

from polygeom.errors import PolygeomError
from polygeom.modular import P22, P23, PrimeField, as_field, load_compiled
from polygeom.modular import _elementwise_numpy as plain
from polygeom.modular._backend import _kernels

PRIMES = [3, 5, 7, 101, 32003, P21, P22, P23, P24, P25, P26]


@pytest.fixture(params=["numpy", "numba"])
def kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run a test with either set of elementwise kernels."""
    assert load_compiled()
    if request.param == "numpy":
        monkeypatch.setattr(_kernels, "elementwise", plain)


def integers(a: np.ndarray) -> np.ndarray:
    """Entries as Python integers, so that what follows cannot overflow."""
    return np.vectorize(int, otypes=[object])(a) if a.size else a.astype(object)


def assert_is(field: PrimeField, got: np.ndarray, expected: np.ndarray) -> None:
    """Equal mod p, balanced, and in C order."""
    assert got.dtype == np.float64
    assert got.shape == np.shape(expected)
    assert got.flags.c_contiguous
    assert np.all(np.abs(got) <= field.half)
    assert np.array_equal(field.decode(got), np.array(expected % field.p, dtype=np.int64))


@pytest.mark.parametrize("p", [9, 1, 2, 0, -7, 2**26, 2**26 + 15, 4194303, 7.0, "7", None, True])
def test_only_odd_primes_in_range(p: object) -> None:
    with pytest.raises(PolygeomError, match=r"p must be an odd prime below 2\*\*26, got .*; write p=4194301"):
        PrimeField(p)  # type: ignore[arg-type]


def test_a_field_is_a_value() -> None:
    field = PrimeField(np.int64(7))
    assert field == PrimeField(7) != PrimeField(11)
    assert hash(field) == hash(PrimeField(7))
    assert pickle.loads(pickle.dumps(field)) == field
    assert pickle.loads(pickle.dumps(field)).max_products == field.max_products
    assert repr(field) == "PrimeField(p=7)"
    assert as_field(7) is as_field(7)
    assert as_field(field) is field
    with pytest.raises(AttributeError):
        field.p = 11  # type: ignore[misc]


@pytest.mark.usefixtures("kernels")
@pytest.mark.parametrize("p", PRIMES)
class TestOperations:
    def test_entrywise(self, p: int, rng: np.random.Generator) -> None:
        field = PrimeField(p)
        a, b = field.random(rng, (13, 17)), field.random(rng, (13, 17))
        a[0], b[0] = field.half, -field.half
        x, y = integers(a), integers(b)
        assert_is(field, field.add(a, b), x + y)
        assert_is(field, field.subtract(a, b), x - y)
        assert_is(field, field.multiply(a, b), x * y)
        assert_is(field, field.multiply(a[:, :1], b), x[:, :1] * y)
        assert_is(field, field.multiply(a[:, ::2], b[:, ::2]), x[:, ::2] * y[:, ::2])
        assert_is(field, field.multiply(a.T, b.T), x.T * y.T)
        assert_is(field, field.add(a.T, b.T), x.T + y.T)
        assert_is(field, field.multiply(np.broadcast_to(a[0], a.shape), b), x[:1] * y)
        a.flags.writeable = b.flags.writeable = False
        assert_is(field, field.multiply(a, b), x * y)
        assert_is(field, field.power(a, 2), x * x)
        assert_is(field, field.reduce(a * 3), x * 3)
        assert_is(field, field.reduce((a * 3).T), x.T * 3)

    def test_arguments_stay_as_they_are(self, p: int, rng: np.random.Generator) -> None:
        field = PrimeField(p)
        a, b = field.random(rng, (5, 5)), field.random(rng, (5, 5))
        x, y = a.copy(), b.copy()
        for result in (field.reduce(a), field.multiply(a, b), field.matmul(a, b), field.power(a, 1), field.power(a, 2)):
            result[...] = 77.0
        assert np.array_equal(a, x)
        assert np.array_equal(b, y)

    @pytest.mark.parametrize("exponent", [0, 1, 2, 3, 7, 8, 100, 4194299])
    def test_power(self, p: int, exponent: int, rng: np.random.Generator) -> None:
        field = PrimeField(p)
        a = field.random(rng, (3, 200))
        a[0, 0], a[0, 1], a[0, 2] = 0.0, field.half, -field.half
        expected = np.vectorize(lambda x: pow(int(x), exponent, p), otypes=[object])(a)
        assert_is(field, field.power(a, exponent), expected)
        assert_is(field, field.power(a[:, ::3], exponent), expected[:, ::3])

    def test_inverse(self, p: int, rng: np.random.Generator) -> None:
        field = PrimeField(p)
        a = field.random(rng, (6, 7))
        a[a == 0] = 1.0
        assert_is(field, field.multiply(field.inverse(a), a), np.ones((6, 7), object))
        a[2, 3] = float(p)
        with pytest.raises(PolygeomError, match="zero has no inverse"):
            field.inverse(a)

    def test_reduce_in_place(self, p: int, rng: np.random.Generator) -> None:
        field = PrimeField(p)
        a = rng.integers(-(2**52), 2**52, size=(7, 9)).astype(np.float64)
        for view in (a.copy(), a.T, a.copy()[::2, 1:]):
            expected = integers(view)
            field.reduce_inplace(view)
            assert np.array_equal(field.decode(view), np.array(expected % p, np.int64))

    def test_matrix_products_follow_numpy(self, p: int, rng: np.random.Generator) -> None:
        field = PrimeField(p)
        shapes = [((4, 5), (5, 3)), ((2, 4, 5), (5, 3)), ((4, 5), (2, 5, 3)), ((6, 1, 2, 5), (3, 5, 2))]
        shapes += [
            ((5,), (5, 3)),
            ((4, 5), (5,)),
            ((5,), (5,)),
            ((0, 5), (5, 3)),
            ((4, 0), (0, 3)),
            ((4, 100), (100, 2)),
        ]
        for left, right in shapes:
            a, b = field.random(rng, left), field.random(rng, right)
            assert_is(field, field.matmul(a, b), np.asarray(np.matmul(integers(a), integers(b)), object))

    def test_outer_columns(self, p: int, rng: np.random.Generator) -> None:
        field = PrimeField(p)
        d, f = field.random(rng, (4, 3)), field.random(rng, (4, 5))
        d.flags.writeable = f.flags.writeable = False
        for skip in (0, 1, 5):
            width = 5 - skip
            out = np.full((7, 20), 99.0)
            expected = out.copy()
            field.outer_columns(d, f, out, 2, 4, skip)
            for k in range(4):
                for j in range(3):
                    for i in range(skip, 5):
                        expected[2 + k, 4 + j * width + i - skip] = int(d[k, j]) * int(f[k, i]) % p
            inside = np.zeros(out.shape, bool)
            inside[2:6, 4 : 4 + 3 * width] = True
            assert np.array_equal(field.decode(out[inside]), expected[inside])
            assert np.all(out[~inside] == 99.0)
        field.outer_columns(d[:, :1], f[:, ::2], out, 0, 0)
        assert np.array_equal(field.decode(out[0, :3]), [int(d[0, 0]) * int(x) % p for x in f[0, ::2]])


def test_the_two_kernels_give_the_same_bits(rng: np.random.Generator) -> None:
    from polygeom.modular import _elementwise_numba as compiled

    for p in PRIMES:
        field = PrimeField(p)
        x = rng.integers(-(2**53) + field.half, 2**53 - field.half, size=70000).astype(np.float64)
        y = x.copy()
        plain.reduce_inplace(x, p)
        compiled.reduce_inplace(y, p)
        assert np.array_equal(x, y)
        a, b = field.random(rng, (40, 50)), field.random(rng, (40, 50))
        assert np.array_equal(plain.multiply(a, b, p), compiled.multiply(a, b, p))
        assert np.array_equal(plain.power(a, 13, p), compiled.power(a, 13, p))


@pytest.mark.usefixtures("kernels")
def test_balanced_means_small_integers() -> None:
    field = PrimeField(101)
    balanced = _kernels.elementwise.is_balanced
    a = np.zeros((300, 300))
    assert balanced(a, field.half)
    assert balanced(np.zeros((0, 3)), field.half)
    for bad in (field.half + 1.0, -field.half - 1.0, 0.5, np.nan, np.inf, -np.inf):
        a[299, 7] = bad
        assert not balanced(a, field.half)
    a[299, 7] = -field.half
    assert balanced(a, field.half)


def test_outer_columns_refuses_to_write_elsewhere() -> None:
    field = PrimeField(7)
    d = np.ones((4, 3))
    for row, column, skip in ((1, 0, 0), (-1, 0, 0), (0, 4, 0), (0, -1, 0), (0, 0, 4), (0, 0, -1)):
        with pytest.raises(PolygeomError, match="out must have 4 rows from"):
            field.outer_columns(d, d, np.zeros((4, 12)), row, column, skip)


def test_negative_exponents_are_refused() -> None:
    with pytest.raises(PolygeomError, match="exponent must be at least 0, got -1"):
        PrimeField(7).power(np.ones(3), -1)


@given(st.integers() | st.fractions(), st.sampled_from(PRIMES))
def test_scalars(c: int | Fraction, p: int) -> None:
    field = PrimeField(p)
    c = Fraction(c)
    if c.denominator % p == 0:
        with pytest.raises(PolygeomError, match=f"must not be divisible by {p}"):
            field.scalar(c)
    else:
        value = field.scalar(c)
        assert abs(value) <= p // 2
        assert (int(value) * c.denominator - c.numerator) % p == 0


@given(st.lists(st.integers(), max_size=6), st.sampled_from(PRIMES))
def test_encode_and_decode(values: list[int], p: int) -> None:
    field = PrimeField(p)
    encoded = field.encode(values)
    assert np.all(np.abs(encoded) <= p // 2)
    assert field.decode(encoded).tolist() == [x % p for x in values]


@pytest.mark.parametrize(
    "values",
    [
        [2**63, -1],
        [[1, Fraction(1, 2)], [2.0, np.int8(-3)]],
        np.array([2**64 - 1, 0], np.uint64),
        np.array([-128, 127], np.int8),
        np.array([255], np.uint8),
        np.array([-(2**63)], np.int64),
        np.array([True, False]),
        np.array([2.0**52, -(2.0**53) + P22]),
        np.array([3, 10**40], object),
        7,
        [],
    ],
    ids=str,
)
def test_encode_takes_numbers_of_any_kind(values: object) -> None:
    field = PrimeField(P22)
    exact = np.array(values, dtype=object) if not isinstance(values, np.ndarray) else values
    expected = [Fraction(x if isinstance(x, Fraction) else int(x)) for x in exact.reshape(-1)]
    got = field.encode(values)  # type: ignore[arg-type]
    assert got.shape == exact.shape
    assert all(
        (int(x) * y.denominator - y.numerator) % P22 == 0 for x, y in zip(got.reshape(-1), expected, strict=True)
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.5], "entries must be integers or fractions, got 0.5"),
        (np.array([0.5]), "floating-point entries must be integers of magnitude at most"),
        (np.array([np.nan]), "floating-point entries must be integers"),
        (np.array([2.0**53]), "floating-point entries must be integers of magnitude at most"),
        (["3"], "entries must be integers or fractions, got '3'"),
        (np.array(["3"]), "integers must be numbers, got an array of type <U1"),
        (np.array([1j]), "integers must be numbers, got an array of type complex128"),
        ([Fraction(1, 4194301)], "the denominator of c must not be divisible by 4194301"),
    ],
    ids=str,
)
def test_encode_refuses_what_is_no_exact_number(values: object, message: str) -> None:
    with pytest.raises(PolygeomError, match=message):
        PrimeField(P22).encode(values)  # type: ignore[arg-type]


def test_random_residues_are_all_residues() -> None:
    field = PrimeField(7)
    assert sorted(set(field.random(0, 500).tolist())) == [-3, -2, -1, 0, 1, 2, 3]
    assert np.array_equal(field.random(5, (2, 3)), field.random(np.random.default_rng(5), (2, 3)))
