r"""Weights up to symmetry: when do two sets of weights of a perceptron describe the same neurons?

The function of a perceptron with monomial activations does not change when the neurons of a hidden layer are permuted
or rescaled, $W_l \mapsto \Pi_l D_l W_l D_{l-1}^{-r_{l-1}} \Pi_{l-1}^{\mathsf T}$. Where the network is identifiable
these are all symmetries of generic weights, and comparing weights means comparing them after the best symmetry.

`normalise_weights` gives every hidden neuron an incoming row of length one. `match_weights` then brings one set of
weights as near as possible to another, layer by layer: an optimal assignment of neurons by the angles of their incoming
rows, and signs. If two sets of weights differ by a symmetry, and no two neurons of a layer have proportional rows, it
finds that symmetry, since the rows of the first layer determine the permutation of its neurons, and so on upwards.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from polygeom.errors import PolygeomError
from polygeom.learning.named_weights import named
from polygeom.network import Network
from polygeom.network.builder import as_network

if TYPE_CHECKING:
    from torch import Tensor


def normalise_weights(network: Network | str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same function with incoming rows of length one for all hidden neurons (rows of zeros stay).

    Parameters
    ----------
    network:
        A perceptron with monomial activations and without biases, or its text.
    weights:
        ``W1``, …, ``WL``.

    Raises
    ------
    PolygeomError
        For other networks.

    Examples
    --------
    >>> import torch
    >>> own = {"W1": torch.tensor([[3.0, 4.0]]), "W2": torch.tensor([[2.0]])}
    >>> {name: w.tolist() for name, w in normalise_weights("[2,1,1] r=2", own).items()}
    {'W1': [[0.6000000238418579, 0.800000011920929]], 'W2': [[50.0]]}
    """
    names, degrees = _layers(network)
    own = named(weights, as_network(network).parameters)
    result = {name: value.detach().clone() for name, value in own.items()}
    for name, after, degree in zip(names, names[1:], degrees, strict=False):
        length = result[name].norm(dim=1)
        length = length.where(length > 0, length.new_ones(()))
        result[name] = result[name] / length.unsqueeze(1)
        result[after] = result[after] * length**degree
    return result


def match_weights(
    network: Network | str, weights: Mapping[str, Tensor], reference: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """``weights`` after the symmetry that brings them near ``normalise_weights(network, reference)``.

    Returns
    -------
    Weights of the same function as ``weights``, hidden rows of length one.

    Raises
    ------
    PolygeomError
        When the network is no perceptron with monomial activations, or has a hidden layer without activation, whose
        symmetries are more than permutations and scalings.
    """
    from scipy.optimize import linear_sum_assignment

    names, degrees = _layers(network)
    if 1 in degrees:
        raise PolygeomError(
            "network: a hidden layer without activation has a whole group GL of symmetries; write degrees of at least 2"
        )
    own, target = normalise_weights(network, weights), normalise_weights(network, reference)
    for name, after, degree in zip(names, names[1:], degrees, strict=False):
        cosines = target[name].to(own[name]) @ own[name].T
        rows, columns = linear_sum_assignment(-cosines.abs().numpy())
        signs = np.where(cosines.numpy()[rows, columns] < 0, -1.0, 1.0)
        sign = own[name].new_tensor(signs)
        own[name] = own[name][columns] * sign.unsqueeze(1)
        own[after] = own[after][:, columns] * sign**degree
    return own


def weight_distance(network: Network | str, weights: Mapping[str, Tensor], reference: Mapping[str, Tensor]) -> float:
    """The largest relative difference of a weight matrix after matching: zero exactly for equivalent generic weights.

    Examples
    --------
    >>> import torch
    >>> one = {"W1": torch.tensor([[1.0, 2.0], [0.0, 1.0]]), "W2": torch.tensor([[3.0, -1.0]])}
    >>> two = {"W1": torch.tensor([[0.0, -2.0], [1.0, 2.0]]), "W2": torch.tensor([[-0.25, 3.0]])}
    >>> weight_distance("[2,2,1] r=2", one, two) < 1e-6
    True
    """
    own, target = match_weights(network, weights, reference), normalise_weights(network, reference)
    return max(float((own[name] - w).norm() / w.norm()) for name, w in target.items())


def _layers(network: Network | str) -> tuple[list[str], tuple[int, ...]]:
    network = as_network(network)
    if network.activation_degrees is None:
        raise PolygeomError(
            f"network must be a perceptron with monomial activations and without biases, got {network.text}; "
            'write for example "[3,3,3] r=2"'
        )
    return list(network.parameters), network.activation_degrees


__all__ = ["match_weights", "normalise_weights", "weight_distance"]
