"""The fields of layers as plain values, read by their types: a new layer needs no line here.

A field is an ``int``, ``bool``, ``str`` (a word), `Fraction`, `Expression` (a formula), ``None`` beside one of
these, or a tuple of such. Texts and JSON give integers, words, fractions and lists; `make` makes the layer of them or
says what a field must be.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from dataclasses import fields
from fractions import Fraction
from typing import Any, Union, get_args, get_origin, get_type_hints

from polygeom.errors import PolygeomError
from polygeom.network.grammar.expressions import Expression
from polygeom.network.layers import Layer
from polygeom.network.limits import rational, shown

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
_NAMES = {
    int: ("an integer", "2"),
    bool: ("True or False", "True"),
    str: ("a word", "same"),
    Fraction: ("an integer or a fraction", "1/2"),
    Expression: ("a formula in quotes", '"s^2"'),
}


_FIELD_TYPES: dict[type[Layer], Mapping[str, Any]] = {}


class Mismatch(Exception):
    """A value does not have the type of its field."""


def field_types(kind: type[Layer]) -> Mapping[str, Any]:
    """The type of every field of a layer.

    Raises
    ------
    PolygeomError
        When a field has a type that texts and JSON cannot hold.
    """
    known = _FIELD_TYPES.get(kind)
    if known is not None:
        return known
    try:
        hints = get_type_hints(kind)
        found = {f.name: hints[f.name] for f in fields(kind)}  # type: ignore[arg-type]
        for hint in found.values():
            _named(hint)
    except (NameError, TypeError) as error:
        raise PolygeomError(
            f"layer {kind.__name__}: its fields must be int, bool, str, Fraction or tuples of these, in the names of "
            f"its module; {error}; write for example size: int or sizes: tuple[int, ...]"
        ) from None
    _FIELD_TYPES[kind] = found
    return found


def make(kind: type[Layer], arguments: Mapping[str, Any], example: str) -> Layer:
    """The layer with these fields, lists as tuples; ``example`` is how a field is written, ``{name}={value}``.

    Raises
    ------
    PolygeomError
        When a value does not have the type of its field, in the words of the layer where it has some.
    """
    hints = field_types(kind)
    fields_: dict[str, Any] = {}
    for name, value in arguments.items():
        try:
            fields_[name] = _typed(value, hints[name])
        except Mismatch:
            _let_the_layer_complain(kind, arguments)
            wanted, sample = _named(hints[name])
            raise PolygeomError(
                f"{kind.kind}: {name} must be {wanted}, got {shown(value)}; "
                f"write {example.format(name=name, value=sample)}"
            ) from None
    return kind(**fields_)


def _let_the_layer_complain(kind: type[Layer], arguments: Mapping[str, Any]) -> None:
    try:
        kind(**{name: _frozen(value) for name, value in arguments.items()})
    except PolygeomError:
        raise
    except (TypeError, ValueError):
        return


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _typed(value: Any, hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        if value is None or value == "None":
            if type(None) in get_args(hint):
                return None
            raise Mismatch
        (inner,) = (one for one in get_args(hint) if one is not type(None))
        return _typed(value, inner)
    if get_origin(hint) is tuple:
        inside = get_args(hint)
        if not isinstance(value, list | tuple):
            raise Mismatch
        if inside[-1] is Ellipsis:
            return tuple(_typed(v, inside[0]) for v in value)
        if len(inside) != len(value):
            raise Mismatch
        return tuple(map(_typed, value, inside))
    if hint is Fraction and type(value) in (int, Fraction, str):
        return rational(value)
    if hint is str and isinstance(value, str) and _WORD.fullmatch(value):
        return str(value)
    if hint is Expression and isinstance(value, str):
        return Expression(value)
    if type(value) is not hint:
        raise Mismatch
    return value


def _named(hint: Any) -> tuple[str, str]:
    """The type in words, and an example."""
    if hint in _NAMES:
        return _NAMES[hint]
    inside = get_args(hint)
    if get_origin(hint) is tuple and inside:
        parts = [_named(one) for one in inside if one is not Ellipsis]
        if inside[-1] is Ellipsis:
            return f"a list, each entry {parts[0][0]}", f"[{parts[0][1]},{parts[0][1]}]"
        return f"a list of {len(parts)}: {', '.join(p[0] for p in parts)}", f"[{','.join(p[1] for p in parts)}]"
    if get_origin(hint) in (Union, types.UnionType) and len(inside) == 2 and type(None) in inside:
        words, sample = _named(inside[0] if inside[1] is type(None) else inside[1])
        return f"{words}, or None", sample
    raise TypeError(f"got {hint}")


def plain(value: Any) -> Any:
    """A field as JSON has it: tuples as lists, fractions as strings."""
    if isinstance(value, tuple):
        return [plain(v) for v in value]
    if isinstance(value, Fraction):
        return int(value) if value.denominator == 1 else str(value)
    return value
