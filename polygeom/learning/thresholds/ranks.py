"""The rank of the tangent kernel against the dimension of the neurovariety: one number by two roads.

The tangent kernel of a network at weights ``w`` on points ``x_1, …, x_N`` is ``J Jᵀ``, ``J`` the derivative of all
outputs at all points. Its rank is at most the rank of the coefficient map's derivative (see
`polygeom.learning.functions.coefficient_map`), with equality at enough generic points; so at generic weights it *is*
the dimension of the neurovariety. That is a theorem about exact numbers. This module measures the rank in floating
point, where it is an observation, and compares it with the exact dimension.

Floats need care: singular values of ``J`` shrink quickly with depth and degree, those of ``J Jᵀ`` are their squares and
sink below rounding. Ranks are therefore taken of ``J``, in float64, after scaling its rows and columns to length one
(which changes no rank), and only with a clear gap.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import fields

import numpy as np
import torch
from torch import Tensor

from polygeom._dataclass import dataclass
from polygeom.checks import choice
from polygeom.dimensions import dimension
from polygeom.dimensions.result import DimensionResult
from polygeom.engines.torch_module import NetworkModule
from polygeom.errors import BudgetError, PolygeomError
from polygeom.learning import checks
from polygeom.learning.tangent.tangent_kernel import jacobian
from polygeom.learning.thresholds.conditions import typical_condition
from polygeom.network import Network
from polygeom.network.builder import as_network

CLEAR_GAP = 1e4
"""A rank is believed when the singular values on its two sides differ by this factor."""

_WIDE_GAP = 1e8
_DRAWS = 6
_SMALLEST = 1e-14
_SURPLUS = 5
_NOISE = 0.3
_MOST_ENTRIES = 60_000_000
_METHODS = ("jacobian", "gram")
_TRUSTED = 1e-2
"""Conditions vary by a factor of a hundred between draws: beyond it, a clear gap is out of reach for many of them."""


class PrecisionWarning(UserWarning):
    """A numerical rank was asked for in a way that is known to give wrong ranks."""


@dataclass(frozen=True, eq=False)
class NumericalRank:
    """A rank read off singular values.

    Attributes
    ----------
    rank:
        Where consecutive singular values differ most, among those above 1e-14 of the largest.
    above, below:
        The singular values on both sides of the gap, relative to the largest; below is at least the unit roundoff.
    singular_values:
        All of them, after scaling rows and columns to length one, relative to the largest.
    """

    rank: int
    above: float
    below: float
    singular_values: np.ndarray

    @property
    def gap(self) -> float:
        """``above / below``."""
        return self.above / self.below

    @property
    def condition(self) -> float:
        """Largest singular value over the smallest that counts."""
        return 1 / self.above

    @property
    def clear(self) -> bool:
        """Whether the gap is at least `CLEAR_GAP`."""
        return self.gap >= CLEAR_GAP


@dataclass(frozen=True, eq=False)
class KernelRank:
    """The rank of a tangent kernel and the dimension of the neurovariety.

    Attributes
    ----------
    network:
        Canonical text.
    rank:
        The numerical rank of the evaluation Jacobian.
    dimension, proved:
        The exact dimension and whether it is proved (`polygeom.dimension`).
    gap, above, below:
        The singular values on both sides of the rank, relative to the largest, and their ratio.
    clear:
        Whether the gap is wide enough to believe the rank.
    agrees:
        Whether rank and dimension are equal; at special weights the rank may be smaller.
    points, outputs, parameters:
        The Jacobian has ``points × outputs`` rows and ``parameters`` columns.
    method, dtype, seed:
        How it was computed.
    singular_values:
        Of the scaled Jacobian, relative to the largest.
    spectrum:
        Eigenvalues of the tangent kernel itself, largest first, shape ``(min(points × outputs, parameters),)``.
    """

    network: str
    rank: int
    dimension: int
    proved: bool
    gap: float
    above: float
    below: float
    clear: bool
    agrees: bool
    points: int
    outputs: int
    parameters: int
    method: str
    dtype: str
    seed: int
    singular_values: np.ndarray
    spectrum: np.ndarray

    @property
    def condition(self) -> float:
        """Largest singular value over the smallest that counts, after scaling rows and columns."""
        return 1 / self.above

    def as_dict(self) -> dict[str, object]:
        """The scalar fields as plain data."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if not isinstance(value, np.ndarray)}

    def __str__(self) -> str:
        """One line for a reader."""
        verdict = "agree" if self.agrees else "DIFFER"
        belief = "" if self.clear else ", no clear gap"
        word = "proved" if self.proved else "probable"
        return (
            f"{self.network}: kernel rank {self.rank} (singular values {self.above:.1e} | {self.below:.1e}{belief}), "
            f"dimension {self.dimension} ({word}): {verdict}"
        )


def numerical_rank(matrix: Tensor) -> NumericalRank:
    """The rank of a matrix of floats by the largest gap in its singular values, after scaling rows and columns.

    Parameters
    ----------
    matrix:
        Shape ``(m, n)``, finite. Rows and columns are divided by their lengths, which leaves the rank unchanged and
        brings small singular values up.

    Raises
    ------
    PolygeomError
        When an entry is not finite.

    Examples
    --------
    >>> numerical_rank(torch.tensor([[1.0, 0.0], [2.0, 0.0], [3.0, 1e-9]], dtype=torch.float64)).rank
    2
    """
    matrix = checks.tensor(matrix, "matrix").detach()
    matrix = checks.floats(matrix, "matrix", axes=2) if matrix.numel() or matrix.ndim != 2 else matrix.double()
    for axis in (1, 0):
        length = torch.linalg.vector_norm(matrix, dim=axis, keepdim=True)
        matrix = matrix / torch.where(length > 0, length, torch.ones_like(length))
    values = torch.linalg.svdvals(matrix).double().cpu().numpy()
    return _by_gap(values, float(torch.finfo(matrix.dtype).eps))


def _by_gap(values: np.ndarray, unit: float) -> NumericalRank:
    if not len(values) or values[0] == 0:
        return NumericalRank(0, 1.0, unit, values)
    relative = values / values[0]
    floor = np.append(np.maximum(relative[1:], unit), unit)
    ratios = np.where(relative > _SMALLEST, relative / floor, 0)
    rank = int(np.argmax(ratios)) + 1
    return NumericalRank(rank, float(relative[rank - 1]), float(floor[rank - 1]), relative)


def evaluation_jacobian(network: Network, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Derivatives of all outputs at points ``(N, *input_shape)`` by all weights, by automatic differentiation.

    Returns
    -------
    Shape ``(N · c, P)``: points, then outputs; weights in the order of ``network.parameters``, row by row.
    """
    rows = len(x) * network.output_dimension
    if not network.parameters:
        return x.new_zeros((rows, 0))
    module = NetworkModule(network, dtype=x.dtype, device=x.device, initialisation="zero")
    module.set_weights({name: weights[name].detach() for name in network.parameters})
    return jacobian(module, x, dtype=None, method="pointwise").reshape(rows, -1)


def kernel_rank(
    network: Network | str,
    *,
    weights: Mapping[str, Tensor] | None = None,
    points: int | None = None,
    method: str = "jacobian",
    dtype: torch.dtype = torch.float64,
    rng: int = 0,
) -> KernelRank:
    """The rank of the tangent kernel of ``network`` at random points, next to the dimension of its neurovariety.

    Before anything is computed, a `PrecisionWarning` says where the rank is not to be trusted: from the degree of the
    outputs (`polygeom.learning.thresholds.conditions`), the method and the precision.

    Parameters
    ----------
    network:
        A `Network` or its text.
    weights:
        Where to differentiate: a tensor for every name in ``network.parameters``; random ones if None, at which rank
        and dimension agree with probability one. At trained weights the rank may be smaller (dead or merged neurons).
    points:
        Number of random input points; enough for the full rank if None. With fewer, the rank is at most
        ``points × outputs``.
    method:
        ``"jacobian"``; ``"gram"`` takes the rank of the kernel matrix, whose small eigenvalues drown in rounding: it
        warns, and exists to show this.
    dtype:
        ``torch.float64``; ``torch.float32`` warns for the same reason.
    rng:
        Seed of points, weights and dimension.

    Raises
    ------
    PolygeomError
        For unknown methods, or weights that do not fit.
    BudgetError
        When the Jacobian would not fit into memory.

    Examples
    --------
    >>> print(kernel_rank("[4,3,1] r=2").rank, kernel_rank("[4,3,1] r=2").parameters)
    9 15
    """
    network = as_network(network)
    _warn(network, method, dtype, kept=weights is None)
    _fits(network, 1 if points is None else points)
    exact = dimension(network, rng=rng)
    count = _enough_points(network, exact) if points is None else points
    _fits(network, count)
    generator = torch.Generator().manual_seed(rng)
    best: tuple[NumericalRank, Tensor] | None = None
    for _ in range(_DRAWS if weights is None else 1):
        own = generic_weights(network, generator) if weights is None else weights
        own = {name: tensor.detach().to(dtype) for name, tensor in own.items()}
        x = torch.randn((count, *network.input_shape), generator=generator, dtype=torch.float64).to(dtype)
        derivative = evaluation_jacobian(network, own, x)
        rank = numerical_rank(derivative if method == "jacobian" else derivative @ derivative.T)
        if best is None or rank.gap > best[0].gap:
            best = rank, derivative
        if rank.gap >= _WIDE_GAP:
            break
    assert best is not None
    found, derivative = best
    return KernelRank(
        network=network.text,
        rank=found.rank,
        dimension=exact.dimension,
        proved=exact.proved,
        gap=found.gap,
        above=found.above,
        below=found.below,
        clear=found.clear,
        agrees=found.rank == exact.dimension,
        points=count,
        outputs=network.output_dimension,
        parameters=network.parameter_count,
        method=method,
        dtype=str(dtype).removeprefix("torch."),
        seed=rng,
        singular_values=found.singular_values,
        spectrum=torch.linalg.svdvals(derivative).double().cpu().numpy() ** 2,
    )


def generic_weights(network: Network, generator: torch.Generator) -> dict[str, Tensor]:
    """Random weights at which derivatives are well conditioned: orthogonal matrices plus normal noise, in float64.

    The noise makes them generic (every open condition that holds somewhere holds with probability one); the orthogonal
    part keeps deep networks of high degree away from nearly singular derivatives.
    """
    weights = {}
    for name, shape in network.parameters.items():
        noise = torch.randn(shape, generator=generator, dtype=torch.float64)
        if len(shape) == 2:
            square = torch.randn((max(shape), max(shape)), generator=generator, dtype=torch.float64)
            frame = torch.linalg.qr(square)[0][: shape[0], : shape[1]]
            noise = frame + _NOISE / math.sqrt(shape[1]) * noise
        weights[name] = noise
    return weights


def _enough_points(network: Network, exact: DimensionResult) -> int:
    """Each further generic point raises the rank until it is full; twice as many improve the conditioning."""
    try:
        ambient = network.ambient
        monomials = max(ambient.degrees.count(span.every) for span in dict.fromkeys(ambient.spans))
    except BudgetError:
        monomials = exact.upper
    return 2 * min(exact.upper, monomials) + _SURPLUS


def _fits(network: Network, points: int) -> None:
    if points < 1:
        raise PolygeomError(f"points must be at least 1, got {points}; leave it out for as many as needed")
    entries = points * network.output_dimension * network.parameter_count
    if entries > _MOST_ENTRIES:
        raise BudgetError(
            f"kernel_rank: a Jacobian with {entries} entries is more than {_MOST_ENTRIES}; write fewer points, or ask "
            "polygeom.dimension, which needs no floats"
        )


def _warn(network: Network, method: str, dtype: torch.dtype, *, kept: bool) -> None:
    choice("method", method, _METHODS, "jacobian")
    if dtype not in (torch.float64, torch.float32):
        raise PolygeomError(f"dtype must be torch.float64 or torch.float32, got {dtype}; write torch.float64")
    reasons = []
    if method == "gram":
        reasons.append("the kernel matrix has the squares of the Jacobian's singular values")
    if dtype == torch.float32:
        reasons.append(f"float32 resolves singular values only down to {torch.finfo(dtype).eps:.0e} of the largest")
    advice = "use method='jacobian' and torch.float64"
    condition = typical_condition(network, kept=kept)
    if not reasons and condition * CLEAR_GAP * torch.finfo(dtype).eps > _TRUSTED:
        at = "" if kept else " and weights that are not drawn here"
        reasons.append(f"outputs of degree {network.degree:.6g}{at} have conditions of about {condition:.0e}")
        advice = "ask polygeom.dimension or, at given weights, polygeom.dimensions.special.rank_at, which use no floats"
    if reasons:
        told = f"this rank is likely too small: {' and '.join(reasons)}; {advice}"
        warnings.warn(told, PrecisionWarning, stacklevel=3)


__all__ = [
    "CLEAR_GAP",
    "KernelRank",
    "NumericalRank",
    "PrecisionWarning",
    "evaluation_jacobian",
    "kernel_rank",
    "numerical_rank",
]
