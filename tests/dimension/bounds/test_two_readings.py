"""Cuts, parts and what they absorb: the search reads a network as a graph, the checker its text, and they agree."""

from __future__ import annotations

import random
from collections import Counter
from functools import cache

import numpy as np
import pytest
from dimension.bounds.random_networks import networks

from polygeom.dimensions.bounds import graphs, spaces
from polygeom.dimensions.bounds.bound import RULES
from polygeom.dimensions.bounds.rules.graphs import cut as cut_rule
from polygeom.dimensions.bounds.rules.products import hypersurface
from polygeom.dimensions.proofs.graphs import bounds, cuts, parts, products, steps
from polygeom.dimensions.proofs.graphs.parts import Lines, canonical
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.programs import Program, from_lines, read
from polygeom.dimensions.proofs.rules import Step
from polygeom.dimensions.proofs.symmetries import torus
from polygeom.dimensions.proofs.texts import statements
from polygeom.engines.prime_field import PrimeFieldEngine
from polygeom.modular import P22, PrimeField
from polygeom.network import Network, parse
from polygeom.symmetry.gauge import torus_rank

OWN = [
    "x=input(2); a=dense(x,3); b=power(a,2); c=dense(b,2); d=dense(b,2); e=product(c,d); dense(e,1)",
    "x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,2); sum(x,c)",
    "x=input(2); a=dense(x,2); b=bias(a); c=power(b,2); d=dense(c,3); e=bias(d); f=polynomial(e,[1,1,1]); dense(f,2)",
    "x=input(2); a=dense(x,2); b=dense(x,2); c=sum(a,b); d=bias(c); e=power(d,2); f=dense(e,2); g=bias(f); power(g,3)",
    "x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,2); u=dense(c,2); v=dense(c,2); w=bias(u); product(w,v)",
    "x=input(1); a=dense(x,4); b=power(a,2); c=bias(b); d=dense(c,5); power(d,2)",
    "x=input(2); a=dense(x,4); b=bias(a); c=power(b,1); d=dense(c,5); e=bias(d); power(e,2)",
]


@cache
def some() -> tuple[Network, ...]:
    drawn = networks(random.Random(11), 40, 60)
    return (*map(parse, OWN), *(next(drawn) for _ in range(60)))


def lines(network: Network) -> Lines:
    return canonical(statements(graphs.plain_text(network)))


def program(network: Network) -> Program:
    return read(graphs.plain_text(network))


@pytest.mark.thorough
def test_networks_are_cut_at_the_same_values() -> None:
    """And what computes the value and what reads it have the weights of the network between them."""
    seen: Counter[str] = Counter()
    field = PrimeField(P22)
    for network in some():
        whole = program(network)
        if len(parts.lines_of(whole)) != len(network.nodes):
            continue  # a family that is written in one word
        found = graphs.cuts(network)
        assert list(found) == [v for v in range(len(network.nodes) + 1) if cuts.Cut(whole, v).holds], network.text
        for v in found:
            one = cuts.Cut(whole, v)
            lower, upper = graphs.below(network, v), graphs.above(network, v)
            assert (lines(lower), lines(upper)) == (canonical(one.below), canonical(one.above([]))), network.text
            assert lower.parameter_count + upper.parameter_count == network.parameter_count
            assert (lower.output_shape, upper.input_shape) == (network.shapes[v],) * 2
            assert graphs.size(lower) < graphs.size(network)
            assert composed(network, lower, upper, field)
            assert graphs.mixes_output(lower) == parts.mixes(from_lines(one.below))
            for shift in (False, True):
                assert lines(graphs.outer(network, v, shift)) == canonical(one.outer(shift)), (network.text, v, shift)
                agreed = graphs.independent(lower, shift)
                assert agreed == cuts.independent(from_lines(one.below), shift, Budget()), (network.text, v, shift)
                seen[f"independent {shift} {agreed}"] += 1
                seen[f"absorbs {shift} {(graphs.absorbs_shift if shift else graphs.absorbs_mixing)(upper)}"] += 1
            if len(network.shapes[v]) == 1 and (known := graphs.monomials_of(lower)) is not None:
                assert known == steps._space(one, Budget()), (network.text, v)
                seen[f"constant {known[1]}"] += 1
            assert torus_rank(lower) == torus(from_lines(one.below), Budget())
            seen[f"mixes {graphs.mixes_output(lower)}"] += 1
            seen[f"shifts {graphs.shifts_output(lower)}"] += 1
    every = {f"{what} {answer}" for what in ("mixes", "shifts", "constant") for answer in (True, False)}
    every |= {
        f"{what} {shift} {answer}"
        for what in ("independent", "absorbs")
        for shift in (0 > 1, True)
        for answer in (True, False)
    }
    assert every <= seen.keys(), every - seen.keys()


def composed(network: Network, lower: Network, upper: Network, field: PrimeField) -> bool:
    """Whether the network is the upper part after the lower one, at random weights."""
    rng = np.random.default_rng(1)
    engine = PrimeFieldEngine(field)
    weights = {name: field.random(rng, shape) for name, shape in network.parameters.items()}
    values = list(weights.values())
    point = field.random(rng, (2, *network.input_shape))
    try:
        whole = network.evaluate(engine, weights, point)
        for order in (False, True):
            first = [*values] if not order else values[-len(lower.parameters) :]
            below = dict(zip(lower.parameters, first, strict=False))
            rest = values[len(lower.parameters) :] if not order else values[: -len(lower.parameters) or None]
            above = dict(zip(upper.parameters, rest, strict=False))
            if any(below[n].shape != tuple(s) for n, s in lower.parameters.items()):
                continue
            if any(above[n].shape != tuple(s) for n, s in upper.parameters.items()):
                continue
            there = upper.evaluate(engine, above, lower.evaluate(engine, below, point))
            if np.array_equal(np.asarray(there), np.asarray(whole)):
                return True
    except ArithmeticError:
        return True
    return False


def test_closed_parts_are_the_same() -> None:
    """The search leaves out those of one statement, those without weights, and the whole network."""
    found = 0
    for network in some():
        written = parts.lines_of(program(network))
        if len(written) != len(network.nodes):
            continue
        last = len(network.nodes) - 1
        theirs = [
            (entry, members)
            for entry, members in parts.closed_parts(written, Budget())
            if len(members) > 1 and (entry, members[-1]) != (0, last) and any(network.weight_names[n] for n in members)
        ]
        ours = list(graphs._closed_parts(network))
        assert sorted(ours) == sorted(theirs), network.text
        chosen = list(graphs.cells(network))
        assert all(part in ours for part in chosen)
        taken = [n for _, members in chosen for n in members]
        assert len(taken) == len(set(taken))
        assert all(not set(members).isdisjoint(taken) for _, members in ours), "none is left that would fit"
        assert [len(members) for _, members in chosen] == sorted((len(members) for _, members in chosen), reverse=True)
        for entry, members in chosen:
            part = graphs.region(network, members, entry)
            assert part.input_shape == network.shapes[entry]
            assert part.output_shape == network.shapes[members[-1]]
            found += 1
    assert found > 10


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["graph cut", "graph span", "graph lift"])
def test_what_the_checker_allows_at_a_cut_is_found(name: str) -> None:
    """Every part that gets smaller, with the least constant that the checker takes."""
    allowed = 0
    for network in some():
        whole = program(network)
        if len(parts.lines_of(whole)) != len(network.nodes):
            continue
        found = Counter(
            (one.layer, one.constant, tuple(map(str, map(lines, one.parts))))
            for one in RULES[name].networks(network)  # type: ignore[misc,arg-type]
        )
        wanted: Counter[tuple[int, int, tuple[str, ...]]] = Counter()
        for v in graphs.cuts(network):
            one = cuts.Cut(whole, v)
            lower, m, smaller = from_lines(one.below), one.shape[-1], graphs.size(network)
            counted = len(one.shape) == 1 and graphs.monomials_of(graphs.below(network, v)) is not None
            known = steps._space(one, Budget()) if counted else None  # of high degrees the search counts none
            outers = {shift: canonical(one.outer(shift)) for shift in (False, True)}
            if name == "graph cut":
                upper = canonical(one.above([]))
                loss = torus(lower, Budget()) + torus(from_lines(one.above([])), Budget()) - torus(whole, Budget())
                wanted[v, loss, (str(canonical(one.below)), str(upper))] += 1
                last = lower.layers[-1]
                for shift in (False, True):
                    fits = size(outers[shift]) < smaller and cuts.independent(lower, shift, Budget())
                    if parts.mixes(lower) and fits and (not shift or (last.word == "bias" and last.own)):
                        wanted[v, -m * (m + shift), (str(canonical(one.below)), str(outers[shift]))] += 1
            elif known is not None:
                space, constant = known
                for shift in (False, True)[: 1 + constant]:
                    if name == "graph span" and m < space - shift and size(outers[shift]) < smaller:
                        wanted[v, m * (space - shift - m), (str(outers[shift]),)] += 1
                    lifted = canonical(one.outer(shift, (space - shift,))) if space > shift else None
                    if name == "graph lift" and lifted is not None and size(lifted) < smaller:
                        wanted[v, 0, (str(lifted),)] += 1
        assert found == wanted, network.text
        allowed += wanted.total()
    assert allowed > 10


def size(written: Lines) -> tuple[int, int]:
    return len(written), from_lines(written).weights


def test_rules_about_graphs_leave_large_networks_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    network = parse(OWN[1])
    for name in ("graph cut", "graph span", "graph lift", "cells"):
        module = __import__(RULES[name].networks.__module__, fromlist=["x"])  # type: ignore[union-attr]
        expected = list(RULES[name].networks(network))  # type: ignore[misc]
        with monkeypatch.context() as patch:
            patch.setattr(module, "MOST_NODES", len(network.nodes))
            assert list(RULES[name].networks(network)) == expected  # type: ignore[misc]
            patch.setattr(module, "MOST_NODES", len(network.nodes) - 1)
            assert list(RULES[name].networks(network)) == []  # type: ignore[misc]
    assert cut_rule.MOST_NODES == graphs.MOST_NODES


ASKED = [
    "graph cut",
    "graph span",
    "graph lift",
    "graph outputs",
    "graph surplus",
    "shifted square",
    "one token at a time",
]


@pytest.mark.thorough
def test_the_checker_follows_rules_where_the_search_does() -> None:
    """With whatever some rule says about a network, at its place or another, put to every rule: accepted or refused."""
    drawn = networks(random.Random(31), 24, 30)
    followed: Counter[str] = Counter()
    for network in (*map(parse, OWN), *(next(drawn) for _ in range(12))):
        whole, listed = program(network), dict[str, set[tuple[int, str]]]()
        proposed: dict[tuple[int, str], tuple[int, tuple[Network, ...]]] = {}
        for name in (*ASKED, "cells", "graph hypersurface"):
            every = list(RULES[name].networks(network))  # type: ignore[misc]
            listed[name] = {(one.layer, str(list(map(as_step, one.parts)))) for one in every}
            for one in every:
                for layer in {one.layer, one.layer + 1, 0}:
                    for some_parts in {one.parts, one.parts[:1], one.parts[::-1], (*one.parts, *one.parts[:1])}:
                        proposed[layer, str(list(map(as_step, some_parts)))] = (layer, some_parts)  # type: ignore[assignment]
        for key, (layer, some_parts) in proposed.items():
            for name in listed:
                step = Step(10**6, name, [], [], layer, list(map(as_step, some_parts)))
                held, allowed = bounds._instance(whole, step, Budget(60, 2**30)), key in listed[name]
                if name in ASKED:
                    assert held == allowed, (network.text, name, key)
                else:  # it takes some of the cells as well, and equations that the search does not follow
                    assert held or not allowed, (network.text, name, key)
                followed[name] += held
    assert set(followed) >= {"graph cut", "graph span", "graph lift", "graph outputs", "shifted square", "cells"}, (
        followed
    )


def as_step(part: Network) -> Step:
    """A part of a proof about this network; nothing is said of its value."""
    if part.widths is not None and part.activation_degrees is not None:
        return Step(100, "x", list(part.widths), list(part.activation_degrees), 0, [])
    return Step(100, "x", [], [], 0, [], graphs.plain_text(part))


@pytest.mark.thorough
def test_two_cuts_are_read_alike() -> None:
    """Monomials between them, equations of values at the first, and powers of linear forms."""
    seen: Counter[str] = Counter()
    for network in (*some(), *map(parse, PAIRED)):
        whole = program(network)
        if len(parts.lines_of(whole)) != len(network.nodes):
            continue
        ours = {(one.first, one.second): one.degrees for one in spaces.pairs(network)}
        for v in graphs.cuts(network):
            first = cuts.Cut(whole, v)
            known = spaces.powers_of_forms(network, v)
            assert (products._forms(first) or None) == (None if known is None else tuple(known)), (network.text, v)
            seen["powers"] += known is not None
            for second, counts in products._later(first, Budget()):
                if (v, second.v) not in ours:
                    continue  # of high degrees the search counts none
                assert ours.pop((v, second.v)) == counts, (network.text, v, second.v)
                pair = spaces.Cuts(v, second.v, counts)
                left = products._left(first, counts, Budget())
                assert left == hypersurface._space(network, pair), (network.text, v, second.v)
                seen["equations"] += left < sum(counts.values())
        assert not ours, network.text
    assert min(seen["powers"], seen["equations"]) > 5, seen


PAIRED = [
    "x=input(2); a=dense(x,3); b=power(a,2); c=dense(b,2); d=dense(b,2); e=product(c,d); dense(e,1)",
    "x=input(2); a=dense(x,3); b=power(a,2); u=dense(b,3); c=dense(u,2); d=dense(u,2); e=product(c,d); dense(e,1)",
    "x=input(1); a=dense(x,2); b=polynomial(a,[0,1,1]); u=dense(b,2); c=dense(u,2); polynomial(c,[0,1,1])",
    "x=input(1); a=dense(x,2); b=polynomial(a,[0,1,1]); c=dense(b,2); u=bias(c); d=dense(u,3); power(d,4)",
    "x=input(1); a=dense(x,2); b=polynomial(a,[1,1,1]); c=dense(b,2); d=dense(c,3); polynomial(d,[0,1,0,1])",
    "x=input(2); a=dense(x,3); b=power(a,2); c=dense(b,4); d=power(c,4); dense(d,1)",
    "x=input(2); a=dense(x,3); b=power(a,3); c=dense(b,2); d=dense(c,3); e=power(d,3); f=dense(e,2); power(f,2)",
    "x=input(3); a=dense(x,4); b=bias(a); c=power(b,2); d=dense(c,2); e=power(d,9); dense(e,1)",
]
