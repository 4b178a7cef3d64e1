"""The exact rank at given weights: how many directions of function space small changes of these weights reach.

At generic weights it is the dimension of the neurovariety, elsewhere it may be smaller: where neurons are dead or
equal, and at the singular points that training may come to rest at. The weights are exact: integers, fractions, or
floats, which are fractions too.

The derivatives at points are computed over the rational numbers, and so is their rank. The points determine all
polynomials that the outputs may be, which is checked, so that no rank is lost between coefficients and points.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from flint import fmpq, fmpq_mat

from polygeom._dataclass import dataclass
from polygeom._version import __version__
from polygeom.answers import PROBABLE, PROVED, Answer
from polygeom.dimensions.compute import dimension
from polygeom.engines.exact import ExactEngine
from polygeom.errors import BudgetError, PolygeomError
from polygeom.modular import P22, PrimeField, rank
from polygeom.network import Network
from polygeom.network.builder import as_network
from polygeom.network.limits import MOST_DIGITS, exact_weight
from polygeom.storage.reading import check_archive, read_text

MOST_ENTRIES = 250_000
"""Largest number of exact derivatives that is computed."""
_MOST_MONOMIALS = 600
_SURPLUS = 3
_RANGE = 9
SPECIAL = ("dead", "equal")


@dataclass(frozen=True)
class WeightRank(Answer):
    """The rank of weights → coefficients at given weights.

    Attributes
    ----------
    network:
        Canonical text.
    rank:
        Exact over the rational numbers for the derivatives at the points, and so a proved lower bound.
    dimension:
        Of the neurovariety: the rank at generic weights.
    status:
        ``"proved"`` when the points determine all polynomials of the ambient space; ``"probable"`` for networks with
        too many coefficients for that: the points are random then, as many as there are weights.
    points, seed:
        How many points, and the seed they are drawn from.
    """

    network: str
    rank: int
    dimension: int
    status: str
    points: int
    seed: int
    version: str = __version__
    told = ("lost",)

    @property
    def lost(self) -> int:
        """How many dimensions are missing at these weights."""
        return self.dimension - self.rank

    def __str__(self) -> str:
        generic = "as at generic weights" if not self.lost else f"{self.lost} below the dimension {self.dimension}"
        return f"{self.network}: rank {self.rank} at these weights ({self.status}), {generic}"


def rank_at(network: Network | str, weights: Mapping[str, Any], *, rng: int = 0) -> WeightRank:
    """The exact rank of the map weights → coefficients at given weights.

    Parameters
    ----------
    network:
        A `Network` or its text.
    weights:
        For every name in ``network.parameters`` an array of that shape: integers, fractions, texts such as ``"1/3"``,
        or floats, which are taken as the fractions that they are.
    rng:
        Seed of the points, small integers.

    Raises
    ------
    PolygeomError
        For weights that are missing, not finite or of another shape.
    BudgetError
        For networks with more than `MOST_ENTRIES` derivatives.

    Examples
    --------
    >>> print(rank_at("[2,2,1] r=2", {"W1": [[1, 2], [1, 2]], "W2": [[1, 1]]}))
    [2,2,1] r=2: rank 2 at these weights (proved), 1 below the dimension 3
    """
    network = as_network(network)
    exact = {name: _exact(name, weights, shape) for name, shape in network.parameters.items()}
    unknown = [name for name in weights if name not in network.parameters]
    if unknown:
        raise PolygeomError(f"weights: the network has no {unknown[0]!s:.40}; write {', '.join(network.parameters)}")
    generator = np.random.default_rng(rng)
    points, determined = _points(network, generator)
    if points.shape[0] * network.output_dimension * network.parameter_count > MOST_ENTRIES:
        raise BudgetError(
            f"network: more than {MOST_ENTRIES} exact derivatives; write a smaller network, or ask "
            "polygeom.learning.thresholds.kernel_rank, which uses floats"
        )
    rows = exact_jacobian(network, exact, points)
    found = fmpq_mat(rows.tolist()).rank() if rows.size else 0
    status = PROVED if determined else PROBABLE
    return WeightRank(network.text, found, dimension(network, rng=rng).dimension, status, len(points), rng)


def exact_jacobian(network: Network, weights: Mapping[str, np.ndarray], points: np.ndarray) -> np.ndarray:
    """Derivatives of all outputs at integer points by all weights, over the rational numbers: ``(N · outputs, P)``."""
    count = network.parameter_count
    engine = ExactEngine(lambda c: fmpq(c.numerator, c.denominator))
    duals: dict[str, np.ndarray] = {}
    for name, numbers in network.weight_numbers.items():
        duals[name] = np.empty(numbers.shape, dtype=object)
        for index, k in np.ndenumerate(numbers):
            duals[name][index] = _Dual(weights[name][index], {int(k): fmpq(1)})
    outputs = network.evaluate(engine, duals, engine.encode(points)).ravel()
    rows = np.full((len(outputs), count), fmpq(0), dtype=object)
    for row, value in zip(rows, outputs, strict=True):
        for position, slope in getattr(value, "slopes", {}).items():
            row[position] = slope
    return rows


class _Dual:
    """A rational number and its derivatives by the weights it depends on."""

    __slots__ = ("slopes", "value")

    def __init__(self, value: Any, slopes: dict[int, Any]) -> None:
        self.value, self.slopes = value, slopes

    def __add__(self, other: Any) -> _Dual:
        if not isinstance(other, _Dual):
            return _Dual(self.value + other, self.slopes)
        slopes = dict(self.slopes)
        for k, slope in other.slopes.items():
            slopes[k] = slopes[k] + slope if k in slopes else slope
        return _Dual(self.value + other.value, slopes)

    __radd__ = __add__

    def __mul__(self, other: Any) -> _Dual:
        if not isinstance(other, _Dual):
            return _Dual(self.value * other, {k: slope * other for k, slope in self.slopes.items()})
        return _Dual(self.value * other.value, {k: slope * other.value for k, slope in self.slopes.items()}) + _Dual(
            fmpq(0), {k: self.value * slope for k, slope in other.slopes.items()}
        )

    __rmul__ = __mul__

    def __pow__(self, exponent: int) -> _Dual:
        if exponent == 0:
            return _Dual(fmpq(1), {})
        factor = exponent * self.value ** (exponent - 1)
        return _Dual(self.value**exponent, {k: factor * slope for k, slope in self.slopes.items()})


def _points(network: Network, generator: np.random.Generator) -> tuple[np.ndarray, bool]:
    """Integer points, and whether they are proved to determine every polynomial that an output may be."""
    enough = network.parameter_count + _SURPLUS
    try:
        ambient = network.ambient
        spaces = [ambient.monomials(i) for i in {span: i for i, span in enumerate(ambient.spans)}.values()]
        count = max(map(len, spaces))
    except PolygeomError:
        spaces, count = [], _MOST_MONOMIALS + 1
    known = count <= _MOST_MONOMIALS
    size = (count if known else enough, network.input_dimension)
    field = PrimeField(P22)
    for spread in (_RANGE, 10 * _RANGE, 100 * _RANGE):
        points = generator.integers(-spread, spread + 1, size)
        if not known or all(rank(_values(points, space, field), field) == len(space) for space in spaces):
            return points.reshape(len(points), *network.input_shape), known
    return points.reshape(len(points), *network.input_shape), False


def _values(points: np.ndarray, monomials: Any, field: PrimeField) -> np.ndarray:
    """Values of monomials at points modulo a prime, one row a point."""
    rows = [
        [math.prod(pow(int(x), e, field.p) for x, e in zip(p, m, strict=True)) % field.p for m in monomials]
        for p in points
    ]
    return np.array(rows, dtype=float)


def _exact(name: str, weights: Mapping[str, Any], shape: tuple[int, ...]) -> np.ndarray:
    if name not in weights:
        raise PolygeomError(f"weights: {name} of shape {shape} is missing; write an array for every weight")
    values = np.array(weights[name], dtype=object)
    if values.shape != shape:
        raise PolygeomError(f"weights: {name} must have the shape {shape}, got {values.shape}")
    result = np.empty(shape, dtype=object)
    for index, entry in np.ndenumerate(values):
        c = exact_weight(f"weights: {name}", entry)
        result[index] = fmpq(c.numerator, c.denominator)
    return result


def special_weights(network: Network | str, kind: str, *, rng: int = 0) -> dict[str, np.ndarray]:
    """Small random integers as weights of a perceptron with dead or equal neurons in every hidden layer.

    Parameters
    ----------
    network:
        A multilayer perceptron.
    kind:
        ``"dead"``: the incoming weights of one neuron of every hidden layer are zero; ``"equal"``: those of one are
        those of another. ``"dead:2"`` and ``"equal:2"`` are for two neurons, and so on.
    rng:
        Seed.

    Raises
    ------
    PolygeomError
        For another kind, networks that are no perceptrons, or hidden layers that are too narrow.

    Examples
    --------
    >>> weights = special_weights("[2,3,1] r=2", "equal:2")
    >>> print(rank_at("[2,3,1] r=2", weights))
    [2,3,1] r=2: rank 2 at these weights (proved), 1 below the dimension 3
    """
    network = as_network(network)
    word, _, number = kind.partition(":")
    if word not in SPECIAL or not (number or "1").isdigit():
        raise PolygeomError(f"kind must be dead, equal, dead:2, equal:2 and so on, got {kind!r:.40}; write dead")
    count = int(number or 1)
    hidden = _hidden(network)
    narrowest = min(hidden, default=0)
    if not 1 <= count < narrowest + (word == "dead"):
        raise PolygeomError(
            f"kind: {count} {word} neurons do not fit into a hidden layer of width {narrowest}; write {word}:1"
        )
    generator = np.random.default_rng((rng, 1))
    weights = {
        name: generator.integers(1, _RANGE + 1, shape) * generator.choice([-1, 1], shape)
        for name, shape in network.parameters.items()
    }
    for layer in range(1, len(hidden) + 1):
        for name in (f"W{layer}", f"b{layer}"):
            if name in weights:
                rows = weights[name]
                rows[-count:] = 0 if word == "dead" else rows[-count - 1]
    return weights


def _hidden(network: Network) -> list[int]:
    """Widths of the hidden layers of a perceptron, with biases or not."""
    kinds = {node.layer.kind for node in network.nodes}
    matrices = [name for name in network.parameters if name.startswith("W")]
    if not kinds <= {"input", "dense", "bias", "power", "polynomial"} or len(matrices) < 2:
        raise PolygeomError(
            f"network must be a perceptron with a hidden layer for dead or equal neurons, got {network.text:.60}; "
            "write [2,3,1] r=2, or the weights themselves"
        )
    return [network.parameters[name][0] for name in matrices[:-1]]


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise PolygeomError(
            f"weights: a number of {len(digits)} digits; write integers of at most {MOST_DIGITS} digits"
        )
    return int(digits)


def read_weights(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Weights by name from a JSON file of nested lists, or from an ``.npz`` archive of numpy.

    Raises
    ------
    PolygeomError
        When there is no such file, it holds something else, or an integer of more than `MOST_DIGITS` digits.
    """
    file = Path(path)
    try:
        if file.suffix == ".npz":
            check_archive(file, "weights")
            with np.load(file, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        found = json.loads(read_text(file, "weights"), parse_int=_integer)
    except PolygeomError:
        raise
    except (OSError, ValueError, EOFError) as problem:
        raise PolygeomError(
            f"weights: {file} cannot be read: {problem}; write a JSON file or an .npz archive"
        ) from None
    if not isinstance(found, dict):
        raise PolygeomError(f'weights: {file} must hold an object such as {{"W1": [[1, 2]], "W2": [[1]]}}')
    return found


__all__ = ["SPECIAL", "WeightRank", "exact_jacobian", "rank_at", "read_weights", "special_weights"]
