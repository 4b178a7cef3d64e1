"""A Bayesian experiment: how the generalisation error of a network falls with the number of samples.

Data come from a network of the same shape with Gaussian noise. The error of the posterior mean ``f̄``, in units of the
noise, ``½ E |f̄(x) - f_0(x)|² / s²``, is to leading order the Kullback–Leibler distance of the Bayesian prediction from
the truth. Times ``n`` it tends to the learning coefficient in the mean over data sets (Watanabe 2009).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from polygeom._dataclass import dataclass
from polygeom.learning.functions.coefficient_map import monomial_values, monomials
from polygeom.learning.functions.perceptrons import perceptron_outputs
from polygeom.learning.functions.sampling import SamplerSettings, sample_energies
from polygeom.network import Network
from polygeom.network.builder import as_network

_LEAST = 1e-5
"""Chains start at the truth: where they do not move along a direction its error looks too small."""
NOISE = 0.1
"""Standard deviation of the noise; outputs have mean square about one."""


@dataclass(frozen=True)
class Generalisation:
    """Error times ``n`` at numbers of samples, in the mean over data sets, with its standard error."""

    samples: int
    scaled_error: float
    deviation: float
    datasets: int


def bayes_generalisation(
    network: Network | str,
    samples: Sequence[int] = (100, 200, 400, 800),
    *,
    datasets: int = 24,
    settings: SamplerSettings | None = None,
    deadline: float | None = None,
    rng: int = 0,
) -> list[Generalisation]:
    """The scaled generalisation error at growing numbers of samples, for a generic true function.

    Parameters
    ----------
    network:
        A perceptron without biases, or its text.
    samples:
        Numbers ``n`` of samples.
    datasets:
        Data sets, sampled side by side.
    settings:
        Chains; the ladder is ``n / 4, n / 2, n`` whatever it says.
    deadline:
        Value of ``time.monotonic()`` after which no further number of samples is begun; the first one always is.
    rng:
        Seed.

    Examples
    --------
    >>> found = bayes_generalisation("[1,1,1] r=2", (50,), datasets=20)  # one dimension: 1/2
    >>> abs(found[0].scaled_error - 0.5) < 4 * found[0].deviation
    True
    """
    network = as_network(network)
    base = SamplerSettings(chains=2, warmup=60, draws=120, leapfrog=6) if settings is None else settings
    module = network.to_torch(rng=rng)
    truth = torch.cat([p.detach().flatten() for p in module.parameters()])[None]
    generator = torch.Generator().manual_seed(rng)
    count = len(monomials(network))
    z = torch.randn((count, network.input_dimension), generator=generator, dtype=torch.float64)
    found: list[Generalisation] = []
    for n in samples:
        if found and deadline is not None and time.monotonic() > deadline:
            break
        x = torch.randn((datasets, n, network.input_dimension), generator=generator, dtype=torch.float64)
        clean = perceptron_outputs(network, truth.expand(datasets, -1), x)
        noise = NOISE * torch.randn(clean.shape, generator=generator, dtype=torch.float64)
        ladder = tuple(max(n / 2**k, 1.0 + 0.01 * (3 - k)) for k in (2, 1, 0))
        chosen = SamplerSettings(
            base.sampler, ladder, base.chains, base.warmup, base.draws, base.leapfrog, base.spread, base.batch
        )
        errors = _errors(network, truth, z, x, clean + noise, chosen, rng)
        scaled = n * errors.numpy()
        found.append(Generalisation(n, float(scaled.mean()), float(scaled.std(ddof=1) / np.sqrt(datasets)), datasets))
    return found


def _errors(
    network: Network, truth: Tensor, z: Tensor, x: Tensor, y: Tensor, settings: SamplerSettings, rng: int
) -> Tensor:
    """``½ E |f̄ - f_0|² / s²`` over the inputs for every data set, ``(G,)``, by their exact moments.

    Values at as many points ``z`` as there are monomials determine a function, so that the residuals at any data are
    ``A f(z) - y``, and after an orthogonal change ``R f(z) - Qᵀ y``, of that many rows.
    """
    groups, n = x.shape[:2]
    count = len(z)
    basis = torch.linalg.inv(monomial_values(network, z, system="plain"))
    features = monomial_values(network, x.flatten(0, 1), system="plain").reshape(groups, n, count) @ basis
    q, root = torch.linalg.qr(features)
    target = q.transpose(1, 2) @ y.transpose(1, 2)

    def squares(weights: Tensor) -> Tensor:
        values = perceptron_outputs(network, weights, z).transpose(1, 2)
        values = values.reshape(groups, -1, *values.shape[1:])
        residual: Tensor = root[:, None] @ values - target[:, None]
        return residual.square().sum(dim=(2, 3))

    level = squares(truth.expand(groups, -1)).detach()
    gram = basis.T @ normal_moments(monomials(network)) @ basis
    wanted = perceptron_outputs(network, truth, z)[0]
    total = torch.zeros(groups, *wanted.shape, dtype=torch.float64)

    def energy(weights: Tensor) -> Tensor:
        return ((squares(weights) - level) / (2 * NOISE**2 * n)).flatten()

    def observe(weights: Tensor) -> None:
        cold = weights[:, -1].reshape(-1, weights.shape[-1])
        with torch.no_grad():
            total.add_(perceptron_outputs(network, cold, z).reshape(groups, -1, *wanted.shape).mean(dim=1))

    sample_energies(energy, truth.expand(groups, -1), settings, rng=rng, observe=observe, least=_LEAST)
    difference = total / settings.draws - wanted
    scaled: Tensor = ((difference @ gram) * difference).sum(dim=(1, 2)) / (2 * NOISE**2)
    return scaled


def normal_moments(exponents: Sequence[Sequence[int]]) -> Tensor:
    """Mean products of monomials of independent standard normal variables, ``(M, M)``, exactly.

    Examples
    --------
    >>> normal_moments([(2, 0), (1, 1), (0, 2)]).tolist()
    [[3.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 3.0]]
    """
    powers = np.array(exponents)
    largest = 2 * int(powers.max(initial=0))
    alone = np.array([0.0 if k % 2 else float(math.prod(range(1, k, 2))) for k in range(largest + 1)])
    return torch.from_numpy(alone[powers[:, None] + powers[None]].prod(axis=-1))
