"""Data to learn from: readers of local files, bundled digits, synthetic targets. Nothing is ever downloaded.

The names below are imported when they are first used, so ``import polygeom.datasets`` itself is light.
"""

from __future__ import annotations

from polygeom._lazy import attach

# The module each public name is found in.
_HOMES = {
    "normalise": "polygeom.datasets.labelled",
    "function_data": "polygeom.datasets.sampling",
    "one_hot": "polygeom.datasets.labelled",
    "cifar10": "polygeom.datasets.files",
    "mnist": "polygeom.datasets.files",
    "digits": "polygeom.datasets.bundled",
    "train_and_test": "polygeom.datasets.selection",
    "make_image": "polygeom.datasets.images",
    "read_image": "polygeom.datasets.images",
    "analogies": "polygeom.datasets.vaec",
}

__all__ = list(_HOMES)
__getattr__, __dir__ = attach(__name__, _HOMES)
