"""Why a network is smaller than expected: the chain of bounds that reaches its dimension, as data and as one line."""

from __future__ import annotations

from collections.abc import Iterator

from polygeom._dataclass import dataclass
from polygeom._version import __version__
from polygeom.answers import PROBABLE, PROVED, Answer
from polygeom.dimensions.bounds.bound import RULES, Bound, subject
from polygeom.dimensions.bounds.search import proved_bound
from polygeom.dimensions.compute import dimension
from polygeom.dimensions.result import DimensionResult
from polygeom.errors import PolygeomError
from polygeom.network import Network, parse
from polygeom.network.builder import as_network

EXPLAINED = "explained"
UNEXPLAINED = "unexplained"
NO_DEFECT = "no defect"


@dataclass(frozen=True, slots=True)
class Step:
    """One bound of the chain.

    Attributes
    ----------
    level:
        0 for the bound of the network itself, 1 for what it rests on, and so on.
    rule, layer, meaning:
        The rule of `polygeom.dimensions.bounds.rules`, the hidden layer at which it is applied (0 where it has
        none), and why it holds, in a few words.
    widths, degrees:
        The architecture that is bounded; empty for networks that are not plain perceptrons.
    value:
        The bound.
    network:
        The text of a part that is no plain perceptron; empty elsewhere.
    """

    level: int
    rule: str
    layer: int
    meaning: str
    widths: tuple[int, ...]
    degrees: tuple[int, ...]
    value: int
    network: str = ""


@dataclass(frozen=True, slots=True)
class Explanation(Answer):
    """What the bounds say about the dimension of a network.

    Attributes
    ----------
    network:
        Its canonical text.
    dimension, expected_dimension, defect:
        The computed dimension, the expected one, and their difference.
    verdict:
        ``"explained"`` if the smallest bound is the computed dimension, below the expected one; ``"no defect"``;
        ``"unexplained"`` if no bound reaches the computed value, which is then probable and not proved.
    bound:
        The smallest upper bound found.
    chain:
        Its steps, each followed by those it rests on.
    seed, version:
        What reproduces it.
    """

    network: str
    dimension: int
    expected_dimension: int
    defect: int
    verdict: str
    bound: int
    chain: tuple[Step, ...]
    seed: int = 0
    version: str = __version__
    told = ("status", "causes")

    @property
    def status(self) -> str:
        """``"proved"``: a bound meets the dimension; ``"probable"`` where it is unexplained."""
        return PROBABLE if self.verdict == UNEXPLAINED else PROVED

    @property
    def causes(self) -> tuple[str, ...]:
        """The rules of the chain that are special, in order: all but the counts of coefficients and parameters."""
        rules = (f"{s.rule} at layer {s.layer}" if s.layer else s.rule for s in self.chain if not RULES[s.rule].counts)
        return tuple(dict.fromkeys(rules))

    def __str__(self) -> str:
        """One line for a reader."""
        head = f"{self.network}: "
        if self.verdict == NO_DEFECT:
            return f"{head}no defect, dimension {self.dimension} as expected"
        head += f"dimension {self.dimension}, {self.defect} below the expected {self.expected_dimension}: "
        if self.verdict == UNEXPLAINED:
            return f"{head}unexplained, the smallest bound is {self.bound} ({_tell(self.chain[0])})"
        return head + "; ".join(_tell(step) for step in self.chain)


def _tell(step: Step) -> str:
    place = f" at {'layer' if step.widths else 'node'} {step.layer}" if step.layer else ""
    part = f"{subject(step.widths, step.network)} " if step.level else ""
    return f"{part}≤ {step.value} by {step.rule}{place} ({step.meaning})"


def explain(network: Network | str | DimensionResult, *, error: float = 1e-9, rng: int = 0) -> Explanation:
    """Why the dimension of a network is what it is.

    Parameters
    ----------
    network:
        A `Network`, its text, or a result of `polygeom.dimensions.dimension`, whose dimension is then taken over.
    error, rng:
        As for `polygeom.dimensions.dimension`, if the dimension is not given.

    Raises
    ------
    FormatError
        If the text is not a network.

    Examples
    --------
    >>> explanation = explain("[5,5,5,1] r=2")
    >>> explanation.verdict, explanation.causes
    ('explained', ('rotations',))
    >>> print(explanation)
    [5,5,5,1] r=2: dimension 35, 10 below the expected 45: ≤ 35 by rotations (a sum of squares is unchanged by \
rotations of what is squared); (5,5,5) ≤ 45 by parameters (weights minus scalings)
    """
    if isinstance(network, DimensionResult):
        result, known = network, parse(network.network)
    elif isinstance(network, Network | str):
        known = as_network(network).unscaled
        result = dimension(known, error=error, rng=rng)
    else:
        raise PolygeomError(
            f"network must be a Network, its text or a DimensionResult, got {type(network).__name__}; "
            'write "[5,5,5,1] r=2"'
        )
    return explain_known(known, result.dimension, result.expected_dimension, result.seed)


def explain_known(network: Network, found: int, expected: int, seed: int = 0) -> Explanation:
    """The explanation of a dimension that is already known, of a network and its expected dimension: bounds alone."""
    bound = proved_bound(network)
    verdict = NO_DEFECT if found >= expected else EXPLAINED if found == bound.value else UNEXPLAINED
    chain = tuple(steps(bound))
    return Explanation(network.text, found, expected, expected - found, verdict, bound.value, chain, seed)


def steps(bound: Bound, level: int = 0) -> Iterator[Step]:
    """The steps of a bound, each before those it rests on."""
    meaning = RULES[bound.rule].meaning
    yield Step(level, bound.rule, bound.layer, meaning, bound.widths, bound.degrees, bound.value, bound.network)
    for part in bound.parts:
        yield from steps(part, level + 1)
