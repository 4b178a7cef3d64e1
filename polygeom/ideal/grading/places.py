"""Where coordinates go when outputs and inputs are permuted: all of them at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from polygeom.ideal.grading.coordinates import Coordinates

Integers = NDArray[np.int64]


class Places:
    """The numbers of coordinates by output and exponents.

    A coordinate's key is a sum of random 64-bit numbers, one for its output and one for each factor; the keys of all
    coordinates are checked to be different, so finding a coordinate by its key is exact.

    Parameters
    ----------
    coordinates:
        The coordinates.
    """

    def __init__(self, coordinates: Coordinates) -> None:
        network, entries = coordinates.network, coordinates.entries
        rng = np.random.default_rng(0)
        self._outputs = np.array([output for output, _ in entries], dtype=np.int64)
        exponents = [alpha for _, alpha in entries]
        self._exponents = np.array(exponents, dtype=np.uint64).reshape(len(entries), network.input_dimension)
        self._names = rng.integers(0, 2**64, size=network.output_dimension, dtype=np.uint64)
        self._factors = rng.integers(0, 2**64, size=network.input_dimension, dtype=np.uint64)
        keys = self._keys(self._names, self._factors)
        self._order = np.argsort(keys)
        self._sorted = keys[self._order]
        if np.any(self._sorted[1:] == self._sorted[:-1]):
            raise AssertionError("two coordinates have one key; the random numbers are unlucky")

    def _keys(self, names: NDArray[np.uint64], factors: NDArray[np.uint64]) -> NDArray[np.uint64]:
        keys: NDArray[np.uint64] = names[self._outputs] + (self._exponents * factors).sum(axis=1, dtype=np.uint64)
        return keys

    def moved(self, outputs: Sequence[int] | None, inputs: Sequence[int] | None) -> Integers:
        """The number that each coordinate gets when output ``i`` becomes ``outputs[i]`` and input ``j`` ``inputs[j]``.

        None leaves them where they are. The result must be a coordinate again.
        """
        names = self._names if outputs is None else self._names[list(outputs)]
        factors = self._factors if inputs is None else self._factors[list(inputs)]
        moved: Integers = self._order[np.searchsorted(self._sorted, self._keys(names, factors))]
        return moved
