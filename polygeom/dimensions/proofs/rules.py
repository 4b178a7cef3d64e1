"""Upper bounds for perceptrons, step by step: each rule is an inequality, stated here again and checked by arithmetic.

``V(d_0..d_L; r_1..r_{L-1})`` is the neurovariety, ``M(n, e) = C(n+e-1, e)``. A step claims ``dim V ≤ constant + Σ dim
of its parts``; its value is the constant plus the values of its parts. Why each rule is true is said in
`polygeom.dimensions.bounds.rules`; the searches for bounds are not used.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Annotated

import numpy as np
from msgspec import Meta

from polygeom.dimensions.proofs.decoding import LARGEST, MOST_TEXT, Natural, Positive, Record
from polygeom.dimensions.proofs.jacobians import is_odd_prime, rank
from polygeom.dimensions.proofs.limits import Budget

Widths = tuple[int, ...]
Case = tuple[Widths, Widths]
"""Widths and activation degrees."""

MOST_LAYERS = 20_000
MOST_STEPS = 10_000
"""Largest number of steps of one proof."""

MOST_PARTS = 64
Name = Annotated[str, Meta(pattern=r"^[A-Za-z][A-Za-z –-]{0,40}\Z")]


Coefficient = Annotated[int, Meta(ge=-(10**6), le=10**6)]
Term = tuple[Natural, Coefficient, Annotated[int, Meta(ge=1, le=10**6)], Annotated[list[Natural], Meta(max_length=8)]]
"""Number of a weight, numerator, denominator, numbers of the weights of a monomial."""
Field = Annotated[list[Term], Meta(max_length=2000)]
Product = tuple[Coefficient, Annotated[int, Meta(ge=1, le=10**6)], Annotated[list[Natural], Meta(max_length=8)]]
"""Numerator, denominator, numbers of the coordinates of a monomial."""
Equation = Annotated[list[Product], Meta(max_length=2000)]


class Step(Record, frozen=True):
    """One step of a proof of an upper bound: what it bounds, by which rule, from which parts.

    A part that is no plain perceptron has the text of its ``network`` in place of widths and degrees.
    """

    value: Natural
    rule: Name
    widths: Annotated[list[Positive], Meta(max_length=MOST_LAYERS)]
    degrees: Annotated[list[Positive], Meta(max_length=MOST_LAYERS)]
    layer: Natural
    parts: Annotated[list[Step], Meta(max_length=MOST_PARTS)]
    network: Annotated[str, Meta(max_length=MOST_TEXT, pattern=r"^[ -~]*\Z")] = ""
    fields: Annotated[list[Field], Meta(max_length=MOST_PARTS)] = []  # noqa: RUF012 - msgspec copies it
    equations: Annotated[list[Equation], Meta(max_length=1000)] = []  # noqa: RUF012 - msgspec copies it

    @property
    def case(self) -> Case:
        """The perceptron that is bounded."""
        return tuple(self.widths), tuple(self.degrees)


def holds(step: Step, budget: Budget) -> bool:
    """Whether every step below, and this one, is an instance of its rule.

    Raises
    ------
    BudgetError
        If the proof is too long for the budget.
    """
    pending, seen = [step], 0
    while pending:
        one = pending.pop()
        seen += 1
        budget.step("the proof of the upper bound", MOST_STEPS * len(one.widths))
        if seen > MOST_STEPS or not _well_formed(one) or not _instance(one, budget):
            return False
        pending += one.parts
    return True


def _well_formed(step: Step) -> bool:
    length = len(step.widths)
    return (
        not (step.network or step.fields or step.equations)
        and length == len(step.degrees) + 2
        and step.layer < max(1, length - 1)
    )


def _instance(step: Step, budget: Budget) -> bool:
    check = _RULES.get(step.rule)
    return _believed(step) if check is None else check(step, budget)


def _believed(step: Step) -> bool:
    """Whether a step is an instance of a rule that somebody added to polygeom, as that rule states itself."""
    from polygeom.dimensions.bounds.bound import RULES

    rule = RULES.get(step.rule)
    if rule is None or rule.perceptrons is None:
        return False
    parts, least = tuple(part.case for part in step.parts), step.value - sum(part.value for part in step.parts)
    instances = rule.perceptrons(*step.case, step.value + 1)
    return any((one.constant, one.parts, one.layer) == (least, parts, step.layer) for one in instances)


def monomials(variables: int, degree: int) -> int:
    """``M(variables, degree)``, or some number above `LARGEST` instead of one beyond it."""
    few, many = sorted((variables - 1, degree))
    total = 1
    for i in range(1, few + 1):
        total = total * (many + i) // i  # C(many + i, i), at least doubled each time
        if total > LARGEST:
            break
    return total


def product(factors: Widths) -> int:
    """The product, or some number above `LARGEST` instead of one beyond it."""
    total = 1
    for factor in factors:
        total = min(total * factor, 2 * LARGEST)
    return total


def parameters(widths: Widths, degrees: Widths) -> int:
    """Weights minus the dimensions of the groups on hidden layers: tori, or GL where r = 1 and they are narrow."""
    total = sum(a * b for a, b in itertools.pairwise(widths))
    for k, r in enumerate(degrees, start=1):
        total -= widths[k] ** 2 if r == 1 and widths[k] < min(widths[k - 1], widths[k + 1]) else widths[k]
    return total


def span(widths: Widths, degrees: Widths) -> int:
    """At least how many dimensions the values behind the last of some activations span, at generic weights (Hopf)."""
    if not degrees:
        return widths[0]
    least = min(widths[1], monomials(widths[0], degrees[0]))
    for width, r in zip(widths[2:], degrees[1:], strict=False):
        least = min(width, r * (least - 1) + 1)
    return least


def _orbit(widths: Widths, degrees: Widths, k: int) -> int:
    mixed = degrees[k - 1] == 1 and widths[k] <= span(widths, degrees[:k])
    return widths[k] ** 2 if mixed else widths[k]


def _is(step: Step, constant: int, *parts: Case) -> bool:
    """Whether the parts of a step are these and its value is the constant plus theirs."""
    if [part.case for part in step.parts] != list(parts):
        return False
    return step.value == constant + sum(part.value for part in step.parts)


def _parameters(step: Step, _: Budget) -> bool:
    return not step.layer and _is(step, parameters(*step.case))


def _ambient(step: Step, _: Budget) -> bool:
    widths, degrees = step.case
    return not step.layer and _is(step, widths[-1] * monomials(widths[0], product(degrees)))


def _idle(step: Step, _: Budget) -> bool:
    widths, degrees = step.case
    k = 1
    while k < len(widths) - 1:
        if degrees[k - 1] == 1 and widths[k] >= min(widths[k - 1], widths[k + 1]):
            widths, degrees, k = widths[:k] + widths[k + 1 :], degrees[: k - 1] + degrees[k:], 1
        else:
            k += 1
    return not step.layer and widths != step.case[0] and _is(step, 0, (widths, degrees))


def _surplus(step: Step, _: Budget) -> bool:
    widths, degrees = step.case
    kept = [widths[0]]
    for k, r in enumerate(degrees, start=1):
        kept.append(min(widths[k], monomials(kept[-1], r), monomials(widths[0], product(degrees[:k]))))
    return not step.layer and _is(step, 0, ((*kept, widths[-1]), degrees))


def _inputs(step: Step, _: Budget) -> bool:
    widths, degrees = step.case
    if step.layer or not degrees or widths[1] >= widths[0]:
        return False
    return _is(step, widths[1] * (widths[0] - widths[1]), ((widths[1], *widths[1:]), degrees))


def _outputs(step: Step, _: Budget) -> bool:
    widths, degrees = step.case
    if step.layer or not degrees or widths[-1] <= widths[-2]:
        return False
    w = widths[-2]
    features = min(w, monomials(widths[0], product(degrees)))
    return _is(step, (widths[-1] - w) * features, ((*widths[:-1], w), degrees))


def _cut(step: Step, _: Budget) -> bool:
    (widths, degrees), k = step.case, step.layer
    if k < 1:
        return False
    return _is(step, -_orbit(widths, degrees, k), _below(widths, degrees, k), (widths[k:], degrees[k:]))


def _below(widths: Widths, degrees: Widths, k: int) -> Case:
    return widths[: k + 1], degrees[: k - 1]


def _lift(step: Step, _: Budget) -> bool:
    (widths, degrees), k = step.case, step.layer
    if k < 2:
        return False
    return _is(step, 0, ((monomials(widths[0], product(degrees[: k - 1])), *widths[k:]), degrees[k - 1 :]))


def _quadrics(step: Step, _: Budget) -> bool:
    widths, degrees = step.case
    if degrees != (2,) or widths[2] != 1 or widths[1] > widths[0]:
        return False
    n, s = widths[:2]
    return not step.layer and _is(step, s * n - s * (s - 1) // 2)


def _veronese(step: Step, _: Budget) -> bool:
    known: dict[Widths, int] = {(5, 7, 3): 34, (3, 5, 4): 14, (4, 9, 4): 34, (5, 14, 4): 69}
    widths, degrees = step.case
    value = known.get((*widths[:2], *degrees)) if len(widths) == 3 and widths[2] == 1 else None
    return not step.layer and value is not None and _is(step, value)


def _segre(step: Step, _: Budget) -> bool:
    widths, degrees = step.case
    if step.layer or len(widths) != 3:
        return False
    (n, s, m), r = widths, degrees[0]
    family = (r, m) == (2, 3) and n >= 4 and 2 * s == 3 * n - 2
    if not family and (n, s, m, r) not in {(3, 5, 2, 3), (4, 6, 5, 2)}:
        return False
    return _is(step, min(m * monomials(n, r), s * (n + m - 1)) - 1)


def _rotations(step: Step, _: Budget) -> bool:
    widths, degrees = step.case
    if step.layer or widths[-1] != 1 or degrees[-1:] != (2,):
        return False
    s, below = widths[-2], (widths[:-1], degrees[:-1])
    return 2 <= s <= span(*below) and _is(step, -(s * (s - 1) // 2), below)


def _hypersurface(step: Step, _: Budget) -> bool:
    (widths, degrees), k = step.case, step.layer
    if len(step.parts) < 2:
        return False
    j = len(widths) + 1 - len(step.parts[1].widths)
    before = [i for i in range(k) if widths[i] == widths[k] - 1 >= 2]
    if not k + 2 <= j < len(widths) or not before:
        return False
    relation = product((product(degrees[before[-1] : k]),) * (widths[k] - 2))
    t = product(degrees[k : j - 1])
    if t < relation or monomials(widths[k], t) > LARGEST:
        return False
    space = monomials(widths[k], t) - monomials(widths[k], t - relation)
    reached = ((space, *widths[j:]), degrees[j - 1 :])
    return _is(step, -_orbit(widths, degrees, k), _below(widths, degrees, k), reached)


def _span(step: Step, _: Budget) -> bool:
    (widths, degrees), k = step.case, step.layer
    m, space = widths[k], monomials(widths[0], product(degrees[:k]))
    return m < space and _is(step, m * (space - m), (widths[k:], degrees[k:]))


def _pencil(step: Step, _: Budget) -> bool:
    widths, degrees = step.case
    if step.layer != 1 or widths[:2] != (4, 8) or degrees[:2] != (2, 2):
        return False
    return _is(step, 15, ((34, *widths[3:]), degrees[2:]))


def _identifications(step: Step, budget: Budget) -> bool:
    widths, degrees = step.case
    if step.layer != 1 or len(step.parts) < 2:
        return False
    n, m, r = widths[0], widths[1], degrees[0]
    j = len(widths) + 1 - len(step.parts[1].widths)
    if not (3 <= j < len(widths) and n + 2 <= m < 2 * n and r >= 2):
        return False
    t = product(degrees[1 : j - 1])
    space = step.parts[1].widths[0]
    everything = monomials(n, min(r * t, LARGEST))
    if everything > 10**5 or r ** min(m - 1, 60) > 10**5:
        budget.step("the rule identifications", float("inf"))
    if not _is(step, -m, ((n, m), ()), ((space, *widths[j:]), degrees[j - 1 :])):
        return False
    return everything - space <= 0 or conditions(n, m, r, t, everything - space, budget) >= everything - space


def conditions(n: int, m: int, r: int, t: int, asked: int, budget: Budget) -> int:
    """At least how many conditions polynomials in ``m`` r-th powers of generic linear forms satisfy in degree ``r t``.

    If ``ℓ_i(x) = ω_i ℓ_i(y)`` for all forms, with r-th roots of unity, then all these polynomials agree at ``x`` and
    ``y``. The rank of the functionals ``f ↦ f(x) - f(y)`` is taken at chosen forms, modulo a prime with such roots.
    """
    p = next(q for q in range(r * (2**20 // r) + 1, 2**26, r) if q > 2**20 and is_odd_prime(q))
    root = next(w for g in range(2, p) if _order(w := pow(g, (p - 1) // r, p), r, p))
    draw = np.random.default_rng(17)
    forms = draw.integers(1, p, size=(m, n))
    known = [w for w in choices(r, m) if max(Counter(w).values()) < n]
    exponents = list(itertools.combinations_with_replacement(range(n), r * t))
    wanted = asked + 10
    each = -(-wanted // max(1, len(known))) + monomials(2 * n - m, r * t)
    budget.rank("the rule identifications", min(wanted * 4, each * len(known)), len(exponents))
    rows: list[list[int]] = []
    found = 0
    for _ in range(each):
        for choice in known:
            pair = _pair(forms, [pow(root, e, p) for e in choice], p, draw)
            values = [_values(point, exponents, p) for point in (pair[:n], pair[n:])]
            rows.append([(a - b) % p for a, b in zip(*values, strict=True)])
        if len(rows) >= wanted:
            found = rank(np.array(rows, dtype=np.int64), p)
            if found >= asked or len(rows) > 4 * wanted:
                break
    return found


def _order(w: int, r: int, p: int) -> bool:
    return all(pow(w, d, p) != 1 for d in range(1, r))


def choices(r: int, m: int) -> Iterator[tuple[int, ...]]:
    """Roots for all forms but the first, whose root is 1; one of each two that exchange the points."""
    for rest in itertools.product(range(r), repeat=m - 1):
        if rest <= tuple(-e % r for e in rest):
            yield (0, *rest)


def _pair(forms: np.ndarray, factors: list[int], p: int, draw: np.random.Generator) -> list[int]:
    """Two points, one after the other, between which the forms have these factors; zeros where there are too many.

    Only where there are as few such pairs as for generic forms, they are limits of pairs for generic ones.
    """
    import flint

    m, n = forms.shape
    turned = -(np.array(factors)[:, None] * forms) % p
    basis, nullity = flint.nmod_mat(
        m, 2 * n, np.concatenate([forms % p, turned], axis=1).ravel().tolist(), p
    ).nullspace()
    table = np.array([int(x) for x in basis.entries()], dtype=np.int64).reshape(2 * n, -1)[:, :nullity]
    if nullity != 2 * n - m:
        return [0] * (2 * n)
    pair: list[int] = (table @ draw.integers(0, p // 2**6, size=nullity) % p).tolist()
    return pair


def _values(point: list[int], exponents: list[tuple[int, ...]], p: int) -> list[int]:
    known: dict[tuple[int, ...], int] = {(): 1}
    for word in exponents:
        for k in range(1, len(word) + 1):
            if word[:k] not in known:
                known[word[:k]] = known[word[: k - 1]] * point[word[k - 1]] % p
    return [known[word] for word in exponents]


_RULES: dict[str, Callable[[Step, Budget], bool]] = {
    "ambient": _ambient,
    "parameters": _parameters,
    "idle layer": _idle,
    "surplus": _surplus,
    "cut": _cut,
    "lift": _lift,
    "outputs": _outputs,
    "inputs": _inputs,
    "quadrics": _quadrics,
    "Veronese": _veronese,
    "Segre–Veronese": _segre,
    "rotations": _rotations,
    "hypersurface": _hypersurface,
    "identifications": _identifications,
    "span": _span,
    "pencil": _pencil,
}
NAMES = _RULES.keys()
"""Rules about perceptrons."""
