"""Calls in text, ``word(1, [2,3], name=4)``: what programs and families have in common."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from polygeom._dataclass import dataclass, field
from polygeom.network.grammar.scanner import Scanner
from polygeom.network.limits import LARGEST_COEFFICIENT

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DEEPEST = 4


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
    """A word as a value: the name of a node, or an option."""

    __slots__ = ()


def read_call(s: Scanner, word: str, start: int) -> Call:
    """The call whose ``word`` stood at ``start``; the scanner is behind the word."""
    call = Call(word, start)
    s.expect("(", f"write {word}(…), or [2,3,1] r=2 for a multilayer perceptron")
    while not s.take(")"):
        position = s.position
        value = _read_value(s)
        if isinstance(value, Reference) and s.take("="):
            if value in call.named:
                s.fail(f"{value} twice", f"write {value} once", position)
            call.named[value], call.named_positions[value] = _read_value(s), position
        elif call.named:
            s.fail("a value without a name after a named one", "write the named values last", position)
        else:
            call.values.append(value)
            call.positions.append(position)
        if not s.take(",") and not s.peek(")"):
            s.fail(f"expected , or ), found {s.here}", "write , between values and ) after the last one")
    return call


def bind(
    s: Scanner, call: Call, values: list[Any], names: Mapping[str, bool], order: Sequence[str], *first: str
) -> dict[str, Any]:
    """Arguments by name: the ``values`` in ``order``, and those that the call names.

    ``names`` are those that can be given, and whether they must be; ``first`` is what else stands in the signature.
    """
    signature = f"write {call.word}({', '.join([*first, *(f'{name}=…' for name in names)])})"
    unknown = [name for name in call.named if name not in names]
    if unknown:
        s.fail(f"{call.word} has no {unknown[0]!r}", signature, call.named_positions[unknown[0]])
    if len(values) > len(order):
        problem = f"{call.word} takes {len(order)} value(s) without a name, got {len(values)}"
        s.fail(problem, signature, call.position)
    arguments = dict(zip(order, values, strict=False))
    if twice := arguments.keys() & call.named.keys():
        s.fail(f"{min(twice)} twice", f"write {min(twice)} once; {signature}", call.position)
    arguments |= call.named
    missing = [name for name, needed in names.items() if needed and name not in arguments]
    if missing:
        s.fail(f"{call.word} lacks {missing[0]}", signature, call.position)
    return arguments


def _read_value(s: Scanner, depth: int = 0) -> Any:
    """An integer, a fraction, True, False, a name, a text in quotes, or a list of such, at most `_DEEPEST` deep."""
    position = s.position
    if s.peek('"'):
        return s.quoted()
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
    if depth == _DEEPEST:
        s.fail(f"lists more than {_DEEPEST} deep", "write lists such as [[0,1],[1,0]]", position)
    s.spend()
    s.take("[")
    items: list[Any] = []
    while not s.take("]"):
        items.append(_read_value(s, depth + 1))
        if not s.take(",") and not s.peek("]"):
            s.fail(f"expected , or ], found {s.here}", "write , between entries and ] after the last one")
    return items


def write_value(value: Any) -> str:
    """The text of a value: lists in square brackets without blanks."""
    if isinstance(value, str):
        return value if _WORD.fullmatch(value) and value not in ("True", "False") else f'"{value}"'
    return f"[{','.join(map(write_value, value))}]" if isinstance(value, tuple | list) else str(value)
