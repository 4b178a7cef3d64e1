"""A rule for upper bounds as a test: its inequalities against true dimensions, and its place in the register."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from polygeom.dimensions.bounds.architecture import parameters_bound
from polygeom.dimensions.bounds.bound import RULES, Bound, Case, Instance, Rule
from polygeom.dimensions.bounds.catalogue import catalogue
from polygeom.dimensions.bounds.graphs import plain_text
from polygeom.dimensions.bounds.search import check_for, part_bound, reductions
from polygeom.dimensions.explain import steps
from polygeom.dimensions.proofs.decoding import typed
from polygeom.dimensions.proofs.graphs.bounds import bound_holds
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.programs import read
from polygeom.dimensions.proofs.rules import Step
from polygeom.engines.symbolic import jacobian_rank
from polygeom.network import Network, mlp, parse


def check_rule(name: str, cases: Sequence[Case | str]) -> None:
    """Whether a rule holds on small networks, is told where rules are told, and is found by the certificate's check.

    In every inequality the true dimensions, computed over the rationals from the definition, stand in place of the
    bounds of the parts: sharper than comparing bounds. This is a test and no proof.

    Parameters
    ----------
    name:
        The rule, a key of `polygeom.dimensions.bounds.bound.RULES`.
    cases:
        Networks to each of which the rule applies, of a few weights: architectures ``(widths, degrees)`` for a rule
        about perceptrons, texts for a rule about networks of any kind.

    Raises
    ------
    AssertionError
        If the rule does not apply, says less than the dimension, or a bound by it cannot be checked.

    Examples
    --------
    >>> check_rule("rotations", [((3, 3, 2, 1), (2, 2))])
    >>> check_rule("homogenised", ["[2,2,1] r=2 bias"])
    """
    rule = RULES[name]
    assert f"| *{name}* |" in catalogue()
    for case in cases:
        network, instances = _instances(rule, case)
        assert instances, f"{name} does not apply to {network}"
        for instance in instances:
            _check_instance(rule, network, instance)


def _instances(rule: Rule, case: Case | str) -> tuple[Network, list[Instance]]:
    if isinstance(case, str):
        assert rule.networks is not None, f"{rule.name} is about perceptrons; write cases such as ((3, 3, 1), (2,))"
        return parse(case), list(rule.networks(parse(case)))
    assert rule.perceptrons is not None, f"{rule.name} is not about perceptrons; write cases as texts"
    return mlp(*case), list(rule.perceptrons(*case, parameters_bound(*case)))


def _check_instance(rule: Rule, network: Network, instance: Instance) -> None:
    truth, said = jacobian_rank(network), instance.constant + sum(map(_dimension, instance.parts))
    where = f"{rule.name} at layer {instance.layer}" if instance.layer else rule.name
    assert said >= truth, f"{where} says dim ≤ {said}, but it is {truth}: {network}"
    assert said == truth or not rule.equality, f"{where} is called an equality, but {said} is not {truth}: {network}"
    widths, degrees = (network.widths or (), network.activation_degrees or ())
    parts = tuple(part_bound(part, True) for part in instance.parts)
    value = instance.constant + sum(part.value for part in parts)
    bound = Bound(value, rule.name, widths, degrees, instance.layer, parts, "", instance.fields, instance.equations)
    assert next(steps(bound)).meaning == rule.meaning
    assert rule.name in str(bound)
    if widths and any(
        RULES[one.rule].equality and one.rule != rule.name for one in islice(reductions(widths, degrees), 1)
    ):
        return  # polygeom narrows or removes a layer first, so that no bound of this form occurs
    assert check_for(network, bound), f"{bound} is not recognised"
    assert not check_for(network, replace(bound, value=value - 1)), f"{rule.name}: too small a bound passes"
    claim = typed(bound, Step)
    assert bound_holds(read(plain_text(network)), claim, Budget(60, 2**30)), f"certificates do not accept {bound}"


def _dimension(part: Case | Network) -> int:
    if isinstance(part, Network):
        return jacobian_rank(part)
    widths, degrees = part
    return jacobian_rank(mlp(widths, degrees)) if len(widths) > 2 else widths[0] * widths[1]
