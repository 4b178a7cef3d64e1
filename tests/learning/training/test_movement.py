"""Norms and distances of weights and kernels: against flat vectors, autograd and formulas."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.training import movement  # noqa: E402
from polygeom.learning.training.loop import train  # noqa: E402
from polygeom.learning.training.settings import TrainingSettings  # noqa: E402
from polygeom.network import parse  # noqa: E402

METRICS = {"weight_norm": movement.weight_norm, "gradient_norm": movement.gradient_norm}


def problem(seed: int = 0) -> tuple[torch.nn.Module, torch.Tensor, torch.Tensor]:
    x = torch.randn(30, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return parse("[2,4,1] r=2").to_torch(rng=seed), x, x[:, :1] * x[:, 1:] + 0.1


def flat(weights: dict[str, torch.Tensor]) -> np.ndarray:
    return np.concatenate([value.numpy().ravel() for value in weights.values()])


def test_distances_are_those_of_flat_vectors() -> None:
    first, second = (movement.weights_of(problem(seed)[0]) for seed in (1, 2))
    v, w = flat(first), flat(second)
    assert movement.weight_norm(problem(1)[0]) == pytest.approx(np.linalg.norm(v))
    assert movement.squared_weight_distance(first, second) == pytest.approx(((v - w) ** 2).sum())
    cosine = v @ w / np.linalg.norm(v) / np.linalg.norm(w)
    assert movement.weight_cosine_distance(first, second) == pytest.approx(1 - cosine)
    assert movement.weight_cosine_distance(first, first) == pytest.approx(0, abs=1e-15)


def test_the_distance_of_kernels_is_a_trace_formula_and_sees_no_scale(rng: np.random.Generator) -> None:
    a, b = (rng.standard_normal((6, 9)) for _ in range(2))
    k, m = a @ a.T, b @ b.T
    expected = 1 - np.trace(k @ m.T) / np.sqrt(np.trace(k @ k.T) * np.trace(m @ m.T))
    found = movement.kernel_cosine_distance(torch.tensor(k), torch.tensor(7 * m))
    assert found == pytest.approx(expected)
    assert 0 < found < 1


def test_copies_of_weights_do_not_follow_the_module() -> None:
    module, x, y = problem()
    module.W1.requires_grad_(False)
    before = movement.weights_of(module)
    assert list(before) == ["W2"]
    train(module, x, y, TrainingSettings(steps=3, learning_rate=0.1))
    assert movement.squared_weight_distance(before, movement.weights_of(module)) > 0
    assert movement.weight_norm(module) == pytest.approx(float(module.W2.detach().norm()))


@pytest.mark.parametrize("batch_size", [None, 7])
def test_norms_are_recorded_at_the_weights_of_their_row(batch_size: int | None) -> None:
    module, x, y = problem()
    settings = TrainingSettings(
        steps=6, optimiser="sgd", learning_rate=0.01, batch_size=batch_size, order="sequential", record_every=2
    )
    table = train(module, x, y, settings, metrics=METRICS).table
    again = problem()[0]
    parameters = list(again.parameters())
    for step in range(7):
        batch = slice(None) if batch_size is None else slice(7 * (step % 5), 7 * (step % 5) + 7)
        slopes = torch.autograd.grad((again(x[batch]) - y[batch]).square().mean(), parameters)
        if step % 2 == 0:
            row = table[table["step"] == step].iloc[0]
            assert row["gradient_norm"] == pytest.approx(float(sum(g.square().sum() for g in slopes)) ** 0.5)
            assert row["weight_norm"] == pytest.approx(np.linalg.norm(flat(movement.weights_of(again))))
        with torch.no_grad():
            for w, g in zip(parameters, slopes, strict=True):
                w -= 0.01 * g


def test_weights_are_projected_onto_the_ball_after_every_step() -> None:
    """By hand: a step of gradient descent, then the nearest point of the ball."""
    module, x, y = problem()
    radius = 0.9 * movement.weight_norm(module)
    expected = movement.weights_of(module)
    for _ in range(4):
        held = {name: value.requires_grad_() for name, value in expected.items()}
        value = (torch.func.functional_call(module, held, (x,)) - y).square().mean()
        slopes = torch.autograd.grad(value, list(held.values()))
        expected = {name: (w - 0.02 * g).detach() for (name, w), g in zip(held.items(), slopes, strict=True)}
        length = np.linalg.norm(flat(expected))
        expected = {name: w * min(1.0, radius / length) for name, w in expected.items()}
    settings = TrainingSettings(
        steps=4, optimiser="sgd", learning_rate=0.02, max_weight_norm=float(radius), record_every=1
    )
    table = train(module, x, y, settings, metrics=METRICS).table
    assert movement.squared_weight_distance(movement.weights_of(module), expected) < 1e-24
    assert (table["weight_norm"][1:] <= radius * (1 + 1e-12)).all()
    assert table["weight_norm"][0] > radius


def test_a_ball_that_is_large_enough_changes_nothing() -> None:
    ends = []
    for most in (None, 1e3):
        module, x, y = problem()
        train(module, x, y, TrainingSettings(steps=20, max_weight_norm=most))
        ends.append(movement.weights_of(module))
    assert movement.squared_weight_distance(*ends) == 0


def test_what_cannot_be_compared() -> None:
    module, _, _ = problem()
    weights = movement.weights_of(module)
    with pytest.raises(PolygeomError, match=r"module must hold a gradient; call backward\(\)"):
        movement.gradient_norm(module)
    with pytest.raises(PolygeomError, match=r"both must have the same shapes.*'W1'"):
        movement.squared_weight_distance(weights, {"W1": weights["W1"]})
    with pytest.raises(PolygeomError, match="neither of the two may be zero"):
        movement.weight_cosine_distance(weights, {name: 0 * w for name, w in weights.items()})
    with pytest.raises(PolygeomError, match="same shapes"):
        movement.kernel_cosine_distance(torch.eye(2), torch.eye(3))
