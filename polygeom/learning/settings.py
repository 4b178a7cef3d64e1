"""How to train, as plain data."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any

from polygeom.errors import PolygeomError

OPTIMISERS = ("adam", "adamw", "sgd", "adadelta")
SCHEDULES = ("constant", "linear", "step")
ORDERS = ("reshuffle", "fixed", "sequential")


@dataclass(frozen=True)
class TrainingSettings:
    """How to train, as plain data that can be written to JSON.

    Parameters
    ----------
    steps:
        Number of updates of the weights.
    optimiser:
        ``"adam"``, ``"adamw"``, ``"sgd"`` or ``"adadelta"`` (with ρ = 0.95).
    learning_rate, momentum, nesterov, weight_decay:
        Of the optimiser; momentum is for ``"sgd"`` alone.
    batch_size:
        Samples of one step; None for all of them.
    order:
        ``"reshuffle"``: a new random order in every epoch. ``"fixed"``: shuffled once, the same mini-batches in every
        epoch. ``"sequential"``: in the order given.
    schedule:
        ``"constant"``; ``"linear"``: down to 0 after ``steps``; ``"step"``: times ``gamma`` every ``step_size`` steps.
    record_every:
        Steps between two rows of the table; the last step has a row in any case.

    Raises
    ------
    PolygeomError
        When a value is not one of these, or out of range.

    Examples
    --------
    >>> TrainingSettings(steps=100, learning_rate=0.1).optimiser
    'adam'
    """

    steps: int
    optimiser: str = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    batch_size: int | None = None
    order: str = "reshuffle"
    schedule: str = "constant"
    step_size: int = 1000
    gamma: float = 0.5
    record_every: int = 100

    def __post_init__(self) -> None:
        for name, choices in (("optimiser", OPTIMISERS), ("order", ORDERS), ("schedule", SCHEDULES)):
            if getattr(self, name) not in choices:
                raise PolygeomError(
                    f"{name} must be one of {', '.join(choices)}, got {getattr(self, name)!r}; write {choices[0]!r}"
                )
        for name, least in (("steps", 0), ("step_size", 1), ("record_every", 1), ("batch_size", 1)):
            value = getattr(self, name)
            if not (value is None and name == "batch_size") and not (type(value) is int and value >= least):
                raise PolygeomError(f"{name} must be an integer of at least {least}, got {value!r}")
        for name in ("learning_rate", "momentum", "weight_decay", "gamma"):
            value = getattr(self, name)
            if not (isinstance(value, int | float) and math.isfinite(value) and value >= 0):
                raise PolygeomError(f"{name} must be a finite number of at least 0, got {value!r}")
        if self.nesterov and not (self.optimiser == "sgd" and self.momentum > 0):
            raise PolygeomError("nesterov needs optimiser='sgd' and momentum > 0; write momentum=0.9")

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain data."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def rate(self, step: int) -> float:
        """The learning rate of the update with number ``step``, counted from 0."""
        if self.schedule == "linear":
            return self.learning_rate * (1 - step / self.steps)
        if self.schedule == "step":
            return self.learning_rate * self.gamma ** (step // self.step_size)
        return self.learning_rate
