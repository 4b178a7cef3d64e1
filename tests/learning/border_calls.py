"""One call of every public function of the learning room that takes arrays: a name, its arrays, and what to do.

The arrays hold small integers, so that other types hold the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from polygeom.errors import PolygeomError
from polygeom.learning.functions.coefficient_map import (
    coefficient_jacobian,
    coefficients,
    core_matrix,
    monomial_values,
)
from polygeom.learning.functions.critical_functions import eckart_young
from polygeom.learning.functions.extrapolation import directional_r2
from polygeom.learning.functions.function_loss import FunctionLoss, descend, label
from polygeom.learning.functions.inverse_map import find_weights
from polygeom.learning.kernels.convolutional import ConvolutionalKernel
from polygeom.learning.kernels.duals import LeakyReLU
from polygeom.learning.kernels.estimators import (
    EigenProClassifier,
    EigenProRegressor,
    KernelClassifier,
    KernelRegressor,
)
from polygeom.learning.kernels.infinite_width import InfiniteWidth
from polygeom.learning.kernels.kernels import Dispersal, Gaussian, Laplacian, Normalised, Polynomial
from polygeom.learning.kernels.machines import KernelMachine, nystrom, solve
from polygeom.learning.kernels.preconditioning import eigenpro
from polygeom.learning.kernels.product_kernels import CoupledKernel, ProductKernel
from polygeom.learning.kernels.random_features import FourierFeatures, RandomFeatures, fit_random_features
from polygeom.learning.regions.confusion import gradient_confusion, gradient_products
from polygeom.learning.regions.hyperplanes import boundary_distances, cell_inradii
from polygeom.learning.regions.regions import activation_patterns, sign_patterns
from polygeom.learning.regions.sections import cross_section
from polygeom.learning.tangent.anisotropy import separable_along
from polygeom.learning.tangent.eigen import eigensystem, nystrom_eigensystem, subspace_overlap
from polygeom.learning.tangent.linearised import LinearisedModule, gradient_flow, kernel_regression, linearize
from polygeom.learning.tangent.operators import tangent_operator
from polygeom.learning.tangent.tangent_kernel import TangentKernel, as_matrix, empirical_ntk, jacobian, kernel_diagonal
from polygeom.learning.tangent.target_alignment import alignment, centred_alignment, rayleigh, split_alignment
from polygeom.learning.thresholds.ranks import numerical_rank
from polygeom.learning.thresholds.weight_matching import match_weights, normalise_weights, weight_distance
from polygeom.learning.training.estimators import ModuleClassifier, ModuleRegressor
from polygeom.learning.training.fleet import fit_fleet, random_starts
from polygeom.learning.training.least_squares import levenberg_marquardt
from polygeom.learning.training.loop import train
from polygeom.learning.training.movement import kernel_cosine_distance, squared_weight_distance, weight_cosine_distance
from polygeom.learning.training.settings import TrainingSettings
from polygeom.network import parse


def whole(*shape: int, seed: int = 0, low: int = -3, high: int = 4) -> Tensor:
    return torch.randint(low, high, shape, generator=torch.Generator().manual_seed(seed)).double()


X, Y, OTHER = whole(6, 3), whole(6, 2, seed=1), whole(4, 3, seed=2)
ROWS = X + torch.arange(6)[:, None] * torch.tensor([1, 0, 2])
LABELS = torch.arange(6) % 2
KERNEL = X @ X.T + 5 * torch.eye(6, dtype=torch.float64)
NETWORK = parse("[3,2,2] r=2")
PAIRS = np.array([[0, 1], [2, 5]])
FIRST, SECOND = whole(2, 3, seed=3, low=1), whole(2, 2, seed=4, low=1)
REFERENCE = {"W1": whole(2, 3, seed=6, low=1), "W2": whole(2, 2, seed=7, low=1)}
LOSS = FunctionLoss.of(NETWORK, ROWS, Y)
STEP = TrainingSettings(steps=2, optimiser="sgd", learning_rate=0.01)


def module() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double()


def scalar() -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()


def trained(x: Any, y: Any, make: Callable[[], nn.Module] = module, **options: Any) -> Tensor:
    own = make()
    train(own, x, y, STEP, **options)
    return torch.cat([p.detach().reshape(-1) for p in own.parameters()])


def machine() -> KernelMachine:
    return KernelMachine(Laplacian(), X, Y, "lu")


@dataclass(frozen=True)
class Call:
    """A call and its arrays by name; ``free`` ones may have another shape and give another, right answer.

    A plus after the name: another number of columns or of arrays alone. ``refusals`` are errors in words.
    """

    do: Callable[..., Any]
    arrays: Mapping[str, Any]
    free: frozenset[str] = frozenset()
    refusals: tuple[type[Exception], ...] = (PolygeomError,)


def estimator(make: Callable[[], Any], y: Tensor, free: str = "y+") -> Call:
    """Fit and predict: scikit-learn asks its estimators for the errors ValueError and TypeError."""

    def fitted(x: Any, y: Any, z: Any) -> Any:
        return make().fit(x, y).predict(z)

    return Call(fitted, {"x": ROWS, "y": y, "z": OTHER}, frozenset({"z", *free.split()}), (ValueError, TypeError))


def call(do: Callable[..., Any], free: str = "", **arrays: Any) -> Call:
    return Call(do, arrays, frozenset(free.split()))


CALLS: dict[str, Call] = {
    "jacobian": call(lambda x: jacobian(module(), x), "x", x=X),
    "empirical_ntk": call(lambda x, y: empirical_ntk(module(), x, y), "x y", x=X, y=OTHER),
    "kernel_diagonal": call(lambda x: kernel_diagonal(module(), x), "x", x=X),
    "TangentKernel": call(lambda x, y: TangentKernel(module())(x, y), "x y", x=X, y=OTHER),
    "as_matrix": call(lambda k: as_matrix(k), "k", k=whole(2, 3, 2, 2)),
    "tangent_operator": call(lambda x, u: tangent_operator(module(), x).transpose(u), x=X, u=Y),
    "TangentOperator": call(lambda v: tangent_operator(module(), X).product(v), v=whole(26)),
    "alignment": call(lambda x, y: alignment(module(), x, y), "y+", x=X, y=Y),
    "alignment of columns": call(lambda x, y: alignment(scalar(), x, y), "y+", x=X, y=LABELS.double()),
    "split_alignment": call(lambda x, y: list(split_alignment(module(), x, y, 3).values()), "y+", x=X, y=Y),
    "rayleigh": call(lambda k, y: rayleigh(k, y), "y+", k=KERNEL, y=Y),
    "centred_alignment": call(lambda k, y: centred_alignment(k, y), "y+", k=KERNEL, y=Y),
    "kernel_cosine_distance": call(lambda k, m: kernel_cosine_distance(k, m), k=KERNEL, m=X @ X.T),
    "squared_weight_distance": call(lambda v, w: squared_weight_distance({"w": v}, {"w": w}), v=X, w=ROWS),
    "weight_cosine_distance": call(lambda v, w: weight_cosine_distance({"w": v}, {"w": w}), v=X, w=ROWS),
    "linearize": call(lambda x: linearize(module())(x).detach(), "x", x=X),
    "LinearisedModule": call(
        lambda v: (lambda m: (m.displace(v), m(X).detach())[1])(LinearisedModule(module())), v=whole(26)
    ),
    "kernel_regression": call(
        lambda k, y, s: kernel_regression(k, y, start=s).coefficients, k=KERNEL, y=Y, s=whole(6, 2, seed=5)
    ),
    "KernelSolution": call(
        lambda k, s: kernel_regression(KERNEL, Y).predict(k, s), k=whole(4, 6), s=whole(4, 2, seed=5)
    ),
    "gradient_flow": call(
        lambda k, y, t: gradient_flow(k, y, t), "t y+", k=KERNEL, y=Y, t=torch.tensor([0.0, 1.0, 2.0]).double()
    ),
    "eigensystem": call(lambda k: eigensystem(k, 2).values, "k", k=KERNEL),
    "nystrom_eigensystem": call(lambda x: nystrom_eigensystem(Laplacian(), x, 2, 4).values, "x", x=ROWS),
    "subspace_overlap": call(lambda u, v: subspace_overlap(u, v), "u v", u=ROWS[:, :2], v=Y),
    "gradient_confusion": call(
        lambda x, y, p: gradient_confusion(module(), x, y, p), "p", x=X, y=Y, p=PAIRS
    ),
    "gradient_products": call(
        lambda x, y: gradient_products(module(), x, y, PAIRS, loss="cross_entropy").inner, x=X, y=LABELS
    ),
    "activation_patterns": call(lambda x: activation_patterns(module(), x).layer(0), "x", x=X),
    "sign_patterns": call(lambda x: sign_patterns(module(), x).layer(0), "x", x=X),
    "Patterns": call(lambda p: sign_patterns(module(), X).hamming(p), "p", p=PAIRS),
    "cross_section": call(
        lambda o, a: cross_section(module(), o, a, resolution=4).regions, o=whole(3), a=np.array([0, 2])
    ),
    "boundary_distances": call(lambda x: boundary_distances(module(), x), "x", x=X),
    "cell_inradii": call(lambda x: cell_inradii(module(), x, low=-4, high=4), "x", x=X),
    "train": call(lambda x, y: trained(x, y), x=X, y=Y),
    "train, one column": call(lambda x, y: trained(x, y, scalar), x=X, y=LABELS.double()),
    "train, classes": call(lambda x, y: trained(x, y, loss="cross_entropy"), x=X, y=LABELS),
    "levenberg_marquardt": call(lambda x, y: levenberg_marquardt(module(), x, y, steps=1).table["loss"], x=X, y=Y),
    "Gaussian": call(lambda x, y: Gaussian()(x, y), "x y", x=X, y=OTHER),
    "Laplacian": call(lambda x, y: Laplacian()(x, y), "x y", x=X, y=OTHER),
    "Dispersal": call(lambda x, y: Dispersal(0.5)(x, y), "x y", x=X, y=OTHER),
    "Polynomial": call(lambda x, y: Polynomial(2, 1.0)(x, y), "x y", x=X, y=OTHER),
    "Normalised": call(lambda x, y: Normalised(Polynomial(2, 1.0))(x, y), "x y", x=X, y=OTHER),
    "InfiniteWidth": call(lambda x, y: InfiniteWidth(biases=1.0)(x, y), "x y", x=X, y=OTHER),
    "ProductKernel": call(lambda x, y: ProductKernel(2, bias=True)(x, y), "x y", x=X, y=OTHER),
    "CoupledKernel": call(lambda x, y: CoupledKernel(2, bias=True)(x, y), "x y", x=X, y=OTHER),
    "ConvolutionalKernel": call(lambda x, y: ConvolutionalKernel((1, 1, 3), filter=1)(x, y), "x y", x=X, y=OTHER),
    "KernelRegressor": estimator(lambda: KernelRegressor(Laplacian()), Y),
    "KernelClassifier": estimator(lambda: KernelClassifier(Laplacian()), LABELS, ""),
    "EigenProRegressor": estimator(lambda: EigenProRegressor(Laplacian(), epochs=2), Y),
    "EigenProClassifier": estimator(lambda: EigenProClassifier(Laplacian(), epochs=2), LABELS, ""),
    "ModuleRegressor": estimator(lambda: ModuleRegressor("[3,2,2] r=2", settings=STEP), Y),
    "ModuleClassifier": estimator(lambda: ModuleClassifier(settings=STEP), LABELS, ""),
    "directional_r2": call(lambda v: directional_r2(lambda _: v, 3, directions=2, points=5), v=whole(10)),
    "eckart_young": call(lambda x, y: eckart_young(FunctionLoss.of("[3,2,2] r=1", x, y), 1), x=X, y=Y),
    "fit_fleet": call(lambda x, y: fit_fleet("[1,1,1] r=2", x, y, random_starts("[1,1,1] r=2", 2), steps=3).losses,
                      x=whole(2, 4, 1), y=whole(2, 4, 1, seed=1)),
    "solve": call(lambda x, y: solve(Laplacian(), x, y).weights, "x+ y+", x=ROWS, y=Y),
    "KernelMachine": call(lambda x: machine().predict(x), "x", x=OTHER),
    "KernelMachine.mse": call(lambda x, y: machine().mse(x, y), x=X, y=Y),
    "KernelMachine.error": call(lambda x, y: machine().error(x, y), x=X, y=LABELS),
    "nystrom": call(lambda x: nystrom(Laplacian(), x, 2).values, "x", x=ROWS),
    "Eigenfunctions": call(lambda x: nystrom(Laplacian(), ROWS, 2)(x), "x", x=OTHER),
    "eigenpro": call(
        lambda x, y: eigenpro(Laplacian(), x, y, epochs=2, subsample=5).weights, "x+ y+", x=ROWS, y=Y
    ),
    "RandomFeatures": call(
        lambda x, v, b: RandomFeatures(LeakyReLU(), bias=True)(x, v, b), "x", x=X, v=OTHER, b=whole(4)
    ),
    "FourierFeatures": call(lambda x, v: FourierFeatures()(x, v), "x v", x=X, v=OTHER),
    "fit_random_features": call(
        lambda x, y, v: fit_random_features(RandomFeatures(LeakyReLU()), x, y, v).predict(OTHER),
        "v y+", x=X, y=Y, v=whole(3, 3, seed=9),
    ),
    "numerical_rank": call(lambda m: numerical_rank(m).rank, "m", m=X),
    "coefficients": call(lambda a, b: coefficients(NETWORK, {"W1": a, "W2": b}), a=FIRST, b=SECOND),
    "coefficient_jacobian": call(lambda a, b: coefficient_jacobian(NETWORK, {"W1": a, "W2": b}), a=FIRST, b=SECOND),
    "core_matrix": call(lambda a, b: core_matrix(NETWORK, {"W1": a, "W2": b}).matrix, a=FIRST, b=SECOND),
    "monomial_values": call(lambda x: monomial_values(NETWORK, x), "x", x=X),
    "find_weights": call(lambda t: coefficients("[2,3,1] r=2", find_weights("[2,3,1] r=2", t)), t=whole(1, 3, low=1)),
    "normalise_weights": call(
        lambda a, b: list(normalise_weights(NETWORK, {"W1": a, "W2": b}).values()), a=FIRST, b=SECOND
    ),
    "match_weights": call(
        lambda a, b: list(match_weights(NETWORK, {"W1": a, "W2": b}, REFERENCE).values()), a=FIRST, b=SECOND
    ),
    "weight_distance": call(lambda a, b: weight_distance(NETWORK, {"W1": a, "W2": b}, REFERENCE), a=FIRST, b=SECOND),
    "FunctionLoss": call(lambda x, y: FunctionLoss.of(NETWORK, x, y).floor, x=ROWS, y=Y),
    "descend": call(lambda w: LOSS.value(LOSS.functions(descend(LOSS, w, steps=1, polish=0))), "w", w=whole(2, 10)),
    "label": call(lambda w: label(LOSS, w).losses, "w", w=whole(2, 10)),
    "separable_along": call(lambda v: separable_along(v, 4, rng=1).inputs, "v", v=np.array([1.0, 2.0, 0.0])),
}  # fmt: skip
"""The calls; a new function that takes arrays joins by one."""

WITHOUT_ARRAYS = {
    "CoreMatrix", "DivergenceError", "TrainingResult", "TrainingSettings", "gradient_norm", "weight_norm",
    "hadamard_network", "KernelRank", "PrecisionWarning", "kernel_rank", "Fleet", "random_starts", "HarmonicBasis",
    "TangentSpectrum", "harmonic_basis", "tangent_spectrum", "RecoveryCount", "RecoveryThreshold", "recover_teachers",
    "recovery_threshold", "InterpolationThreshold", "fit_random_targets", "interpolation_threshold",
    "RandomFeatureModel", "StepError", "Eigensystem", "operator_eigensystem", "ResidualNetwork", "reset_statistics",
    "WidePerceptron", "LeakyReLU", "PolynomialActivation", "Monomial", "Hermite", "Erf", "Numeric",
    "sphere_eigenvalues", "multiplicities", "Anisotropy", "anisotropy_directions", "GradientProducts", "spectral_norms",
    "spectral_norm_product", "hyperplane_cosines", "AnalogyNetwork", "ConvolutionalEncoder", "SequenceScorer",
    "Normalisation", "complex_critical_functions",
}  # fmt: skip
"""Public names that are modules, results, activations, or functions of networks, modules and numbers alone."""
