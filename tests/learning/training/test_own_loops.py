"""Training as torch users do it: loaders, own optimisers and schedules, validation data, mixed precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset  # noqa: E402

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.training.loop import train  # noqa: E402
from polygeom.learning.training.settings import TrainingSettings  # noqa: E402
from polygeom.network import parse  # noqa: E402


def problem(count: int = 30) -> tuple[Any, Any, Any]:
    x = torch.randn(count, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return parse("[2,4,1] r=2").to_torch(rng=0), x, x[:, :1] * x[:, 1:] + 0.1


def weights(module: Any) -> Any:
    return torch.cat([value.detach().reshape(-1) for value in module.parameters()])


class Noisy(Dataset):  # type: ignore[type-arg]
    """Samples that are altered at random whenever they are read."""

    def __init__(self, x: Any, y: Any) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, i: int) -> Any:
        return self.x[i] + 0.01 * torch.randn(self.x.shape[1], dtype=self.x.dtype), self.y[i]


def test_a_dataset_is_its_arrays() -> None:
    settings = TrainingSettings(steps=20, batch_size=7, record_every=5)
    found = []
    for data in ((TensorDataset(*problem()[1:]), None), problem()[1:]):
        module = problem()[0]
        table = train(module, *data, settings, rng=3).table
        found.append((weights(module), table))
    assert torch.equal(found[0][0], found[1][0])
    assert found[0][1].equals(found[1][1])


def test_a_loader_is_read_as_torch_users_read_it() -> None:
    module, x, y = problem()
    loader = DataLoader(TensorDataset(x, y), batch_size=8, shuffle=True, generator=torch.Generator().manual_seed(5))
    own, _, _ = problem()
    optimiser = torch.optim.Adam(own.parameters(), lr=0.01)
    for _ in range(3):
        for batch, truth in loader:
            optimiser.zero_grad()
            (own(batch) - truth).square().mean().backward()
            optimiser.step()
    loader.generator.manual_seed(5)
    result = train(module, loader, settings=TrainingSettings(steps=12, learning_rate=0.01))
    assert result.steps == 12
    assert torch.equal(weights(module), weights(own))


@pytest.mark.parametrize("kind", ["loader", "dataset"])
def test_random_samples_survive_an_interruption(kind: str, tmp_path: Path) -> None:
    def data() -> Any:
        noisy = Noisy(*problem()[1:])
        return DataLoader(noisy, batch_size=8, shuffle=True) if kind == "loader" else noisy

    def run(module: Any, steps: int, file: str) -> Any:
        settings = TrainingSettings(steps=steps, batch_size=None if kind == "loader" else 8, record_every=3)
        own = {"optimiser": lambda w: torch.optim.RMSprop(w, lr=0.01), "validation": problem()[1:], "keep": "last"}
        return train(module, data(), settings=settings, checkpoint=tmp_path / file, rng=2, **own)

    straight, broken = problem()[0], problem()[0]
    whole = run(straight, 11, "whole")
    run(broken, 6, "broken")
    rest = run(broken, 11, "broken")
    assert torch.equal(weights(straight), weights(broken))
    assert whole.table.equals(rest.table)


def test_single_directions_of_lbfgs_are_those_of_one_long_call() -> None:
    module, x, y = problem()
    own, _, _ = problem()
    settings = {"lr": 1.0, "line_search_fn": "strong_wolfe", "tolerance_grad": 0.0, "tolerance_change": 0.0}
    optimiser = torch.optim.LBFGS(own.parameters(), max_iter=8, max_eval=1000, **settings)

    def closure() -> Any:
        optimiser.zero_grad()
        value = (own(x) - y).square().mean()
        value.backward()
        return value

    optimiser.step(closure)
    train(module, x, y, TrainingSettings(steps=8, optimiser="lbfgs", learning_rate=1.0))
    assert torch.allclose(weights(module), weights(own), rtol=1e-9)
    forms = torch.stack([x[:, 0] ** 2, x[:, 0] * x[:, 1], x[:, 1] ** 2], dim=1)  # all that the network can be
    best = float((forms @ torch.linalg.lstsq(forms, y).solution - y).square().mean())
    done = train(module, x, y, TrainingSettings(steps=60, optimiser="lbfgs", learning_rate=1.0))
    assert done.loss == pytest.approx(best, rel=1e-9)


def test_cosine_is_that_of_torch_and_schedules_scale_own_rates() -> None:
    found = []
    for how in ("settings", "torch", "known"):
        module, x, y = problem()
        options: dict[str, Any] = {}
        settings = TrainingSettings(steps=10, learning_rate=0.05, optimiser="sgd", schedule="cosine")
        if how != "known":
            options["optimiser"] = lambda w: torch.optim.SGD(w, lr=0.05)
            settings = TrainingSettings(steps=10, schedule="cosine" if how == "settings" else "constant")
        if how == "torch":
            options["schedule"] = lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, T_max=10)
        train(module, x, y, settings, **options)
        found.append(weights(module))
    assert torch.allclose(found[0], found[2], rtol=1e-12)
    assert torch.allclose(found[1], found[2], rtol=1e-12)


def test_plateaus_lower_the_rate() -> None:
    module, x, y = problem()
    optimiser = torch.optim.SGD(module.parameters(), lr=1e-12)

    def plateau(o: Any) -> Any:
        return torch.optim.lr_scheduler.ReduceLROnPlateau(o, patience=0, factor=0.5)

    train(module, x, y, TrainingSettings(steps=3, record_every=1), optimiser=optimiser, schedule=plateau)
    assert optimiser.param_groups[0]["lr"] == pytest.approx(1e-12 / 8)


def test_validation_is_a_mean_over_all_of_it_and_the_best_weights_are_kept() -> None:
    module, x, y = problem()
    other = problem(31)[1][20:]
    truth = other[:, :1] * other[:, 1:] + 0.1
    settings = TrainingSettings(steps=40, learning_rate=0.3, batch_size=4, record_every=2)
    result = train(module, x, y, settings, validation=(other, truth), keep="best")
    column = result.table.set_index("step")["validation_loss"]
    assert result.best_step == column.idxmin() < 40
    assert float((module(other) - truth).square().mean().detach()) == pytest.approx(column.min(), rel=1e-12)
    loader = DataLoader(TensorDataset(other, truth), batch_size=3)
    again = train(problem()[0], x, y, settings, validation=loader).table
    assert again["validation_loss"].tolist() == pytest.approx(column.tolist(), rel=1e-12)


def test_accuracy_is_counted_for_classes() -> None:
    module = torch.nn.Linear(2, 3).double()
    x, y = problem()[1], torch.arange(30) % 3
    table = train(module, x, y, TrainingSettings(steps=1), loss="cross_entropy", validation=(x, y)).table
    assert table["validation_accuracy"].iloc[-1] == pytest.approx(float((module(x).argmax(1) == y).double().mean()))


@pytest.mark.parametrize("autocast", ["bfloat16", "float16"])
def test_mixed_precision_stays_near(autocast: str) -> None:
    x, y = (part.float() for part in problem()[1:])
    found = []
    for cast in (None, autocast):
        torch.manual_seed(0)
        module = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
        table = train(module, x, y, TrainingSettings(steps=20, learning_rate=0.01), autocast=cast, device="cpu").table
        assert module[0].weight.dtype is torch.float32
        found.append((weights(module), table["loss"].iloc[-1]))
    assert not torch.equal(found[0][0], found[1][0])
    assert found[0][1] == pytest.approx(found[1][1], rel=0.05)


class Stream(IterableDataset):  # type: ignore[type-arg]
    """Two samples."""

    def __iter__(self) -> Any:
        return iter([(torch.zeros(2), torch.zeros(1))] * 2)


def test_what_has_no_effect_or_no_meaning_is_refused() -> None:
    module, x, y = problem()
    steps = TrainingSettings(steps=2)
    loader = DataLoader(TensorDataset(x, y), batch_size=8)
    other = torch.optim.SGD(problem()[0].parameters(), lr=0.1)
    for message, arguments, options in (
        ("settings are missing", (x, y), {}),
        ("targets are missing", (x, None, steps), {}),
        ("targets must be None", (loader, y, steps), {}),
        ("have no effect with a DataLoader", (loader, None, TrainingSettings(steps=2, batch_size=3)), {}),
        ("Dataset with a length", (Stream(), None, steps), {}),
        ("must be a pair", (DataLoader(TensorDataset(x)), None, steps), {}),
        ("weights of this module", (x, y, steps), {"optimiser": other}),
        ("learning_rate of settings has no effect", (x, y, TrainingSettings(2, learning_rate=0.1)), {"optimiser": 3}),
        ("must be a torch optimiser", (x, y, steps), {"optimiser": lambda _: 3}),
        ("schedule is given twice", (x, y, TrainingSettings(2, schedule="cosine")), {"schedule": lambda _: None}),
        ("keep='best' needs validation", (x, y, steps), {"keep": "best"}),
        ("autocast needs weights of float32", (x, y, steps), {"autocast": "bfloat16"}),
        ("device 'nowhere' cannot be used", (x, y, steps), {"device": "nowhere"}),
    ):
        with pytest.raises(PolygeomError, match=message):
            train(module, *arguments, **options)


def test_a_stream_trains_through_a_loader() -> None:
    module = torch.nn.Linear(2, 1)
    assert train(module, DataLoader(Stream(), batch_size=2), settings=TrainingSettings(steps=5)).steps == 5
