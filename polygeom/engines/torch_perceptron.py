r"""Perceptrons with monomial activations on torch tensors, many at once: values and Jacobians written out.

With ``a_0 = x``, ``z_l = W_l a_{l-1}`` and ``a_l = z_l^{r_l}`` the derivative of the outputs by ``W_l`` at one point is
``B_l ⊗ a_{l-1}`` with ``B_L = 1`` and ``B_l = B_{l+1} W_{l+1} · r_l z_l^{r_l - 1}``, column by column. Values may be
complex: the derivatives are the holomorphic ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor

from polygeom.network import Network, mlp


@lru_cache(maxsize=256)
def written_out(network: Network) -> tuple[int, ...] | None:
    """The powers of the activations of a perceptron that the functions below know; None for other networks.

    Those have monomial activations and no ties; with biases in every layer one power for all activations.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> [written_out(parse(text)) for text in ("[2,3,1] r=2", "[2,3,3,1] r=3 bias", "ccp(2,3,2,1)")]
    [(2,), (3, 3), None]
    """
    shapes = [shape for shape in network.parameters.values() if len(shape) == 2]
    if not shapes or any(one[0] != other[1] for one, other in pairwise(shapes)):
        return None
    widths = (shapes[0][1], *(rows for rows, _ in shapes))
    if network.widths == widths:
        return network.activation_degrees if len(network.parameters) == len(shapes) else None
    hidden = len(shapes) - 1
    power = round(network.degree ** (1 / hidden)) if hidden else 1
    same = len(network.parameters) == 2 * len(shapes) and network == mlp(widths, power, bias=True)
    return (power,) * hidden if same else None


def _layers(network: Network) -> list[tuple[str, str | None]]:
    """Names of the weights and biases of each layer."""
    names = list(network.parameters)
    if network.widths is not None:
        return [(name, None) for name in names]
    return list(zip(names[::2], names[1::2], strict=True))


def _linear(values: Tensor, weights: Mapping[str, Tensor], layer: tuple[str, str | None]) -> Tensor:
    name, bias = layer
    transposed = weights[name].transpose(1, 2)
    if bias is None:
        return torch.bmm(values, transposed)
    return torch.baddbmm(weights[bias].unsqueeze(1), values, transposed)


def perceptron_values(network: Network, weights: Mapping[str, Tensor], x: Tensor) -> list[Tensor]:
    """What each layer reads, ``a_0 … a_{L-1}``, and the outputs, shapes ``(A, N, d_l)``.

    Parameters
    ----------
    network:
        One that is `written_out`.
    weights:
        By name, ``(A, d_l, d_{l-1})``, and biases ``(A, d_l)``.
    x:
        ``(A, N, d_0)``.
    """
    values = [x]
    degrees = (*(written_out(network) or ()), 1)
    for layer, degree in zip(_layers(network), degrees, strict=True):
        values.append(power(_linear(values[-1], weights, layer), degree))
    return values


def perceptron_jacobian(network: Network, weights: Mapping[str, Tensor], x: Tensor, names: Sequence[str]) -> Tensor:
    """Derivatives of all outputs by the named weights, shape ``(A, N · c, P)``; arguments as above.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> ones = {"W1": torch.ones(1, 1, 2), "W2": torch.ones(1, 1, 1)}
    >>> perceptron_jacobian(parse("[2,1,1] r=2"), ones, torch.tensor([[[1.0, 2.0]]]), ["W1", "W2"])
    tensor([[[ 6., 12.,  9.]]])
    """
    count, points = x.shape[:2]
    layers = _layers(network)
    values, slopes = [x], []
    for layer, degree in zip(layers, written_out(network) or (), strict=False):
        value = _linear(values[-1], weights, layer)
        lower = power(value, degree - 1)
        values.append(lower * value)
        slopes.append(degree * lower)
    outputs = network.output_dimension
    sizes = [math.prod(network.parameters[name]) for name in names]
    starts = dict(zip(names, [sum(sizes[:number]) for number in range(len(sizes))], strict=True))
    result = x.new_zeros(count, points, outputs, sum(sizes))

    def part(name: str) -> Tensor:
        shape = network.parameters[name]
        return result[..., starts[name] : starts[name] + math.prod(shape)].view(count, points, outputs, *shape)

    last, shift = layers[-1]
    if last in starts:
        part(last).diagonal(dim1=2, dim2=3).copy_(values[-1].unsqueeze(3).expand(-1, -1, -1, outputs))
    if shift is not None and shift in starts:
        part(shift).diagonal(dim1=2, dim2=3).fill_(1)
    first = min((place for place, layer in enumerate(layers) if set(layer) & set(names)), default=0)
    back = weights[last].unsqueeze(1)  # by what the last layer reads, (A, 1 or N, c, d)
    for place in range(len(layers) - 2, first - 1, -1):
        name, bias = layers[place]
        back = back * slopes[place].unsqueeze(2)
        if name in starts:
            torch.mul(back.unsqueeze(4), values[place][:, :, None, None, :], out=part(name))
        if bias is not None and bias in starts:
            part(bias).copy_(back)
        if place > first:
            back = torch.bmm(back.flatten(1, 2), weights[name]).reshape(count, points, outputs, -1)
    return result.flatten(1, 2)


def power(value: Tensor, degree: int) -> Tensor:
    """``value ** degree`` by multiplications."""
    if degree == 0:
        return torch.ones_like(value)
    result = value
    for _ in range(degree - 1):
        result = result * value
    return result


__all__ = ["perceptron_jacobian", "perceptron_values", "power", "written_out"]
