"""Maps as text: ``map(s,t: s^4, s^3*t, s*t^3, t^4)``, parameters before the colon, coordinates after it.

Coordinates may have names for the equations between them, ``map(s,t: p=s^2, q=s*t, r=t^2)``.
"""

from __future__ import annotations

from typing import Protocol

from polygeom.network.grammar.expressions import Reader
from polygeom.network.grammar.scanner import Scanner
from polygeom.network.layers import Input
from polygeom.network.layers.formula import Formula, formulas
from polygeom.network.nodes import Node, Nodes

EXAMPLE = "write map(s,t: s^2, s*t, t^2)"


class _HasNodes(Protocol):
    @property
    def nodes(self) -> Nodes:
        """Nodes, the input first."""


def map_nodes(formula: Formula) -> Nodes:
    """The nodes that compute formulas without features: one dummy input, one layer."""
    return (Node(Input((1,))), Node(formula, (0,)))


def map_formula(network: _HasNodes) -> Formula | None:
    """The formulas of a network that is a map, None for any other network."""
    return formula_of(network.nodes)


def formula_of(nodes: Nodes) -> Formula | None:
    """The formulas of nodes that are a map, None for others."""
    if len(nodes) != 2 or nodes[0].layer != Input((1,)):
        return None
    layer = nodes[1].layer
    return layer if isinstance(layer, Formula) and layer.is_map else None


def read(s: Scanner) -> Nodes:
    """The nodes of the map whose opening parenthesis stands at the scanner."""
    s.expect("(", EXAMPLE)
    parameters = _parameters(s)
    s.expect(":", "write a colon between the parameters and the coordinates, map(s,t: s^2, s*t)")
    coordinates, names = [], []
    while True:
        start = s.position
        name = s.word()
        if name is not None and s.take("="):
            names.append(name)
        else:
            s.position = start
        start = s.position
        reader = Reader(s, tuple(parameters))
        coordinates.append(str(reader.quotient(reader.sum())))
        if not s.peek(",") and not s.peek(")"):
            reader.unexpected()
        if names and len(names) != len(coordinates):
            s.fail("a coordinate without a name", "name all coordinates or none, p=s^2, q=s*t", start)
        if s.take(")"):
            break
        s.expect(",", "write , between coordinates")
    if not s.ended:
        s.fail(f"expected the end, found {s.here}", "write one map")
    with s.at(0):
        return map_nodes(formulas(parameters, coordinates, names))


def _parameters(s: Scanner) -> list[str]:
    names: list[str] = []
    while not s.peek(":"):
        position = s.position
        name = s.word()
        if name is None:
            s.fail(f"expected the name of a parameter, found {s.here}", EXAMPLE)
        if name in names:
            s.fail(f"the parameter {name} twice", "write each parameter once", position)
        names.append(name)
        if not s.take(",") and not s.peek(":"):
            s.fail(f"expected , or :, found {s.here}", EXAMPLE)
    return names


def write(formula: Formula) -> str:
    """The canonical text of a map."""
    names = [f"{name}=" for name in formula.names] or [""] * len(formula.coordinates)
    coordinates = ", ".join(name + text for name, text in zip(names, formula.coordinates, strict=True))
    return f"map({','.join(formula.weights)}: {coordinates})"
