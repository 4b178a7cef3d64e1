"""Networks over polynomials with float coefficients: the outputs written out in the monomials of the inputs.

The coefficients are plain differentiable functions of the weights, so autograd gives the derivative of the coefficient
map, whose rank is the dimension of the neurovariety.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from polygeom.engines.torch_engine import TorchEngine
from polygeom.errors import PolygeomError
from polygeom.network.constants import Constants

if TYPE_CHECKING:
    import numpy as np

Parts = Mapping[int, Tensor]
"""Polynomials by homogeneous parts: ``{d: (1, *shape, M_d)}`` with ``M_d = C(n + d - 1, d)`` monomials of degree ``d``.

The order of the monomials is lexicographic, largest first: ``x1², x1 x2, x2²``.
"""

_Outer = Callable[[Tensor, Tensor], Tensor]


@lru_cache(maxsize=256)
def _positions(variables: int, degree: int) -> dict[tuple[int, ...], int]:
    words = itertools.combinations_with_replacement(range(variables), degree)
    return {word: k for k, word in enumerate(words)}


@lru_cache(maxsize=256)
def _products(variables: int, a: int, b: int) -> Tensor:
    """Position of the product of each monomial of degree ``a`` with each of degree ``b``, shape ``(M_a · M_b,)``."""
    target = _positions(variables, a + b)
    pairs = itertools.product(_positions(variables, a), _positions(variables, b))
    return torch.tensor([target[tuple(sorted(x + y))] for x, y in pairs])


class CoefficientEngine:
    """The primitives of `polygeom.network.primitives` on `Parts`, at the one point whose coordinates are the variables.

    A weight value is a tensor of its own shape, as in `TorchEngine`.

    Parameters
    ----------
    variables:
        Number ``n`` of input variables.
    """

    def __init__(self, variables: int) -> None:
        self.variables = variables

    def inputs(self, shape: Sequence[int], like: Tensor) -> Parts:
        """The variables themselves, as a point value of shape ``(1, *shape)``."""
        unit = torch.eye(self.variables, dtype=like.dtype, device=like.device)
        return {1: unit.reshape(1, *shape, self.variables)}

    def linear(self, x: Parts, w: Tensor) -> Parts:
        return {d: torch.einsum("ij,...jm->...im", w, part) for d, part in x.items()}

    def bias(self, x: Parts, b: Tensor) -> Parts:
        some = next(iter(x.values()))
        constant = b.expand(some.shape[:-1]).unsqueeze(-1)
        return self.add(x, {0: constant})

    def add(self, x: Parts, y: Parts) -> Parts:
        total = dict(x)
        for d, part in y.items():
            total[d] = total[d] + part if d in total else part
        return dict(sorted(total.items()))

    def multiply(self, x: Parts, y: Parts) -> Parts:
        return self._bilinear(x, y, lambda a, b: a.unsqueeze(-1) * b.unsqueeze(-2))

    def power(self, x: Parts, exponent: int) -> Parts:
        value = x
        for _ in range(exponent - 1):
            value = self.multiply(value, x)
        return value

    def polynomial(self, x: Parts, coefficients: Sequence[Fraction]) -> Parts:
        one = torch.ones_like(next(iter(x.values()))[..., :1])
        value: Parts = {0: one * float(coefficients[-1])}
        for c in reversed(coefficients[:-1]):
            value = self.add(self.multiply(value, x), {0: one * float(c)})
        return value

    def inverse(self, x: Parts) -> Parts:
        raise PolygeomError("inverse: rational functions have no finite list of coefficients; compare values at points")

    def combine(self, x: Parts, matrix: Constants) -> Parts:
        some = next(iter(x.values()))
        return self.linear(x, torch.as_tensor(matrix.dense().astype(float), dtype=some.dtype, device=some.device))

    def matmul(self, x: Parts, y: Parts) -> Parts:
        return self._bilinear(x, y, lambda a, b: torch.einsum("nstp,ntuq->nsupq", a, b))

    def reindex(self, x: Parts, index: np.ndarray) -> Parts:
        return {d: self._take(part, index) for d, part in x.items()}

    def arrange(self, w: Tensor, index: np.ndarray) -> Tensor:
        return TorchEngine().arrange(w, index)

    def _take(self, part: Tensor, index: np.ndarray) -> Tensor:
        columns = part.reshape(-1, part.shape[-1]).T.contiguous()
        taken = TorchEngine().reindex(columns, index.ravel())
        return taken.T.reshape(1, *index.shape, part.shape[-1])

    def _bilinear(self, x: Parts, y: Parts, outer: _Outer) -> Parts:
        """Sum over pairs of degrees; ``outer`` ends in the two axes of monomials."""
        value: dict[int, Tensor] = {}
        for (a, left), (b, right) in itertools.product(x.items(), y.items()):
            pairs = outer(left, right).flatten(start_dim=-2)
            size = len(_positions(self.variables, a + b))
            index = _products(self.variables, a, b).to(pairs.device)
            before = value.get(a + b, pairs.new_zeros((*pairs.shape[:-1], size)))
            value[a + b] = before.index_add(-1, index, pairs)
        return dict(sorted(value.items()))
