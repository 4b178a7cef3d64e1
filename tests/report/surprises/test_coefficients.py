"""Second routes for the rows on learning coefficients, and on networks of other families."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import sympy
from scipy.integrate import quad

from polygeom import dimension, load_atlas, parse
from polygeom.singularities.explicit import explicit_threshold
from polygeom.singularities.linear import two_layers_at
from polygeom.singularities.strata import Stratum


def rank_of_coefficients(form: sympy.Expr, inputs: list[sympy.Symbol]) -> int:
    """The rank of the derivative of a form's coefficients by its other symbols, at random integers."""
    weights = sorted(form.free_symbols - set(inputs), key=str)
    generator = np.random.default_rng(0)
    derivative = sympy.Matrix(sympy.Poly(form, *inputs).coeffs()).jacobian(weights)
    return int(derivative.subs({w: int(generator.integers(1, 50)) for w in weights}).rank())


def test_channels_share_a_square() -> None:
    x = sympy.symbols("x1:4")
    a, b = sympy.Matrix(5, 2, sympy.symbols("a:10")), sympy.Matrix(5, 2, sympy.symbols("b:10"))
    for channels in (2, 5):
        patches = [[(a[c, 0] * x[m] + a[c, 1] * x[m + 1]) ** 2 for c in range(channels)] for m in (0, 1)]
        form = sum(b[c, m] * patches[m][c] for c in range(channels) for m in (0, 1))
        assert rank_of_coefficients(sympy.expand(form), list(x)) == 5
        assert sympy.Poly(form, *x).coeff_monomial(x[0] * x[2]) == 0


def test_one_token_full_rank() -> None:
    x = sympy.symbols("x1:4")
    linear = sum(v * one for v, one in zip(sympy.symbols("v:3"), x, strict=True))
    matrix = sympy.Matrix(3, 3, sympy.symbols("m:9"))
    quadric = sum(matrix[i, j] * x[i] * x[j] for i in range(3) for j in range(3))
    assert rank_of_coefficients(sympy.expand(linear * quadric), list(x)) == 8
    assert len(sympy.Poly(sympy.expand(linear * quadric), *x).coeffs()) == 10


def test_quarter_of_the_weights() -> None:
    rows = load_atlas().sample(12, random_state=3)
    for text, found, parameters in zip(rows.network, rows.dimension, rows.parameters, strict=True):
        assert dimension(text, method="generic").dimension == found
        assert parse(text).parameter_count == parameters


def test_coefficient_of_a_dead_neuron() -> None:
    """Polynomials; and ``b E[v²|w|⁴]``, which is 1/2 less 1 / (log b + constant)."""
    network = parse("[3,2,1] r=2")
    for at, multiplicity in (("dead 2", 2), ("silent 2", 1)):
        found = explicit_threshold(network, Stratum.parse(at).weights(network, np.random.default_rng(1)))
        assert found is not None
        assert found.exact is not None
        assert (found.exact.value, found.exact.multiplicity) == (Fraction(2), multiplicity)

    def log_of(b: float) -> float:
        """Of the integral of exp(-b v² w⁴) w over 0 < v, w < 1."""
        inner = lambda w: quad(lambda v: np.exp(-b * v**2 * w**4) * w, 0, 1, points=[min(1, 3 * b**-0.5 / w**2)])[0]  # noqa: E731
        return float(np.log(quad(inner, 1e-4, 1, points=[b**-0.25], limit=100)[0]))

    levels = [(b, -(log_of(2 * b) - log_of(b)) / np.log(2)) for b in (1e4, 1e6)]
    constants = [1 / (0.5 - level) - np.log(b * 2**0.5) for b, level in levels]
    assert abs(constants[0] - constants[1]) < 0.1
    assert all(level < 0.46 for _, level in levels)  # far from 1/2 still, as samplers see it


def test_coefficient_above_half_the_dimension() -> None:
    """Volumes where ``u² + 2v² ± 3w²`` is small."""
    u, v, w = np.random.default_rng(0).uniform(-1, 1, (3, 1_000_000))
    for sign, power in ((1, 1.5), (-1, 1.0)):
        value = np.abs(u**2 + 2 * v**2 + sign * 3 * w**2)
        shares = [(value < e).mean() for e in (0.04, 0.01)]
        assert abs(np.log(shares[0] / shares[1]) / np.log(4) - power) < 0.08


def test_linear_networks_at_low_rank() -> None:
    for rank, value in ((0, 6), (1, 7), (2, Fraction(15, 2)), (3, 8), (4, 8)):
        assert two_layers_at(4, 4, 4, rank, rank, rank).value == value
    # a block of rank 2 is smooth, 4 · 4 - 2 · 2 coordinates; the rest is [2,2,2] at zero
    assert Fraction(12, 2) + two_layers_at(2, 2, 2, 0, 0, 0).value == Fraction(15, 2)
