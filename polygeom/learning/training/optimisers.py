"""How weights are moved: the optimisers and schedules of the settings, and those of the user, as one thing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from polygeom.errors import PolygeomError
from polygeom.learning.training.movement import clip_weight_norm
from polygeom.learning.training.settings import TrainingSettings

OwnOptimiser = Optimizer | Callable[[Iterable[nn.Parameter]], Optimizer]
OwnSchedule = Callable[[Optimizer], LRScheduler]
_DEFAULTS = {"optimiser": "adam", "learning_rate": 1e-3, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0}
"""Settings that an optimiser of the user replaces."""


class Mover:
    """An optimiser with its schedule, and float16's scale of gradients where there is one.

    Parameters
    ----------
    module, settings:
        What is trained, and how.
    optimiser, schedule:
        Of the user, in place of those of the settings; see `polygeom.learning.training.train`.
    scaled:
        Whether gradients are scaled up, as float16 needs it.

    Raises
    ------
    PolygeomError
        For an optimiser of other weights, and for settings that have no effect.
    """

    def __init__(
        self,
        module: nn.Module,
        settings: TrainingSettings,
        optimiser: OwnOptimiser | None = None,
        schedule: OwnSchedule | None = None,
        *,
        scaled: bool = False,
    ) -> None:
        self.module, self.settings, self.own = module, settings, optimiser is not None
        self.optimiser = _built(module, settings, optimiser)
        if schedule is not None and settings.schedule != "constant":
            raise PolygeomError(f"schedule is given twice: in settings, {settings.schedule!r}, and as an argument")
        self.bases = [float(group["lr"]) for group in self.optimiser.param_groups]
        self.schedule = None if schedule is None else schedule(self.optimiser)
        self.scaler: Any = None
        if scaled:
            if isinstance(self.optimiser, torch.optim.LBFGS):
                raise PolygeomError("autocast='float16' cannot go with L-BFGS; write autocast='bfloat16'")
            self.scaler = torch.amp.GradScaler(next(module.parameters()).device.type)

    def parts(self) -> dict[str, Any]:
        """What tells this optimiser from others, for checkpoints; empty if the settings say it all."""
        plain = (bool, int, float, str, type(None), tuple)
        found: dict[str, Any] = {}
        if self.own:
            groups = [
                {key: value for key, value in group.items() if isinstance(value, plain) and key != "lr"}
                for group in self.optimiser.param_groups
            ]
            found["optimiser"] = (type(self.optimiser).__qualname__, groups, self.bases)
        if self.schedule is not None:
            found["schedule"] = type(self.schedule).__qualname__
        return found

    def backward(self, value: Tensor) -> None:
        """Gradients of a loss, into the weights."""
        self.optimiser.zero_grad(set_to_none=True)
        if not value.requires_grad:
            raise PolygeomError("loss must depend on weights that require gradients, but its value has no derivative")
        (value if self.scaler is None else self.scaler.scale(value)).backward()

    def rate(self) -> float:
        """The learning rate now."""
        return float(self.optimiser.param_groups[0]["lr"])

    def move(self, step: int, closure: Callable[[], Any]) -> None:
        """The update with number ``step``; ``closure`` gives the loss, and gradients, for optimisers that ask again."""
        if self.schedule is None:
            factor = self.settings.rate(step) / self.settings.learning_rate if self.settings.learning_rate else 0.0
            for base, group in zip(self.bases, self.optimiser.param_groups, strict=True):
                group["lr"] = base * factor if self.own else self.settings.rate(step)
        if self.scaler is None:
            self.optimiser.step(closure)
        else:
            self.scaler.step(self.optimiser)
            self.scaler.update()
        if self.schedule is not None and not isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step()
        if self.settings.max_weight_norm is not None:
            clip_weight_norm(self.module, self.settings.max_weight_norm)

    def unscale(self) -> None:
        """Bring gradients in the weights to their true size, before they are looked at."""
        if self.scaler is not None:
            self.scaler.unscale_(self.optimiser)

    def observe(self, value: float) -> None:
        """Tell a schedule that waits for plateaus what came of a row."""
        if isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step(value)

    def state(self) -> dict[str, Any]:
        """Everything that decides the next update, besides weights and gradients."""
        found = {"optimiser": self.optimiser.state_dict()}
        found |= {} if self.schedule is None else {"schedule": self.schedule.state_dict()}
        return found if self.scaler is None else found | {"scaler": self.scaler.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self.optimiser.load_state_dict(state["optimiser"])
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule"])
        if self.scaler is not None:
            self.scaler.load_state_dict(state["scaler"])


def _built(module: nn.Module, settings: TrainingSettings, own: OwnOptimiser | None) -> Optimizer:
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    if own is None:
        return _known(parameters, settings)
    for name, usual in _DEFAULTS.items():
        if getattr(settings, name) != usual:
            raise PolygeomError(f"{name} of settings has no effect with an optimiser of your own; say it there")
    optimiser = own if isinstance(own, Optimizer) else own(parameters)
    if not isinstance(optimiser, Optimizer):
        raise PolygeomError(
            f"optimiser must be a torch optimiser or make one of parameters, got {type(optimiser).__name__}; write "
            "optimiser=lambda weights: torch.optim.SGD(weights, lr=0.1)"
        )
    known = {id(parameter) for parameter in parameters}
    moved = {id(weight) for group in optimiser.param_groups for weight in group["params"]}
    if not moved <= known:
        raise PolygeomError(
            "optimiser must move weights of this module; make it of module.parameters(), after module.to(device)"
        )
    return optimiser


def _known(parameters: list[nn.Parameter], settings: TrainingSettings) -> Optimizer:
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimiser == "sgd":
        return torch.optim.SGD(
            parameters, lr=rate, momentum=settings.momentum, nesterov=settings.nesterov, weight_decay=decay
        )
    if settings.optimiser == "adadelta":
        return torch.optim.Adadelta(parameters, lr=rate, rho=0.95, weight_decay=decay)
    if settings.optimiser == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=rate, momentum=settings.momentum, weight_decay=decay)
    if settings.optimiser == "lbfgs":  # its memory lasts over calls, so that a call can be a single direction
        return torch.optim.LBFGS(
            parameters, lr=rate, max_iter=1, max_eval=25, tolerance_grad=0.0, tolerance_change=0.0,
            line_search_fn="strong_wolfe",
        )  # fmt: skip
    kind = torch.optim.Adam if settings.optimiser == "adam" else torch.optim.AdamW
    return kind(parameters, lr=rate, weight_decay=decay)


__all__ = ["Mover", "OwnOptimiser", "OwnSchedule"]
