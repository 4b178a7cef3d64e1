"""The checker's inverse systems against ranks of all multiples of the equations, and sections with known points."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from polygeom.dimensions.proofs.jacobians import nullspace
from polygeom.dimensions.proofs.limits import Budget
from polygeom.ideal.proofs import sections
from polygeom.ideal.proofs.claims import Monomial, Sections, Terms
from polygeom.ideal.proofs.sections import Families, InverseSystem

P = 65537


def system(equations: list[Terms], variables: int, seed: int | None = None) -> InverseSystem:
    """Equations in some variables, in other coordinates if there is a seed."""
    claim: Any = SimpleNamespace(budget=Budget(), kept=range(variables))
    change = np.eye(variables, dtype=int)
    if seed is not None:
        change = np.random.default_rng(seed).integers(0, P, (variables, variables))
    return InverseSystem([(len(terms[0][0]), terms) for terms in equations], change.tolist(), P, claim)


def words(variables: int, degree: int) -> list[Monomial]:
    return list(itertools.combinations_with_replacement(range(variables), degree))


def general(variables: int, degree: int, rng: np.random.Generator) -> Terms:
    return tuple((m, int(c)) for m, c in zip(words(variables, degree), rng.integers(1, P, 10**4), strict=False))


def hilbert(equations: list[Terms], variables: int, degree: int) -> int:
    """Monomials of a degree minus the rank of all multiples of the equations, by FLINT."""
    import flint

    number = {m: k for k, m in enumerate(words(variables, degree))}
    rows = []
    for terms in equations:
        for factor in words(variables, degree - len(terms[0][0])) if degree >= len(terms[0][0]) else []:
            row = [0] * len(number)
            for m, c in terms:
                row[number[tuple(sorted(m + factor))]] += c
            rows.append(row)
    return len(number) - (flint.nmod_mat(flint.fmpz_mat(rows), P).rank() if rows else 0)


CASES: dict[str, tuple[int, list[Any]]] = {
    "a complete intersection of finite length": (3, [2, 2, 3]),
    "of four quadrics": (4, [2, 2, 2, 2]),
    "six points and more": (3, [2, 3]),
    "two degrees apart": (4, [2, 2, 4]),
    "a line besides": (3, [(((0, 0), 1),), (((0, 1), 1),)]),
    "the last variable divides zero": (3, [(((0, 2), 1),), (((1, 2), 1),), (((0, 0, 1), 1),)]),
    "its square is zero": (3, [(((2, 2), 1),), (((0, 0, 0), 1), ((1, 1, 2), 3))]),
    "monomials of many degrees": (3, [(((0, 0), 1),), (((1, 1, 1), 1),), (((0, 1, 2, 2), 1),), (((2,) * 6, 1),)]),
    "an equation twice": (3, [(((0, 1), 1), ((2, 2), 5)), (((0, 1), 1), ((2, 2), 5)), (((0, 0), 1), ((1, 1), 1))]),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("seed", [None, 3], ids=["as they are", "in other coordinates"])
def test_functionals_are_as_many_as_the_quotient_has_dimensions(case: str, seed: int | None) -> None:
    variables, given = CASES[case]
    rng = np.random.default_rng(1)
    equations = [general(variables, e, rng) if isinstance(e, int) else e for e in given]
    wanted = [hilbert(equations, variables, d) for d in range(7)]
    wanted = wanted[: wanted.index(0) + 1] if 0 in wanted else wanted
    assert system(equations, variables, seed).up_to(wanted) == wanted
    for d in range(2, len(wanted)):  # what is expected decides only how much is tried
        wrong = [*wanted[:d], max(0, wanted[d] - 1) if wanted[d] else 1]
        assert system(equations, variables, seed).up_to(wrong)[-1] >= wanted[d], (case, d)
        assert system(equations, variables, seed).up_to(wrong) != wrong, (case, d)


def test_without_equations_every_functional_is_left() -> None:
    assert system([], 3).up_to([1, 3, 6, 10]) == [1, 3, 6, 10]
    assert system([], 3).up_to([1, 3, 5, 7]) == [1, 3, 6], "the first that is not as expected is the last"


def product(factors: list[dict[int, int]]) -> Terms:
    """The product of linear forms."""
    out: dict[Monomial, int] = {(): 1}
    for factor in factors:
        terms = [(tuple(sorted((*m, k))), c * d) for m, c in out.items() for k, d in factor.items()]
        out = {}
        for m, c in terms:
            out[m] = out.get(m, 0) + c
    return tuple(sorted(out.items()))


def test_points_are_told_by_the_degrees_of_their_orbits() -> None:
    """Six rational points; two pairs that the Frobenius map exchanges; a double point; points at infinity alone."""
    three, two = [{0: 1, 2: -a} for a in (1, 2, 3)], [{1: 1, 2: -a} for a in (1, 2)]
    pair: Terms = (((1, 1), 1), ((2, 2), -3))  # 3 is no square modulo 65537
    assert pow(3, (P - 1) // 2, P) == P - 1
    grid = [1, 2, 2, 1]
    assert system([product(three), product(two)], 3, 5).factor_degrees(grid, 6) == [1] * 6
    assert sorted(system([product(three), pair], 3, 5).factor_degrees(grid, 6) or []) == [2, 2, 2]
    assert system([product([three[0], *three[:2]]), product(two)], 3, 5).factor_degrees(grid, 6) is None
    assert system([product(three), product(two)], 3).factor_degrees(grid, 6) is None  # the first variable tells not
    assert system([product([{0: 1}, {2: 1}]), product([{1: 1}, {2: 1}])], 3).factor_degrees([1, 2, 1], 4) is None
    assert system([product(three), product(two)], 3, 5).factor_degrees([1, 2, 2], 5) is None


def test_every_matrix_is_announced_before_it_is_eliminated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the certificate says, the limit of memory is asked first."""
    announced: list[tuple[int, int]] = []

    class Listener(Budget):
        def rank(self, what: str, rows: int, columns: int) -> None:
            announced.append((rows, columns))
            super().rank(what, rows, columns)

    def watched(rows: np.ndarray, p: int) -> np.ndarray:
        assert any(a >= rows.shape[0] and b >= rows.shape[1] for a, b in announced[-2:]), rows.shape
        return nullspace(rows, p)

    monkeypatch.setattr("polygeom.ideal.proofs.sections.nullspace", watched)
    rng = np.random.default_rng(2)
    equations = [general(4, d, rng) for d in (2, 2, 3)]
    for wanted in ([1, 4, 8, 11, 12, 12], [1, 4, 8, 10]):  # the second is wrong, so all conditions are looked at
        one = system(equations, 4, 3)
        one._budget = Listener()
        assert one.up_to(wanted)[:4] == [1, 4, 8, 11]
    assert len(announced) > 6


def test_as_many_combinations_are_drawn_as_are_missing() -> None:
    """Each pair of linear forms gives a condition for each of the lower monomials."""
    for enough, given, each, pairs in (
        (10, 2, 4, 2),
        (11, 2, 4, 3),
        (10, 9, 4, 1),
        (10, 10, 4, 0),
        (10, 30, 4, 0),
        (10, 2, 0, 0),
    ):
        asked: list[tuple[int, int, int]] = []
        some = SimpleNamespace(
            _contractions=np.zeros((3, 5, 5), dtype=np.int64),
            _lower=np.arange(each),
            _p=101,
            size=7,
            _ask=lambda *numbers, asked=asked: asked.append(numbers),
            _commute=lambda x, y, contractions: (len(x), len(y), contractions.shape),
        )
        assert list(Families.some_commuting(some, enough, given)) == [(3, 3, (3, 5, each))] * pairs  # type: ignore[arg-type, comparison-overlap]
        assert asked == [(pairs, each, given)]


TRUE: dict[str, Any] = {
    "degree": 3,
    "h": [1, 2],
    "codimension": 2,
    "prime": 101,
    "widths": (2, 3, 3),
    "row": [0, 1, 2, 99, 100],
    "first": [1, 2, 0],
    "orbits": ([3], [1, 2]),
    "most": 2,
}


def held(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> bool:
    """Whether sections hold of which the true ones differ by this."""
    one = TRUE | changes
    given = [[[0] * 5, *[one["row"]] * (width - 1)] for width in one["widths"]]
    orbits = iter(one["orbits"])

    def made(copies: object, space: object, prime: int, _: object) -> Any:
        return SimpleNamespace(
            up_to=lambda expected: one["first"], factor_degrees=lambda h, length: next(orbits) if space else None
        )

    monkeypatch.setattr(sections, "InverseSystem", made)
    monkeypatch.setattr(sections, "MOST_DIMENSIONS", one["most"])
    claims = SimpleNamespace(degree=one["degree"], h_vector=one["h"])
    claim: Any = SimpleNamespace(data=SimpleNamespace(claim=claims), codimension=one["codimension"], size=5, proper=[])
    return sections.sections_hold(claim, Sections(prime=one["prime"], subspaces=given))


@pytest.mark.parametrize(
    "changes",
    [
        {"degree": None},
        {"degree": 2},
        {"degree": 4},
        {"h": None},
        {"h": [1, 1], "first": [1, 1, 0]},
        {"h": [1, 2, 0], "first": [1, 2, 0, 0]},
        {"codimension": 1, "widths": (1, 2, 2)},
        {"codimension": 1},
        {"codimension": 3},
        {"prime": 105},
        {"widths": (3, 3, 3)},
        {"widths": (1, 3, 3)},
        {"widths": (2, 3, 2)},
        {"widths": (2, 4, 3)},
        {"row": [0, 1, 2, 3]},
        {"row": [0, 1, 2, 3, 4, 5]},
        {"row": [0, 1, 2, 3, 101]},
        {"row": [0, 1, 2, 3, 102]},
        {"first": [1, 2, 1]},
        {"first": [1, 3]},
        {"first": [1, 1]},
        {"orbits": (None, [3])},
        {"orbits": ([3], None)},
        {"orbits": ([1, 2], [2, 1])},
        {"most": 1},
    ],
    ids=str,
)
def test_sections_hold_only_if_everything_does(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]) -> None:
    assert held(monkeypatch)
    assert held(monkeypatch, **changes) is False


def test_orbits_together_leave_one_degree(monkeypatch: pytest.MonkeyPatch) -> None:
    """No part of the points of one section has as many as a part of the points of another."""
    for orbits, holds in (
        (([6], [1] * 6), True),
        (([2, 4], [3, 3]), True),
        (([2, 4], [1, 5]), True),
        (([2, 4], [2, 2, 2]), False),
        (([1, 5], [5, 1]), False),
        (([1, 5], [2, 3, 1]), False),
    ):
        six = {"degree": 6, "h": [1, 2, 2, 1], "first": [1, 2, 2, 1, 0]}
        assert held(monkeypatch, **six, orbits=orbits) is holds, orbits
