from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from polygeom.testing.zoo import ZOO, case

torch = pytest.importorskip("torch", reason="coefficients as tensors need the extra learn")

from polygeom.engines.symbolic import coefficient_map, weight_names  # noqa: E402
from polygeom.engines.torch_engine import TorchEngine  # noqa: E402
from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.ideal.grading.coordinates import Coordinates  # noqa: E402
from polygeom.learning.functions.coefficient_map import (  # noqa: E402
    basis_factors,
    coefficient_jacobian,
    coefficients,
    core_matrix,
    monomial_values,
    monomials,
)
from polygeom.learning.thresholds.ranks import evaluation_jacobian, generic_weights  # noqa: E402
from polygeom.network import Network, parse  # noqa: E402

WEIGHTED = tuple(network for network in ZOO if network.parameter_count)
SMALL = tuple(network for network in WEIGHTED if network.parameter_count <= 14 and network.degree <= 6)


def tensors(weights: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(value.astype(float), dtype=torch.float64) for name, value in weights.items()}


def drawn(network: Network, seed: int = 0) -> dict[str, torch.Tensor]:
    return generic_weights(network, torch.Generator().manual_seed(seed))


def points(network: Network, count: int, scale: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(count)
    return scale * torch.randn((count, *network.input_shape), generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("network", SMALL, ids=str)
def test_coefficients_are_those_of_the_symbolic_engine(network: Network, rng: np.random.Generator) -> None:
    weights = case(network, rng).weights
    values = [int(v) for array in weights.values() for v in array.ravel()]
    assert len(values) == len(weight_names(network))
    exact = {key: Fraction(int(p.numerator), int(p.denominator)) for key, q in coefficient_map(network).items()
             if (p := q.evaluate(list(zip(q.ring.gens, values, strict=True))))}  # fmt: skip
    everything = [(o, alpha) for o in range(network.output_dimension) for alpha in monomials(network)]
    assert set(Coordinates(network).entries) <= set(everything)
    assert exact.keys() <= set(Coordinates(network).entries)
    expected = [float(exact.get(entry, 0)) for entry in everything]
    found = coefficients(network, tensors(weights)).reshape(-1).tolist()
    assert found == pytest.approx(expected, rel=1e-13, abs=1e-13)


@pytest.mark.parametrize("network", ZOO, ids=str)
def test_coefficients_times_monomials_are_the_outputs(network: Network) -> None:
    weights, x = drawn(network), points(network, 6)
    outputs = network.evaluate(TorchEngine(), weights, x).reshape(6, -1)
    for system in ("plain", "bombieri"):
        product = monomial_values(network, x, system=system) @ coefficients(network, weights, system=system).T
        torch.testing.assert_close(product, outputs, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("text", "shift"), [("[3,2,2] r=3", 0.0), ("[2,2,2,1] r=2", 0.0), ("[2,2,2] r=2 bias", 1.0)])
def test_scaled_monomials_have_the_inner_product_of_powers(text: str, shift: float) -> None:
    network = parse(text)
    x, y = points(network, 4), points(network, 5)
    gram = monomial_values(network, x) @ monomial_values(network, y).T
    torch.testing.assert_close(gram, (shift + x @ y.T) ** network.degree, rtol=1e-12, atol=1e-12)


def test_factors_count_words() -> None:
    assert basis_factors("[3,2,1] r=4").sum() == 3**4
    assert basis_factors("[3,2,1] r=4 bias").sum() == 4**4


@pytest.mark.parametrize("network", SMALL, ids=str)
def test_the_derivative_is_that_of_finite_differences(network: Network) -> None:
    weights = drawn(network, 1)
    derivative = coefficient_jacobian(network, weights)
    column = 0
    for name, value in weights.items():
        for position in np.ndindex(tuple(value.shape)):
            step = torch.zeros_like(value)
            step[position] = 1e-6
            high = coefficients(network, {**weights, name: value + step}, system="bombieri")
            low = coefficients(network, {**weights, name: value - step}, system="bombieri")
            slope = (high - low).reshape(-1) / 2e-6
            torch.testing.assert_close(derivative[:, column], slope, rtol=1e-5, atol=1e-6)
            column += 1
    assert column == derivative.shape[1] == network.parameter_count


@pytest.mark.parametrize("network", WEIGHTED, ids=str)
def test_the_kernel_of_the_core_matrix_is_the_automatic_one(network: Network) -> None:
    weights, x, y = drawn(network), points(network, 4), points(network, 3)
    core = core_matrix(network, weights)
    outputs = network.output_dimension
    left = evaluation_jacobian(network, weights, x)
    right = evaluation_jacobian(network, weights, y)
    expected = (left @ right.T).reshape(4, outputs, 3, outputs).permute(0, 2, 1, 3)
    size = float(expected.abs().max())
    torch.testing.assert_close(core.kernel(x, y), expected, rtol=0, atol=1e-10 * max(1.0, size))
    torch.testing.assert_close(core.jacobian(x).reshape(left.shape), left, rtol=1e-10, atol=1e-10 * max(1.0, size))


@pytest.mark.parametrize("text", ["[3,2,2] r=2", "[2,2,2,1] r=2 bias", "ccp(2,rank=2,degree=3)"])
def test_the_linearised_fit_extrapolates_as_a_polynomial(text: str) -> None:
    """Kernel regression with the kernel of ``G`` is the polynomial whose coefficients it finds, far away too."""
    network = parse(text)
    core = core_matrix(network, drawn(network, 2))
    x, far = points(network, 40), points(network, 20, scale=10.0)
    targets = torch.sin(x.sum(dim=1, keepdim=True)).expand(-1, network.output_dimension).reshape(-1)
    flat = core.jacobian(x).reshape(-1, core.derivative.shape[1])
    step = torch.linalg.lstsq(flat, targets.unsqueeze(-1), driver="gelsd").solution
    predicted = core.jacobian(far).reshape(-1, flat.shape[1]) @ step
    fitted = (core.derivative @ step).reshape(network.output_dimension, -1)
    polynomial = (monomial_values(network, far) @ fitted.T).reshape(-1, 1)
    dual = torch.linalg.pinv(flat @ flat.T, rtol=1e-13) @ targets.unsqueeze(-1)
    cross = core.kernel(far, x).permute(0, 2, 1, 3).reshape(len(predicted), -1)
    scale = float(polynomial.abs().max())
    torch.testing.assert_close(predicted, polynomial, rtol=0, atol=1e-8 * scale)
    torch.testing.assert_close(cross @ dual, polynomial, rtol=0, atol=1e-6 * scale)


def test_the_core_matrix_turns_with_the_inputs() -> None:
    """Rotating the inputs is an orthogonal change of the scaled monomials, so the spectrum of ``G`` does not change."""
    network = parse("[3,2,2] r=3")
    weights = drawn(network)
    turn = torch.linalg.qr(points(network, 3))[0]
    turned = {**weights, "W1": weights["W1"] @ turn}
    one, other = (torch.linalg.eigvalsh(core_matrix(network, w).matrix) for w in (weights, turned))
    torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9 * float(one.max()))


def test_the_core_matrix_has_the_rank_of_the_variety() -> None:
    core = core_matrix("[4,3,1] r=2", drawn(parse("[4,3,1] r=2")))
    assert int(torch.linalg.matrix_rank(core.derivative, rtol=1e-10)) == 9
    assert core.matrix.shape == (math.comb(5, 2), math.comb(5, 2))


def test_bad_arguments_are_explained() -> None:
    network = parse("[2,2,1] r=2")
    with pytest.raises(PolygeomError, match=r"system must be one of plain, bombieri.*write system="):
        coefficients(network, drawn(network), system="monomial")
    with pytest.raises(PolygeomError, match="weights must name exactly W1, W2, got W1"):
        coefficients(network, {"W1": torch.ones(2, 2)})
    with pytest.raises(PolygeomError, match="has no weights"):
        core_matrix("input(3)", {})
