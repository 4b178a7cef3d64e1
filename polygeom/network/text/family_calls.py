"""Families as text: ``ccp(3,rank=4,degree=3)``, the call one would write in Python.

To write a network, each family guesses the arguments that would give it; the guess is right if the family then gives an
equal network. The text therefore depends on the nodes alone, not on how the network was made.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from polygeom.errors import PolygeomError
from polygeom.network import families, models
from polygeom.network.arguments import activation_coefficients
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
from polygeom.network.text.calls import Call, Reference, read_call, write_value

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


def _ccp(nodes: Nodes) -> dict[str, Any]:
    biases = len(_of(nodes, Bias))
    return {
        "inputs": math.prod(_dims(nodes)),
        "rank": _of(nodes, Dense)[0].width,
        "degree": len(_of(nodes, Product)) + 1,
        "outputs": _of(nodes, Dense)[-1].width,
        "bias": "output" if biases == 1 else biases > 0,
        "skip": bool(_of(nodes, Sum)) or not _of(nodes, Product),
    }


def _ncp(nodes: Nodes) -> dict[str, Any]:
    arguments = _ccp(nodes)
    return {
        **{name: arguments[name] for name in ("inputs", "rank", "degree", "outputs")},
        "bias": _ends_in_bias(nodes),
    }


def _ends_in_bias(nodes: Nodes) -> bool:
    return isinstance(nodes[-1].layer, Bias)


def _product_network(nodes: Nodes) -> dict[str, Any]:
    degree = max(len(node.inputs) for node in nodes)
    return {
        "inputs": math.prod(_dims(nodes)),
        "rank": _of(nodes, Dense)[0].width,
        "degree": degree,
        "outputs": _of(nodes, Dense)[-1].width,
    }


def _convolutional(nodes: Nodes) -> dict[str, Any]:
    filters = _of(nodes, Convolution)
    strides = [f.stride for f in filters]
    arguments = {
        "length": math.prod(_dims(nodes)),
        "kernels": [f.size for f in filters],
        "strides": _one_for_all(strides),
    }
    after = [
        activation.layer if isinstance(activation.layer, Power | Polynomial) else None
        for node, activation in pairwise(nodes)
        if isinstance(node.layer, Convolution)
    ]
    lists = activation_coefficients(after) if _of(nodes, Polynomial) else None
    if lists is not None:
        return {**arguments, "activation": _one_for_all(lists)}
    degrees = [a.degree if isinstance(a, Power) else 1 for a in after]
    return {**arguments, "degrees": _one_for_all(degrees) if degrees else None}


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
    signature = f"write {call.word}({', '.join(f'{name}=…' for name in parameters)})"
    unknown = [name for name in call.named if name not in parameters]
    if unknown:
        s.fail(f"{call.word} has no {unknown[0]!r}", signature, call.named_positions[unknown[0]])
    order = [name for name, p in parameters.items() if p.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
    if len(call.values) > len(order):
        s.fail(
            f"{call.word} takes {len(order)} value(s) without a name, got {len(call.values)}", signature, call.position
        )
    arguments = dict(zip(order, call.values, strict=False))
    twice = arguments.keys() & call.named.keys()
    if twice:
        s.fail(f"{min(twice)} twice", f"write {min(twice)} once", call.position)
    arguments |= call.named
    missing = [name for name, p in parameters.items() if p.default is inspect.Parameter.empty and name not in arguments]
    if missing:
        s.fail(f"{call.word} lacks {missing[0]}", signature, call.position)
    return {name: str(value) if isinstance(value, Reference) else value for name, value in arguments.items()}
