"""Tempered Markov chains, many at once: Hamiltonian Monte Carlo, adjusted Langevin, stochastic gradient Langevin.

A replica is a ladder of inverse temperatures ``b``, one chain each, of densities ``exp(-b K(w)) φ(w)`` with a Gaussian
``φ`` around a centre. All chains of all replicas around all centres are one batch. Neighbours on a ladder swap their
weights, so that cold chains move as freely as warm ones. Steps are tuned during the warm-up, first chain by chain, then
level by level; some moves are far shorter, for the places where the posterior is narrow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from polygeom._dataclass import dataclass, field
from polygeom.checks import choice, integer
from polygeom.errors import PolygeomError
from polygeom.learning.functions.directions import LEAST, Directions, directions_at

SAMPLERS = ("hmc", "mala", "sgld")
LADDER = tuple(10.0 * 4.0**k for k in range(9))
"""Inverse temperatures from 10 to 655,360."""
_WANTED = {"hmc": 0.7, "mala": 0.55}
_SGLD_SHARE = 0.3
"""SGLD takes this share of the step at which the exact Langevin sampler accepts as it should."""

_ANNEALED = 0.75
"""The share of the warm-up in which chains cool from the prior, so that they start far apart."""
_OWN = 0.3
"""How fast each chain's step follows its acceptance while it cools."""
_FAR = 0.1
"""Chains start this share of the prior apart, along the directions in which the loss is flat."""
_INSIDE = 0.7
"""And within this share of what they may reach."""
_WALL = 4.0
"""One over the variance of ``exp(-u⁸)``, about."""
_SHORT = 0.2
"""The share of short moves; each is by a factor between 1 and `_SHORTEST`."""
_SHORTEST = 0.03

Energy = Callable[[Tensor], Tensor]
"""From weights ``(B, P)`` to ``K``, shape ``(B,)``. A method ``slopes``, if there is one, gives ``K`` and its slope."""


@dataclass(frozen=True)
class SamplerSettings:
    """How chains move.

    Parameters
    ----------
    sampler:
        One of `SAMPLERS`.
    betas:
        The ladder, increasing, each above 1.
    chains:
        Independent replicas of the whole ladder.
    warmup, draws:
        Moves in which steps are tuned, and moves that count.
    leapfrog:
        Largest number of leapfrog steps of one move of HMC; the number is drawn anew for each.
    spread:
        Standard deviation of the Gaussian prior around the centre.
    batch:
        For SGLD: samples in one gradient; all of them if None.
    reach:
        By about how much a weight may differ from the centre: the prior falls off like ``exp(-(change / reach)⁸)``. No
        bound if None.
    share:
        The same for weights that are not zero, in units of the root mean square of those in the same row of the tensor;
        zeros are free. So what is singular here is sampled, and nothing else becomes so. No bound if None.
    """

    sampler: str = "hmc"
    betas: Sequence[float] = LADDER
    chains: int = 16
    warmup: int = 150
    draws: int = 400
    leapfrog: int = 8
    spread: float = 1.0
    batch: int | None = None
    reach: float | None = None
    share: float | None = None

    def __post_init__(self) -> None:
        choice("sampler", self.sampler, SAMPLERS, "hmc")
        integer("chains", self.chains, 2)
        integer("draws", self.draws, 4)
        integer("warmup", self.warmup, 0)
        integer("leapfrog", self.leapfrog)
        ladder = list(self.betas)
        if len(ladder) < 2 or ladder[0] <= 1 or sorted(set(ladder)) != ladder or not math.isfinite(ladder[-1]):
            raise PolygeomError(f"betas must be at least two increasing numbers above 1, got {ladder}; leave it out")
        if not 0 < self.spread < math.inf:
            raise PolygeomError(f"spread must be a positive number, got {self.spread}; write spread=1.0")
        for name, value in (("reach", self.reach), ("share", self.share)):
            if value is not None and not 0 < value < math.inf:
                raise PolygeomError(f"{name} must be a positive number, got {value}; write {name}=0.3")
        if self.batch is not None:
            integer("batch", self.batch)
            if self.sampler != "sgld":
                raise PolygeomError('batch has an effect on sampler="sgld" alone; leave it out')


_Slopes = Callable[..., tuple[Tensor, Tensor]]
"""From weights ``(G, L, C, P)``, and another energy if wanted, to energies ``(G, L, C)`` and slopes."""


@dataclass(frozen=True)
class _Prior:
    """A Gaussian around ``centre`` times walls: ``exp(-|w - c|² precision / 2 - Σ ((w_i - c_i) / reach_i)⁸)``.

    Walls that are hard stop chains that are pressed against them: every step along the valley leaves.

    Attributes
    ----------
    centre:
        ``(G, L, C, P)``.
    precision:
        ``(G, 1, 1)``.
    inverse:
        ``1 / reach``, ``(G, 1, 1, P)``; None without walls.
    """

    centre: Tensor
    precision: Tensor
    inverse: Tensor | None

    def energy(self, weights: Tensor) -> Tensor:
        """Minus the logarithm of its density up to a constant."""
        away = weights - self.centre
        found = self.precision / 2 * away.square().sum(-1)
        return found if self.inverse is None else found + (away * self.inverse).square().square().square().sum(-1)

    def slope(self, weights: Tensor) -> Tensor:
        """The gradient of that."""
        away = weights - self.centre
        found = self.precision[..., None] * away
        if self.inverse is None:
            return found
        square = (away * self.inverse).square()
        return found + 8 * square.square() * square * away * self.inverse.square()

    def curvature(self) -> Tensor:
        """What its second derivatives are about, ``(G, 1, 1, P)``."""
        flat = self.precision[..., None].expand(-1, -1, -1, self.centre.shape[-1])
        return flat if self.inverse is None else flat + _WALL * self.inverse.square()


@dataclass
class _Chains:
    """The state of all chains: weights ``(G, L, C, P)``, energies and slopes, and running counts."""

    weights: Tensor
    energy: Tensor
    slope: Tensor
    steps: Tensor
    accepted: Tensor
    swapped: Tensor
    trace: list[Tensor] = field(default_factory=list)


def sample_energies(
    energy: Energy,
    centres: Tensor,
    settings: SamplerSettings,
    *,
    rng: int = 0,
    noisy: Energy | None = None,
    spreads: Tensor | None = None,
    reach: Tensor | None = None,
    observe: Callable[[Tensor], None] | None = None,
    least: float = LEAST,
) -> tuple[Tensor, Tensor, Tensor]:
    """Traces of ``K`` along chains around several centres at once.

    Parameters
    ----------
    energy:
        ``K`` at weights ``(G · L · C, P)``: groups, levels, chains, in this order.
    centres:
        ``(G, P)``, where the prior of each group sits; chains start there at high temperature and are cooled.
    settings:
        See `SamplerSettings`.
    rng:
        Seed.
    noisy:
        For SGLD: an estimate of ``K`` from a minibatch, whose slope is used; ``energy`` if None.
    spreads:
        ``(G,)``: standard deviations of the priors, in place of that of the settings.
    reach:
        ``(G, P)``: by about how much each weight may differ from the centre, in place of that of the settings.
    observe:
        Called with the weights ``(G, L, C, P)`` after every move that counts.
    least:
        Steps are at most so much longer along the valley as if the loss had this share of its largest curvature there.

    Returns
    -------
    ``K`` of shape ``(draws, G, L, C)``, and shares of accepted moves and swaps, ``(G, L)``.
    """
    generator = torch.Generator().manual_seed(rng)
    groups, size = centres.shape
    betas = torch.tensor(list(settings.betas), dtype=torch.float64)
    shape = (groups, len(betas), settings.chains)
    centre = centres[:, None, None, :].expand(*shape, size)
    spread = torch.full((groups,), settings.spread, dtype=torch.float64) if spreads is None else spreads
    beta = betas[None, :, None].expand(shape)
    bound = torch.full((groups, size), settings.reach or math.inf).double() if reach is None else reach
    bound = bound[:, None, None]
    inverse = bound.reciprocal() if bool(bound.isfinite().any()) else None
    prior = _Prior(centre, spread[:, None, None].square().reciprocal(), inverse)

    def at(weights: Tensor, function: Energy = energy) -> tuple[Tensor, Tensor]:
        flat = weights.reshape(-1, size).detach()
        written_out = getattr(function, "slopes", None)
        value, slope = by_autograd(function, flat) if written_out is None else written_out(flat)
        return value.reshape(shape), slope.reshape(weights.shape)

    directions = directions_at(lambda weights: at(weights)[1], centre, least)
    away = directions.far(beta, _FAR * spread, _normal(centre.shape, generator))
    start = centre + away.clamp(-_INSIDE * bound, _INSIDE * bound)
    value, slope = at(start)
    zero = torch.zeros(groups, len(betas), dtype=torch.float64)
    steps = torch.full(shape, 0.3, dtype=torch.float64)
    chains = _Chains(start, value, slope, steps, zero.clone(), zero.clone())
    sgld = settings.sampler == "sgld"
    wanted = _WANTED.get(settings.sampler, _WANTED["mala"])
    cooled = int(_ANNEALED * settings.warmup)
    for number in range(settings.warmup + settings.draws):
        warm = number < settings.warmup
        now = beta ** min(1.0, (number + 1) / max(cooled, 1))
        if number == settings.warmup:
            chains.accepted.zero_()
            chains.swapped.zero_()
            if sgld:
                chains.steps *= _SGLD_SHARE**0.5
        if sgld and not warm:
            _langevin(chains, at, now, prior, directions, generator, noisy)
        else:
            share = _metropolis(chains, at, now, prior, directions, settings, generator)
            if warm:
                if number == cooled:
                    chains.steps = chains.steps.log().mean(-1, keepdim=True).expand(shape).exp()
                alone = share if number < cooled else share.mean(-1, keepdim=True)
                gain = _OWN if number < cooled else 1.5 / (1 + number - cooled) ** 0.5
                chains.steps = chains.steps * torch.exp((alone - wanted) * gain)
        _swap(chains, now, number, generator)
        if not warm:
            chains.trace.append(chains.energy.clone())
            if observe is not None:
                observe(chains.weights)
    moves = max(settings.draws, 1)
    return torch.stack(chains.trace), chains.accepted / moves, chains.swapped * 2 / moves


def by_autograd(function: Energy, flat: Tensor) -> tuple[Tensor, Tensor]:
    """Energies ``(B,)`` and their gradients ``(B, P)`` at weights ``(B, P)``."""
    flat = flat.detach().requires_grad_()
    value = function(flat)
    (slope,) = torch.autograd.grad(value.sum(), flat)
    return value.detach(), slope


def _normal(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    return torch.randn(tuple(shape), generator=generator, dtype=torch.float64)


def _metropolis(
    chains: _Chains, at: _Slopes, beta: Tensor, prior: _Prior, directions: Directions, settings: SamplerSettings,
    generator: torch.Generator,
) -> Tensor:  # fmt: skip
    """One move of every chain by leapfrog steps (one of them: MALA); returns the chances ``(G, L, C)``."""
    count = 1 if settings.sampler != "hmc" else int(torch.randint(1, settings.leapfrog + 1, (), generator=generator))
    uniform = torch.rand((3, *beta.shape), generator=generator, dtype=torch.float64)
    short = torch.where(uniform[1] < _SHORT, _SHORTEST ** uniform[2], 1.0)
    step = chains.steps * (0.8 + 0.4 * uniform[0]) * short
    momentum = _normal(chains.weights.shape, generator)
    before = beta * chains.energy + prior.energy(chains.weights) + momentum.square().sum(-1) / 2
    weights, value, slope = chains.weights, chains.energy, chains.slope
    e = step[..., None] * directions.scales(beta, prior.curvature())
    kick = e / 2 * directions.along(beta[..., None] * slope + prior.slope(weights))
    for _ in range(count):
        momentum = momentum - kick
        weights = weights + directions.back(e * momentum)
        value, slope = at(weights)
        kick = e / 2 * directions.along(beta[..., None] * slope + prior.slope(weights))
        momentum = momentum - kick
    after = beta * value + prior.energy(weights) + momentum.square().sum(-1) / 2
    chance = torch.nan_to_num((before - after).clamp(max=0), nan=-math.inf).exp()
    taken = torch.rand(beta.shape, generator=generator, dtype=torch.float64) < chance
    chains.weights = torch.where(taken[..., None], weights, chains.weights)
    chains.slope = torch.where(taken[..., None], slope, chains.slope)
    chains.energy = torch.where(taken, value, chains.energy)
    chains.accepted += chance.mean(-1)
    return chance


def _langevin(
    chains: _Chains, at: _Slopes, beta: Tensor, prior: _Prior, directions: Directions, generator: torch.Generator,
    noisy: Energy | None,
) -> None:  # fmt: skip
    """One step of SGLD, never refused."""
    _, slope = (None, chains.slope) if noisy is None else at(chains.weights, noisy)
    e = chains.steps[..., None] * directions.scales(beta, prior.curvature())
    drift = directions.along(beta[..., None] * slope + prior.slope(chains.weights))
    move = e * _normal(chains.weights.shape, generator) - e.square() / 2 * drift
    chains.weights = chains.weights + directions.back(move)
    chains.energy, chains.slope = at(chains.weights)
    chains.accepted += 1


def _swap(chains: _Chains, beta: Tensor, number: int, generator: torch.Generator) -> None:
    """Neighbouring levels of each replica swap their weights with the chance that leaves their joint law as it is."""
    first = number % 2
    low = torch.arange(first, beta.shape[1] - 1, 2)
    if not len(low):
        return
    gain = (beta[:, low + 1] - beta[:, low]) * (chains.energy[:, low + 1] - chains.energy[:, low])
    taken = torch.rand(gain.shape, generator=generator, dtype=torch.float64) < gain.clamp(max=0).exp()
    chains.swapped[:, low] += taken.double().mean(-1)
    order = torch.arange(beta.shape[1])[None, :, None].repeat(beta.shape[0], 1, beta.shape[2])
    order[:, low] = torch.where(taken, order[:, low] + 1, order[:, low])
    order[:, low + 1] = torch.where(taken, order[:, low + 1] - 1, order[:, low + 1])
    chains.energy = chains.energy.gather(1, order)
    wide = order[..., None].expand_as(chains.weights)
    chains.weights, chains.slope = chains.weights.gather(1, wide), chains.slope.gather(1, wide)


def effective_samples(trace: np.ndarray) -> float:
    """Effective number of samples of chains ``(draws, chains)``: Geyer's initial positive sequence.

    Examples
    --------
    >>> noise = np.random.default_rng(0).normal(size=(1000, 4))
    >>> 3000 < effective_samples(noise) < 5000
    True
    """
    draws, chains = trace.shape
    centred = trace - trace.mean()
    spectrum = np.abs(np.fft.rfft(centred, 2 * draws, axis=0)) ** 2
    covariance = np.fft.irfft(spectrum, axis=0)[:draws].mean(axis=1) / draws
    if not covariance[0] > 0:
        return float(draws * chains)
    rho = covariance / covariance[0]
    pairs = rho[: draws // 2 * 2].reshape(-1, 2).sum(axis=1)
    negative = np.flatnonzero(pairs <= 0)
    kept = np.minimum.accumulate(pairs[: negative[0] if len(negative) else len(pairs)])
    return float(draws * chains / max(2 * kept.sum() - 1, 1e-3))


def split_rhat(trace: np.ndarray) -> float:
    """R-hat of chains ``(draws, chains)``, each cut in two halves (Gelman et al., *Bayesian Data Analysis*, 11.4)."""
    half = len(trace) // 2
    parts = np.concatenate([trace[:half], trace[half : 2 * half]], axis=1)
    within, between = parts.var(axis=0, ddof=1).mean(), parts.mean(axis=0).var(ddof=1)
    return float(math.sqrt((half - 1) / half + between / within)) if within > 0 else 1.0
