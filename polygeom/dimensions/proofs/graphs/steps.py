"""The rules about networks by their parts, each stated again: what it bounds by what, and under which hypothesis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polygeom.dimensions.proofs.graphs.cuts import Cut, independent
from polygeom.dimensions.proofs.graphs.expansion import dimension_by_equations, fields_rank, linear_span
from polygeom.dimensions.proofs.graphs.formulas import FORMULA_RULES
from polygeom.dimensions.proofs.graphs.parts import (
    Lines,
    closed_parts,
    is_part,
    lines_of,
    mixes,
    readers,
    shape_of,
    taken,
)
from polygeom.dimensions.proofs.graphs.products import PRODUCT_RULES
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.monomials import coefficients_that_vary, occurring
from polygeom.dimensions.proofs.programs import Program, from_lines
from polygeom.dimensions.proofs.rules import Step, monomials
from polygeom.dimensions.proofs.symmetries import torus

Check = Callable[[Program, Step, Budget], bool]


def _constant(step: Step) -> int:
    return step.value - sum(part.value for part in step.parts)


def _graph_cut(program: Program, step: Step, budget: Budget) -> bool:
    cut = Cut(program, step.layer)
    if not cut.holds or len(step.parts) != 2 or not is_part(step.parts[0], cut.below):
        return False
    lower, upper, m, constant = from_lines(cut.below), step.parts[1], cut.shape[-1], _constant(step)
    if is_part(upper, cut.above([])):
        plain = from_lines(cut.above([]))
        if constant >= torus(lower, budget) + torus(plain, budget) - torus(program, budget):
            return True
    if not mixes(lower):
        return False
    if constant >= -m * m and is_part(upper, cut.outer(False)) and independent(lower, False, budget):
        return True
    shifts = lower.layers[-1].word == "bias"  # an own one, since matrices are taken up
    return shifts and constant >= -m * (m + 1) and is_part(upper, cut.outer(True)) and independent(lower, True, budget)


def _space(cut: Cut, budget: Budget) -> tuple[int, bool]:
    """How many monomials the features at a cut have together, and whether 1 is among them."""
    lower = from_lines(cut.below)
    found = {monomial for entry in occurring(lower, budget) for monomial in entry}
    return len(found), (0,) * lower.inputs in found


def _graph_span(program: Program, step: Step, budget: Budget) -> bool:
    cut = Cut(program, step.layer)
    if not cut.holds or len(step.parts) != 1 or len(cut.shape) != 1:
        return False
    (space, constant), m = _space(cut, budget), cut.shape[0]
    return any(
        m < space - shift
        and _constant(step) >= m * (space - shift - m)
        and is_part(step.parts[0], cut.outer(bool(shift)))
        for shift in range(1 + constant)
    )


def _graph_lift(program: Program, step: Step, budget: Budget) -> bool:
    cut = Cut(program, step.layer)
    if not cut.holds or len(step.parts) != 1 or len(cut.shape) != 1 or _constant(step) < 0:
        return False
    space, constant = _space(cut, budget)
    return any(
        space > shift and is_part(step.parts[0], cut.outer(bool(shift), (space - shift,)))
        for shift in range(1 + constant)
    )


def _cells(program: Program, step: Step, budget: Budget) -> bool:
    lines, used = lines_of(program), set[int]()
    outside = program.weights
    regions = list(closed_parts(lines, budget))
    for part in step.parts:
        for entry, members in regions:
            if used.isdisjoint(members) and len(members) < len(lines) - 1:
                mine = taken(lines, members, entry, shape_of(program, entry), [])
                if is_part(part, mine):
                    used |= set(members)
                    outside -= from_lines(mine).weights
                    break
        else:
            return False
    return not step.layer and _constant(step) >= outside


def _tokens(program: Program, step: Step, _: Budget) -> bool:
    lines, words = lines_of(program), {"dense", "bias", "scale", "power", "polynomial", "sum", "product"}
    if step.layer or len(step.parts) != 1 or _constant(step) < 0 or not {word for word, *_ in lines[1:]} <= words:
        return False
    return is_part(step.parts[0], [("input", (), [program.shapes[0][-1]], {}), *lines[1:]])


def _resized(lines: Lines, number: int, width: int) -> Lines:
    word, reads, _, named = lines[number]  # a dense layer, whose only value is its width
    return [*lines[:number], (word, reads, [width], named), *lines[number + 1 :]]


def _graph_outputs(program: Program, step: Step, _: Budget) -> bool:
    lines, number = lines_of(program), len(program.layers) - 1
    biased = program.layers[-1].word == "bias"
    if step.layer or len(step.parts) != 1 or len(program.shapes[-1]) != 1 or not program.layers[-1].own:
        return False
    number = lines[number][1][0] if biased else number
    layer = program.layers[number]
    if layer.word != "dense" or not layer.own or len(readers(program, layer.value)) != biased:
        return False
    w, o = program.shapes[layer.reads[0]][0], program.outputs
    return w < o and _constant(step) >= (o - w) * (w + biased) and is_part(step.parts[0], _resized(lines, number, w))


def _graph_surplus(program: Program, step: Step, _: Budget) -> bool:
    lines, v = lines_of(program), step.layer
    if v >= len(lines) - 1 or len(step.parts) != 1 or _constant(step) < 0:
        return False
    at = {layer.value: number for number, layer in enumerate(program.layers)}
    layer, source = program.layers[v], program.layers[at[program.layers[v].reads[0]]]
    biased = source.word == "bias"
    number = at[source.reads[0]] if biased else at[source.value]
    matrix = program.layers[number]
    chain = [matrix, source] if biased else [matrix]
    alone = all(x.own for x in chain) and readers(program, source.value) == [layer]
    if matrix.word != "dense" or not alone or (biased and readers(program, matrix.value) != [source]):
        return False
    if layer.word not in ("power", "polynomial") or len(shape_of(program, v)) != 1:
        return False
    if any(x.word != "dense" or not x.own for x in readers(program, layer.value)):
        return False
    space = _features(lines[v], program.shapes[matrix.reads[0]][0], biased)
    return is_part(step.parts[0], _resized(lines, number, space))  # a wider layer makes more functions


def _features(statement: Any, n: int, biased: bool) -> int:
    """The dimension of the space of activations of all linear forms in n values, with constants if asked."""
    word, _, values, _ = statement
    exponents = [values[0]] if word == "power" else [k for k, c in enumerate(values[0]) if c]
    return monomials(n + 1, exponents[-1]) if biased else sum(monomials(n, k) for k in exponents)


def _shifted_square(program: Program, step: Step, budget: Budget) -> bool:
    lines = lines_of(program)
    if step.layer or len(step.parts) != 1 or _constant(step) < 0 or len(program.shapes[-1]) != 1:
        return False
    (word, _, width, _), (other, source, values, _) = lines[-1], lines[-2]
    v = len(lines) - 2
    if word != "dense" or not program.layers[-1].own or other != "polynomial":
        return False
    coefficients = values[0]
    if len(coefficients) != 3 or not coefficients[1]:
        return False
    below = lines[: source[0] + 1]
    if source[0] and any((0,) * program.inputs in entry for entry in occurring(from_lines(below), budget)):
        return False
    made: Lines = [*lines[:-2], ("bias", source, [], {}), ("power", (v,), [2], {})]
    return is_part(step.parts[0], [*made, (word, (v + 1,), width, {})])


def _monomials(program: Program, step: Step, budget: Budget) -> bool:
    return not (step.layer or step.parts) and step.value >= coefficients_that_vary(program, budget)


def _linear_span(program: Program, step: Step, budget: Budget) -> bool:
    return not (step.layer or step.parts) and step.value >= linear_span(program, budget)


def _vector_fields(program: Program, step: Step, budget: Budget) -> bool:
    if step.layer or step.parts or not step.fields:
        return False
    found = fields_rank(program, step.fields, budget)
    return found >= 0 and step.value >= program.weights - found


def _equations(program: Program, step: Step, budget: Budget) -> bool:
    if step.layer or step.parts or not step.equations:
        return False
    found = dimension_by_equations(program, step.equations, budget)
    return 0 <= found <= step.value


def _completed_square(program: Program, step: Step, _: Budget) -> bool:
    """Squares between biases, by an invertible change of the weights: scalings count, and the network homogenises."""
    lines = lines_of(program)
    words = [word for word, *_ in lines[1:]]
    if step.layer or not all(layer.own for layer in program.layers) or len(program.shapes[0]) != 1:
        return False
    widths, degrees = [program.inputs + 1], list[int]()
    position, affine = 0, True
    while position < len(words):
        if words[position : position + 2] != ["dense", "bias"]:
            return False
        if not affine:
            degrees.append(1)
        widths.append(shape_of(program, position + 1)[0] + 1)
        position, affine = position + 2, False
        if position < len(words) and words[position] in ("power", "polynomial"):
            degree = _degree(lines[position + 1])
            if not degree:
                return False
            degrees.append(degree)
            position, affine = position + 1, True
    if affine or "polynomial" not in words:
        return False
    hidden = sum(width - 1 for width in widths[1:-1])
    if not step.parts:
        return step.value >= program.weights - hidden
    case = ((*widths[:-1], widths[-1] - 1), tuple(degrees))
    return len(step.parts) == 1 and step.parts[0].case == case and step.value >= step.parts[0].value


def _degree(statement: Any) -> int:
    word, _, values, _ = statement
    if word == "power":
        return int(values[0])
    return 2 if len(values[0]) == 3 else 0


GRAPH_RULES: dict[str, Check] = {
    "graph cut": _graph_cut,
    "graph span": _graph_span,
    "graph lift": _graph_lift,
    "cells": _cells,
    "one token at a time": _tokens,
    "graph outputs": _graph_outputs,
    "graph surplus": _graph_surplus,
    "shifted square": _shifted_square,
    "monomials": _monomials,
    "linear span": _linear_span,
    "vector fields": _vector_fields,
    "equations": _equations,
    "completed square": _completed_square,
    **PRODUCT_RULES,
    **FORMULA_RULES,
}
"""The check of each rule."""
