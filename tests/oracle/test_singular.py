"""The dimension from equations: Singular composes the network, eliminates its weights and takes the Krull dimension.

Nothing but the architecture is shared with polygeom: not the evaluation, not the tangent space, not the linear algebra.
"""

from __future__ import annotations

import itertools
import subprocess

import pytest
from programs import program

import polygeom

SINGULAR = program("Singular")

pytestmark = [pytest.mark.oracle, pytest.mark.skipif(SINGULAR is None, reason="Singular is not installed")]

NETWORKS = [
    ((2, 3, 2), (1,)),
    ((3, 2, 3), (1,)),
    ((3, 2, 2, 3), (1, 1)),
    ((2, 2, 1), (2,)),
    ((2, 2, 2), (2,)),
    ((2, 2, 3), (2,)),
    ((3, 2, 1), (2,)),
    ((3, 2, 2), (2,)),
    ((3, 4, 1), (2,)),
    ((4, 2, 1), (2,)),
    ((2, 1, 2), (3,)),
    ((2, 2, 1), (3,)),
    ((2, 2, 1), (4,)),
    ((2, 3, 1), (4,)),
    ((2, 1, 1, 1), (2, 3)),
    ((2, 1, 2, 1), (2, 2)),
    ((2, 2, 1, 2), (2, 2)),
    ((3, 1, 2, 2), (2, 2)),
]


def program(widths: tuple[int, ...], degrees: tuple[int, ...]) -> str:
    """A Singular program that prints the dimension of the Zariski closure of the coefficient map's image, over Q."""
    count = sum(a * b for a, b in itertools.pairwise(widths))
    weights = iter(range(1, count + 1))
    values = [f"x({i})" for i in range(1, widths[0] + 1)]
    inputs = "*".join(values)
    lines = [f"ring network = 0,(w(1..{count}),x(1..{widths[0]})),dp;", "ideal coefficients; matrix table; int j;"]
    for layer, width in enumerate(widths[1:]):
        sums = ["+".join(f"w({next(weights)})*{value}" for value in values) for _ in range(width)]
        values = [f"f{layer}_{i}" for i in range(width)]
        power = f"^{degrees[layer]}" if layer < len(degrees) else ""
        lines += [f"poly {name} = ({total}){power};" for name, total in zip(values, sums, strict=True)]
    for output in values:
        lines.append(f"table = coef({output}, {inputs});")
        lines.append("for (j = 1; j <= ncols(table); j++) { coefficients[size(coefficients) + 1] = table[2, j]; }")
    lines += [
        "int ambient = size(coefficients);",
        f"ring weights = 0,(w(1..{count})),dp; ideal coefficients = imap(network, coefficients); ideal nothing = 0;",
        "ring space = 0,(z(1..ambient)),dp;",
        "setring weights; map parametrisation = space, coefficients;",
        "setring space; ideal equations = preimage(weights, parametrisation, nothing);",
        "dim(std(equations)); quit;",
    ]
    return "\n".join(lines)


@pytest.mark.thorough
@pytest.mark.parametrize(("widths", "degrees"), NETWORKS)
def test_the_dimension_is_that_of_the_eliminated_ideal(widths: tuple[int, ...], degrees: tuple[int, ...]) -> None:
    done = subprocess.run([SINGULAR, "-q"], input=program(widths, degrees), capture_output=True, text=True, timeout=60)
    result = polygeom.dimension(polygeom.network.mlp(widths, degrees))
    assert (result.dimension, result.proved) == (int(done.stdout), True)
