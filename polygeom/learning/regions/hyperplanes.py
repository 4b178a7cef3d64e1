"""The geometry of weights: sizes and angles of their rows, distances of inputs to the boundaries of regions.

The hyperplane ``w · a + b = 0``, in the space of what a dense layer reads, parts the inputs where a unit is on from
those where it is off. For the first layer this is the space of inputs itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from polygeom.engines.torch_module import NetworkModule
from polygeom.errors import PolygeomError
from polygeom.learning.regions.affine import AffineMap, evaluation_mode, record

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


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
    layers = {name: part for name, part in module.named_modules() if isinstance(part, _LAYERS)}
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
    """The product of all `spectral_norms`: an upper bound for the Lipschitz constant of a dense ReLU network."""
    return math.prod(spectral_norms(module).values())


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


def boundary_distances(module: nn.Module, x: Tensor, *, batch_size: int = 8192) -> np.ndarray:
    """Distance to the nearest hyperplane of every hidden layer, ``(N, L)``: ``min_u |w_u · a + b_u| / |w_u|``.

    The distance of layer ``l`` is measured in the space that this layer reads: in the space of inputs for the first
    layer alone. An input that moves by less than its first distance keeps its first-layer pattern; for later layers no
    such thing is claimed. The minimum over the layers is the "region narrowness" of the source.

    Parameters
    ----------
    module:
        A network of dense layers, or convolutions, whose distances are those of patches; the last affine map is its
        output and left out.
    x:
        Inputs ``(N, …)``.
    batch_size:
        How many inputs are run at a time.

    Raises
    ------
    PolygeomError
        When there are no hidden dense layers.

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
    with torch.no_grad(), evaluation_mode(module):
        return np.concatenate([_distances(_hidden(module, chunk)) for chunk in torch.split(x, batch_size)])


def _hidden(module: nn.Module, x: Tensor) -> tuple[AffineMap, ...]:
    hidden = record(module, x).hidden
    if not hidden:
        raise PolygeomError(
            f"module must have hidden dense layers, got {type(module).__name__} with none; write one with nn.Linear"
        )
    return hidden


def _distances(hidden: Sequence[AffineMap]) -> np.ndarray:
    columns = [m.tokens(m.values).abs() / m.weight.norm(dim=-1) for m in hidden]
    return np.stack([column.flatten(start_dim=1).min(dim=1).values.cpu().numpy() for column in columns], axis=1)


def cell_inradii(
    module: nn.Module, points: Tensor, *, depth: int = 1, low: float = -1.0, high: float = 1.0
) -> np.ndarray:
    """Radius of the largest ball inside the activation cell of each point and the box ``[low, high]^D``, ``(N,)``.

    The cell is the polytope ``s_u (w_u · x + b_u) ≥ 0`` with the signs ``s_u`` at the point; its Chebyshev radius is
    the greatest ``r`` with ``s_u (w_u · x + b_u) ≥ r |w_u|`` and ``low + r ≤ x ≤ high - r``, a linear program (scipy,
    HiGHS).

    Parameters
    ----------
    module:
        A network of dense layers with piecewise linear activations.
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
        When there are fewer hidden layers than ``depth``, a point lies outside the box, or the solver fails.

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
    if points.ndim != 2 or bool((points < low).any() | (points > high).any()):
        raise PolygeomError(
            f"points must be of shape (N, D) with entries from {low:g} to {high:g}, got shape {tuple(points.shape)}; "
            "write points of the box, or other low and high"
        )
    with evaluation_mode(module):
        return np.array([_inradius(*_cell(module, point, depth), low, high) for point in points])


def _cell(module: nn.Module, point: Tensor, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows ``w`` and offsets ``b`` of the cell of a point, with ``w · x + b ≥ 0`` inside."""

    def values(x: Tensor) -> Tensor:
        hidden = _hidden(module, x[None])
        if not 1 <= depth <= len(hidden):
            raise PolygeomError(f"depth must be between 1 and {len(hidden)}, got {depth}; write depth=1")
        return torch.cat([m.values.flatten() for m in hidden[:depth]])

    with torch.no_grad():
        first = _hidden(module, point[None])[0]
    if depth == 1 and first.weight.shape == (first.values.numel(), len(point)):
        jacobian, at_point = first.weight, first.values.flatten()
    else:
        jacobian = torch.func.jacrev(values)(point)
        at_point = values(point).detach()
    w, v = jacobian.detach().double().cpu().numpy(), at_point.double().cpu().numpy()
    signs = np.where(v > 0, 1.0, -1.0)
    return signs[:, None] * w, signs * (v - w @ point.double().cpu().numpy())


def _inradius(w: np.ndarray, b: np.ndarray, low: float, high: float) -> float:
    from scipy.optimize import linprog

    dimension = w.shape[1]
    identity, ones = np.eye(dimension), np.ones((dimension, 1))
    constraints = np.block(
        [[-w, np.linalg.norm(w, axis=1)[:, None]], [identity, ones], [-identity, ones]],
    )  # fmt: skip
    right = np.concatenate([b, np.full(dimension, high), np.full(dimension, -low)])
    bounds = [(None, None)] * dimension + [(0, None)]
    solved = linprog([0.0] * dimension + [-1.0], A_ub=constraints, b_ub=right, bounds=bounds, method="highs")
    if solved.status != 0:
        raise PolygeomError(f"points: no ball was found in the cell ({solved.message}); write points inside the box")
    return float(-solved.fun)
