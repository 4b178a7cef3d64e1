"""Targets against formulas written out with the standard library alone; regions against their definitions."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from polygeom.datasets import function_data
from polygeom.datasets.functions import ACTIVATIONS, POSITIVE, TARGETS, make_target, range_unit
from polygeom.datasets.regions import SHAPES, SIGNS, sample_region
from polygeom.datasets.sampling import FunctionSettings, load_function_data
from polygeom.errors import PolygeomError

Vector = list[float]
PI = math.pi
ONE: dict[str, Callable[[float], float]] = {
    "sum": lambda t: t,
    "square": lambda t: t * t,
    "l1": abs,
    "sqrt": math.sqrt,
    "sin": lambda t: math.sin(PI * t),
    "cospix": lambda t: math.cos(PI * t),
    "cosx": math.cos,
    "cos2x": lambda t: math.cos(2 * t),
    "cos2pix": lambda t: math.cos(2 * PI * t),
    "cos10x": lambda t: math.cos(10 * t),
    "zigzag": lambda t: abs((t + PI) % (2 * PI) - PI),
    "tanh": math.tanh,
    "exp": math.exp,
    "log": math.log,
    "gelu": lambda t: t * (1 + math.erf(t / math.sqrt(2))) / 2,
    "sigmoid": lambda t: (1 + math.tanh(t / 2)) / 2,
    "cubic": lambda t: ((t + 1) * t - 5) * t + 5,
    "x3x2minus10x1plus5": lambda t: ((t + 1) * t - 10) * t + 5,
    "x4x2bias1": lambda t: (t * t + 1) * t * t + 1,
}
ACTS: dict[str, Callable[[float], float]] = {
    **{name: ONE[name] for name in ("square", "tanh", "exp", "gelu", "sigmoid")},
    "sin": math.sin,
    "relu": lambda t: max(t, 0.0),
    "log": lambda t: math.log(abs(t)),
}


def by_hand(name: str, x: Vector, c: dict[str, list]) -> Vector:
    if name in ONE:
        return [math.fsum(ONE[name](t) for t in x)]
    if name.startswith("act"):
        hidden = [ACTS[name[3:]](sum(w * t for w, t in zip(row, x, strict=True))) for row in c["W"]]
        return [sum(a * h for a, h in zip(row, hidden, strict=True)) for row in c["a"]]
    if name in ("linear", "linear_plain"):
        rows = [sum(w * t for w, t in zip(row, x, strict=True)) for row in c["A"]]
        return [value + b for value, b in zip(rows, c["b"], strict=True)] if name == "linear" else rows
    if name == "quadratic":
        return [sum(c["A"][i][j] * x[i] * x[j] for i in range(len(x)) for j in range(len(x)))]
    if name == "mix":
        half = len(c["a"])
        squares = [t * t for t in x[half:]]
        return [sum(a * t for a, t in zip(c["a"] + c["b"], x[:half] + squares, strict=True))]
    if name.startswith("periodic"):
        sine = sum(a * math.sin(f * PI * t) for a, f in zip(c["a1"], c["a2"], strict=True) for t in x)
        cosine = sum(b * math.cos(f * PI * t) for b, f in zip(c["b1"], c["b2"], strict=True) for t in x)
        return [(name != "periodic_cos") * sine + (name != "periodic_sin") * cosine]
    return {
        "x2": [t * t for t in x],
        "helix": [math.cos(2 * PI * x[0]), math.sin(2 * PI * x[0])],
        "constant": [1.0],
    }[name]


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("inputs", [1, 3])
def test_labels_are_those_of_the_formula(name: str, inputs: int) -> None:
    if name == "helix" and inputs > 1:
        pytest.skip("a curve has one parameter")
    settings = FunctionSettings(
        name, inputs, outputs=2, train=40, validation=20, test=20, seed=inputs, offset_range=3.0
    )
    data = function_data(settings)
    drawn = {key: value.tolist() for key, value in data.target.coefficients.items()}
    for split in ("train", "validation", "test"):
        expected = np.array([by_hand(name, x, drawn) for x in data.inputs[split].tolist()])
        assert data.labels[split].shape == expected.shape
        scale = 1 + np.abs(expected)
        assert (np.abs(data.labels[split] - expected) / scale).max() < 1e-12
    radius = 2.5 * range_unit(name)
    assert np.abs(data.inputs["train"]).max() <= radius < np.abs(data.inputs["test"]).max() <= 2 * radius


def test_every_activation_has_a_target() -> None:
    assert set(ACTS) == set(ACTIVATIONS)
    assert {name for name in TARGETS if range_unit(name) != 1} == {
        "sin", "cosx", "zigzag", "periodic", "periodic_sin", "periodic_cos"
    }  # fmt: skip


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("shape", SHAPES)
def test_points_lie_in_their_region(shape: str, sign: str) -> None:
    inputs = 2 if shape == "sector" else 4
    if (shape == "basis" and sign != "no") or (shape == "sector" and sign in "nz"):
        if not (shape == "sector" and sign == "no"):
            with pytest.raises(PolygeomError):
                sample_region(shape, 10, inputs, 2.0, sign=sign)
            return
    x = sample_region(shape, 4000, inputs, 3.0, sign=sign, fixed=2, rng=7)
    assert x.shape == (4000, inputs)
    lengths = np.linalg.norm(x, axis=1)
    largest = {"cube": 3 * math.sqrt(inputs), "sector": math.sqrt(3)}.get(shape, 3.0)
    if sign != "z":
        assert 0.95 * largest * (0.9 if shape == "cube" else 1) < lengths.max() <= largest * (1 + 1e-12)
    if shape == "cube":
        assert np.abs(x).max() <= 3
    if shape in ("sphere", "basis") and sign != "z":
        assert np.allclose(lengths, 3)
    signs = {"no": (True, True), "p": (False, True), "n": (True, False), "2p": (False, False), "z": (False, True)}
    if shape != "sector":
        assert ((x[:, 0] < 0).any(), (x[:, 3] < 0).any()) == {
            "no": (True, True), "p": (False, True), "n": (True, True), "2p": (False, False), "z": (False, True)
        }[sign]  # fmt: skip
        assert (sign == "n") == bool((x[:, :2] <= 0).all())
        assert (sign == "z") == bool((x[:, 0] == 0.1).all())
    else:
        assert ((x[:, 0] < 0).any(), (x[:, 1] < 0).any()) == {"no": (True, True), "p": (True, False)}.get(
            sign, (False, False)
        )
    assert signs


def test_distributions_of_the_radius() -> None:
    uniform = np.linspace(0, 1, 4001)[1:]
    ball = np.sort(np.linalg.norm(sample_region("ball", 4000, 3, 2.0, rng=1), axis=1)) / 2
    assert np.abs(ball - uniform).max() < 0.03  # length uniform
    sector = np.sort((sample_region("sector", 4000, 2, 2.0, rng=1) ** 2).sum(axis=1)) / 2
    assert np.abs(sector - uniform).max() < 0.03  # area uniform


def test_a_basis_is_orthogonal_and_cycles() -> None:
    x = sample_region("basis", 20, 4, 5.0, rng=3)
    assert np.allclose(x[:4] @ x[:4].T, 25 * np.eye(4))
    assert np.array_equal(x[4:8], -x[:4])
    assert np.array_equal(x[8:16], x[:8])


def test_the_same_settings_give_the_same_bytes_in_memory_and_in_a_file(tmp_path: Path) -> None:
    settings = FunctionSettings("periodic", 2, sign="p", noise=0.3, seed=11, train=50)
    data, again = function_data(settings), function_data(settings)
    data.save(tmp_path / "data.npz")
    loaded = load_function_data(tmp_path / "data.npz")
    assert loaded.settings == settings
    for split in ("train", "validation", "test"):
        for one in (again, loaded):
            assert one.inputs[split].tobytes() == data.inputs[split].tobytes()
            assert one.labels[split].tobytes() == data.labels[split].tobytes()
    other = function_data(FunctionSettings("periodic", 2, sign="p", noise=0.3, seed=12, train=50))
    assert other.inputs["train"].tobytes() != data.inputs["train"].tobytes()
    residuals = data.labels["train"] - data.target(data.inputs["train"])
    assert 0.15 < residuals.var() < 0.6
    assert np.array_equal(data.labels["test"], data.target(data.inputs["test"]))
    assert (data.inputs["train"][:, 0] >= 0).all()
    assert (data.inputs["test"][:, 0] < 0).any()


@pytest.mark.parametrize("name", POSITIVE)
def test_targets_of_positive_inputs(name: str) -> None:
    data = function_data(FunctionSettings(name, 2))
    assert all((x > 0).all() for x in data.inputs.values())
    with pytest.raises(PolygeomError, match="needs positive inputs; write sign='2p', got 'n'"):
        function_data(FunctionSettings(name, sign="n"))
    with pytest.raises(PolygeomError, match="is defined for positive coordinates"):
        make_target(name)(np.array([[-1.0]]))


def test_what_cannot_be_used_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolygeomError, match="target must be one of sum, square"):
        make_target("sinus")
    with pytest.raises(PolygeomError, match="helix is a curve"):
        make_target("helix", 2)
    with pytest.raises(PolygeomError, match=r"x must have shape \(N, 2\), got \(3, 1\)"):
        make_target("square", 2)(np.zeros((3, 1)))
    with pytest.raises(PolygeomError, match="shape must be one of cube, ball"):
        sample_region("box", 1, 1, 1.0)
    with pytest.raises(PolygeomError, match="sign must be one of no, p"):
        sample_region("cube", 1, 1, 1.0, sign="q")
    with pytest.raises(PolygeomError, match="fixed must be a number of coordinates from 0 to 1, got 2"):
        sample_region("cube", 1, 1, 1.0, fixed=2)
    path = tmp_path / "data.npz"
    with pytest.raises(PolygeomError, match="does not exist"):
        load_function_data(path)
    np.savez(path, a=1)
    with pytest.raises(PolygeomError, match="is not function data"):
        load_function_data(path)
    path.write_bytes(b"nonsense")
    with pytest.raises(PolygeomError, match="is not function data"):
        load_function_data(path)
