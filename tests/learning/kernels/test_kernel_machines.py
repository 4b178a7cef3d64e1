from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
from scipy.spatial.distance import cdist

torch = pytest.importorskip("torch", reason="kernel machines need the extra learn")

from polygeom.errors import BudgetError, PolygeomError  # noqa: E402
from polygeom.learning.kernels import (  # noqa: E402
    Dispersal,
    Gaussian,
    Laplacian,
    Polynomial,
    nystrom,
    solve,
)
from polygeom.learning.kernels.conditions import ConditionWarning  # noqa: E402
from polygeom.learning.kernels.kernels import Normalised, diagonal, gram, squared_distances  # noqa: E402
from polygeom.learning.kernels.machines import KernelMachine  # noqa: E402
from polygeom.learning.tangent.linearised import kernel_regression  # noqa: E402

KERNELS = {
    "gaussian": (Gaussian(1.5), lambda d, xy: np.exp(-(d**2) / (2 * 1.5**2))),
    "laplacian": (Laplacian(1.5), lambda d, xy: np.exp(-d / 1.5)),
    "dispersal": (Dispersal(0.7, 1.5), lambda d, xy: np.exp(-(d**0.7) / 1.5)),
    "polynomial": (Polynomial(3, 1.0), lambda d, xy: (xy + 1) ** 3),
    "homogeneous": (Polynomial(2), lambda d, xy: xy**2),
}
UNIT = ["gaussian", "laplacian", "dispersal"]


def rows(rng: np.random.Generator, count: int, dimension: int = 5, scale: float = 1.0) -> torch.Tensor:
    return torch.from_numpy(rng.standard_normal((count, dimension)) * scale)


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_against_their_formulas(name, rng) -> None:
    kernel, formula = KERNELS[name]
    x, y = rows(rng, 40), rows(rng, 30)
    expected = formula(cdist(x, y), x.numpy() @ y.numpy().T)
    np.testing.assert_allclose(kernel(x, y), expected, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(kernel(x.float(), y.float()), expected, rtol=2e-4, atol=1e-5)
    np.testing.assert_allclose(diagonal(kernel, x), np.diag(gram(kernel, x)), rtol=1e-12)


@pytest.mark.parametrize("name", KERNELS)
def test_kernels_are_symmetric_and_positive_even_on_repeated_rows(name, rng) -> None:
    kernel, _ = KERNELS[name]
    x = rows(rng, 60, scale=30.0)
    x = torch.cat([x, x[:20], x[:20] + 1e-9, torch.zeros(2, 5, dtype=x.dtype)])
    x = x / 30 if name in ("polynomial", "homogeneous") else x
    matrix = kernel(x, x)
    assert not torch.isnan(matrix).any()
    assert float((matrix - matrix.T).abs().max()) <= 1e-13 * float(matrix.abs().max())
    values = np.linalg.eigvalsh(matrix.numpy())
    assert values[0] >= -1e-8 * max(1, values[-1])
    assert torch.equal(matrix[0, :60], matrix[60, :60])
    if name in UNIT:
        assert torch.equal(matrix.diagonal(), torch.ones(len(x), dtype=x.dtype))
        assert float(matrix[0, 60]) == 1.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_distances_of_near_rows_keep_their_digits(dtype) -> None:
    base = torch.full((3, 4), 1000.0, dtype=dtype)
    base[1, 0] += 0.5
    base[2, 3] -= 2.0
    squares = squared_distances(base, base)
    assert squares.tolist() == [[0, 0.25, 4], [0.25, 0, 4.25], [4, 4.25, 0]]
    assert squared_distances(base * 0, base * 0).tolist() == [[0.0] * 3] * 3


def test_dispersal_is_between_laplacian_and_gaussian(rng) -> None:
    x, y = rows(rng, 20), rows(rng, 25)
    torch.testing.assert_close(Dispersal(1.0, 2.0)(x, y), Laplacian(2.0)(x, y), rtol=1e-14, atol=0)
    torch.testing.assert_close(Dispersal(2.0, 2 * 1.3**2)(x, y), Gaussian(1.3)(x, y), rtol=1e-13, atol=0)


def test_beyond_two_the_dispersal_kernel_would_not_be_positive() -> None:
    x = torch.linspace(-1, 1, 21, dtype=torch.float64)[:, None] * 0.5
    matrix = torch.exp(-((x - x.T).abs() ** 3))
    assert float(torch.linalg.eigvalsh(matrix)[0]) < -1e-3


@pytest.mark.parametrize(("degree", "offset", "expected"), [(2, 0, 10), (3, 0, 20), (2, 1, 15), (3, 0.5, 35)])
def test_polynomial_kernels_have_the_rank_of_their_monomials(degree, offset, expected, rng) -> None:
    matrix = gram(Polynomial(degree, offset), rows(rng, 60, 4))
    values = torch.linalg.eigvalsh(matrix).flip(0)
    assert float(values[expected - 1] / values[0]) > 1e-6
    assert float(values[expected] / values[0]) < 1e-13


def test_a_normalised_kernel_has_unit_diagonal_and_the_same_angles(rng) -> None:
    x, y = rows(rng, 30), rows(rng, 20)
    kernel = Normalised(Polynomial(2))
    np.testing.assert_allclose(gram(kernel, x).diagonal(), 1, rtol=1e-14)
    cosine = 1 - cdist(x, y, "cosine")
    np.testing.assert_allclose(kernel(x, y), cosine**2, atol=1e-13)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Gaussian(0.0), "bandwidth must be positive"),
        (lambda: Laplacian(math.inf), "bandwidth must be positive"),
        (lambda: Dispersal(2.5), r"exponent must be in \(0, 2\]"),
        (lambda: Dispersal(1.0, -1.0), "bandwidth must be positive"),
        (lambda: Polynomial(0), "degree must be an integer"),
        (lambda: Polynomial(2, -1.0), "offset must be at least 0"),
        (lambda: Gaussian()(torch.zeros(3), torch.zeros(3, 1)), "kernels take rows"),
        (lambda: Polynomial(2)(torch.zeros(3, 2), torch.zeros(3, 1)), "kernels take rows"),
        (lambda: gram(lambda x, y: x, torch.zeros(3, 2)), "kernel must map tensors"),
        (lambda: gram(lambda x, y: x @ y.T / 0, torch.zeros(3, 2)), "finite values"),
    ],
)
def test_kernels_refuse_what_makes_no_sense(make, message) -> None:
    with pytest.raises(PolygeomError, match=message):
        make()


@pytest.mark.parametrize("columns", [None, 3])
def test_the_exact_solution_against_scikit_learn(columns, rng) -> None:
    ridge = pytest.importorskip("sklearn.kernel_ridge")
    x, z = rows(rng, 50), rows(rng, 20)
    y = torch.from_numpy(rng.standard_normal((50,) if columns is None else (50, columns)))
    for alpha in (1e-2, 1e-13):
        machine = solve(Laplacian(2.0), x, y, ridge=alpha)
        reference = ridge.KernelRidge(alpha=alpha, kernel=lambda a, b: math.exp(-np.linalg.norm(a - b) / 2))
        np.testing.assert_allclose(machine.predict(z), reference.fit(x, y).predict(z), rtol=1e-8, atol=1e-10)
    assert machine.method == "cholesky"
    assert machine.mse(x, y) < 1e-20
    matrix = gram(Laplacian(2.0), x).numpy()
    assert machine.condition == pytest.approx(np.linalg.cond(matrix), rel=1e-9)
    estimate = solve(Laplacian(2.0), x, y, condition=False).condition
    assert 0.3 * machine.condition < estimate <= 1.0001 * machine.condition


def test_predictions_do_not_depend_on_the_memory_allowed(rng) -> None:
    x, z = rows(rng, 40), rows(rng, 33)
    machine = solve(Gaussian(2.0), x, x[:, 0])
    whole = machine.predict(z)
    torch.testing.assert_close(machine.predict(z, memory=40 * 8 * 3 * 4), whole, rtol=1e-13, atol=1e-13)
    with pytest.raises(BudgetError, match="one row of 40 kernel values takes 960 bytes, memory is 900"):
        machine.predict(z, memory=900)
    with pytest.raises(BudgetError, match=r"solve: the kernel matrix of 40 rows .* 25600 bytes"):
        solve(Gaussian(2.0), x, x[:, 0], memory=25_599)


def test_error_counts_wrong_classes(rng) -> None:
    x = rows(rng, 30)
    labels = torch.arange(30) % 3
    machine = solve(Laplacian(), x, torch.eye(3, dtype=x.dtype)[labels])
    assert machine.error(x, labels) == 0
    wrong = labels.clone()
    wrong[:6] = (wrong[:6] + 1) % 3
    assert machine.error(x, wrong) == pytest.approx(0.2)


def test_equal_rows_with_different_values_are_refused_unless_asked_for(rng) -> None:
    x = rows(rng, 20)
    x[1] = x[0]
    y = torch.arange(20, dtype=x.dtype)
    with pytest.raises(PolygeomError, match=r"condition number is .*ridge=1e-10, or cutoff=1e-12"):
        solve(Laplacian(), x, y)
    machine = solve(Laplacian(), x, y, cutoff=1e-12)
    assert machine.method == "eigen-cut"
    np.testing.assert_allclose(machine.predict(x)[:3], [0.5, 0.5, 2.0], atol=1e-8)


def test_the_cutoff_agrees_with_the_pseudo_inverse(rng) -> None:
    x = rows(rng, 60, 2)
    y, z = torch.sin(x[:, 0]), rows(rng, 10, 2)
    matrix = gram(Gaussian(2.0), x)
    values = torch.linalg.eigvalsh(matrix)
    cutoff = float((values[-20] * values[-21]).sqrt() / values[-1])
    machine = solve(Gaussian(2.0), x, y, cutoff=cutoff)
    weights = scipy.linalg.pinvh(matrix.numpy(), rtol=cutoff, atol=0) @ y.numpy()
    np.testing.assert_allclose(machine.predict(z), Gaussian(2.0)(z, x).numpy() @ weights, rtol=1e-7, atol=1e-9)
    assert machine.condition == pytest.approx(float(values[-1] / values[-20]), rel=1e-8)


def test_an_indefinite_matrix_is_solved_by_elimination(rng) -> None:
    x = rows(rng, 12, 3)
    machine = solve(lambda a, b: a @ b.T - 5 * torch.exp(-squared_distances(a, b)), x, x[:, 0])
    assert machine.method == "lu"
    assert machine.condition == pytest.approx(
        np.linalg.cond((x @ x.T - 5 * torch.exp(-squared_distances(x, x))).numpy()), rel=1e-9
    )
    np.testing.assert_allclose(machine.predict(x), x[:, 0], atol=1e-10)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": torch.zeros(3, 2, 1)}, "inputs must be rows"),
        ({"inputs": torch.zeros(3, 2, dtype=torch.complex64)}, "inputs must be real"),
        ({"targets": torch.zeros(4)}, r"targets must have shape \(3,\)"),
        ({"ridge": -1.0}, "ridge must be at least 0"),
        ({"cutoff": 1.0}, r"cutoff must be in \[0, 1\)"),
    ],
)
def test_solve_refuses_what_makes_no_sense(change, message) -> None:
    arguments = {"inputs": torch.eye(3, 2), "targets": torch.zeros(3)} | change
    with pytest.raises(PolygeomError, match=message):
        solve(Gaussian(), **arguments)


def test_nystrom_with_all_rows_is_the_eigendecomposition(rng) -> None:
    x = rows(rng, 80)
    system = nystrom(Laplacian(3.0), x, 12)
    matrix = gram(Laplacian(3.0), x).numpy()
    values, vectors = scipy.linalg.eigh(matrix, subset_by_index=[68, 79])
    np.testing.assert_allclose(system.values * 80, values[::-1], rtol=1e-10)
    np.testing.assert_allclose(abs(np.sum(system.vectors.numpy() * vectors[:, ::-1], axis=0)), 1, atol=1e-8)
    functions = system(x)
    np.testing.assert_allclose(functions, math.sqrt(80) * system.vectors, atol=1e-8)
    np.testing.assert_allclose(functions.T @ functions / 80, np.eye(12), atol=1e-8)


def test_nystrom_signs_and_draws_are_reproducible(rng) -> None:
    x = rows(rng, 50)
    first, again = (nystrom(Gaussian(2.0), x, 3, subsample=30, rng=7) for _ in range(2))
    other = nystrom(Gaussian(2.0), x, 3, subsample=30, rng=8)
    assert torch.equal(first.vectors, again.vectors)
    assert not torch.equal(first.indices, other.indices)
    assert len(set(first.indices.tolist())) == 30
    assert torch.equal(first.centres, x[first.indices])
    assert bool((first.vectors.gather(0, first.vectors.abs().argmax(0)[None]) > 0).all())


@pytest.mark.thorough
def test_nystrom_of_digits_is_near_the_whole() -> None:
    pytest.importorskip("sklearn")
    from polygeom.datasets import digits, normalise

    x = torch.from_numpy(normalise(digits().rows(), centre=False)[0])
    full, part = nystrom(Laplacian(1.0), x, 10), nystrom(Laplacian(1.0), x, 10, subsample=600, rng=1)
    assert float((part.values / full.values - 1).abs().max()) < 0.10
    basis = torch.linalg.qr(part(x))[0]
    assert float((basis.T @ full.vectors).square().sum() / 10) >= 0.95


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "1 <= count"),
        ({"count": 5, "subsample": 4}, "count <= subsample"),
        ({"count": 5, "subsample": 400}, "<= 20 rows"),
        ({"count": 4}, "count must be at most 3, the numerical rank"),
    ],
)
def test_nystrom_refuses_what_is_not_there(arguments, message, rng) -> None:
    with pytest.raises(PolygeomError, match=message):
        nystrom(Polynomial(1), rows(rng, 20, 3), **arguments)


def test_a_machine_is_its_formula(rng) -> None:
    x, z = rows(rng, 6), rows(rng, 4)
    machine = KernelMachine(Polynomial(2), x, torch.arange(6, dtype=x.dtype), "given")
    expected = ((z.numpy() @ x.numpy().T) ** 2) @ np.arange(6)
    np.testing.assert_allclose(machine.predict(z.float()), expected, rtol=1e-5)


@pytest.mark.parametrize("condition", [True, False])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_singular_kernel_is_refused(condition: bool, dtype, rng) -> None:
    """Rank 2 and 400 points: whatever comes out is rounding, for targets in the span as for others."""
    x = torch.from_numpy(rng.standard_normal((400, 2))).to(dtype)
    for y in (x[:, 0], torch.sin(x[:, 0]), torch.ones(400, 3, dtype=dtype)):
        with pytest.raises(PolygeomError, match=r"invertible to working precision, .*rank 2 of 400"):
            solve(Polynomial(1), x, y, condition=condition)
    machine = solve(Polynomial(1), x, x[:, 0], cutoff=1e-5)
    assert machine.condition < 10
    torch.testing.assert_close(machine.predict(x), x[:, 0], rtol=1e-4, atol=1e-4)


def test_a_cutoff_below_rounding_is_refused(rng) -> None:
    x = rows(rng, 30, 2)
    with pytest.raises(PolygeomError, match=r"cutoff must be above the rounding"):
        solve(Polynomial(1), x, x[:, 0], cutoff=1e-18)


def test_an_ill_conditioned_kernel_is_said_to_be_so(rng) -> None:
    x = rows(rng, 12, 1)
    machine = solve(Gaussian(1.0), x, x[:, 0], ridge=1e-9)
    assert 1e8 < machine.condition < 1e11
    with pytest.warns(ConditionWarning, match="fewer than two digits"):
        found = solve(Gaussian(1.0), x, x[:, 0], ridge=1e-13)
    assert found.condition > 1e13
    with pytest.warns(ConditionWarning):
        assert solve(Gaussian(1.0), x, x[:, 0], ridge=1e-13, condition=False).condition > 1e13
    with pytest.raises(PolygeomError, match=r"positive definite|invertible"):
        kernel_regression(gram(Gaussian(0.01), torch.zeros(3, 1).double()), torch.zeros(3).double())
    with pytest.warns(ConditionWarning):
        kernel_regression(gram(Gaussian(1.0), x), x[:, 0], ridge=1e-13)
