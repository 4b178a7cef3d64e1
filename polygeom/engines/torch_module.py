"""Networks over floats: any `Network` as an ordinary ``torch.nn.Module``.

The primitives are plain differentiable torch functions, so the module works with autograd, ``torch.func``,
``torch.compile`` and every optimiser; its ``state_dict`` has the weight names of the network (``W1``, ``b1``, …).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from polygeom.checks import seed
from polygeom.errors import PolygeomError
from polygeom.network import Network

INITIALISATIONS = ("unit", "normal", "zero")
_CALIBRATION_POINTS = 512


class TorchEngine:
    """The primitives of `polygeom.network.primitives` on tensors: point values ``(N, *shape)``, weights ``shape``."""

    def linear(self, x: Tensor, w: Tensor) -> Tensor:
        return nn.functional.linear(x, w)

    def bias(self, x: Tensor, b: Tensor) -> Tensor:
        return x + b

    def add(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y

    def multiply(self, x: Tensor, y: Tensor) -> Tensor:
        return x * y

    def power(self, x: Tensor, exponent: int) -> Tensor:
        return x if exponent == 1 else x**exponent

    def polynomial(self, x: Tensor, coefficients: Sequence[Fraction]) -> Tensor:
        value = torch.full_like(x, float(coefficients[-1]))
        for c in reversed(coefficients[:-1]):
            value = value * x + float(c)
        return value

    def matmul(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.matmul(x, y)

    def reindex(self, x: Tensor, index: np.ndarray) -> Tensor:
        flat = x.flatten(start_dim=1)
        return _take(flat, index, x.device).reshape(x.shape[0], *index.shape)

    def arrange(self, w: Tensor, index: np.ndarray) -> Tensor:
        return _take(w.reshape(1, -1), index, w.device).reshape(index.shape)


def _take(flat: Tensor, index: np.ndarray, device: torch.device) -> Tensor:
    """Columns of ``flat`` at the positions of ``index``; -1 gives zero."""
    if index.flags.writeable or torch.compiler.is_compiling():
        positions, kept = _positions(index, device)
    else:
        positions, kept = _kept_positions(_Constant(index), device)
    taken = flat.index_select(1, positions)
    return taken if kept is None else taken * kept.to(flat.dtype)


def _positions(index: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor | None]:
    """Positions to take, and where they are not -1 unless that is everywhere."""
    positions = torch.as_tensor(np.maximum(index, 0).ravel(), device=device)
    kept = torch.as_tensor((index >= 0).ravel(), device=device) if (index < 0).any() else None
    return positions, kept


class _Constant:
    """An index that no one writes to: the same object is the same index, so that its tensor is made once."""

    __slots__ = ("index",)

    def __init__(self, index: np.ndarray) -> None:
        self.index = index

    def __hash__(self) -> int:
        return id(self.index)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Constant) and other.index is self.index


@lru_cache(maxsize=256)
def _kept_positions(constant: _Constant, device: torch.device) -> tuple[Tensor, Tensor | None]:
    with torch.inference_mode(False):  # an inference tensor would be refused by autograd later
        return _positions(constant.index, device)


_ENGINE = TorchEngine()


class NetworkModule(nn.Module):
    """A polynomial network as a torch module with one parameter for each weight of the network.

    Parameters
    ----------
    network:
        What to compute.
    dtype, device:
        Of the parameters; float64, the default, matters wherever a rank is taken.
    initialisation:
        ``"unit"``: normal weights, then every linear map scaled so that its outputs have root mean square 1 on standard
        normal inputs, layer by layer (layer-sequential unit variance, arXiv 1511.06422); without it the values of
        networks of high degree explode or vanish. Biases start at zero.
        ``"normal"``: independent normal weights of variance 1/fan-in. ``"zero"``: zeros, to be filled by the caller.
    rng:
        Seed of the initial weights.

    Examples
    --------
    >>> import torch
    >>> from polygeom.network import parse
    >>> module = parse("[3,4,2] r=2").to_torch(rng=1)
    >>> module(torch.ones(5, 3, dtype=torch.float64)).shape, sorted(module.state_dict())
    (torch.Size([5, 2]), ['W1', 'W2'])
    """

    def __init__(
        self,
        network: Network,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str = "cpu",
        initialisation: str = "unit",
        rng: Any = 0,
    ) -> None:
        super().__init__()
        if initialisation not in INITIALISATIONS:
            raise PolygeomError(
                f"initialisation must be one of {', '.join(INITIALISATIONS)}, got {initialisation!r}; "
                'write initialisation="unit"'
            )
        self.network = network
        self._point_shape = network.input_shape
        for name, shape in network.parameters.items():
            self.register_parameter(name, nn.Parameter(torch.zeros(shape, dtype=dtype or torch.float64, device=device)))
        if initialisation != "zero":
            self._initialise(seed(rng), calibrate=initialisation == "unit")

    @torch.no_grad()
    def _initialise(self, rng: int, calibrate: bool) -> None:
        generator = torch.Generator().manual_seed(rng)
        for name, parameter in self.named_parameters():
            if fan_in := self.network.fan_in[name]:
                draw = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                parameter.copy_(draw / math.sqrt(fan_in))
        if calibrate:
            points = torch.randn(
                (_CALIBRATION_POINTS, *self.network.input_shape), generator=generator, dtype=torch.float64
            )
            weights = dict(self.named_parameters())
            self.network.evaluate(_Calibration(), weights, points.to(next(self.parameters())))

    def forward(self, x: Tensor) -> Tensor:
        """Outputs ``(N, *output_shape)`` at points ``(N, *input_shape)``."""
        if x.shape[1:] != self._point_shape:
            raise PolygeomError(
                f"x must have shape (N, {', '.join(map(str, self.network.input_shape))}), got {tuple(x.shape)}"
            )
        weights: Mapping[str, Tensor | None] = self._parameters
        weight = next(iter(weights.values()), None)
        if weight is not None and x.dtype != weight.dtype and not torch.is_autocast_enabled(x.device.type):
            raise PolygeomError(
                f"x must have the type of the weights, {weight.dtype}, got {x.dtype}; write x.to({weight.dtype}), or "
                f"to_torch(dtype={x.dtype if x.dtype.is_floating_point else torch.float32})"
            )
        plan = self.network.plan  # not kept here: modules are copied and pickled, plans are not
        if len(weights) != len(plan.parameters):  # some are computed from others, by torch's parametrizations
            weights = {name: getattr(self, name) for name in plan.parameters}
        value: Tensor = plan.run(_ENGINE, weights, x)
        return value

    def set_weights(self, weights: Mapping[str, np.ndarray | Tensor]) -> None:
        """Copy weights given by name, all of them, into the parameters."""
        missing = set(self.network.parameters) ^ set(weights)
        if missing:
            raise PolygeomError(
                f"weights must name exactly {', '.join(self.network.parameters)}; differing: {sorted(missing)}"
            )
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                value = torch.as_tensor(weights[name])
                if value.shape != parameter.shape:
                    raise PolygeomError(
                        f"weights {name} must have shape {tuple(parameter.shape)}, got {tuple(value.shape)}"
                    )
                parameter.copy_(value)

    def extra_repr(self) -> str:
        """The network's text, for torch's printing of modules."""
        return self.network.text


class _Calibration(TorchEngine):
    """Scales the weights of each linear map, in place, as it meets them, to outputs of root mean square 1."""

    def __init__(self) -> None:
        self._owners: dict[int, Tensor] = {}

    def linear(self, x: Tensor, w: Tensor) -> Tensor:
        y = super().linear(x, w)
        size = y.square().mean().sqrt()
        if not torch.isfinite(size) or size == 0:
            return y
        self._owners.get(id(w), w).div_(size)
        return y / size

    def arrange(self, w: Tensor, index: np.ndarray) -> Tensor:
        arranged = super().arrange(w, index)
        self._owners[id(arranged)] = w
        return arranged
