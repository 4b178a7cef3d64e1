from __future__ import annotations

from math import comb

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="learning needs the extra learn")

from polygeom import learning_degree  # noqa: E402
from polygeom.errors import PolygeomError  # noqa: E402
from polygeom.learning.functions.critical_functions import (  # noqa: E402
    attained,
    boundary_minima,
    complex_critical_functions,
    eckart_young,
    two_real_squares,
)
from polygeom.learning.functions.function_loss import BOUNDARY, FunctionLoss, descend, initial_weights, label  # noqa: E402
from polygeom.network import parse  # noqa: E402

WORKED = "[2,2,3] r=2"


def noise(text: str, seed: int, samples: int = 40) -> tuple[FunctionLoss, torch.Tensor]:
    network, generator = parse(text), torch.Generator().manual_seed(seed)
    x = torch.randn((samples, *network.input_shape), generator=generator, dtype=torch.float64)
    y = torch.randn((samples, *network.output_shape), generator=generator, dtype=torch.float64)
    return FunctionLoss.of(network, x, y), x


def values(loss: FunctionLoss, functions: np.ndarray) -> np.ndarray:
    return loss.value(torch.from_numpy(np.ascontiguousarray(functions))).numpy()


@pytest.mark.parametrize("rank", [0, 4, -1, 1.5, True, None])
def test_ranks_out_of_range_are_refused(rank: object) -> None:
    with pytest.raises(PolygeomError, match="rank must be an integer from 1 to 3, got"):
        eckart_young(noise(WORKED, 0)[0], rank)  # type: ignore[arg-type]


def test_eckart_young_and_monodromy_find_the_same_three_functions() -> None:
    loss, x = noise(WORKED, 0)
    closed, found = eckart_young(loss, 2), complex_critical_functions(loss, rng=0)
    assert len(closed) == len(found) == learning_degree(WORKED, x.numpy()).value == 3
    assert found.real.all()
    assert found.lost == 0
    for function in closed:
        assert np.abs(found.functions - function).max(axis=(1, 2)).min() < 1e-10
    assert (np.diff(values(loss, closed)) > 0).all()
    assert np.linalg.matrix_rank(closed, tol=1e-9).tolist() == [2, 2, 2]


def test_the_best_matrix_beats_others_of_its_rank(rng: np.random.Generator) -> None:
    loss, _ = noise(WORKED, 2)
    best = eckart_young(loss, 2)[0]
    left, diagonal, right = np.linalg.svd(best)
    a, b = left[:, :2] * diagonal[:2], right[:2]
    for size in (1e-3, 1e-1, 1):
        others = [
            (a + size * rng.standard_normal((3, 2))) @ (b + size * rng.standard_normal((2, 3))) for _ in range(99)
        ]
        assert values(loss, np.array(others)).min() > values(loss, best[None])[0]


@pytest.mark.parametrize("power", [2, 3])
def test_one_neuron_against_the_roots_of_a_polynomial(power: int) -> None:
    loss, _ = noise(f"[2,1,1] r={power}", 3)
    root, target = loss.root.numpy(), loss.target.numpy()[:, 0]
    binomials = [comb(power, k) for k in range(power + 1)]
    # along l = x + t y the best multiple of l^r lowers the squared loss by p(t)² / q(t)
    curve = [np.polynomial.Polynomial(root[i] * binomials) for i in range(power + 1)]
    p = sum(target[i] * curve[i] for i in range(power + 1))
    q = sum(line**2 for line in curve)
    condition = 2 * p.deriv() * q - p * q.deriv()
    coefficients = condition.coef[: 3 * power - 1]
    assert np.abs(condition.coef[3 * power - 1 :]).max(initial=0) < 1e-9 * np.abs(coefficients).max()
    t = np.polynomial.Polynomial(coefficients).roots()
    powers = np.array(binomials) * t[:, None] ** np.arange(power + 1)
    expected = powers * (p(t) / q(t))[:, None]
    found = complex_critical_functions(loss, rng=0)
    assert len(found) == len(expected) == 3 * power - 2
    for function in expected:
        assert np.abs(found.functions[:, 0] - function).max(axis=1).min() < 1e-8 * np.abs(function).max()
    assert found.real.sum() == (np.abs(t.imag) < 1e-9).sum()


def test_the_discriminant_knows_real_squares(rng: np.random.Generator) -> None:
    forms = rng.standard_normal((50, 2, 2)) + 1j * rng.standard_normal((50, 2, 2))
    forms[:, 1] = forms[:, 0].conj()
    for real, linear in ((True, rng.standard_normal((50, 2, 2)).astype(complex)), (False, forms)):
        s, t = linear[..., 0], linear[..., 1]
        squares = np.stack([s * s, 2 * s * t, t * t], axis=-1)
        rows = squares if real else np.stack([squares.sum(axis=1), 1j * (squares[:, 0] - squares[:, 1])], axis=1)
        assert np.abs(rows.imag).max() < 1e-12
        mixed = rng.standard_normal((50, 3, 2)) @ rows.real
        assert (two_real_squares(mixed) == real).all()


@pytest.mark.thorough
def test_attained_agrees_with_the_discriminant() -> None:
    loss, _ = noise(WORKED, 1)
    closed = eckart_young(loss, 2)
    reached, index = attained(loss, closed)
    assert reached.tolist() == two_real_squares(closed).tolist() == [True, False, True]
    assert index.tolist()[:2] == [0, -1]
    assert index[2] > 0


@pytest.mark.thorough
def test_descents_without_a_critical_function_end_at_the_minima_of_the_boundary() -> None:
    loss, _ = noise(WORKED, 3)
    limits = boundary_minima(loss)
    assert len(limits) == 2
    assert not two_real_squares(eckart_young(loss, 2)[:1])[0]
    ends = label(loss, descend(loss, initial_weights(loss.network, 12, rng=1), steps=150, polish=80))
    assert set(ends.labels) == {BOUNDARY}
    expected, reached = values(loss, limits), ends.losses.numpy()
    nearest = np.abs(reached[:, None] - expected).argmin(axis=1)
    assert set(nearest) == {0, 1}
    assert np.abs(reached - expected[nearest]).max() < 1e-6
    assert (reached > expected[nearest] - 1e-12).all()


def test_a_network_of_all_functions_has_one_critical_function() -> None:
    loss, _ = noise("[2,2,2,1] r=2", 0)
    found = complex_critical_functions(loss)
    assert len(found) == 1
    assert values(loss, found.functions.real)[0] == pytest.approx(loss.floor, rel=1e-9)


def test_few_samples_have_no_finite_number_of_critical_functions() -> None:
    loss, _ = noise(WORKED, 0, samples=2)
    for call in (lambda: complex_critical_functions(loss), lambda: eckart_young(loss, 2)):
        with pytest.raises(PolygeomError, match="inputs do not tell the functions apart"):
            call()
    with pytest.raises(PolygeomError, match=r"loss must be of a network \[2,2,c\] r=2, got \[3,2,1\] r=2"):
        boundary_minima(noise("[3,2,1] r=2", 0)[0])
