"""Steps of the rules about graphs as somebody would make them who does not look at their hypotheses.

Parts are cut out of texts at any statement: cuts that other paths pass by, weights on both sides of a cut, regions that
overlap, matrices that are read elsewhere. Constants are those of the rules, bounds of the parts are the prover's. What
is forged may be true, but then by luck.
"""

from __future__ import annotations

import json
import math
import random
import re
from functools import lru_cache

from certificates.honest import plain, settled
from certificates.truths import Data, dimension_of

from polygeom.dimensions.bounds.graphs import plain_text
from polygeom.dimensions.bounds.search import part_bound
from polygeom.errors import PolygeomError
from polygeom.network import parse
from polygeom.network.text import programs

TEXTS = [
    "x=input(2); a=dense(x,2); b=power(a,2); c=sum(b,x); dense(c,1)",
    "x=input(2); a=dense(x,2); b=power(a,2); dense(b,2,shares=a)",
    "x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,2); d=power(c,3); dense(d,1)",
    "x=input(2); a=dense(x,2); b=polynomial(a,[1,1,0,1]); dense(b,1)",
    "x=input(1); a=dense(x,2); b=polynomial(a,[1,1,1]); c=dense(b,3); d=dense(c,1); power(d,2)",
    "x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,2); d=dense(c,2); e=bias(d); power(e,2)",
    "x=input(2); a=dense(x,1); b=power(a,2); power(b,2)",
    "x=input(1); a=dense(x,3); b=power(a,2); dense(b,1)",
    "x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,1); d=bias(c); e=dense(d,2); power(e,2)",
    "x=input(2,2); a=flatten(x); dense(a,1)",
    "x=input(2,2); a=dense(x,1); b=attention(a,1,2); sum(b,x)",
    "x=input(1); a=dense(x,3); b=power(a,2); c=dense(b,3); product(c,b)",
    "x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,1); power(c,2)",
    "x=input(2); a=dense(x,2); b=dense(a,2,shares=a); c=power(b,2); dense(c,3)",
    "x=input(2); a=dense(x,3); b=power(a,2); c=dense(b,2); d=power(c,2); dense(d,3,shares=a)",
    "x=input(2); a=dense(x,2); b=power(a,2); c=dense(b,2); sum(c,a)",
    "x=input(2); a=dense(x,2); b=power(a,2); c=dense(x,2,shares=a); d=power(c,3); sum(b,d)",
    "x=input(1); a=dense(x,2); b=bias(a); c=polynomial(b,[1,1,1]); dense(c,1)",
    "x=input(1); a=polynomial(x,[1,1,1]); b=dense(a,1); c=product(a,b); dense(c,1)",
    "[2,2,2,1] p=0,1,1", "[1,2,2,1] r=2 bias", "[2,2,1] p=1,0,1", "[2,3,1] r=2 bias", "[1,1,3] p=1,1,1",
]  # fmt: skip
RULES = ["graph cut", "graph span", "graph lift", "cells", "one token at a time", "graph outputs", "graph surplus",
         "shifted square", "completed square", "homogenised"]  # fmt: skip

Lines = list[str]


def forge(data: Data, rng: random.Random) -> None:
    """Another network, with a witness of its rank, under a step by a rule."""
    for _ in range(20):
        text = rng.choice(TEXTS)
        tree = _step(text, rng.choice(RULES), rng)
        if tree is not None:
            break
    else:
        return
    network = parse(text)
    text = plain_text(network)
    dimension = data["dimension"] if data["kind"] == "ideal" else data
    data["network"] = dimension["network"] = text
    lower, truth = dimension["lower"], dimension_of(text)
    p = lower["prime"] = 33554393
    lower["weights"] = [rng.randrange(p) for _ in range(network.parameter_count)]
    size = math.prod(network.input_shape)
    lower["points"] = [[rng.randrange(p) for _ in range(size)] for _ in range(truth + 2)]
    lower["rank"] = truth
    dimension["upper"] = tree
    settled(dimension)


@lru_cache(maxsize=256)
def _program(text: str) -> str:
    return programs.write(parse(text).nodes)


def lines_of(text: str) -> Lines:
    """The statements of the program of a network, without names."""
    return [line.rpartition("=")[2] if re.match(r"x\d+=", line) is None else line.partition("=")[2]
            for line in _program(text).split("; ")]  # fmt: skip


def _reads(line: str) -> list[int]:
    return [int(k) for k in re.findall(r"(?<!=)x(\d+)", line)]


def _needs(lines: Lines, v: int) -> set[int]:
    found = {v}
    for number in range(v, -1, -1):
        if number in found:
            found.update(_reads(lines[number]))
    return found


def _taken(lines: Lines, members: list[int], first: str, others: int = 0) -> str:
    """The statements ``members`` after an input; what they read besides is the value ``others`` of the new program."""
    made, place = [first], {}
    start = first.count(";") + 1
    for k, number in enumerate(members):
        place[number] = start + k
    for number in members:
        line = re.sub(r",shares=x(\d+)", lambda m: f",shares=y{place[int(m[1])]}" if int(m[1]) in place else "",
                      lines[number])  # fmt: skip
        line = re.sub(r"(?<!=)x(\d+)", lambda m: f"y{place.get(int(m[1]), others)}", line)
        made.append(f"y{place[number]}={line}")
    return "; ".join(made).rpartition("=")[0].rpartition("; ")[0] + "; " + made[-1].partition("=")[2]


@lru_cache(maxsize=4096)
def _bound(text: str) -> str | None:
    """The prover's bound for a part, as text; None for what is no network or too large."""
    try:
        network = parse(text)
        if network.parameter_count > 16 or network.degree > 12:
            return None
        return json.dumps(part_bound(network, True).as_dict())
    except PolygeomError:
        return None


@lru_cache(maxsize=4096)
def _shape(text: str) -> tuple[int, ...]:
    return parse(text).output_shape


def _parts(text: str, rule: str, v: int, rng: random.Random) -> tuple[list[str], int]:
    lines = lines_of(text)
    before = _needs(lines, v)
    first = f"y0={lines[0]}"
    below = _taken(lines, sorted(before - {0}), first)
    shape = _shape(below)
    m, after = shape[-1], [n for n in range(len(lines)) if n not in before]
    at = lambda *dims: f"y0=input({','.join(map(str, dims))})"  # noqa: E731
    if rule == "graph cut":
        kind = rng.randrange(3)
        through = ["", f"; y1=dense(y0,{m})", f"; y1=dense(y0,{m}); y2=bias(y1)"][kind if rng.random() < 0.5 else 0]
        above = _taken(lines, after, at(*shape) + through, through.count(";"))
        return [below, above], -rng.choice([m, m * m, m * (m + 1), 1, 0])
    if rule == "graph span":
        through = rng.choice(["", f"; y1=dense(y0,{m})", f"; y1=dense(y0,{m}); y2=bias(y1)"])
        space = rng.randint(1, 6)
        return [_taken(lines, after, at(m) + through, through.count(";"))], m * (space - m)
    if rule == "graph lift":
        space = rng.randint(1, 4)
        through = rng.choice(["", f"; y1=dense(y0,{m})", f"; y1=dense(y0,{m}); y2=bias(y1)"])
        return [_taken(lines, after, at(space) + through, through.count(";"))], 0
    if rule == "cells":
        parts, inside = [], set[int]()
        for _ in range(rng.randint(1, 2)):
            w = rng.randrange(1, len(lines))
            u = rng.choice(sorted(_needs(lines, w) - {w}))
            members = sorted(_needs(lines, w) - _needs(lines, u))
            dims = parse(_taken(lines, sorted(_needs(lines, u) - {0}), first)).output_shape if u else None
            parts.append(_taken(lines, members, at(*dims) if dims else first))
            inside |= set(members)
        return parts, parse(text).parameter_count - sum(parse(part).parameter_count for part in parts)
    if rule == "one token at a time":
        n = parse(text).input_shape[-1]
        return [_taken(lines, list(range(1, len(lines))), at(n))], 0
    changed = [*lines]
    if rule in ("graph outputs", "graph surplus"):
        places = [k for k, line in enumerate(lines) if line.startswith("dense(")]
        k = rng.choice(places)
        width = int(re.findall(r"\d+", lines[k])[1])
        new = rng.randint(1, max(1, width - 1))
        changed[k] = re.sub(r",\d+", f",{new}", lines[k], count=1)
        whole = _taken(changed, list(range(1, len(lines))), first)
        return [whole], rng.choice([0, (width - new) * new, (width - new) * (new + 1)])
    places = [k for k, line in enumerate(lines) if "[1,1,1]" in line or "[0,1,1]" in line or line.startswith("power")]
    k = rng.choice(places)
    read = _reads(lines[k])[0]
    made = [*changed[:k], f"bias(x{read})", f"power(x{k},2)"]
    made += [re.sub(r"x(\d+)", lambda g: f"x{int(g[1]) + (int(g[1]) >= k)}", line) for line in changed[k + 1 :]]
    return [_taken(made, list(range(1, len(made))), first)], 0


def _step(text: str, rule: str, rng: random.Random) -> Data | None:
    count = len(lines_of(text))
    v = rng.randrange(1, count - 1) if count > 2 else 1
    try:
        texts, constant = _parts(text, rule, v, rng)
    except (PolygeomError, IndexError, ValueError):
        return None
    written = [_bound(part) for part in texts]
    if None in written:
        return None
    parts = [json.loads(part or "") for part in written]
    value = max(0, constant + sum(part["value"] for part in parts))
    placed = rule in ("graph cut", "graph span", "graph lift", "graph surplus")
    step = {"value": value, "rule": rule, "widths": [], "degrees": [], "layer": v if placed else 0, "parts": parts}
    return plain(step)
