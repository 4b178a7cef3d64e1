"""Alterations of certificates: one place, swaps, and lies about equations, degrees and claims that fit together."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from certificates import coordinate_lies, proof_lies
from certificates.honest import honest
from certificates.lists import listed, no_argument, recount, times
from certificates.proof_lies import Lie
from certificates.truths import TRUTHS, Data, polynomial

from polygeom.dimensions.bounds.search import upper_bound


@lru_cache(maxsize=1)
def _written() -> tuple[str, ...]:
    """The honest ones as text, which is copied fastest; those that take longest to check come up a third as often."""
    texts = [*map(json.dumps, honest())]
    long = sorted(map(len, texts))[-3]
    return tuple(text for text in texts for _ in range(1 if len(text) >= long else 3))


# --- one change


def places(data: Any) -> Iterator[tuple[Any, Any]]:
    """Every container and key below ``data``."""
    pending = [data]
    while pending:
        part = pending.pop()
        for key in part if isinstance(part, dict) else range(len(part)):
            yield part, key
            if isinstance(part[key], dict | list):
                pending.append(part[key])


NUMBERS = (0, 1, 2, -1, 10, 999, 10**6, 10**9, 10**12, 2**62, 2**63, 10**40)


def change(value: Any, rng: random.Random) -> Any:
    """Another value in place of a leaf."""
    if type(value) is bool:
        return rng.choice([not value, int(value), None, "true"])
    if type(value) is int:
        moved = value + rng.choice([-2, -1, 1, 2])
        return rng.choice(
            [moved, moved, moved, 2 * value, -value, float(value), value + 0.5, str(value), None, *NUMBERS]
        )
    if isinstance(value, str):
        choices = ["", value + " ", value[::-1], value.upper(), "0", "-1", "\\x1b[2J", value + "0", value[:-1], None, 0]
        number = [str(int(value) + rng.choice([-1, 1])), str(2 * int(value))] if value.lstrip("-").isdigit() else []
        return rng.choice([*choices, *number, *TRUTHS])
    return rng.choice([0, 1, "", [], {}, False, value])


def one_place(data: Data, rng: random.Random) -> None:
    """Change a leaf, or cut, double, exchange, reverse or empty a list, or take, add or rename a key."""
    part, key = rng.choice([*places(data)])
    value = part[key]
    if isinstance(value, list) and rng.random() < 0.8:
        _change_list(value, rng)
    elif isinstance(value, dict) and rng.random() < 0.8:
        name = rng.choice([*value]) if value else "x"
        action = rng.randrange(3)
        if action == 0:
            value.pop(name, None)
        elif action == 1:
            value["comment"] = "true"
        else:
            value[name + "s"] = value.pop(name, 0)
    else:
        part[key] = change(value, rng)


def _change_list(value: list[Any], rng: random.Random) -> None:
    action = rng.randrange(6)
    if not value or action == 0:
        value.append(copy.deepcopy(rng.choice(value)) if value else 0)
    elif action == 1:
        value.pop(rng.randrange(len(value)))
    elif action == 2:
        i, j = rng.randrange(len(value)), rng.randrange(len(value))
        value[i], value[j] = value[j], value[i]
    elif action == 3:
        value.reverse()
    elif action == 4:
        value.clear()
    else:
        value.insert(0, copy.deepcopy(value[-1]))


def swap(data: Data, rng: random.Random) -> None:
    """Take the field of another certificate, of the same name if there is one."""
    other = rng.choice(honest())
    part, key = rng.choice([*places(data)])
    same = [(p, k) for p, k in places(other) if k == key and isinstance(key, str)]
    donor, name = rng.choice(same or [*places(other)])
    part[key] = copy.deepcopy(donor[name])


def two_places(data: Data, rng: random.Random) -> None:
    for _ in range(2):
        one_place(data, rng)


def shift_both(data: Data, rng: random.Random) -> None:
    """The same change at all places that hold one number: what a careful liar would do."""
    numbers = [(p, k) for p, k in places(data) if type(p[k]) is int and p[k] > 1 and k != "format"]
    part, key = rng.choice(numbers)
    value, new = part[key], part[key] + rng.choice([-1, 1])
    for p, k in numbers:
        if p[k] == value:
            p[k] = new


# --- several that fit together


def square(data: Data, rng: random.Random) -> None:
    e = rng.choice(data["equations"])
    new = listed(times(polynomial(e), polynomial(e)), data["grading"]["weights"])
    data["equations"][data["equations"].index(e)] = new
    if data["claim"]["degree"]:
        data["claim"].update(degree=new["degree"], h_vector=[1] * new["degree"])
    recount(data)


def multiple(data: Data, rng: random.Random) -> None:
    e = rng.choice(data["equations"])
    new = listed(times(polynomial(e), {(rng.choice(data["kept"]),): 1}), data["grading"]["weights"])
    data["equations"].append(new)
    recount(data)


def doubled_term(data: Data, rng: random.Random) -> None:
    """A monomial in two parts, or with a coefficient and its negative."""
    terms = rng.choice(data["equations"])["terms"]
    m, c = rng.choice(terms)
    part = rng.choice([1, -1, int(c), 2 * int(c)])
    at = next(i for i, (n, _) in enumerate(terms) if n == m)
    terms[at : at + 1] = [[m, str(part)], [list(m), str(int(c) - part)]]


def zero_equation(data: Data, rng: random.Random) -> None:
    e = rng.choice(data["equations"])
    m = e["terms"][0][0]
    e["terms"] = rng.choice([[], [[m, "0"]], [[m, "1"], [m, "-1"]]])


def another_generator(data: Data, rng: random.Random) -> None:
    """Copies of equations under permutations listed on their own, or one twice: more generators than are needed."""
    e = copy.deepcopy(rng.choice(data["equations"]))
    if rng.random() < 0.5:
        m, n = data["grading"]["outputs"], data["grading"]["inputs"]
        part = e["weight"][m : m + n]
        rng.shuffle(part)
        e["weight"][m : m + n] = part
    data["equations"].append(e)
    data["equations"].sort(key=lambda x: (x["degree"], [-w for w in x["weight"]]))
    recount(data)


def drop_equation(data: Data, rng: random.Random) -> None:
    data["equations"].remove(rng.choice(data["equations"]))
    if rng.random() < 0.5:
        for s in data["degrees"]:
            for space in s["spaces"]:
                space[2] = space[1]
    recount(data)
    if rng.random() < 0.5:
        data["completeness"] = {"argument": "filling"}
        data["claim"].update(completeness="filling", degree=1, h_vector=[1])


def one_rank(data: Data, rng: random.Random) -> None:
    space = rng.choice([space for s in data["degrees"] for space in s["spaces"]])
    space[2] += rng.choice([-1, 1])
    recount(data)
    if rng.random() < 0.5:
        no_argument(data)


def cut_degrees(data: Data, rng: random.Random) -> None:
    """Less is claimed: what is left may well be valid."""
    top = rng.randint(1, len(data["degrees"]))
    data["degrees"] = data["degrees"][:top]
    data["equations"] = [e for e in data["equations"] if e["degree"] <= top]
    if rng.random() < 0.7:
        no_argument(data)
    if rng.random() < 0.5:
        data["restricted"] = not data["restricted"]
    recount(data)


def one_degree_more(data: Data, rng: random.Random) -> None:
    """Another degree with no equation, or with all weights that permutations fix left out."""
    top = len(data["degrees"]) + 1
    data["degrees"].append({"degree": top, "spaces": []})
    data["restricted"] = rng.random() < 0.7
    recount(data)


def larger_dimension(data: Data, rng: random.Random) -> None:
    """One more dimension everywhere it is written."""
    dimension = data["dimension"] if data["kind"] == "ideal" else data
    claim, step = dimension["claim"], rng.choice([-1, 1])
    claim.update(lower=claim["lower"] + step, dimension=claim["lower"] + step)
    dimension["lower"]["rank"] += step
    if rng.random() < 0.7:
        claim["upper"] = dimension["upper"]["value"] = claim["lower"]
    claim["proved"] = claim["lower"] == claim["upper"]


def other_bound(data: Data, rng: random.Random) -> None:
    """A bound that the prover made for other widths, with the widths of this network at its root."""
    if data["kind"] == "frontier":
        box = rng.choice(data["excluded"])
        k = rng.randrange(1, len(box["widths"]) - 1)
        box["widths"][k] = None if box["widths"][k] is None else box["widths"][k] + rng.choice([-1, 1])
        return
    upper = data["dimension"]["upper"] if data["kind"] == "ideal" else data["upper"]
    widths = [max(1, w + rng.choice([-1, 0, 0, 1])) for w in upper["widths"]]
    if len(widths) >= 2:
        tree = upper_bound(tuple(widths), tuple(upper["degrees"])).as_dict()
        upper.update(tree | ({"widths": upper["widths"]} if rng.random() < 0.7 else {}))


def reversed_names(data: Data, rng: random.Random) -> None:
    data["coordinates"].reverse()


def listed_twice(data: Data, rng: random.Random) -> None:
    data["architectures"].append(copy.deepcopy(rng.choice(data["architectures"])))
    data["claim"]["count"] += 1


def other_kept(data: Data, rng: random.Random) -> None:
    """A coordinate more or less that is kept, and a linear equation less, or none."""
    kept, size = data["kept"], len(data["grading"]["weights"])
    out = [k for k in range(size) if k not in kept]
    if out and rng.random() < 0.7:
        data["kept"] = sorted([*kept, rng.choice(out)])
        linear = [e for e in data["equations"] if e["degree"] == 1]
        if linear and rng.random() < 0.7:
            data["equations"].remove(rng.choice(linear))
    elif kept:
        kept.remove(rng.choice(kept))
    recount(data)


def other_cone(data: Data, rng: random.Random) -> None:
    """A cone that is none, or none that is one: one scaling and one coordinate more or less."""
    grading = data["grading"]
    if grading["cone"]:
        grading["cone"] = False
        grading["weights"].append([1 if rng.random() < 0.5 else 0] * len(grading["weights"][0]))
        data["kept"].append(len(grading["weights"]) - 1)
    else:
        last = len(grading["weights"]) - 1
        grading["cone"] = True
        grading["weights"].pop()
        if last in data["kept"]:
            data["kept"].remove(last)
        one = rng.choice(grading["scalings"]) if grading["scalings"] else [1, 0]
        grading["scalings"].insert(0, [1, 0, *([rng.choice([0, 1])] * (len(one) - 2))])
    recount(data)


def other_scaling(data: Data, rng: random.Random) -> None:
    """A column of the weights and its scaling altered, left out or doubled together."""
    grading = data["grading"]
    width = len(grading["weights"][0])
    first = len(grading["scalings"]) - width
    if not width or first < 0:
        return one_place(data, rng)
    k, action = rng.randrange(width), rng.randrange(4)
    rows = [*grading["weights"], *(e["weight"] for e in data["equations"])]
    rows += [space[0] for s in data["degrees"] for space in s["spaces"]]
    for row in {id(row): row for row in rows}.values():
        if action == 0:
            row[k] *= 2
        elif action == 1:
            row.pop(k)
        elif action == 2:
            row.append(row[k])
    scaling = grading["scalings"][first + k]
    if action == 0:
        scaling[rng.randrange(len(scaling))] *= 2
    elif action == 1:
        grading["scalings"].pop(first + k)
    elif action == 2:
        grading["scalings"].append([*scaling])
    else:
        scaling[rng.randrange(len(scaling))] += rng.choice([-1, 1])
    recount(data)
    return None


ANY: list[Lie] = [one_place] * 8 + [swap] * 3 + [two_places, shift_both]
NEED_EQUATIONS: list[Lie] = [square, multiple, doubled_term, zero_equation, another_generator, drop_equation]
FOR_IDEALS: list[Lie] = [
    *NEED_EQUATIONS, one_rank, cut_degrees, one_degree_more, larger_dimension, other_bound, reversed_names, other_kept,
    other_cone, other_scaling, *coordinate_lies.LIES,
]  # fmt: skip
SPECIAL: dict[str, list[Lie]] = {
    "ideal": [*FOR_IDEALS, *FOR_IDEALS, *proof_lies.LIES],
    "dimension": [larger_dimension, other_bound, *proof_lies.LIES],
    "frontier": [listed_twice, other_bound],
}


def alter(rng: random.Random) -> Data:
    """An honest certificate with one alteration."""
    text = rng.choice(_written())
    while True:
        data = json.loads(text)
        change_it = rng.choice(ANY if rng.random() < 0.5 else SPECIAL[data["kind"]])
        if change_it in NEED_EQUATIONS and not data["equations"]:
            continue
        change_it(data, rng)
        if json.dumps(data) != text:
            return data
