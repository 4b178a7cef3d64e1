"""How well conditioned the Jacobian of a network is in floating point, said before it is computed.

The condition of the scaled Jacobian at random points, its largest singular value over the smallest that counts towards
the rank, grows with the degree of the outputs. The table here has the medians of 40 draws each for networks of width 3,
``r = 2`` and one to six hidden layers; other activations of the same degree are no worse. With two inputs or one,
functions of high degree are nearly dependent; from three inputs on they have room.
"""

from __future__ import annotations

import math

import numpy as np

from polygeom.network import Network

MEASURED = 64
"""Largest degree of the outputs in the table."""

_DEGREES = (1, 2, 4, 8, 16, 32, 64)
_MEDIANS = {
    ("few", "normal"): (1, 2, 8, 7e2, 4e8, 2e11, 2e11),
    ("few", "kept"): (1, 2, 5, 2e2, 7e4, 9e5, 3e6),
    ("many", "normal"): (1, 3e1, 9e2, 6e3, 4e4, 3e5, 6e6),
    ("many", "kept"): (1, 6, 2e1, 7e1, 1e2, 6e2, 8e2),
}


def typical_condition(network: Network, *, kept: bool) -> float:
    """The condition to expect for the scaled Jacobian of a network, within about two orders of magnitude either way.

    Parameters
    ----------
    network:
        Whose degree and number of inputs decide.
    kept:
        Whether the weights are nearly orthogonal, as `polygeom.learning.thresholds.kernel_rank` draws them; otherwise
        they are taken to be independent normal numbers.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> typical_condition(parse("[2,3,3,3,3,1] r=2"), kept=False) > 1e8
    True
    """
    row = _MEDIANS["few" if network.input_dimension <= 2 else "many", "kept" if kept else "normal"]
    place = math.log2(max(1, network.degree))
    steps = np.log2(_DEGREES)
    if place > steps[-1]:
        slope = math.log10(row[-1] / row[-3]) / 2
        return float(min(1e300, 10 ** min(300.0, math.log10(row[-1]) + slope * (place - steps[-1]))))
    return float(10 ** np.interp(place, steps, np.log10(row)))


__all__ = ["MEASURED", "typical_condition"]
