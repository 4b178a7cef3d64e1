"""The section on generalisation: the learning coefficient, exactly, and a Bayesian experiment that measures it."""

from __future__ import annotations

from fractions import Fraction

from polygeom.dimensions import DimensionResult
from polygeom.network import Network
from polygeom.report.page import COUNTED, OBSERVED, PROBABLE, PROVED, Fact, Figure, Section
from polygeom.singularities import learning_coefficient

MOST_SAMPLED = 40
"""Networks with more weights, or more coefficients, are not sampled for a page."""


def generalisation_section(network: Network, result: DimensionResult, rng: int, deadline: float | None) -> Section:
    """Learning coefficients at generic weights and with a dead neuron; an experiment unless ``deadline`` is None."""
    value = Fraction(result.dimension, 2)
    standing = PROVED if result.proved else PROBABLE
    note = "half the dimension: generalisation error after n samples ≈ λ / n (Watanabe 2009)"
    facts = [
        Fact("learning coefficient λ", str(value), standing, note),
        Fact("half the weights", str(Fraction(result.parameters, 2)), COUNTED, "what a regular model would have"),
    ]
    few = network.parameter_count <= MOST_SAMPLED and (result.ambient_dimension or MOST_SAMPLED + 1) <= MOST_SAMPLED
    widths = network.widths
    if few and widths is not None and len(widths) > 2 and set(network.activation_degrees or ()) != {1}:
        dead = learning_coefficient(network, "dead 1", rng=rng)
        told = f"between {dead.lower} and {dead.upper}" if dead.value is None else str(dead.value)
        many = f"multiplicity {dead.multiplicity}; " if dead.multiplicity else ""
        facts.append(Fact("λ with one dead neuron", told, PROVED, f"{many}{dead.reason}"))
    lead = f"Like a model of {result.dimension} parameters: its error after n samples is about {value} / n."
    if deadline is None or widths is None or not few:
        return Section("How fast does it generalise?", lead, tuple(facts))
    from polygeom.learning.functions.bayes import bayes_generalisation

    found = bayes_generalisation(network, rng=rng, deadline=deadline)
    if not found:
        return Section("How fast does it generalise?", lead, tuple(facts))
    last = found[-1]
    measured = f"{last.scaled_error:.2f} ± {last.deviation:.2f}"
    facts.append(
        Fact("error times n, measured", measured, OBSERVED, f"n = {last.samples}, mean of {last.datasets} data sets")
    )
    data = {
        "samples": [one.samples for one in found],
        "values": [one.scaled_error for one in found],
        "errors": [one.deviation for one in found],
        "coefficient": float(value),
        "regular": result.parameters / 2,
    }
    caption = (
        "Bayesian generalisation error times the number of samples, in units of the noise, sampled by tempered "
        "Hamiltonian Monte Carlo; its limit, the learning coefficient (a theorem), and half the number of weights."
    )
    figure = Figure("generalisation", data, caption)
    return Section("How fast does it generalise?", lead, tuple(facts), figures=(figure,))
