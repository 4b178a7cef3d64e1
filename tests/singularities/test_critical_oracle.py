"""All components of small critical loci against Singular: minimal primes of the minors in all weights."""

from __future__ import annotations

from collections import Counter

import pytest
from programs import needs, output

from polygeom.engines.symbolic import coefficient_map
from polygeom.network import parse
from polygeom.singularities import critical_locus

SILENT = "neuron 1 of layer 1 without outgoing weights"

pytestmark = [pytest.mark.oracle, needs("Singular", "Singular")]


def minimal_primes(text: str, rank: int) -> list[tuple[int, str]]:
    """Dimension and Gröbner basis of the components of the weights at which the Jacobian has rank below ``rank``."""
    coefficients = list(coefficient_map(parse(text)).values())
    weights = coefficients[0].ring.gens
    names = sorted(((str(g), f"w({i})") for i, g in enumerate(weights, 1)), key=lambda pair: -len(pair[0]))

    def shown(polynomial: object) -> str:
        found = str(polynomial).replace("**", "^")
        for name, short in names:
            found = found.replace(name, short)
        return found

    entries = ",".join(shown(c.diff(g)) for c in coefficients for g in weights)
    lines = [
        'option("noredefine"); LIB "primdec.lib";',
        f"ring r = 0, (w(1..{len(weights)})), dp;",
        f"matrix J[{len(coefficients)}][{len(weights)}] = {entries};",
        f"list P = minAssGTZ(minor(J, {rank}));",
        'for (int k = 1; k <= size(P); k++) { P[k] = std(P[k]); string(dim(P[k])) + " : " + string(P[k]); }',
        "quit;",
    ]
    printed = output("Singular", ["-q"], "\n".join(lines)).splitlines()
    return [(int(size), prime) for size, found, prime in (line.partition(" : ") for line in printed) if found]


@pytest.mark.parametrize(
    ("text", "copies"),
    [
        ("[2,2,1] r=2", {}),
        ("[2,2,2] r=2", {}),
        ("[2,2,1] r=3", {SILENT: 2}),
        ("[2,2,2] r=3", {SILENT: 2}),
        ("[3,2,1] r=2", {SILENT: 2}),
        ("[2,2,1,1] r=2", {}),
        (
            "[2,3,1] r=3",
            {
                f"{SILENT} and neurons 2, 3 of layer 1 with parallel incoming weights": 3,
                f"{SILENT} and {SILENT.replace('1 of', '2 of')} and neurons 1, 2 of layer 1 with parallel incoming "
                "weights": 3,
            },
        ),
    ],
)
def test_the_components_are_the_minimal_primes(text: str, copies: dict[str, int]) -> None:
    """``copies``: how many components a permutation of neurons makes of one."""
    found = critical_locus(text)
    ours = Counter[int]()
    for component in found.components:
        ours[component.dimension] += copies.get(component.text, 1)
    theirs = Counter(size for size, _ in minimal_primes(text, found.rank))
    assert ours == theirs
