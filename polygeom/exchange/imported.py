"""A model of another program as a network with its weights: what every door for models gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.exchange.tracing import Link
from polygeom.network import Network


@dataclass(frozen=True, eq=False)
class Imported:
    """A model as a network with its weights; unpacks as ``network, weights``.

    Attributes
    ----------
    network:
        What the model computes at one point.
    weights:
        Arrays for every name in ``network.parameters``: ``network.to_torch()`` with them has the outputs of the model.
    links:
        How these and the parameters of the model determine each other.
    state:
        The parameters of the model by name.
    """

    network: Network
    weights: Mapping[str, np.ndarray]
    links: Mapping[tuple[str, ...], Link]
    state: Mapping[str, np.ndarray]

    def __iter__(self) -> Iterator[Any]:
        return iter((self.network, self.weights))

    def parameters(self, weights: Mapping[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
        """The model's parameters for weights of the network; those that do not enter keep their values."""
        given = self.weights if weights is None else weights
        if set(given) != set(self.network.parameters):
            raise PolygeomError(f"weights must name exactly {', '.join(self.network.parameters)}, got {sorted(given)}")
        state = {name: np.array(value, dtype=np.float64) for name, value in self.state.items()}
        for names, link in self.links.items():
            for name, (positions, values) in link.backward([np.asarray(given[n]) for n in names], state).items():
                flat = state[name].reshape(-1)
                flat[positions] = values
        return state


def outputs(network: Network, weights: Mapping[str, np.ndarray], points: np.ndarray) -> np.ndarray:
    """The outputs ``(N, *output_shape)`` of a network at points, in double precision."""
    from polygeom.engines.jets import Jet, JetEngine

    own = {name: Jet(np.asarray(array, dtype=np.float64)[None]) for name, array in weights.items()}
    value: np.ndarray = network.evaluate(JetEngine(), own, Jet(points[None])).value[0]
    return np.broadcast_to(value, (len(points), *value.shape[1:]))
