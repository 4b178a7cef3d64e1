"""Upper bounds for programs of any kind: coefficients, weights minus symmetries, one token, homogenised perceptrons.

Symmetries are vector fields on the weights along which the outputs do not change. They are found here by rules of
their own, and counted by the rank of their values at chosen weights modulo a prime, which is at most the dimension of
a generic fibre.

Scalings
    Every entry of every value is multiplied by a power of t; the exponents of inputs and outputs are 0, and each step
    says what the exponents of its value are.
Mixings
    The features of some values are mixed by a matrix; the full matrices that make them and those that read them make
    up for it.
Keys and queries
    K ↦ g K and Q ↦ g⁻ᵀ Q leave Kᵀ Q alone.
Shifts
    A bias before a full matrix and the bias after it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from polygeom.dimensions.proofs import rules
from polygeom.dimensions.proofs.jacobians import Array, rank
from polygeom.dimensions.proofs.limits import Budget
from polygeom.dimensions.proofs.programs import Layer, Program, Step

PRIME = 33554393
MOST_DEGREES = 20_000


def degree_set(program: Program, budget: Budget) -> list[int]:
    """The degrees in the inputs that the outputs may have, increasing."""
    sets: list[set[int]] = [{1}]
    for step in program.steps:
        parts = [sets[i] for i in step.reads]
        budget.step("the degrees of the outputs", 10.0 * MOST_DEGREES)
        if step.word in ("linear", "gather"):
            sets.append(parts[0])
        elif step.word == "bias":
            sets.append(parts[0] | {0})
        elif step.word == "add":
            sets.append(parts[0] | parts[1])
        elif step.word in ("multiply", "matmul"):
            sets.append(_sums(parts[0], parts[1], budget))
        elif step.word == "power":
            sets.append(_multiple(parts[0], step.data, budget))
        else:
            sets.append(_polynomial_degrees(parts[0], step.data, budget))
    return sorted(sets[-1])


def _sums(a: set[int], b: set[int], budget: Budget) -> set[int]:
    budget.step("the degrees of the outputs", float(len(a) * len(b)))
    if len(a) * len(b) > 100 * MOST_DEGREES:
        budget.step("the degrees of the outputs", float("inf"))
    return {x + y for x in a for y in b}


def _multiple(a: set[int], times: int, budget: Budget) -> set[int]:
    if len(a) == 1:
        return {times * x for x in a}
    result = {0}
    for bit in bin(times)[2:]:
        result = _sums(result, result, budget)
        if bit == "1":
            result = _sums(result, a, budget)
    return result


def _polynomial_degrees(a: set[int], coefficients: tuple[Fraction, ...], budget: Budget) -> set[int]:
    result, power = set[int](), {0}
    for c in coefficients:
        if c:
            result |= power
        power = _sums(power, a, budget)
    return result


def one_token(program: Program) -> int:
    """Attention on one token: symmetric matrices of rank at most twice the rank, and a linear map; -1 for others."""
    if [layer.word for layer in program.layers] != ["input", "attention"] or program.shapes[0][0] != 1:
        return -1
    weights = program.layers[1].weights
    a, d = weights["Q"].shape
    s = min(2 * a, d)
    return int(s * d - s * (s - 1) // 2 + weights["V"].size - 1)


def homogenised(program: Program) -> rules.Case | None:
    """The perceptron without biases that has one with biases as a part: an input and a neuron in each layer more."""
    if len(program.shapes[0]) != 1:
        return None
    widths, degrees, biased = [program.inputs + 1], list[int](), False
    for layer in program.layers[1:]:
        between = len(widths) == len(degrees) + 1
        if not layer.own:
            return None
        if layer.word == "bias" and not between:
            biased = True
        elif layer.word == "dense" and between:
            widths.append(program.shapes[layer.value][-1] + 1)
        elif layer.word == "power" and not between:
            degrees.append(layer.degree)
        else:
            return None
    if not biased or len(widths) != len(degrees) + 2:
        return None
    return (*widths[:-1], widths[-1] - 1), tuple(degrees)


def torus(program: Program, budget: Budget) -> int:
    """The dimension of the torus of scalings of the weights that leave the outputs unchanged."""
    values = np.random.default_rng(program.weights).integers(1, PRIME, size=program.weights)
    table = _scalings(program, values, budget)
    budget.rank("the rank of the scalings", *table.shape)
    return rank(table, PRIME)


def gauge(program: Program, budget: Budget) -> int:
    """At least how many dimensions a generic fibre of weights ↦ function has, by the symmetries of this module."""
    values = np.random.default_rng(program.weights).integers(1, PRIME, size=program.weights)
    rows = [_scalings(program, values, budget)]
    for fields in _fields(program, values):
        if sum(map(len, rows)) + len(fields) > max(1, budget.memory // (100 * program.weights)):
            break
        rows.append(fields)
    table = np.concatenate(rows) % PRIME
    budget.rank("the rank of the symmetries", *table.shape)
    return rank(table, PRIME)


Form = dict[int, Fraction]
"""A linear form in the unknown exponents."""


class _Exponents:
    """Unknown exponents and the linear equations between them, always solved for their largest unknowns."""

    def __init__(self, budget: Budget) -> None:
        self.count, self._solved, self._budget = 0, dict[int, Form](), budget

    def new(self) -> Form:
        self.count += 1
        return {self.count: Fraction(1)}

    def reduced(self, form: Form) -> Form:
        """The form in unknowns that no equation is solved for."""
        form = dict(form)
        while True:
            hit = next((i for i in form if i in self._solved), None)
            if hit is None:
                return form
            self._budget.step("the scalings")
            form = _combined(form, self._solved[hit], form.pop(hit))

    def equal(self, a: Form, b: Form) -> None:
        """One more equation."""
        difference = self.reduced(_combined(a, b, Fraction(-1)))
        if difference:
            top = max(difference)
            lead = difference.pop(top)
            self._solved[top] = {i: -c / lead for i, c in difference.items()}


def _combined(a: Form, b: Form, factor: Fraction) -> Form:
    """``a + factor · b``."""
    out = dict(a)
    for i, c in b.items():
        total = out.get(i, Fraction(0)) + factor * c
        if total:
            out[i] = total
        else:
            out.pop(i, None)
    return out


def _scalings(program: Program, values: Array, budget: Budget) -> Array:
    """A field ``e_k w_k`` for every free unknown exponent, at the weights ``values``."""
    system = _Exponents(budget)
    weights: list[Form | None] = [None] * program.weights
    entries: list[list[Form]] = [[{} for _ in range(program.inputs)]]
    for step, shape in zip(program.steps, program.shapes[1:], strict=True):
        budget.step("the scalings", 100.0 * math.prod(shape))
        entries.append(_scaled(step, shape, program, entries, weights, system))
    for form in entries[-1]:
        system.equal(form, {})
    forms = [system.new() if form is None else system.reduced(form) for form in weights]
    free = {i: n for n, i in enumerate(sorted({i for form in forms for i in form}))}
    budget.step("the scalings", 0, 8 * len(free) * len(forms))
    rows = np.zeros((len(free), len(forms)), dtype=np.int64)
    for k, form in enumerate(forms):
        for i, c in form.items():
            rows[free[i], k] = c.numerator * pow(c.denominator, -1, PRIME) * int(values[k]) % PRIME
    return rows


def _scaled(
    step: Step,
    shape: tuple[int, ...],
    program: Program,
    entries: list[list[Form]],
    weights: list[Form | None],
    system: _Exponents,
) -> list[Form]:
    """Exponents of the entries of one value."""
    x = entries[step.reads[0]]
    if step.word == "gather":
        return [x[i] for i in step.data.ravel()]
    if step.word == "power":
        return [{i: step.data * c for i, c in form.items()} for form in x]
    if step.word == "polynomial":
        return _scaled_polynomial(x, step.data, system)
    if step.word == "multiply":
        return [_combined(a, b, Fraction(1)) for a, b in zip(x, entries[step.reads[1]], strict=True)]
    if step.word == "add":
        y = entries[step.reads[1]]
        for a, b in zip(x, y, strict=True):
            system.equal(a, b)
        return [dict(a) for a in x]
    if step.word == "bias":
        for place, form in enumerate(x):
            k = int(step.data[place % shape[-1]])
            known = weights[k]
            if known is None:
                weights[k] = form
            else:
                system.equal(known, form)
        return x
    out = [system.new() for _ in range(math.prod(shape))]
    if step.word == "matmul":
        y, (s, u), t = entries[step.reads[1]], shape, program.shapes[step.reads[0]][-1]
        for i in range(s):
            for k in range(u):
                for j in range(t):
                    system.equal(_combined(x[i * t + j], y[j * u + k], Fraction(1)), out[i * u + k])
        return out
    m, n = step.data.shape
    for place in range(len(out) // m):
        for i, j in zip(*np.nonzero(step.data >= 0), strict=True):
            k = int(step.data[i, j])
            change = _combined(out[place * m + i], x[place * n + j], Fraction(-1))
            known = weights[k]
            if known is None:
                weights[k] = change
            else:
                system.equal(known, change)
    return out


def _scaled_polynomial(x: list[Form], coefficients: tuple[Fraction, ...], system: _Exponents) -> list[Form]:
    terms = [k for k, c in enumerate(coefficients) if c]
    if len(terms) == 1:
        return [{i: terms[0] * c for i, c in form.items() if terms[0]} for form in x]
    for form in x:
        system.equal(form, {})
    return [{} for _ in x]


def _fields(program: Program, values: Array) -> Iterator[Array]:
    """Mixings, keys and queries, shifts, as fields at the weights ``values``; small ones first."""
    pairs = [(layer.weights["Q"], layer.weights["K"]) for layer in program.layers if layer.word == "attention"]
    mixings = [*_mixings(program)]
    for q, k in {id(q): (q, k) for q, k in pairs}.values():
        a = len(q)
        rows = np.zeros((a, a, len(values)), dtype=np.int64)
        for i in range(a):
            for j in range(a):
                rows[i, j, k[i]] += values[k[j]]
                rows[i, j, q[j]] -= values[q[i]]
        yield rows.reshape(a * a, -1)
    yield from _shifts(program, values)
    for m, made, read in sorted(mixings, key=lambda mixing: mixing[0]):
        rows = np.zeros((m, m, len(values)), dtype=np.int64)
        for i in range(m):
            for j in range(m):
                for w in made:
                    rows[i, j, w[i]] += values[w[j]]
                for w in read:
                    rows[i, j, w[:, j]] -= values[w[:, i]]
        yield rows.reshape(m * m, -1)


def passes(layer: Layer) -> bool:
    """Whether a linear map of the last axis of what a layer reads is the same map of its value, up to biases."""
    return layer.word in ("sum", "bias") or (layer.word in ("power", "polynomial") and layer.degree == 1)


def _mixings(program: Program) -> Iterator[tuple[int, list[Array], list[Array]]]:
    """Size, the weights ``(size, …)`` whose rows make the features, those ``(…, size)`` whose columns read them."""
    layers = {layer.value: layer for layer in program.layers}
    root = {value: value for value in layers}
    for layer in program.layers:
        if passes(layer):
            joined = {root[v] for v in (*layer.reads, layer.value)}
            root = {v: min(joined) if r in joined else r for v, r in root.items()}
    for group in {r: [v for v in root if root[v] == r] for r in root.values()}.values():
        m = program.shapes[group[0]][-1]
        if m == 1 or program.layers[-1].value in group:
            continue
        outside = [x for x in program.layers if not passes(x) and not set(x.reads).isdisjoint(group)]
        made, read = [rows_of(layers[v], program) for v in group], [columns_of(layer, program) for layer in outside]
        if None not in made and None not in read:
            yield m, [w for ws in made for w in ws or ()], [w for ws in read for w in ws or ()]


def rows_of(layer: Layer, program: Program) -> list[Array] | None:
    """The weights whose rows make the features of a layer; None where a matrix is not absorbed."""
    if layer.word in ("sum", "power", "polynomial"):
        return [] if passes(layer) else None
    if not layer.own:
        return None
    if layer.word == "bias":
        return [layer.weights["b"][:, None]]
    if layer.word == "convolution":
        return [layer.weights["w"]] if len(program.shapes[layer.value]) == 2 else None
    letter = {"dense": "W", "attention": "V"}.get(layer.word)
    return None if letter is None else [layer.weights[letter]]


def columns_of(layer: Layer, program: Program) -> list[Array] | None:
    """The weights whose columns read the features that a layer takes in; None where a matrix is not absorbed."""
    shape = program.shapes[layer.reads[0]]
    if not layer.own:
        return None
    if layer.word == "dense":
        return [layer.weights["W"]]
    if layer.word == "attention":
        return [*layer.weights.values()]
    if layer.word == "convolution" and len(shape) == 2:
        return [layer.weights["w"].reshape(-1, shape[1])]
    return None


def _shifts(program: Program, values: Array) -> Iterator[Array]:
    readers: dict[int, list[Layer]] = {layer.value: [] for layer in program.layers}
    for layer in program.layers:
        for value in set(layer.reads):
            readers[value].append(layer)
    for layer in program.layers:
        after = [(x, readers[x.value]) for x in readers[layer.value]]
        if layer.word != "bias" or not layer.own or not after:
            continue
        if all(x.word == "dense" and x.own and len(y) == 1 and y[0].word == "bias" and y[0].own for x, y in after):
            before = layer.weights["b"]
            rows = np.zeros((len(before), len(values)), dtype=np.int64)
            rows[np.arange(len(before)), before] = 1
            for x, (y,) in after:
                rows[:, y.weights["b"]] -= values[x.weights["W"]].T
            yield rows
