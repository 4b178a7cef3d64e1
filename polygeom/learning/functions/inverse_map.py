"""From the coefficients of a polynomial back to weights of a network that computes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from polygeom.engines.torch_module import NetworkModule
from polygeom.errors import PolygeomError
from polygeom.learning import checks
from polygeom.learning.functions.coefficient_map import coefficients
from polygeom.learning.training.least_squares import levenberg_marquardt
from polygeom.network import Network
from polygeom.network.builder import as_network

if TYPE_CHECKING:
    import numpy as np


class _CoefficientMap(nn.Module):
    """A network as the map from its weights to its coefficients, which takes its input for nothing."""

    def __init__(self, network: Network, rng: int) -> None:
        super().__init__()
        self.module = NetworkModule(network, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        found = coefficients(self.module.network, dict(self.module.named_parameters()), system="bombieri")
        return found.reshape(1, -1).expand(len(x), -1)


def find_weights(
    network: Network | str,
    target: np.ndarray | Tensor,
    *,
    tolerance: float = 1e-10,
    attempts: int = 20,
    steps: int = 300,
    rng: int = 0,
) -> dict[str, Tensor]:
    """Weights at which the coefficients of a network are given numbers: the inverse of `coefficients`, up to symmetry.

    Least squares on the coefficient map from several random weights. Finding weights proves that the polynomial is
    represented (up to ``tolerance``); finding none proves nothing.

    Parameters
    ----------
    network:
        A `Network` or its text.
    target:
        Plain coefficients ``(c, M)`` as `polygeom.learning.functions.coefficients` gives them.
    tolerance:
        Largest distance to the target allowed, relative to its size, in the Bombieri–Weyl norm.
    attempts, steps:
        Random starts, and steps of each.
    rng:
        Seed of the first start.

    Raises
    ------
    PolygeomError
        When the target has the wrong shape, or no attempt comes close enough; the message tells the closest.

    Examples
    --------
    >>> cubic = torch.tensor([[1.0, 1.0, -5.0, 5.0]], dtype=torch.float64)
    >>> weights = find_weights("ccp(1,rank=2,degree=3,bias=True)", cubic)
    >>> bool(torch.allclose(coefficients("ccp(1,rank=2,degree=3,bias=True)", weights), cubic))
    True
    """
    from polygeom.learning.functions.coefficient_map import basis_factors

    network = as_network(network)
    wanted = checks.floats(target, "target", axes=2).detach().double()
    factors = torch.as_tensor(basis_factors(network))
    if wanted.shape != (network.output_dimension, len(factors)):
        raise PolygeomError(
            f"target must have shape {(network.output_dimension, len(factors))}, got {tuple(wanted.shape)}; it is the "
            "shape of polygeom.learning.functions.coefficients"
        )
    scaled = (wanted / factors.sqrt()).reshape(1, -1)
    size = max(float(scaled.norm()), torch.finfo(torch.float64).tiny)
    origin, best = torch.zeros(1, 1, dtype=torch.float64), float("inf")
    for attempt in range(attempts):
        chart = _CoefficientMap(network, rng + attempt)
        result = levenberg_marquardt(chart, origin, scaled, steps=steps, record_every=steps + 1)
        distance = (result.loss * scaled.numel()) ** 0.5 / size
        if distance <= tolerance:
            return {name: value.detach().clone() for name, value in chart.module.named_parameters()}
        best = min(best, distance)
    raise PolygeomError(
        f"no weights of {network} with these coefficients were found in {attempts} attempts; the closest has relative "
        f"distance {best:.3g}. The polynomial may lie outside the image, or on its boundary; try more attempts"
    )
