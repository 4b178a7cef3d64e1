"""The smallest upper bound that the rules give, found by searching them, and the check of a bound without a search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple, cast

from polygeom.dimensions.bounds import rules as _rules  # noqa: F401 - fills the register
from polygeom.dimensions.bounds.architecture import parameters_bound
from polygeom.dimensions.bounds.bound import RULES, Bound, Case, Instance, Rule, rules_about
from polygeom.dimensions.bounds.graphs import MOST_WEIGHTS, plain_text, rank_of
from polygeom.dimensions.counts import Degrees, Widths
from polygeom.network import Network, parse

MOST_HIDDEN = 300
"""Of more hidden layers no proof is built from smaller architectures: its tree would be as deep as the network."""


class Reduction(NamedTuple):
    """One way in which a rule bounds an architecture: ``dim V ≤ constant + Σ dim V(part)``."""

    rule: str
    layer: int
    constant: int
    parts: tuple[Case, ...]


def proved_bound(network: Network, *, thorough: bool = True) -> Bound:
    """The smallest proved upper bound for the dimension of ``network``'s neurovariety, with its proof tree."""
    if network.widths is not None and network.activation_degrees is not None:
        return upper_bound(network.widths, network.activation_degrees, thorough=thorough)
    return _proved_bound(network, thorough)


@lru_cache(maxsize=4096)
def _proved_bound(network: Network, thorough: bool) -> Bound:
    best = network_bound(network, thorough=thorough)
    for rule in RULES.values():
        if thorough and rule.last and rule.networks is not None and 0 < rank_of(network) < best.value:
            bounds = [_bound(rule.name, instance, True) for instance in rule.networks(network)]
            best = min([best, *bounds], key=lambda bound: bound.value)
    return best


def upper_bound(widths: Widths, degrees: Degrees, *, thorough: bool = True) -> Bound:
    """The smallest upper bound that the rules give for ``dim V(widths; degrees)``, with its proof tree.

    Without ``thorough`` the rules called costly, which may take seconds, are left out; the others take milliseconds.

    >>> print(upper_bound((5, 5, 5, 1), (2, 2)).value, upper_bound((4, 5, 3, 1), (2, 2)))
    35 rotations, from (4,5,3) ≤ 29 [Segre–Veronese]
    """
    return _upper_bound(widths, degrees, thorough)


@lru_cache(maxsize=1 << 16)
def _upper_bound(widths: Widths, degrees: Degrees, thorough: bool) -> Bound:
    best: Bound | None = None
    place = (0, 0)
    bounds: tuple[Bound, ...]
    for rule, (constant, parts, layer, *_) in _instances(widths, degrees, thorough):
        bounds, value = (), constant
        for w, r in _cases(parts):
            part = _upper_bound(w, r, thorough)
            value += part.value
            bounds = (*bounds, part)
        if best is None or value < best.value or (value == best.value and (rule.order, layer) < place):
            best, place = Bound(value, rule.name, widths, degrees, layer, bounds), (rule.order, layer)
    assert best is not None, "the rule parameters applies to every perceptron"
    return best


def _instances(widths: Widths, degrees: Degrees, thorough: bool) -> Iterator[tuple[Rule, Instance]]:
    """Every inequality for a perceptron; an equality ends the list."""
    limit = parameters_bound(widths, degrees)
    deep = len(degrees) > MOST_HIDDEN
    for rule in rules_about(len(degrees)):
        if rule.perceptrons is None or (rule.costly and (deep or not thorough)):
            continue
        found = False
        for instance in rule.perceptrons(widths, degrees, limit):
            if deep and instance.parts and not rule.equality:
                break
            found = True
            yield rule, instance
        if found and rule.equality:
            return


def reductions(widths: Widths, degrees: Degrees, *, thorough: bool = True) -> Iterator[Reduction]:
    """Every way in which a rule bounds this architecture by smaller ones."""
    for rule, instance in _instances(widths, degrees, thorough):
        if instance.parts:
            yield Reduction(rule.name, instance.layer, instance.constant, _cases(instance.parts))


def _cases(parts: tuple[Case | Network, ...]) -> tuple[Case, ...]:
    """The parts of an inequality for a perceptron: perceptrons again."""
    return cast("tuple[Case, ...]", parts)


def check(bound: Bound) -> bool:
    """Whether every step of the tree is an instance of its rule, by arithmetic alone (no search).

    >>> check(upper_bound((5, 5, 5, 1), (2, 2)))
    True
    """
    widths, degrees = bound.widths, bound.degrees
    rule = RULES.get(bound.rule)
    if rule is None or rule.perceptrons is None or len(widths) != len(degrees) + 2 or min(widths + degrees) < 1:
        return False
    step = _claimed(bound)
    if not bound.parts:
        return step in rule.perceptrons(widths, degrees, bound.value + 1)
    return any(rule is one and step == instance for one, instance in _instances(widths, degrees, True)) and all(
        map(check, bound.parts)
    )


def _claimed(bound: Bound) -> Instance:
    """The inequality that the top of the tree claims."""
    parts = tuple(parse(part.network) if part.network else (part.widths, part.degrees) for part in bound.parts)
    return Instance(
        bound.value - sum(part.value for part in bound.parts), parts, bound.layer, bound.fields, bound.equations
    )


def network_bound(network: Network, *, thorough: bool = True) -> Bound:
    """The smallest bound that the rules for networks of any kind give.

    The costly rules are searched for a reason why the rank at a random point is not exceeded: of the inequalities that
    they state those are followed in which ranks of the parts, in place of their dimensions, give less than what is
    proved so far, the smallest first.

    >>> from polygeom.network import parse
    >>> network_bound(parse("[2,2,1] r=2 bias")).value
    6
    """
    best = min(network_bounds(network, thorough=False), key=lambda bound: bound.value)
    if not thorough or network.parameter_count > MOST_WEIGHTS or best.value == (goal := rank_of(network)):
        return best
    promising: list[tuple[int, int, int, str, Instance]] = []
    for name, instance in _costly(network):
        least = instance.constant + sum(map(rank_of, instance.parts))
        if least < best.value:
            promising.append((least, RULES[name].order, len(promising), name, instance))
    for least, _, _, name, instance in sorted(promising, key=lambda one: one[:3]):
        if least >= best.value or best.value == goal:
            break
        best = min(best, _bound(name, instance, True), key=lambda bound: bound.value)
    return best


def network_bounds(network: Network, *, thorough: bool = True) -> list[Bound]:
    """Every bound that the rules for networks of any kind give; costly rules are asked if ``thorough``."""
    return [
        _bound(rule.name, instance, thorough)
        for rule in RULES.values()
        if rule.networks is not None and (thorough or not rule.costly) and not rule.last
        for instance in rule.networks(network)
    ]


def _costly(network: Network) -> Iterator[tuple[str, Instance]]:
    for rule in RULES.values():
        if rule.networks is not None and rule.costly and not rule.last:
            for instance in rule.networks(network):
                yield rule.name, instance


def _bound(rule: str, instance: Instance, thorough: bool) -> Bound:
    bounds = tuple(part_bound(part, thorough) for part in instance.parts)
    value = instance.constant + sum(part.value for part in bounds)
    return Bound(value, rule, (), (), instance.layer, bounds, "", instance.fields, instance.equations)


def part_bound(part: Case | Network, thorough: bool) -> Bound:
    """The smallest bound for a part of a network, which names it."""
    if isinstance(part, Network):
        return _part_bound(part, thorough)
    return upper_bound(*part, thorough=thorough)


@lru_cache(maxsize=1 << 14)
def _part_bound(network: Network, thorough: bool) -> Bound:
    if network.widths is not None and network.activation_degrees is not None:
        return upper_bound(network.widths, network.activation_degrees, thorough=thorough)
    return replace(network_bound(network, thorough=thorough), network=plain_text(network))


def check_for(network: Network, bound: Bound) -> bool:
    """Whether a bound is one for ``network`` and every step of its tree an instance of its rule."""
    if bound.widths:
        return (bound.widths, bound.degrees) == (network.widths, network.activation_degrees) and check(bound)
    rule = RULES.get(bound.rule)
    if rule is None or rule.networks is None or bound.network not in ("", plain_text(network)):
        return False
    return _claimed(bound) in map(_named, rule.networks(network)) and all(map(_check_part, bound.parts))


def _named(instance: Instance) -> Instance:
    """The instance with perceptrons as cases, in which form bounds have them."""
    return instance._replace(parts=tuple(map(_as_case, instance.parts)))


def _as_case(part: Case | Network) -> Case | Network:
    if isinstance(part, Network) and part.widths is not None and part.activation_degrees is not None:
        return part.widths, part.activation_degrees
    return part


def _check_part(bound: Bound) -> bool:
    return check_for(parse(bound.network), bound) if bound.network else check(bound)
