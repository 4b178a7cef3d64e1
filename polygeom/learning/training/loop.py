"""One seeded training loop for every module: mini-batches, schedule, metrics, early stop, checkpoints, rows out."""

from __future__ import annotations

import contextlib
import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from polygeom.errors import PolygeomError
from polygeom.learning import checks
from polygeom.learning import targets as fitting
from polygeom.learning.regions.affine import evaluation_mode
from polygeom.learning.training.batches import Batches, progress_bar
from polygeom.learning.training.checkpoints import Checkpoint
from polygeom.learning.training.movement import clip_weight_norm
from polygeom.learning.training.settings import TrainingSettings

if TYPE_CHECKING:
    import pandas

Loss = Callable[[Any, Tensor], Tensor]
Metric = Callable[[nn.Module], float]


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What came of training; the weights are in the module itself.

    Parameters
    ----------
    table:
        One row for each recorded step: ``step``, ``loss`` and the metrics, all at the weights after ``step`` updates.
        With mini-batches ``loss`` is the mean over the batches since the last row, each before its own update, and one
        batch ahead.
    steps:
        Updates made, those of an earlier run that was continued included.
    status:
        ``"finished"``, or ``"stopped"`` when ``stop`` said so.
    elapsed:
        Seconds of this call.
    """

    table: pandas.DataFrame
    steps: int
    status: str
    elapsed: float

    @property
    def loss(self) -> float:
        """The last loss of the table."""
        return float(self.table["loss"].iloc[-1])


class DivergenceError(PolygeomError):
    """Training that left the finite numbers.

    Parameters
    ----------
    step:
        Number of updates after which the loss or a weight was not finite.
    state:
        The last recorded ``state_dict`` with a finite loss; ``module.load_state_dict(error.state)`` goes back to it.
    learning_rate:
        Of that step.
    """

    def __init__(self, step: int, state: dict[str, Tensor], learning_rate: float) -> None:
        self.step, self.state, self.learning_rate = step, state, learning_rate
        super().__init__(step, state, learning_rate)

    def __str__(self) -> str:
        return (
            f"training diverged: the loss is not finite after {self.step} steps at learning rate "
            f"{self.learning_rate:g}; lower learning_rate, or scale inputs and initial weights down"
        )


def train(
    module: nn.Module,
    inputs: Any,
    targets: Any,
    settings: TrainingSettings,
    *,
    loss: str | Loss = "mse",
    metrics: Mapping[str, Metric] | None = None,
    stop: Callable[[Mapping[str, float]], bool] | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 1000,
    progress: bool = False,
    rng: int = 0,
) -> TrainingResult:
    """Train a module in place. The same seed gives the same weights and the same table, also across an interruption.

    Parameters
    ----------
    module:
        Any module; its parameters with ``requires_grad`` are trained. It is in training mode meanwhile, so that batch
        normalisation uses the statistics of mini-batches and learns running ones, and afterwards in the mode it had.
    inputs, targets:
        Tensors or arrays with one entry for each sample along their first axis, brought to the device and precision of
        the module. Targets have the shape of the outputs, axes of length 1 aside: nothing is broadcast. What is
        accepted and how it is read is said in `polygeom.learning.checks`.
    settings:
        How to train.
    loss:
        ``"mse"``; ``"cross_entropy"`` of logits ``(N, C, …)`` with classes ``(N, …)`` or shares of the shape of the
        logits; or a function of what the module returns and of targets to a scalar.
    metrics:
        Columns of the table: functions of the module to a number, called in evaluation mode and without recording of
        derivatives, with the running statistics of as many mini-batches as there were updates. The gradient of the loss
        on the present batch is in the module, for `polygeom.learning.training.movement.gradient_norm`.
    stop:
        Called with every row; True ends the training.
    checkpoint:
        File for the state, written every ``checkpoint_every`` steps and at the end. When it exists the training goes on
        from there, to the same bits as without an interruption. Data, loss, module, initial weights, settings and seed
        must be the same, or the file is refused; only ``steps`` may grow (not with a schedule that stretches over all
        steps, ``"linear"`` or ``"cyclic"``). The module may be in its initial state or in that of the checkpoint.
    progress:
        A bar on standard error.
    rng:
        Seed of the order of the samples.

    Raises
    ------
    DivergenceError
        When the loss or a weight is not finite; it carries the last good state.
    PolygeomError
        For data of different length, targets that do not fit the outputs, an unknown loss, and a checkpoint of another
        training.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> x = torch.linspace(-1, 1, 20, dtype=torch.float64)[:, None]
    >>> module = parse("[1,2,1] r=2").to_torch(rng=1)
    >>> train(module, x, x**2, TrainingSettings(steps=200, learning_rate=0.05)).loss < 1e-3
    True
    """
    rule = _loss(loss)
    inputs, targets = _samples(module, inputs, targets, loss, settings.batch_size)
    start = time.monotonic()
    run = _Run(module, settings, rule, dict(metrics or {}), rng, Batches(len(inputs), settings, rng))
    with torch.random.fork_rng(devices=[]), _training_mode(module), progress_bar(settings.steps, progress) as bar:
        torch.manual_seed(rng)  # for modules that draw, such as dropout
        kept = None if checkpoint is None else run.checkpoint(Path(checkpoint), inputs, targets)
        status = run.go(inputs, targets, stop, bar, kept, checkpoint_every)
    import pandas

    return TrainingResult(pandas.DataFrame(run.rows), run.step, status, time.monotonic() - start)


def _samples(
    module: nn.Module, inputs: Any, targets: Any, loss: str | Loss, batch: int | None
) -> tuple[Tensor, Tensor]:
    """Inputs and targets as module and loss read them: see `polygeom.learning.checks`."""
    like = checks.like(module)
    if not any(p.requires_grad for p in module.parameters()):
        raise PolygeomError("module must have a parameter that requires gradients; call module.requires_grad_(True)")
    if callable(loss):
        x = checks.points(inputs, like, name="inputs", integers=checks.reads_integers(module))
        y = fitting.as_many(targets, len(x)).to(x.device)
        y = y.to(like.dtype) if y.is_floating_point() else y
        with torch.no_grad(), evaluation_mode(module):
            checks.evaluate(module, x[:batch])
        return x, y
    with evaluation_mode(module):
        x, shape = checks.accept(module, module, inputs, name="inputs", separate=False, first=batch)
    fitted = fitting.values if loss == "mse" else fitting.classes
    return x, fitted(fitting.as_many(targets, len(x)), (len(x), *shape), like)


@contextlib.contextmanager
def _training_mode(module: nn.Module) -> Iterator[None]:
    """Training mode inside; every part has its own mode again afterwards."""
    modes = {part: part.training for part in module.modules()}
    module.train()
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode


def _buffers(module: nn.Module) -> list[Tensor]:
    return [buffer.clone() for buffer in module.buffers()]


def _assign(module: nn.Module, values: Sequence[Tensor]) -> None:
    for buffer, value in zip(module.buffers(), values, strict=True):
        buffer.copy_(value)


def _loss(loss: str | Loss) -> Loss:
    if callable(loss):
        return fitting.Watched(loss)
    known: dict[str, Loss] = {"mse": nn.functional.mse_loss, "cross_entropy": nn.functional.cross_entropy}
    if not isinstance(loss, str) or loss not in known:
        raise PolygeomError(f"loss must be a function or one of {', '.join(known)}, got {loss!r}; write loss='mse'")
    return known[loss]


class _Run:
    """One training with everything that changes while it runs."""

    def __init__(
        self,
        module: nn.Module,
        settings: TrainingSettings,
        loss: Loss,
        metrics: dict[str, Metric],
        seed: int,
        batches: Batches,
    ) -> None:
        self.module, self.settings, self.loss, self.metrics = module, settings, loss, metrics
        self.seed, self.batches = seed, batches
        self.optimiser = make_optimiser(module, settings)
        self.rows: list[dict[str, float]] = []
        self.losses: list[float] = []
        self.step = 0
        self.good = _state(module)

    def go(
        self,
        inputs: Tensor,
        targets: Tensor,
        stop: Callable[[Mapping[str, float]], bool] | None,
        bar: Any,
        checkpoint: Checkpoint | None,
        every: int,
    ) -> str:
        """Work until the last step, or until ``stop``; says which."""
        while True:
            due = self.step % self.settings.record_every == 0 or self.step == self.settings.steps
            before = _buffers(self.module) if due else []
            position = self._position() if due else {}
            self._backward(self._forward(inputs, targets))  # moves running statistics, one batch ahead of the weights
            if due:
                ahead = _buffers(self.module)
                _assign(self.module, before)
                self._record()
                _assign(self.module, ahead)
                if stop is not None and stop(self.rows[-1]):
                    break
            if self.step == self.settings.steps:
                break
            self._update()
            bar.update(self.step - bar.n)
            if checkpoint is not None and self.step % every == 0:
                checkpoint.save(self._progress())
        _assign(self.module, before)
        if checkpoint is not None:
            checkpoint.save(self._progress() | position)  # as before the batch ahead, from where more steps go on
        return "finished" if self.step == self.settings.steps else "stopped"

    def _forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        chosen = self.batches.next()
        if chosen is None:
            value = self.loss(self.module(inputs), targets)
            self.losses.clear()
        else:
            chosen = chosen.to(inputs.device)
            value = self.loss(self.module(inputs[chosen]), targets[chosen])
        number = float(value.detach())
        if not math.isfinite(number):
            raise DivergenceError(self.step, self.good, self.settings.rate(max(self.step - 1, 0)))
        self.losses.append(number)
        return value

    def _backward(self, value: Tensor) -> None:
        self.optimiser.zero_grad(set_to_none=True)
        if not value.requires_grad:
            raise PolygeomError("loss must depend on weights that require gradients, but its value has no derivative")
        value.backward()  # type: ignore[no-untyped-call]

    def _update(self) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.rate(self.step)
        self.optimiser.step()
        if self.settings.max_weight_norm is not None:
            clip_weight_norm(self.module, self.settings.max_weight_norm)
        self.step += 1

    def _record(self) -> None:
        """A row at these weights, unless an earlier run ended with it."""
        if self.rows and self.rows[-1]["step"] == self.step:
            self.losses.clear()
            return
        row: dict[str, float] = {"step": self.step, "loss": math.fsum(self.losses) / len(self.losses)}
        self.losses.clear()
        self.module.eval()
        with torch.no_grad():
            row |= {name: float(metric(self.module)) for name, metric in self.metrics.items()}
        self.module.train()
        self.rows.append(row)
        self.good = _state(self.module)

    def _position(self) -> dict[str, Any]:
        """What the next forward pass changes."""
        batches = copy.deepcopy(self.batches.state())
        return {"batches": batches, "random": torch.get_rng_state(), "losses": list(self.losses)}

    def _progress(self) -> dict[str, Any]:
        """What has changed since the start, besides the module."""
        rest = {"optimiser": self.optimiser.state_dict(), "rows": self.rows, "step": self.step}
        return self._position() | rest

    def checkpoint(self, path: Path, inputs: Tensor, targets: Tensor) -> Checkpoint:
        """The file for this training, whose state is taken up when it exists."""

        def value() -> tuple[Tensor, Tensor]:
            some = slice(self.settings.batch_size)
            outputs = self.module(inputs[some])
            return outputs, self.loss(outputs, targets[some])

        loss = getattr(self.loss, "loss", self.loss)
        parts = {"inputs": inputs, "targets": targets, "loss": loss, "metrics": sorted(self.metrics)}
        kept = Checkpoint(path, self.module, parts | {"seed": self.seed}, self.settings, value)
        if (state := kept.load()) is not None:
            self.optimiser.load_state_dict(state["optimiser"])
            self.batches.restore(state["batches"])
            torch.set_rng_state(state["random"])
            self.rows, self.losses, self.step = state["rows"], state["losses"], state["step"]
            if self.rows and self.rows[-1]["step"] % self.settings.record_every and self.step < self.settings.steps:
                self.rows.pop()  # it was the end of the shorter training
            self.good = _state(self.module)
        return kept


def _state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def make_optimiser(module: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """The optimiser that ``settings`` ask for, on the parameters that require a gradient."""
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimiser == "sgd":
        return torch.optim.SGD(
            parameters, lr=rate, momentum=settings.momentum, nesterov=settings.nesterov, weight_decay=decay
        )
    if settings.optimiser == "adadelta":
        return torch.optim.Adadelta(parameters, lr=rate, rho=0.95, weight_decay=decay)
    kind = torch.optim.Adam if settings.optimiser == "adam" else torch.optim.AdamW
    return kind(parameters, lr=rate, weight_decay=decay)
