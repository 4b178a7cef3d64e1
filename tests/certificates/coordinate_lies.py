"""Lies about coordinates: one twice, one that is always zero, and one that is zero among those that are kept."""

from __future__ import annotations

import json
import random
from functools import lru_cache

from certificates.honest import honest
from certificates.lists import listed, no_argument, recount
from certificates.proof_lies import Lie
from certificates.truths import Data

from polygeom.dimensions.proofs.decoding import decode
from polygeom.dimensions.proofs.limits import Budget
from polygeom.ideal.proofs.claims import Claim, IdealCertificate, _arrangements
from polygeom.ideal.proofs.coefficients import Coefficients
from polygeom.ideal.proofs.spaces import Monomials, Space
from polygeom.network import parse

TOP = 3
"""Degrees that are left."""


def claim_of(data: Data) -> Claim:
    return Claim(decode(data, IdealCertificate), Budget())


def unfolded(text: str) -> Data:
    """The same statement up to degree 3 without exchanges: every copy of an equation and every weight in its place."""
    data: Data = json.loads(text)
    claim, grading = claim_of(data), data["grading"]
    data["equations"] = [
        listed({tuple(sorted(move[k] for k in m)): c for m, c in equation.terms}, grading["weights"])
        for equation in claim.equations
        if equation.degree <= TOP
        for _, move in claim.copies(equation)
    ]
    m, n = claim.blocks[1]
    data["degrees"] = data["degrees"][:TOP]
    for degree in data["degrees"]:
        degree["spaces"] = sorted(
            (
                [[*first, *second, *weight[n:]], size, rank]
                for weight, size, rank in degree["spaces"]
                for _, first in _arrangements(weight[:m], None)
                for _, second in _arrangements(weight[m:n], None)
            ),
            reverse=True,
        )
    grading.update(outputs=0, inputs=0, exchanges=[])
    data["restricted"] = False
    in_order(data)
    no_argument(data)
    recount(data)
    return data


def in_order(data: Data) -> None:
    data["equations"].sort(key=lambda e: (e["degree"], [-w for w in e["weight"]]))


@lru_cache(maxsize=1)
def unfolded_ones() -> tuple[str, ...]:
    """Of networks whose neurovariety is a cone, and for which all weights of the first degrees are listed."""
    found = []
    for data in honest():
        if data["kind"] == "ideal" and data["grading"]["cone"] and not data["network"].startswith("map("):
            if not data["restricted"] or len(data["degrees"]) > TOP:
                found.append(json.dumps(unfolded(json.dumps(data))))
    return tuple(found)


def another_coordinate(data: Data, rng: random.Random) -> None:
    """One more at the end: a second name for one, which equals it, or one that is always zero."""
    data.clear()
    data.update(json.loads(rng.choice(unfolded_ones())))
    weights, names = data["grading"]["weights"], data["coordinates"]
    k, new, zero = rng.randrange(len(names)), len(names), rng.random() < 0.5
    weight = [*weights[k]]
    if zero and rng.random() < 0.5:
        weight[rng.randrange(len(weight))] += 1
    names.append(f"{names[k][:-1]}{(int(names[k][-1]) + 1) % 10}" if zero else names[k])
    weights.append(weight)
    data["equations"].append(listed({(new,): 1} if zero else {(k,): 1, (new,): -1}, weights))
    in_order(data)
    spaces = data["degrees"][0]["spaces"]
    there = next((space for space in spaces if space[0] == weight), None)
    if there is None:
        spaces.append([[*weight], 1, 0])
        spaces.sort(reverse=True)
    else:
        there[1] += 1
    recount(data)


ZERO = "x=input(2); a=dense(x,1); b=power(a,2); c=dense(b,2); sum(x,c)"
"""A network with coordinates that are always zero."""


@lru_cache(maxsize=16)
def with_a_zero_kept(which: int) -> str:
    """The certificate with a zero coordinate kept, and its products with all others as generators of degree 2."""
    text = parse(ZERO).text
    data: Data = json.loads(json.dumps(next(d for d in honest() if d["kind"] == "ideal" and d["network"] == text)))
    linear = [e for e in data["equations"] if e["degree"] == 1 and len(e["terms"]) == 1]
    zero = linear[which % len(linear)]["terms"][0][0][0]
    data["degrees"] = data["degrees"][:2]
    data["equations"] = [e for e in data["equations"] if e["degree"] < 3]
    kept = data["kept"] = sorted([*data["kept"], zero])
    data["equations"] += [listed({tuple(sorted((k, zero))): 1}, data["grading"]["weights"]) for k in kept]
    in_order(data)
    no_argument(data)
    claim = claim_of(data)
    table, values, spaces = Monomials(claim, kept), Coefficients(claim), []
    for weight in sorted(table.dominant_weights(2), reverse=True):
        space = Space(2, weight, table, claim)
        spaces.append([list(weight), len(space.monomials), space.value_rank(values, len(space.monomials))])
    data["degrees"][1]["spaces"] = spaces
    recount(data)
    return json.dumps(data)


def zero_kept(data: Data, rng: random.Random) -> None:
    """As above; now and then without its linear equation."""
    data.clear()
    data.update(json.loads(with_a_zero_kept(rng.randrange(4))))
    if rng.random() < 0.3:
        alone = [e for e in data["equations"] if e["degree"] == 1 and len(e["terms"]) == 1]
        data["equations"].remove(rng.choice(alone))
        recount(data)


LIES: list[Lie] = [another_coordinate, zero_kept]
