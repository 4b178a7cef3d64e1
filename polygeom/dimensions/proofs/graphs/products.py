"""The rules about two cuts, stated again: polynomials in the values at the first lie in a smaller space."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from polygeom.dimensions.proofs.graphs.cuts import Cut, independent
from polygeom.dimensions.proofs.graphs.parts import is_cut, is_part, mixes, needed, shape_of, taken
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.monomials import occurring
from polygeom.dimensions.proofs.programs import Program, from_lines
from polygeom.dimensions.proofs.rules import Step, choices, conditions, monomials
from polygeom.dimensions.proofs.symmetries import torus

Counts = dict[int, int]
"""How many monomials of each degree some values have."""
MOST_DEGREE = 1000


def _between(cut: Cut, first: int, second: int, budget: Budget) -> Counts:
    """The monomials in the values of one statement that the values of another have, counted by degree."""
    members = sorted(needed(cut.lines, second) - needed(cut.lines, first))
    part = from_lines(taken(cut.lines, members, first, shape_of(cut.program, first), []))
    every = {monomial for entry in occurring(part, budget) for monomial in entry}
    return dict(Counter(map(sum, every)))


def _later(cut: Cut, budget: Budget) -> Iterator[tuple[Cut, Counts]]:
    """The cuts at vectors behind a cut at one, with the monomials of their values in those at the cut."""
    if len(cut.shape) != 1:
        return
    for v in range(cut.v + 1, len(cut.lines)):
        second = Cut(cut.program, v)
        if second.holds and len(second.shape) == 1:
            yield second, _between(cut, cut.v, v, budget)


def _reads(second: Cut, counts: Counts, space: int, part: Step) -> bool:
    """Whether a part is what stands behind the second cut, read from ``space`` inputs, one less where 1 is in it."""
    return any(
        space > shift and is_part(part, second.outer(bool(shift), (space - shift,)))
        for shift in range(1 + (0 in counts))
    )


def _hypersurface(program: Program, step: Step, budget: Budget) -> bool:
    first = Cut(program, step.layer)
    if not first.holds or len(step.parts) != 2 or not is_part(step.parts[0], first.below):
        return False
    lower, constant = from_lines(first.below), step.value - sum(part.value for part in step.parts)
    upper = from_lines(first.above([]))
    scalings = torus(program, budget) - torus(lower, budget) - torus(upper, budget)
    m = first.shape[-1]
    for second, counts in _later(first, budget):
        full = {k: monomials(m, k) for k in counts}
        if constant >= -scalings and _reads(second, counts, _left(first, counts, budget), step.parts[1]):
            return True
        if not mixes(lower) or not _reads(second, counts, _left(first, full, budget), step.parts[1]):
            continue
        if constant >= -m * m and independent(lower, False, budget):
            return True
        affine = lower.layers[-1].word == "bias" and len(counts) == max(counts) + 1
        if affine and constant >= -m * (m + 1) and independent(lower, True, budget):
            return True
    return False


def _left(cut: Cut, counts: Counts, budget: Budget) -> int:
    """The dimension that an equation between the values at a cut leaves for polynomials with these monomials."""
    m, t, best = cut.shape[0], max(counts), sum(counts.values())
    for i in range(cut.v):
        earlier = shape_of(cut.program, i) == (m - 1,)
        if not earlier or (i and not is_cut(cut.lines, i)) or t > MOST_DEGREE or m > MOST_DEGREE:
            continue
        values = _between(cut, i, cut.v, budget)
        e = max(values, default=0)
        if e and set(values) == {e}:
            degree = e ** (m - 2)
            best = min(best, sum(min(c, monomials(m, k) - _multiples(m, k - degree)) for k, c in counts.items()))
        elif e:
            degree, missing = e ** (m - 1), 0 not in counts and 0 not in values
            if degree <= t:
                best = min(best, monomials(m + 1, t) - _multiples(m + 1, t - degree) - missing)
    return best


def _multiples(variables: int, degree: int) -> int:
    return monomials(variables, degree) if degree >= 0 else 0


def _forms(cut: Cut) -> tuple[int, int, int] | None:
    """Variables, number and exponent of the powers of linear forms that stand at a cut; a bias is one more variable."""
    words = [word for word, *_ in cut.below[1:]]
    if words not in (["dense", "power"], ["dense", "bias", "power"]) or len(cut.program.shapes[0]) != 1:
        return None
    return cut.program.inputs + len(words) - 2, cut.below[1][2][0], cut.below[-1][2][0]


def _identifications(program: Program, step: Step, budget: Budget) -> bool:
    first = Cut(program, step.layer)
    forms = _forms(first) if first.holds else None
    if forms is None or len(step.parts) != 1:
        return False
    n, m, r = forms
    if not n + 2 <= m < 2 * n or r < 2 or r ** min(m - 1, 60) > 10**5 or step.value - step.parts[0].value < m * (n - 1):
        return False
    for second, counts in _later(first, budget):
        space = 0
        for k, count in counts.items():
            every = monomials(n, r * k)
            if every > 10**5:
                budget.step("the rule identifications", float("inf"))
            at_most = min(count, every)
            pairs = sum(max(Counter(w).values()) < n for w in choices(r, m))
            asked = min(every, pairs * monomials(2 * n - m, r * k)) if k > 1 else 0
            if asked:
                at_most = min(at_most, every - conditions(n, m, r, k, asked, budget))
            space += at_most
        if _reads(second, counts, space, step.parts[0]):
            return True
    return False


def _pencil(program: Program, step: Step, budget: Budget) -> bool:
    first = Cut(program, step.layer)
    if not first.holds or len(step.parts) != 1 or _forms(first) != (4, 8, 2) or step.value - step.parts[0].value < 15:
        return False
    for second, counts in _later(first, budget):
        space = sum(34 if k == 2 else monomials(4, 2 * k) for k in counts)
        if 2 in counts and _reads(second, counts, space, step.parts[0]):
            return True
    return False


PRODUCT_RULES: dict[str, Callable[[Program, Step, Budget], bool]] = {
    "graph hypersurface": _hypersurface,
    "graph identifications": _identifications,
    "graph pencil": _pencil,
}
"""The check of each rule."""
