"""The small handwritten digits that scikit-learn brings along (the ``learn`` extra)."""

from __future__ import annotations

import numpy as np

from polygeom.datasets.labelled import Labelled
from polygeom.errors import MissingPackageError


def digits() -> Labelled:
    """1797 handwritten digits of 8 × 8 pixels with values 0 to 16, from scikit-learn's own files.

    Returns
    -------
    Images of shape ``(1797, 8, 8)``, float64, and labels 0 to 9.

    Raises
    ------
    PolygeomError
        When scikit-learn is not installed.

    References
    ----------
    The test set of "Optical recognition of handwritten digits", UCI machine learning repository.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingPackageError("the data set digits", "sklearn") from error
    bunch = load_digits()
    return Labelled("digits", np.asarray(bunch.images), bunch.target.astype(np.int64), tuple("0123456789"))
