r"""The function of a network as coefficients, its derivative, and the tangent kernel as a finite matrix.

For a polynomial network ``f(x) = C(w) m(x)``, where ``m(x)`` lists the ``M`` monomials that can occur and ``C(w)`` is
the matrix of coefficients, one row for each of the ``c`` outputs. Differentiating by the weights,

.. math::

    \partial f(x) = (I_c \otimes m(x)^{\mathsf T})\, DC, \qquad
    K(x, x') = (I_c \otimes m(x)^{\mathsf T})\, G\, (I_c \otimes m(x')), \qquad G = DC\, DC^{\mathsf T},

so the tangent kernel on any data set is a compression of one ``cM × cM`` matrix, the *core matrix*, whose rank is the
rank of ``DC``: at generic weights the dimension of the neurovariety. All this is an identity, exact up to rounding.

Monomials are scaled so that ``m(x) · m(x') = (x · x')^D`` for homogeneous outputs of degree ``D``, and
``(1 + x · x')^D`` for others (the Bombieri–Weyl basis of the homogenised polynomials); ``G`` then turns with inputs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from polygeom._dataclass import dataclass
from polygeom.checks import choice
from polygeom.engines.torch_coefficients import CoefficientEngine
from polygeom.errors import PolygeomError
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.learning import checks
from polygeom.learning.named_weights import named
from polygeom.network import Network
from polygeom.network.ambient.degrees import TotalDegrees
from polygeom.network.builder import as_network

SYSTEMS = ("plain", "bombieri")


def _coordinates(network: Network | str) -> Coordinates:
    return Coordinates(as_network(network))


def monomials(network: Network) -> list[tuple[int, ...]]:
    """All monomials of the degrees of the outputs, by falling degree, then lexicographically decreasing."""
    return list(TotalDegrees(network.input_dimension).monomials(network.degrees))


def basis_factors(network: Network | str) -> np.ndarray:
    """The squares of the factors of the scaled monomials, shape ``(M,)``: multinomial coefficients.

    A homogeneous network of degree ``D`` has ``D! / α!``; any other ``D! / (α! (D - |α|)!)`` with its top degree ``D``.
    The order of the monomials is that of `monomials`.

    Examples
    --------
    >>> basis_factors("[2,3,1] r=2").tolist()
    [1.0, 2.0, 1.0]
    """
    known = _coordinates(network).network
    top = known.degree
    factors = [
        math.factorial(top) / math.prod(map(math.factorial, (*alpha, top - sum(alpha)))) for alpha in monomials(known)
    ]
    return np.array(factors)


def monomial_values(network: Network | str, x: Tensor, *, system: str = "bombieri") -> Tensor:
    """The monomials that the outputs of ``network`` are made of, at ``N`` points.

    Parameters
    ----------
    network:
        A `Network` or its text.
    x:
        Shape ``(N, *input_shape)``.
    system:
        ``"bombieri"`` for scaled monomials, ``"plain"`` for ``x^α`` itself.

    Returns
    -------
    Shape ``(N, M)``.
    """
    _check(system)
    coordinates = _coordinates(network)
    shape = coordinates.network.input_shape
    x = checks.floats(x, "x", axes=1 + len(shape))
    if tuple(x.shape[1:]) != shape:
        raise PolygeomError(f"x must have shape (N, {', '.join(map(str, shape))}), got {tuple(x.shape)}")
    exponents = torch.tensor(monomials(coordinates.network), dtype=x.dtype, device=x.device)
    values = (x.reshape(len(x), 1, -1) ** exponents).prod(dim=-1)
    return values if system == "plain" else values * _scale(coordinates.network, x)


def coefficients(network: Network | str, weights: Mapping[str, Tensor], *, system: str = "plain") -> Tensor:
    """The coefficients of the outputs at given weights, as a differentiable function of them.

    Parameters
    ----------
    network:
        A `Network` or its text.
    weights:
        A tensor for every name in ``network.parameters``; a module's ``dict(module.named_parameters())`` will do.
    system:
        ``"plain"``: coefficients ``c`` of ``x^α``; ``"bombieri"``: those of the scaled monomials, ``c / sqrt(factor)``.

    Returns
    -------
    Shape ``(c, M)``: outputs in order (row by row), monomials as in `monomials`.

    Raises
    ------
    BudgetError
        When there are too many coefficients to write out.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> module = parse("[2,1,1] r=2").to_torch(initialisation="zero")
    >>> module.set_weights({"W1": np.array([[1.0, 3.0]]), "W2": np.array([[2.0]])})
    >>> coefficients(module.network, dict(module.named_parameters())).tolist()
    [[2.0, 12.0, 18.0]]
    """
    _check(system)
    network = _coordinates(network).network
    return coefficients_at(network, named(weights, network.parameters), system)


def coefficients_at(network: Network, weights: Mapping[str, Tensor], system: str = "plain") -> Tensor:
    """`coefficients` of weights that are known to fit, for use inside of transformations of torch."""
    some = next(iter(weights.values()), torch.zeros((), dtype=torch.float64))
    engine = CoefficientEngine(network.input_dimension)
    parts = network.evaluate(engine, weights, engine.inputs(network.input_shape, some))
    degrees = [d for low, high in reversed(network.degrees) for d in range(high, low - 1, -1)]
    rows = network.output_dimension
    blocks = [
        parts[d].reshape(rows, -1)
        if d in parts
        else some.new_zeros((rows, math.comb(network.input_dimension + d - 1, d)))
        for d in degrees
    ]
    value = torch.cat(blocks, dim=1)
    return value if system == "plain" else value / _scale(network, value)


def coefficient_jacobian(network: Network | str, weights: Mapping[str, Tensor], *, system: str = "bombieri") -> Tensor:
    """``DC``, the derivative of `coefficients` by the weights.

    Returns
    -------
    Shape ``(c · M, P)``; columns in the order of ``network.parameters``, each weight row by row. Its rank at generic
    weights is the dimension of the neurovariety.
    """
    _check(system)
    network = _coordinates(network).network
    names = list(network.parameters)
    held = {name: value.detach() for name, value in named(weights, network.parameters).items()}

    def flat(own: dict[str, Tensor]) -> Tensor:
        return coefficients_at(network, own, system).reshape(-1)

    if not names:
        raise PolygeomError(f"network {network.text} has no weights; write a network with at least one")
    derivatives = torch.func.jacrev(flat)(held)
    return torch.cat([derivatives[name].flatten(start_dim=1) for name in names], dim=1)


@dataclass(frozen=True, eq=False)
class CoreMatrix:
    """The core matrix of a network at given weights, from which its tangent kernel on any data follows.

    Parameters
    ----------
    network:
        The network.
    derivative:
        ``DC`` in the scaled monomials, shape ``(c · M, P)``.
    """

    network: Network
    derivative: Tensor

    @property
    def matrix(self) -> Tensor:
        """``G = DC DCᵀ``, shape ``(c · M, c · M)``."""
        return self.derivative @ self.derivative.T

    def jacobian(self, x: Tensor) -> Tensor:
        """Derivatives of the outputs by the weights at points ``(N, *input_shape)``; shape ``(N, c, P)``."""
        features = monomial_values(self.network, x)
        per_output = self.derivative.reshape(self.network.output_dimension, features.shape[1], -1)
        return torch.einsum("nm,cmp->ncp", features, per_output)

    def kernel(self, x: Tensor, y: Tensor | None = None) -> Tensor:
        """The tangent kernel between points ``x`` and ``y`` (``x`` again if None); shape ``(N, N', c, c)``."""
        left = monomial_values(self.network, x)
        right = left if y is None else monomial_values(self.network, y)
        outputs = self.network.output_dimension
        core = self.matrix.reshape(outputs, left.shape[1], outputs, right.shape[1])
        return torch.einsum("na,iajb,kb->nkij", left, core, right)


def core_matrix(network: Network | str, weights: Mapping[str, Tensor]) -> CoreMatrix:
    """The core matrix of ``network`` at ``weights``; see `CoreMatrix`.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> module = parse("[3,2,1] r=2").to_torch(rng=1)
    >>> core = core_matrix(module.network, dict(module.named_parameters()))
    >>> core.matrix.shape, int(torch.linalg.matrix_rank(core.derivative))
    (torch.Size([6, 6]), 5)
    """
    network = _coordinates(network).network
    return CoreMatrix(network, coefficient_jacobian(network, weights))


def _scale(network: Network, like: Tensor) -> Tensor:
    return torch.tensor(np.sqrt(basis_factors(network)), dtype=like.dtype, device=like.device)


def _check(system: str) -> None:
    choice("system", system, SYSTEMS, "plain")
