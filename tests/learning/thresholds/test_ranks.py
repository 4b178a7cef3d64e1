from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from polygeom.testing.zoo import ZOO

torch = pytest.importorskip("torch", reason="tangent kernels need the extra learn")

from polygeom.errors import BudgetError, PolygeomError  # noqa: E402
from polygeom.learning.thresholds.ranks import (  # noqa: E402
    PrecisionWarning,
    evaluation_jacobian,
    generic_weights,
    kernel_rank,
    numerical_rank,
)
from polygeom.network import (  # noqa: E402
    Network,
    ccp,
    convolutional,
    expand,
    lightning_attention,
    ncp,
    parse,
    product_network,
)

KNOWN = {
    "[2,2,3] r=2": 8,
    "[3,3,3] r=2": 15,
    "[2,2,2,2] r=3": 8,
    "[3,2,1] r=2": 5,
    "[4,3,1] r=2": 9,
    "[2,3,2] r=3": 8,
    "[3,3,2,2] r=2": 14,
    "[3,5,1] r=4": 14,
    "[5,7,1] r=3": 34,
    "[4,9,1] r=4": 34,
    "[2,2,2,2,1] r=2": 7,
    "[3,3,3,3] r=2": 21,
    "[2,2,2,2] r=2": 8,
    "[2,2,2,2,2] r=3": 10,
    "[2,2,2,2,2,2] r=2": 12,
    "[2,2,2,2,2,2,2] r=2": 14,
    "[3,3,3,3] r=3": 21,
    "[2,3,3,2] r=4": 15,
    "[4,4,4] r=3": 28,
    "[6,10,1] r=3": 56,
    "[8,20,1] r=3": 120,
    "[10,12,4] r=2": 156,
    "[3,3,3,3,3] r=2": 27,
}
"""Dimensions, among them the defective cases of Alexander and Hirschowitz and quadratic forms of bounded rank."""


def families() -> list[Network]:
    texts = (
        "[1..4,1..4]",
        "[2..4,1..5,1..3] r=2..4",
        "[2..3,2..4,2..4,1..3] r=2..3",
        "[2..3,2..3,2..3,2,1..2] r=2",
        "[2..3,1..3,1..3,1..2] r=2 bias",
    )
    networks = [network for network in ZOO if network.parameter_count]
    networks += [network for text in texts for network in expand(text)]
    for n, rank, degree, outputs in np.ndindex(2, 3, 2, 2):
        size = (n + 2, rank + 1, degree + 2, outputs + 1)
        networks += [ccp(*size), ncp(*size), product_network(*size), product_network(*size, skip=True)]
    networks += [
        convolutional(sum(kernels) - len(kernels) + 2, kernels=kernels, degrees=r)
        for kernels in ([2, 2], [3, 2], [2, 2, 2], [3, 3])
        for r in (2, 3)
    ]
    networks += [lightning_attention(t + 1, d + 1, a + 1, o + 1) for t, d, a, o in np.ndindex(3, 3, 2, 2)]
    return list(dict.fromkeys(parse(n) if isinstance(n, str) else n for n in networks))


@pytest.mark.parametrize(("text", "dimension"), KNOWN.items())
def test_the_rank_of_the_kernel_is_the_dimension(text: str, dimension: int) -> None:
    found = kernel_rank(text)
    assert (found.rank, found.dimension, found.proved) == (dimension, dimension, True)
    assert found.agrees
    assert found.gap >= 1e4


@pytest.mark.thorough
@pytest.mark.parametrize("every", [10, pytest.param(1, marks=pytest.mark.slow)])
def test_rank_and_dimension_agree_on_networks_of_every_family(every: int) -> None:
    networks = families()[::every]
    results = [kernel_rank(network) for network in networks]
    assert len(networks) >= 400 // every
    assert sum(r.dimension < n.expected_dimension for r, n in zip(results, networks, strict=True)) >= 30 // every
    assert [str(r) for r in results if not (r.clear and r.agrees)] == []


def test_a_network_beyond_float64_is_undecided_and_says_so() -> None:
    """Degree 64 in two variables: 65 coefficients, more orders of magnitude than a float has."""
    found = kernel_rank("[2,3,4,5,4,6,4,1] r=2")
    assert not found.clear
    assert "no clear gap" in str(found)


@pytest.mark.parametrize("points", range(1, 12))
def test_few_points_cap_the_rank(points: int) -> None:
    """One output: every point adds one functional until the tangent space is full."""
    assert kernel_rank("[4,3,1] r=2", points=points).rank == min(points, 9)


@pytest.mark.parametrize(("points", "rank"), [(1, 3), (2, 6), (3, 8), (4, 8)])
def test_few_points_and_several_outputs(points: int, rank: int) -> None:
    assert kernel_rank("[2,2,3] r=2", points=points).rank == rank


def test_the_rank_at_special_weights_is_smaller() -> None:
    """Two equal hidden neurons move in fewer directions than two different ones."""
    network = parse("[3,3,3] r=2")
    weights = generic_weights(network, torch.Generator().manual_seed(0))
    weights["W1"][1] = weights["W1"][0]
    found = kernel_rank(network, weights=weights)
    assert found.rank < found.dimension
    assert not found.agrees
    assert "DIFFER" in str(found)


def test_wrong_precision_is_called_so() -> None:
    with pytest.warns(PrecisionWarning, match="squares of the Jacobian's singular values and float32"):
        found = kernel_rank("[4,9,1] r=4", method="gram", dtype=torch.float32)
    assert (found.method, found.dtype) == ("gram", "float32")
    with pytest.warns(PrecisionWarning, match="float32 resolves"):
        kernel_rank("[2,2,1] r=2", dtype=torch.float32)
    with pytest.warns(PrecisionWarning, match="squares"):
        kernel_rank("[2,2,1] r=2", method="gram")


@pytest.mark.thorough
def test_gram_matrices_in_float32_lose_ranks() -> None:
    """The reason for the warning, counted, at weights as people draw them."""
    wrong = {"gram": 0, "jacobian": 0}
    for text, dimension in KNOWN.items():
        weights = dict(parse(text).to_torch(initialisation="normal", rng=1).named_parameters())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PrecisionWarning)  # some are so deep that float64 is at risk, too
            wrong["jacobian"] += kernel_rank(text, weights=weights).rank != dimension
        with pytest.warns(PrecisionWarning):
            wrong["gram"] += kernel_rank(text, weights=weights, method="gram", dtype=torch.float32).rank != dimension
    assert wrong["gram"] >= 8
    assert wrong["jacobian"] == 0


def test_the_spectrum_is_that_of_the_kernel_matrix() -> None:
    found = kernel_rank("[3,2,2] r=2", points=4, rng=3)
    assert found.spectrum.shape == (8,)
    assert np.all(np.diff(found.spectrum) <= 0)
    network = parse("[3,2,2] r=2")
    weights = generic_weights(network, torch.Generator().manual_seed(1))
    own = kernel_rank(network, weights=weights, points=4, rng=3)
    x = torch.randn((4, 3), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    jacobian = evaluation_jacobian(network, weights, x).numpy()
    expected = np.linalg.eigvalsh(jacobian @ jacobian.T)[::-1]
    np.testing.assert_allclose(own.spectrum, expected, rtol=1e-9, atol=1e-12 * expected[0])


@pytest.mark.parametrize("network", ZOO, ids=str)
def test_the_jacobian_is_that_of_autograd(network: Network) -> None:
    if not network.parameter_count:
        return
    module = network.to_torch(rng=1)
    x = torch.randn((3, *network.input_shape), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = evaluation_jacobian(network, dict(module.named_parameters()), x)
    rows = []
    for value in module(x).reshape(-1):
        gradients = torch.autograd.grad(value, list(module.parameters()), retain_graph=True, allow_unused=True)
        rows.append(
            torch.cat(
                [
                    (torch.zeros_like(p) if g is None else g).reshape(-1)
                    for g, p in zip(gradients, module.parameters(), strict=True)
                ]
            )
        )
    torch.testing.assert_close(found, torch.stack(rows), rtol=1e-11, atol=1e-11)


def test_ranks_of_matrices_of_known_rank() -> None:
    generator = torch.Generator().manual_seed(0)
    for m, n, rank in [(9, 7, 3), (5, 12, 5), (30, 30, 29), (4, 4, 0)]:
        left = torch.randn((m, rank), generator=generator, dtype=torch.float64)
        right = torch.randn((rank, n), generator=generator, dtype=torch.float64)
        scale = torch.logspace(0, 9, m, dtype=torch.float64).unsqueeze(1)
        found = numerical_rank(scale * (left @ right))
        assert found.rank == rank
        assert len(found.singular_values) == min(m, n)
    assert numerical_rank(torch.zeros((3, 0), dtype=torch.float64)).rank == 0


def test_plain_data_of_a_result() -> None:
    data = kernel_rank("[2,2,1] r=2").as_dict()
    assert data["network"] == "[2,2,1] r=2"
    assert data["rank"] == data["dimension"] == 3
    assert "spectrum" not in data
    assert math.isfinite(float(str(data["gap"])))


def test_bad_arguments_are_explained() -> None:
    with pytest.raises(PolygeomError, match="method must be one of jacobian, gram"):
        kernel_rank("[2,2,1] r=2", method="svd")
    with pytest.raises(PolygeomError, match=r"dtype must be torch\.float64 or torch\.float32"):
        kernel_rank("[2,2,1] r=2", dtype=torch.float16)
    with pytest.raises(PolygeomError, match="points must be at least 1, got 0"):
        kernel_rank("[2,2,1] r=2", points=0)
    with pytest.raises(PolygeomError, match="matrix must be finite"):
        numerical_rank(torch.tensor([[math.inf]]))
    with pytest.raises(BudgetError, match=r"a Jacobian with [0-9]+ entries is more than"):
        kernel_rank("[60,60,60,10] r=2", points=10**5)
