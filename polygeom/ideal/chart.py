"""Weights without redundancy: a coordinate slice of weight space on which the network's map is still dominant.

Scaling a hidden neuron, or mixing neurons where no activation stands between two layers, changes weights but not the
function. Fixing some weights at constants removes this freedom. Whether the slice still reaches a dense part of the
neurovariety is *checked*, not assumed: the Jacobian by the remaining weights, at one point of the slice and modulo a
prime, has the dimension of the neurovariety as its rank. The image of the slice is then a constructible subset of an
irreducible variety whose closure has the same dimension, so it is dense: same neurovariety, same ideal, same degree.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.dimensions import dimension
from polygeom.dimensions.ranks.tangent import jacobian
from polygeom.engines.jets import Jet, JetEngine
from polygeom.engines.symbolic import weight_names
from polygeom.errors import PolygeomError
from polygeom.modular import P22, PrimeField, rank
from polygeom.network import Network

Array = np.ndarray


@dataclass(frozen=True)
class Chart:
    """A slice of weight space: some weights fixed, the others free.

    Attributes
    ----------
    network:
        The network.
    fixed:
        Number and constant of every fixed weight; weights are numbered in the order of `Network.parameters`, each
        row-major.
    free:
        Numbers of the free weights.
    dimension:
        Dimension of the closure of the slice's image: a proved lower bound for that of the neurovariety.
    proved:
        Whether `dimension` is proved to be that of the neurovariety, so that the image of the slice is dense in it.
    """

    network: Network
    fixed: tuple[tuple[int, int], ...]
    free: tuple[int, ...]
    dimension: int
    proved: bool

    @cached_property
    def names(self) -> tuple[str, ...]:
        """A name for every weight, as in `polygeom.engines.symbolic.weight_names`: ``W1_1_3`` is in row 1, column 3."""
        return tuple(weight_names(self.network))

    def weights(self, free: Array, *, derivatives: bool = True) -> dict[str, Jet]:
        """Jets of all weights by name.

        Parameters
        ----------
        free:
            ``(B, k)``: values of the free weights, numbers of any kind.
        derivatives:
            Whether the jets carry gradients by the free weights.
        """
        batch, count = free.shape
        values = np.zeros((batch, self.network.parameter_count), dtype=free.dtype)
        values[:, list(self.free)] = free
        for number, constant in self.fixed:
            values[:, number] = constant
        seeds = np.zeros((1, count, self.network.parameter_count), dtype=free.dtype)
        seeds[0, range(count), list(self.free)] = 1
        return {
            name: Jet(values[:, numbers], seeds[:, :, numbers] if derivatives else None)
            for name, numbers in self.network.weight_numbers.items()
        }

    def outputs(self, free: Array, points: Array, engine: JetEngine, *, derivatives: bool = True) -> Jet:
        """Outputs at fixed points, and derivatives by the free weights.

        Parameters
        ----------
        free:
            ``(B, k)``: values of the free weights.
        points:
            ``(N, *input_shape)``, numbers of the same kind.
        engine:
            Its order says which derivatives come back.

        Returns
        -------
        A jet with value ``(B, output_dimension * N)`` and likewise derivatives: entry ``o N + k`` is output ``o`` at
        point ``k``.
        """
        jet: Jet = self.network.evaluate(engine, self.weights(free, derivatives=derivatives), Jet(points[None]))
        axes = 1 + len(self.network.output_shape)
        return jet.map(lambda part: _flat(part, axes))


def _flat(part: Array, axes: int) -> Array:
    lead = part.shape[: part.ndim - axes]
    count = part.shape[len(lead)]
    outputs_first: Array = np.swapaxes(part.reshape(*lead, count, -1), -1, -2)
    return outputs_first.reshape(*lead, -1)


def chart(network: Network, *, rng: int = 0) -> Chart:
    """A slice of weight space with as many free weights as the neurovariety has dimensions.

    Weights are fixed one after another, at 0 or 1 and where neither will do at a random constant, as long as the rank
    of the Jacobian at a random point of the slice stays what it was.

    Parameters
    ----------
    network:
        Any network.
    rng:
        Seed of the random points.

    Returns
    -------
    `Chart`; its map to the neurovariety is generically finite.

    Raises
    ------
    PolygeomError
        When the network's derivatives vanish modulo the prime used, because its degree is above it.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> one = chart(parse("[3,2,1] r=2"))
    >>> one.dimension, [(one.names[i], value) for i, value in one.fixed]
    (5, [('W1_1_1', 0), ('W1_1_2', 1), ('W1_2_1', 1)])
    """
    if network.degree >= P22:
        raise PolygeomError(f"network: the degree must be below {P22}, got {network.degree}; write fewer layers")
    size = dimension(network, rng=rng)
    ranks = _Ranks(network, np.random.default_rng(rng), size.dimension)
    fixed: dict[int, int] = {}
    for choices in ((0, 1), None):
        for number in range(network.parameter_count):
            if len(fixed) == network.parameter_count - size.dimension:
                break
            if number in fixed:
                continue
            for constant in choices or (int(ranks.rng.integers(2, 100)),):
                if ranks.keeps({**fixed, number: constant}):
                    fixed[number] = constant
                    break
    free = tuple(number for number in range(network.parameter_count) if number not in fixed)
    return Chart(network, tuple(sorted(fixed.items())), free, size.dimension, size.proved)


class _Ranks:
    """Ranks of the Jacobian by the free weights at random points of slices."""

    def __init__(self, network: Network, rng: np.random.Generator, target: int) -> None:
        self.network, self.rng, self.target = network, rng, target
        self._field = PrimeField(P22)
        forms = -(-network.ambient_dimension // network.output_dimension)
        self._count = min(-(-target // network.output_dimension) + 3, forms + 1)

    def keeps(self, fixed: dict[int, int]) -> bool:
        """Whether the slice's image has the target dimension; True is proved."""
        numbered = self.network.weight_numbers
        values = np.concatenate([self._field.random(self.rng, (numbers.size,)) for numbers in numbered.values()])
        values[[*fixed]] = [*fixed.values()]
        weights = {name: values[numbers] for name, numbers in numbered.items()}
        points = self._field.random(self.rng, (self._count, *self.network.input_shape))
        rows = jacobian(self.network, self._field, weights, points)
        columns = [number for number in range(self.network.parameter_count) if number not in fixed]
        matrix = np.ascontiguousarray(rows.reshape(-1, self.network.parameter_count)[:, columns])
        return rank(matrix, self._field, limit=self.target) >= self.target
