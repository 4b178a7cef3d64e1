"""Alterations of certificates, and an oracle that knows without any checker what is true.

`alter` changes one place of a certificate, or several that fit together; whatever a checker still calls valid must be
`true`: its sentence agrees with numbers from the literature, and its equations vanish at random weights.
"""

from __future__ import annotations

import copy
import json
import math
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from polygeom.dimensions import certify as certify_dimension
from polygeom.dimensions.bounds.search import upper_bound
from polygeom.dimensions.frontier.search import frontier
from polygeom.engines.symbolic import coefficient_map
from polygeom.ideal import interpolate
from polygeom.ideal.proofs.certificate import certify as certify_ideal
from polygeom.network import parse

Data = dict[str, Any]


@dataclass(frozen=True)
class Truth:
    """Dimension, numbers of minimal generators by degree, numerator of the Hilbert series (of the cone)."""

    dimension: int
    counts: dict[int, int]
    h: tuple[int, ...]
    cone: bool = True

    def hilbert(self, top: int) -> list[int]:
        n = self.dimension + (not self.cone)
        terms = [
            sum(h * math.comb(d - k + n - 1, n - 1) for k, h in enumerate(self.h) if k <= d) for d in range(top + 1)
        ]
        return terms if n else [1] + [0] * top


TRUTHS = {
    "[3,2,1] r=2": Truth(5, {3: 1}, (1, 1, 1)),  # determinant of symmetric 3 x 3 matrices
    "[4,2,1] r=2": Truth(7, {3: 10}, (1, 3, 6)),  # symmetric 4 x 4 matrices of rank at most 2 (degree 10)
    "[2,2,1] r=4": Truth(4, {3: 1}, (1, 1, 1)),  # catalecticant
    "[2,1,1] r=2": Truth(2, {2: 1}, (1, 1)),  # discriminant
    "[3,1,1] r=2": Truth(3, {2: 6}, (1, 3)),  # Veronese surface, degree 4
    "[2,2,3] r=2": Truth(8, {3: 1}, (1, 1, 1)),  # determinant of 3 x 3 matrices
    "[2,3,1] r=2": Truth(3, {}, (1,)),  # all binary quadratic forms
    "[2,1,2] r=2": Truth(3, {2: 6}, (1, 3)),  # rank one: Segre of P^1 and a conic, degree 4
}
"""From the literature on determinants and Veronese varieties; `Truth.hilbert` from the numerators."""
DIMENSIONS = {"[3,3,3] r=2": 15, "[4,5,3,1] r=2": 26, "[2,2,1] r=2 bias": 6, "[3,2,5] r=1": 12, "[2,5]": 10}
FRONTIERS = {(2, 1, (2, 2)): {(2, 2, 2, 1)}, (2, 1, (2, 2, 2)): {(2, 3, 3, 2, 1)}}
"""Minimal filling architectures, arXiv 2605.09609."""


def plain(data: Data) -> Data:
    result: Data = json.loads(json.dumps(data))
    return result


@lru_cache(maxsize=1)
def honest() -> tuple[Data, ...]:
    """Certificates of all kinds for the networks of the tables above."""
    dimensions = [certify_dimension(text) for text in (*DIMENSIONS, "[3,2,1] r=2", "ccp(2,rank=2,degree=2)")]
    ideals = [certify_ideal(interpolate(text)) for text in TRUTHS]
    frontiers = [frontier(n, m, r, len(r) + 1).certificate() for n, m, r in FRONTIERS]
    return tuple(map(plain, [*dimensions, *ideals, *frontiers]))


@lru_cache(maxsize=1)
def _written() -> tuple[str, ...]:
    """The same as text, which is copied fastest; the one that takes longest to check comes up a third as often."""
    longest = max(map(len, map(json.dumps, honest())))
    texts = [text for text in map(json.dumps, honest()) for _ in range(1 if len(text) == longest else 3)]
    return tuple(texts)


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


def polynomial(equation: Data) -> dict[tuple[int, ...], int]:
    return {tuple(m): int(c) for m, c in equation["terms"]}


def times(a: dict[tuple[int, ...], int], b: dict[tuple[int, ...], int]) -> dict[tuple[int, ...], int]:
    out: Counter[tuple[int, ...]] = Counter()
    for m, x in a.items():
        for n, y in b.items():
            out[tuple(sorted(m + n))] += x * y
    return {m: c for m, c in out.items() if c}


def listed(terms: dict[tuple[int, ...], int], weights: list[list[int]]) -> Data:
    """An equation in the only form that is read, of its own weight."""
    items = sorted(terms.items())
    sign = 1 if items[0][1] > 0 else -1
    weight = [sum(column) for column in zip(*(weights[k] for k in items[0][0]), strict=True)]
    common = math.gcd(*(c for _, c in items))
    return {
        "degree": len(items[0][0]), "weight": weight, "terms": [[list(m), str(sign * c // common)] for m, c in items]
    }  # fmt: skip


def recount(data: Data) -> None:
    """Let the claims follow from the lists, as the prover would write them."""
    grading, claim = data["grading"], data["claim"]
    blocks = (grading["outputs"], grading["inputs"])

    def orbit(weight: list[int]) -> int:
        size, at = 1, 0
        for length in blocks:
            part = weight[at : at + length]
            size *= math.factorial(length) // math.prod(map(math.factorial, Counter(part).values()))
            at += length
        return size

    counts: Counter[int] = Counter()
    for e in data["equations"]:
        counts[e["degree"]] += orbit(e["weight"])
    claim["counts"] = {str(d): counts[d] for d in sorted(counts)}
    claim["complete_to"] = len(data["degrees"])
    n = len(data["kept"])
    claim["hilbert_function"] = [1] + [
        math.comb(n + s["degree"] - 1, s["degree"]) - sum(orbit(w) * (size - rank) for w, size, rank in s["spaces"])
        for s in data["degrees"]
    ]


def no_argument(data: Data) -> None:
    data["completeness"] = None
    data["claim"].update(completeness=None, degree=None, h_vector=None)


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


def other_network(data: Data, rng: random.Random) -> None:
    """All numbers of one network under the name of another."""
    name = rng.choice([*TRUTHS, *DIMENSIONS])
    data["network"] = name
    if data["kind"] == "ideal":
        data["dimension"]["network"] = name


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


ANY: list[Callable[[Data, random.Random], None]] = [one_place] * 8 + [swap] * 3 + [two_places, shift_both]
FOR_IDEALS: list[Callable[[Data, random.Random], None]] = [
    square, multiple, doubled_term, zero_equation, another_generator, drop_equation, one_rank, cut_degrees,
    one_degree_more, larger_dimension, other_network, other_bound, reversed_names,
]  # fmt: skip
NEED_EQUATIONS = (square, multiple, doubled_term, zero_equation, another_generator, drop_equation)
FOR_DIMENSIONS: list[Callable[[Data, random.Random], None]] = [larger_dimension, other_network, other_bound]
FOR_FRONTIERS: list[Callable[[Data, random.Random], None]] = [listed_twice, other_bound]


def alter(rng: random.Random) -> Data:
    """An honest certificate with one alteration."""
    data = json.loads(rng.choice(_written()))
    special = {"ideal": FOR_IDEALS, "dimension": FOR_DIMENSIONS, "frontier": FOR_FRONTIERS}[data["kind"]]
    change_it = rng.choice(ANY if rng.random() < 0.6 else special)
    if (
        change_it in (square, multiple, doubled_term, zero_equation, another_generator, drop_equation)
        and not data["equations"]
    ):
        change_it = one_place
    change_it(data, rng)
    return data


# --- the oracle


def true(data: Data) -> bool:
    """Whether a certificate that was called valid says what is so."""
    claim = data["claim"]
    if data["kind"] == "frontier":
        known = FRONTIERS[data["inputs"], data["outputs"], tuple(data["degrees"])]
        found = [tuple(entry["widths"]) for entry in data["architectures"]]
        right = set(found) <= known and len(found) == len(set(found)) == claim["count"]
        stars = ",*" * len(data["degrees"])
        right &= data["network"].startswith(f"({data['inputs']}{stars},{data['outputs']}) r=")
        return right and (set(found) == known or not claim["complete"])
    text = data["network"]
    if data["kind"] == "dimension":
        dimension = DIMENSIONS[text] if text in DIMENSIONS else _dimension(text)
        sure = claim["lower"] <= dimension <= claim["upper"]
        return sure and claim["dimension"] == claim["lower"] and (not claim["proved"] or claim["upper"] == dimension)
    truth, top = TRUTHS[text], claim["complete_to"]
    right = claim["hilbert_function"] == truth.hilbert(top)
    right &= claim["counts"] == {str(d): n for d, n in truth.counts.items() if d <= top}
    if claim["completeness"] is None:
        right &= claim["degree"] is None and claim["h_vector"] is None
    else:
        right &= top >= max(truth.counts, default=0) and claim["degree"] == sum(truth.h)
        right &= claim["h_vector"] == list(truth.h)
    right &= data["coordinates"] == _names(text) and data["dimension"]["network"] == text and true(data["dimension"])
    return right and all(_vanishes(text, e) for e in data["equations"])


@lru_cache(maxsize=64)
def _dimension(text: str) -> int:
    from polygeom.engines.symbolic import jacobian_rank

    return TRUTHS[text].dimension if text in TRUTHS else jacobian_rank(parse(text))


@lru_cache(maxsize=64)
def _names(text: str) -> list[str]:
    from polygeom.ideal.grading.coordinates import Coordinates

    return list(Coordinates(parse(text)).names)


@lru_cache(maxsize=64)
def _values(text: str) -> tuple[list[int], ...]:
    """Coordinates at random integer weights, by sympy."""
    from polygeom.ideal.grading.coordinates import Coordinates

    network = parse(text)
    known, rng = coefficient_map(network), random.Random(1)
    entries = Coordinates(network).entries
    points = [[rng.randint(-9, 9) for _ in range(network.parameter_count)] for _ in range(3)]
    return tuple([_at(known.get(e), point) for e in entries] for point in points)


def _at(polynomial: Any, point: list[int]) -> int:
    pairs = [] if polynomial is None else [*zip(polynomial.ring.gens, point, strict=True)]
    return int(polynomial.evaluate(pairs)) if pairs else 0


def _vanishes(text: str, equation: Data) -> bool:
    terms = polynomial(equation)
    nonzero = len(terms) == len(equation["terms"]) and all(terms.values()) and terms
    return bool(nonzero) and all(
        sum(c * math.prod(point[k] for k in m) for m, c in terms.items()) == 0 for point in _values(text)
    )
