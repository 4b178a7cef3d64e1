"""A rule for upper bounds as a test: its inequalities against true dimensions, and its place in the register."""

from __future__ import annotations

from collections.abc import Sequence

from polygeom.dimension.bounds.bound import RULES, Bound, Case
from polygeom.dimension.bounds.catalogue import catalogue
from polygeom.dimension.bounds.search import check
from polygeom.dimension.explain import steps
from polygeom.engines.symbolic import jacobian_rank
from polygeom.network import mlp

_NO_LIMIT = 10**9


def check_rule(name: str, cases: Sequence[Case]) -> None:
    """Whether a rule for perceptrons holds on small architectures, and is told where rules are told.

    In every inequality the true dimensions, computed over the rationals from the definition, stand in place of the
    bounds of the parts: sharper than comparing bounds. This is a test and no proof.

    Parameters
    ----------
    name:
        The rule, a key of `polygeom.dimension.bounds.bound.RULES`.
    cases:
        Architectures ``(widths, degrees)`` to each of which the rule applies; a few weights, for speed.

    Raises
    ------
    AssertionError
        If the rule does not apply, says less than the dimension, or a bound by it cannot be checked.

    Examples
    --------
    >>> check_rule("rotations", [((3, 3, 2, 1), (2, 2))])
    """
    rule = RULES[name]
    assert rule.perceptrons is not None, f"{name} is no rule for perceptrons"
    assert f"| *{name}* |" in catalogue()
    for widths, degrees in cases:
        truth = _dimension((widths, degrees))
        instances = list(rule.perceptrons(widths, degrees, _NO_LIMIT))
        assert instances, f"{name} does not apply to {widths}, {degrees}"
        for constant, parts, layer in instances:
            said = constant + sum(map(_dimension, parts))
            assert said >= truth, f"{name} at layer {layer} says dim ≤ {said}, but it is {truth}: {widths}, {degrees}"
            if rule.equality:
                assert said == truth, f"{name} is called an equality, but {said} is not {truth}: {widths}, {degrees}"
            if not parts:
                bound = Bound(constant, name, widths, degrees, layer)
                assert check(bound), f"{bound} is not recognised"
                assert not check(Bound(constant - 1, name, widths, degrees, layer)), f"{name}: too small a bound passes"
                assert [step.meaning for step in steps(bound)] == [rule.meaning]


def _dimension(case: Case) -> int:
    return jacobian_rank(mlp(*case)) if len(case[0]) > 2 else case[0][0] * case[0][1]
