"""Honest certificates of all kinds: perceptrons, graphs by every rule of their own, maps, ideals of all, frontiers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import lru_cache

from certificates.truths import DIMENSIONS, FRONTIERS, TRUTHS, Data

from polygeom.dimensions import certify as certify_dimension
from polygeom.dimensions.bounds.bound import RULES, Bound
from polygeom.dimensions.bounds.search import part_bound
from polygeom.dimensions.frontier.search import frontier
from polygeom.ideal import interpolate
from polygeom.ideal.proofs.certificate import certify as certify_ideal
from polygeom.network import parse

BY_RULE = {
    "graph cut": ["[2,2,1] r=2 bias", "x=input(2); a=dense(x,2); b=power(a,2); c=sum(b,a); dense(c,1)"],
    "graph span": ["[2,1,2] p=1,1,1", "x=input(1); a=dense(x,2); b=bias(a); c=power(b,2); d=dense(c,2); scale(d)"],
    "graph lift": ["[2,3,1] p=0,1,1", "x=input(1); a=dense(x,3); b=power(a,2); c=dense(b,2); scale(c)"],
    "cells": [
        "x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,2); sum(x,c)",
        "x=input(2); a=dense(x,1); b=dense(a,2); c=dense(x,1); d=dense(c,2); product(b,d)",
    ],
    "one token at a time": ["x=input(2,2); a=dense(x,2); b=power(a,2); c=bias(b); sum(c,x)"],
    "graph outputs": ["[1,1,3] r=2 bias", "x=input(1); a=dense(x,1); b=power(a,2); c=sum(b,a); dense(c,3)"],
    "graph surplus": ["[1,3,1] p=0,1,1", "x=input(1); a=dense(x,2); b=power(a,2); c=dense(b,1); sum(x,c)"],
    "shifted square": ["[2,1,2] p=0,1,2", "x=input(1); a=polynomial(x,[1,1,1]); dense(a,2)"],
    "monomials": ["x=input(2); x2=power(x,2); a=dense(x,1); b=dense(x2,1); s=sum(a,b); power(s,2)"],
    "linear span": ["x=input(2,2); a=attention(x,1,1); b=attention(x,1,1); sum(a,b)"],
    "vector fields": [
        "[2,2,1] p=1,1,1", "x=input(2); a=dense(x,1); b=power(a,2); c=dense(b,2); d=sum(x,c); dense(d,2)",
    ],
    "equations": [
        "x=input(3); a=dense(x,1); b=dense(x,1); c=product(a,b); dense(c,2)",
        "x=input(2); a=dense(x,2); b=power(a,2); c=sum(b,a); dense(c,2)",
    ],
    "graph hypersurface": [
        ("x=input(1); a=dense(x,2); b=polynomial(a,[0,1,1]); u=dense(b,2); c=dense(u,2); d=polynomial(c,[0,1,1]); "
        "dense(d,1)"),
    ],
    "quadratic function": ["[2,1,1] p=1,1,1", "x=input(2); a=dense(x,1); b=power(a,2); c=sum(b,a); dense(c,1)"],
    "heads of full rank": ["x=input(2,2); a=attention(x,2,1); sum(a,a)"],
    "homogenised": ["[2,2,1] r=2 bias"],
    "one token": ["lightning_attention(tokens=1,features=2,rank=1,outputs=2)"],
    "completed square": ["[2,1,2] p=1,0,1 bias", "[1,2,2] p=1,1,1/2 bias"],
}  # fmt: skip
"""Networks whose dimension is bounded by a rule about graphs at the root of the proof."""
GRAPHS = [
    "[1,2,1,1] r=2 bias",
    "[2,2,2] p=0,1,1 bias",
    "x=input(2,1); a=attention(x,1,1); sum(x,a)",
    "convolutional(4,kernels=[2,2],degrees=2)",
    "ccp(2,rank=2,degree=2)",
    "[3,2,2,2,2] p=0,1;0,1;1,1,1",
]
"""Networks whose proofs are those that the search finds."""
MAPS = [
    "map(a,b,c,d: a*d-b*c)",
    "map(a,b: a^2+b^2, 1/(a^2+b^2))",
    "map(x,y,z: x/(y), y/(z), z/(x))",
    "map(s,t: 1/2*s^3-t, (s+t)/(s-t^2))",
    "map(: 1, 2)",
]
"""Scalings; a rotation; a torus of less dimension than parameters; quotients; no parameter."""
IDEALS = [
    "map(s,t: x=s^2, y=s*t, z=t^2, w=s*t/(s+t))",
    "map(s: a=0, b=1/3, c=1/2*s^2, d=s)",
    "map(s,t: x=s/(s+t), y=t/(s+t))",
    "[2,2,1] p=1,1,1",
    "x=input(2); a=dense(x,1); b=power(a,2); c=dense(b,2); sum(x,c)",
    "x=input(2); a=dense(x,1); b=dense(x,1); c=product(a,b); dense(c,2)",
    "convolutional(3,kernels=[1,2],degrees=2)",
]
"""No cone and three generators of two degrees; constants and zeros; linear equations; graphs."""


def plain(data: Data) -> Data:
    result: Data = json.loads(json.dumps(data))
    return result


@lru_cache(maxsize=1)
def honest() -> tuple[Data, ...]:
    """Certificates of all kinds for the networks of the tables above and of `TRUTHS`."""
    dimensions = [certify_dimension(text) for text in (*DIMENSIONS, "[3,2,1] r=2", *GRAPHS, *MAPS)]
    ideals = [certify_ideal(interpolate(text)) for text in (*TRUTHS, *IDEALS)]
    frontiers = [frontier(n, m, r, len(r) + 1).certificate() for n, m, r in FRONTIERS]
    return tuple(map(plain, [*dimensions, *by_rules(), *ideals, *frontiers]))


def by_rules() -> Iterator[Data]:
    """Certificates with a rule of `BY_RULE` at the root, at every place where it applies with a bound of its own."""
    for rule, texts in BY_RULE.items():
        for text in texts:
            data = certify_dimension(text)
            seen = set()
            for tree in trees(text, rule):
                if tree["value"] not in seen:
                    seen.add(tree["value"])
                    yield settled({**plain(data), "upper": tree})


@lru_cache(maxsize=1024)
def trees(text: str, rule: str) -> list[Data]:
    """The proofs that begin with a rule, by the prover's own means."""
    found = []
    for instance in RULES[rule].networks(parse(text)):
        parts = tuple(part_bound(part, True) for part in instance.parts)
        value = instance.constant + sum(part.value for part in parts)
        bound = Bound(value, rule, (), (), instance.layer, parts, "", instance.fields, instance.equations)
        found.append(plain(bound.as_dict()))
    return found


def settled(data: Data) -> Data:
    """The certificate of a dimension whose claim follows from its rank and its proof."""
    claim, lower, upper = data["claim"], data["lower"], data["upper"]
    lower["rank"] = min(lower["rank"], upper["value"])
    claim.update(dimension=lower["rank"], lower=lower["rank"], upper=upper["value"])
    claim["proved"] = claim["lower"] == claim["upper"]
    return data
