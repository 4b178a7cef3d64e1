"""Attempts at a step for many fits of one perceptron, compiled: from weights to steps and new residuals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from polygeom.engines.torch_perceptron import written_out
from polygeom.network import Network

MANY_NUMBERS = 50_000
"""From so many in a Jacobian and its normal matrix on, the products of matrices of torch are faster than kernels."""


class Attempts:
    """What `polygeom.learning.training.fleet` does in a step, for perceptrons that are `written_out`.

    Parameters
    ----------
    network:
        The perceptron.
    names:
        The weights that are fitted, in the order of their columns.
    complex_numbers:
        Whether weights are complex128, or float64.
    """

    def __init__(self, network: Network, names: Sequence[str], complex_numbers: bool) -> None:
        matrices = [shape for shape in network.parameters.values() if len(shape) == 2]
        self._names, self._order = list(names), list(network.parameters)
        self._biased = len(self._order) > len(matrices)
        self._widths = np.array([matrices[0][1], *(rows for rows, _ in matrices)], dtype=np.int64)
        self._degrees = np.array(written_out(network), dtype=np.int64)
        sizes = {name: int(np.prod(shape)) for name, shape in network.parameters.items()}
        places: dict[str, np.ndarray] = {}
        at = 0
        for name in names:
            places[name] = np.arange(at, at + sizes[name])
            at += sizes[name]
        self._places = np.concatenate([places.get(name, np.full(sizes[name], -1)) for name in self._order])
        from polygeom.learning import _perceptrons_numba

        self._lanes = _perceptrons_numba.LANES
        self._kernel = _perceptrons_numba.kernel(complex_numbers)

    def __call__(
        self, own: Mapping[str, Tensor], held: Mapping[str, Tensor], x: Tensor, y: Tensor, relative: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """The four of `polygeom.learning.training.damping.relative_step`, and the residuals after the steps.

        Parameters
        ----------
        own, held:
            The weights that are fitted, and the others, by name, ``(A, *shape)``.
        x, y:
            ``(A, N, d)`` and ``(A, N, c)``.
        relative:
            As for `relative_step`, ``(A,)``.
        """
        weights = {**own, **held}
        count = len(x)
        every = torch.cat([weights[name].reshape(count, -1) for name in self._order], dim=1)
        columns = sum(own[name][0].numel() for name in self._names)
        rows = y.reshape(count, -1)
        steps, gradients = every.new_empty(2, count, columns)
        squares, damping = relative.new_empty(2, count)
        trials = torch.empty_like(rows, memory_format=torch.contiguous_format)
        given = (one.resolve_conj().contiguous().numpy() for one in (every, x, rows, relative))
        found = (one.numpy() for one in (steps, gradients, squares, damping, trials))
        least = torch.finfo(torch.float64).tiny
        self._kernel(self._widths, self._degrees, self._biased, self._places, *given, least, self._lanes, *found)
        return steps, gradients, squares, damping, trials


def kernels(
    network: Network, names: Sequence[str], size: tuple[int, int], complex_numbers: bool
) -> tuple[Attempts | None, Any]:
    """What makes attempts, and what takes damped steps, compiled; the first for perceptrons, the second for others.

    ``size`` are the numbers of residuals and of weights that are fitted; neither is there for large ones.
    """
    rows, columns = size
    if rows * columns + min(size) ** 2 > MANY_NUMBERS:
        return None, None
    if written_out(network) is not None:
        return Attempts(network, names, complex_numbers), None
    from polygeom.learning import _damped_numba

    return None, _damped_numba.kernel(complex_numbers)


__all__ = ["Attempts", "kernels"]
