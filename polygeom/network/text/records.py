"""Nodes ⇄ JSON: a list of nodes with a format version, read strictly.

``{"format": "polygeom-network", "version": 1, "nodes": [{"layer": "input", "dims": [2]}, {"layer": "dense", "width": 3,
"inputs": [0]}, …]}``: a node carries its layer's word and fields, the numbers of the nodes it reads and, when tied,
``"shares"``. Fractions are strings, ``"1/2"``; fields are read by their types (`polygeom.network.text.values`).
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, NoReturn

from polygeom.errors import FormatError, PolygeomError
from polygeom.network.grammar.scanner import ascii_text
from polygeom.network.layers import LAYERS
from polygeom.network.limits import MOST_SYMBOLS, shown
from polygeom.network.nodes import Node, Nodes
from polygeom.network.text.values import make, plain

FORMAT = "polygeom-network"
VERSION = 1
_MOST_DIGITS = 20


def dump(nodes: Nodes) -> str:
    """``nodes`` as one line of JSON."""
    import json

    records = [_record(node) for node in nodes]
    return json.dumps({"format": FORMAT, "version": VERSION, "nodes": records}, separators=(", ", ": "))


def _record(node: Node) -> dict[str, Any]:
    record: dict[str, Any] = {"layer": node.layer.kind}
    for f in fields(node.layer):  # type: ignore[arg-type]
        value = getattr(node.layer, f.name)
        if f.default is MISSING or value != f.default:
            record[f.name] = plain(value)
    if node.inputs:
        record["inputs"] = list(node.inputs)
    if node.shares is not None:
        record["shares"] = node.shares
    return record


def read(text: str) -> Nodes:
    """The nodes that the JSON ``text`` describes.

    Raises
    ------
    FormatError
        When ``text`` is not such JSON: unknown, missing or repeated keys, numbers that are not integers, wrong
        versions.
    """
    text = ascii_text(text, "network", '{"format": "polygeom-network", …}')
    record = _decode(text)
    if not isinstance(record, dict) or record.keys() != {"format", "version", "nodes"}:
        hint = 'write {"format": "polygeom-network", …}'
        _fail(text, "expected an object with the keys format, version and nodes", hint)
    if record["format"] != FORMAT:
        _fail(text, f"unknown format {shown(record['format'])}", f'write "format": "{FORMAT}"')
    if record["version"] != VERSION or type(record["version"]) is not int:
        hint = f'write "version": {VERSION}, or install a polygeom that knows the version of this text'
        _fail(text, f"unknown version {shown(record['version'])}", hint)
    nodes = record["nodes"]
    if not isinstance(nodes, list) or not 1 <= len(nodes) <= MOST_SYMBOLS:
        _fail(
            text, f"nodes must be a list of 1 to {MOST_SYMBOLS} objects", 'write [{"layer": "input", "dims": [2]}, …]'
        )
    try:
        return tuple(_node(text, number, node) for number, node in enumerate(nodes))
    except FormatError:
        raise
    except PolygeomError as error:
        problem, _, hint = str(error).partition("; ")
        raise FormatError(
            problem, text, 0, hint or "write the nodes in an order in which each reads earlier ones"
        ) from None


def _fail(text: str, problem: str, hint: str, position: int = 0) -> NoReturn:
    raise FormatError(problem, text, position, hint)


def _decode(text: str) -> Any:
    """The JSON value of ``text``; integers and strings are its only scalars, and no key comes twice."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(items)
        if len(result) < len(items):
            seen: set[str] = set()
            key = next(k for k, _ in items if k in seen or seen.add(k))  # type: ignore[func-returns-value]
            _fail(text, f"the key {shown(key)} comes twice", "write each key once", max(0, text.find(f'"{key}"')))
        return result

    def integer(digits: str) -> int:
        if len(digits) > _MOST_DIGITS:
            _fail(text, f"a number of {len(digits)} digits", "write a smaller number", text.find(digits))
        return int(digits)

    def refuse(word: str) -> NoReturn:
        hint = 'write digits only, or a fraction as "1/2"'
        _fail(text, f"the number {shown(word)} is not an integer", hint, text.find(word))

    import json

    try:
        return json.loads(text, object_pairs_hook=pairs, parse_int=integer, parse_float=refuse, parse_constant=refuse)
    except json.JSONDecodeError as error:
        hint = "write JSON as Network.to_json gives it, or widths in square brackets, [2,3,1] r=2"
        _fail(text, f"not JSON: {error.msg}", hint, error.pos)
    except RecursionError:
        _fail(text, "lists or objects nested too deep", "write JSON as Network.to_json gives it")


def _node(text: str, number: int, record: Any) -> Node:
    where = f"node {number}"
    if not isinstance(record, dict) or not isinstance(record.get("layer"), str) or record["layer"] not in LAYERS:
        _fail(text, f"{where} names no layer", f'write "layer": one of {", ".join(sorted(LAYERS))}')
    kind = LAYERS[record["layer"]]
    known = {f.name: f.default is MISSING for f in fields(kind)}  # type: ignore[arg-type]
    arguments = {name: value for name, value in record.items() if name not in ("layer", "inputs", "shares")}
    unknown = arguments.keys() - known.keys()
    missing = {name for name, needed in known.items() if needed} - arguments.keys()
    if unknown or missing:
        problem = f"has no {min(unknown)!r}" if unknown else f"lacks {min(missing)!r}"
        _fail(text, f"{where} ({kind.kind}) {problem}", f"write the keys {', '.join(['layer', 'inputs', *known])}")
    inputs = record.get("inputs", [])
    if not isinstance(inputs, list) or any(type(i) is not int for i in inputs):
        _fail(text, f"{where}: inputs must be a list of node numbers", 'write "inputs": [0]')
    shares = record.get("shares")
    if "shares" in record and type(shares) is not int:
        _fail(text, f"{where}: shares must be a node number", 'write "shares": 1, or leave it out')
    return Node(make(kind, arguments, '"{name}": {value}'), tuple(inputs), shares)
