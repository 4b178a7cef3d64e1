"""The studies: each one file that says what is measured, in which cases, and how it is drawn."""

from __future__ import annotations

from collections.abc import Mapping

STUDIES: Mapping[str, str] = {
    "digit-pairs": "polygeom.experiments.digit_pairs",
    "extrapolation": "polygeom.experiments.extrapolation",
    "label-noise": "polygeom.experiments.label_noise",
    "random-features": "polygeom.experiments.random_features",
    "spectral-bias": "polygeom.experiments.spectral_bias",
    "interpolation-threshold": "polygeom.experiments.interpolation_threshold",
    "kernel-spectrum": "polygeom.experiments.kernel_spectrum",
    "teacher-recovery": "polygeom.experiments.teacher_recovery",
    "descent-in-dimension": "polygeom.experiments.descent_in_dimension",
    "visual-analogy": "polygeom.experiments.visual_analogy",
    "coordinate": "polygeom.experiments.coordinate",
    "coordinate-waves": "polygeom.experiments.coordinate_waves",
    "coordinate-depth": "polygeom.experiments.coordinate_depth",
    "coordinate-neighbours": "polygeom.experiments.coordinate_neighbours",
    "coordinate-grid": "polygeom.experiments.coordinate_grid",
    "learnable-functions": "polygeom.experiments.learnable_functions",
    "ntk-eigenfunctions": "polygeom.experiments.ntk_eigenfunctions",
    "cifar2": "polygeom.experiments.cifar2",
    "anisotropy": "polygeom.experiments.anisotropy",
    "network-vs-ntk": "polygeom.experiments.network_vs_ntk",
    "trained-descent": "polygeom.experiments.trained_descent",
}
"""Module of every study, by the name used on the command line."""
