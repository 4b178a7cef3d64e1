"""Checkpoints belong to one training: everything that makes it another is refused, more steps go on."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.training.loop import train  # noqa: E402
from polygeom.learning.training.settings import TrainingSettings  # noqa: E402


class Bent(nn.Module):
    """A module whose activation is an attribute that no ``repr`` shows, and whose forward calls a function of ours."""

    def __init__(self, activation=torch.tanh, exponent: float = 1.0, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.first, self.last = nn.Linear(2, 5), nn.Linear(5, 1)
        self._activation, self.exponent = (
            activation,
            exponent,
        )  # a name with a line below is no setting: the probe sees it

    def forward(self, x):
        return self.last(self._activation(self.first(x)).abs() ** self.exponent)


def data(seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(12, 2, generator=generator)
    return x, x[:, :1] * x[:, 1:]


def weighted(factor: float):
    return lambda outputs, targets: factor * (outputs - targets).square().mean()


def penalised(outputs, targets):
    return (outputs - targets).square().mean() + 0.1 * outputs.square().mean()


X, Y = data()
BASE = {"module": Bent, "inputs": X, "targets": Y, "settings": {}, "loss": "mse", "metrics": {}, "rng": 0}
OTHER = {
    "inputs": ({"inputs": data(1)[0]}, "inputs"),
    "one input": ({"inputs": X.clone().index_put((torch.tensor(7),), X[7] + 1e-3)}, "inputs"),
    "order of inputs": ({"inputs": X.flip(0)}, "inputs"),
    "targets": ({"targets": 10 * Y}, "targets"),
    "precision of targets": ({"targets": Y.double().float() + 1e-6}, "targets"),
    "loss by name": ({"loss": nn.functional.l1_loss}, "loss"),
    "loss as a function": ({"loss": penalised}, "loss"),
    "activation": ({"module": lambda: Bent(torch.relu)}, "outputs or loss"),
    "setting of a part": ({"module": lambda: Bent(exponent=2.0)}, "module"),
    "initial weights": ({"module": lambda: Bent(seed=3)}, "initial weights"),
    "width": ({"module": lambda: nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))}, "module"),
    "frozen weights": ({"module": lambda: _frozen(Bent())}, "module"),
    "metrics": ({"metrics": {"one": lambda module: 1.0}}, "metrics"),
    "seed": ({"rng": 1}, "seed"),
    "rate": ({"settings": {"learning_rate": 0.02}}, "learning_rate"),
    "batch size": ({"settings": {"batch_size": 6}}, "batch_size"),
    "schedule": ({"settings": {"schedule": "linear"}}, "schedule"),
}


def _frozen(module: nn.Module) -> nn.Module:
    module.first.requires_grad_(False)
    return module


def run(path: Path | None, **changes):
    given = BASE | changes
    module = given["module"]()
    settings = TrainingSettings(**{"steps": 20, "learning_rate": 0.05, "record_every": 6, **given["settings"]})
    options = {"loss": given["loss"], "metrics": given["metrics"], "rng": given["rng"]}
    return module, train(module, given["inputs"], given["targets"], settings, checkpoint=path, **options)


@pytest.mark.parametrize("name", OTHER)
def test_a_checkpoint_of_another_training_is_refused(name: str, tmp_path: Path) -> None:
    changes, word = OTHER[name]
    run(tmp_path / "kept")
    before = (tmp_path / "kept").read_bytes()
    with pytest.raises(PolygeomError, match=f"belongs to a training with other .*{word}"):
        run(tmp_path / "kept", **changes)
    assert (tmp_path / "kept").read_bytes() == before


def test_a_loss_with_another_factor_is_another_loss(tmp_path: Path) -> None:
    run(tmp_path / "kept", loss=weighted(1.0))
    run(tmp_path / "kept", loss=weighted(1.0))
    with pytest.raises(PolygeomError, match="other loss"):
        run(tmp_path / "kept", loss=weighted(2.0))


def test_a_loss_that_differs_inside_a_function_that_it_calls_is_seen(tmp_path: Path) -> None:
    class Criterion:  # no function, so that its settings are not read
        def __init__(self, power: int) -> None:
            self.power = power

        def __call__(self, outputs, targets):
            return (outputs - targets).abs().pow(self.power).mean()

    run(tmp_path / "kept", loss=Criterion(2))
    with pytest.raises(PolygeomError, match="outputs or loss at the same weights"):
        run(tmp_path / "kept", loss=Criterion(4))


@pytest.mark.parametrize("batch_size", [None, 5])
@pytest.mark.parametrize("first", [0, 6, 20])
def test_more_steps_go_on_to_the_same_bits(first: int, batch_size: int | None, tmp_path: Path) -> None:
    def module() -> nn.Module:
        return nn.Sequential(Bent(), nn.BatchNorm1d(1), nn.Dropout(0.2))

    options = {"module": module, "settings": {"batch_size": batch_size, "steps": 31}}
    whole, expected = run(None, **options)
    run(tmp_path / "kept", module=module, settings={"batch_size": batch_size, "steps": first})
    longer, found = run(tmp_path / "kept", **options)
    assert found.table.equals(expected.table)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, longer.state_dict()[name]), name


def test_steps_neither_shrink_nor_stretch(tmp_path: Path) -> None:
    run(tmp_path / "kept")
    with pytest.raises(PolygeomError, match="holds 20 steps"):
        run(tmp_path / "kept", settings={"steps": 19})
    run(tmp_path / "linear", settings={"schedule": "linear"})
    with pytest.raises(PolygeomError, match="other steps"):
        run(tmp_path / "linear", settings={"schedule": "linear", "steps": 30})


def test_buffers_outside_the_state_are_kept_too(tmp_path: Path) -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Bent()
            self.register_buffer("seen", torch.zeros(()), persistent=False)

        def forward(self, x):
            if self.training:
                self.seen += 1
            return self.inner(x) / (1 + 0.01 * self.seen)

    whole, expected = run(None, module=Counting, settings={"steps": 30})
    run(tmp_path / "kept", module=Counting)
    longer, found = run(tmp_path / "kept", module=Counting, settings={"steps": 30})
    assert found.table.equals(expected.table)
    assert torch.equal(whole.seen, longer.seen)


def test_any_other_file_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    run(path)
    good = path.read_bytes()
    torch.save({"format": "polygeom training 1", "identity": {}}, tmp_path / "old")
    junk = {b"", b"nonsense", good[:40], good[:-1], good[:100] + b"\0" + good[101:], good + b"x", b"\x80\x04N."}
    for content in junk | {(tmp_path / "old").read_bytes()}:
        path.write_bytes(content)
        with pytest.raises(PolygeomError, match=r"is no checkpoint|is damaged|older polygeom"):
            run(path)
        assert path.read_bytes() == content
    with pytest.raises(PolygeomError, match="cannot read"):
        run(tmp_path)
    with pytest.raises(PolygeomError, match="folder that exists"):
        run(tmp_path / "no" / "folder")
