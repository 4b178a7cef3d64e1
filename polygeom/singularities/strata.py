"""Subnetworks as strata of weights: which neurons are dead, silent, deaf, duplicated or cancelling; such weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field, fields
from fractions import Fraction
from typing import Any

import numpy as np

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.network import Network
from polygeom.network.limits import exact_weight

Neuron = tuple[int, int]
"""Hidden layer and place in it, both counted from 1."""
_LARGEST = 99
_WORDS = ("dead", "silent", "deaf", "duplicate", "collinear", "cancel", "rank")
_HINT = 'write for example at="dead 1,3", at="duplicate 1=2" or at="rank 1"'


@dataclass(frozen=True, slots=True)
class Stratum:
    """Which neurons degenerate; all other weights are generic.

    Attributes
    ----------
    dead:
        Neurons whose incoming and outgoing weights are zero.
    silent:
        Those whose outgoing weights alone are zero.
    deaf:
        Those whose incoming weights alone are zero.
    duplicate, collinear:
        Pairs with the same incoming weights, or with proportional ones; generic outgoing weights that are parallel.
    cancel:
        Pairs with the same incoming and opposite outgoing weights.
    rank:
        For linear networks: all layers are ``diag(1, …, 1, 0, …)`` of this rank.
    """

    dead: tuple[Neuron, ...] = ()
    silent: tuple[Neuron, ...] = ()
    deaf: tuple[Neuron, ...] = ()
    duplicate: tuple[tuple[Neuron, Neuron], ...] = ()
    collinear: tuple[tuple[Neuron, Neuron], ...] = ()
    cancel: tuple[tuple[Neuron, Neuron], ...] = ()
    rank: int | None = None
    text: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: Any) -> Stratum:
        """From clauses with ``;`` between them: ``"dead 1,3; duplicate 2:1=2:4"``; ``2:4`` is neuron 4 of layer 2.

        Raises
        ------
        PolygeomError
            For anything else.
        """
        if not isinstance(text, str):
            raise PolygeomError(f"at must be None, text, or weights by name, got {type(text).__name__}; {_HINT}")
        found: dict[str, Any] = {}
        for clause in filter(None, (part.strip() for part in text.split(";"))):
            word, _, rest = clause.partition(" ")
            if word not in _WORDS or not rest.strip() or word in found:
                raise PolygeomError(f"at: {clause!r:.60} is not one of {', '.join(_WORDS)} with neurons; {_HINT}")
            found[word] = _places(word, rest)
        return cls(**found, text=text)

    def weights(self, network: Network, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Integer weights in the stratum, the others drawn at random from ±1 … ±99.

        Raises
        ------
        PolygeomError
            If a neuron does not exist, or the network is no perceptron.
        """
        values = {name: _nonzero(rng, shape) for name, shape in network.parameters.items()}
        clauses = [one.name for one in fields(self) if one.name != "text" and getattr(self, one.name) not in ((), None)]
        if not clauses:
            return values
        widths = network.widths
        if widths is None:
            raise PolygeomError(f"at: {network} is no perceptron without biases; give weights, or write at=None")
        if self.rank is not None:
            return self._of_rank(network, widths, clauses)
        matrices = list(values.values())
        for layer, place in {*self.dead, *self.deaf}:
            _checked(widths, layer, place)
            matrices[layer - 1][place - 1] = 0
        for (layer, one), (other_layer, other) in (*self.duplicate, *self.collinear, *self.cancel):
            _checked(widths, layer, one)
            _checked(widths, other_layer, other)
            if layer != other_layer or one == other:
                raise PolygeomError(
                    f"at: a pair must be two neurons of one layer, got {layer}:{one}={other_layer}:{other}; {_HINT}"
                )
            matrices[layer - 1][other - 1] = matrices[layer - 1][one - 1] * 1
        for pairs, factor in ((self.duplicate, 2), (self.collinear, 3), (self.cancel, -1)):
            for (layer, one), (_, other) in pairs:
                matrices[layer][:, other - 1] = matrices[layer][:, one - 1] * factor
                if pairs is self.collinear:
                    matrices[layer - 1][other - 1] = matrices[layer - 1][one - 1] * 2
        for layer, place in {*self.dead, *self.silent}:
            _checked(widths, layer, place)
            matrices[layer][:, place - 1] = 0
        return dict(zip(values, matrices, strict=True))

    def _of_rank(self, network: Network, widths: tuple[int, ...], clauses: list[str]) -> dict[str, np.ndarray]:
        degrees = network.activation_degrees or ()
        if any(r != 1 for r in degrees) or len(clauses) > 1:
            raise PolygeomError("at: rank is for linear networks, and alone; write dead for neurons of other networks")
        assert self.rank is not None
        if not 0 <= self.rank <= min(widths):
            raise PolygeomError(f"at: rank must be from 0 to {min(widths)}, the least width, got {self.rank}")
        values = {}
        for name, shape in network.parameters.items():
            values[name] = np.full(shape, Fraction(0), dtype=object)
            for i in range(self.rank):
                values[name][i, i] = Fraction(1)
        return values


def _nonzero(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    drawn = rng.integers(1, _LARGEST + 1, shape) * rng.choice((-1, 1), shape)
    return exact(drawn)


def exact(values: Any) -> np.ndarray:
    """An array of fractions from integers, fractions or floats, which are exact binary fractions."""
    array = np.array(values, dtype=object)
    result = np.empty(array.shape, dtype=object)
    result.ravel()[:] = [exact_weight("at: weights", v) for v in array.ravel()]
    return result


def given(network: Network, weights: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Exact weights from arrays by name: NumPy, nested lists, or tensors of a module.

    Raises
    ------
    PolygeomError
        For other names or shapes.
    """
    if set(weights) != set(network.parameters):
        raise PolygeomError(
            f"at: weights must name exactly {', '.join(network.parameters)}, got {', '.join(map(str, weights))}"
        )
    values = {}
    for name, shape in network.parameters.items():
        value = weights[name]
        values[name] = exact(value.detach().cpu().numpy() if hasattr(value, "detach") else value)
        if values[name].shape != shape:
            raise PolygeomError(f"at: {name} must have shape {shape}, got {values[name].shape}")
    return values


def _places(word: str, text: str) -> Any:
    if word == "rank":
        if not re.fullmatch(r"\s*[0-9]{1,4}\s*", text):
            raise PolygeomError(f"at: rank must be a number, got {text!r:.40}; {_HINT}")
        return int(text)
    parts = [part for part in re.split(r"[,\s]+", text.strip()) if part]
    if word in ("duplicate", "collinear", "cancel"):
        return tuple((_neuron(one), _neuron(other)) for one, other in (_pair(part) for part in parts))
    return tuple(map(_neuron, parts))


def _pair(text: str) -> tuple[str, str]:
    one, equals, other = text.partition("=")
    if not equals:
        raise PolygeomError(f"at: {text!r:.40} is not a pair of neurons such as 1=2; {_HINT}")
    layer = one.partition(":")[0] + ":" if ":" in one and ":" not in other else ""
    return one, layer + other


def _neuron(text: str) -> Neuron:
    if not (found := re.fullmatch(r"(?:([0-9]{1,4}):)?([0-9]{1,5})", text)):
        raise PolygeomError(f"at: {text!r:.40} is not a neuron such as 3, or 2:3 for neuron 3 of layer 2; {_HINT}")
    return int(found[1] or 1), int(found[2])


def _checked(widths: tuple[int, ...], layer: int, place: int) -> None:
    if not 1 <= layer < len(widths) - 1 or not 1 <= place <= widths[layer]:
        hidden = ", ".join(f"{k}:1…{k}:{w}" for k, w in enumerate(widths[1:-1], start=1)) or "none"
        raise PolygeomError(f"at: there is no neuron {layer}:{place}; the hidden neurons are {hidden}")
