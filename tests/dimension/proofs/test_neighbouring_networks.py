"""What the checker takes for a step about any network: put to networks that differ in one word, number or arrow.

What a rule says of one of them, at this place or another and with more or fewer parts, is put to the others, and
accepted where the search says it as well. The search reads a network as a graph, the checker its text.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache, partial
from typing import Any

import pytest
from dimension.bounds.test_rules import CASES

from polygeom.dimensions import dimension
from polygeom.dimensions.bounds.bound import RULES, Instance
from polygeom.dimensions.bounds.graphs import plain_text, size
from polygeom.dimensions.proofs.graphs import bounds
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.programs import read
from polygeom.dimensions.proofs.rules import Step
from polygeom.errors import PolygeomError
from polygeom.network import Network, mlp, parse
from polygeom.network.text import programs

EXACT = ["one token", "quadratic function", "heads of full rank", "one token at a time", "graph outputs", "homogenised",
         "graph surplus", "shifted square", "completed square", "graph span", "graph lift", "graph cut"]  # fmt: skip
"""Rules of which the search says all that the checker takes, but for larger constants."""
LOOSE = ["cells", "graph hypersurface"]
"""Rules of which the checker takes more than the search says: true inequalities between dimensions."""
WORDS = {"sum": "product", "product": "sum", "power": "polynomial", "polynomial": "power", "attention": "dense",
         "dense": "scale", "bias": "scale", "scale": "bias"}  # fmt: skip
LISTS = ["[0,1,1]", "[1,1,1,1]", "[1,1,1]", "[1,2,1]", "[0,0,1,1]", "[1,0,1]"]
MORE = {
    "graph span": ["x=input(2); a=dense(x,1); b=power(a,2); c=dense(b,2); power(c,2)"],
    "graph cut": ["x=input(2); a=dense(x,2); b=bias(a); c=dense(b,2); d=bias(c); e=power(d,2); dense(e,1)"],
    "graph outputs": [
        "x=input(2); a=dense(x,3); b=bias(a); c=power(b,2); d=dense(c,1); e=dense(d,3); bias(e)",
        "x=input(2,2); a=dense(x,1); b=power(a,2); dense(b,3)",
    ],
    "graph surplus": [
        "x=input(1); a=dense(x,4); power(a,2)",
        "x=input(2,1); a=dense(x,3); b=power(a,2); dense(b,1)",
        "x=input(1); a=dense(x,4); b=bias(a); c=power(b,2); d=dense(c,2); sum(d,d)",
    ],
    "shifted square": ["[2,2,2] p=1,1,1"],
    "one token at a time": ["x=input(2,3); a=dense(x,2); b=power(a,2); sum(b,a)"],
    "completed square": [
        "x=input(2); a=dense(x,2); b=bias(a); c=dense(b,2); d=bias(c); e=polynomial(d,[0,1,1]); f=dense(e,1); bias(f)",
    ],
    "quadratic function": [
        "[2,2,1] p=1,1,1",
        "x=input(3); a=dense(x,2); b=bias(a); c=polynomial(b,[2,4,2]); dense(c,1)",
    ],
}
COSTLY = {"graph cut": 2, "graph span": 5, "graph lift": 5, "graph hypersurface": 4}
"""Rules for which some of the networks have to do."""
OTHERS = 4
"""To how many of the others a step is put."""


def one_change(text: str) -> Iterator[str]:
    """Programs that differ in one place; not all of them are networks."""
    lines = text.split("; ")
    for k, line in enumerate(lines):
        if k == 0:
            changes = [re.sub(r"\d+\)$", lambda m: f"{int(m[0][:-1]) + 1})", line), line.replace("(", "(2,", 1)]
        else:
            head, word, rest = re.fullmatch(r"(x\d+=)?([a-z]+)\((.*)\)", line).groups()  # type: ignore[union-attr]
            head, changes = head or "", []
            if word in WORDS:
                new = WORDS[word]
                only = ",".join(part for part in rest.split(",") if part[0] == "x")
                tail = {"polynomial": ",[0,1,1]", "power": ",2", "dense": ",2"}.get(new, "")
                changes.append(f"{head}{new}({only}{tail})")
            for found in re.finditer(r"(?<=,)\d+(?=,|$)", rest):
                for number in (int(found[0]) + 1, int(found[0]) - 1):
                    if "[" not in rest:
                        changes.append(f"{head}{word}({rest[: found.start()]}{number}{rest[found.end() :]})")
            for found in re.finditer(r"x(\d+)", rest):
                for j in range(k):
                    if j != int(found[1]):
                        changes.append(f"{head}{word}({rest[: found.start()]}x{j}{rest[found.end() :]})")
            if word == "polynomial":
                changes += [f"{head}{word}({rest.partition(',')[0]},{other})" for other in LISTS if other not in rest]
            if word in ("dense", "bias"):
                same = [j for j in range(k) if re.match(rf"x\d+={word}\(", lines[j])]
                changes += [f"{head}{word}({rest},shares=x{j})" for j in same]
        yield from ("; ".join([*lines[:k], changed, *lines[k + 1 :]]) for changed in changes)
    for k in range(1, len(lines)):  # a bias behind a statement
        later = [re.sub(r"x(\d+)", lambda m, k=k: f"x{int(m[1]) + (int(m[1]) >= k)}", line) for line in lines[k:]]
        yield "; ".join([*lines[:k], f"x{k}=bias(x{k - 1})", *later])
    yield f"{text.rpartition('; ')[0]}; x{len(lines) - 1}={lines[-1]}; bias(x{len(lines) - 1})"


def networks_around(text: str) -> list[Network]:
    whole = parse(text)
    found = {whole.text: whole}
    for changed in one_change(programs.write(whole.nodes)):
        try:
            network = parse(changed)
        except PolygeomError:
            continue
        found.setdefault(network.text, network)
    return list(found.values())


def as_part(part: object) -> Step:
    """A part of a proof about this network; nothing is said of why its value is 100."""
    if isinstance(part, tuple):
        return Step(100, "x", list(part[0]), list(part[1]), 0, [])
    assert isinstance(part, Network)
    if part.widths is not None and part.activation_degrees is not None:
        return Step(100, "x", list(part.widths), list(part.activation_degrees), 0, [])
    return Step(100, "x", [], [], 0, [], plain_text(part))


Said = tuple[int, int, tuple[object, ...]]
"""Layer, constant, parts."""


def altered(said: Said, last: int) -> Iterator[Said]:
    layer, constant, parts = said
    yield from ((other, constant, parts) for other in {0, layer - 1, layer + 1, last} if other != layer and other >= 0)
    yield layer, constant - 1, parts
    yield from (
        (layer, constant, other)
        for other in {parts[:-1], parts[1:], parts[::-1], (*parts, *parts[:1])}
        if other != parts
    )
    if not parts:
        yield layer, constant - 100, (((2, 2), ()),)


@pytest.mark.parametrize("rule", [*EXACT, "cells", pytest.param("graph hypersurface", marks=pytest.mark.thorough)])
def test_steps_put_to_neighbouring_networks(rule: str) -> None:
    draw, met = random.Random(rule), Counter[bool]()
    for text in [*CASES[rule], *MORE.get(rule, [])]:
        around = networks_around(text)
        if rule in COSTLY:
            around = [around[0], *draw.sample(around[1:], min(COSTLY[rule], len(around) - 1))]
        said = {network.text: instances(rule, network) for network in around}
        for network in around:
            own, last = said[network.text], len(network.nodes) - 1
            others = {one for name in draw.sample(list(said), min(OTHERS, len(said))) for one in said[name]}
            others |= said[around[0].text]
            if rule in ONE_CHANGE:  # parts are such neighbours
                layers = range(last + 1) if rule == "graph surplus" else (0,)
                others |= {
                    (layer, 50, (part,)) for layer in layers for part in draw.sample(around, min(8, len(around)))
                }
            program = read(plain_text(network))
            for one in {*own, *others, *(wrong for right in own for wrong in altered(right, last))}:
                layer, constant, parts = one
                made = [as_part(part) for part in parts]
                step = Step(max(0, constant + 100 * len(made)), rule, [], [], layer, made)
                known = [c for at, c, same in own if (at, list(map(as_part, same))) == (layer, made)]
                takes = constant in known if rule in FORMULAS else any(c <= constant for c in known)
                if not known and any(map(partial(as_large, network), parts)):
                    continue  # of no use to the search
                accepted = bounds._instance(program, step, Budget(60, 2**30))
                if rule in LOOSE and accepted and not takes:
                    assert constant + sum(map(true_dimension, parts)) >= true_dimension(network)
                else:
                    assert accepted is takes, (network.text, one)
                met[takes] += 1
    assert min(met[True], met[False]) > 4


@cache
def true_dimension(part: Any) -> int:
    return dimension(mlp(*part) if isinstance(part, tuple) else part).lower


def as_large(network: Network, part: object) -> bool:
    return isinstance(part, Network) and size(part) >= size(network)


ONE_CHANGE = ("graph outputs", "graph surplus", "shifted square", "one token at a time")
FORMULAS = ("one token", "quadratic function", "heads of full rank")


def instances(rule: str, network: Network) -> set[Said]:
    found: list[Instance] = list(RULES[rule].networks(network))  # type: ignore[misc,arg-type]
    return {(one.layer, one.constant, tuple(one.parts)) for one in found}
