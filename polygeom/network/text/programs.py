"""Any network as a program, one layer a statement: ``x=input(3); a=dense(x,4); b=power(a,2); dense(b,1)``.

A statement names a node, or not, and calls a layer of the vocabulary by its word: the nodes it reads, then its fields,
in order or by name; ``shares=a`` ties its weights to those of node ``a``. The last statement is the output.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from polygeom.network.grammar.scanner import Scanner
from polygeom.network.layers import LAYERS, Dense, Input, Layer
from polygeom.network.nodes import Node, Nodes
from polygeom.network.text.calls import Call, Reference, bind, read_call, write_value
from polygeom.network.text.family_calls import FAMILIES
from polygeom.network.text.values import make

_EXAMPLE = "write [2,3,1] r=2, or a program such as x=input(2); a=dense(x,3); b=power(a,2); dense(b,1)"


def read(s: Scanner) -> Nodes:
    """The nodes of the program at the scanner."""
    nodes: list[Node] = []
    names: dict[str, int] = {}
    while True:
        start = s.position
        name, call = _read_statement(s)
        if call.word not in LAYERS:
            hint = f"write one of {', '.join(sorted(LAYERS))}; or, alone, one of {', '.join(FAMILIES)}"
            s.fail(f"unknown layer {call.word!r}", hint, call.position)
        nodes.append(_node(s, call, names))
        if name is not None:
            if name in names or name in LAYERS:
                s.fail(f"the name {name!r} is taken", "write another name before the =", start)
            names[name] = len(nodes) - 1
        if not s.take(";") or s.ended:
            break
    if not s.ended:
        s.fail(f"expected ; or the end, found {s.here}", "write ; between statements")
    return tuple(nodes)


def write(nodes: Nodes) -> str:
    """The program of ``nodes``, node ``k`` named ``xk``."""
    statements = [_statement(number, node) for number, node in enumerate(nodes)]
    last = len(statements) - 1
    return "; ".join(text if number == last else f"x{number}={text}" for number, text in enumerate(statements))


def _statement(number: int, node: Node) -> str:
    layer = node.layer
    if isinstance(layer, Input):
        return f"input({','.join(map(str, layer.dims))})"
    arguments = [f"x{i}" for i in node.inputs]
    named = False
    for f in fields(layer):  # type: ignore[arg-type]
        value = getattr(layer, f.name)
        named = named or f.default is not MISSING or isinstance(value, str | None)  # a bare word is the name of a node
        if not named:
            arguments.append(write_value(value))
        elif f.default is MISSING or value != f.default:
            arguments.append(f"{f.name}={write_value(value)}")
    if node.shares is not None:
        arguments.append(f"shares=x{node.shares}")
    return f"{layer.kind}({','.join(arguments)})"


def _read_statement(s: Scanner) -> tuple[str | None, Call]:
    start = s.position
    word = s.word()
    if word is None:
        hint = "write [2,3,1] with brackets" if s.text[start : start + 1] in tuple("(0123456789") else _EXAMPLE
        s.fail(f"expected a network, found {s.here}", hint)
    if s.take("="):
        name, start = word, s.position
        word = s.word()
        if word is None:
            s.fail(f"expected a layer, found {s.here}", f"write one of {', '.join(sorted(LAYERS))}")
        return name, read_call(s, word, start)
    return None, read_call(s, word, start)


def _node(s: Scanner, call: Call, names: dict[str, int]) -> Node:
    kind = LAYERS[call.word]
    reads = 0
    while reads < len(call.values) and isinstance(call.values[reads], Reference):
        reads += 1
    inputs = tuple(_number(s, names, call.values[k], call.positions[k]) for k in range(reads))
    if kind.arity is not None and reads != kind.arity and kind is not Input:
        hint = f"write {call.word}(x, …) with x an earlier name"
        s.fail(f"{call.word} reads {kind.arity} node, got {reads}", hint, call.position)
    shares = None
    if "shares" in call.named:
        shares = _number(s, names, call.named.pop("shares"), call.named_positions["shares"])
    with s.at(call.position):
        return Node(_layer(s, call, kind, call.values[reads:]), inputs, shares)


def _number(s: Scanner, names: dict[str, int], name: Any, position: int) -> int:
    if not isinstance(name, Reference) or name not in names:
        known = ", ".join(list(names)[:8]) or "none so far"
        s.fail(f"no node is named {str(name)[:40]!r}", f"write an earlier name ({known})", position)
    return names[name]


def _layer(s: Scanner, call: Call, kind: type[Layer], values: list[Any]) -> Layer:
    if kind is Input:
        if call.named:
            s.fail("input takes the shape of a point only", "write input(3) or input(2,3)", call.position)
        return Input(tuple(values))
    pattern = call.named.get("pattern")
    if kind is Dense and not values and isinstance(pattern, list):
        call.named.setdefault("width", len(pattern))
    needed = {f.name: f.default is MISSING for f in fields(kind)}  # type: ignore[arg-type]
    arguments = bind(s, call, values, needed, list(needed), "x")
    return make(kind, arguments, "{name}={value}")
