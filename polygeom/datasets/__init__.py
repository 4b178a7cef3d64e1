"""Data to learn from: readers of local files, bundled digits, synthetic targets. Nothing is ever downloaded.

The names below are imported when they are first used, so ``import polygeom.datasets`` itself is light.
"""

from __future__ import annotations

from polygeom._lazy import attach

# The module each public name is found in.
_HOMES = {
    "Labelled": "polygeom.datasets.labelled",
    "class_by_class": "polygeom.datasets.labelled",
    "corrupt": "polygeom.datasets.labelled",
    "normalise": "polygeom.datasets.labelled",
    "FunctionData": "polygeom.datasets.sampling",
    "FunctionSettings": "polygeom.datasets.sampling",
    "function_data": "polygeom.datasets.sampling",
    "load_function_data": "polygeom.datasets.sampling",
    "Target": "polygeom.datasets.functions",
    "make_target": "polygeom.datasets.functions",
    "sample_region": "polygeom.datasets.regions",
    "one_hot": "polygeom.datasets.labelled",
    "stratified_order": "polygeom.datasets.labelled",
    "cifar10": "polygeom.datasets.files",
    "mnist": "polygeom.datasets.files",
    "digits": "polygeom.datasets.bundled",
    "train_and_test": "polygeom.datasets.selection",
    "linear_on_sphere": "polygeom.datasets.published",
    "make_dataset": "polygeom.datasets.published",
    "make_image": "polygeom.datasets.images",
    "read_image": "polygeom.datasets.images",
    "phased_waves": "polygeom.datasets.waves",
    "Analogies": "polygeom.datasets.vaec",
    "analogies": "polygeom.datasets.vaec",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = attach(__name__, _HOMES)
