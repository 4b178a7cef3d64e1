r"""Many perceptrons side by side: outputs, losses and slopes of a batch of weights, written out for speed.

Half the mean squared difference of two functions of a network is a quadratic form in their values at as many points as
there are monomials. So however many inputs there are, a loss costs evaluations at that many of them, and one small
matrix product.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from polygeom.engines.torch_perceptron import power
from polygeom.learning.functions.coefficient_map import monomial_values, monomials
from polygeom.network import Network

_ILL = 1e6
"""Values at points that determine functions worse than this condition number are not used in place of all inputs."""


def perceptron_outputs(network: Network, weights: Tensor, x: Tensor) -> Tensor:
    """Outputs ``(B, c, N)`` of a perceptron at weights ``(B, P)`` and points ``(N, d_0)`` or ``(B, N, d_0)``."""
    shapes, degrees = list(network.parameters.values()), (*(network.activation_degrees or ()), 1)
    value = x.transpose(-1, -2).expand(len(weights), -1, -1)
    pieces = torch.split(weights, [math.prod(shape) for shape in shapes], dim=1)
    for piece, shape, degree in zip(pieces, shapes, degrees, strict=True):
        value = torch.bmm(piece.reshape(-1, *shape), value)
        value = value * value if degree == 2 else value**degree if degree > 1 else value
    return value


def representative_points(network: Network, x: Tensor) -> tuple[Tensor, Tensor | None]:
    r"""Points ``z`` among the inputs and a matrix ``A``: ``Σ_n f(x_n)² = |A f(z)|²`` for all differences of functions.

    Parameters
    ----------
    network:
        With ``network.widths``, without biases.
    x:
        Inputs ``(N, d_0)``.

    Returns
    -------
    ``z`` of shape ``(M, d_0)`` and ``A`` of shape ``(M, M)`` with ``M`` the number of monomials; all inputs and None
    where they are not more than that, or their monomials are nearly dependent.
    """
    import numpy as np
    import scipy.linalg

    if len(x) <= math.comb(network.input_dimension + network.degree - 1, network.degree):
        return x, None
    values = monomial_values(network, x, system="plain").numpy()
    count = len(monomials(network))
    scaled = values / np.maximum(np.abs(values).max(axis=0), 1e-300)
    _, _, order = scipy.linalg.qr(scaled.T, mode="economic", pivoting=True)
    chosen = order[:count]
    if not np.linalg.cond(scaled[chosen]) < _ILL:
        return x, None
    root = np.linalg.qr(scaled).R
    return x[torch.from_numpy(chosen)], torch.from_numpy(np.linalg.solve(scaled[chosen].T, root.T).T.copy())


class PerceptronEnergy:
    """Half the mean squared difference of a perceptron to itself at centres, ``(G · n, P)`` → ``(G · n,)``.

    Parameters
    ----------
    network:
        With ``network.widths``, without biases.
    centres:
        ``(G, P)``; weights are given in ``G`` equal groups, in order.
    x:
        Inputs ``(N, d_0)``.
    masks:
        ``(G, P)``: weights are multiplied by them first; None for no masks.
    """

    def __init__(self, network: Network, centres: Tensor, x: Tensor, masks: Tensor | None = None) -> None:
        self.network, self.masks, self.samples = network, masks, len(x)
        self.points, self.mixing = representative_points(network, x)
        self.wanted = perceptron_outputs(network, centres if masks is None else centres * masks, self.points).detach()
        self.shapes = list(network.parameters.values())
        self.sizes = [math.prod(shape) for shape in self.shapes]
        self.degrees = network.activation_degrees or ()

    def _masked(self, flat: Tensor) -> Tensor:
        if self.masks is None:
            return flat
        return (flat.reshape(len(self.masks), -1, flat.shape[1]) * self.masks[:, None]).flatten(0, 1)

    def _residuals(self, outputs: Tensor) -> Tensor:
        """``(B, c, M)``; their squares, halved and divided by the number of samples, are the loss."""
        found = (outputs.reshape(len(self.wanted), -1, *outputs.shape[1:]) - self.wanted[:, None]).flatten(0, 1)
        return found if self.mixing is None else found @ self.mixing.T

    def __call__(self, weights: Tensor) -> Tensor:
        """The loss, which autograd can differentiate."""
        residuals = self._residuals(perceptron_outputs(self.network, self._masked(weights), self.points))
        return residuals.square().sum(dim=(1, 2)) / (2 * self.samples)

    def slopes(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """The loss ``(B,)`` and its gradient ``(B, P)``, by the chain rule written out."""
        matrices = [
            piece.reshape(-1, *shape)
            for piece, shape in zip(torch.split(self._masked(weights), self.sizes, dim=1), self.shapes, strict=True)
        ]
        count, inputs = len(weights), self.points.T
        values: list[Tensor] = []  # of each layer, after its activation
        factors: list[Tensor] = []  # derivatives of the activations
        value = (matrices[0].flatten(0, 1) @ inputs).reshape(count, -1, len(self.points))
        for degree, matrix in zip(self.degrees, matrices[1:], strict=True):
            lower = power(value, degree - 1)
            factors.append(degree * lower)
            values.append(lower * value if degree > 1 else value)
            value = torch.bmm(matrix, values[-1])
        residuals = self._residuals(value)
        loss = residuals.square().sum(dim=(1, 2)) / (2 * self.samples)
        back = (residuals if self.mixing is None else residuals @ self.mixing) / self.samples
        slopes: list[Tensor] = []
        for place in range(len(matrices) - 1, 0, -1):
            slopes.append(torch.bmm(back, values[place - 1].transpose(1, 2)).flatten(1))
            back = torch.bmm(matrices[place].transpose(1, 2), back) * factors[place - 1]
        slopes.append((back.flatten(0, 1) @ self.points).reshape(count, -1))
        return loss, self._masked(torch.cat(slopes[::-1], dim=1))
