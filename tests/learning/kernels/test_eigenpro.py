from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="kernel machines need the extra learn")

from polygeom.errors import BudgetError, PolygeomError  # noqa: E402
from polygeom.learning.kernels import Laplacian, Polynomial, eigenpro, solve  # noqa: E402
from polygeom.learning.kernels.kernels import gram  # noqa: E402
from polygeom.learning.kernels.preconditioning import (  # noqa: E402
    StepError,
    precondition,
)


def rows(rng: np.random.Generator, count: int, dimension: int = 4) -> torch.Tensor:
    return torch.from_numpy(rng.standard_normal((count, dimension)))


def damping_matrix(damped) -> torch.Tensor:
    """P of the module's docstring on functions Σ w_i k(x_i, .), when the subsample is everything."""
    values, vectors = np.linalg.eigh(gram(damped.kernel, damped.centres).numpy() / len(damped.centres))
    order = np.argsort(values)[::-1][: len(damped.values)]
    factors = 1 - (damped.level / values[order]) ** damped.alpha
    return torch.from_numpy(np.eye(len(values)) - vectors[:, order] @ np.diag(factors) @ vectors[:, order].T)


def test_damping_lowers_the_spectrum_as_promised(rng) -> None:
    x = rows(rng, 60)
    damped = precondition(Laplacian(3.0), x, top=8)
    matrix = gram(Laplacian(3.0), damped.centres)
    values = torch.linalg.eigvalsh(matrix).flip(0) / 60
    np.testing.assert_allclose(damped.values, values[:7])
    assert damped.level == pytest.approx(float(values[7]))
    left = torch.linalg.eigvals(damping_matrix(damped) @ matrix / 60).real.sort(descending=True).values
    assert float(left[0]) == pytest.approx(damped.top, rel=1e-9)
    assert damped.top < float(values[0]) / 3
    np.testing.assert_allclose(left[8:], values[8:], rtol=1e-8)


def test_beta_is_the_largest_value_on_the_damped_diagonal(rng) -> None:
    x = rows(rng, 60)
    damped = precondition(Laplacian(3.0), x, top=8)
    matrix = gram(Laplacian(3.0), damped.centres)
    dense = (damping_matrix(damped) @ matrix).diagonal()
    np.testing.assert_allclose(damped.damped_diagonal(damped.centres), dense, rtol=1e-8)
    assert damped.beta == pytest.approx(float(dense.max()), rel=1e-9)
    legacy = precondition(Laplacian(3.0), x, top=8, legacy_step=True)
    assert legacy.beta == pytest.approx(float((1 - damped.vectors.square().sum(1)).max()), rel=1e-9)
    assert legacy.beta > damped.beta


def test_the_maximum_runs_over_rows_outside_of_the_subsample(rng) -> None:
    x = rows(rng, 60)
    x[0] *= 20
    damped = precondition(Laplacian(3.0), x, subsample=20, top=4, rng=3)
    assert 0 not in damped.indices
    assert damped.beta == pytest.approx(float(damped.damped_diagonal(x[:1])), rel=1e-12)
    assert damped.beta > 0.99


def test_one_pass_with_one_batch_is_one_damped_gradient_step(rng) -> None:
    x, y = rows(rng, 40), torch.from_numpy(rng.standard_normal((40, 2)))
    machine = eigenpro(Laplacian(3.0), x, y, epochs=1, top=6, batch_size=40)
    damped = precondition(Laplacian(3.0), x, top=6, rng=torch.Generator().manual_seed(0))
    position = torch.empty(40, dtype=torch.int64).scatter_(0, damped.indices, torch.arange(40))
    by_row = damping_matrix(damped)[position][:, position]
    np.testing.assert_allclose(machine.weights, damped.step(40) / 40 * by_row @ y, rtol=1e-9, atol=1e-12)
    assert float(machine.table["train_mse"][0]) == pytest.approx(float(y.square().mean()))


def test_steps_below_and_above_the_critical_batch() -> None:
    damped = precondition(Laplacian(), torch.randn(50, 3, generator=torch.Generator().manual_seed(0)).double(), top=5)
    critical = damped.critical_batch
    assert damped.step(3) == pytest.approx(3 / damped.beta)
    large = 10 * critical
    assert damped.step(large) == pytest.approx(1.98 * large / (damped.beta + (large - 1) * damped.top))
    assert damped.step(large) < 2 / damped.top


@pytest.mark.parametrize("columns", [None, 3])
@pytest.mark.parametrize("subsample", [None, 60])
def test_it_converges_to_the_exact_solution(columns, subsample, rng) -> None:
    x, z = rows(rng, 150), rows(rng, 30)
    y = torch.from_numpy(rng.standard_normal((150,) if columns is None else (150, columns)))
    exact = solve(Laplacian(3.0), x, y).predict(z)
    machine = eigenpro(Laplacian(3.0), x, y, epochs=200, subsample=subsample)
    assert machine.method == "eigenpro"
    np.testing.assert_allclose(machine.predict(z), exact, atol=1e-3)
    assert machine.table["step"].nunique() == 1


def digits_problem(count: int = 1000):
    pytest.importorskip("sklearn")
    from polygeom.datasets import normalise, train_and_test

    train, test = train_and_test("digits", count, 1797 - count)
    x, z = (torch.from_numpy(part) for part in normalise(train.rows(), test.rows(), centre=False))
    return x, torch.from_numpy(train.one_hot()), z, torch.from_numpy(test.labels)


@pytest.mark.slow
def test_the_right_step_is_a_thousand_times_better_than_the_published_one_on_digits() -> None:
    x, y, z, labels = digits_problem()
    kernel = Laplacian(10.0)
    exact = solve(kernel, x, y, condition=False)
    right = eigenpro(kernel, x, y, epochs=30, top=40)
    legacy = eigenpro(kernel, x, y, epochs=30, top=40, legacy_step=True)
    assert float((right.predict(z) - exact.predict(z)).abs().max()) < 1e-3
    assert legacy.mse(x, y) > 1e3 * right.mse(x, y)
    assert right.error(z, labels) == exact.error(z, labels)


def test_memory_decides_the_batch_not_the_answer(rng) -> None:
    x = rows(rng, 150)
    y = torch.sin(x[:, 0])
    budget = 150 * 8 * 3 * 20
    small = eigenpro(Laplacian(3.0), x, y, epochs=5, top=5, memory=budget)
    assert small.table["batch"].max() <= 20
    same = eigenpro(Laplacian(3.0), x, y, epochs=5, top=5, batch_size=int(small.table["batch"][0]))
    torch.testing.assert_close(small.weights, same.weights, rtol=1e-9, atol=1e-12)
    with pytest.raises(BudgetError, match="one row of 150 kernel values"):
        eigenpro(Laplacian(3.0), x, y, memory=100)
    with pytest.raises(BudgetError, match="batch_size must be between 1 and 20"):
        eigenpro(Laplacian(3.0), x, y, batch_size=21, memory=budget)


def test_kernel_values_never_exceed_the_memory_allowed(rng) -> None:
    x = rows(rng, 150)
    largest = []

    def kernel(a, b):
        largest.append(len(a) * len(b) * 8)
        return Laplacian(3.0)(a, b)

    budget = 150 * 8 * 3 * 20
    eigenpro(kernel, x, x[:, 0], epochs=2, subsample=40, memory=budget)
    assert max(largest) <= budget / 3


def test_the_same_seed_gives_the_same_weights_and_no_global_state_is_touched(rng) -> None:
    x = rows(rng, 80)
    torch.manual_seed(5)
    before, legacy = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = eigenpro(Laplacian(), x, x[:, 0], epochs=3, subsample=30, batch_size=10, rng=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], legacy)  # noqa: NPY002
    again = eigenpro(Laplacian(), x, x[:, 0], epochs=3, subsample=30, batch_size=10, rng=1)
    other = eigenpro(Laplacian(), x, x[:, 0], epochs=3, subsample=30, batch_size=10, rng=2)
    assert torch.equal(first.weights, again.weights)
    assert not torch.equal(first.weights, other.weights)


def test_an_overshoot_is_taken_back_and_the_step_halved(rng) -> None:
    x = rows(rng, 100)
    machine = eigenpro(Laplacian(3.0), x, x[:, 0], epochs=60, step_factor=40.0)
    steps = machine.table["step"].to_numpy()
    assert steps[-1] <= steps[0]
    damped = precondition(Laplacian(3.0), x, rng=torch.Generator().manual_seed(0))
    batch = int(machine.table["batch"][0])
    assert steps[-1] < 40 * damped.step(batch) / batch
    assert machine.mse(x, x[:, 0]) < 1e-3


def test_hopeless_steps_end_with_an_error(rng) -> None:
    x = rows(rng, 60)
    with pytest.raises(StepError, match=r"diverges even with a step of .*step_factor"):
        eigenpro(Laplacian(3.0), x, x[:, 0], step_factor=1e9)


def test_metrics_tolerance_and_recording(rng) -> None:
    x = rows(rng, 100)
    y = x[:, 0]
    machine = eigenpro(
        Laplacian(3.0), x, y, epochs=100, tolerance=1e-5, record_every=3, metrics={"true_mse": lambda m: m.mse(x, y)}
    )
    table = machine.table
    assert list(table.columns) == ["epoch", "train_mse", "step", "batch", "seconds", "true_mse"]
    assert (table["epoch"][:-1] % 3 == 0).all()
    assert table["train_mse"].iloc[-1] < 1e-5
    assert (table["train_mse"][:-1] >= 1e-5).all()
    assert table["true_mse"].iloc[-1] == machine.mse(x, y)


def test_the_number_of_damped_vectors_follows_the_batch(rng) -> None:
    x = rows(rng, 200)
    many, few = (precondition(Laplacian(3.0), x, subsample=100, largest_batch=b) for b in (None, 1))
    values = torch.linalg.eigvalsh(gram(Laplacian(3.0), many.centres)).flip(0) / 100
    assert len(many.values) == int((values**-0.95 < 100).sum()) - 2
    assert len(few.values) == max(5, int((values**-0.95 < 20).sum()) - 1) - 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": 0}, "epochs and record_every must be at least 1"),
        ({"subsample": 100}, "subsample must be between 3 and the number of rows, 20"),
        ({"alpha": 0.0}, r"alpha must be in \(0, 1\]"),
        ({"top": 4}, "top must be between 1 and the numerical rank of the subsample, 3"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, message, rng) -> None:
    x = rows(rng, 20, 3)
    with pytest.raises(PolygeomError, match=message):
        eigenpro(Polynomial(1), x, x[:, 0], **arguments)


def test_finite_rank_kernels_work_too(rng) -> None:
    x = rows(rng, 100, 3)
    y = 1 + x[:, 0] * x[:, 1]
    machine = eigenpro(Polynomial(2, 1.0), x, y, epochs=300)
    assert machine.mse(x, y) < 1e-6
