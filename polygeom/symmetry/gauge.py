"""Continuous symmetries of a network's weights, and how many of its parameters they make redundant.

The map from weights to functions is constant along the orbits of its symmetries, so the dimension of the neurovariety
is at most the number of parameters minus the dimension of a generic orbit. Three kinds of symmetries are found.

Scalings
    of features (`polygeom.symmetry.exponents`), for a multilayer perceptron one for each hidden neuron.
Mixings
    the group GL(m) on a value of ``m`` features that is made by linear maps, ``W x`` with free ``W``, sums and biases,
    and read by linear maps only: ``W ↦ g W`` before and ``W ↦ W g⁻¹`` after it. Where both sides of a linear map have
    biases, also shifts ``b ↦ b + v``, ``b′ ↦ b′ - W v``.
The product KᵀQ
    of an attention layer is the only way in which its ``K`` and ``Q`` enter the function.

At a chosen integer point the rank of the corresponding vector fields, modulo a prime, is a lower bound for the
dimension of a generic fibre: the fields are tangent to the fibres at every point, and the rank is largest at a generic
one.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

import numpy as np

from polygeom.network.graph import Network
from polygeom.network.layers import Bias, Dense, Input, Polynomial, Power, Product, Sum
from polygeom.network.text.maps import map_formula
from polygeom.symmetry.exponents import Form, LinearSystem, combine, weight_exponents
from polygeom.symmetry.formulas import linear_rank
from polygeom.symmetry.mixings import mixings, shifts

MOST_LISTED = 2000
"""Largest number of weights whose exponents are listed one by one where one for each layer would do."""
MOST_ENTRIES = 1_000_000
"""Largest matrix of vector fields whose rank is computed; beyond it mixings are left out, and the bound stays valid."""

_PRIME = 33554393  # below 2^25: sums of 2^13 products of residues fit int64


def scalings(network: Network) -> np.ndarray:
    """A basis of the one-parameter scalings of the weights that leave the function unchanged.

    Returns
    -------
    Integer matrix of shape ``(torus_rank(network), network.parameter_count)``: row ``e`` means that the weights
    ``w_k t ** e_k``, numbered in the order of `Network.parameters`, give the same function for every ``t``.

    Raises
    ------
    BudgetError
        When the network has millions of weights.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> scalings(parse("[1,2,1] r=3")).tolist()
    [[1, 0, -3, 0], [0, 1, 0, -3]]
    """
    forms, _ = weight_exponents(network)
    unknowns = sorted({i for form in forms for i in form})
    chosen = LinearSystem()
    rows: list[list[int]] = []
    for i in unknowns:
        column: list[int | Fraction] = [form.get(i, 0) for form in forms]
        if chosen.require({k: c for k, c in enumerate(column) if c}):
            scale = math.lcm(*(Fraction(c).denominator for c in column))
            integers = [int(c * scale) for c in column]
            common = math.gcd(*integers)
            rows.append([c // common for c in integers])
    large = max((abs(c) for row in rows for c in row), default=0) >= 2**63
    return np.array(rows, dtype=object if large else np.int64).reshape(len(rows), network.parameter_count)


@lru_cache(maxsize=4096)
def torus_rank(network: Network) -> int:
    """Dimension of the torus of scalings; for a multilayer perceptron the number of hidden neurons, at no cost."""
    if network.widths is not None:
        return sum(network.widths[1:-1])
    return _rank(*weight_exponents(network))


def gauge(network: Network) -> int:
    """A proved lower bound for the dimension of the generic fibre of weights ↦ function, from its symmetries.

    ``network.parameter_count - gauge(network)`` is an upper bound for the dimension of the neurovariety.

    For a multilayer perceptron: consecutive matrices without activation between them enter by their product, any matrix
    of rank at most their least width ``m``, which makes ``m (a + b - m)`` dimensions for ``a`` inputs and ``b``
    outputs. On the products the scalings of neurons with an activation act, and where no entry vanishes their exponents
    are independent: those of the first product determine the scalings of its rows, those of the second the next, ….

    For a map given by formulas: the rank of its linear symmetries (`polygeom.symmetry.formulas`), scalings among them.

    For any other network: the function factors through the coordinates in which ``KᵀQ`` replaces ``K`` and ``Q``; there
    the rank of scalings, mixings and shifts is taken, or of scalings alone where the matrix would have more than
    `MOST_ENTRIES` entries.

    Raises
    ------
    BudgetError
        When the network is not a multilayer perceptron and has millions of weights.

    Examples
    --------
    >>> from polygeom.network import parse
    >>> [gauge(parse(text)) for text in ("[2,3,1] r=2", "[3,2,3] r=1")]
    [3, 4]
    """
    if network.widths is not None and network.activation_degrees is not None:
        return _chain_gauge(network.parameter_count, network.widths, network.activation_degrees)
    if network.parameter_count == 0:
        return 0
    if network.parameter_count > MOST_LISTED and (torus := layered_torus(network)) is not None:
        return torus
    forms, free = weight_exponents(network)
    formula = map_formula(network)
    if formula is not None:
        return max(_rank(forms, free), linear_rank(formula.compiled))
    quotient = _Quotient(network, forms)
    fields = _fields(network, MOST_ENTRIES // network.parameter_count - free)
    if fields is None:
        return quotient.fibre + _rank(quotient.forms, free)
    values, rows = fields
    everything = quotient.project(np.concatenate([_torus_fields(forms, values), rows]), values)
    return quotient.fibre + _rank_mod_p(everything)


def _chain_gauge(parameters: int, widths: Sequence[int], degrees: Sequence[int]) -> int:
    dimension, first, least = 0, widths[0], widths[0]
    for width, degree in zip(widths[1:], (*degrees, 2), strict=True):
        least = min(least, width)
        if degree > 1:
            dimension += least * (first + width - least) - width
            first = least = width
    return parameters - (dimension + widths[-1])


def layered_torus(network: Network) -> int | None:
    """The dimension of the torus of scalings by one unknown for each layer, in time linear in the layers.

    Full matrices of their own take up any scaling of what they read and make, and all other layers act on every feature
    alike, so that the exponents of the i-th features satisfy the same equations for all i. None for other layers, and
    where matrices can be mixed or biases shifted, unless there are too many of them.

    >>> from polygeom.network import parse
    >>> layered_torus(parse("[1000,1000,10] r=2 bias"))
    1000
    """
    if len(network.input_shape) != 1 or any(node.shares is not None for node in network.nodes):
        return None
    system, forms, widths = LinearSystem(), list[Form](), list[int]()
    for number, node in enumerate(network.nodes):
        read = [forms[i] for i in node.inputs]
        match node.layer:
            case Input():
                forms.append({})
            case Dense(pattern=None):
                forms.append({len(widths): 1})
                widths.append(network.shapes[number][-1])
            case Bias():
                forms.append(read[0])
            case Power(degree):
                forms.append(combine({}, degree, read[0]))
            case Polynomial(coefficients):
                exponents = [k for k, c in enumerate(coefficients) if c]
                for k in exponents[1:]:
                    system.require(combine({}, k - exponents[0], read[0]))
                forms.append(combine({}, exponents[0], read[0]))
            case Sum():
                for form in read[1:]:
                    system.require(combine(form, -1, read[0]))
                forms.append(read[0])
            case Product():
                total: Form = {}
                for form in read:
                    total = combine(total, 1, form)
                forms.append(total)
            case _:
                return None
    system.require(forms[-1])
    mixed = sum(m * m for m, _, _ in mixings(network)) + sum(len(before) for before, _ in shifts(network))
    if 0 < mixed * network.parameter_count <= MOST_ENTRIES:
        return None
    return sum(width for k, width in enumerate(widths) if not system.solves(k))


def _rank(forms: Sequence[Form], most: int) -> int:
    """Rank of linear forms in ``most`` unknowns."""
    system = LinearSystem()
    for form in forms:
        if system.rank == most:
            break
        system.require(form)
    return system.rank


def _rank_mod_p(rows: np.ndarray) -> int:
    import flint

    return int(flint.nmod_mat(len(rows), rows.shape[1], rows.ravel().tolist(), _PRIME).rank())


class _Quotient:
    """Coordinates through which the function factors: the weights, with ``K`` and ``Q`` of an attention replaced by
    KᵀQ.

    For ``Q, K`` of shape ``a × d`` the product has rank ``c = min(a, d)``, so it ranges over ``c (2 d - c)`` dimensions
    and its fibres have dimension ``2 a d - c (2 d - c)``; `fibre` is their sum. An attention whose scalings do not
    scale the entries of the product, which happens when some of its features vanish identically, keeps ``K`` and ``Q``.
    """

    def __init__(self, network: Network, forms: Sequence[Form]) -> None:
        numbers = network.weight_numbers
        self.fibre = 0
        self.forms: list[Form] = []
        self._products: list[tuple[np.ndarray, np.ndarray]] = []
        replaced: set[int] = set()
        for number, node in enumerate(network.nodes):
            pairs = () if node.shares is not None else node.layer.products
            names = network.weight_names[number]
            for q, k in ((numbers[names[a]], numbers[names[b]]) for a, b in pairs):
                product = _product_forms(forms, q, k)
                if product is None:
                    continue
                self.forms += product
                self._products.append((q, k))
                replaced |= {*q.ravel().tolist(), *k.ravel().tolist()}
                rank = min(q.shape)
                self.fibre += 2 * q.size - rank * (2 * q.shape[1] - rank)
        self._kept = [w for w in range(len(forms)) if w not in replaced]
        self.forms += [forms[w] for w in self._kept]

    def project(self, fields: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Vector fields ``(n, P)`` on the weights at ``values``, as fields ``(n, coordinates)`` modulo the prime."""
        parts = [fields[:, self._kept]]
        for q, k in self._products:
            change = np.einsum("nsi,sj->nij", fields[:, k], values[q])
            change += np.einsum("si,nsj->nij", values[k], fields[:, q])
            parts.append(change.reshape(len(fields), -1))
        return np.concatenate(parts, axis=1) % _PRIME


def _product_forms(forms: Sequence[Form], q: np.ndarray, k: np.ndarray) -> list[Form] | None:
    """Exponents of the entries of KᵀQ, or None when the terms of an entry have different ones."""
    product: list[Form] = []
    for i in range(q.shape[1]):
        for j in range(q.shape[1]):
            terms = [combine(forms[k[s, i]], 1, forms[q[s, j]]) for s in range(len(q))]
            if any(term != terms[0] for term in terms):
                return None
            product.append(terms[0])
    return product


def _torus_fields(forms: Sequence[Form], values: np.ndarray) -> np.ndarray:
    """One field for every free unknown exponent: ``e_k w_k``, modulo the prime."""
    row = {i: number for number, i in enumerate(sorted({i for form in forms for i in form}))}
    rows = np.zeros((len(row), len(forms)), dtype=np.int64)
    scale = math.lcm(*(Fraction(c).denominator for form in forms for c in form.values()))
    for k, form in enumerate(forms):
        for i, c in form.items():
            rows[row[i], k] = int(c * scale) % _PRIME * int(values[k]) % _PRIME
    return rows


def _fields(network: Network, most: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Random weights modulo the prime and at most ``most`` fields of mixings and shifts there; None without any."""
    moved = list(shifts(network))
    most -= sum(len(before) for before, _ in moved)
    groups = sorted(mixings(network), key=lambda group: group[0])
    while groups and sum(m * m for m, _, _ in groups) > most:
        groups.pop()
    if most < 0 or not (groups or moved):
        return None
    rng = random.Random(network.parameter_count)
    values = np.array([rng.randrange(1, _PRIME) for _ in range(network.parameter_count)], dtype=np.int64)
    rows = [np.zeros((0, len(values)), dtype=np.int64)]
    for m, made, read in groups:
        mixing = np.zeros((m, m, len(values)), dtype=np.int64)
        for i in range(m):
            for j in range(m):
                for w in made:
                    mixing[i, j, w[i]] += values[w[j]]
                for w in read:
                    mixing[i, j, w[:, j]] -= values[w[:, i]]
        rows.append(mixing.reshape(m * m, -1))
    for before, after in moved:
        shift = np.zeros((len(before), len(values)), dtype=np.int64)
        shift[np.arange(len(before)), before] = 1
        for w, bias in after:
            shift[:, bias] -= values[w].T
        rows.append(shift)
    return values, np.concatenate(rows)
