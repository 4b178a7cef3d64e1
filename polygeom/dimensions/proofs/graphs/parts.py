"""Parts of a program as lists of statements: what computes a value, what reads it, what stands between two values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.programs import Layer, Program, from_lines
from polygeom.dimensions.proofs.rules import Step
from polygeom.dimensions.proofs.symmetries import columns_of, passes, rows_of
from polygeom.dimensions.proofs.texts import Statement, statements

Lines = list[Statement]
MOST_STATEMENTS = 400


def lines_of(program: Program) -> Lines:
    """The statements of a program."""
    return canonical(statements(program.text))


def canonical(lines: Lines) -> Lines:
    """The statements with every monomial activation as a power, in which form one network has one list."""
    return [_as_power(*line) for line in lines]


def _as_power(word: str, reads: tuple[int, ...], values: list[Any], named: dict[str, Any]) -> Statement:
    if word == "polynomial" and len(values) == 1 and values[0][-1] == 1 and not any(values[0][:-1]):
        return "power", reads, [len(values[0]) - 1], named
    return word, reads, values, named


def is_part(part: Step, lines: Lines) -> bool:
    """Whether a part of a proof is about the network of these statements: its text, or its widths and degrees."""
    if part.network:
        return canonical(statements(part.network)) == lines
    program = from_lines(lines)
    return (program.widths, program.degrees) == part.case


def needed(lines: Lines, v: int) -> set[int]:
    """The statements that statement ``v`` needs, itself among them."""
    found = {v}
    for number in range(v, 0, -1):
        if number in found:
            found.update(lines[number][1])
    return found


def owner(lines: Lines, number: int) -> int:
    """The statement whose weights a statement has."""
    shares = lines[number][3].get("shares")
    return number if shares is None else int(shares)


def is_cut(lines: Lines, v: int) -> bool:
    """Whether every path from the input to the output meets ``v``, and no weights are shared across it."""
    if not 0 < v < len(lines) - 1:
        return False
    before = needed(lines, v)
    for number, (_, reads, _, _) in enumerate(lines):
        if number not in before and any(i in before and i != v for i in reads):
            return False
        if (owner(lines, number) in before) != (number in before):
            return False
    return True


def taken(lines: Lines, members: Sequence[int], entry: int, dims: Iterable[int], first: Lines) -> Lines:
    """The statements ``members`` as a network whose input, of shape ``dims``, goes through ``first`` to its readers."""
    out: Lines = [("input", (), list(dims), {}), *first]
    place = {entry: len(out) - 1}
    for number in members:
        word, reads, values, named = lines[number]
        renamed: dict[str, Any] = {**named, **({"shares": place[named["shares"]]} if "shares" in named else {})}
        place[number] = len(out)
        out.append((word, tuple(place[i] for i in reads), values, renamed))
    return out


def shape_of(program: Program, v: int) -> tuple[int, ...]:
    """The shape of the value of a statement."""
    return program.shapes[program.layers[v].value]


def readers(program: Program, value: int) -> list[Layer]:
    """The layers that read a value."""
    return [layer for layer in program.layers if value in layer.reads]


def absorbs(program: Program, shift: bool) -> bool:
    """Whether matrices on the last axis of the input, and shifts, make no new functions: its readers take them up."""
    for layer in readers(program, 0):
        if columns_of(layer, program) is None:
            return False
        if shift and not (layer.word == "dense" and _biased(program, layer)):
            return False
    return True


def _biased(program: Program, layer: Layer) -> bool:
    after = readers(program, layer.value)
    return len(after) == 1 and after[0].word == "bias" and after[0].own


def mixes(program: Program) -> bool:
    """Whether every matrix on the last axis of the output turns functions of the program into such."""
    root = {layer.value: layer.value for layer in program.layers}
    for layer in program.layers:
        if passes(layer):
            joined = {root[v] for v in (*layer.reads, layer.value)}
            root = {v: min(joined) if r in joined else r for v, r in root.items()}
    last = program.layers[-1].value
    group = [layer for layer in program.layers if root[layer.value] == root[last]]
    inside = {layer.value for layer in group}
    outside = [x for x in program.layers if not passes(x) and not inside.isdisjoint(x.reads)]
    return None not in [rows_of(x, program) for x in group] and None not in [columns_of(x, program) for x in outside]


def closed_parts(lines: Lines, budget: Budget) -> Iterator[tuple[int, list[int]]]:
    """Every part with one value that it reads and one that is read, sharing no weights with the rest."""
    if len(lines) > MOST_STATEMENTS:
        budget.step("the parts of the network", float("inf"))
    readers_of: list[set[int]] = [set() for _ in lines]
    for number, (_, reads, _, _) in enumerate(lines):
        for i in reads:
            readers_of[i].add(number)
    needs = [needed(lines, v) for v in range(len(lines))]
    for v in range(1, len(lines)):
        for entry in needs[v] - {v}:
            budget.step("the parts of the network", 100.0 * len(lines))
            members = sorted(n for n in needs[v] if n != entry and entry in needs[n])
            inside = set(members)
            if all(i in inside or i == entry for n in members for i in lines[n][1]) and all(
                n == v or readers_of[n] <= inside for n in members
            ) and all((owner(lines, n) in inside) == (n in inside) for n in range(len(lines))):  # fmt: skip
                yield entry, members
