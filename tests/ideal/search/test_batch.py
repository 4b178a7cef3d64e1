"""Weight spaces done together have the outcome of each alone; quotient rings have the known dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from polygeom import maps
from polygeom.ideal.grading.quotients import Quotient, TooLargeError
from polygeom.ideal.search import batch
from polygeom.ideal.search.interpolation import Interpolation
from polygeom.ideal.search.lifting import small_multiples
from polygeom.ideal.search.weightspace import solve_space
from polygeom.modular import P22, as_field
from polygeom.network import Network

ALIKE: dict[str, tuple[Network, int]] = {
    "scroll": (maps.rational_normal_scroll(2, 3), 3),
    "Plücker": (maps.grassmannian(2, 5), 3),
    "Gaussian cycle": (maps.gaussian_graphical_model(4, [(1, 2), (2, 3), (3, 4), (1, 4)]), 3),
    "quartic": (maps.from_text("s^4, s^3*t, s*t^3, t^4"), 3),
    "circle": (maps.from_text("(1-t^2)/(1+t^2), 2*t/(1+t^2)"), 3),
    "a zero and multiples": (maps.from_text("0, s, 2*s, 1009*t/1013, t"), 2),
    "large numbers": (maps.from_text("s^2, 12345*s*t, t^2/997"), 2),
}


@pytest.mark.parametrize("name", ALIKE)
def test_together_as_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network, top = ALIKE[name]
    together, alone = Interpolation(network), Interpolation(network)
    for _ in range(top):
        report = together.advance()
        with monkeypatch.context() as patch:
            patch.setattr(
                "polygeom.ideal.search.interpolation.solve_spaces",
                lambda problem, weights: [solve_space(problem, weight) for weight in weights],
            )
            expected = alone.advance()
        assert report.hilbert == expected.hilbert
        assert [(s.weight, s.monomials, s.new) for s in report.spaces] == [
            (s.weight, s.monomials, s.new) for s in expected.spaces
        ]
        key: Any = lambda e: (e.weight, e.monomials.tolist(), e.integers, e.proved)  # noqa: E731
        assert sorted(map(key, report.equations)) == sorted(map(key, expected.equations))
        assert all(e.proved for e in report.equations)


def test_small_spaces_are_done_in_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "solve_space", lambda *_: pytest.fail("a space was done alone"))
    search = Interpolation(maps.rational_normal_curve(6))
    assert [search.advance().new for _ in range(2)] == [0, 15]


def test_guesses_that_do_not_vanish_are_lifted_by_more_primes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "polygeom.ideal.search.weightspace.small_multiples", lambda rows, _: [(1,) * rows.shape[1]] * len(rows)
    )
    search = Interpolation(maps.rational_normal_curve(3))
    equations = [*search.advance().equations, *search.advance().equations]
    assert [(sorted(e.integers or ()), e.proved) for e in equations] == [([-1, 1], True)] * 3


def test_multiples_by_small_integers() -> None:
    field = as_field(P22)
    row = np.array([3, 0, -500, 999])
    scaled = field.reduce(np.array([row * field.scalar(pow(59, -1, P22)), row * 1.0, row * 2003.0]))
    assert small_multiples(scaled, field) == [tuple(row.tolist()), tuple(row.tolist()), None]


def ring_of(variables: int, equations: dict[int, list[dict[tuple[int, ...], int]]], top: int, pure: bool) -> Quotient:
    """The quotient by polynomials, given by degree as monomial → coefficient, by the images of the monomials."""
    from polygeom.ideal.grading.forms import Forms

    field, forms = as_field(101), Forms(variables)
    ring = Quotient(variables, field, np.random.default_rng(0), pure)
    project = np.ones((1, 1))
    for degree in range(1, top + 1):
        heads, tails = forms.split(degree)
        number = {tuple(m): k for k, m in enumerate(forms.monomials(degree).tolist())}
        rows = np.zeros((len(equations.get(degree, [])), len(number)))
        for row, polynomial in zip(rows, equations.get(degree, []), strict=True):
            for monomial, c in polynomial.items():
                row[number[monomial]] = c
        ring.advance([(rows[:, heads == i], project[tails[heads == i]]) for i in range(variables)])
        images = np.zeros((len(heads), ring.hilbert[-1]))
        for i in range(variables):
            own = heads == i
            images[own] = field.matmul(np.ascontiguousarray(project[tails[own]]), ring.multiply[-1][i])
        project = images
        assert not field.matmul(rows, project).any()
    return ring


def commutes(ring: Quotient) -> bool:
    """Whether multiplications by two variables give the same in either order, in all degrees."""
    products = [ring.field.matmul(a[:, None], b[None]) for a, b in zip(ring.multiply, ring.multiply[1:], strict=False)]
    return not any(ring.field.subtract(both, both.transpose(1, 0, 2, 3)).any() for both in products)


SQUARES = {2: [{(i, i): 1} for i in range(4)]}
TWISTED = {2: [{(0, 2): 1, (1, 1): -1}, {(0, 3): 1, (1, 2): -1}, {(1, 3): 1, (2, 2): -1}]}


@pytest.mark.parametrize(
    ("variables", "equations", "top", "hilbert"),
    [
        (4, SQUARES, 6, [1, 4, 6, 4, 1, 0, 0]),  # square-free monomials
        (3, {}, 4, [1, 3, 6, 10, 15]),
        (4, TWISTED, 4, [1, 4, 7, 10, 13]),  # 3 d + 1
        (3, {3: [{(0, 0, 0): 1, (1, 1, 2): 5}]}, 5, [1, 3, 6, 9, 12, 15]),
        (2, {1: [{(0,): 1, (1,): 7}], 3: [{(1, 1, 1): 2}]}, 4, [1, 1, 1, 0, 0]),
    ],
)
@pytest.mark.parametrize("first", ["chosen", "none"])
def test_dimensions_of_quotient_rings(
    variables: int, equations: Any, top: int, hilbert: list[int], first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no relation chosen first, the others are seen to be missing and added."""
    if first == "none":
        monkeypatch.setattr(Quotient, "_chosen", lambda *_: np.zeros(0, dtype=np.int64))
    ring = ring_of(variables, equations, top, pure=False)
    assert ring.hilbert == hilbert
    assert commutes(ring)


def test_a_variable_that_divides_no_zero_leaves_the_ring_as_it_is() -> None:
    pure = ring_of(4, TWISTED, 5, pure=True)
    assert pure.hilbert == [1, 4, 7, 10, 13, 16]
    assert commutes(pure)
    last = pure.multiply[-1][3]
    assert np.array_equal(last[:, -len(last) :], np.eye(len(last)))
    with pytest.raises(TooLargeError, match="divides zero"):
        ring_of(4, SQUARES, 3, pure=True)
