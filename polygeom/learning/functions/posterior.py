r"""Learning coefficients by sampling: many tempered chains side by side, for any torch module.

With ``K(w) = L(w) - L(w_0)`` and a Gaussian prior around ``w_0``, the mean of ``b K`` under the density
``exp(-b K(w)) φ(w)`` is ``-b ∂ log Z / ∂ b``, where ``Z(b) ≈ c b^{-λ} (log b)^{m-1}`` (Watanabe 2009). So

.. math::  b\,\mathrm{E}_b[K] = λ - \frac{m-1}{\log b} + \dots

A ladder of inverse temperatures ``b`` is sampled at once (`polygeom.learning.functions.sampling`); the values at its
colder half are fitted by this formula. Hamiltonian Monte Carlo and the Metropolis-adjusted Langevin algorithm are exact
up to the error they state; stochastic gradient Langevin dynamics is biased by its step, as everywhere.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from polygeom._dataclass import dataclass
from polygeom.checks import seed
from polygeom.engines.torch_module import NetworkModule
from polygeom.errors import PolygeomError
from polygeom.learning import checks
from polygeom.learning.calls import call_with
from polygeom.learning.functions.perceptrons import PerceptronEnergy
from polygeom.learning.functions.sampling import (
    Energy,
    SamplerSettings,
    by_autograd,
    effective_samples,
    sample_energies,
    split_rhat,
)


@dataclass(frozen=True, eq=False)
class CoefficientEstimate:
    """A sampled learning coefficient.

    Attributes
    ----------
    value, error:
        The fitted ``λ`` and its standard error: of independent replicas, widened for their small number so that three
        of them contain what they do for a normal law, and with the drift in it.
    drift:
        By how much the corrected levels change from the warmer to the colder ones that are fitted, beyond two
        standard errors: a sign that the limit is not reached. It enters the error twice: corrections by
        ``1 / (log b + c)`` go on by 1.3 times what is seen, slow powers such as ``b^{-1/12}`` by 2.4 times.
    slope, slope_error:
        The fitted ``m - 1`` of the log-log correction; the given one, without error, if the multiplicity was.
    betas, levels, level_errors:
        The ladder ``b``, and ``b E[K]`` there with standard errors.
    effective:
        Effective number of samples of ``K`` at each ``b``, all chains together.
    rhat:
        Potential scale reduction of ``K`` at each ``b`` over split chains: 1 where they agree.
    acceptance, swaps:
        Shares of accepted moves and swaps at each ``b`` (the last one swaps with none).
    sampler, chains, draws, seed:
        How it was made.
    seconds:
        Wall time of warm-up and draws.
    """

    value: float
    error: float
    drift: float
    slope: float
    slope_error: float
    betas: np.ndarray
    levels: np.ndarray
    level_errors: np.ndarray
    effective: np.ndarray
    rhat: np.ndarray
    acceptance: np.ndarray
    swaps: np.ndarray
    sampler: str
    chains: int
    draws: int
    seed: int
    seconds: float

    @property
    def converged(self) -> bool:
        """Whether every level has R-hat below 1.1 and at least 100 effective samples."""
        return bool((self.rhat < 1.1).all() and (self.effective >= 100).all())

    def __str__(self) -> str:
        return f"learning coefficient {self.value:.3f} ± {self.error:.3f} ({self.sampler}, {self.chains} chains)"


def summarise(
    trace: Tensor, acceptance: Tensor, swaps: Tensor, settings: SamplerSettings, *,
    multiplicity: int | None, rng: int, elapsed: float,
) -> CoefficientEstimate:  # fmt: skip
    """The estimate from traces ``(draws, L, C)`` of one group."""
    betas = np.array(list(settings.betas))
    scaled = betas[None, :, None] * trace.numpy()
    means = scaled.mean(axis=0)
    inverse, values = 1 / np.log(fitted(betas)), fitted(means)
    root = math.sqrt(settings.chains)
    if multiplicity is None:
        design = np.stack([np.ones_like(inverse), -inverse], axis=1)
        fits = np.linalg.lstsq(design, values, rcond=None)[0]
        change = values - design @ fits
    else:
        change = values + (multiplicity - 1) * inverse[:, None]
        corrected = change.mean(axis=0)
        fits = np.stack([corrected, np.full_like(corrected, multiplicity - 1.0)])
    half = max(len(change) // 2, 1)
    moved = change[-half:].mean(axis=0) - change[:half].mean(axis=0)
    drift = max(float(abs(moved.mean()) - 2 * _widened(settings.chains) * moved.std(ddof=1) / root), 0.0)
    centre, deviation = fits.mean(axis=1), _widened(settings.chains) * fits.std(axis=1, ddof=1) / root
    return CoefficientEstimate(
        value=float(centre[0]),
        error=math.hypot(float(deviation[0]), 2 * drift),
        drift=drift,
        slope=float(centre[1]),
        slope_error=float(deviation[1]),
        betas=betas,
        levels=means.mean(axis=1),
        level_errors=means.std(axis=1, ddof=1) / root,
        effective=np.array([effective_samples(scaled[:, k]) for k in range(len(betas))]),
        rhat=np.array([split_rhat(scaled[:, k]) for k in range(len(betas))]),
        acceptance=acceptance.numpy(),
        swaps=swaps.numpy(),
        sampler=settings.sampler,
        chains=settings.chains,
        draws=settings.draws,
        seed=rng,
        seconds=elapsed,
    )


def fitted(levels: np.ndarray) -> np.ndarray:
    """The levels of a ladder, along the first axis, that the fit uses: the colder half; all of a short ladder."""
    return levels[len(levels) // 2 :] if len(levels) > 3 else levels


def _widened(replicas: int) -> float:
    """By which a standard error of so many replicas is multiplied: three of them for Student's law and a normal one."""
    from scipy.stats import norm, t

    return float(t.isf(norm.sf(3), replicas - 1) / 3)


def module_energy(
    module: nn.Module, inputs: Tensor, targets: Tensor | None, loss: Callable[[Tensor, Tensor], Tensor] | None
) -> tuple[Energy, Callable[[Tensor], Energy], Tensor]:
    """``K`` of a module at weights ``(B, P)``, the same on chosen samples, and its present weights ``(P,)``."""
    checks.refuse_batch_statistics(module)
    double = copy.deepcopy(module).double()
    names = [name for name, p in double.named_parameters() if p.requires_grad]
    parts = [double.get_parameter(name).detach() for name in names]
    if not parts:
        raise PolygeomError("module must have weights that are trained; write a module with parameters")
    if loss is None:
        x, _ = checks.accept(double, double, inputs, name="inputs")
    else:
        x = checks.points(inputs, parts[0], name="inputs", integers=checks.reads_integers(double))
    if isinstance(double, NetworkModule) and double.network.widths is not None and targets is None and loss is None:
        return _of_perceptron(double, x)
    sizes, shapes = [p.numel() for p in parts], [p.shape for p in parts]
    with torch.no_grad():
        y = double(x) if targets is None else targets.double() if targets.is_floating_point() else targets
    measure = _half_square if loss is None else loss

    def one(flat: Tensor, rows: Tensor | None = None) -> Tensor:
        pieces = (piece.reshape(s) for piece, s in zip(torch.split(flat, sizes), shapes, strict=True))
        weights = dict(zip(names, pieces, strict=True))
        some, wanted = (x, y) if rows is None else (x[rows], y[rows])
        return measure(call_with(double, weights, some), wanted)

    centre = torch.cat([p.flatten() for p in parts])
    with torch.no_grad():
        base = one(centre)

    def chosen(rows: Tensor | None) -> Energy:
        level = base if rows is None else one(centre, rows).detach()
        return _ModuleEnergy(lambda flat: one(flat, rows) - level)

    return chosen(None), chosen, centre


class _ModuleEnergy:
    """``K`` of a module, all weights of a batch together where torch can, and otherwise one after another."""

    together = True

    def __init__(self, one: Callable[[Tensor], Tensor]) -> None:
        self._one = one

    def __call__(self, weights: Tensor) -> Tensor:
        with checks.plain_attention():
            return torch.func.vmap(self._one)(weights)

    def slopes(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """``K`` and its gradient."""
        if self.together:
            try:
                return by_autograd(self, weights)
            except RuntimeError as error:
                checks.warn(f"weights are tried one after another, because torch cannot do so together: {error}")
                self.together = False
        with checks.plain_attention():
            pairs = [by_autograd(lambda flat: self._one(flat[0]), row[None]) for row in weights]
        return torch.stack([value for value, _ in pairs]), torch.cat([slope for _, slope in pairs])


def _of_perceptron(module: NetworkModule, x: Tensor) -> tuple[Energy, Callable[[Tensor], Energy], Tensor]:
    """`module_energy` for a perceptron and its own outputs, several times faster."""
    centre = torch.cat([p.detach().flatten() for p in module.parameters()])

    def chosen(rows: Tensor | None) -> Energy:
        return PerceptronEnergy(module.network, centre[None], x if rows is None else x[rows])

    return chosen(None), chosen, centre


def local_reach(module: nn.Module, settings: SamplerSettings) -> Tensor | None:
    """By how much each weight of a module may change, ``(1, P)``, as ``reach`` and ``share`` of the settings say."""
    if settings.share is None:
        return None
    parts = []
    for weights in (p.detach().double() for p in module.parameters() if p.requires_grad):
        rows = weights.reshape(weights.shape[0] if weights.ndim > 1 else 1, -1)
        count = (rows != 0).sum(dim=1, keepdim=True).clamp(min=1)
        size = (rows.square().sum(dim=1, keepdim=True) / count).sqrt().expand_as(rows)
        parts.append(torch.where(rows != 0, settings.share * size, math.inf).flatten())
    found = torch.cat(parts)[None]
    return found if settings.reach is None else found.clamp(max=settings.reach)


def _half_square(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).square().flatten(start_dim=1).sum(dim=1).mean() / 2


def estimate_learning_coefficient(
    module: nn.Module,
    inputs: Tensor,
    targets: Tensor | None = None,
    *,
    loss: Callable[[Tensor, Tensor], Tensor] | None = None,
    settings: SamplerSettings | None = None,
    multiplicity: int | None = None,
    rng: int | np.random.Generator = 0,
) -> CoefficientEstimate:
    """The learning coefficient of any torch module at its present weights, by sampling.

    Parameters
    ----------
    module:
        Any module that treats points on their own and draws nothing at random; a copy of it is used, in float64, and
        the module stays as it is. Where torch cannot evaluate many weights together they are tried one after another,
        with a `polygeom.learning.checks.FallbackWarning`.
    inputs, targets:
        ``(N, …)``; the module's own outputs if ``targets`` is None, so that the loss is zero at its weights.
    loss:
        From outputs and targets to a mean over the samples; half the squared error if None.
    settings:
        Sampler, ladder, chains; `SamplerSettings` has the defaults.
    multiplicity:
        ``m``, where it is known (`polygeom.learning_coefficient` knows it); otherwise the log-log correction is fitted.
    rng:
        Seed.

    Returns
    -------
    `CoefficientEstimate`. The prior is a Gaussian around the weights: what it reaches of more singular weights with the
    same loss counts, so ``spread`` says how local the answer is.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> module = parse("[1,1,1] r=1").to_torch(initialisation="zero")  # K = (a b)² / 2: λ = 1/2, m = 2
    >>> few = SamplerSettings(chains=8, draws=200, warmup=50)
    >>> found = estimate_learning_coefficient(module, torch.ones(1, 1), settings=few, multiplicity=2)
    >>> abs(found.value - 0.5) < 0.1
    True
    """
    settings = SamplerSettings() if settings is None else settings
    number, started = seed(rng), time.perf_counter()
    energy, chosen, centre = module_energy(module, inputs, targets, loss)
    noisy: Energy | None = None
    if settings.batch is not None and settings.batch < len(inputs):
        size, source = settings.batch, torch.Generator().manual_seed(number + 1)

        def drawn(weights: Tensor) -> Tensor:
            return chosen(torch.randperm(len(inputs), generator=source)[:size])(weights)

        noisy = drawn
    reach = local_reach(module, settings)
    trace, acceptance, swaps = sample_energies(energy, centre[None], settings, rng=number, noisy=noisy, reach=reach)
    return summarise(
        trace[:, 0], acceptance[0], swaps[0], settings,
        multiplicity=multiplicity, rng=number, elapsed=time.perf_counter() - started,
    )  # fmt: skip
