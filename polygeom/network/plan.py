"""A network compiled once into a flat program, which every engine runs.

Compiling checks the nodes and works out what does not depend on numbers: shapes, names of weights, which values a step
reads and which are never read again.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any

from polygeom._dataclass import dataclass
from polygeom.errors import PolygeomError
from polygeom.network.layers import Input, Layer, Shape
from polygeom.network.limits import MOST_SYMBOLS, shown
from polygeom.network.nodes import Node, Nodes
from polygeom.network.primitives import Engine


@dataclass(frozen=True, slots=True)
class Step:
    """One layer of the program.

    Attributes
    ----------
    layer:
        What to apply.
    inputs:
        Numbers of the values it reads; value 0 is the input, value ``k`` the result of step ``k``.
    weights:
        Its weights: local name and name in the network, ``("W", "W2")``.
    shapes:
        Shapes of what it reads, without the axis of points.
    done:
        Values that no later step reads, so that their memory is free after this step.
    """

    layer: Layer
    inputs: tuple[int, ...]
    weights: tuple[tuple[str, str], ...]
    shapes: tuple[Shape, ...]
    done: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Plan:
    """A network as a program; `compile_nodes` makes it.

    Attributes
    ----------
    nodes:
        The network.
    shapes:
        Shape of the value of every node.
    weight_names:
        For every node, its layer's local weight names and their names in the network: ``W`` → ``W2``.
    parameters:
        Shape of every weight by name, in the order in which the nodes own them.
    """

    nodes: Nodes
    shapes: tuple[Shape, ...]
    weight_names: tuple[Mapping[str, str], ...]
    parameters: Mapping[str, Shape]

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The program, one step for every node but the input."""
        last = {i: number for number, node in enumerate(self.nodes) for i in node.inputs}
        return tuple(
            Step(
                node.layer,
                node.inputs,
                tuple(self.weight_names[number].items()),
                self.input_shapes(number),
                tuple(i for i in dict.fromkeys(node.inputs) if last[i] == number),
            )
            for number, node in enumerate(self.nodes)
            if number
        )

    @cached_property
    def fan_in(self) -> Mapping[str, int]:
        """For every weight the number of terms in the sums that it enters, 0 for biases."""
        return MappingProxyType(
            {
                self.weight_names[number][local]: terms
                for number, node in enumerate(self.nodes)
                if node.shares is None and self.weight_names[number]
                for local, terms in node.layer.fan_in(*self.input_shapes(number)).items()
            }
        )

    def input_shapes(self, number: int) -> tuple[Shape, ...]:
        """Shapes of what a node reads."""
        return tuple([self.shapes[i] for i in self.nodes[number].inputs])

    def run(self, engine: Engine[Any], weights: Mapping[str, Any], points: Any) -> Any:
        """The value of the output over ``engine``; arguments as for `polygeom.network.Network.evaluate`."""
        values = [points]
        for step in self.steps:
            own = {local: weights[name] for local, name in step.weights}
            values.append(step.layer.apply(engine, [values[i] for i in step.inputs], own, step.shapes))
            for number in step.done:
                values[number] = None
        return values[-1]


def compile_nodes(nodes: Nodes) -> Plan:
    """The program of a network.

    Raises
    ------
    PolygeomError
        When a layer does not fit its inputs, a node is not used by the output, or shared weights differ in shape.
    """
    _check_wiring(nodes)
    shapes = _shapes(nodes)
    _check_use(nodes)
    own = [node.layer.parameters(*[shapes[i] for i in node.inputs]) for node in nodes]
    counters: dict[str, int] = {}
    names: list[Mapping[str, str]] = []
    parameters: dict[str, Shape] = {}
    for number, node in enumerate(nodes):
        if node.shares is not None:
            _check_sharing(number, node.shares, own)
            names.append(names[node.shares])
            continue
        named = {}
        for local, shape in own[number].items():
            counters[local] = counters.get(local, 0) + 1
            named[local] = name = f"{local}{counters[local]}"
            parameters[name] = shape
        names.append(MappingProxyType(named))
    for local in counters:
        if not (local.isascii() and local.isalpha()):
            raise PolygeomError(
                f"network: weights of layers must be named by letters, got {local!r:.40}; "
                'write parameters that return {"W": shape}'
            )
    return Plan(nodes, shapes, tuple(names), MappingProxyType(parameters))


def _check_wiring(nodes: Nodes) -> None:
    if len(nodes) > MOST_SYMBOLS or sum(n.layer.symbols + len(n.inputs) for n in nodes) > MOST_SYMBOLS:
        raise PolygeomError(
            f"network: layers, inputs, pattern entries and coefficients must be at most {MOST_SYMBOLS} together; "
            "write a smaller network"
        )
    if not nodes or not isinstance(nodes[0].layer, Input):
        raise PolygeomError("network: the first node must be an input; write input(3) first")
    for number, node in enumerate(nodes):
        _check_node(nodes, number, node)


def _check_node(nodes: Nodes, number: int, node: Node) -> None:
    arity, got = node.layer.arity, len(node.inputs)
    if (number > 0) == isinstance(node.layer, Input):
        raise PolygeomError(f"network: node {number} is a second input; write one input and read it more than once")
    if (arity is None and got < 2) or (arity is not None and got != arity):
        wanted = "at least 2" if arity is None else str(arity)
        raise PolygeomError(f"network: node {number} ({node.layer.kind}) needs {wanted} inputs, got {got}; add them")
    if any(not 0 <= i < number for i in node.inputs):
        raise PolygeomError(f"network: node {number} must read earlier nodes, got {shown(node.inputs)}; renumber it")
    if node.shares is not None:
        if not 0 <= node.shares < number or nodes[node.shares].shares is not None:
            raise PolygeomError(
                f"network: node {number} must share the weights of an earlier node that owns them; "
                "write the first node with these weights"
            )
        if nodes[node.shares].layer.kind != node.layer.kind:
            raise PolygeomError(
                f"network: node {number} and node {node.shares} share weights but differ in kind; write one layer"
            )


def _shapes(nodes: Nodes) -> tuple[Shape, ...]:
    shapes: list[Shape] = []
    for number, node in enumerate(nodes):
        try:
            shapes.append(node.layer.shape(*(shapes[i] for i in node.inputs)))
        except PolygeomError as error:
            raise PolygeomError(f"network: node {number}: {error}") from None
    return tuple(shapes)


def _check_use(nodes: Nodes) -> None:
    unused = set(range(len(nodes) - 1)) - {i for node in nodes for i in node.inputs}
    if unused:
        raise PolygeomError(
            f"network: nodes {shown(sorted(unused))} lead nowhere; write every node but the last into another"
        )


def _check_sharing(number: int, owner: int, own: list[dict[str, Shape]]) -> None:
    if own[number] != own[owner] or not own[number]:
        raise PolygeomError(
            f"network: node {number} shares the weights of node {owner}, but needs the shapes {own[number]}, "
            f"not {own[owner]}; leave out shares, or write equal widths"
        )
