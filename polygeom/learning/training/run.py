"""The course of one training: batches in, weights moved, rows out, and everything that a checkpoint must hold."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from polygeom._dataclass import dataclass, field
from polygeom.errors import PolygeomError
from polygeom.learning import targets as fitting
from polygeom.learning.training.checkpoints import Checkpoint
from polygeom.learning.training.optimisers import Mover
from polygeom.learning.training.settings import TrainingSettings
from polygeom.learning.training.sources import Loss, Source

Metric = Callable[[nn.Module], float]
AUTOCAST = {"bfloat16": torch.bfloat16, "float16": torch.float16}


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


@dataclass(eq=False)
class Run:
    """One training with everything that changes while it runs.

    Parameters
    ----------
    module, settings, loss, metrics, seed:
        As for `polygeom.learning.training.train`; ``loss`` is a function.
    source, validation:
        Batches to learn from, and to look at in every row.
    mover:
        What moves the weights.
    keep_best:
        Whether the weights of the row with the least validation loss are kept.
    autocast:
        A name in `AUTOCAST`, or None.
    """

    module: nn.Module
    settings: TrainingSettings
    loss: Loss
    metrics: dict[str, Metric]
    seed: int
    source: Source
    mover: Mover
    validation: Source | None = None
    keep_best: bool = False
    autocast: str | None = None
    rows: list[dict[str, float]] = field(default_factory=list, init=False)
    losses: list[float] = field(default_factory=list, init=False)
    step: int = field(default=0, init=False)
    best: dict[str, Any] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.good = _state(self.module)

    def go(
        self, stop: Callable[[Mapping[str, float]], bool] | None, bar: Any, checkpoint: Checkpoint | None, every: int
    ) -> str:
        """Work until the last step, or until ``stop``; says which."""
        while True:
            due = self.step % self.settings.record_every == 0 or self.step == self.settings.steps
            before = _buffers(self.module) if due else []
            position = self._position() if due else {}
            batch = self.source.next()
            value = self._forward(batch)  # moves running statistics, one batch ahead of the weights
            self.mover.backward(value)
            if due:
                self.mover.unscale()
                ahead = _buffers(self.module)
                _assign(self.module, before)
                self._record()
                _assign(self.module, ahead)
                if stop is not None and stop(self.rows[-1]):
                    break
            if self.step == self.settings.steps:
                break
            self.mover.move(self.step, _Closure(self, batch, value))
            self.step += 1
            bar.update(self.step - bar.n)
            if checkpoint is not None and self.step % every == 0:
                checkpoint.save(self._progress())
        _assign(self.module, before)
        if checkpoint is not None:
            checkpoint.save(self._progress() | position)  # as before the batch ahead, from where more steps go on
        return "finished" if self.step == self.settings.steps else "stopped"

    def keep(self) -> int:
        """Bring the weights that are kept into the module; the step that they are of."""
        if not self.best:
            return self.step
        self.module.load_state_dict(self.best["state"])
        return int(self.best["step"])

    def cast(self) -> Any:
        """Mixed precision, where it is asked for."""
        if self.autocast is None:
            return contextlib.nullcontext()
        return torch.autocast(next(self.module.parameters()).device.type, AUTOCAST[self.autocast])

    def value(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The loss on a batch."""
        with self.cast():
            return self.loss(self.module(batch[0]), batch[1])

    def _forward(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        value = self.value(batch)
        if self.source.whole:
            self.losses.clear()
        number = float(value.detach())
        if not math.isfinite(number):
            raise DivergenceError(self.step, self.good, self.mover.rate())
        self.losses.append(number)
        return value

    def _record(self) -> None:
        """A row at these weights, unless an earlier run ended with it."""
        if self.rows and self.rows[-1]["step"] == self.step:
            self.losses.clear()
            return
        row: dict[str, float] = {"step": self.step, "loss": math.fsum(self.losses) / len(self.losses)}
        self.losses.clear()
        self.module.eval()
        with torch.no_grad():
            row |= self._validate()
            row |= {name: float(metric(self.module)) for name, metric in self.metrics.items()}
        self.module.train()
        self.rows.append(row)
        self.good = _state(self.module)
        self.mover.observe(row.get("validation_loss", row["loss"]))
        if self.keep_best and row["validation_loss"] < self.best.get("loss", math.inf):
            self.best = {"loss": row["validation_loss"], "step": self.step, "state": self.good}

    def _validate(self) -> dict[str, float]:
        """Mean loss over the validation data, and the share of classes that are right where there are classes."""
        if self.validation is None:
            return {}
        losses, right, count, classes = [], 0.0, 0, False
        for x, y in self.validation.all():
            with self.cast():
                outputs = self.module(x)
                losses.append(float(self.loss(outputs, y)) * len(x))
            if classes := self.loss is nn.functional.cross_entropy:
                truth = y.argmax(1) if y.shape == outputs.shape else y
                right += float((outputs.argmax(1) == truth).double().mean()) * len(x)
            count += len(x)
        accuracy = {"validation_accuracy": right / count} if classes else {}
        return {"validation_loss": math.fsum(losses) / count, **accuracy}

    def _position(self) -> dict[str, Any]:
        """What the next forward pass changes."""
        batches = copy.deepcopy(self.source.state())
        return {"batches": batches, "random": torch.get_rng_state(), "losses": list(self.losses)}

    def _progress(self) -> dict[str, Any]:
        """What has changed since the start, besides the module."""
        rest = {"mover": self.mover.state(), "rows": self.rows, "step": self.step, "best": self.best}
        return self._position() | rest

    def checkpoint(self, path: Path) -> Checkpoint:
        """The file for this training, whose state is taken up when it exists."""

        def value() -> tuple[Tensor, Tensor]:
            outputs = self.module(self.source.few[0])
            return outputs, self.loss(outputs, self.source.few[1])

        loss = getattr(self.loss, "loss", self.loss)
        parts = {**self.source.parts(), "loss": loss, "metrics": sorted(self.metrics), "seed": self.seed}
        parts |= self.mover.parts()
        if self.validation is not None:
            parts["validation"] = self.validation.parts()
        parts |= {"keep": "best"} if self.keep_best else {}
        parts |= {} if self.autocast is None else {"autocast": self.autocast}
        kept = Checkpoint(path, self.module, parts, self.settings, value)
        if (state := kept.load()) is not None:
            self.mover.restore(state["mover"])
            self.source.restore(state["batches"])
            torch.set_rng_state(state["random"])
            self.rows, self.losses, self.step = state["rows"], state["losses"], state["step"]
            self.best = state["best"]
            if self.rows and self.rows[-1]["step"] % self.settings.record_every and self.step < self.settings.steps:
                self.rows.pop()  # it was the end of the shorter training
            self.good = _state(self.module)
        return kept


class _Closure:
    """The loss with its gradients on one batch; the first answer is known already, running statistics move once."""

    def __init__(self, run: Run, batch: tuple[Tensor, Tensor], value: Tensor) -> None:
        self._run, self._batch = run, batch
        self._known: Tensor | None = value

    def __call__(self) -> Tensor:
        known, self._known = self._known, None
        if known is not None:
            return known.detach()
        before = _buffers(self._run.module)
        with torch.enable_grad():
            value = self._run.value(self._batch)
            self._run.mover.backward(value)
        _assign(self._run.module, before)
        return value.detach()


def _buffers(module: nn.Module) -> list[Tensor]:
    return [buffer.clone() for buffer in module.buffers()]


def _assign(module: nn.Module, values: Sequence[Tensor]) -> None:
    for buffer, value in zip(module.buffers(), values, strict=True):
        buffer.copy_(value)


def _state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def known_loss(loss: str | Loss) -> Loss:
    """A loss by name, or one of the user's, watched."""
    if callable(loss):
        return fitting.Watched(loss)
    known: dict[str, Loss] = {"mse": nn.functional.mse_loss, "cross_entropy": nn.functional.cross_entropy}
    if not isinstance(loss, str) or loss not in known:
        raise PolygeomError(f"loss must be a function or one of {', '.join(known)}, got {loss!r}; write loss='mse'")
    return known[loss]


__all__ = ["AUTOCAST", "DivergenceError", "Metric", "Run", "known_loss"]
