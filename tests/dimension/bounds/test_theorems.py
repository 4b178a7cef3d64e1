"""Theorems about dimensions, each with its source; every result must be found and proved."""

from __future__ import annotations

import itertools
import math

import pytest

from polygeom.dimensions import DimensionResult, dimension
from polygeom.network import convolutional, lightning_attention, linear, mlp


def proved(network: object) -> DimensionResult:
    """The result, after checking that it is proved and consistent with itself."""
    result = dimension(network)  # type: ignore[arg-type]
    assert result.proved, result
    assert result.lower == result.dimension == result.upper
    assert result.defect == result.expected_dimension - result.dimension
    assert result.filling == (result.dimension == result.ambient_dimension)
    assert result.error_bound == 0
    return result


@pytest.mark.parametrize("widths", [(3, 5), (3, 2, 4), (4, 1, 3), (2, 5, 3), (5, 3, 4, 2, 6), (1, 1, 1)])
def test_linear_networks_are_determinantal(widths: tuple[int, ...]) -> None:
    m = min(widths)
    value = m * (widths[0] + widths[-1] - m)
    assert proved(linear(widths)).dimension == value
    assert proved(mlp(widths, 1)).dimension == value


@pytest.mark.parametrize(("n", "s"), list(itertools.product(range(1, 7), range(1, 8))))
def test_sums_of_squares_are_symmetric_matrices_of_bounded_rank(n: int, s: int) -> None:
    k = min(n, s)
    assert proved(mlp((n, s, 1), 2)).dimension == k * n - k * (k - 1) // 2


EXCEPTIONS = {(3, 4, 5), (4, 4, 9), (5, 3, 7), (5, 4, 14)}
"""Alexander–Hirschowitz: (variables, degree, summands) with one dimension less than counted, besides degree 2."""


@pytest.mark.parametrize(
    ("n", "r", "s"),
    sorted(EXCEPTIONS | {(3, 4, 4), (3, 4, 6), (4, 4, 8), (4, 4, 10), (5, 3, 6), (5, 3, 8), (5, 4, 13), (5, 4, 15)})
    + [(n, r, s) for n in (2, 3, 4) for r in (3, 5) for s in (1, 2, 4, 7)],
)
def test_alexander_hirschowitz(n: int, r: int, s: int) -> None:
    counted = min(s * n, math.comb(n + r - 1, r))
    assert proved(mlp((n, s, 1), r)).dimension == counted - ((n, r, s) in EXCEPTIONS)


DEFECTIVE_SEGRE_VERONESE = [(4, 5, 3, 2), (6, 8, 3, 2), (8, 11, 3, 2), (4, 6, 5, 2), (3, 5, 2, 3)]


@pytest.mark.parametrize(("n", "s", "m", "r"), DEFECTIVE_SEGRE_VERONESE)
def test_defective_segre_veronese_secants(n: int, s: int, m: int, r: int) -> None:
    """London 1890; Ottaviani 2007; Abo and Brambilla, arXiv 0912.4342."""
    result = proved(mlp((n, s, m), r))
    assert (result.defect, result.bound) == (1, "Segre–Veronese")


@pytest.mark.parametrize(("n", "s", "m", "r"), [(4, 4, 3, 2), (4, 7, 3, 2), (4, 5, 5, 2), (3, 4, 2, 3), (5, 7, 3, 2)])
def test_neighbours_of_the_defective_ones_are_not(n: int, s: int, m: int, r: int) -> None:
    assert proved(mlp((n, s, m), r)).defect == 0


@pytest.mark.parametrize(("width", "depth", "r"), list(itertools.product((2, 3, 4), (2, 3, 4), (2, 3))))
def test_equal_widths_have_the_expected_dimension(width: int, depth: int, r: int) -> None:
    """arXiv 2408.04569."""
    assert proved(mlp((width,) * (depth + 1), r)).defect == 0


@pytest.mark.parametrize("widths", [(4, 3, 2, 2), (5, 5, 3, 4), (3, 3, 3, 2, 2), (6, 4, 2, 5)])
def test_pyramids_with_two_outputs_are_identifiable(widths: tuple[int, ...]) -> None:
    """arXiv 2506.17093, Corollary 16."""
    for r in (2, 3):
        result = proved(mlp(widths, r))
        assert (result.dimension, result.identifiable) == (result.parameters - sum(widths[1:-1]), True)


@pytest.mark.parametrize("widths", [(4, 3, 2, 1), (5, 4, 1), (3, 3, 2, 2, 1)])
def test_pyramids_with_one_output_need_a_cubic_last_activation(widths: tuple[int, ...]) -> None:
    """arXiv 2506.17093, Corollary 16."""
    degrees = [2] * (len(widths) - 3) + [3]
    assert proved(mlp(widths, degrees)).identifiable
    assert not proved(mlp(widths, 2)).identifiable


@pytest.mark.parametrize("widths", [(2, 3, 2), (2, 4, 3, 2), (3, 2, 4, 1), (2, 5, 2, 1), (2, 3, 4, 2)])
def test_large_degrees_give_the_count_or_fill(widths: tuple[int, ...]) -> None:
    """arXiv 2506.17093, Corollary 17: r_l ≥ 2 d_l - 1 in every hidden layer."""
    result = proved(mlp(widths, [2 * d - 1 for d in widths[1:-1]]))
    assert result.filling or result.identifiable


@pytest.mark.parametrize(("n", "s", "m"), list(itertools.product((2, 3, 4), (2, 3, 4), (1, 2, 3))))
def test_two_layers_with_large_degree_are_identifiable(n: int, s: int, m: int) -> None:
    """arXiv 2506.17093, Proposition 12."""
    r = max(2, math.ceil((2 * s - min(s, m)) / (min(n, s) - 1)))
    assert proved(mlp((n, s, m), r)).identifiable


@pytest.mark.parametrize("widths", [(1, 2, 1), (2, 2, 1), (2, 3, 2), (1, 2, 2, 1)])
def test_biases_beyond_their_threshold(widths: tuple[int, ...]) -> None:
    """arXiv 2506.17093, Section 3.3: r_l ≥ 2 d_l + 1 with biases."""
    network = mlp(widths, [2 * d + 1 for d in widths[1:-1]], bias=True)
    result = dimension(network)
    assert result.dimension == network.parameter_count - sum(widths[1:-1])
    assert result.proved


@pytest.mark.parametrize("kernels", [(2, 2), (3, 2), (2, 3, 2), (4, 2), (2, 2, 2)])
@pytest.mark.parametrize("r", [2, 3])
def test_convolutions_lose_one_scaling_for_each_activation(kernels: tuple[int, ...], r: int) -> None:
    """arXiv 2410.00722: Σ k_i - (L - 1) for monomial activations."""
    network = convolutional(sum(kernels) - len(kernels) + 1, kernels, degrees=r)
    assert proved(network).dimension == sum(kernels) - (len(kernels) - 1)


@pytest.mark.parametrize("kernels", [(2, 2), (3, 2), (2, 3, 2)])
def test_convolutions_with_generic_polynomials_lose_nothing(kernels: tuple[int, ...]) -> None:
    """arXiv 2410.00722, generic polynomial activation: Σ k_i."""
    network = convolutional(sum(kernels) - len(kernels) + 1, kernels, activation=(0, 3, 5, 7))
    assert proved(network).dimension == sum(kernels)


@pytest.mark.parametrize(("t", "d", "a", "e"), [(2, 2, 1, 2), (2, 3, 2, 2), (3, 3, 1, 3), (2, 2, 3, 1), (2, 4, 2, 1)])
def test_lightning_attention(t: int, d: int, a: int, e: int) -> None:
    """arXiv 2408.17221, Theorem 3.2, for at least two tokens."""
    a_effective = min(a, d)
    value = a_effective * (2 * d - a_effective) + d * e - 1
    assert proved(lightning_attention(t, d, a, e)).dimension == value


@pytest.mark.parametrize(("d", "a", "e"), [(3, 1, 2), (4, 1, 1), (3, 2, 2), (2, 1, 3), (4, 2, 2)])
def test_attention_on_one_token_sees_only_a_symmetric_form(d: int, a: int, e: int) -> None:
    s = min(2 * a, d)
    assert proved(lightning_attention(1, d, a, e)).dimension == s * d - s * (s - 1) // 2 + d * e - 1


MINIMAL_FILLING = [(2, 2, 1), (2, 2, 2, 1), (2, 3, 3, 2, 1), (2, 3, 3, 3, 2, 1), (2, 3, 3, 4, 4, 2, 1)]


@pytest.mark.parametrize("widths", [*MINIMAL_FILLING, (2, 3, 4, 5, 4, 6, 4, 1)], ids=str)
def test_minimal_filling_architectures(widths: tuple[int, ...]) -> None:
    """arXiv 2605.09609, r = 2; the last one is not unimodal. Lowering any one hidden width breaks filling."""
    assert proved(mlp(widths, 2)).filling
    for k in range(1, len(widths) - 1):
        if widths[k] > 1:
            smaller = (*widths[:k], widths[k] - 1, *widths[k + 1 :])
            assert not dimension(mlp(smaller, 2)).filling


@pytest.mark.parametrize("widths", [(3, 1, 3), (3, 1, 4, 2), (2, 4, 1, 3), (1, 3, 2), (1, 1, 5, 1), (4, 1, 1, 1)])
def test_width_one_is_a_cone_over_powers(widths: tuple[int, ...]) -> None:
    """A layer of one neuron passes one number: the outputs are multiples of one power of the form it receives."""
    for r in (2, 3):
        narrow = widths.index(1)
        if narrow == 0:
            value = widths[-1]
        else:
            before = dimension(mlp(widths[: narrow + 1], r)) if narrow > 1 else None
            value = (widths[0] if before is None else before.dimension) + widths[-1] - 1
        assert proved(mlp(widths, r)).dimension == value
