"""The studies: each one file that says what is measured, in which cases, and how it is drawn."""

from __future__ import annotations

from collections.abc import Mapping

STUDIES: Mapping[str, str] = {
    "digit-pairs": "polygeom.experiments.functions.digit_pairs",
    "extrapolation": "polygeom.experiments.functions.extrapolation",
    "label-noise": "polygeom.experiments.functions.label_noise",
    "random-features": "polygeom.experiments.functions.random_features",
    "spectral-bias": "polygeom.experiments.functions.spectral_bias",
    "interpolation-threshold": "polygeom.experiments.algebra.interpolation_threshold",
    "kernel-spectrum": "polygeom.experiments.algebra.kernel_spectrum",
    "teacher-recovery": "polygeom.experiments.algebra.teacher_recovery",
    "descent-in-dimension": "polygeom.experiments.algebra.descent_in_dimension",
    "visual-analogy": "polygeom.experiments.functions.visual_analogy",
    "coordinate": "polygeom.experiments.coordinate.images",
    "coordinate-waves": "polygeom.experiments.coordinate.waves",
    "coordinate-depth": "polygeom.experiments.coordinate.depth",
    "coordinate-neighbours": "polygeom.experiments.coordinate.neighbours",
    "coordinate-grid": "polygeom.experiments.coordinate.grid",
    "learnable-functions": "polygeom.experiments.algebra.learnable_functions",
    "ntk-eigenfunctions": "polygeom.experiments.tangent.ntk_eigenfunctions",
    "cifar2": "polygeom.experiments.tangent.cifar2",
    "anisotropy": "polygeom.experiments.tangent.anisotropy",
    "network-vs-ntk": "polygeom.experiments.tangent.network_vs_ntk",
    "trained-descent": "polygeom.experiments.tangent.trained_descent",
}
"""Module of every study, by the name used on the command line."""
