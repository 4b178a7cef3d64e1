r"""The squared loss as a distance between functions, and descents to the functions that training can reach.

For a polynomial network ``f(x) = C(w) m(x)`` (see `polygeom.learning.functions.coefficient_map`) with data ``X``, ``Y``
and the feature matrix ``Φ = QR``, rows ``m(x_i)``,

.. math::

    |Φ C^{\mathsf T} - Y|^2 = |R C^{\mathsf T} - Q^{\mathsf T} Y|^2 + |Y|^2 - |Q^{\mathsf T} Y|^2.

So the loss is a constant plus the squared distance of the *whitened* function ``R Cᵀ`` from a whitened target, in a
space whose dimension does not depend on the number of samples. This is an identity. Descents in it are the descents on
the data, step by step, and many of them are made at once here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from polygeom._dataclass import dataclass
from polygeom.checks import choice
from polygeom.dimensions import dimension
from polygeom.errors import PolygeomError
from polygeom.learning import checks
from polygeom.learning.functions import coefficient_map
from polygeom.learning.training.damping import Damping, damped_step
from polygeom.network import Network
from polygeom.network.builder import as_network

CRITICAL, BOUNDARY, SINGULAR, UNFINISHED = LABELS = ("critical point", "boundary", "singular", "not converged")
"""What became of a descent; see `Functions`."""

OPTIMISERS = ("levenberg-marquardt", "adam")

_RATE = 0.01
_STILL = 1e-7
_EXACT = 1e-10
_INDEPENDENT = 1e-6
_CANCELLING = 100.0
_FLAT = 1e-9
_LEAST = 1e-14
_ROUNDING = 1e-15
_IDLE = 10


@dataclass(frozen=True, eq=False)
class FunctionLoss:
    """The mean squared error of the functions of a network at given data.

    Attributes
    ----------
    network:
        The network.
    root:
        ``R``, shape ``(k, M)``; ``k = min(N, M)`` for samples in general position.
    target:
        ``Qᵀ Y``, shape ``(k, c)``.
    floor:
        The mean squared error of the best function of all polynomials, in the network or not.
    count:
        ``N c``, the number of residuals that the mean is taken over.
    """

    network: Network
    root: Tensor
    target: Tensor
    floor: float
    count: int

    @classmethod
    def of(cls, network: Network | str, inputs: Tensor, targets: Tensor) -> FunctionLoss:
        """From inputs ``(N, *input_shape)`` and targets ``(N, *output_shape)``, float64.

        Examples
        --------
        >>> x = torch.tensor([[1.0], [2.0], [3.0]], dtype=torch.float64)
        >>> loss = FunctionLoss.of("[1,1,1] r=2", x, x)
        >>> loss.root.shape, round(loss.floor, 6)
        (torch.Size([1, 1]), 0.258503)
        """
        network = as_network(network)
        inputs, targets = checks.tensor(inputs, "inputs").detach(), checks.tensor(targets, "targets").detach()
        for name, value, shape in (
            ("inputs", inputs, network.input_shape), ("targets", targets, network.output_shape),
        ):  # fmt: skip
            if value.dtype != torch.float64 or tuple(value.shape[1:]) != shape or not torch.isfinite(value).all():
                raise PolygeomError(
                    f"{name} must be finite float64 of shape (N, {', '.join(map(str, shape))}), got {value.dtype} of "
                    f"shape {tuple(value.shape)}"
                )
        if len(inputs) != len(targets) or not len(inputs):
            raise PolygeomError(
                f"inputs and targets must be equally many samples, got {len(inputs)} and {len(targets)}"
            )
        if not network.parameter_count:
            raise PolygeomError(f"network {network.text} has no weights; write a network with at least one")
        flat = targets.reshape(len(targets), -1)
        q, root = torch.linalg.qr(coefficient_map.monomial_values(network, inputs, system="plain"))
        target = q.T @ flat
        floor = float((flat - q @ target).square().sum()) / flat.numel()
        return cls(network, root, target, floor, flat.numel())

    @property
    def determined(self) -> bool:
        """Whether the data tell all functions apart."""
        values = torch.linalg.svdvals(self.root)
        return self.root.shape[0] == self.root.shape[1] and bool(values[-1] > _FLAT * values[0])

    def whiten(self, functions: Tensor) -> Tensor:
        """``R Cᵀ`` of coefficients ``(…, c, M)``, flat: shape ``(…, k c)``."""
        return (self.root @ functions.transpose(-1, -2)).flatten(start_dim=-2)

    def starts(self, weights: Any) -> Tensor:
        """Flat weights ``(B, P)`` in double precision, checked."""
        found = checks.floats(weights, "weights", axes=2).detach().double()
        if found.shape[1] != self.network.parameter_count:
            raise PolygeomError(
                f"weights must have shape (B, {self.network.parameter_count}), got {tuple(found.shape)}"
            )
        return found

    def value(self, functions: Tensor) -> Tensor:
        """Mean squared errors ``(…,)`` of coefficients ``(…, c, M)``."""
        return (self.whiten(functions) - self.target.flatten()).square().sum(dim=-1) / self.count + self.floor

    def functions(self, weights: Tensor) -> Tensor:
        """Coefficients ``(B, c, M)`` at flat weights ``(B, P)``."""
        return torch.func.vmap(self.coefficients)(weights)

    def residual(self, weights: Tensor) -> Tensor:
        """Whitened residual ``(k c,)`` at one vector of weights ``(P,)``."""
        return self.whiten(self.coefficients(weights)) - self.target.flatten()

    def coefficients(self, weights: Tensor) -> Tensor:
        """Coefficients ``(c, M)`` at one vector of weights ``(P,)``."""
        shapes = self.network.parameters
        parts = torch.split(weights, [int(np.prod(shape)) for shape in shapes.values()])
        named = {name: part.reshape(shape) for part, (name, shape) in zip(parts, shapes.items(), strict=True)}
        return coefficient_map.coefficients_at(self.network, named)


def initial_weights(network: Network, count: int, *, rng: int = 0) -> Tensor:
    """Flat weights ``(count, P)`` of as many modules, `Network.to_torch` with different seeds."""
    seeds = np.random.default_rng(rng).integers(0, 2**31, count).tolist()
    modules = (network.to_torch(rng=seed) for seed in seeds)
    return torch.stack([torch.cat([p.detach().flatten() for p in module.parameters()]) for module in modules])


def descend(
    loss: FunctionLoss, weights: Tensor, *, steps: int = 400, polish: int = 200, optimiser: str = OPTIMISERS[0]
) -> Tensor:
    """Many descents at once, full-batch, ended by damped Newton steps, so that it can be told where they come to.

    Parameters
    ----------
    loss:
        What to lower.
    weights:
        ``(B, P)``, where each descent starts.
    steps:
        Steps of the optimiser.
    polish:
        Steps with all of the second derivatives: ``-(|H| + λ)⁻¹ Jᵀ r``, the absolute value taken of the eigenvalues.
        They leave saddles, and converge quadratically at a minimum, where Gauss–Newton steps are linear.
    optimiser:
        ``"levenberg-marquardt"``: steps ``-(JᵀJ + λ)⁻¹ Jᵀ r`` that lower the loss. ``"adam"``: Adam with rate 0.01,
        which chooses among minima as gradient descent does.

    Returns
    -------
    Weights ``(B, P)``.

    References
    ----------
    Madsen, Nielsen, Tingleff, Methods for Non-Linear Least Squares Problems (2004), for the damping. Dauphin et al.,
    arXiv 1406.2572, for the absolute value.
    """
    choice("optimiser", optimiser, OPTIMISERS, "adam")
    weights = loss.starts(weights)
    first = _adam(loss, weights, steps) if optimiser == "adam" else _damped(loss, weights, False, steps)
    return _refined(loss, _damped(loss, first, True, polish))


def _adam(loss: FunctionLoss, w: Tensor, steps: int) -> Tensor:
    w = w.clone().requires_grad_()
    adam = torch.optim.Adam([w], lr=_RATE)
    for _ in range(steps):
        adam.zero_grad()
        residual = loss.whiten(loss.functions(w)) - loss.target.flatten()
        torch.autograd.backward(residual.square().sum() / loss.count)
        adam.step()
    return w.detach()


def _refined(loss: FunctionLoss, w: Tensor, rounds: int = 4) -> Tensor:
    """Newton steps that lower the gradient, where the loss itself no longer resolves the weights in floating point."""
    r, slope, matrix = _model(loss, w, True)
    ceiling = r.square().sum(dim=1) * (1 + 1e-12) + _EXACT**2 * loss.target.square().sum()
    for _ in range(rounds):
        inverse = torch.linalg.pinv(matrix, rtol=_FLAT, hermitian=True)
        attempt = w - (inverse @ slope[:, :, None])[:, :, 0]
        r, flatter, turned = _model(loss, attempt, True)
        better = (flatter.norm(dim=1) < slope.norm(dim=1)) & (r.square().sum(dim=1) <= ceiling)
        w = torch.where(better[:, None], attempt, w)
        slope = torch.where(better[:, None], flatter, slope)
        matrix = torch.where(better[:, None, None], turned, matrix)
    return w


def _damped(loss: FunctionLoss, w: Tensor, full: bool, steps: int) -> Tensor:
    r, slope, matrix = _model(loss, w, full)
    size = (matrix.diagonal(dim1=1, dim2=2).abs() if full else matrix.square().sum(dim=1)).amax(dim=1)
    damping = Damping(1e-3 * size, least=_LEAST * size, most=1e12 * size)
    idle = 0
    for _ in range(steps):
        used = damping.value.clone()
        move = -_solve(matrix, used, slope) if full else damped_step(matrix, r, slope, used)
        attempt = w + move
        before, after = (part.square().sum(dim=1) for part in (r, torch.func.vmap(loss.residual)(attempt)))
        better = damping.judge(before - after, move, slope, used)
        idle = 0 if bool((before - after > _ROUNDING * before).any()) else idle + 1
        if idle == _IDLE:
            break
        w = torch.where(better[:, None], attempt, w)
        r, slope, matrix = _model(loss, w, full)
    return w


def _model(loss: FunctionLoss, w: Tensor, full: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Residuals, half the gradient of their square, and half its second derivative if ``full``, else the Jacobian."""
    r, jacobian = torch.func.vmap(loss.residual)(w), torch.func.vmap(torch.func.jacrev(loss.residual))(w)
    slope = (jacobian.transpose(1, 2) @ r[:, :, None])[:, :, 0]
    return r, slope, hessians(loss, w) if full else jacobian


def hessians(loss: FunctionLoss, weights: Tensor) -> Tensor:
    """Second derivatives of half the squared distance by the weights, ``(B, P, P)`` at ``(B, P)``."""
    half = torch.func.jacrev(torch.func.jacrev(lambda v: loss.residual(v).square().sum() / 2))
    result: Tensor = torch.func.vmap(half)(weights)
    return result


def _solve(matrix: Tensor, damping: Tensor, slope: Tensor) -> Tensor:
    """``(|H| + λ)⁻¹ slope``."""
    values, vectors = torch.linalg.eigh(matrix)
    values = values.abs() + damping[:, None]
    inside = (vectors.transpose(1, 2) @ slope[:, :, None])[:, :, 0] / values
    solved: Tensor = (vectors @ inside[:, :, None])[:, :, 0]
    return solved


@dataclass(frozen=True, eq=False)
class Functions:
    """Where descents have come to, and what each end is.

    Attributes
    ----------
    weights, functions, whitened:
        ``(B, P)``, ``(B, c, M)`` and ``(B, k c)``.
    losses:
        ``(B,)`` mean squared errors.
    slope:
        ``(B,)``: the cosine of the angle between the residual and the tangent space of the whitened functions; zero at
        a critical point. Where the residual is below 1e-10 of the target it is set to zero.
    spread:
        ``(B,)``: of the derivative ``∂C/∂w``, its columns multiplied by the weights, the singular value with the number
        ``dim V``, relative to the largest: zero at weights where the rank is smaller than at generic ones.
    cancellation:
        ``(B,)``: ``Σ_p |w_p| |∂C/∂w_p| / |C|``: how much larger the contributions of single weights are than their sum.
        Scaling symmetries change neither it nor the spread. It grows without bound towards a function that the network
        only approaches.
    index:
        ``(B,)``: number of negative eigenvalues of the second derivative of the loss by the weights.
    labels:
        ``(B,)`` of `LABELS`. ``"critical point"``: slope at most 1e-7, at weights with a spread above 1e-6; or a
        residual of zero. ``"boundary"``: not critical, and cancellation above 100. ``"singular"``: neither, but the
        gradient by the weights vanishes, ``|∇| |w|`` is at most 1e-7 of the squared target, as at a subnetwork.
        ``"not converged"``: none of these.
    """

    weights: Tensor
    functions: Tensor
    whitened: Tensor
    losses: Tensor
    slope: Tensor
    spread: Tensor
    cancellation: Tensor
    index: Tensor
    labels: np.ndarray


def label(loss: FunctionLoss, weights: Tensor) -> Functions:
    """Say what kind of point each of the weights ``(B, P)`` is; the tolerances are those of `Functions`."""
    weights = loss.starts(weights)
    functions = loss.functions(weights)
    whitened = loss.whiten(functions)
    residual = whitened - loss.target.flatten()
    derivative = torch.func.vmap(torch.func.jacrev(loss.coefficients))(weights)
    jacobian = loss.whiten(derivative.movedim(-1, 1)).transpose(1, 2)
    scaled = derivative.flatten(1, 2) * weights[:, None, :]
    tiny, rank = torch.finfo(weights.dtype).tiny, dimension(loss.network).dimension
    values = torch.linalg.svdvals(scaled)
    spread = values[:, rank - 1] / values[:, 0].clamp_min(tiny)
    cancellation = scaled.norm(dim=1).sum(dim=1) / functions.flatten(1).norm(dim=1).clamp_min(tiny)
    length, size = residual.norm(dim=1), loss.target.norm()
    tangent = torch.linalg.svd(jacobian * weights[:, None, :], full_matrices=False)[0][:, :, :rank]
    tangential = (tangent.transpose(1, 2) @ residual[:, :, None])[:, :, 0].norm(dim=1)
    exact = length <= _EXACT * size
    slope = torch.where(exact, torch.zeros_like(length), tangential / length.clamp_min(tiny))
    gradient = (jacobian.transpose(1, 2) @ residual[:, :, None])[:, :, 0].norm(dim=1)
    flat = gradient * weights.norm(dim=1) / size**2
    eigenvalues = torch.linalg.eigvalsh(hessians(loss, weights))
    index = (eigenvalues < -1e-8 * eigenvalues.abs().amax(dim=1, keepdim=True)).sum(dim=1)
    critical = exact | ((slope <= _STILL) & (spread > _INDEPENDENT))
    names = np.where(cancellation > _CANCELLING, BOUNDARY, np.where(flat <= _STILL, SINGULAR, UNFINISHED))
    labels = np.where(critical, CRITICAL, names)
    losses = loss.value(functions)
    return Functions(weights, functions, whitened, losses, slope, spread, cancellation, index, labels)


def distinct(points: np.ndarray, tolerance: float) -> np.ndarray:
    """Numbers ``(B,)`` of the clusters of points ``(B, m)``: single linkage at a distance.

    Examples
    --------
    >>> distinct(np.array([[0.0], [1.0], [0.1], [1.05]]), 0.2).tolist()
    [0, 1, 0, 1]
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(points) < 2:
        return np.zeros(len(points), dtype=np.int64)
    found = fcluster(linkage(points, "single"), tolerance, "distance")
    _, first, numbers = np.unique(found, return_index=True, return_inverse=True)
    order = np.argsort(np.argsort(first))  # clusters by the first point of each
    return np.asarray(order[numbers])
