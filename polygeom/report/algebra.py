"""Sections that need no training: what the network is, how big, why, identifiable or not, and which equations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from polygeom._dataclass import dataclass
from polygeom.dimensions import DimensionResult
from polygeom.dimensions.explain import EXPLAINED, NO_DEFECT, explain
from polygeom.dimensions.identifiability import identifiability
from polygeom.errors import BudgetError, PolygeomError
from polygeom.network import Network
from polygeom.network.text.maps import map_formula
from polygeom.report.page import OBSERVED, PROBABLE, PROVED, Fact, Figure, Section

_MOST_COORDINATES = 60
_MOST_TERMS = 40
_SHOWN = 3
"""Equations on the page, where they are short enough to read."""


@dataclass(frozen=True, slots=True)
class Words:
    """What the page calls the parametrisation, what it depends on, and what it computes."""

    thing: str
    weight: str
    value: str
    ambient: str
    subtitle: str


_NETWORK = Words(
    "network", "weight", "function", "coefficients of the outputs",
    "Portrait of a polynomial network: how big, which equations, what it learns.",
)  # fmt: skip
_MAP = Words(
    "map", "parameter", "point", "coordinates", "Portrait of a polynomial or rational map: how big, which equations."
)


def words(network: Network) -> Words:
    """The words for a network, or for a map."""
    return _NETWORK if map_formula(network) is None else _MAP


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def network_section(network: Network) -> Section:
    """Inputs, outputs, layers and degree, with a drawing where the network is a perceptron."""
    if (formula := map_formula(network)) is not None:
        weights, size = ", ".join(formula.weights) or "none", str(len(formula.coordinates))
        return Section("The map", "", (Fact("parameters", weights), Fact("coordinates", size)))
    facts = [
        Fact("inputs, outputs", f"{network.input_dimension} → {network.output_dimension}"),
        Fact("degree of the outputs", str(network.degree)),
        Fact("weights", ", ".join(f"{name} {_shape(shape)}" for name, shape in network.parameters.items())),
    ]
    figures = []
    if network.widths is not None:
        data = {"widths": list(network.widths), "degrees": list(network.activation_degrees or ())}
        figures.append(Figure("network", data, "The network: widths above, activations below."))
    else:
        facts.append(Fact("layers", ", ".join(node.layer.kind for node in network.nodes)))
    return Section("The network", "", tuple(facts), figures=tuple(figures))


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def dimension_section(network: Network, result: DimensionResult) -> Section:
    """Counts, dimension and its proof."""
    standing = PROVED if result.proved else PROBABLE
    ambient = "too many to count" if result.ambient_dimension is None else str(result.ambient_dimension)
    said = words(network)
    space = said.ambient.split()[0]
    sizes = {f"{said.weight}s": result.parameters, "expected": result.expected_dimension, "dimension": result.dimension}
    sizes |= {} if result.ambient_dimension is None else {space: result.ambient_dimension}
    lead = (
        f"Its neurovariety has dimension {result.dimension}: so many numbers are needed to say which "
        f"{said.value} of the {said.thing} is meant, out of {_plural(result.parameters, said.weight)}."
    )
    filling = f"whether the closure of its {said.value}s is everything"
    facts = (
        Fact("dimension", str(result.dimension), standing, _proof(result)),
        Fact(f"{said.weight}s", str(result.parameters)),
        Fact("of these redundant", str(result.gauge), note=f"dimension of the known symmetries of the {said.weight}s"),
        Fact("expected dimension", str(result.expected_dimension), note=f"min({space}, {said.weight}s − redundant)"),
        Fact(said.ambient, ambient, note="the ambient space"),
        Fact("defect", str(result.defect), standing if result.defect else ""),
        Fact("filling", "yes" if result.filling else "no", standing, filling),
    )
    caption = "The dimension among the counts it is usually confused with."
    return Section("How big is it?", lead, facts, figures=(Figure("sizes", {"sizes": sizes}, caption),))


def _proof(result: DimensionResult) -> str:
    if not result.proved:
        return f"the largest of {result.trials} random ranks; wrong with probability at most {result.error_bound:.1e}"
    return f"at least {result.lower}: rank of an integer Jacobian; at most {result.upper}: {result.bound}"


def explanation_section(result: DimensionResult) -> Section:
    """The chain of bounds behind a defect."""
    found = explain(result)
    if found.verdict == NO_DEFECT:
        lead = "Nothing is missing: the dimension is the expected one."
        return Section("Why this size?", lead)
    if found.verdict != EXPLAINED:
        lead = f"The defect of {found.defect} is unexplained: the smallest proved bound is {found.bound}."
        return Section("Why this size?", lead)
    facts = tuple(
        Fact("  " * step.level + _subject(step), f"≤ {step.value}", PROVED, f"{step.rule}: {step.meaning}")
        for step in found.chain
    )
    lead = f"The dimension is {found.defect} below the expected one, and this is why:"
    return Section("Why this size?", lead, facts)


def _subject(step: Any) -> str:
    return f"({', '.join(map(str, step.widths))})" if step.widths else "the network"


def identifiability_section(network: Network) -> Section:
    """Whether a function determines its weights."""
    found = identifiability(network)
    standing = PROVED if found.proved else PROBABLE
    word = "yes" if found.identifiable else "no"
    said = words(network)
    many = "finitely many" if found.identifiable else "infinitely many"
    rest = f"up to symmetries of the {said.thing}" if found.identifiable else "even up to symmetries"
    lead = f"A generic {said.value} of this {said.thing} comes from {many} {said.weight}s, {rest}."
    note = f"{found.reason}; dimension {found.dimension}, {_plural(found.free, said.weight)} up to symmetries"
    title = f"Does the {said.value} determine the {said.weight}s?"
    return Section(title, lead, (Fact("finitely identifiable", word, standing, note),))


def equations_section(network: Network, result: DimensionResult, seconds: float) -> Section:
    """Equations, degree and Hilbert function, where they are cheap."""
    title = "Which equations?"
    if result.filling:
        said = words(network)
        space = said.ambient.split()[0]
        lead = f"None: the {said.thing} is filling, so no polynomial in the {space} vanishes on all its {said.value}s."
        return Section(title, lead)
    if result.ambient_dimension is None or result.ambient_dimension > _MOST_COORDINATES:
        lead = "Not tried: the outputs have too many coefficients for a quick search; see polygeom ideal."
        return Section(title, lead)
    from polygeom.ideal import Neurovariety

    variety = Neurovariety(network)
    try:
        search = variety.search(timeout=seconds)
    except (BudgetError, PolygeomError) as error:
        return Section(title, f"Not found in {seconds:.0f} seconds: {error}")
    shown = tuple(
        str(one.polynomial) for one in search.result.generators[:_SHOWN] if len(one.polynomial) <= _MOST_TERMS
    )
    notes = tuple(_equation_notes(search, len(shown)))
    return Section(title, _equations_lead(search), tuple(_equation_facts(search)), notes, formulas=shown)


def _equations_lead(search: Any) -> str:
    degrees = search.result.degrees
    if not degrees:
        return f"No equation up to degree {search.interpolation.degree}; {search.result.completeness}."
    parts = [f"{count} of degree {degree}" for degree, count in degrees.items()]
    complete = "" if search.completeness is None else ", and these generate the ideal"
    return f"Minimal generators: {', '.join(parts)}{complete}."


def _equation_facts(search: Any) -> Iterator[Fact]:
    argument = search.completeness
    if argument is not None:
        yield Fact("degree", str(argument.degree), PROVED)
        yield Fact("h-vector", ", ".join(map(str, argument.h_vector)), PROVED)
    values = search.result.hilbert_function
    if values:
        yield Fact(
            "Hilbert function", ", ".join(map(str, values)) + ", …", PROVED if argument is not None else OBSERVED
        )
    yield Fact("the whole ideal", search.result.completeness)


def _equation_notes(search: Any, shown: int) -> Iterator[str]:
    """What is not on the page, and how to get it."""
    generators = search.result.generators
    if generators and not shown:
        yield f"The first has {len(generators[0].polynomial)} terms."
    if len(generators) > shown:
        yield "All of them: polygeom ideal --out FILE."
