"""One seeded training loop for every module: mini-batches, schedule, metrics, early stop, checkpoints, rows out."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from polygeom._dataclass import dataclass
from polygeom.checks import choice
from polygeom.errors import PolygeomError
from polygeom.learning.checks import a_module
from polygeom.learning.recording import training_mode
from polygeom.learning.training.optimisers import Mover, OwnOptimiser, OwnSchedule
from polygeom.learning.training.run import AUTOCAST, DivergenceError, Metric, Run, known_loss
from polygeom.learning.training.settings import TrainingSettings
from polygeom.learning.training.sources import Loss, Source, source
from polygeom.supervision.bars import bar

if TYPE_CHECKING:
    import pandas


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
    best_step:
        Updates after which the module had the weights that it has now; see ``keep``.
    """

    table: pandas.DataFrame
    steps: int
    status: str
    elapsed: float
    best_step: int | None = None

    @property
    def loss(self) -> float:
        """The last loss of the table."""
        return float(self.table["loss"].iloc[-1])

    def _repr_html_(self) -> str:
        """How it ended and the table, for notebooks."""
        return f"<p>{self.status} after {self.steps} steps, loss {self.loss:.4g}</p>{self.table.to_html(max_rows=20)}"


def train(
    module: nn.Module,
    inputs: Any,
    targets: Any = None,
    settings: TrainingSettings | None = None,
    *,
    loss: str | Loss = "mse",
    metrics: Mapping[str, Metric] | None = None,
    stop: Callable[[Mapping[str, float]], bool] | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 1000,
    progress: bool = False,
    rng: int = 0,
    optimiser: OwnOptimiser | None = None,
    schedule: OwnSchedule | None = None,
    validation: Any = None,
    keep: str = "last",
    device: str | torch.device | None = None,
    autocast: str | None = None,
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
        accepted and how it is read is said in `polygeom.learning.checks`. In their place a torch ``Dataset`` with a
        length, whose samples are read when they are needed, or a ``DataLoader``, which has its own order and batches;
        both bring their targets along (``targets=None``).
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
        steps, ``"linear"``, ``"cosine"`` or ``"cyclic"``). Of a Dataset or DataLoader its kind, its length and its
        first batch are compared; its random numbers must be torch's. The module may be in its initial state or in that
        of the checkpoint.
    progress:
        A bar on standard error.
    rng:
        Seed of the order of the samples, and of torch's random numbers meanwhile.
    optimiser:
        Your own: a torch optimiser of the weights of ``module``, or a function from weights to one. Its options replace
        those of ``settings``; a schedule of ``settings`` scales its rates.
    schedule:
        Your own: a function from the optimiser to a torch scheduler, for example
        ``lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.1, total_steps=1000)``. It is moved on after every update;
        ``ReduceLROnPlateau`` at every row, by the validation loss, without validation data by the loss.
    validation:
        Data that is looked at in every row, not learned from: ``(inputs, targets)``, a Dataset or a DataLoader. Columns
        ``validation_loss`` and, for cross entropy, ``validation_accuracy``.
    keep:
        Which weights the module has in the end: ``"last"``, or ``"best"``: those of the row of least validation loss.
    device:
        Where to train; the module is moved there and stays, in an optimiser of your own it must be there before.
    autocast:
        ``"bfloat16"`` or ``"float16"`` (with scaled gradients): torch's mixed precision, for weights of float32.

    Raises
    ------
    DivergenceError
        When the loss or a weight is not finite; it carries the last good state.
    PolygeomError
        For settings that are missing, data of different length, targets that do not fit the outputs, an unknown loss,
        and a checkpoint of another training.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> x = torch.linspace(-1, 1, 20, dtype=torch.float64)[:, None]
    >>> module = parse("[1,2,1] r=2").to_torch(rng=1)
    >>> train(module, x, x**2, TrainingSettings(steps=200, learning_rate=0.05)).loss < 1e-3
    True

    As torch users have their data:

    >>> from torch.utils.data import DataLoader, TensorDataset
    >>> loader = DataLoader(TensorDataset(x, x**2), batch_size=5, shuffle=True)
    >>> settings = TrainingSettings(steps=100, record_every=20)
    >>> module = parse("[1,2,1] r=2").to_torch(rng=1)
    >>> done = train(
    ...     module, loader, settings=settings, optimiser=lambda weights: torch.optim.RMSprop(weights, lr=0.01),
    ...     validation=(x, x**2), keep="best",
    ... )
    >>> list(done.table), done.best_step > 0
    (['step', 'loss', 'validation_loss'], True)
    """
    if settings is None:
        raise PolygeomError("settings are missing; write settings=TrainingSettings(steps=1000)")
    choice("keep", keep, ("last", "best"))
    if keep == "best" and validation is None:
        raise PolygeomError("keep='best' needs validation data to say what is best; write validation=(x, y)")
    _place(module, device, autocast)
    rule, start = known_loss(loss), time.monotonic()
    with (
        torch.random.fork_rng(devices=[]),
        training_mode(module),
        bar(settings.steps, "training", unit="step", show=progress) as shown,
    ):
        torch.manual_seed(rng)  # for modules that draw, such as dropout, and for loaders that shuffle
        data = source(module, inputs, targets, loss, settings, rng)
        seen = None if validation is None else _validation(module, validation, loss, settings)
        mover = Mover(module, settings, optimiser, schedule, scaled=autocast == "float16")
        best, watched = keep == "best", dict(metrics or {})
        run = Run(module, settings, rule, watched, rng, data, mover, seen, best, autocast)
        kept = None if checkpoint is None else run.checkpoint(Path(checkpoint))
        status = run.go(stop, shown, kept, checkpoint_every)
    import pandas

    return TrainingResult(pandas.DataFrame(run.rows), run.step, status, time.monotonic() - start, run.keep())


def _place(module: nn.Module, device: str | torch.device | None, autocast: str | None) -> None:
    """Bring a module where it is to be trained, and see whether it can be."""
    if not any(p.requires_grad for p in a_module(module).parameters()):
        raise PolygeomError("module must have a parameter that requires gradients; call module.requires_grad_(True)")
    if device is not None:
        try:
            module.to(device)
        except (RuntimeError, AssertionError) as error:
            first = str(error).partition("\n")[0]
            raise PolygeomError(f"device {str(device)!r} cannot be used: {first}; write device='cpu'") from error
    if autocast is not None:
        choice("autocast", autocast, tuple(AUTOCAST))
        if any(p.dtype is not torch.float32 for p in module.parameters()):
            raise PolygeomError("autocast needs weights of float32, from which it goes down; call module.float()")


def _validation(module: nn.Module, given: Any, loss: str | Loss, settings: TrainingSettings) -> Source:
    """Validation data, read in the order in which it is given."""
    plain = dataclasses.replace(settings, order="sequential") if not isinstance(given, DataLoader) else None
    if isinstance(given, tuple | list):
        if len(given) != 2:
            raise PolygeomError(f"validation must be a pair (inputs, targets), got {len(given)} things")
        inputs, targets = given
    else:
        inputs, targets = given, None
    return source(module, inputs, targets, loss, plain or TrainingSettings(steps=0), 0)


__all__ = ["DivergenceError", "Loss", "Metric", "TrainingResult", "train"]
