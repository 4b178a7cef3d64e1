"""The geometry of weights: sizes and angles of their rows, distances of inputs to the boundaries of regions.

The hyperplane ``w · a + b = 0``, in the space of what a dense layer reads, parts the inputs where a unit is on from
those where it is off. For the first layer this is the space of inputs itself.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from polygeom.engines.torch_module import NetworkModule
from polygeom.errors import PolygeomError
from polygeom.learning import checks
from polygeom.learning.recording import evaluation_mode
from polygeom.learning.regions.affine import AffineMap, record
from polygeom.learning.regions.preactivations import Unit, follow, row_lengths, rows

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_LAYERS = (nn.Linear, *_CONVOLUTIONS)
_SHORTENING = (
    nn.Identity, nn.Flatten, nn.Unflatten, nn.ReLU, nn.ReLU6, nn.Hardtanh, nn.Tanh, nn.Sigmoid, nn.LogSigmoid,
    nn.Softplus, nn.Softsign, nn.Tanhshrink, nn.Softshrink, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d,
)  # fmt: skip
"""Layers that bring no two points further apart, in evaluation mode."""


def weight_matrices(module: nn.Module) -> dict[str, Tensor]:
    """The weights of dense and convolutional layers as matrices ``(outputs, inputs)``, in the module's order.

    A filter of a convolution is one row; no matrix of a polynomial network with sparse or tied patterns is listed.

    Examples
    --------
    >>> from polygeom.network import ccp
    >>> {name: tuple(w.shape) for name, w in weight_matrices(ccp(2, rank=5, degree=2).to_torch()).items()}
    {'W1': (5, 2), 'W2': (5, 2), 'W3': (1, 5)}
    """
    if isinstance(module, NetworkModule):
        return {name: p.detach() for name, p in module.named_parameters() if name.startswith("W") and p.ndim == 2}
    layers = {name: part for name, part in checks.a_module(module).named_modules() if isinstance(part, _LAYERS)}
    return {
        f"{name}.weight" if name else "weight": part.weight.detach().flatten(start_dim=1)
        for name, part in layers.items()
    }


def spectral_norms(module: nn.Module) -> dict[str, float]:
    """The largest singular value of every weight matrix (`weight_matrices`) by name.

    For a convolution this is the norm of the matrix of its filters, not that of the map between images.

    Examples
    --------
    >>> from torch import nn
    >>> module = nn.Linear(2, 2)
    >>> _ = module.weight.data.copy_(torch.diag(torch.tensor([3.0, -4.0])))
    >>> spectral_norms(module)
    {'weight': 4.0}
    """
    return {name: float(torch.linalg.matrix_norm(w, 2)) for name, w in weight_matrices(module).items()}


def spectral_norm_product(module: nn.Module) -> float:
    """An upper bound for the Lipschitz constant of a chain of layers: the product of the norms of its parts.

    Dense layers count with their largest singular value, batch normalisations in evaluation mode with their largest
    scale, convolutions with the norm of their matrix of filters times the root of the number of windows that an entry
    can be in, activations with slope at most one with 1. For a dense ReLU network it is the product of all
    `spectral_norms`.

    Parameters
    ----------
    module:
        A layer or an ``nn.Sequential`` of layers, of which each reads what the one before gives. It is judged in
        evaluation mode.

    Raises
    ------
    PolygeomError
        For any other part. Skip connections among them: ``x + relu(A x)`` with ``A`` orthogonal has the product 1 and
        the Lipschitz constant 2.

    Examples
    --------
    >>> from torch import nn
    >>> module = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1))
    >>> _ = module[0].weight.data.fill_(3.0), module[2].weight.data.fill_(-2.0)
    >>> spectral_norm_product(module)
    6.0
    """
    return math.prod(_lipschitz(name, part) for name, part in _chain("module", checks.a_module(module)))


def _chain(name: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    if type(module) is not nn.Sequential:
        yield name, module
        return
    for number, part in module.named_children():
        yield from _chain(f"{name}[{number}]", part)


def _lipschitz(name: str, part: nn.Module) -> float:
    kind: Any = type(part).__bases__[0] if torch.nn.utils.parametrize.is_parametrized(part) else type(part)
    if part._forward_pre_hooks or part._forward_hooks:
        kind = None  # whatever the hooks do
    if kind in _SHORTENING:
        return 1.0
    if kind is nn.LeakyReLU:
        return max(1.0, abs(float(part.negative_slope)))  # type: ignore[arg-type]
    if kind is nn.PReLU:
        return max(1.0, float(part.weight.detach().abs().max()))  # type: ignore[operator]
    if kind is nn.Linear:
        return float(torch.linalg.matrix_norm(part.weight.detach(), 2))  # type: ignore[operator]
    if isinstance(part, _CONVOLUTIONS) and kind in _CONVOLUTIONS and part.padding_mode == "zeros":
        axes = zip(part.kernel_size, part.stride, part.dilation, strict=True)
        windows = math.prod(-(-size // (stride // math.gcd(stride, dilation))) for size, stride, dilation in axes)
        groups = part.weight.detach().flatten(start_dim=1).chunk(part.groups)
        return math.sqrt(windows) * max(float(torch.linalg.matrix_norm(group, 2)) for group in groups)
    if isinstance(part, _BatchNorm) and kind is not None and part.running_var is not None:
        scale = torch.rsqrt(part.running_var + part.eps)
        return float((scale if part.weight is None else scale * part.weight.detach().abs()).max())
    raise PolygeomError(
        f"module must be a chain of dense layers, convolutions and activations of slope at most one, got {name} = "
        f"{type(part).__name__}, for which the product of norms is no bound (a skip connection adds, it does not "
        "multiply); write nn.Sequential, or spectral_norms(module) for the norms alone"
    )


def hyperplane_cosines(module: nn.Module) -> np.ndarray:
    """Cosines of the angles between all hidden weight rows, ``(H, H)``, the layers one after the other.

    Shorter rows are padded with zeros; the output layer, the last one, is left out. The matrix is symmetric with unit
    diagonal (zero for a row of zeros).

    References
    ----------
    Lazzari, Liu, arXiv 2301.05816.

    Examples
    --------
    >>> from torch import nn
    >>> hyperplane_cosines(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4), nn.Linear(4, 1))).shape
    (7, 7)
    """
    hidden = list(weight_matrices(module).values())[:-1]
    if not hidden:
        raise PolygeomError(
            "module must have at least two weight matrices, got fewer; write a network with hidden layers"
        )
    width = max(w.shape[1] for w in hidden)
    rows = torch.cat([nn.functional.pad(w, (0, width - w.shape[1])) for w in hidden]).double()
    unit = nn.functional.normalize(rows, dim=1)
    return (unit @ unit.T).cpu().numpy()


def mean_off_diagonal(matrix: np.ndarray) -> float:
    """The mean of the entries of a square matrix off its diagonal."""
    size = len(matrix)
    return float((matrix.sum() - np.trace(matrix)) / (size * (size - 1)))


def boundary_distances(module: nn.Module, inputs: Any, *, batch_size: int = 8192) -> np.ndarray:
    """Distance to the nearest hyperplane of every hidden layer, ``(N, L)``: ``min_u |w_u · a + b_u| / |w_u|``.

    The hyperplanes are those of what the activation reads: everything affine between what the layer reads and its
    activation counts (batch normalisation in evaluation mode, scalings, further dense layers, sums with what the layer
    reads itself). The distance of layer ``l`` is measured in the space that this layer reads, the output of a function
    that is not affine, or the inputs themselves for a layer that reads them. A layer is what one activation reads.

    An input that moves by less than the distance of a layer that reads the inputs keeps that layer's pattern (proved);
    for later layers no such thing is claimed. The minimum over the layers is the "region narrowness" of the source.

    Parameters
    ----------
    module:
        A network whose layers are affine up to their activations, run in evaluation mode. Of a polynomial network, the
        hyperplanes are those of its affine maps but the last.
    inputs:
        Inputs ``(N, …)``; see `polygeom.learning.checks`.
    batch_size:
        How many inputs are run at a time.

    Raises
    ------
    PolygeomError
        When there are no hidden layers; when something else stands before an activation (a layer normalisation,
        attention, a skip connection around another activation), so that the boundary is no hyperplane; and for modules
        that mix points.

    References
    ----------
    Lazzari, Liu, arXiv 2301.05816.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> module = nn.Sequential(nn.Linear(2, 1), nn.ReLU(), nn.Linear(1, 1))
    >>> _ = module[0].weight.data.copy_(torch.tensor([[3.0, 4.0]])), module[0].bias.data.zero_()
    >>> boundary_distances(module, torch.tensor([[1.0, 1.0]]))
    array([[1.4]], dtype=float32)
    """
    if batch_size < 1:
        raise PolygeomError(f"batch_size must be at least 1, got {batch_size}; write batch_size=8192")
    with torch.no_grad(), evaluation_mode(checks.a_module(module)):
        inputs, _ = checks.accept(module, module, inputs)
        if isinstance(module, NetworkModule):
            return np.concatenate([_of_maps(_hidden(module, chunk)) for chunk in torch.split(inputs, batch_size)])
        _affine_units(module, inputs[:1])
        lengths = row_lengths(module, inputs)
        return np.concatenate([_of_units(module, chunk, lengths) for chunk in torch.split(inputs, batch_size)])


def _hidden(module: nn.Module, x: Tensor) -> tuple[AffineMap, ...]:
    hidden = record(module, x).hidden
    if not hidden:
        raise _no_layers(module)
    return hidden


def _affine_units(module: nn.Module, x: Tensor) -> tuple[Unit, ...]:
    units, _ = follow(module, x)
    if not units:
        raise _no_layers(module)
    for number, unit in enumerate(units, 1):
        if unit.problem:
            raise PolygeomError(
                f"module must have layers that are affine up to their activations, but before activation {number} "
                f"({unit.name}) stands {unit.problem}; its boundary is no hyperplane of what the layer reads"
            )
    return units


def _no_layers(module: nn.Module) -> PolygeomError:
    return PolygeomError(
        f"module must have hidden dense layers with activations, got {type(module).__name__} with none; write one with "
        "nn.Linear and nn.ReLU"
    )


def _of_maps(hidden: Sequence[AffineMap]) -> np.ndarray:
    return _least([_quotient(m.tokens(m.values), m.weight.norm(dim=-1)) for m in hidden])


def _of_units(module: nn.Module, x: Tensor, lengths: Sequence[Tensor]) -> np.ndarray:
    units = _affine_units(module, x)
    return _least([_quotient(unit.values, length) for unit, length in zip(units, lengths, strict=True)])


def _quotient(values: Tensor, lengths: Tensor) -> Tensor:
    """Distances; infinite for a row of zeros, whose unit never changes."""
    return torch.where(lengths > 0, values.abs() / torch.where(lengths > 0, lengths, 1), math.inf)


def _least(columns: Sequence[Tensor]) -> np.ndarray:
    return np.stack([column.flatten(start_dim=1).min(dim=1).values.cpu().numpy() for column in columns], axis=1)


def cell_inradii(module: nn.Module, points: Any, *, depth: int = 1, low: float = -1.0, high: float = 1.0) -> np.ndarray:
    """Radius of the largest ball inside the activation cell of each point and the box ``[low, high]^D``, ``(N,)``.

    The cell is the polytope ``s_u (w_u · x + b_u) ≥ 0`` with the signs ``s_u`` at the point; its Chebyshev radius is
    the greatest ``r`` with ``s_u (w_u · x + b_u) ≥ r |w_u|`` and ``low + r ≤ x ≤ high - r``, a linear program (scipy,
    HiGHS). The hyperplanes are those of what the activations read; see `boundary_distances`.

    Parameters
    ----------
    module:
        A network that is piecewise affine in its inputs with all kinks at zeros of its units, run in evaluation mode.
        For ``depth=1`` the first activation may be of any kind.
    points:
        Points ``(N, D)`` of the box.
    depth:
        How many hidden layers cut: 1 for the arrangement of the first layer's hyperplanes. Deeper layers are affine
        within the cell of the layers before, and their hyperplanes there are found by automatic differentiation.
    low, high:
        The box.

    Raises
    ------
    PolygeomError
        When there are fewer hidden layers than ``depth``, one of them is not piecewise affine in the inputs, a point
        lies outside the box, or the solver fails.

    References
    ----------
    Lazzari, Liu, arXiv 2301.05816 (first layer, box [-1, 1]^D); Boyd, Vandenberghe, Convex Optimization, 8.5.1.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> module = nn.Sequential(nn.Linear(2, 1), nn.ReLU(), nn.Linear(1, 1))
    >>> _ = module[0].weight.data.copy_(torch.tensor([[1.0, 0.0]])), module[0].bias.data.zero_()
    >>> cell_inradii(module, torch.tensor([[0.3, 0.2]])).round(6)  # the half square 0 ≤ x ≤ 1
    array([0.5])
    """
    x = checks.points(points, checks.like(module), name="points")
    if x.ndim != 2 or bool((x < low).any() | (x > high).any()):
        raise PolygeomError(
            f"points must be of shape (N, D) with entries from {low:g} to {high:g}, got shape {tuple(x.shape)}; "
            "write points of the box, or other low and high"
        )
    with evaluation_mode(module):
        checks.accept(module, module, x, name="points")
        cell = _polynomial_cell if isinstance(module, NetworkModule) else _cell
        return np.array([_inradius(*_inward(point, *cell(module, point, depth)), low, high) for point in x])


def _cell(module: nn.Module, point: Tensor, depth: int) -> tuple[Tensor, Tensor]:
    """Derivatives ``(m, D)`` and values ``(m,)`` at a point of all units that cut."""
    with torch.enable_grad():
        units, x = follow(module, point[None])
        if not units:
            raise _no_layers(module)
        _depth(depth, len(units))
        for number, unit in enumerate(units[:depth], 1):
            if unit.bent:
                raise PolygeomError(
                    f"module must be piecewise affine up to activation {number} ({unit.name}), but {unit.bent}; "
                    "write a smaller depth, or a network of dense layers and ReLU"
                )
        pieces = [(torch.stack(list(rows(unit.values, x))), unit.values.detach().flatten()) for unit in units[:depth]]
    return torch.cat([piece[0] for piece in pieces]), torch.cat([piece[1] for piece in pieces])


def _polynomial_cell(module: nn.Module, point: Tensor, depth: int) -> tuple[Tensor, Tensor]:
    if depth != 1:
        raise PolygeomError(
            f"depth must be 1 for a polynomial network, whose later layers are not affine in cells, got {depth}"
        )
    with torch.enable_grad():
        x = point[None].detach().requires_grad_()
        first = _hidden(module, x)[0]
        return torch.stack(list(rows(first.values, x))), first.values.detach().flatten()


def _depth(depth: int, most: int) -> None:
    if not 1 <= depth <= most:
        raise PolygeomError(f"depth must be between 1 and {most}, got {depth}; write depth=1")


def _inward(point: Tensor, jacobian: Tensor, at_point: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Rows ``w`` and offsets ``b`` of the cell of a point, with ``w · x + b ≥ 0`` inside."""
    w, v = jacobian.detach().double().cpu().numpy(), at_point.double().cpu().numpy()
    signs = np.where(v > 0, 1.0, -1.0)
    return signs[:, None] * w, signs * (v - w @ point.detach().double().cpu().numpy())


def _inradius(w: np.ndarray, b: np.ndarray, low: float, high: float) -> float:
    from scipy.optimize import linprog

    dimension = w.shape[1]
    identity, ones = np.eye(dimension), np.ones((dimension, 1))
    constraints = np.block([[-w, np.linalg.norm(w, axis=1)[:, None]], [identity, ones], [-identity, ones]])
    right = np.concatenate([b, np.full(dimension, high), np.full(dimension, -low)])
    bounds = [(None, None)] * dimension + [(0, None)]
    solved = linprog([0.0] * dimension + [-1.0], A_ub=constraints, b_ub=right, bounds=bounds, method="highs")
    if solved.status != 0:
        raise PolygeomError(f"points: no ball was found in the cell ({solved.message}); write points inside the box")
    return float(-solved.fun)
