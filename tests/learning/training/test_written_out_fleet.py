"""Fits of perceptrons with Jacobians written out and compiled steps against those by automatic differentiation."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="fits need the extra learn")

from polygeom.engines.torch_perceptron import perceptron_jacobian, perceptron_values, written_out  # noqa: E402
from polygeom.learning import _damped_numba, _perceptrons_numba  # noqa: E402
from polygeom.learning.training import fleet  # noqa: E402
from polygeom.learning.training.attempts import Attempts  # noqa: E402
from polygeom.learning.training.damping import damped_step, relative_step  # noqa: E402
from polygeom.learning.training.fleet import fit_fleet, fleet_outputs, random_starts  # noqa: E402
from polygeom.network import mlp, parse  # noqa: E402

NETWORKS = {
    "[2,3,1] r=2": torch.float64,
    "[3,4,2,2] r=3": torch.float64,
    "[2,3] r=2": torch.float64,
    "[2,3,3,1] r=2 bias": torch.float64,
    "[3,2] r=2 bias": torch.complex128,
    "[2,2,2] r=4": torch.complex128,
}
ALWAYS = ("[3,4,2,2] r=3", "[2,3,3,1] r=2 bias", "[3,2] r=2 bias")


def data(text: str, dtype: torch.dtype, count: int = 4, points: int = 5):
    network = parse(text)
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(count, points, *network.input_shape, generator=generator, dtype=torch.float64)
    y = torch.randn(count, points, *network.output_shape, generator=generator, dtype=torch.float64)
    return network, x, y, random_starts(network, count, rng=1, dtype=dtype, biases=0.5)


@pytest.mark.parametrize(
    "text", [pytest.param(name, marks=[] if name in ALWAYS else [pytest.mark.thorough]) for name in NETWORKS]
)
def test_values_and_jacobians_are_those_of_autograd(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network, x, _, weights = data(text, NETWORKS[text])
    x = x.to(NETWORKS[text])
    assert written_out(network) is not None
    found = perceptron_values(network, weights, x)[-1]
    names = list(network.parameters)[::-1][:3]  # not all of them, in another order
    jacobian = perceptron_jacobian(network, weights, x, names)
    monkeypatch.setattr(fleet, "written_out", lambda _: None)
    torch.testing.assert_close(found, fleet_outputs(network, weights, x), rtol=1e-12, atol=1e-12)
    for fit in range(len(x)):
        own = {name: weight[fit] for name, weight in weights.items()}

        def outputs(*some, own=own, fit=fit):
            merged = {**own, **dict(zip(names, some, strict=True))}
            return fleet_outputs(network, {name: w[None] for name, w in merged.items()}, x[fit : fit + 1]).reshape(-1)

        for row in range(jacobian.shape[1]):
            leaves = [own[name].clone().requires_grad_() for name in names]
            slopes = torch.autograd.grad(outputs(*leaves)[row], leaves, torch.ones((), dtype=x.dtype))
            expected = torch.cat([slope.conj().reshape(-1) for slope in slopes])
            torch.testing.assert_close(jacobian[fit, row], expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("text", ["ccp(2,3,2,1)", "[2,3,3,3,1] r=2 tied"])
def test_other_networks_are_left_to_autograd(text: str) -> None:
    assert written_out(parse(text)) is None


def test_only_monomials_are_written_out() -> None:
    assert written_out(mlp((2, 3, 1), activation=(0, 1, 1))) is None
    assert written_out(mlp((2, 3, 3, 1), (2, 3))) == (2, 3)
    assert written_out(mlp((2, 3, 3, 1), (2, 3), bias=True)) is None


def plain(jacobian, residuals, relative):
    return stepped(_damped_numba._steps, jacobian, residuals, relative)


def compiled(jacobian, residuals, relative):
    return stepped(_damped_numba.kernel(jacobian.is_complex()), jacobian, residuals, relative)


def stepped(kernel, jacobian, residuals, relative):
    steps, gradients = torch.full((2, len(jacobian), jacobian.shape[2]), 7.0, dtype=jacobian.dtype)
    squares, damping = torch.empty(2, len(jacobian), dtype=torch.float64)
    arrays = (one.numpy() for one in (jacobian, residuals, relative))
    outputs = (one.numpy() for one in (steps, gradients, squares, damping))
    kernel(*arrays, 1e-300, *outputs)
    return steps, gradients, squares, damping


@pytest.mark.parametrize("way", [plain, pytest.param(compiled, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
@pytest.mark.parametrize("shape", [(6, 4, 9), (6, 9, 4), (3, 5, 5), (2, 1, 1)])
def test_written_out_steps_are_those_of_the_twin(way, dtype: torch.dtype, shape: tuple[int, int, int]) -> None:
    """The same lines compiled and as they stand."""
    generator = torch.Generator().manual_seed(0)
    jacobian = torch.randn(shape, generator=generator, dtype=dtype)
    residuals = torch.randn(shape[:2], generator=generator, dtype=dtype)
    relative = torch.logspace(-6, 2, shape[0], dtype=torch.float64)
    jacobian[0] = 0
    jacobian[0, 0, 0] = float("nan")
    steps, gradients, squares, damping = way(jacobian, residuals, relative)
    wanted = (jacobian.mH @ residuals.unsqueeze(2)).squeeze(2)
    sizes = jacobian.abs().square().sum(dim=(1, 2))
    assert not steps[0].any()
    torch.testing.assert_close(gradients[1:], wanted[1:], rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(squares[1:], sizes[1:], rtol=1e-12, atol=0)
    torch.testing.assert_close(damping[1:], (relative * sizes / min(shape[1:]))[1:], rtol=1e-12, atol=0)
    expected = damped_step(jacobian[1:], residuals[1:], wanted[1:], damping[1:])
    torch.testing.assert_close(steps[1:], expected, rtol=1e-7, atol=1e-9)


@pytest.mark.thorough
@pytest.mark.parametrize("text", ["[2,3,1] r=2", "[2,2,2] r=4", "[2,3,3,1] r=2 bias"])
def test_fits_end_where_those_of_the_slow_route_end(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network, x, _, starts = data(text, NETWORKS[text], count=30, points=6)
    y = fleet_outputs(network, random_starts(network, 30, rng=9), x)  # some fits reach zero
    monkeypatch.setattr(fleet, "_MANY_ATTEMPTS", 1)
    quick = fit_fleet(network, x, y, starts, steps=40)
    monkeypatch.setattr(fleet, "_MANY_ATTEMPTS", 10**9)
    monkeypatch.setattr(fleet, "written_out", lambda _: None)
    slow = fit_fleet(network, x, y, starts, steps=40)
    assert quick.reached.any()
    # rounding grows along a descent, so single fits may end elsewhere
    same = torch.isclose(quick.losses, slow.losses, rtol=1e-6, atol=1e-16)
    assert same.float().mean() > 0.8
    assert abs(int(quick.reached.sum()) - int(slow.reached.sum())) <= 3


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines of the kernels as they stand."""
    for name in ("_forward", "_point", "_normal", "_solved", "_change"):
        monkeypatch.setattr(_perceptrons_numba, name, getattr(_perceptrons_numba, name).py_func)
    monkeypatch.setattr(_perceptrons_numba, "kernel", lambda _: _perceptrons_numba._attempts)
    monkeypatch.setattr(_damped_numba, "kernel", lambda _: _damped_numba._steps)


def compare_attempts(text: str, dtype: torch.dtype, count: int, points: int, fixed: str = "") -> None:
    """Whole attempts against the twins of their parts. The weights of the first fit are no numbers, and the normal
    matrix of the second has no root."""
    network, x, y, weights = data(text, dtype, count, points)
    x, y = x.to(dtype), y.to(dtype)
    names = [name for name in network.parameters if name != fixed]
    weights[names[0]][0] = float("nan")
    own, held = {name: weights[name] for name in names}, {name: weights[name] for name in weights if name == fixed}
    relative = torch.logspace(-6, 1, count, dtype=torch.float64)
    relative[1] = -10.0
    found = Attempts(network, names, dtype.is_complex)(own, held, x, y, relative)
    residuals = (perceptron_values(network, weights, x)[-1] - y).reshape(count, -1)
    wanted = relative_step(perceptron_jacobian(network, weights, x, names), residuals, relative)
    assert not found[0][:2].any()
    for number, (one, other) in enumerate(zip(found[:4], wanted, strict=True)):
        torch.testing.assert_close(one[1:], other[1:], rtol=1e-12 if number else 1e-7, atol=1e-9 if number == 0 else 0)
    changed, at = {**weights}, 0
    for name in names:
        size = weights[name][0].numel()
        changed[name] = weights[name] + found[0][:, at : at + size].reshape(weights[name].shape)
        at += size
    after = (perceptron_values(network, changed, x)[-1] - y).reshape(count, -1)
    torch.testing.assert_close(found[4][1:], after[1:], rtol=1e-9, atol=1e-9)


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize(
    ("text", "dtype", "points", "fixed"),
    [("[2,2,2,1] r=3", "float64", 3, "W2"), ("[1,2,1] r=2 bias", "complex128", 8, ""), ("[2,2] r=2", "float64", 4, "")],
)
def test_attempts_are_those_of_the_twins(text: str, dtype: str, points: int, fixed: str) -> None:
    """Fewer residuals than weights, more of them, and no hidden layer; five fits, two at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_perceptrons_numba, "LANES", 2)
        compare_attempts(text, getattr(torch, dtype), 5, points, fixed)


@pytest.mark.thorough
@pytest.mark.parametrize("points", [3, 11])
@pytest.mark.parametrize("text", NETWORKS)
def test_compiled_attempts_are_those_of_the_twins(text: str, points: int) -> None:
    for count in (1, 70):
        compare_attempts(text, NETWORKS[text], count + 1, points, "W2" if count > 1 and text[-1] != "s" else "")


def test_large_networks_are_left_to_products_of_matrices() -> None:
    for text, points, compiled in (("[8,12,2] r=2", 100, True), ("[10,20,1] r=2", 300, False)):
        network, x, y, starts = data(text, torch.float64, 2, points)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_perceptrons_numba, "kernel", lambda _: _perceptrons_numba._attempts)
            run = fleet._Run(network, x, y, starts, frozenset(), 1e-24)
            run.compile()
        assert (run.attempts is not None, run.compiled) == (compiled, None)


@pytest.mark.parametrize("text", ["[2,2,2,2] r=3", "ccp(2,2,2,1)"])
@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.thorough)])
def test_the_first_steps_are_those_of_the_slow_route(
    compiled: bool, text: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    network, x, y, starts = data(text, torch.float64, count=5)
    held = list(network.parameters)[1]
    if not compiled:
        request.getfixturevalue("uncompiled")
    monkeypatch.setattr(fleet, "_MANY_ATTEMPTS", 1)
    quick = fit_fleet(network, x, y, starts, steps=4, fixed=[held])
    monkeypatch.setattr(fleet, "_MANY_ATTEMPTS", 10**9)
    monkeypatch.setattr(fleet, "written_out", lambda _: None)
    slow = fit_fleet(network, x, y, starts, steps=4, fixed=[held])
    for name, weights in quick.weights.items():
        torch.testing.assert_close(weights, slow.weights[name], rtol=1e-8, atol=1e-10)
    assert torch.equal(quick.weights[held], starts[held])
