"""Training: against hand-written loops, across interruptions, and when it goes wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.training.batches import Batches  # noqa: E402
from polygeom.learning.training.least_squares import levenberg_marquardt  # noqa: E402
from polygeom.learning.training.loop import DivergenceError, train  # noqa: E402
from polygeom.learning.training.settings import TrainingSettings  # noqa: E402
from polygeom.network import parse  # noqa: E402


def problem(seed: int = 0) -> tuple[torch.nn.Module, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(30, 2, generator=generator, dtype=torch.float64)
    return parse("[2,4,1] r=2").to_torch(rng=seed), x, x[:, :1] * x[:, 1:] + 0.1


def weights(module: torch.nn.Module) -> torch.Tensor:
    return torch.cat([value.detach().reshape(-1) for value in module.parameters()])


def test_full_batch_gradient_descent_is_the_formula() -> None:
    module, x, y = problem()
    expected = {name: value.detach().clone() for name, value in module.named_parameters()}
    losses = []
    for step in range(5):
        held = {name: value.requires_grad_() for name, value in expected.items()}
        value = (torch.func.functional_call(module, held, (x,)) - y).square().mean()
        losses.append(value.item())
        slopes = torch.autograd.grad(value, list(held.values()))
        rate = 0.05 * (1 - step / 5)
        expected = {name: (w - rate * g).detach() for (name, w), g in zip(held.items(), slopes, strict=True)}
    settings = TrainingSettings(steps=5, optimiser="sgd", learning_rate=0.05, schedule="linear", record_every=1)
    result = train(module, x, y, settings)
    assert result.table["step"].tolist() == [0, 1, 2, 3, 4, 5]
    assert result.table["loss"].tolist()[:5] == pytest.approx(losses, rel=1e-12)
    assert all(torch.allclose(value, expected[name], rtol=1e-12) for name, value in module.named_parameters())
    assert (result.steps, result.status) == (5, "finished")


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd", "adadelta", "rmsprop"])
def test_every_optimiser_lowers_the_loss(optimiser: str) -> None:
    module, x, y = problem()
    rate = {"sgd": 0.02, "adadelta": 1.0}.get(optimiser, 0.01)
    settings = TrainingSettings(steps=150, optimiser=optimiser, learning_rate=rate, batch_size=7, weight_decay=1e-6)
    table = train(module, x, y, settings).table
    assert table["loss"].iloc[-1] < 0.5 * table["loss"].iloc[0]


def test_step_schedule() -> None:
    settings = TrainingSettings(steps=10, learning_rate=1.0, schedule="step", step_size=4, gamma=0.1)
    assert [settings.rate(step) for step in (0, 3, 4, 8)] == pytest.approx([1, 1, 0.1, 0.01])


def rates_of_torch(steps: int, make) -> list[float]:
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    scheduler = make(optimiser)
    rates = []
    for _ in range(steps):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(("steps", "warmup"), [(20, 0.4), (20, 0.25), (100, 0.9)])
def test_a_cycle_is_the_linear_one_of_torch(steps: int, warmup: float) -> None:
    """Torch's turns after ``pct_start · total_steps - 1`` steps and ends at step ``total_steps - 1``."""

    def cycle(optimiser: torch.optim.Optimizer) -> torch.optim.lr_scheduler.OneCycleLR:
        return torch.optim.lr_scheduler.OneCycleLR(
            optimiser, 0.3, total_steps=steps + 1, pct_start=(warmup * steps + 1) / (steps + 1),
            anneal_strategy="linear", cycle_momentum=False, div_factor=1e15, final_div_factor=1e15,
        )  # fmt: skip

    settings = TrainingSettings(steps=steps, learning_rate=0.3, schedule="cyclic", warmup=warmup)
    assert [settings.rate(step) for step in range(steps)] == pytest.approx(rates_of_torch(steps, cycle), abs=1e-12)
    assert max(map(settings.rate, range(steps))) == pytest.approx(0.3)


def test_pieces_are_those_of_torch() -> None:
    settings = TrainingSettings(steps=12, learning_rate=0.3, schedule="piecewise", milestones=(3, 4, 9), gamma=0.1)
    expected = rates_of_torch(12, lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [3, 4, 9], gamma=0.1))
    assert [settings.rate(step) for step in range(12)] == pytest.approx(expected)
    assert TrainingSettings(**{**settings.as_dict(), "milestones": [3, 4, 9]}) == settings


def test_a_cycle_without_warm_up_is_linear() -> None:
    cyclic, linear = (TrainingSettings(steps=9, schedule=name, warmup=0.0) for name in ("cyclic", "linear"))
    assert [cyclic.rate(step) for step in range(9)] == pytest.approx([linear.rate(step) for step in range(9)])


def test_the_schedule_reaches_the_weights() -> None:
    """With a gradient of one everywhere, weights move by the sum of the rates."""
    module = torch.nn.Linear(1, 1, bias=False, dtype=torch.float64)
    before = module.weight.item()
    settings = TrainingSettings(steps=10, optimiser="sgd", learning_rate=0.3, schedule="cyclic")
    one = torch.ones(4, 1, dtype=torch.float64)
    train(module, one, one, settings, loss=lambda outputs, _: outputs.mean())
    assert before - module.weight.item() == pytest.approx(sum(map(settings.rate, range(10))))


def test_orders_of_samples() -> None:
    def epochs(order: str, seed: int = 3) -> list[list[int]]:
        batches = Batches(7, TrainingSettings(steps=1, batch_size=3, order=order), seed)
        drawn = [[batches.next().tolist() for _ in range(3)] for _ in range(2)]
        assert [[len(batch) for batch in epoch] for epoch in drawn] == [[3, 3, 1]] * 2
        return [[index for batch in epoch for index in batch] for epoch in drawn]

    assert epochs("sequential") == [list(range(7))] * 2
    first, second = epochs("fixed")
    assert first == second != list(range(7))
    first, second = epochs("reshuffle")
    assert first != second
    assert sorted(first) == sorted(second) == list(range(7))
    assert epochs("reshuffle") == [first, second]
    assert epochs("reshuffle", 4) != [first, second]


def test_the_same_seed_gives_the_same_table_and_leaves_the_global_generator_alone() -> None:
    settings = TrainingSettings(steps=40, batch_size=4, record_every=7)
    before = torch.get_rng_state()
    runs = []
    for _ in range(2):
        module, x, y = problem()
        module = torch.nn.Sequential(module, torch.nn.Dropout(0.5))
        runs.append((train(module, x, y, settings, rng=5).table, weights(module)))
    assert runs[0][0].equals(runs[1][0])
    assert torch.equal(runs[0][1], runs[1][1])
    assert torch.equal(before, torch.get_rng_state())


class Killed(Exception):
    pass


@pytest.mark.parametrize("batch_size", [None, 4])
@pytest.mark.parametrize("killed_at", [5, 20, 33])
def test_an_interrupted_training_goes_on_exactly(tmp_path: Path, batch_size: int | None, killed_at: int) -> None:
    settings = TrainingSettings(steps=40, batch_size=batch_size, record_every=3, schedule="linear", learning_rate=0.01)
    calls = 0

    class Fragile(torch.nn.Module):
        def __init__(self, inner: torch.nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, points: torch.Tensor) -> torch.Tensor:
            nonlocal calls
            calls += self.training
            if self.training and calls == killed_at:
                raise Killed
            return self.inner(points)

    def fresh() -> torch.nn.Module:
        return Fragile(problem()[0])

    _, x, y = problem()
    metrics = {"norm": lambda m: float(weights(m).norm())}
    untouched = fresh()
    killed_at, late = 0, killed_at
    whole = train(untouched, x, y, settings, metrics=metrics, rng=2)
    calls, killed_at = 0, late
    path = tmp_path / "training.checkpoint"
    options = {"metrics": metrics, "checkpoint": path, "checkpoint_every": 4, "rng": 2}
    with pytest.raises(Killed):
        train(fresh(), x, y, settings, **options)
    module = fresh()
    again = train(module, x, y, settings, **options)
    assert again.table.equals(whole.table)
    assert torch.equal(weights(module), weights(untouched))
    assert train(fresh(), x, y, settings, **options).table.equals(whole.table)
    assert train(module, x, y, settings, **options).table.equals(whole.table)  # from the state that it holds


def test_early_stop() -> None:
    module, x, y = problem()
    settings = TrainingSettings(steps=2000, learning_rate=0.02, record_every=10)
    result = train(module, x, y, settings, stop=lambda row: row["loss"] < 0.05)
    assert result.status == "stopped"
    assert result.loss < 0.05 <= result.table["loss"].iloc[-2]
    assert result.steps == result.table["step"].iloc[-1] < 2000


@pytest.mark.parametrize("batch_size", [None, 8])
def test_divergence_gives_back_the_last_good_weights(batch_size: int | None) -> None:
    module, x, y = problem()
    settings = TrainingSettings(steps=200, optimiser="sgd", learning_rate=3.0, batch_size=batch_size, record_every=1)
    with pytest.raises(DivergenceError, match=r"training diverged.*learning rate 3; lower learning_rate") as caught:
        train(module, x, y, settings)
    module.load_state_dict(caught.value.state)
    assert torch.isfinite(weights(module)).all()
    assert torch.isfinite((module(x) - y).square().mean())
    assert 0 < caught.value.step < 200


def test_progress_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    module, x, y = problem()
    train(module, x, y, TrainingSettings(steps=3), progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "training" in err
    assert "3/3" in err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimiser": "lion"}, "optimiser must be one of adam, adamw, sgd, adadelta, rmsprop, lbfgs, got 'lion'"),
        ({"steps": -1}, "steps must be an integer of at least 0"),
        ({"batch_size": 0}, "batch_size must be an integer of at least 1, got 0"),
        ({"learning_rate": float("nan")}, "learning_rate must be a finite number"),
        ({"momentum": 0.9}, "momentum has no effect with optimiser='adam'"),
        ({"optimiser": "lbfgs", "batch_size": 4}, "batch_size must be left out with optimiser='lbfgs'"),
        ({"nesterov": True}, "nesterov needs optimiser='sgd' and momentum > 0"),
        ({"schedule": "wave"}, "schedule must be one of constant, linear, cosine, step, piecewise, cyclic, got"),
        ({"schedule": "piecewise"}, r"milestones belong to schedule='piecewise'.*got \(\) with 'piecewise'"),
        ({"milestones": (3,)}, r"got \(3,\) with 'constant'; write schedule='piecewise', milestones="),
        ({"schedule": "piecewise", "milestones": (5, 5)}, r"milestones must be increasing.*got \(5, 5\)"),
        ({"schedule": "piecewise", "milestones": (0.5,)}, "milestones must be increasing numbers of steps"),
        ({"schedule": "cyclic", "warmup": 1.0}, "warmup must be a fraction of the steps, at least 0 and below 1"),
        ({"max_weight_norm": 0.0}, "max_weight_norm must be a finite number above 0, or None, got 0.0"),
    ],
)
def test_settings_that_make_no_sense(options: dict[str, object], message: str) -> None:
    with pytest.raises(PolygeomError, match=message):
        TrainingSettings(**{"steps": 1, **options})


def test_data_that_makes_no_sense() -> None:
    module, x, y = problem()
    with pytest.raises(PolygeomError, match="targets must be as many as inputs, got 29 and 30"):
        train(module, x, y[1:], TrainingSettings(steps=1))
    with pytest.raises(PolygeomError, match="loss must be a function or one of mse"):
        train(module, x, y, TrainingSettings(steps=1), loss="msa")


def test_least_squares_solves_a_linear_problem_like_numpy(rng: np.random.Generator) -> None:
    x, y = rng.standard_normal((12, 3)), rng.standard_normal((12, 2))
    module = parse("[3,2] r=1").to_torch(rng=1)
    result = levenberg_marquardt(module, torch.tensor(x), torch.tensor(y))
    best = np.linalg.lstsq(x, y, rcond=None)[0]
    assert np.allclose(module.W1.detach().numpy(), best.T, atol=1e-10)
    assert result.status == "converged"
    assert result.table["gradient"].iloc[-1] < 1e-8


def test_least_squares_agrees_with_scipy_at_a_minimum(rng: np.random.Generator) -> None:
    import scipy.optimize

    x, y = torch.tensor(rng.standard_normal((40, 2))), torch.tensor(rng.standard_normal((40, 1)))
    module = parse("[2,2,1] r=3").to_torch(rng=3)
    shapes = module.network.parameters

    def residuals(vector: np.ndarray) -> np.ndarray:
        parts = np.split(vector, np.cumsum([np.prod(shape) for shape in shapes.values()])[:-1])
        module.set_weights({name: part.reshape(shapes[name]) for name, part in zip(shapes, parts, strict=True)})
        return (module(x) - y).detach().numpy().ravel()

    start = weights(module).numpy().copy()
    oracle = scipy.optimize.least_squares(residuals, start, xtol=1e-15, ftol=1e-15, gtol=1e-15)
    residuals(start)
    result = levenberg_marquardt(module, x, y, steps=2000)
    assert result.loss <= 2 * oracle.cost / 40 * (1 + 1e-6)
    assert result.table["loss"].is_monotonic_decreasing


@pytest.mark.parametrize("hidden", [7, 20])
def test_least_squares_reaches_machine_zero_in_both_forms(hidden: int) -> None:
    """15 samples of a quadratic form in 5 variables: with 7 hidden neurons 42 weights; a filling network fits all."""
    generator = torch.Generator().manual_seed(hidden)
    x = torch.randn(14, 5, generator=generator, dtype=torch.float64)
    y = torch.randn(14, 1, generator=generator, dtype=torch.float64)
    for count in (14, 200):  # dual, primal
        inputs = x.repeat(count // 14 + 1, 1)[:count]
        targets = y.repeat(count // 14 + 1, 1)[:count]
        module = parse(f"[5,{hidden},1] r=2").to_torch(rng=1)
        assert levenberg_marquardt(module, inputs, targets, steps=1000).loss < 1e-18


def test_least_squares_refuses_what_it_cannot_do() -> None:
    module, x, y = problem()
    with pytest.raises(PolygeomError, match="all of float64"):
        levenberg_marquardt(module.float(), x.float(), y.float())
    with pytest.raises(PolygeomError, match=r"targets must have shape \(30, 1\), .* got \(30, 2\)"):
        levenberg_marquardt(module.double(), x, y.repeat(1, 2))
    with pytest.raises(PolygeomError, match="targets must be finite"):
        levenberg_marquardt(module, x, y * float("inf"))
    with pytest.raises(DivergenceError):
        levenberg_marquardt(module, x, y * 1e200)
