"""Random weights: one vocabulary for networks and torch modules, and one calibration for networks.

Every layer of a network states the fan-in of its weights, the number of terms in the sums that they enter, and which of
them are biases (`polygeom.network.Network.fan_in`). So a diagonal of scales has fan-in 1 and a sparse matrix the number
of entries in a row, whatever the shapes and names of their weights are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from polygeom.checks import choice
from polygeom.engines.torch_engine import TorchEngine
from polygeom.network import Network

if TYPE_CHECKING:
    import numpy as np

INITIALISATIONS = {
    "unit": "normal, then scaled so that every linear map has outputs of mean square 1; networks of polygeom alone",
    "normal": "weights normal of variance 1 / fan-in, biases zero",
    "truncated": "the same with normal numbers cut off at two deviations before they are scaled, flax's default",
    "uniform": "weights and biases uniform in ± fan-in ** -0.5, torch's default for linear maps",
    "kaiming": "weights normal of variance 2 / fan-out, biases as for uniform",
    "variance2": "weights normal of variance 2, biases as for uniform",
    "standard": "weights and biases standard normal",
    "zero": "everything zero, to be filled by the caller",
}
"""What `initialisation` may be, everywhere."""

_TRUNCATED_DEVIATION = 0.87962566
"""The standard deviation of normal numbers cut off at ±2."""
_NEWTON, _BISECTIONS = 12, 80
_REACH = 40.0


def check_initialisation(name: str) -> None:
    """Refuse a name that is not in `INITIALISATIONS`."""
    choice("initialisation", name, INITIALISATIONS, "normal")


def draw(
    initialisation: str, shape: Sequence[int], fan_in: int, fan_out: int, generator: torch.Generator, *, bias: bool
) -> Tensor:
    """A weight of a shape, or a bias that belongs to a map with this fan-in; float64.

    Examples
    --------
    >>> generator = torch.Generator().manual_seed(0)
    >>> weight = draw("truncated", (3, 10_000), 10_000, 3, generator, bias=False)
    >>> round(float(weight.std()), 3), draw("normal", (3,), 10_000, 3, generator, bias=True).tolist()
    (0.01, [0.0, 0.0, 0.0])
    """
    check_initialisation(initialisation)
    if initialisation == "zero" or (bias and initialisation in ("unit", "normal", "truncated")):
        return torch.zeros(tuple(shape), dtype=torch.float64)
    if initialisation == "standard":
        return torch.randn(tuple(shape), generator=generator, dtype=torch.float64)
    if initialisation == "uniform" or bias:
        return (2 * torch.rand(tuple(shape), generator=generator, dtype=torch.float64) - 1) / math.sqrt(fan_in)
    if initialisation == "truncated":
        drawn = torch.empty(tuple(shape), dtype=torch.float64)
        nn.init.trunc_normal_(drawn, a=-2.0, b=2.0, generator=generator)
        return drawn / (_TRUNCATED_DEVIATION * math.sqrt(fan_in))
    variance = {"kaiming": 2 / fan_out, "variance2": 2.0}.get(initialisation, 1 / fan_in)
    return math.sqrt(variance) * torch.randn(tuple(shape), generator=generator, dtype=torch.float64)


def draw_network(network: Network, initialisation: str, generator: torch.Generator) -> dict[str, Tensor]:
    """All weights of a network by name, float64; ``"unit"`` as it is before `calibrated`.

    A bias belongs to the weight before it.
    """
    found, before = {}, 1
    for name, shape in network.parameters.items():
        fan_in = network.fan_in[name]
        found[name] = draw(initialisation, shape, fan_in or before, shape[0], generator, bias=not fan_in)
        before = fan_in or before
    return found


def calibrated(network: Network, weights: Mapping[str, Tensor], points: Tensor) -> dict[str, Tensor]:
    """Weights scaled so that every linear map has outputs of root mean square 1 at some points, one after the other.

    Parameters
    ----------
    network:
        Whose weights they are.
    weights:
        By name, of their shapes, or with one more axis in front for many sets of them; real or complex.
    points:
        ``(N, *input_shape)``.

    Returns
    -------
    The weights, each times one positive number for each set. Where a weight is used more than once, in tied networks,
    it is the output of its last use that has root mean square 1: no single factor could do it for all uses. Outputs of
    the network have it too, if they are those of a linear map. Biases and weights without effect stay.

    References
    ----------
    Mishkin, Matas, All you need is a good init (layer-sequential unit variance), arXiv 1511.06422.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> network = parse("[6,6,6,6,6,1] r=2 tied")
    >>> generator = torch.Generator().manual_seed(0)
    >>> x = torch.randn(100, 6, generator=generator, dtype=torch.float64)
    >>> weights = calibrated(network, draw_network(network, "normal", generator), x)
    >>> float(network.evaluate(TorchEngine(), weights, x).square().mean().round(decimals=9))
    1.0
    """
    many = any(w.ndim > len(network.parameters[name]) for name, w in weights.items())
    counting = _Uses({name: w[0] if many else w for name, w in weights.items()}, {})
    network.evaluate(counting, counting.weights, points[:2])
    shared = [name for name, count in counting.count.items() if count > 1]

    def sizes(own: dict[str, Tensor], logs: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        engine = _Uses(own, logs)
        network.evaluate(engine, own, points)
        return engine.sizes, engine.last

    measure = torch.func.vmap(sizes) if many else sizes
    given = dict(weights)

    def last(name: str, log: Tensor) -> Tensor:
        return measure(given, {**logs, name: log})[1][name]

    count = (len(next(iter(given.values()))),) if many else ()
    logs = {name: torch.zeros(count, dtype=torch.float64, device=points.device) for name in shared}
    for _ in range(len(shared) + (len(shared) > 1) * 8):
        for name in shared:
            logs[name] = _root(partial(last, name), logs[name])
    scales, _ = measure(given, logs)
    scales = {**scales, **{name: (-log).exp() for name, log in logs.items()}}
    return {
        name: w / scales[name].to(w).reshape(*count, *[1] * (w.ndim - len(count))) if name in scales else w
        for name, w in given.items()
    }


class _Uses(TorchEngine):
    """Divides outputs of linear maps by their root mean squares, and multiplies those of shared weights as told."""

    def __init__(self, weights: Mapping[str, Tensor], logs: Mapping[str, Tensor]) -> None:
        self.weights, self.logs = dict(weights), logs
        self.sizes: dict[str, Tensor] = {}
        self.last: dict[str, Tensor] = {}
        self.count: Counter[str] = Counter()
        self._names = {id(w): name for name, w in weights.items()}
        self._held: list[Tensor] = []

    def linear(self, x: Tensor, w: Tensor) -> Tensor:
        y = super().linear(x, w)
        name = self._names.get(id(w))
        if name is None:
            return y
        self.count[name] += 1
        if name in self.logs:
            y = y * self.logs[name].exp().to(y)
            self.last[name] = y.abs().square().mean().sqrt().log().double()
            return y
        size = y.abs().square().mean().sqrt()
        size = torch.where(torch.isfinite(size) & (size > 0), size, torch.ones_like(size))
        self.sizes[name] = size
        return y / size

    def arrange(self, w: Tensor, index: np.ndarray) -> Tensor:
        arranged = super().arrange(w, index)
        if id(w) in self._names:
            self._names[id(arranged)] = self._names[id(w)]
            self._held.append(arranged)  # so that no other tensor gets its id
        return arranged


def _root(value: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    """Where ``value``, nearly affine and growing, is zero: by secants, and by halving where these do not settle."""
    before, now = start - 1e-2, start
    low, high = value(before), value(now)
    for _ in range(_NEWTON):
        step = high * (now - before) / (high - low)
        before, low = now, high
        now = now - torch.where(torch.isfinite(step), step, torch.zeros_like(step)).clamp(-4, 4)
        high = value(now)
    settled = high.abs() < 1e-9
    if bool(settled.all()):
        return now
    left, right = torch.full_like(now, -_REACH), torch.full_like(now, _REACH)
    for _ in range(_BISECTIONS):
        middle = (left + right) / 2
        below = value(middle) < 0  # what overflows is not below
        left, right = torch.where(below, middle, left), torch.where(below, right, middle)
    halved = (left + right) / 2
    better = value(halved).abs() < high.abs()
    return torch.where(better & ~settled, halved, torch.where(torch.isfinite(high), now, start))


__all__ = ["INITIALISATIONS", "calibrated", "check_initialisation", "draw", "draw_network"]
