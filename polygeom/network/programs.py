"""Any network as a program, one layer a statement: ``x=input(3); a=dense(x,4); b=power(a,2); dense(b,1)``.

A statement names a node, or not, and calls a layer of the vocabulary by its word: the nodes it reads, then its fields,
in order or by name; ``shares=a`` ties its weights to those of node ``a``. The last statement is the output.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from fractions import Fraction
from typing import Any

from polygeom.network.graph import Network, Node
from polygeom.network.layers import LAYERS, Dense, Input, Layer
from polygeom.network.limits import LARGEST_COEFFICIENT, MOST_SYMBOLS
from polygeom.network.scanner import Scanner

_EXAMPLE = "write [2,3,1] r=2, or a program such as x=input(2); a=dense(x,3); b=power(a,2); dense(b,1)"


@dataclass(slots=True)
class Call:
    """A call as it is written: ``word(values, name=value, …)`` with the positions of its parts."""

    word: str
    position: int
    values: list[Any] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    named: dict[str, Any] = field(default_factory=dict)
    named_positions: dict[str, int] = field(default_factory=dict)


class Reference(str):
    """The name of a node, as against ``True`` and ``False``."""

    __slots__ = ()


def read(s: Scanner) -> Network:
    """The network of the program at the scanner."""
    nodes: list[Node] = []
    names: dict[str, int] = {}
    budget = MOST_SYMBOLS
    while True:
        start = s.position
        name, call = _read_statement(s, budget)
        budget -= 1 + len(call.values)
        if call.word not in LAYERS:
            s.fail(f"unknown layer {call.word!r}", f"write one of {', '.join(LAYERS)}", call.position)
        nodes.append(_node(s, call, names))
        if name is not None:
            if name in names or name in LAYERS:
                s.fail(f"the name {name!r} is taken", "write another name before the =", start)
            names[name] = len(nodes) - 1
        if not s.take(";") or s.ended:
            break
    if not s.ended:
        s.fail(f"expected ; or the end, found {s.here}", "write ; between statements")
    return Network(tuple(nodes))


def write(network: Network) -> str:
    """The program of ``network``, node ``k`` named ``xk``."""
    statements = [_statement(number, node) for number, node in enumerate(network.nodes)]
    last = len(statements) - 1
    return "; ".join(text if number == last else f"x{number}={text}" for number, text in enumerate(statements))


def _statement(number: int, node: Node) -> str:
    layer = node.layer
    if isinstance(layer, Input):
        return f"input({','.join(map(str, layer.dims))})"
    arguments = [f"x{i}" for i in node.inputs]
    for f in fields(layer):  # type: ignore[arg-type]
        value = getattr(layer, f.name)
        if f.default is MISSING:
            arguments.append(_value(value))
        elif value != f.default:
            arguments.append(f"{f.name}={_value(value)}")
    if node.shares is not None:
        arguments.append(f"shares=x{node.shares}")
    return f"{layer.kind}({','.join(arguments)})"


def _value(value: Any) -> str:
    return f"[{','.join(map(_value, value))}]" if isinstance(value, tuple | list) else str(value)


def _read_statement(s: Scanner, budget: int) -> tuple[str | None, Call]:
    start = s.position
    word = s.word()
    if word is None:
        hint = "write [2,3,1] with brackets" if s.text[start : start + 1] in tuple("(0123456789") else _EXAMPLE
        s.fail(f"expected a network, found {s.here}", hint)
    if s.take("="):
        name, start = word, s.position
        word = s.word()
        if word is None:
            s.fail(f"expected a layer, found {s.here}", f"write one of {', '.join(LAYERS)}")
        return name, _read_call(s, word, start, budget)
    return None, _read_call(s, word, start, budget)


def _read_call(s: Scanner, word: str, start: int, budget: int) -> Call:
    call = Call(word, start)
    if not s.peek("("):
        s.fail(f"expected ( after {word!r}, found {s.here}", _EXAMPLE)
    s.take("(")
    while not s.take(")"):
        position = s.position
        value = _read_value(s, budget)
        if isinstance(value, Reference) and s.take("="):
            if value in call.named:
                s.fail(f"{value} twice", f"write {value} once", position)
            call.named[value], call.named_positions[value] = _read_value(s, budget), position
        elif call.named:
            s.fail("a value without a name after a named one", "write the named values last", position)
        else:
            call.values.append(value)
            call.positions.append(position)
        if len(call.values) + len(call.named) > budget:
            s.fail(f"more than {MOST_SYMBOLS} values", "write a smaller network", position)
        if not s.take(",") and not s.peek(")"):
            s.fail(f"expected , or ), found {s.here}", "write , between values and ) after the last one")
    return call


def _read_value(s: Scanner, budget: int, depth: int = 0) -> Any:
    """An integer, a fraction, True, False, a name, or a list of such, at most two deep."""
    position = s.position
    word = s.word()
    if word is not None:
        return {"True": True, "False": False}.get(word, Reference(word))
    if not s.peek("["):
        number = s.integer(
            "value", -LARGEST_COEFFICIENT, LARGEST_COEFFICIENT, "write an integer, a name or a list [1,2]"
        )
        if s.take("/"):
            return Fraction(number, s.integer("denominator", 1, LARGEST_COEFFICIENT, "write a fraction such as 1/2"))
        return number
    if depth == 2:
        s.fail("a list three deep", "write lists at most two deep, [[0,1],[1,0]]", position)
    s.take("[")
    items: list[Any] = []
    while not s.take("]"):
        items.append(_read_value(s, budget, depth + 1))
        if len(items) > budget:
            s.fail(f"more than {MOST_SYMBOLS} entries", "write a shorter list", position)
        if not s.take(",") and not s.peek("]"):
            s.fail(f"expected , or ], found {s.here}", "write , between entries and ] after the last one")
    return items


def _node(s: Scanner, call: Call, names: dict[str, int]) -> Node:
    kind = LAYERS[call.word]
    reads = 0
    while reads < len(call.values) and isinstance(call.values[reads], Reference):
        reads += 1
    inputs = tuple(_number(s, names, call.values[k], call.positions[k]) for k in range(reads))
    if kind.arity is not None and reads != kind.arity and kind is not Input:
        s.fail(
            f"{call.word} reads {kind.arity} node, got {reads}",
            f"write {call.word}(x, …) with x an earlier name",
            call.position,
        )
    shares = None
    if "shares" in call.named:
        shares = _number(s, names, call.named.pop("shares"), call.named_positions["shares"])
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
    known = fields(kind)  # type: ignore[arg-type]
    signature = f"{call.word}({', '.join(['x', *(f.name + '=…' for f in known)])})"
    unknown = [name for name in call.named if name not in {f.name for f in known}]
    if unknown:
        s.fail(f"{call.word} has no {unknown[0]!r}", f"write {signature}", call.named_positions[unknown[0]])
    if len(values) > len(known):
        s.fail(f"{call.word} takes {len(known)} value(s), got {len(values)}", f"write {signature}", call.position)
    arguments = {f.name: _frozen(value) for f, value in zip(known, values, strict=False)}
    twice = arguments.keys() & call.named.keys()
    if twice:
        s.fail(f"{min(twice)} twice", f"write {signature}", call.position)
    arguments |= {name: _frozen(value) for name, value in call.named.items()}
    if kind is Dense and "width" not in arguments and isinstance(arguments.get("pattern"), tuple):
        arguments["width"] = len(arguments["pattern"])
    missing = [f.name for f in known if f.default is MISSING and f.name not in arguments]
    if missing:
        s.fail(f"{call.word} lacks {missing[0]}", f"write {signature}", call.position)
    return kind(**arguments)


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
