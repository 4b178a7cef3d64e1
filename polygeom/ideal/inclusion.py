"""Does a function belong to the neurovariety? Equations say no; weights that give it, or all equations, say yes.

Membership is meant in the neurovariety, the Zariski closure over the complex numbers: the function need not be
attained by any weights, let alone by real ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from polygeom._dataclass import dataclass
from polygeom._version import __version__
from polygeom.answers import PROBABLE, PROVED, UNKNOWN, Answer
from polygeom.engines.exact import ExactEngine
from polygeom.engines.jets import JetEngine
from polygeom.engines.symbolic import coefficient_map
from polygeom.errors import BudgetError, PoleError
from polygeom.ideal.chart import Chart
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.ideal.reading import read_function
from polygeom.network import Network
from polygeom.network.text.maps import map_formula

if TYPE_CHECKING:
    from polygeom.ideal.result import IdealResult

SMALL = 1e-9
"""Relative residual below which weights are taken to give the function."""
STARTS = 12
"""Random weights from which they are sought."""
_MOST_POLES = 64


@dataclass(frozen=True)
class Inclusion(Answer):
    """The answer to "is F in the neurovariety?".

    Attributes
    ----------
    answer:
        True, False or None.
    status:
        ``"proved"``, ``"probable"`` or ``"unknown"``.
    reason:
        What the answer rests on.
    residual:
        Relative distance of F to the closest function found by adjusting complex weights; None if that was not tried.
    network, seed, version:
        Whose neurovariety, and what reproduces the answer.
    """

    answer: bool | None
    status: str
    reason: str
    residual: float | None = None
    network: str = ""
    seed: int = 0
    version: str = __version__

    def __str__(self) -> str:
        word = {True: "yes", False: "no", None: "unknown"}[self.answer]
        return f"{word} ({self.status}): {self.reason}" if self.answer is not None else f"unknown: {self.reason}"


def contains(function: Any, result: IdealResult, rng: int = 0) -> Inclusion:
    """Whether a function belongs to the neurovariety whose equations were found.

    Parameters
    ----------
    function:
        See `polygeom.ideal.reading.read_function`.
    result:
        Equations of the neurovariety.
    rng:
        Seed of the weights from which the function is sought.
    """
    found = _contains(function, result, rng)
    return replace(found, network=result.network, seed=rng)


def _contains(function: Any, result: IdealResult, rng: int) -> Inclusion:
    coordinates = result.coordinates
    values = read_function(function, coordinates)
    exact = all(isinstance(c, Fraction) for c in values)
    proved = [g for g in result.generators if g.proved_member]
    worst = 0.0
    for number, generator in enumerate(proved):
        value, scale = _value(generator.polynomial, values)
        if exact and value:
            return Inclusion(
                False, PROVED, f"equation {number + 1}, of degree {generator.degree}, has the value {value}"
            )
        worst = max(worst, abs(float(value)) / scale if scale else 0.0)
    if not exact and worst > 1e-6:
        return Inclusion(False, PROBABLE, f"an equation has the relative value {worst:.1e}, too large for rounding")
    listed = len(proved) == sum(result.degrees.values())
    if exact and result.complete and listed:
        return Inclusion(True, PROVED, f"all {len(proved)} equations vanish, and they are complete")
    residual = distance(values, coordinates, rng)
    if residual is not None and residual < SMALL:
        return Inclusion(True, PROBABLE, f"complex weights give it up to {residual:.1e}", residual)
    if result.complete and listed:
        return Inclusion(True, PROBABLE, f"all equations vanish up to {worst:.1e}, and they are complete", residual)
    reason = f"the {len(proved)} equations known vanish, but no weights were found"
    return Inclusion(None, UNKNOWN, reason, residual)


def _value(polynomial: Any, values: Sequence[Any]) -> tuple[Any, float]:
    """Value of a polynomial, and the largest of its terms for comparison."""
    total: Any = 0
    scale = 0.0
    for exponents, c in polynomial.terms():
        term = Fraction(int(c.numerator), int(c.denominator))
        product: Any = math.prod((values[k] ** e for k, e in enumerate(exponents) if e), start=term)
        total += product
        scale = max(scale, abs(float(product)))
    return total, scale


def distance(values: Sequence[Any], coordinates: Coordinates, rng: int = 0) -> float | None:
    """Smallest relative distance found from a function to functions of the network with complex weights.

    Damped Gauss-Newton steps from several random weights; an upper bound for the distance to the neurovariety, up to
    rounding. None when the coefficients of the network are too large to be written out.
    """
    count = coordinates.network.parameter_count
    target = np.array([complex(c) for c in values])
    size = float(np.linalg.norm(target)) or 1.0
    evaluate = _evaluation(coordinates)
    if evaluate is None or count == 0:
        return None
    generator = np.random.default_rng(rng)
    best = math.inf
    for _ in range(STARTS):
        w = generator.standard_normal(count) + 1j * generator.standard_normal(count)
        best = min(best, _descend(w, evaluate, target, size))
        if best < SMALL:
            break
    return best


Evaluation = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From weights ``(P,)`` to coefficients ``(M,)`` and their derivatives ``(M, P)``."""


def _evaluation(coordinates: Coordinates) -> Evaluation | None:
    """The coefficients as a function of the weights; None when they are too large to be written out."""
    network = coordinates.network
    if map_formula(network) is not None:
        everything = Chart(network, (), tuple(range(network.parameter_count)), 0, proved=False)

        def by_jets(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            jet = everything.outputs(w[None], np.zeros((1, 1)), JetEngine(1))
            assert jet.gradient is not None
            return jet.value[0], np.broadcast_to(jet.gradient[0], (len(w), jet.value.shape[1])).T

        return by_jets
    try:
        known = coefficient_map(network)
    except BudgetError:
        return None
    count = network.parameter_count
    polynomials = [known.get(entry, {}) for entry in coordinates.entries]
    rows = np.array([k for k, p in enumerate(polynomials) for _ in p], dtype=np.int64)
    exponents = np.array([e for p in polynomials for e in p], dtype=np.int64).reshape(-1, count)
    coefficients = np.array([complex(c.numerator) / float(c.denominator) for p in polynomials for c in p.values()])

    def by_terms(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        terms = coefficients * np.prod(w**exponents, axis=1)
        value = np.zeros(len(polynomials), dtype=complex)
        np.add.at(value, rows, terms)
        jacobian = np.zeros((len(polynomials), len(w)), dtype=complex)
        for k in range(len(w)):
            np.add.at(jacobian[:, k], rows, terms * exponents[:, k] / w[k])
        return value, jacobian

    return by_terms


def _descend(w: np.ndarray, function: Evaluation, target: np.ndarray, size: float) -> float:
    """Norm of the residual, relative to ``size``, after Levenberg-Marquardt steps from weights ``w``."""

    def evaluate(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, jacobian = function(w)
        return (value - target) / size, jacobian / size

    damping = 1e-2
    residual, jacobian = evaluate(w)
    norm = float(np.linalg.norm(residual))
    for _ in range(300):
        gram = jacobian.conj().T @ jacobian
        scale = damping * max(1e-300, float(np.trace(gram).real) / len(w))
        step = np.linalg.solve(gram + scale * np.eye(len(w)), jacobian.conj().T @ residual)
        trial = w - step
        if not np.all(np.isfinite(trial)) or not np.all(trial):
            break
        new_residual, new_jacobian = evaluate(trial)
        new_norm = float(np.linalg.norm(new_residual))
        if new_norm < norm:
            stalled = new_norm > 0.999999 * norm
            w, residual, jacobian, norm = trial, new_residual, new_jacobian, new_norm
            damping = max(damping / 5, 1e-14)
            if norm < SMALL / 100 or stalled:
                break
        else:
            damping *= 4
            if damping > 1e8:
                break
    return norm


def integer_point(coordinates: Coordinates, rng: np.random.Generator, largest: int) -> list[int | Fraction]:
    """The plain coordinates of the function with random integer weights, exactly."""
    network = coordinates.network
    engine = ExactEngine()
    if map_formula(network) is not None:
        return _map_point(network, rng, largest)
    known = coefficient_map(network)
    weights = engine.encode(rng.integers(-largest, largest + 1, size=network.parameter_count))
    values: list[int | Fraction] = []
    for entry in coordinates.entries:
        total: Any = 0
        for exponents, c in known.get(entry, {}).items():
            term = Fraction(int(c.numerator), int(c.denominator))
            total += term * math.prod(int(w) ** e for w, e in zip(weights, exponents, strict=True) if e)
        values.append(int(total) if Fraction(total).denominator == 1 else total)
    return values


def _map_point(network: Network, rng: np.random.Generator, largest: int) -> list[int | Fraction]:
    """The coordinates of a map at random integers, drawn again where a denominator vanishes."""
    engine = ExactEngine()
    for _ in range(_MOST_POLES):
        weights = {
            name: engine.encode(rng.integers(-largest, largest + 1, size=shape))
            for name, shape in network.parameters.items()
        }
        try:
            return list(network.evaluate(engine, weights, engine.encode([[0]])).flat)
        except PoleError:
            continue
    raise PoleError(f"random_point: denominators vanish at all integers tried; raise largest={largest}")


def floating_map_point(network: Network, kind: type, rng: np.random.Generator) -> list[Any]:
    """The coordinates of a map at standard normal weights, real or complex."""
    count = network.parameter_count
    w = rng.standard_normal(count) + (1j * rng.standard_normal(count) if kind is complex else 0)
    everything = Chart(network, (), tuple(range(count)), 0, proved=False)
    values = everything.outputs(w[None], np.zeros((1, 1)), JetEngine(1), derivatives=False).value[0]
    return [kind(value) for value in values]
