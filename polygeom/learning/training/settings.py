"""How to train, as plain data."""

from __future__ import annotations

import bisect
import math
from dataclasses import fields
from typing import Any

from polygeom._dataclass import dataclass
from polygeom.checks import choice
from polygeom.errors import PolygeomError

OPTIMISERS = ("adam", "adamw", "sgd", "adadelta", "rmsprop", "lbfgs")
SCHEDULES = ("constant", "linear", "cosine", "step", "piecewise", "cyclic")
ORDERS = ("reshuffle", "fixed", "sequential")


@dataclass(frozen=True)
class TrainingSettings:
    """How to train, as plain data that can be written to JSON.

    Parameters
    ----------
    steps:
        Number of updates of the weights.
    optimiser:
        ``"adam"``, ``"adamw"``, ``"sgd"``, ``"adadelta"`` (with ρ = 0.95), ``"rmsprop"``, or ``"lbfgs"``: a step is one
        direction of L-BFGS with a line search by the strong Wolfe conditions, on all samples at once.
    learning_rate, momentum, nesterov, weight_decay:
        Of the optimiser; momentum is for ``"sgd"`` and ``"rmsprop"`` alone. For ``"lbfgs"`` the learning rate is where
        the line search begins; write 1.
    batch_size:
        Samples of one step; None for all of them.
    order:
        ``"reshuffle"``: a new random order in every epoch. ``"fixed"``: shuffled once, the same mini-batches in every
        epoch. ``"sequential"``: in the order given.
    schedule:
        ``"constant"``; ``"linear"``: down to 0 after ``steps``; ``"cosine"``: half a wave down to 0;
        ``"step"``: times ``gamma`` every ``step_size`` steps;
        ``"piecewise"``: times ``gamma`` after each of the ``milestones``, which are numbers of steps; ``"cyclic"``: one
        cycle, linearly from 0 up to ``learning_rate`` over the fraction ``warmup`` of the steps, linearly down to 0
        over the others.
    max_weight_norm:
        After every step the weights, all together one vector, are projected onto the ball of this radius; None leaves
        them where they are.
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
    milestones: tuple[int, ...] = ()
    warmup: float = 0.4
    max_weight_norm: float | None = None
    record_every: int = 100

    def __post_init__(self) -> None:
        for name, choices in (("optimiser", OPTIMISERS), ("order", ORDERS), ("schedule", SCHEDULES)):
            choice(name, getattr(self, name), choices)
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
        if self.momentum and self.optimiser not in ("sgd", "rmsprop"):
            raise PolygeomError(f"momentum has no effect with optimiser={self.optimiser!r}; write optimiser='sgd'")
        self._check_schedule()
        self._check_lbfgs()
        most = self.max_weight_norm
        if most is not None and not (isinstance(most, int | float) and math.isfinite(most) and most > 0):
            raise PolygeomError(f"max_weight_norm must be a finite number above 0, or None, got {most!r}")

    def _check_lbfgs(self) -> None:
        if self.optimiser == "lbfgs":
            for name in ("batch_size", "max_weight_norm", "weight_decay"):
                if getattr(self, name):
                    raise PolygeomError(
                        f"{name} must be left out with optimiser='lbfgs', whose steps compare gradients of one and the "
                        f"same function, got {getattr(self, name)!r}"
                    )

    def _check_schedule(self) -> None:
        object.__setattr__(self, "milestones", tuple(self.milestones))  # a list, when the settings come from JSON
        marks = self.milestones
        if any(type(mark) is not int or mark < 1 for mark in marks) or list(marks) != sorted(set(marks)):
            raise PolygeomError(f"milestones must be increasing numbers of steps, each at least 1, got {marks}")
        if bool(marks) != (self.schedule == "piecewise"):
            raise PolygeomError(
                f"milestones belong to schedule='piecewise' and to no other, got {marks} with {self.schedule!r}; "
                "write schedule='piecewise', milestones=(500, 800)"
            )
        if not (isinstance(self.warmup, int | float) and 0 <= self.warmup < 1):
            raise PolygeomError(f"warmup must be a fraction of the steps, at least 0 and below 1, got {self.warmup!r}")

    def as_dict(self) -> dict[str, Any]:
        """The settings as plain data."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def rate(self, step: int) -> float:
        """The learning rate of the update with number ``step``, counted from 0."""
        last = max(self.steps, 1)
        if self.schedule == "linear":
            return self.learning_rate * (1 - step / last)
        if self.schedule == "cosine":
            return self.learning_rate * (1 + math.cos(math.pi * step / last)) / 2
        if self.schedule == "cyclic":
            peak = self.warmup * last
            return self.learning_rate * (step / peak if step < peak else (last - step) / (last - peak))
        if self.schedule == "step":
            return self.learning_rate * self.gamma ** (step // self.step_size)
        if self.schedule == "piecewise":
            return self.learning_rate * self.gamma ** bisect.bisect_right(self.milestones, step)
        return self.learning_rate
