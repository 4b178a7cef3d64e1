"""What networks learn and how: general tools over torch (``pip install "polygeom[learn]"``), none tied to one study.

The names below are imported when they are first used, so ``import polygeom.learning`` itself is light.
"""

from __future__ import annotations

import importlib

# The module each public name is found in.
_HOMES = {
    "CoreMatrix": "polygeom.learning.coefficient_map",
    "coefficient_jacobian": "polygeom.learning.coefficient_map",
    "coefficients": "polygeom.learning.coefficient_map",
    "core_matrix": "polygeom.learning.coefficient_map",
    "monomial_values": "polygeom.learning.coefficient_map",
    "DivergenceError": "polygeom.learning.training",
    "TrainingResult": "polygeom.learning.training",
    "TrainingSettings": "polygeom.learning.settings",
    "train": "polygeom.learning.training",
    "levenberg_marquardt": "polygeom.learning.least_squares",
    "hadamard_network": "polygeom.learning.hadamard_networks",
    "find_weights": "polygeom.learning.inverse_map",
    "directional_r2": "polygeom.learning.extrapolation",
    "KernelRank": "polygeom.learning.ranks",
    "PrecisionWarning": "polygeom.learning.ranks",
    "kernel_rank": "polygeom.learning.ranks",
    "numerical_rank": "polygeom.learning.ranks",
    "Fleet": "polygeom.learning.fleet",
    "fit_fleet": "polygeom.learning.fleet",
    "random_starts": "polygeom.learning.fleet",
    "HarmonicBasis": "polygeom.learning.harmonics",
    "TangentSpectrum": "polygeom.learning.harmonics",
    "harmonic_basis": "polygeom.learning.harmonics",
    "tangent_spectrum": "polygeom.learning.harmonics",
    "RecoveryCount": "polygeom.learning.recovery",
    "RecoveryThreshold": "polygeom.learning.recovery",
    "recover_teachers": "polygeom.learning.recovery",
    "recovery_threshold": "polygeom.learning.recovery",
    "match_weights": "polygeom.learning.weight_matching",
    "normalise_weights": "polygeom.learning.weight_matching",
    "weight_distance": "polygeom.learning.weight_matching",
    "InterpolationThreshold": "polygeom.learning.interpolation",
    "fit_random_targets": "polygeom.learning.interpolation",
    "interpolation_threshold": "polygeom.learning.interpolation",
    "Dispersal": "polygeom.learning.kernels",
    "Gaussian": "polygeom.learning.kernels",
    "Laplacian": "polygeom.learning.kernels",
    "Normalised": "polygeom.learning.kernels",
    "Polynomial": "polygeom.learning.kernels",
    "Eigenfunctions": "polygeom.learning.kernel_machines",
    "KernelMachine": "polygeom.learning.kernel_machines",
    "nystrom": "polygeom.learning.kernel_machines",
    "solve": "polygeom.learning.kernel_machines",
    "FourierFeatures": "polygeom.learning.random_features",
    "RandomFeatureModel": "polygeom.learning.random_features",
    "RandomFeatures": "polygeom.learning.random_features",
    "fit_random_features": "polygeom.learning.random_features",
    "StepError": "polygeom.learning.preconditioning",
    "eigenpro": "polygeom.learning.preconditioning",
    "jacobian": "polygeom.learning.tangent_kernel",
    "TangentKernel": "polygeom.learning.tangent_kernel",
    "empirical_ntk": "polygeom.learning.tangent_kernel",
    "kernel_diagonal": "polygeom.learning.tangent_kernel",
    "as_matrix": "polygeom.learning.tangent_kernel",
    "TangentOperator": "polygeom.learning.operators",
    "tangent_operator": "polygeom.learning.operators",
    "alignment": "polygeom.learning.alignment",
    "centred_alignment": "polygeom.learning.alignment",
    "rayleigh": "polygeom.learning.alignment",
    "Eigensystem": "polygeom.learning.eigen",
    "eigensystem": "polygeom.learning.eigen",
    "operator_eigensystem": "polygeom.learning.eigen",
    "subspace_overlap": "polygeom.learning.eigen",
    "LinearisedModule": "polygeom.learning.linearised",
    "linearize": "polygeom.learning.linearised",
    "KernelSolution": "polygeom.learning.linearised",
    "kernel_regression": "polygeom.learning.linearised",
    "gradient_flow": "polygeom.learning.linearised",
    "InfiniteWidth": "polygeom.learning.infinite_width",
    "WidePerceptron": "polygeom.learning.infinite_width",
    "LeakyReLU": "polygeom.learning.duals",
    "PolynomialActivation": "polygeom.learning.duals",
    "Monomial": "polygeom.learning.duals",
    "Hermite": "polygeom.learning.duals",
    "Erf": "polygeom.learning.duals",
    "Numeric": "polygeom.learning.duals",
    "ProductKernel": "polygeom.learning.pi_kernels",
    "CoupledKernel": "polygeom.learning.pi_kernels",
    "sphere_eigenvalues": "polygeom.learning.sphere",
    "multiplicities": "polygeom.learning.sphere",
    "Anisotropy": "polygeom.learning.anisotropy",
    "anisotropy_directions": "polygeom.learning.anisotropy",
    "separable_along": "polygeom.learning.anisotropy",
    "Patterns": "polygeom.learning.regions",
    "activation_patterns": "polygeom.learning.regions",
    "sign_patterns": "polygeom.learning.regions",
    "cross_section": "polygeom.learning.regions",
    "GradientProducts": "polygeom.learning.confusion",
    "gradient_confusion": "polygeom.learning.confusion",
    "gradient_products": "polygeom.learning.confusion",
    "spectral_norms": "polygeom.learning.hyperplanes",
    "spectral_norm_product": "polygeom.learning.hyperplanes",
    "hyperplane_cosines": "polygeom.learning.hyperplanes",
    "boundary_distances": "polygeom.learning.hyperplanes",
    "cell_inradii": "polygeom.learning.hyperplanes",
    "AnalogyNetwork": "polygeom.learning.analogy_networks",
    "ConvolutionalEncoder": "polygeom.learning.analogy_networks",
    "SequenceScorer": "polygeom.learning.analogy_networks",
    "Normalisation": "polygeom.learning.normalisation",
    "FunctionLoss": "polygeom.learning.function_loss",
    "descend": "polygeom.learning.function_loss",
    "label": "polygeom.learning.function_loss",
    "complex_critical_functions": "polygeom.learning.critical_functions",
    "eckart_young": "polygeom.learning.critical_functions",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'polygeom.learning' has no attribute {name!r}; it offers {', '.join(_HOMES)}")
    value: object = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
