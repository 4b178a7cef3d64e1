"""Families as text: ``ccp(3,rank=4,degree=3)``, the call one would write in Python.

To write a network, each family guesses the arguments that would give it; the guess is right if the family then gives an
equal network. The text therefore depends on the nodes alone, not on how the network was made.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.network import families, models
from polygeom.network.arguments import activation_arguments
from polygeom.network.grammar.scanner import Scanner
from polygeom.network.layers import (
    Attention,
    Bias,
    Convolution,
    Dense,
    Input,
    Layer,
    Polynomial,
    Power,
    Product,
    Scale,
    Sum,
)
from polygeom.network.nodes import Nodes
from polygeom.network.text.calls import Call, Reference, bind, read_call, write_value

Guess = Callable[[Nodes], Mapping[str, Any]]


@dataclass(frozen=True)
class Family:
    """A function of `polygeom.network.families` and how its networks are recognised.

    ``needs`` are layers of which a network of the family has at least one each; ``positional`` arguments are written
    without their names.
    """

    function: Callable[..., Nodes]
    positional: int
    needs: tuple[type[Layer], ...] = ()
    guess: Guess | None = None

    @property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """The parameters of the function by name."""
        return inspect.signature(self.function).parameters


def _of(nodes: Nodes, kind: type[Layer]) -> list[Any]:
    return [node.layer for node in nodes if isinstance(node.layer, kind)]


def _dims(nodes: Nodes) -> tuple[int, ...]:
    (layer,) = _of(nodes, Input)
    return tuple(layer.dims)


def _sizes(nodes: Nodes) -> dict[str, Any]:
    dense = _of(nodes, Dense)
    return {"inputs": math.prod(_dims(nodes)), "rank": dense[0].width, "outputs": dense[-1].width}


def _ccp(nodes: Nodes) -> dict[str, Any]:
    biases, products = len(_of(nodes, Bias)), len(_of(nodes, Product))
    bias = "output" if biases == 1 else biases > 0
    return _sizes(nodes) | {"degree": products + 1, "bias": bias, "skip": bool(_of(nodes, Sum)) or not products}


def _ncp(nodes: Nodes) -> dict[str, Any]:
    return _sizes(nodes) | {"degree": len(_of(nodes, Product)) + 1, "bias": _ends_in_bias(nodes)}


def _ends_in_bias(nodes: Nodes) -> bool:
    return isinstance(nodes[-1].layer, Bias)


def _product_network(nodes: Nodes) -> dict[str, Any]:
    return _sizes(nodes) | {"degree": max(len(node.inputs) for node in nodes)}


def _convolutional(nodes: Nodes) -> dict[str, Any]:
    filters = _of(nodes, Convolution)
    after = [
        activation.layer if isinstance(activation.layer, Power | Polynomial) else None
        for node, activation in pairwise(nodes)
        if isinstance(node.layer, Convolution)
    ]
    return {
        "length": math.prod(_dims(nodes)),
        "kernels": [f.size for f in filters],
        "strides": _one_for_all([f.stride for f in filters]),
        **{name: _one_for_all(each) for name, each in activation_arguments(after).items()},
    }


def _one_for_all(values: list[Any]) -> Any:
    return values[0] if len(set(values)) == 1 else values


def _lightning_attention(nodes: Nodes) -> dict[str, Any]:
    layers = _of(nodes, Attention)
    return {
        "tokens": _dims(nodes)[0],
        "features": _dims(nodes)[-1],
        "rank": layers[0].rank,
        "outputs": layers[-1].width,
        "layers": len(layers),
    }


FAMILIES: Mapping[str, Family] = {
    "mlp": Family(families.mlp, 2),
    "linear": Family(families.linear, 1),
    "product_network": Family(families.product_network, 1, (Product, Dense), _product_network),
    "ccp": Family(families.ccp, 1, (Dense,), _ccp),
    "ncp": Family(families.ncp, 1, (Scale, Dense), _ncp),
    "convolutional": Family(families.convolutional, 1, (Convolution,), _convolutional),
    "lightning_attention": Family(families.lightning_attention, 0, (Attention,), _lightning_attention),
    "convolutional2d": Family(models.convolutional2d, 2),
    "group_convolutional": Family(models.group_convolutional, 1),
    "multihead_attention": Family(models.multihead_attention, 0),
    "transformer_block": Family(models.transformer_block, 0),
    "graph_network": Family(models.graph_network, 1),
    "kan": Family(models.kan, 1),
    "rational_mlp": Family(models.rational_mlp, 1),
}
"""Every family by its word in text."""


def recognise(nodes: Nodes) -> str | None:
    """The text of ``nodes`` as the call of a family, None when it belongs to none."""
    kinds = {type(node.layer) for node in nodes}
    for word, family in FAMILIES.items():
        if family.guess is not None and kinds.issuperset(family.needs):
            arguments = family.guess(nodes)
            if _gives(family, arguments, nodes):
                return _write(word, family, arguments)
    return None


def _gives(family: Family, arguments: Mapping[str, Any], nodes: Nodes) -> bool:
    try:
        return family.function(**arguments) == nodes
    except PolygeomError:
        return False


def _write(word: str, family: Family, arguments: Mapping[str, Any]) -> str:
    parts = []
    for number, (name, parameter) in enumerate(family.parameters.items()):
        if name in arguments and arguments[name] != parameter.default:
            value = write_value(arguments[name])
            parts.append(value if number < family.positional else f"{name}={value}")
    return f"{word}({','.join(parts)})"


def read(s: Scanner, word: str, start: int) -> Nodes:
    """The nodes of the family ``word``, which stood at ``start``; the scanner is behind it."""
    family, call = FAMILIES[word], read_call(s, word, start)
    if not s.ended:
        s.fail(f"expected the end, found {s.here}", f"write {word}(…) alone")
    with s.at(start):
        return family.function(**_bind(s, family, call))


def _bind(s: Scanner, family: Family, call: Call) -> dict[str, Any]:
    parameters = family.parameters
    needed = {name: p.default is inspect.Parameter.empty for name, p in parameters.items()}
    order = [name for name, p in parameters.items() if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    arguments = bind(s, call, call.values, needed, order)
    return {name: str(value) if isinstance(value, Reference) else value for name, value in arguments.items()}
