"""One output that is a quadratic form of bounded rank, with a linear form in its span.

- ``Σ_i w_i a_i(x) b_i(x)``, products of two layers of h linear forms in n inputs: quadratic forms of rank at most s =
  min(n, 2h), dim ≤ s n - s(s-1)/2.
- ``Σ_i w_i σ(a_i(x) + b_i)``, σ = c₂ t² + c₁ t + c₀, c₂ ≠ 0, h ≤ n forms, with biases b or without: ``Q + ℓ + c``.
  Up to factors ``Q = Σ w_i a_i²`` has rank at most h, and ``ℓ = Σ w_i s_i a_i``, ``s_i = 2 b_i + c₁/c₂``, lies in the
  span of the forms. Pairs of a form of rank h and a linear form in its span have dimension h n - h(h-1)/2 + h. The
  constant is one more, or none: ``Σ w_i s_i²/4`` is determined by Q and ℓ, as ``ℓᵀQ⁻¹ℓ/4`` on the span. The constant
  is ``c₂ Σ w_i s_i²/4 + (c₀ - c₁²/4c₂) Σ w_i``. So it counts with an output bias, and with biases b if 4 c₀ c₂ ≠ c₁².
  Without biases all ``s_i`` are the same: it counts never for c₁ ≠ 0, and for c₁ = 0, c₀ ≠ 0 in place of ℓ, which is
  zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from polygeom.dimensions.bounds.bound import Instance, Rule, register
from polygeom.network import Bias, Dense, Layer, Network, Polynomial, Power, Product


def _instances(network: Network) -> Iterator[Instance]:
    nodes = network.nodes[1:]
    output_bias = isinstance(network.nodes[-1].layer, Bias)
    inner = nodes[: len(nodes) - output_bias]
    last = inner[-1].layer if inner else None
    if not isinstance(last, Dense) or last.width != 1:
        return
    if output_bias and nodes[-1].inputs != (len(inner),):
        return
    n = network.input_shape[-1]  # of several tokens each is treated alike
    reads = [node.inputs for node in inner]
    match [node.layer for node in inner]:
        case [Dense(width=h), Dense(), Product(), Dense()] if reads == [(0,), (0,), (1, 2), (3,)]:
            s = min(n, 2 * h)
            yield Instance(s * n - s * (s - 1) // 2 + output_bias)
        case [Dense(width=h), *between, Dense()] if h <= n:  # a chain, as nothing in between reads two values
            constants = _constants(between, output_bias)
            if constants is not None:
                yield Instance(h * (n + 1) - h * (h - 1) // 2 + constants)


def _constants(between: list[Layer], output_bias: bool) -> int | None:
    """How many dimensions the constant term adds; None if the activation is no quadratic polynomial."""
    match between:
        case [Power(degree=2)] | [Bias(), Power(degree=2)]:
            c0, c1, c2 = Fraction(0), Fraction(0), Fraction(1)
        case [Polynomial(coefficients=(c0, c1, c2))] | [Bias(), Polynomial(coefficients=(c0, c1, c2))]:
            pass
        case _:
            return None
    if output_bias:
        return 1
    return int(len(between) == 2 and 4 * c0 * c2 != c1**2)


register(
    Rule(
        name="quadratic function",
        meaning="a quadratic form of bounded rank, and a linear form in its span",
        statement=__doc__,
        order=7,
        networks=_instances,
    )
)
