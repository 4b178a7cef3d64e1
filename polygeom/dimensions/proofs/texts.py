"""The text of a network as a list of statements, in the only two forms that certificates have.

Perceptrons, ``[3,2,1] r=2``, and programs, ``x0=input(2); x1=dense(x0,3); x2=power(x1,2); dense(x2,1)``, exactly as
polygeom writes them. Everything else raises `ValueError` or one of its kind.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

_MLP = re.compile(r"\[([0-9,]+)\](?: r=([0-9,]+))?(?: p=([0-9,;/-]+))?( bias)?( tied)?")
_STATEMENT = re.compile(r"(?:(x[0-9]+)=)?([A-Za-z_]\w*)\((.*)\)", re.ASCII)
_ARGUMENT = re.compile(r"(?:([a-z_]+)=)?(x[0-9]+|-?[0-9]+(?:/[0-9]+)?|\[[0-9,/\[\]-]*\])(?:,|\Z)")
_NUMBER = re.compile(r"(0|-?[1-9][0-9]{0,19})(?:/([1-9][0-9]{0,19}))?")

_IDENTITIES: list[tuple[str, list[Any]]] = [("power", [1]), ("polynomial", [[0, 1]])]
"""Activations that are no statement."""

Statement = tuple[str, tuple[int, ...], list[Any], dict[str, Any]]
"""Word, the statements it reads, its further arguments, those with names."""


def _numbers(text: str) -> list[int]:
    values = [int(part) for part in text.split(",")]
    if ",".join(map(str, values)) != text or min(values) < 1 or max(values) > 10**6:
        raise ValueError(text)
    return values


def _rationals(text: str) -> list[Fraction]:
    values = []
    for part in text.split(","):
        match = _NUMBER.fullmatch(part)
        if match is None:
            raise ValueError(part)
        values.append(Fraction(int(match[1]), int(match[2] or 1)))
        if str(values[-1]) != part:
            raise ValueError(part)
    if len(values) < 2 or values[-1] == 0 or len(values) > 1001:
        raise ValueError(text)
    return values


def statements(text: str) -> list[Statement]:
    """The statements of a perceptron or a program.

    >>> statements("[2,3,1] r=2")[1:3]
    [('dense', (0,), [3], {}), ('power', (1,), [2], {})]
    """
    return _perceptron(text) if text.startswith("[") else _program(text)


def _perceptron(text: str) -> list[Statement]:
    match = _MLP.fullmatch(text)
    if match is None or (match[2] and match[3]):
        raise ValueError(text)
    widths = _numbers(match[1])
    hidden = len(widths) - 2
    activations: list[tuple[str, list[Any]]] = []
    if match[2]:
        activations = [("power", [r]) for r in _numbers(match[2])]
    elif match[3]:
        activations = [("polynomial", [part]) for part in map(_rationals, match[3].split(";"))]
    if len(activations) == 1 and hidden > 0:
        activations *= hidden
    if len(activations) != hidden:
        raise ValueError(text)
    lines: list[Statement] = [("input", (), [widths[0]], {})]
    owners: dict[tuple[int, int], int] = {}
    for k in range(1, len(widths)):
        here, shape = len(lines), (widths[k - 1], widths[k])
        owner = owners.setdefault(shape, here) if match[5] and 1 < k < len(widths) - 1 else here
        tie = {} if owner == here else {"shares": owner}
        lines.append(("dense", (here - 1,), [widths[k]], tie))
        if match[4]:
            lines.append(("bias", (here,), [], {} if owner == here else {"shares": owner + 1}))
        if k <= hidden and activations[k - 1] not in _IDENTITIES:
            lines.append((activations[k - 1][0], (len(lines) - 1,), activations[k - 1][1], {}))
    return lines


def _program(text: str) -> list[Statement]:
    parts = text.split("; ")
    lines: list[Statement] = []
    for number, part in enumerate(parts):
        match = _STATEMENT.fullmatch(part)
        if match is None or match[1] != (None if number == len(parts) - 1 else f"x{number}"):
            raise ValueError(part)
        lines.append(_arguments(match[2], match[3], number))
    return lines


def _arguments(word: str, text: str, number: int) -> Statement:
    reads: list[int] = []
    values: list[Any] = []
    named: dict[str, Any] = {}
    at = 0
    while at < len(text):
        match = _ARGUMENT.match(text, at)
        if match is None or (match.end() == len(text) and text.endswith(",")):
            raise ValueError(text)
        at = match.end()
        value, written = _value(match[2])
        reference = written[0] == "x"
        if written != match[2] or (reference and value >= number):
            raise ValueError(text)
        if match[1] is not None:
            if match[1] in named or (match[1] == "shares") != reference:
                raise ValueError(text)
            named[match[1]] = value
        elif named or (reference and values):
            raise ValueError(text)
        else:
            (reads if reference else values).append(value)
    return word, tuple(reads), values, named


def _value(text: str) -> tuple[Any, str]:
    """An argument, and how it is written."""
    if text[0] == "x":
        number = int(text[1:])
        return number, f"x{number}"
    if text[:2] == "[[":
        rows = [[int(entry) for entry in row.split(",")] for row in text[2:-2].split("],[")]
        return rows, str(rows).replace(" ", "")
    if text[0] == "[":
        return _rationals(text[1:-1]), text
    return int(text), str(int(text))
