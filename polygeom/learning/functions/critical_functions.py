r"""All critical functions of the squared loss: over the complex numbers, and exactly where the network is a matrix.

A function ``C`` of a network is critical when the residual is orthogonal to the tangent space of the neurovariety at
``C``. Over the complex numbers their number for generic targets is the learning degree; they are found by monodromy and
then followed to the given target (`polygeom.ideal.counting.paths.monodromy`, `polygeom.ideal.counting.paths.tracking`).
What is found is checked to solve the equations; that none is missing is not proved.

Where the neurovariety is all matrices of rank at most ``s``, the theorem of Eckart and Young gives them in closed form:
in whitened coordinates they keep ``s`` of the singular values of the target. Real critical functions may still be out
of reach of real weights; for two squares of linear forms in two variables a discriminant decides.

Source: Kubjas, Li, Wiesmann, "Geometry of polynomial neural networks", arXiv 2402.00949.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from polygeom._dataclass import dataclass
from polygeom.checks import integer
from polygeom.dimensions import dimension
from polygeom.errors import PolygeomError
from polygeom.ideal.counting.paths.monodromy import monodromy
from polygeom.ideal.counting.paths.systems import Coefficients, CriticalPoints
from polygeom.ideal.counting.paths.tracking import Tracker
from polygeom.learning.functions.function_loss import FunctionLoss, descend, initial_weights, label

_REAL = 1e-8
_REACHED = 1e-8
_TRIES = 16
_STRAINED = 1e3
_ANGLES = 2000
_AGAIN = 4


@dataclass(frozen=True, eq=False)
class CriticalFunctions:
    """Critical functions over the complex numbers.

    Attributes
    ----------
    functions:
        ``(K, c, M)`` complex coefficients.
    real:
        ``(K,)``: whether all coefficients are real, up to 1e-8 of their size.
    lost:
        How many of those found for a generic target could not be followed to this one.
    """

    functions: np.ndarray
    real: np.ndarray
    lost: int

    def __len__(self) -> int:
        return len(self.functions)


def complex_critical_functions(loss: FunctionLoss, *, rng: int = 0) -> CriticalFunctions:
    """All critical functions of a loss that monodromy finds, at smooth points of the neurovariety.

    When the neurovariety is everything, the best of all functions is the only one.

    Parameters
    ----------
    loss:
        With enough samples to tell all functions apart.
    rng:
        Seed.

    Raises
    ------
    PolygeomError
        If the data do not tell the functions apart: then there are infinitely many critical functions.

    Examples
    --------
    >>> x, y = torch.randn(2, 30, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    >>> data = torch.cat([x, y], dim=1), torch.sin(x + y)
    >>> len(complex_critical_functions(FunctionLoss.of("[2,1,1] r=2", *data)))
    4
    """
    if not loss.determined:
        raise PolygeomError("inputs do not tell the functions apart; add samples in general position")
    generator = np.random.default_rng(rng)
    network, root = loss.network, loss.root.numpy()
    best = np.linalg.solve(root, loss.target.numpy()).T
    if dimension(network).dimension == best.size:
        return CriticalFunctions(best[None].astype(complex), np.ones(1, dtype=bool), 0)
    form = np.kron(np.eye(network.output_dimension), root.T @ root)
    coefficients = Coefficients(network, dimension(network).dimension, generator)
    system = CriticalPoints(coefficients, form)
    found = monodromy(system, generator)
    scales = coefficients.scales
    target = best.ravel() / scales
    weights = _followed(system, found.weights, found.parameters, target.astype(complex), generator)
    if not len(weights):
        return CriticalFunctions(np.empty((0, *best.shape), complex), np.ones(0, dtype=bool), found.count)
    weights = weights[system.proper(weights)]
    functions = (system.outputs.image(weights) * scales).reshape(len(weights), network.output_dimension, -1)
    size = np.abs(functions).max(axis=(1, 2))
    real = np.abs(functions.imag).max(axis=(1, 2)) <= _REAL * size
    return CriticalFunctions(functions, real, found.count - len(weights))


def _followed(
    system: CriticalPoints, weights: np.ndarray, start: np.ndarray, target: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Weights at ``target``; paths that are lost are tried again along other arcs."""
    ends = []
    for _ in range(_AGAIN):
        if not len(weights):
            break
        # both ends are real: around the targets between them at which two critical points meet
        arc = np.exp(1j * generator.choice([-1, 1]) * generator.uniform(0.3, 1.5))
        end, arrived = Tracker(system).follow(weights, start, target, arc)
        ends.append(end[arrived])
        weights = weights[~arrived]
    return np.concatenate([*ends, np.empty((0, system.outputs.network.parameter_count), complex)])


def eckart_young(loss: FunctionLoss, rank: int) -> np.ndarray:
    """The critical functions when the functions are all ``c × M`` matrices of rank at most ``rank``, in closed form.

    Returns
    -------
    ``(K, c, M)``, ``K = binomial(min(c, M), rank)``, best first; the others are saddles. That these are all critical
    points at smooth points is a theorem for targets with different singular values other than zero.

    References
    ----------
    Eckart, Young, "The approximation of one matrix by another of lower rank", Psychometrika 1 (1936).
    """
    if not loss.determined:
        raise PolygeomError("inputs do not tell the functions apart; add samples in general position")
    integer("rank", rank, most=min(loss.target.shape))
    left, values, right = np.linalg.svd(loss.target.numpy(), full_matrices=False)
    kept = [list(choice) for choice in combinations(range(len(values)), rank)]
    whitened = [(left[:, k] * values[k]) @ right[k] for k in kept]
    return np.array([np.linalg.solve(loss.root.numpy(), matrix).T for matrix in whitened])


def two_real_squares(functions: np.ndarray) -> np.ndarray:
    """Whether real weights reach ``c × 3`` matrices of rank two: the network ``[2,2,c] r=2``.

    The rows, quadratic forms with coefficients of ``x²``, ``xy``, ``y²``, must span the squares of two different real
    linear forms. With ``n`` orthogonal to all rows, ``(sx + ty)²`` is in the span when ``n_0 s² + 2 n_1 st + n_2 t² =
    0``; two real solutions exist exactly when ``n_1² - n_0 n_2 > 0``.

    Parameters
    ----------
    functions:
        ``(K, c, 3)``.

    Examples
    --------
    >>> two_real_squares(np.array([[[1.0, 0, 0], [0, 0, 1]], [[1, 0, -1], [0, 2, 0]]])).tolist()
    [True, False]
    """
    n = np.linalg.svd(functions)[2][:, -1]
    positive: np.ndarray = n[:, 1] ** 2 - n[:, 0] * n[:, 2] > 0
    return positive


def boundary_minima(loss: FunctionLoss) -> np.ndarray:
    """Where descents of ``[2,2,c] r=2`` end that reach no critical function: ``(K, c, 3)``, best first.

    On the boundary the two linear forms have come together: the rows are spanned by ``l²`` and ``l m``, which the
    network approaches with ever larger weights and never attains. For each direction of ``l`` the best function is a
    projection. Those directions are returned where it is a local minimum and where a step inwards, from ``l²`` to
    ``l² + δ m²`` with a small ``δ > 0``, raises the loss.
    """
    if loss.network.input_shape != (2,) or loss.root.shape[1] != 3:
        raise PolygeomError(f"loss must be of a network [2,2,c] r=2, got {loss.network.text}")
    angles = np.arange(_ANGLES) * np.pi / _ANGLES
    values = np.array([_projection(loss, angle)[0] for angle in angles])
    lowest = np.flatnonzero((values < np.roll(values, 1)) & (values <= np.roll(values, -1)))
    step, found = np.pi / _ANGLES, []
    for start in angles[lowest]:
        angle = _lowest(loss, start - step, start + step)
        value, function = _projection(loss, angle)
        if _projection(loss, angle, 1e-6)[0] > value:
            found.append((value, function))
    found.sort(key=lambda pair: pair[0])
    return np.array([function for _, function in found]).reshape(-1, loss.target.shape[1], 3)


def _lowest(loss: FunctionLoss, low: float, high: float) -> float:
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda angle: _projection(loss, angle)[0], bounds=(low, high), method="bounded", options={"xatol": 1e-10}
    )
    return float(found.x)


def _projection(loss: FunctionLoss, angle: float, inwards: float = 0.0) -> tuple[float, np.ndarray]:
    """The loss and the coefficients of the best function with rows spanned by ``l² + δ m²`` and ``l m``."""
    c, s = np.cos(angle), np.sin(angle)
    square, other, product = np.array(
        [[c * c, 2 * c * s, s * s], [s * s, -2 * c * s, c * c], [-c * s, c * c - s * s, c * s]]
    )
    rows = np.array([square + inwards * other, product])
    root, target = loss.root.numpy(), loss.target.numpy()
    mixed, *_ = np.linalg.lstsq(root @ rows.T, target, rcond=None)
    function = mixed.T @ rows
    return float(np.square(root @ function.T - target).sum()) / loss.count + loss.floor, function


def attained(loss: FunctionLoss, functions: np.ndarray, *, rng: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Which real functions the network computes at real weights, and how many directions go down from there.

    Parameters
    ----------
    functions:
        ``(K, c, M)`` real, critical for the loss.

    Returns
    -------
    ``(K,)``: whether a descent towards the function has reached it to 1e-8 of its size, from one of 16 starts; a
    negative answer is an observation, not a proof. ``(K,)``: the number of negative eigenvalues of the second
    derivative of the loss at the weights found, 0 at a minimum; -1 where no weights were found.
    """
    reached, index = np.zeros(len(functions), dtype=bool), np.full(len(functions), -1)
    for k, function in enumerate(torch.from_numpy(np.ascontiguousarray(functions))):
        weights = _weights_of(loss, function, rng)
        if weights is not None:
            reached[k], index[k] = True, int(label(loss, weights[None]).index[0])
    return reached, index


def _weights_of(loss: FunctionLoss, function: Tensor, rng: int) -> Tensor | None:
    aim = FunctionLoss(loss.network, loss.root, loss.root @ function.T, 0.0, loss.count)
    ends = label(aim, descend(aim, initial_weights(loss.network, _TRIES, rng=rng), steps=100, polish=20))
    distance = (ends.whitened - aim.target.flatten()).norm(dim=1) / aim.target.norm()
    good = (distance < _REACHED) & (ends.cancellation < _STRAINED)
    if not bool(good.any()):
        return None
    best = int(torch.where(good, ends.cancellation, torch.inf).argmin())
    return ends.weights[best]
