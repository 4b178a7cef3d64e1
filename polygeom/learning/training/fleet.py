r"""Many least-squares fits of one network at once: Levenberg–Marquardt over a batch of starts and data sets.

Questions such as "which share of random targets can be interpolated?" take thousands of small fits. Here ``B`` of them
run side by side, each with its own data, weights and damping, at hardly more cost than one. Fit ``b`` minimises
``|r|²``, ``r`` the ``m = N c`` residuals, by the steps of `polygeom.learning.training.damping`; weights may be complex.
A step is taken when it lowers the loss.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from polygeom._dataclass import dataclass, field
from polygeom.engines.initialisation import calibrated
from polygeom.engines.torch_engine import TorchEngine
from polygeom.engines.torch_perceptron import perceptron_jacobian, perceptron_values, written_out
from polygeom.errors import PolygeomError
from polygeom.learning import checks
from polygeom.learning.training import attempts
from polygeom.learning.training.damping import Damping, relative_step
from polygeom.network import Network
from polygeom.network.builder import as_network

REACHED, STATIONARY, STALLED, UNFINISHED = "reached", "stationary", "stalled", "unfinished"
"""What became of a fit: the tolerance; a zero of the gradient; no progress in floating point; out of steps."""

_STATES = (UNFINISHED, REACHED, STATIONARY, STALLED)
_FIRST_DAMPING = 1e-3
_LEAST_DAMPING = 1e-15
_LARGEST_DAMPING = 1e12
_ZERO_GRADIENT = 1e-11
_CALIBRATION_POINTS = 64
_TOLERANCE = 1e-24
_MANY_ATTEMPTS = 10_000
"""So many fits times steps are worth the half second that loading compiled kernels takes."""


@dataclass(frozen=True, eq=False)
class Fleet:
    """The ends of ``B`` fits.

    Attributes
    ----------
    network:
        What was fitted.
    weights:
        By name, shape ``(B, *shape)``.
    losses:
        Mean of the squared absolute residuals, shape ``(B,)``.
    steps:
        Attempted steps of each fit, shape ``(B,)``.
    states:
        ``"reached"`` (the tolerance), ``"stationary"`` (the gradient vanishes at a positive loss), ``"stalled"`` (no
        step lowers the loss in floating point), ``"unfinished"``; shape ``(B,)``.
    """

    network: Network
    weights: dict[str, Tensor]
    losses: Tensor
    steps: np.ndarray
    states: np.ndarray

    @property
    def reached(self) -> np.ndarray:
        """Which fits reached the tolerance, shape ``(B,)``."""
        return np.asarray(self.states == REACHED)

    def outputs(self, x: Tensor) -> Tensor:
        """Outputs of all fits at the same points ``(N, *input_shape)``; shape ``(B, N, *output_shape)``."""
        return fleet_outputs(self.network, self.weights, x.expand(len(self.losses), *x.shape))


def generic_points(network: Network, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Random input points, shape ``(*shape, *input_shape)``, on which values of high degree stay moderate.

    Uniform on the sphere of radius √dimension for homogeneous networks, whose values elsewhere follow;
    otherwise uniform in the cube of the same mean square.
    """
    size = network.input_dimension
    if network.degrees[0][0] == network.degree:
        x = torch.randn((*shape, size), generator=generator, dtype=torch.float64)
        x = x / torch.linalg.vector_norm(x, dim=-1, keepdim=True) * size**0.5
    else:
        x = (2 * torch.rand((*shape, size), generator=generator, dtype=torch.float64) - 1) * 3**0.5
    return x.reshape(*shape, *network.input_shape)


def random_starts(
    network: Network | str, count: int, *, rng: int = 0, dtype: torch.dtype = torch.float64, biases: float = 0.0
) -> dict[str, Tensor]:
    """Independent normal weights for ``count`` fits, scaled so that every linear map has outputs of mean square one.

    Parameters
    ----------
    network:
        A `Network` or its text.
    count:
        ``B``.
    rng:
        Seed.
    dtype:
        ``torch.float64``, or ``torch.complex128`` for complex weights.
    biases:
        Standard deviation of the biases. They are not scaled.

    Returns
    -------
    By name, shape ``(B, *shape)``. The scaling is `polygeom.engines.initialisation.calibrated`, that of
    ``initialisation="unit"``, on `generic_points`.

    Examples
    --------
    >>> {name: tuple(w.shape) for name, w in random_starts("[2,3,1] r=2", 5).items()}
    {'W1': (5, 3, 2), 'W2': (5, 1, 3)}
    """
    network = as_network(network)
    generator = torch.Generator().manual_seed(rng)
    weights = {}
    for name, shape in network.parameters.items():
        draw = torch.randn((count, *shape), generator=generator, dtype=dtype)
        weights[name] = draw if network.fan_in[name] else biases * draw
    return calibrated(network, weights, generic_points(network, (_CALIBRATION_POINTS,), generator).to(dtype))


def fleet_outputs(network: Network, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Outputs ``(B, N, *output_shape)`` of ``B`` sets of weights at their own points ``(B, N, *input_shape)``."""
    if written_out(network) is not None:
        return perceptron_values(network, weights, x)[-1]

    def outputs(own: dict[str, Tensor], points: Tensor) -> Tensor:
        value: Tensor = network.evaluate(TorchEngine(), own, points)
        return value

    return torch.func.vmap(outputs)(dict(weights), x)


def fit_fleet(
    network: Network | str,
    inputs: Tensor,
    targets: Tensor,
    starts: Mapping[str, Tensor],
    *,
    fixed: Collection[str] = (),
    steps: int = 300,
    tolerance: float = _TOLERANCE,
) -> Fleet:
    """Fit a network to ``B`` data sets from ``B`` starts by Levenberg–Marquardt, all at once.

    Parameters
    ----------
    network:
        A `Network` or its text.
    inputs, targets:
        Shapes ``(B, N, *input_shape)`` and ``(B, N, *output_shape)``; real inputs and targets are converted for complex
        starts.
    starts:
        Weights to start from, as from `random_starts`. The dtype decides: float64, or complex128.
    fixed:
        Names of weights that stay as they are.
    steps:
        Most attempts at a step.
    tolerance:
        A fit ends when its loss is at most ``tolerance`` times the mean square of its targets.

    Returns
    -------
    `Fleet`. Deterministic: nothing is drawn. Fits do not influence each other beyond rounding.

    Raises
    ------
    PolygeomError
        When shapes, names or dtypes do not fit.

    References
    ----------
    Madsen, Nielsen, Tingleff, Methods for Non-Linear Least Squares Problems (2004), Algorithm 3.16.

    Examples
    --------
    >>> x = torch.linspace(-1, 1, 12, dtype=torch.float64).reshape(3, 4, 1)
    >>> fleet = fit_fleet("[1,1,1] r=2", x, 5 * x**2, random_starts("[1,1,1] r=2", 3))
    >>> fleet.states.tolist()
    ['reached', 'reached', 'reached']
    """
    network = as_network(network)
    inputs, targets = _numbers(inputs, "inputs"), _numbers(targets, "targets")
    starts = {name: _numbers(weights, f"starts[{name!r}]") for name, weights in starts.items()}
    run = _Run(network, inputs, targets, starts, frozenset(fixed), tolerance)
    if len(inputs) * steps >= _MANY_ATTEMPTS:
        run.compile()
    for _ in range(steps):
        if not run.step():
            break
    return run.result()


class _Run:
    """The state of all fits; ``active`` lists those that go on."""

    def __init__(
        self,
        network: Network,
        inputs: Tensor,
        targets: Tensor,
        starts: Mapping[str, Tensor],
        fixed: frozenset[str],
        tolerance: float,
    ) -> None:
        _check(network, inputs, targets, starts, fixed)
        dtype = next(iter(starts.values())).dtype
        self.network = network
        self.names = [name for name in network.parameters if name not in fixed]
        self.fixed = {name: starts[name] for name in fixed}
        self.count = len(inputs)
        self.x, self.y = inputs.to(dtype), targets.to(dtype)
        self.w = torch.cat([starts[name].reshape(self.count, -1) for name in self.names], dim=1)
        self.written_out = written_out(network) is not None
        self.compiled: Any = None  # what takes damped steps
        self.attempts: Any = None  # what makes whole attempts
        self.losses = torch.empty(self.count, dtype=torch.float64)
        self.goal = tolerance * self.y.abs().square().reshape(self.count, -1).mean(dim=1)
        self.damping = Damping(
            torch.full((self.count,), _FIRST_DAMPING, dtype=torch.float64), least=_LEAST_DAMPING
        )  # relative to the mean diagonal of J* J
        self.steps = torch.zeros(self.count, dtype=torch.long)
        self.state = torch.zeros(self.count, dtype=torch.long)
        self.active = _Active(torch.arange(self.count), self.w, self.fixed, self.x, self.y)
        self.active.residuals = self._residuals(self.active.w)
        self.losses = self._loss(self.active.residuals)
        self.state[~torch.isfinite(self.losses)] = 3
        self.state[self.losses <= self.goal] = 1
        self.active = self.active.only(self.state == 0)

    def compile(self) -> None:
        """Load the kernels for this network, if any."""
        size = self.y[0].numel(), self.w.shape[1]
        self.attempts, self.compiled = attempts.kernels(self.network, self.names, size, self.w.is_complex())

    def _unflatten(self, w: Tensor) -> dict[str, Tensor]:
        sizes = [math.prod(self.network.parameters[name]) for name in self.names]
        parts = torch.split(w, sizes, dim=1)
        return {
            name: part.reshape(len(w), *self.network.parameters[name])
            for name, part in zip(self.names, parts, strict=True)
        }

    def _residuals(self, w: Tensor) -> Tensor:
        """Of the active fits at weights ``(A, P)``, shape ``(A, m)``."""
        found = fleet_outputs(self.network, self._unflatten(w) | self.active.held, self.active.x) - self.active.y
        return found.reshape(len(w), -1)

    @staticmethod
    def _loss(residuals: Tensor) -> Tensor:
        return residuals.abs().square().mean(dim=1)

    def _jacobian(self) -> Tensor:
        """Shape ``(A, m, P)``; reverse mode returns conjugates of holomorphic derivatives."""
        network, dtype, active = self.network, self.w.dtype, self.active
        own = self._unflatten(active.w)
        if self.written_out:
            return perceptron_jacobian(network, own | active.held, active.x, self.names)
        units = torch.eye(network.output_dimension, dtype=dtype)

        def at_point(own: dict[str, Tensor], held: dict[str, Tensor], point: Tensor) -> dict[str, Tensor]:
            def outputs(own: dict[str, Tensor]) -> Tensor:
                value: Tensor = network.evaluate(TorchEngine(), {**own, **held}, point.unsqueeze(0))
                return value.reshape(-1)

            pull_back = torch.func.vjp(outputs, own)[1]
            rows: dict[str, Tensor] = torch.func.vmap(lambda unit: pull_back(unit)[0])(units)
            return rows

        per_fit = torch.func.vmap(at_point, in_dims=(None, None, 0))
        parts = torch.func.vmap(per_fit)(own, active.held, active.x)
        rows = active.residuals.shape[1]
        whole = torch.cat([parts[name].reshape(len(active.w), rows, -1) for name in self.names], dim=2)
        return whole.conj().resolve_conj() if whole.is_complex() else whole

    def step(self) -> bool:
        """One attempt for every active fit; False when none is left."""
        active = self.active
        index, residuals = active.index, active.residuals
        if not len(index):
            return False
        relative = self.damping.value[index]
        if self.attempts is not None:
            own = self._unflatten(active.w)
            found = self.attempts(own, active.held, active.x, active.y, relative)
            direction, gradient, squares, damping, trial_residuals = found
            trial = active.w + direction
        else:
            found = relative_step(self._jacobian(), residuals, relative, self.compiled)
            direction, gradient, squares, damping = found
            trial = active.w + direction
            trial_residuals = self._residuals(trial)
        size = squares.sqrt() * torch.linalg.vector_norm(residuals, dim=1)
        flat = torch.linalg.vector_norm(gradient, dim=1) <= _ZERO_GRADIENT * size
        losses, before = self._loss(trial_residuals), self.losses[index]
        drop = residuals.shape[1] * (before - losses)
        better = self.damping.judge(drop, direction, gradient, damping, index)
        active.w = torch.where(better[:, None], trial, active.w)
        active.residuals = torch.where(better[:, None], trial_residuals, residuals)
        self.losses[index] = now = torch.where(better, losses, before)
        self.steps[index] += 1
        state = torch.zeros_like(index)
        state[self.damping.value[index] > _LARGEST_DAMPING] = 3
        state[flat] = 2
        state[now <= self.goal[index]] = 1
        going = state == 0
        if not going.all():
            self.state[index] = state
            self.w[index] = active.w
            self.active = active.only(going)
        return True

    def result(self) -> Fleet:
        self.w[self.active.index] = self.active.w
        weights = self._unflatten(self.w) | self.fixed
        states = np.array(_STATES)[self.state.numpy()]
        ordered = {name: weights[name] for name in self.network.parameters}
        return Fleet(self.network, ordered, self.losses, self.steps.numpy(), states)


@dataclass(eq=False)
class _Active:
    """The fits that go on: their numbers, weights ``(A, P)``, fixed weights, data and residuals ``(A, m)``."""

    index: Tensor
    w: Tensor
    held: dict[str, Tensor]
    x: Tensor
    y: Tensor
    residuals: Tensor = field(default_factory=lambda: torch.empty(0))

    def only(self, which: Tensor) -> _Active:
        """Some of them."""
        held = {name: value[which] for name, value in self.held.items()}
        parts = (self.x[which], self.y[which], self.residuals[which])
        return _Active(self.index[which], self.w[which], held, *parts)


def _numbers(value: Any, name: str) -> Tensor:
    """A tensor of real or complex numbers, from arrays and lists too."""
    kept = isinstance(value, Tensor) and value.is_complex() and value.layout is torch.strided
    found: Tensor = (value if kept else checks.tensor(value, name)).detach()
    return found


def _check(
    network: Network, inputs: Tensor, targets: Tensor, starts: Mapping[str, Tensor], fixed: frozenset[str]
) -> None:
    if set(starts) != set(network.parameters) or not fixed < set(network.parameters):
        raise PolygeomError(
            f"starts must name exactly {', '.join(network.parameters)}, and fixed some but not all of them; got "
            f"{sorted(starts)} and {sorted(fixed)}; write starts=random_starts(network, count)"
        )
    if not (inputs.isfinite().all() and targets.isfinite().all()):
        raise PolygeomError("inputs and targets must be finite, got NaN or infinite entries; leave those fits out")
    if (
        inputs.ndim < 2
        or not inputs.numel()
        or ((targets.is_complex() or inputs.is_complex()) and not all(w.is_complex() for w in starts.values()))
    ):
        raise PolygeomError(
            f"inputs must have shape (B, N, …) and be complex only with complex starts, got {tuple(inputs.shape)}, "
            f"{inputs.dtype}, targets {targets.dtype}; write random_starts(network, count, dtype=torch.complex128)"
        )
    count = len(inputs)
    shapes = {name: tuple(w.shape) for name, w in starts.items()}
    wanted = {name: (count, *shape) for name, shape in network.parameters.items()}
    if shapes != wanted:
        raise PolygeomError(f"starts must have shapes {wanted}, one entry for each of the {count} fits; got {shapes}")
    if inputs.shape[2:] != network.input_shape or targets.shape != (*inputs.shape[:2], *network.output_shape):
        raise PolygeomError(
            f"inputs and targets must have shapes (B, N, {', '.join(map(str, network.input_shape))}) and "
            f"(B, N, {', '.join(map(str, network.output_shape))}), got {tuple(inputs.shape)} and {tuple(targets.shape)}"
        )
    kinds = {w.dtype for w in starts.values()}
    if not kinds <= {torch.float64} and not kinds <= {torch.complex128}:
        raise PolygeomError(f"starts must be all float64 or all complex128, got {sorted(map(str, kinds))}")


__all__ = [
    "REACHED",
    "STALLED",
    "STATIONARY",
    "UNFINISHED",
    "Fleet",
    "fit_fleet",
    "fleet_outputs",
    "generic_points",
    "random_starts",
]
