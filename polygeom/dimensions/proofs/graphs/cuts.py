"""A program cut at a value that every path meets: what computes it, what reads it, and what it absorbs."""

from __future__ import annotations

import numpy as np

from polygeom.dimensions.proofs.graphs.parts import Lines, absorbs, is_cut, lines_of, needed, shape_of, taken
from polygeom.dimensions.proofs.jacobians import forward, rank
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.programs import Program, from_lines
from polygeom.dimensions.proofs.symmetries import PRIME


class Cut:
    """A program cut at a statement; ``holds`` says whether it is a cut at all."""

    def __init__(self, program: Program, v: int) -> None:
        self.program, self.lines, self.v = program, lines_of(program), v
        self.holds = is_cut(self.lines, self.v)
        self.before = needed(self.lines, self.v) if self.holds else set()

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the value at the cut."""
        return shape_of(self.program, self.v)

    @property
    def below(self) -> Lines:
        """What computes the value."""
        return taken(self.lines, sorted(self.before - {0}), 0, self.program.shapes[0], [])

    def above(self, first: Lines, dims: tuple[int, ...] = ()) -> Lines:
        """What reads the value, through the statements ``first``; or ``dims`` inputs in its place."""
        members = [n for n in range(len(self.lines)) if n not in self.before]
        return taken(self.lines, members, self.v, dims or self.shape, first)

    def outer(self, shift: bool, dims: tuple[int, ...] = ()) -> Lines:
        """What reads the value, through a matrix, and a bias, unless it absorbs them."""
        if absorbs(from_lines(self.above([])), shift):
            return self.above([], dims)
        bias: Lines = [("bias", (1,), [], {})] if shift else []
        return self.above([("dense", (0,), [self.shape[-1]], {}), *bias], dims)


def independent(program: Program, constant: bool, budget: Budget) -> bool:
    """Whether the features of the output, and 1 if asked, are independent: at chosen weights, modulo a prime."""
    m, draw = program.shapes[-1][-1], np.random.default_rng(program.weights)
    budget.step("values at a cut", 1e3 * (m + 5) * (program.entries + program.weights))
    weights = draw.integers(1, PRIME, size=program.weights)
    points = draw.integers(1, PRIME, size=(m + 5, *program.shapes[0]))
    values = forward(program, PRIME, weights, points)[-1].reshape(-1, m)
    if constant:
        values = np.concatenate([values, np.ones((len(values), 1), dtype=np.int64)], axis=1)
    budget.rank("values at a cut", *values.shape)
    return rank(values, PRIME) == m + constant
