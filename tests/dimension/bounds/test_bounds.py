"""Upper bounds: each rule by itself against true dimensions, and trees of rules that were tampered with."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import re
import time
from collections import Counter
from collections.abc import Iterator
from functools import cache

import flint
import msgspec
import numpy as np
import pytest
from here import of_the_repository
from hypothesis import given, settings
from hypothesis import strategies as st

from polygeom.dimensions import upper_bound
from polygeom.dimensions.bounds.architecture import feature_span, orbit, parameters_bound
from polygeom.dimensions.bounds.bound import RULES, Bound
from polygeom.dimensions.bounds.search import check, network_bounds, reductions
from polygeom.dimensions.counts import (
    Degrees,
    Widths,
    ambient_dimension,
    expected_dimension,
    monomials,
    output_degree,
    parameter_count,
    without_idle_layers,
)
from polygeom.dimensions.proofs.rules import span
from polygeom.engines.dual_numbers import dual_jacobian
from polygeom.engines.exact import ExactEngine
from polygeom.engines.symbolic import jacobian_rank
from polygeom.network import mlp, parse
from polygeom.network.limits import capped_monomials

P = 4194301


@cache
def true_dimension(widths: Widths, degrees: Degrees) -> int:
    """The generic rank by int64 dual numbers and FLINT: nothing of it is shared with bounds or engine."""
    if not degrees:
        return parameter_count(widths)
    network = mlp(widths, degrees)
    rng = np.random.default_rng((*widths, *degrees))
    weights = {name: rng.integers(1, P, size=shape) for name, shape in network.parameters.items()}
    count = capped_monomials(widths[0], output_degree(degrees), network.parameter_count) + 1
    rows = dual_jacobian(network, P, weights, rng.integers(1, P, size=(count, widths[0])))
    return int(flint.nmod_mat(*rows.shape, rows.ravel().tolist(), P).rank())


def grid(largest: int, layers: int, degrees: tuple[int, ...]) -> Iterator[tuple[Widths, Degrees]]:
    for depth in range(1, layers + 1):
        for widths in itertools.product(range(1, largest + 1), repeat=depth + 1):
            for r in itertools.product(degrees, repeat=depth - 1):
                yield widths, r


SMALL = [case for case in grid(3, 3, (1, 2, 3)) if math.prod(case[1]) <= 6]
LARGE_PART = 60
"""Parts with more parameters are left out when their true dimension is asked for."""


def steps(cases: list[tuple[Widths, Degrees]]) -> Iterator[tuple[str, int, int, Widths, Degrees]]:
    """Every rule that applies to every architecture: its name, what it says with true dimensions, and the truth."""
    for widths, degrees in cases:
        for rule, _, constant, parts in reductions(widths, degrees):
            if all(parameter_count(w) <= LARGE_PART for w, r in parts if r):
                said = constant + sum(true_dimension(*part) for part in parts)
                yield rule, said, true_dimension(widths, degrees), widths, degrees


CLOSED = {"ambient", "parameters", "quadrics", "Veronese", "Segre–Veronese"}
PERCEPTRONS = {name for name, rule in RULES.items() if rule.perceptrons is not None}

EXTRA = [
    ((4, 6, 12, 20, 1), (2, 2, 2)),
    ((4, 8, 1, 1), (2, 2)),
    ((3, 4, 3, 1), (2, 2)),
    ((4, 4, 3, 1), (2, 2)),
    ((4, 5, 3, 1), (2, 2)),
    ((2, 3, 4, 2), (2, 3)),
    ((2, 3, 3, 3, 2), (2, 2, 2)),
    ((2, 3, 3, 4, 1), (2, 2, 2)),
    ((2, 3, 3, 6, 6, 3), (2, 2, 2, 2)),
    ((2, 2, 3, 4, 1), (2, 2, 2)),
    ((3, 5, 2, 4, 2), (2, 1, 2)),
    ((2, 4, 2, 3, 3), (2, 1, 2)),
    ((1, 4, 3, 2, 1), (2, 2, 2)),
    ((2, 6, 3, 4, 2), (3, 1, 3)),
]


@pytest.mark.thorough
def test_each_rule_holds_with_true_dimensions_in_place_of_bounds() -> None:
    """Sharper than comparing bounds: a rule may not lean on the slack of the bounds it is given."""
    applied: Counter[str] = Counter()
    attained: Counter[str] = Counter()
    for rule, said, truth, widths, degrees in steps([*SMALL, *EXTRA]):
        assert said >= truth, (rule, widths, degrees, said, truth)
        if rule in ("idle layer", "surplus"):
            assert said == truth, (widths, degrees)
        applied[rule] += 1
        attained[rule] += said == truth
    assert set(applied) == PERCEPTRONS - CLOSED
    assert {rule for rule in applied if not attained[rule]} == {"pencil"}  # it is attained by larger networks only
    assert attained["inputs"] == applied["inputs"]  # the rule is an equality


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_each_rule_holds_on_larger_grids() -> None:
    large = [*grid(5, 3, (1, 2, 3)), *grid(3, 4, (1, 2, 3)), *grid(2, 6, (1, 2))]
    for rule, said, truth, widths, degrees in steps([c for c in large if math.prod(c[1]) <= 27]):
        assert said >= truth, (rule, widths, degrees, said, truth)


def two_layer_theorem(widths: Widths, r: int) -> tuple[int, str] | None:
    """The bound of a theorem about two layers and its name, if one is listed."""
    rules = [RULES[name] for name in ("quadrics", "Veronese", "Segre–Veronese")]
    return next(
        ((found.constant, rule.name) for rule in rules for found in rule.perceptrons(widths, (r,), 10**9)), None
    )


def test_closed_forms_hold_and_are_attained() -> None:
    names: Counter[str] = Counter()
    for n, s, m, r in itertools.product(range(1, 7), range(1, 8), range(1, 4), (2, 3, 4)):
        if m * monomials(n, r) > 130 or s * (n + m) > 90:
            continue
        widths, truth = (n, s, m), true_dimension((n, s, m), (r,))
        assert truth <= parameters_bound(widths, (r,))
        assert truth <= ambient_dimension(widths, (r,))
        theorem = two_layer_theorem(widths, r)
        if theorem is not None:
            assert theorem[0] == truth, (widths, r)
            names[theorem[1]] += 1
    assert set(names) == {"quadrics", "Veronese", "Segre–Veronese"}


@pytest.mark.thorough
def test_every_small_dimension_is_the_bound() -> None:
    for widths, degrees in [*SMALL, *EXTRA]:
        bound = upper_bound(widths, degrees)
        assert bound.value == true_dimension(widths, degrees), (widths, degrees, str(bound))
        assert bound.value <= min(expected_dimension(widths, degrees), parameters_bound(widths, degrees))
        assert check(bound)


@pytest.mark.parametrize(
    ("widths", "degrees", "rule", "value"),
    [
        ((3, 2), (), "parameters", 6),
        ((2, 3, 1), (2,), "ambient", 3),
        ((3, 2, 3), (1,), "parameters", 8),
        ((3, 4, 2, 1), (1, 2), "idle layer", 5),
        ((4, 3, 1), (2,), "quadrics", 9),
        ((5, 7, 1), (3,), "Veronese", 34),
        ((4, 5, 3), (2,), "Segre–Veronese", 29),
        ((2, 3, 4, 5, 4, 1), (2, 2, 2, 2), "ambient", 17),
        ((5, 5, 5, 1), (2, 2), "rotations", 35),
        ((3, 5, 2, 3, 3, 2), (3, 1, 2, 2), "cut", 25),
        ((2, 1, 2, 2), (2, 2), "surplus", 3),
        ((2, 3, 2, 1, 1), (2, 2, 2), "lift", 5),
        ((3, 2, 1, 3), (2, 2), "inputs", 7),
        ((3, 5, 6), (2,), "outputs", 35),
        ((2, 3, 3, 6, 6, 3), (2, 2, 2, 2), "hypersurface", 48),
    ],
)
def test_a_bound_of_each_rule(widths: Widths, degrees: Degrees, rule: str, value: int) -> None:
    bound = upper_bound(widths, degrees)
    assert (bound.rule, bound.value, check(bound)) == (rule, value, True)
    assert true_dimension(widths, degrees) == value


@pytest.mark.parametrize(
    ("widths", "degrees", "rule", "layer", "constant"),
    [
        ((5, 2, 3), (2,), "inputs", 0, 2 * 3),
        ((3, 2, 5), (2,), "outputs", 0, 3 * 2),
        ((1, 1, 5), (2,), "outputs", 0, 4),
        ((2, 2, 4, 6, 1), (2, 2, 2), "surplus", 0, 0),
        ((4, 5, 3, 1), (2, 2), "rotations", 0, -3),
        ((3, 3, 3, 3), (2, 2), "cut", 2, -3),
        ((3, 5, 2, 3, 3), (3, 1, 2), "cut", 2, -4),
        ((2, 3, 4, 2), (2, 2), "lift", 2, 0),
        ((3, 5, 4, 2), (2, 2), "span", 1, 5),
        ((3, 5, 14, 2), (2, 2), "span", 2, 14),
        ((3, 5, 30, 50, 1), (3, 3, 3), "identifications", 1, -5),
        ((4, 8, 35, 22), (2, 2), "pencil", 1, 15),
        ((2, 3, 3, 6, 6, 3), (2, 2, 2, 2), "hypersurface", 2, -3),
        ((2, 4, 3, 7, 4, 2), (3, 1, 3, 3), "hypersurface", 2, -9),
    ],
)
def test_constants_of_the_rules(widths: Widths, degrees: Degrees, rule: str, layer: int, constant: int) -> None:
    assert (rule, layer, constant) in [found[:3] for found in reductions(widths, degrees)]


def test_every_rule_of_ours_is_explained_in_the_documentation() -> None:
    documentation = of_the_repository("docs/dimension.md").read_text(encoding="utf-8")
    ours = [name for name in PERCEPTRONS if RULES[name].perceptrons.__module__.startswith("polygeom.")]
    assert len(ours) >= 16
    for rule in ours:
        assert re.search(rf"^{rule}( at layer .*)?$\n: ", documentation, re.MULTILINE), rule


@pytest.mark.parametrize(
    ("widths", "degrees"),
    [((1, 5, 3, 1), (2, 2)), ((2, 5, 4, 1), (2, 2)), ((3, 3, 2, 1), (2, 3)), ((3, 3, 3, 2), (2, 2))],
)
def test_rotations_need_independent_quadrics(widths: Widths, degrees: Degrees) -> None:
    """One input has one monomial, two have three squares: more forms than that are dependent; nor other degrees."""
    assert "rotations" not in [rule for rule, *_ in reductions(widths, degrees)]


def test_rotations_would_be_wrong_without_independence() -> None:
    widths = (2, 5, 6, 1)
    assert true_dimension(widths, (2, 2)) > true_dimension(widths[:-1], (2,)) - 15


def test_feature_span_is_a_lower_bound_for_the_span() -> None:
    """The activations of the last hidden layer at many points, by Python integers and FLINT."""
    engine, tight = ExactEngine(), 0
    for widths, degrees in [*grid(4, 3, (2, 3)), ((2, 3, 4, 9, 20), (2, 2, 2)), ((3, 7, 9), (1,))]:
        rng = np.random.default_rng(widths)
        x = engine.encode(rng.integers(1, 1000, size=(widths[-2] + 2, widths[0])))
        for n, m, r in zip(widths, widths[1:], degrees, strict=False):
            x = engine.power(engine.linear(x, engine.encode(rng.integers(1, 1000, size=(m, n)))), r)
        rank = flint.nmod_mat(*x.shape, [int(c) % P for c in x.flat], P).rank()
        assert feature_span(widths, degrees) <= rank <= widths[-2], (widths, degrees)
        assert span(widths, degrees) <= rank, (widths, degrees)
        tight += feature_span(widths, degrees) == rank
    assert tight > 500


ARCHITECTURES = st.integers(1, 6).flatmap(
    lambda depth: st.tuples(
        st.lists(st.integers(1, 6), min_size=depth + 1, max_size=depth + 1).map(tuple),
        st.lists(st.integers(1, 4), min_size=depth - 1, max_size=depth - 1).map(tuple),
    )
)


@pytest.mark.thorough
@given(ARCHITECTURES)
def test_every_tree_passes_the_check_and_survives_json(case: tuple[Widths, Degrees]) -> None:
    bound = upper_bound(*case)
    assert check(bound)
    assert msgspec.convert(json.loads(json.dumps(bound.as_dict())), Bound) == bound
    assert bound.value <= expected_dimension(*case)
    assert len(str(bound)) <= 300
    assert str(bound).startswith(bound.rule)


def _nodes(bound: Bound) -> list[tuple[int, ...]]:
    """Paths to all nodes of a tree."""
    return [(), *((k, *path) for k, part in enumerate(bound.parts) for path in _nodes(part))]


def _replace(bound: Bound, path: tuple[int, ...], changes: dict[str, object]) -> Bound:
    if not path:
        return dataclasses.replace(bound, **changes)  # type: ignore[arg-type]
    parts = list(bound.parts)
    parts[path[0]] = _replace(parts[path[0]], path[1:], changes)
    return dataclasses.replace(bound, parts=tuple(parts))


@pytest.mark.thorough
@given(ARCHITECTURES, st.data())
@settings(max_examples=80)
def test_no_tampered_tree_bounds_too_little(case: tuple[Widths, Degrees], data: st.DataObject) -> None:
    """Whatever a changed tree says, the check refuses it unless it is a proof of a bound that is not smaller."""
    bound = upper_bound(*case)
    path = data.draw(st.sampled_from(_nodes(bound)))
    change = data.draw(
        st.one_of(
            st.integers(-3, 3).filter(bool).map(lambda by: {"value": by}),
            st.sampled_from([*sorted(PERCEPTRONS), ""]).map(lambda rule: {"rule": rule}),
            st.just({"parts": ()}),
            st.integers(0, 5).map(lambda layer: {"layer": layer}),
        )
    )
    node = bound
    for k in path:
        node = node.parts[k]
    changes = {"value": node.value + change["value"]} if "value" in change else change
    tampered = _replace(bound, path, changes)
    if check(tampered):
        assert tampered.value >= bound.value
        assert (tampered.widths, tampered.degrees) == case


def test_a_lower_value_all_along_a_branch_is_refused() -> None:
    bound = upper_bound((2, 3, 3, 6, 6, 3), (2, 2, 2, 2))
    for path in _nodes(bound):
        tampered = bound
        for length in range(len(path) + 1):
            node = bound
            for k in path[:length]:
                node = node.parts[k]
            tampered = _replace(tampered, path[:length], {"value": node.value - 1})
        assert not check(tampered), path


@pytest.mark.parametrize("depth", [60, pytest.param(300, marks=pytest.mark.slow)])
def test_bounds_of_deep_networks_are_quick(depth: int) -> None:
    widths = tuple(2 + (7 * k * k + k) % 5 for k in range(depth + 1))
    started = time.process_time()
    bound = upper_bound(widths, (2,) * (depth - 1))
    assert check(bound)
    assert time.process_time() - started < 10


def test_huge_numbers_are_met_without_computing_them() -> None:
    started = time.process_time()
    for widths, degrees in [
        ((10**6, 10**6, 10**6, 1), (10**6, 10**6)),
        ((1000, 1001, 2000, 1000, 5), (10**6, 2, 10**6)),
        ((2, 3, 4, 5, 4, 3, 2), (10**6,) * 5),
        ((2, 3) * 40, (1000, 2) * 39),
    ]:
        assert check(upper_bound(widths, degrees))
    forged = Bound(7, "ambient", (10**30, 5, 1), (10**9,))
    assert not check(forged)
    assert time.process_time() - started < 5


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 500))
def test_capped_counts(n: int, degree: int, cap: int) -> None:
    assert capped_monomials(n, degree, cap) == min(monomials(n, degree), cap)


@given(ARCHITECTURES)
def test_idle_layers_change_nothing_that_is_counted(case: tuple[Widths, Degrees]) -> None:
    widths, degrees = without_idle_layers(*case)
    assert (widths[0], widths[-1]) == (case[0][0], case[0][-1])
    assert output_degree(degrees) == output_degree(case[1])
    assert without_idle_layers(widths, degrees) == (widths, degrees)
    assert ambient_dimension(widths, degrees) == ambient_dimension(*case)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("[2,2,1] r=2 bias", {"ambient": 6, "symmetries": 7, "homogenised": 6}),
        ("lightning_attention(tokens=1,features=4,rank=1,outputs=2)", {"one token": 14, "symmetries": 14}),
        ("lightning_attention(tokens=1,features=3,rank=2,outputs=2)", {"one token": 11}),
        ("lightning_attention(tokens=2,features=3,rank=1,outputs=2)", {"symmetries": 10}),
        ("convolutional(5,kernels=[3,2],degrees=2)", {"symmetries": 4}),
        ("ccp(2,rank=2,degree=3)", {"ambient": 9}),
    ],
)
def test_bounds_of_other_families(text: str, values: dict[str, int]) -> None:
    network = parse(text)
    rules = {bound.rule: bound.value for bound in network_bounds(network)}
    assert values.items() <= rules.items()
    assert min(rules.values()) >= jacobian_rank(network)


@pytest.mark.parametrize(
    "text",
    [
        "[2,2,1] p=0,1,1 bias",
        "[2,2,1] r=2",
        "x=input(2); a=dense(x,2); b=bias(a); c=power(b,2); d=sum(c,b); dense(d,1)",
        "[2,2,2,2,1] r=2 bias tied",
        "x=input(2); a=bias(x); b=power(a,2); dense(b,1)",
    ],
)
def test_only_perceptrons_with_biases_are_homogenised(text: str) -> None:
    assert "homogenised" not in [bound.rule for bound in network_bounds(parse(text))]


def test_biases_in_some_layers_only_are_homogenised_too() -> None:
    network = parse("x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,2); d=bias(c); e=power(d,2); dense(e,1)")
    rules = {bound.rule: bound for bound in network_bounds(network)}
    assert rules["homogenised"].value == upper_bound((3, 3, 3, 1), (2, 2)).value
    assert min(b.value for b in rules.values()) >= jacobian_rank(network)


def test_a_cut_subtracts_a_whole_group_only_where_features_are_independent() -> None:
    """Three squares of one input are one function: three may be subtracted and not nine, which would bound 2 by 0."""
    widths, degrees = (1, 3, 3, 2), (2, 1)
    assert orbit(widths, degrees, 2) == 3
    assert orbit((3, 3, 2, 3), (2, 1), 2) == 4
    rule = RULES["cut"].perceptrons
    assert rule is not None
    true = jacobian_rank(mlp(widths, degrees))
    for constant, parts, *_ in rule(widths, degrees, 10**6):
        assert constant + sum(jacobian_rank(mlp(w, r)) for w, r in parts) >= true
