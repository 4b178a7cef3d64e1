"""Lies about proofs of dimensions and about the texts of networks and maps, made with the prover's own tools.

A careful liar keeps everything else in order: values add up to the root and to the claim, weights and points are as
many as the text needs, the parts of a step follow from the altered text, coordinates have the names of the formulas.
"""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from certificates.forged_steps import forge
from certificates.honest import BY_RULE, honest, plain, settled, trees
from certificates.truths import DIMENSIONS, TRUTHS, Data, names

from polygeom.dimensions.bounds.bound import RULES
from polygeom.dimensions.bounds.search import part_bound, upper_bound
from polygeom.errors import PolygeomError
from polygeom.network import Network, parse

Lie = Callable[[Data, random.Random], None]

SMALL = 16
"""Largest number of weights of a text that is altered: what it becomes must stay within reach of the oracle."""


def dimension_in(data: Data) -> Data:
    """The certificate of a dimension that a certificate is or holds."""
    found: Data = data["dimension"] if data["kind"] == "ideal" else data
    return found


def paths(step: Data, above: tuple[Data, ...] = ()) -> Iterator[tuple[Data, ...]]:
    """Every step of a proof, with those that lead to it, from the root on."""
    yield (*above, step)
    for part in step["parts"]:
        yield from paths(part, (*above, step))


def any_path(data: Data, rng: random.Random) -> tuple[Data, ...]:
    return rng.choice([*paths(dimension_in(data)["upper"])])


def constants(step: Data) -> dict[int, int]:
    """What every step adds to its parts."""
    return {id(path[-1]): path[-1]["value"] - sum(p["value"] for p in path[-1]["parts"]) for path in paths(step)}


def added_up(step: Data, known: dict[int, int]) -> None:
    """Let the values follow from these constants."""
    for path in sorted(paths(step), key=len, reverse=True):
        one = path[-1]
        one["value"] = known[id(one)] + sum(p["value"] for p in one["parts"])


# --- proofs


def smaller_value(data: Data, rng: random.Random) -> None:
    """A step says less, and so do all above it, and the claim."""
    less = rng.choice([1, 1, 2, -1])
    for step in any_path(data, rng):
        step["value"] -= less
    settled(dimension_in(data))


def other_place(data: Data, rng: random.Random) -> None:
    any_path(data, rng)[-1]["layer"] += rng.choice([-2, -1, 1, 2])
    if rng.random() < 0.3:
        smaller_value(data, rng)


def other_rule(data: Data, rng: random.Random) -> None:
    step = any_path(data, rng)[-1]
    step["rule"] = rng.choice([*RULES])
    if rng.random() < 0.3:
        step["parts"] = []
    if rng.random() < 0.5:
        smaller_value(data, rng)


def other_tree(data: Data, rng: random.Random) -> None:
    """The proof, or a part of it, from another certificate; the constants stay."""
    mine = dimension_in(data)["upper"]
    donor = copy.deepcopy(any_path(rng.choice(_with_dimensions()), rng)[-1])
    *above, step = any_path(data, rng)
    known = constants(mine) | constants(donor)
    if above:
        above[-1]["parts"][above[-1]["parts"].index(step)] = donor
        if rng.random() < 0.5:
            donor.update({key: step[key] for key in ("network", "widths", "degrees") if key in step})
    else:
        donor.pop("network", None)
        if rng.random() < 0.5:
            donor.update(widths=step["widths"], degrees=step["degrees"])
        dimension_in(data)["upper"] = mine = donor
    added_up(mine, known)
    settled(dimension_in(data))


@lru_cache(maxsize=1)
def _with_dimensions() -> tuple[Data, ...]:
    return tuple(data for data in honest() if data["kind"] != "frontier")


def other_parts(data: Data, rng: random.Random) -> None:
    """Parts exchanged, left out or doubled."""
    whole = dimension_in(data)["upper"]
    steps = [path[-1] for path in paths(whole) if path[-1]["parts"]]
    if not steps:
        return smaller_value(data, rng)
    step, known, action = rng.choice(steps), constants(whole), rng.randrange(3)
    parts = step["parts"]
    if action == 0:
        parts.reverse()
    elif action == 1:
        parts.pop(rng.randrange(len(parts)))
    else:
        parts.append(copy.deepcopy(rng.choice(parts)))
        known |= constants(parts[-1])
    added_up(whole, known)
    settled(dimension_in(data))
    return None


def part_of_a_neighbour(data: Data, rng: random.Random) -> None:
    """A part of a step is another network, with the bound that the prover finds for it; the constants stay."""
    whole = dimension_in(data)["upper"]
    places = [(path[-1], k) for path in paths(whole) for k in range(len(path[-1]["parts"]))]
    if not places:
        return neighbour(data, rng)
    step, k = rng.choice(places)
    part, known = step["parts"][k], constants(whole)
    if part["widths"]:
        widths = [max(1, w + rng.choice([-1, 0, 0, 1])) for w in part["widths"]]
        new = plain(upper_bound(tuple(widths), tuple(part["degrees"])).as_dict())
    else:
        other = _parsed(other_text(part["network"], rng))
        if other is None:
            return smaller_value(data, rng)
        new = plain(part_bound(other, True).as_dict())
    step["parts"][k] = new
    added_up(whole, known | constants(new))
    settled(dimension_in(data))
    return None


def other_fields(data: Data, rng: random.Random) -> None:
    """Vector fields altered, doubled, scaled, added; for each one more the bound is one less."""
    whole = dimension_in(data)["upper"]
    steps = [path for path in paths(whole) if path[-1].get("fields")]
    if not steps:
        return smaller_value(data, rng)
    path = rng.choice(steps)
    fields, action = path[-1]["fields"], rng.randrange(6)
    before, field = len(fields), rng.choice(fields)
    term = rng.choice(field)
    if action == 0:
        fields.append([[k, rng.choice([2, -1, 3]) * a, b, [*m]] for k, a, b, m in field])
    elif action == 1:
        term[rng.choice([0, 1, 2])] += rng.choice([-1, 1])
    elif action == 2:
        term[3] = [i + rng.choice([-1, 0, 1]) for i in term[3]] or [0]
    elif action == 3:
        field.remove(term)
    elif action == 4:
        fields.append([[k, a, b, sorted([*m, term[0]])] for k, a, b, m in field])
    else:
        field.append([rng.choice(field)[0], 1, 1, [rng.choice(field)[0]]])
    less = len(fields) - before if rng.random() < 0.8 else 1
    for step in path:
        step["value"] -= less
    settled(dimension_in(data))
    return None


def other_equations(data: Data, rng: random.Random) -> None:
    """Equations of the image altered, doubled, multiplied; for each one more the bound is one less."""
    whole = dimension_in(data)["upper"]
    steps = [path for path in paths(whole) if path[-1].get("equations")]
    if not steps:
        return smaller_value(data, rng)
    path = rng.choice(steps)
    equations, action = path[-1]["equations"], rng.randrange(5)
    before, equation = len(equations), rng.choice(equations)
    term = rng.choice(equation)
    if action == 0:
        equations.append([[2 * a, b, [*m]] for a, b, m in equation])
    elif action == 1:
        term[rng.choice([0, 1])] += rng.choice([-1, 1])
    elif action == 2:
        term[2] = [i + rng.choice([-1, 0, 1]) for i in term[2]]
    elif action == 3:
        equation.remove(term)
    else:
        equations.append([[a, b, sorted([*m, term[2][0]])] for a, b, m in equation])
    less = len(equations) - before if rng.random() < 0.8 else 1
    for step in path:
        step["value"] -= less
    settled(dimension_in(data))
    return None


# --- texts


def _parsed(text: str) -> Network | None:
    try:
        network = parse(text)
    except PolygeomError:
        return None
    return network if 0 < network.parameter_count <= SMALL and network.degree <= 12 else None


WORDS = {
    "power(": ["polynomial("], "sum(": ["product("], "product(": ["sum("], " bias": ["", " tied"], "bias(": ["scale("],
    "scale(": ["bias("], ",shares=x1": [""], "r=": ["p=1,"], "p=": ["p=0,", "p=1,"], "x0": ["x1"], "x1": ["x0", "x2"],
    "x2": ["x1"], "+": ["-"], "-": ["+"], "/(": ["*("], "s": ["t"], "t": ["s"], "a": ["b"], "b": ["a"], "u": ["v"],
    "x=": ["z="], "y=": ["z=", ""], ", ": [", 1, ", ", 0, "], "^": ["*"],
}  # fmt: skip


def other_text(text: str, rng: random.Random) -> str:
    """A text that differs in one number, word, sign or name, or in the order of its coordinates."""
    old, new = _exchange(text, rng)
    if text.startswith("map(") and rng.random() < 0.2:
        head, _, body = text[4:-1].partition(": ")
        pieces = body.split(", ")
        action = rng.randrange(3)
        if action == 0:
            rng.shuffle(pieces)
        elif action == 1:
            pieces.pop(rng.randrange(len(pieces)))
        else:
            pieces.append(f"q={rng.choice(pieces).rpartition('=')[2]}" if "=" in body else rng.choice(pieces))
        return f"map({head}: {', '.join(pieces)})"
    places = [match.start() for match in re.finditer(re.escape(old), text)]
    at = rng.choice(places)
    return text[:at] + new + text[at + len(old) :]


def _exchange(text: str, rng: random.Random) -> tuple[str, str]:
    """A piece of a text, and what stands in its place."""
    found = [word for word in WORDS if word in text]
    if not found or rng.random() < 0.6:
        numbers = re.findall(r"\d+", text)
        if numbers:
            number = rng.choice(numbers)
            return number, str(max(0, int(number) + rng.choice([-1, 1])))
    old = rng.choice(found)
    return old, rng.choice(WORDS[old])


def fitted(data: Data, rng: random.Random) -> None:
    """As many weights and points as the text needs, drawn anew; names of coordinates that fit."""
    dimension = dimension_in(data)
    network = _parsed(dimension["network"])
    if network is None:
        return
    lower = dimension["lower"]
    count = network.parameter_count
    lower["weights"] = [*lower["weights"], *(rng.randrange(lower["prime"]) for _ in range(count))][:count]
    size = 1
    for n in network.input_shape:
        size *= n
    if not dimension["network"].startswith("map("):
        lower["points"] = [[*x, *(rng.randrange(lower["prime"]) for _ in range(size))][:size] for x in lower["points"]]
    if data["kind"] == "ideal":
        data["coordinates"] = names(dimension["network"])


def text_in(data: Data, text: str) -> None:
    data["network"] = dimension_in(data)["network"] = text


def small(data: Data) -> bool:
    return len(dimension_in(data)["lower"]["weights"]) <= SMALL


def neighbour(data: Data, rng: random.Random) -> None:
    """Another text, with everything else as it is but numbers of weights, points and names."""
    if not small(data):
        return smaller_value(data, rng)
    text_in(data, other_text(data["network"], rng))
    fitted(data, rng)
    if rng.random() < 0.2:
        smaller_value(data, rng)
    return None


def everywhere(data: Data, rng: random.Random) -> None:
    """The same exchange in the text and in all parts of the proof that have it."""
    if not small(data):
        return smaller_value(data, rng)
    old, new = _exchange(data["network"], rng)
    text_in(data, data["network"].replace(old, new))
    for path in paths(dimension_in(data)["upper"]):
        step = path[-1]
        if step.get("network"):
            step["network"] = step["network"].replace(old, new)
        if old.isdigit() and new.isdigit():
            step["widths"] = [max(1, int(new)) if w == int(old) else w for w in step["widths"]]
    fitted(data, rng)
    return None


def proof_of_a_neighbour(data: Data, rng: random.Random) -> None:
    """The proof that the prover finds for another text."""
    if not small(data):
        return smaller_value(data, rng)
    text = rng.choice([*BY_RULE[rng.choice([*BY_RULE])], data["network"], data["network"]])
    text = other_text(text, rng) if rng.random() < 0.7 else text
    network = _parsed(text)
    if network is None:
        return neighbour(data, rng)
    rule = rng.choice([*BY_RULE])
    searched = rng.random() < 0.8 and not (rule == "equations" and network.degree > 4)  # which takes seconds
    found = trees(text, rule) if searched else []
    tree = copy.deepcopy(rng.choice(found)) if found else plain(part_bound(network, True).as_dict())
    tree.pop("network", None)
    dimension_in(data)["upper"] = tree
    settled(dimension_in(data))
    if rng.random() < 0.3:
        text_in(data, text)
        fitted(data, rng)
        if rng.random() < 0.5:
            smaller_value(data, rng)
    return None


def other_network(data: Data, rng: random.Random) -> None:
    """All numbers of one network under the name of another."""
    text_in(data, rng.choice([*TRUTHS, *DIMENSIONS]))
    if rng.random() < 0.5:
        fitted(data, rng)


LIES: list[Lie] = [
    smaller_value, other_place, other_rule, other_tree, other_parts, part_of_a_neighbour, other_fields,
    other_equations, neighbour, everywhere, proof_of_a_neighbour, other_network, forge, forge, forge,
]  # fmt: skip
