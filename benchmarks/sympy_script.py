"""Dimensions by sympy expressions, as one would write it by hand, for comparison only."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import sympy


def dimension(widths: Sequence[int], degrees: Sequence[int], rng: np.random.Generator) -> int:
    """Expand the outputs, collect coefficients, differentiate by the weights, insert random integers, take the rank."""
    inputs = sympy.symbols(f"x:{widths[0]}")
    weights: list[sympy.Symbol] = []
    value = sympy.Matrix(inputs)
    for layer, (n, m) in enumerate(pairwise(widths)):
        names = sympy.symbols(f"w{layer}_:{m * n}")
        weights += names
        value = sympy.Matrix(m, n, names) * value
        if layer < len(degrees):
            value = value.applyfunc(lambda entry, r=degrees[layer]: entry**r)
    coefficients = [c for output in value for c in sympy.Poly(sympy.expand(output), *inputs).coeffs()]
    jacobian = sympy.Matrix(coefficients).jacobian(weights)
    point = {w: int(rng.integers(-1000, 1000)) for w in weights}
    return int(jacobian.subs(point).rank())
