"""Formulas for networks of one kind, stated again."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from polygeom.dimensions.proofs.graphs.parts import lines_of
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.programs import Program
from polygeom.dimensions.proofs.rules import Step


def _quadratic_function(program: Program, step: Step, _: Budget) -> bool:
    """Σ w a b, or Σ w σ(a + b) + c, σ quadratic: a form of rank at most 2h or h, and a linear form in its span."""
    lines, n = lines_of(program), program.shapes[0][-1]
    if step.layer or step.parts or program.shapes[-1][-1] != 1:
        return False
    biased = lines[-1][0] == "bias"
    rest = lines[1:-1] if biased else lines[1:]
    words, reads = [word for word, *_ in rest], [list(reads) for _, reads, *_ in rest]
    h = program.shapes[program.layers[1].value][-1]
    if words == ["dense", "dense", "product", "dense"] and reads == [[0], [0], [1, 2], [3]]:
        rank = min(2 * h, n)
        return step.value == rank * n - rank * (rank - 1) // 2 + biased
    shifted = words[1:2] == ["bias"]
    activation = words[1 + shifted : -1]
    if h > n or words[:1] + words[-1:] != ["dense", "dense"] or len(activation) != 1:
        return False
    word, values = activation[0], rest[1 + shifted][2]
    if word == "power" and values[0] == 2:
        square = True
    elif word == "polynomial" and len(values[0]) == 3:
        c0, c1, c2 = map(Fraction, values[0])
        square = c1 * c1 == 4 * c0 * c2
    else:
        return False
    free = biased or (shifted and not square)
    return step.value == h * n - h * (h - 1) // 2 + h + free


def _full_heads(program: Program, step: Step, _: Budget) -> bool:
    """d quadrics that vanish on a common subspace of codimension H in d-space."""
    lines = lines_of(program)
    heads, (word, reads) = lines[1:-1], lines[-1][:2]
    if step.layer or step.parts or word != "sum" or program.shapes[-1][-1] != 1:
        return False
    if any(word != "attention" or tuple(reads) != (0,) for word, reads, *_ in heads) or 0 in reads:
        return False
    d, h = program.shapes[0][-1], len(heads)
    vanishing = (d - h) * (d - h + 1) // 2
    return h <= d and step.value == h * (d - h) + d * (d * (d + 1) // 2 - vanishing)


FORMULA_RULES: dict[str, Callable[[Program, Step, Budget], bool]] = {
    "quadratic function": _quadratic_function,
    "heads of full rank": _full_heads,
}
"""The check of each rule."""
