"""What the studies of tangent kernels share: images as one-logit tasks, and the training of networks on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from polygeom._dataclass import dataclass
from polygeom.experiments.study import filled
from polygeom.experiments.tangent.options import KernelCase, TrainingCase
from polygeom.experiments.weights import keep_weights
from polygeom.learning.tangent.linearised import linearize
from polygeom.learning.tangent.tangent_kernel import jacobian
from polygeom.learning.training.loop import train
from polygeom.learning.training.movement import gradient_norm, squared_weight_distance, weight_norm, weights_of
from polygeom.learning.training.settings import TrainingSettings

if TYPE_CHECKING:
    import pandas

TWO_CLASSES = "classes"
"""The target that is no eigenfunction: the first half of the classes against the second."""
_JACOBIAN_BYTES = 2**30
_POINTS = 256


@dataclass(frozen=True, eq=False)
class Images:
    """Training images, then test images, with one mean and deviation; ``labels`` are 1 in the first half of classes."""

    x: Tensor
    labels: Tensor
    train: int

    @classmethod
    def load(cls, case: KernelCase) -> Images:
        """The images that a case asks for; normalised by channel with the statistics of the training images if so."""
        first, second = case.read(case.seed)
        inputs = np.concatenate([first.inputs, second.inputs]).astype(np.float64)
        if case.normalise:
            axes = {4: (0, 2, 3), 2: (0,)}.get(inputs.ndim)  # of colours, of columns of a table; grey images as a whole
            own = inputs[: len(first)]
            spread = own.std(axis=axes, keepdims=True)
            inputs = (inputs - own.mean(axis=axes, keepdims=True)) / np.where(spread > 0, spread, 1.0)
        labels = np.concatenate([first.two_classes().labels, second.two_classes().labels])
        return cls(torch.as_tensor(inputs), torch.as_tensor(labels, dtype=torch.float64), len(first))


class TangentModel(nn.Module):
    """A linear model on rows of a Jacobian with the constant in the last column: a linearised network made fast."""

    def __init__(self, size: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.displacement = nn.Parameter(torch.zeros(size, dtype=dtype))

    def forward(self, rows: Tensor) -> Tensor:
        """Logits ``(N, 1)``."""
        return (rows[:, :-1] @ self.displacement + rows[:, -1])[:, None]


def logits(module: nn.Module, x: Tensor) -> Tensor:
    """Values ``(N,)`` of a module in evaluation mode, some points at a time: all images of a study need not fit."""
    return torch.cat([module(part)[:, 0] for part in torch.split(x, _POINTS)])


def linear_problem(
    module: nn.Module, x: Tensor, *, bias: bool, dtype: torch.dtype = torch.float64
) -> tuple[nn.Module, Tensor]:
    """A module's tangent as something to train, and its inputs: rows of the Jacobian where a gibibyte holds them.

    A Jacobian is computed in double precision and trained in ``dtype``; where there is none, all is in ``dtype``.
    """
    size = sum(p.numel() for p in module.parameters())
    if len(x) * size * 8 > _JACOBIAN_BYTES:
        return linearize(module, bias=bias, dtype=dtype), x.to(dtype)
    with torch.no_grad():
        start = logits(module, x)[:, None] if bias else torch.zeros(len(x), 1, dtype=x.dtype)
    rows = torch.cat([jacobian(module, x, memory=4 * _JACOBIAN_BYTES)[:, 0], start], dim=1)
    return TangentModel(size, dtype), rows.to(dtype)


def precision(case: TrainingCase) -> torch.dtype:
    """The precision of training that a case asks for."""
    return {"float32": torch.float32, "float64": torch.float64}[case.precision]


def _settings(case: TrainingCase, count: int, rate: float | None, every: int) -> TrainingSettings:
    """The settings of a case for ``count`` samples, with a row every so many epochs."""
    batch = min(case.batch_size, count)
    steps = -(-count // batch)
    own: dict[str, Any] = {} if rate is None else {"learning_rate": rate}
    own |= {} if case.optimiser == "sgd" else {"momentum": 0.0}
    own |= {"milestones": tuple(epoch * steps for epoch in case.milestones), "batch_size": batch}
    return filled(TrainingSettings, case, steps=case.epochs * steps, record_every=every * steps, **own)


def fit_labels(
    module: nn.Module, inputs: Tensor, labels: Tensor, count: int, case: TrainingCase, rate: float | None,
    *, every: int = 1, metrics: Mapping[str, Callable[[nn.Module], float]] | None = None,
) -> pandas.DataFrame:  # fmt: skip
    """Train one logit on the first ``count`` labels, in the precision that the case asks for.

    The module has its own precision again afterwards. The table has a row every ``every`` epochs: ``epoch``, the loss,
    accuracies on the first labels and on the others, the norms of weights and gradient, and the ``metrics``. The last
    row has the squared ``distance`` of the weights to those at the start.
    """
    settings, own_precision = _settings(case, count, rate, every), next(module.parameters()).dtype
    module, x = module.to(precision(case)), inputs.to(precision(case))
    y, start = labels.to(x), weights_of(module)

    def accuracy(rows: slice) -> Callable[[nn.Module], float]:
        return lambda own: float(((logits(own, x[rows]) > 0) == (y[rows] > 0.5)).double().mean())

    measured = {"train": accuracy(slice(0, count)), "test": accuracy(slice(count, None))}
    norms = {"weight_norm": weight_norm, "gradient_norm": gradient_norm}
    try:
        done = train(
            module, x[:count], y[:count, None], settings, metrics={**measured, **norms, **(metrics or {})},
            loss=nn.functional.binary_cross_entropy_with_logits, rng=case.seed,
        )  # fmt: skip
        moved = squared_weight_distance(start, weights_of(module))
        keep_weights(module)
    finally:
        module.to(own_precision)
    table = done.table.drop(columns="step").assign(epoch=done.table["step"] * every // settings.record_every)
    table.loc[table.index[-1], "distance"] = moved
    return table


def ends(table: pandas.DataFrame) -> dict[str, float]:
    """What a summary says of a training: accuracies and distance at the end, norms at the start and at the end."""
    first, last = table.iloc[0], table.iloc[-1]
    found = {name: float(last[name]) for name in ("train", "test", "distance")}
    for name in ("weight_norm", "gradient_norm"):
        found |= {f"{name}_start": float(first[name]), f"{name}_end": float(last[name])}
    return found
