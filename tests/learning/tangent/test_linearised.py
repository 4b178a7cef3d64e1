from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="tangent kernels need the extra learn")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from learning.tangent_models import BY_LAYERS, POINTWISE, case, jacobian_by_backward  # noqa: E402

from polygeom.errors import BudgetError, FormatError, PolygeomError  # noqa: E402
from polygeom.learning.kernels.kernels import Laplacian, Polynomial  # noqa: E402
from polygeom.learning.kernels.machines import nystrom, solve  # noqa: E402
from polygeom.learning.tangent.eigen import (  # noqa: E402
    Eigensystem,
    eigensystem,
    nystrom_eigensystem,
    operator_eigensystem,
    subspace_overlap,
)
from polygeom.learning.tangent.linearised import LinearisedModule, gradient_flow, kernel_regression, linearize  # noqa: E402
from polygeom.learning.tangent.operators import tangent_operator  # noqa: E402
from polygeom.learning.tangent.tangent_kernel import TangentKernel  # noqa: E402
from polygeom.learning.tangent.target_alignment import alignment, centred_alignment, rayleigh, split_alignment  # noqa: E402
from polygeom.learning.training.loop import train  # noqa: E402
from polygeom.learning.training.settings import TrainingSettings  # noqa: E402

ALL = [*BY_LAYERS, *POINTWISE]


def normal(*shape: int, seed: int = 0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("name", ALL)
def test_operators_multiply_by_the_jacobian(name: str) -> None:
    module, x = case(name)
    j = jacobian_by_backward(module, x)
    operator = tangent_operator(module, x, batch=3)
    v, u = normal(j.shape[2]), normal(len(x), j.shape[1], seed=1)
    scale = float(j.abs().max()) * len(v)
    assert operator.shape == (j.shape[0] * j.shape[1], j.shape[2])
    assert (operator.product(v) - j @ v).abs().max() <= 1e-12 * scale
    assert (operator.transpose(u) - torch.einsum("nc,ncp->p", u, j)).abs().max() <= 1e-12 * scale
    expected = torch.einsum("ncp,kdp,kd->nc", j, j, u)
    assert (operator.kernel_product(u) - expected).abs().max() <= 1e-12 * float(expected.abs().max())


@pytest.mark.thorough
@pytest.mark.parametrize("name", ALL)
def test_alignment_is_the_rayleigh_quotient_of_the_kernel(name: str) -> None:
    module, x = case(name)
    j = jacobian_by_backward(module, x)
    flat = j.flatten(end_dim=1)
    kernel, targets = flat @ flat.T, normal(4, len(x), j.shape[1])
    expected = torch.stack([(y @ kernel @ y) / (y @ y) for y in targets.flatten(start_dim=1)])
    torch.testing.assert_close(alignment(module, x, targets, batch=2), expected, rtol=1e-10, atol=0)
    torch.testing.assert_close(alignment(module, x, targets[0]), expected[0], rtol=1e-10, atol=0)
    torch.testing.assert_close(rayleigh(kernel, targets.flatten(start_dim=1).T), expected, rtol=1e-10, atol=0)
    per_trace = alignment(module, x, targets, per_trace=True)
    torch.testing.assert_close(per_trace, expected / kernel.trace(), rtol=1e-10, atol=0)


@pytest.mark.parametrize(
    ("name", "count"), [*((name, 2) for name in ALL), *((name, 12) for name in ALL if "residual" not in name)]
)
def test_alignments_on_parts_of_the_points_whatever_the_memory(name: str, count: int) -> None:
    """Few targets go by backward passes, many by Jacobians of some points; both against explicit kernels."""
    module, x = case(name)
    j = jacobian_by_backward(module, x)
    targets = normal(count, len(x), j.shape[1])
    parts = {"train": slice(0, 3), "test": slice(3, None), "all": slice(None)}
    found = split_alignment(module, x, targets, 3, memory=2**30)
    shares = split_alignment(module, x, targets, 3, per_trace=True, memory=2**18)
    assert list(found) == list(shares) == list(parts)
    for part, rows in parts.items():
        flat, y = j[rows].flatten(end_dim=1), targets[:, rows].flatten(start_dim=1)
        expected = rayleigh(flat @ flat.T, y.T)
        torch.testing.assert_close(found[part], expected, rtol=1e-10, atol=0)
        torch.testing.assert_close(shares[part], expected / flat.square().sum(), rtol=1e-10, atol=0)


def test_alignment_of_an_eigenvector_is_its_eigenvalue() -> None:
    module, x = case("perceptron", count=20)
    flat = jacobian_by_backward(module, x).flatten(end_dim=1)
    found = eigensystem(flat @ flat.T, 10)
    targets = torch.as_tensor(found.vectors.T.copy()).reshape(10, 20, 2)
    torch.testing.assert_close(alignment(module, x, targets), torch.as_tensor(found.values.copy()), rtol=1e-10, atol=0)


def test_centred_alignment_against_its_definition() -> None:
    a, y = normal(9, 4), normal(9, 3, seed=1)
    kernel, h = a @ a.T, torch.eye(9, dtype=torch.float64) - 1 / 9
    for column, value in zip(y.T, centred_alignment(kernel, y), strict=True):
        left, right = h @ kernel @ h, h @ torch.outer(column, column) @ h
        torch.testing.assert_close(value, (left * right).sum() / (left.norm() * right.norm()), rtol=1e-12, atol=0)
        assert 0 <= value <= 1
    torch.testing.assert_close(centred_alignment(3 * kernel + 5, y), centred_alignment(kernel, y), rtol=1e-10, atol=0)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 12))
def test_high_alignment_is_necessary_for_a_small_norm(seed: int, size: int) -> None:
    """yᵀ K y · yᵀ K⁻¹ y ≥ ‖y‖⁴."""
    a, y = normal(size, size, seed=seed), normal(size, seed=seed + 1)
    kernel = a @ a.T + 1e-3 * torch.eye(size, dtype=torch.float64)
    assert (y @ kernel @ y) * (y @ torch.linalg.solve(kernel, y)) >= (y @ y) ** 2 * (1 - 1e-8)


def test_eigenpairs() -> None:
    a = normal(30, 40)
    kernel = (a @ a.T).numpy()
    found = eigensystem(kernel, 8)
    assert np.abs(found.vectors.T @ found.vectors - np.eye(8)).max() < 1e-8
    assert np.abs(kernel @ found.vectors - found.vectors * found.values).max() < 1e-6
    assert np.all(np.diff(found.values) < 0)
    np.testing.assert_allclose(found.values, np.linalg.eigvalsh(kernel)[::-1][:8], rtol=1e-12)
    largest = np.abs(found.vectors).argmax(axis=0)
    assert np.all(found.vectors[largest, np.arange(8)] > 0)


def test_matrix_free_eigenpairs_are_the_same() -> None:
    module, x = case("convolutions", count=12)
    flat = jacobian_by_backward(module, x).flatten(end_dim=1)
    exact, free = eigensystem(flat @ flat.T, 4), operator_eigensystem(tangent_operator(module, x), 4)
    np.testing.assert_allclose(free.values, exact.values, rtol=1e-9)
    assert subspace_overlap(free.vectors, exact.vectors) > 1 - 1e-9


def test_nystrom_of_a_tangent_kernel_is_close_to_its_eigenfunctions() -> None:
    """Of 900 points 300 are looked at; the kernel is that of a network of one hidden layer."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = torch.nn.Sequential(torch.nn.Linear(4, 60), torch.nn.ReLU(), torch.nn.Linear(60, 1)).double()
    x = normal(900, 4)
    kernel = TangentKernel(module)
    exact = eigensystem(kernel(x, x), 5)
    some = nystrom(kernel, x, 5, subsample=300, rng=1)
    np.testing.assert_allclose(900 * some.values.numpy(), exact.values, rtol=0.15)
    assert subspace_overlap(some(x).numpy(), exact.vectors) > 0.95
    whole = nystrom(kernel, x, 5)
    np.testing.assert_allclose(900 * whole.values.numpy(), exact.values, rtol=1e-8)
    np.testing.assert_allclose(whole.vectors.abs().numpy(), np.abs(exact.vectors), atol=1e-8)


def test_eigenpairs_from_columns_are_those_of_their_extension() -> None:
    """``C W⁺ Cᵀ`` formed and decomposed; never above the kernel; the whole where all columns are taken."""
    x = normal(120, 3)
    kernel = Laplacian(2.0)
    matrix = kernel(x, x).numpy()
    found = nystrom_eigensystem(kernel, x, 6, 40, rng=None, record={"seed": 5})
    columns = matrix[:, :40]
    whole = eigensystem(columns @ np.linalg.solve(columns[:40], columns.T), 6)
    np.testing.assert_allclose(found.values, whole.values, rtol=1e-9)
    np.testing.assert_allclose(found.vectors, whole.vectors, atol=1e-8)
    assert np.abs(found.vectors.T @ found.vectors - np.eye(6)).max() < 1e-8
    assert found.record == {"method": "nystrom", "subsample": 40, "rng": None, "seed": 5}
    exact = eigensystem(matrix, 6)
    assert np.all(found.values < exact.values)
    other = nystrom_eigensystem(kernel, x, 6, 40, rng=1)
    assert np.all(other.values < exact.values)
    assert not np.allclose(other.values, found.values, rtol=1e-6)
    np.testing.assert_allclose(nystrom_eigensystem(kernel, x, 6, 120).values, exact.values, rtol=1e-9)


def test_eigenpairs_from_columns_say_what_they_need() -> None:
    x = normal(50, 3)
    with pytest.raises(PolygeomError, match="count <= subsample <= 50 rows, got 5 and 4"):
        nystrom_eigensystem(Laplacian(), x, 5, 4)
    with pytest.raises(PolygeomError, match="at most 3, the numerical rank of the columns, got 4"):
        nystrom_eigensystem(Polynomial(1), x, 4, 20)
    with pytest.raises(BudgetError, match="20 kernel columns of 50 rows take 16000 bytes, memory is 15999"):
        nystrom_eigensystem(Laplacian(), x, 5, 20, memory=15_999)


def test_a_tangent_kernel_is_a_kernel_for_regression() -> None:
    module, x = case("convolutions", count=8)
    j = jacobian_by_backward(module, x)
    kernel = TangentKernel(module, (1, 6, 6))
    mean = torch.einsum("ncp,kcp->nk", j, j) / 2
    rows = x.flatten(start_dim=1)
    torch.testing.assert_close(kernel(rows, rows[:3]), mean[:, :3])
    y = normal(8)
    torch.testing.assert_close(solve(kernel, rows, y).weights, torch.linalg.solve(mean, y))


def test_an_eigensystem_is_saved_with_what_made_it(tmp_path) -> None:
    kernel = (lambda a: a @ a.T)(normal(12, 12))
    found = eigensystem(kernel, 5, record={"seed": 42, "model": "mlp"})
    again = Eigensystem.load(found.save(tmp_path / "eigen.npz"))
    assert np.array_equal(again.values, found.values)
    assert np.array_equal(again.vectors, found.vectors)
    assert dict(again.record) == {"method": "eigh", "seed": 42, "model": "mlp"}
    np.savez(tmp_path / "other.npz", values=found.values)
    with pytest.raises(FormatError, match="this file is no polygeom eigensystem"):
        Eigensystem.load(tmp_path / "other.npz")


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("bias", [True, False])
def test_a_linearised_module_is_its_tangent(name: str, bias: bool) -> None:
    module, x = case(name)
    j = jacobian_by_backward(module, x)
    model, d = linearize(module, bias=bias), normal(j.shape[2])
    model.displace(d)
    origin = module(x).detach().reshape(len(x), -1)
    expected = (j @ d + (origin if bias else 0)).reshape(module(x).shape)
    assert (model(x) - expected).abs().max() <= 1e-10 * max(1.0, float(expected.abs().max()))
    own = torch.cat([w.reshape(-1) for w in model.weights().values()])
    start = torch.cat([w.detach().reshape(-1) for w in module.parameters() if w.requires_grad])
    torch.testing.assert_close(own, start + d)


@pytest.mark.parametrize("name", ["ccp", "polynomial", "coefficients", "attention"])
def test_the_error_of_the_tangent_is_quadratic(name: str) -> None:
    module, x = case(name)
    d = normal(sum(p.numel() for p in module.parameters()))
    steps, errors = np.logspace(-4, -2, 7), []
    weights = {n: w.detach().clone() for n, w in module.named_parameters()}
    for step in steps:
        model = linearize(module)
        model.displace(step * d)
        moved = torch.func.functional_call(module, model.weights(), (x,))
        errors.append(float((moved - model(x)).detach().norm()))
    assert all(torch.equal(w, weights[n]) for n, w in module.named_parameters())
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert abs(slope - 2) < 0.1


@pytest.mark.thorough
def test_kernel_regression_is_training_for_infinite_time() -> None:
    module, x = case("ccp", count=6)
    train_x, test_x = x[:3], x[3:]
    y = normal(3, 2, seed=9)
    model = LinearisedModule(module)
    j, jt = (
        jacobian_by_backward(module, train_x).flatten(end_dim=1),
        jacobian_by_backward(module, test_x).flatten(end_dim=1),
    )
    kernel = j @ j.T
    rate = 0.9 * y.numel() / float(torch.linalg.eigvalsh(kernel)[-1])
    start, at_test = module(train_x).detach(), module(test_x).detach()
    solution = kernel_regression(kernel, y.reshape(-1), start=start.reshape(-1))
    expected = solution.predict(jt @ j.T, at_test.reshape(-1)).reshape(3, 2)
    scheme = TrainingSettings(steps=20_000, optimiser="sgd", learning_rate=rate, momentum=0.95, record_every=500)
    done = train(model, train_x, y, scheme, stop=lambda row: row["loss"] < 1e-22)
    assert done.loss < 1e-15
    assert (model(test_x) - expected).abs().max() < 1e-6
    assert (model(train_x) - y).abs().max() < 1e-6
    assert solution.condition == pytest.approx(float(torch.linalg.cond(kernel)), rel=1e-6)


def test_gradient_flow_is_the_limit_of_small_steps_and_ends_at_regression() -> None:
    a, y = normal(6, 8), normal(6, 2, seed=1)
    kernel, cross = a @ a.T, normal(3, 8, seed=2) @ a.T
    start = normal(6, 2, seed=3)
    times = torch.tensor([0.0, 0.3, 1.0])
    flow = gradient_flow(kernel, y, times, start=start)
    steps = 5_000
    value = start.clone()
    for _ in range(steps):
        value -= kernel @ (value - y) / 6 / steps
    assert (flow[2] + start - value).abs().max() < 1e-3
    end = gradient_flow(kernel, y, torch.tensor([1e9]), start=start, test_kernel=cross)[0]
    torch.testing.assert_close(end, kernel_regression(kernel, y, start=start).predict(cross), rtol=1e-6, atol=1e-8)
    singular = gradient_flow(torch.zeros(2, 2, dtype=torch.float64), y[:2], times, test_kernel=torch.eye(2).double())
    torch.testing.assert_close(singular[1], 0.3 / 2 * y[:2], rtol=1e-6, atol=0)


def test_bad_arguments_are_explained() -> None:
    module, x = case("perceptron")
    kernel = torch.eye(3, dtype=torch.float64)
    with pytest.raises(PolygeomError, match="targets must not be zero"):
        alignment(module, x, torch.zeros(7, 2))
    with pytest.raises(PolygeomError, match=r"targets must have shape \(7, 2\)"):
        alignment(module, x, torch.zeros(7))
    with pytest.raises(PolygeomError, match="first must be between 1 and 7, got 0"):
        split_alignment(module, x, torch.ones(7, 2), 0)
    with pytest.raises(PolygeomError, match="targets must not be constant"):
        centred_alignment(kernel, torch.ones(3).double())
    with pytest.raises(PolygeomError, match=r"kernel must have shape \(M, M\)"):
        rayleigh(kernel, torch.ones(4).double())
    with pytest.raises(PolygeomError, match="kernel must be positive definite"):
        kernel_regression(torch.ones(3, 3).double(), torch.ones(3))
    with pytest.raises(PolygeomError, match=r"kernel must have shape \(n, n\)"):
        kernel_regression(kernel[:2], torch.ones(3))
    with pytest.raises(PolygeomError, match="targets must be as many as rows of the kernel, got 4 and 3"):
        kernel_regression(kernel, torch.ones(4))
    with pytest.raises(PolygeomError, match="kernel must be a symmetric matrix"):
        eigensystem(np.triu(np.ones((3, 3))))
    with pytest.raises(PolygeomError, match="count must be between 1 and 3, got 4"):
        eigensystem(kernel, 4)
    with pytest.raises(PolygeomError, match="direction must have shape"):
        tangent_operator(module, x).product(torch.zeros(3))
    with pytest.raises(PolygeomError, match="batch must be at least 1"):
        tangent_operator(module, x, batch=0)
    with pytest.raises(PolygeomError, match="bases must have equal shapes"):
        subspace_overlap(np.eye(2), np.eye(3))
