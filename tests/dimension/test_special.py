"""Ranks at given weights, against symbolic derivatives of the coefficients: no points, no dual numbers."""

from __future__ import annotations

import json
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import sympy

from polygeom.cli import run
from polygeom.dimensions.special import exact_jacobian, rank_at, read_weights, special_weights
from polygeom.errors import BudgetError, PolygeomError
from polygeom.network import parse


def symbolic_rank(text: str, weights: dict[str, np.ndarray]) -> int:
    """The rank of the coefficients' Jacobian of a perceptron, written out by sympy."""
    network = parse(text)
    symbols = {
        name: np.array(sympy.symbols(f"{name}_:{np.prod(shape)}")).reshape(shape)
        for name, shape in network.parameters.items()
    }
    inputs = sympy.symbols(f"x:{network.input_dimension}")
    value = np.array(inputs, dtype=object)
    layers = [name for name in network.parameters if name.startswith("W")]
    for number, name in enumerate(layers, 1):
        value = symbols[name] @ value
        if f"b{number}" in symbols:
            value = value + symbols[f"b{number}"]
        if number < len(layers):
            value = value**2
    coefficients = [c for output in value for c in sympy.Poly(sympy.expand(output), *inputs).coeffs()]
    flat = [symbol for name in symbols for symbol in symbols[name].ravel()]
    where = {
        s: sympy.Rational(str(Fraction(w)))
        for name in symbols
        for s, w in zip(symbols[name].ravel(), np.asarray(weights[name], dtype=object).ravel(), strict=True)
    }
    return int(sympy.Matrix(coefficients).jacobian(flat).subs(where).rank())


@pytest.mark.parametrize(
    ("text", "kind"),
    [("[2,2,2] r=2", "dead"), ("[3,3,1] r=2", "dead:2"), ("[2,2,2,1] r=2", "equal"), ("[2,2,1] r=2 bias", "equal")],
)
def test_the_rank_is_that_of_the_symbolic_jacobian(text: str, kind: str) -> None:
    weights = special_weights(text, kind, rng=3)
    found = rank_at(text, weights)
    assert (found.rank, found.status) == (symbolic_rank(text, weights), "proved")


def test_generic_weights_have_the_dimension_and_fractions_are_exact() -> None:
    generator = np.random.default_rng(0)
    weights = {"W1": generator.standard_normal((3, 3)), "W2": generator.standard_normal((3, 3))}
    found = rank_at("[3,3,3] r=2", weights)
    assert (found.rank, found.dimension, found.lost) == (15, 15, 0)
    # one part in 10^30 away from equal neurons: no float could tell
    near = {"W1": [[1, 2], ["1000000000000000000000000000001/1000000000000000000000000000000", 2]], "W2": [[1, 1]]}
    assert rank_at("[2,2,1] r=2", near).rank == 3
    assert rank_at("[2,2,1] r=2", {"W1": [[1, 2], [1, 2]], "W2": [[1, 1]]}).rank == 2


def test_the_jacobian_is_that_of_differences() -> None:
    network = parse("[2,2,1] r=3")
    weights = {name: np.array(w, dtype=object) for name, w in special_weights(network, "dead").items()}
    points = np.array([[1, 2], [3, -1]])
    rows = exact_jacobian(network, weights, points)
    w1, w2 = weights["W1"].astype(float), weights["W2"].astype(float)

    def outputs(flat: np.ndarray) -> np.ndarray:
        return ((points @ flat[:4].reshape(2, 2).T) ** 3 @ flat[4:].reshape(1, 2).T).ravel()

    flat = np.concatenate([w1.ravel(), w2.ravel()])
    steps = [(outputs(flat + h) - outputs(flat - h)) / 2e-5 for h in 1e-5 * np.eye(6)]
    assert np.allclose(np.array([[float(a.p) / float(a.q) for a in row] for row in rows]), np.array(steps).T, atol=1e-5)


def test_too_many_coefficients_are_probable_and_too_many_derivatives_refused() -> None:
    text = "[8,2,1] r=6"  # 1716 coefficients
    assert rank_at(text, special_weights(text, "equal")).status == "probable"
    with pytest.raises(BudgetError, match="exact derivatives"):
        rank_at("[9,60,3] r=3", special_weights("[9,60,3] r=3", "equal"))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"W1": [[1, 2], [3, 4]]}, "W2 of shape"),
        ({"W1": [[1, 2]], "W2": [[1, 1]]}, "must have the shape"),
        ({"W1": [[1, 2], [3, float("nan")]], "W2": [[1, 1]]}, "finite numbers"),
        ({"W1": [[1, 2], [3, "1/0"]], "W2": [[1, 1]]}, "finite numbers"),
        ({"W1": [[1, 2], [3, 4]], "W2": [[1, 1]], "W3": 1}, "has no W3"),
    ],
)
def test_weights_that_do_not_fit_are_refused(weights: dict[str, object], message: str) -> None:
    with pytest.raises(PolygeomError, match=message):
        rank_at("[2,2,1] r=2", weights)


HUGE = {
    "a thousand digits": "9" * 1001,
    "two million digits": "9" * 2_000_000,
    "a text": f'"{"9" * 1001}"',
    "a denominator": f'"1/{"9" * 1001}"',
    "an exponent": '"1e200000000"',
    "a small exponent": '"1e-200000000"',
    "a float": "1e400",
}


@pytest.mark.parametrize("number", HUGE)
def test_huge_integers_in_a_file_of_weights_are_refused_early(
    number: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exact ranks of such weights would take minutes, and the power of ten alone would fill the memory."""
    file = tmp_path / "w.json"
    file.write_text(f'{{"W1": [[{HUGE[number]}, 2], [3, 4]], "W2": [[1, 1]]}}', encoding="utf-8")
    for command in (["dim", "[2,2,1] r=2", "--at"], ["coefficient", "[2,2,1] r=2", "--weights"]):
        before = time.process_time()
        assert run([*command, str(file)]) == 2
        assert time.process_time() - before < 1
        error = capsys.readouterr().err
        assert "of at most 1000 digits" in error
        assert len(error) < 400
    file.write_text(f'{{"W1": [["{"9" * 999}", 1e300], [3, 4]], "W2": [[1, 1]]}}', encoding="utf-8")
    assert run(["dim", "[2,2,1] r=2", "--at", str(file)]) == 0


def test_huge_integers_as_weights_are_refused() -> None:
    with pytest.raises(PolygeomError, match="at most 1000 digits, got a number of thousands of digits"):
        rank_at("[2,2,1] r=2", {"W1": [[10**5000, 2], [3, 4]], "W2": [[1, 1]]})


@pytest.mark.parametrize("kind", ["dad", "dead:", "dead:0", "equal:2", "dead:3", "equal:x"])
def test_kinds_that_do_not_exist_or_fit_are_refused(kind: str) -> None:
    if kind == "dead:":
        assert (special_weights("[2,2,1] r=2", kind)["W1"][1] == 0).all()
    else:
        with pytest.raises(PolygeomError, match="kind"):
            special_weights("[2,2,1] r=2", kind)
    with pytest.raises(PolygeomError, match="perceptron"):
        special_weights("ccp(2,rank=2,degree=2)", "dead")


def test_the_command_reads_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, archive = tmp_path / "w.json", tmp_path / "w.npz"
    file.write_text(json.dumps({"W1": [[1, 2], ["1/3", 4]], "W2": [[1, 0]]}), encoding="utf-8")
    np.savez(archive, W1=np.array([[1.0, 2.0], [0.5, 4.0]]), W2=np.array([[1.0, 0.0]]))
    for path in (file, archive):
        assert run(["dim", "[2,2,1] r=2", "--at", str(path)]) == 0
        assert capsys.readouterr().out == "[2,2,1] r=2: rank 3 at these weights (proved), as at generic weights\n"
    assert run(["dim", "[3,3,3] r=2", "--at", "equal", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["lost"] == 3
    assert run(["dim", "[2,2,1] r=2", "--at", str(tmp_path / "none.json")]) == 2
    assert run(["dim", "[2,2,1] r=2", "--at", "dead", "--timeout", "3"]) == 2
    file.write_text("[1]", encoding="utf-8")
    with pytest.raises(PolygeomError, match="must hold an object"):
        read_weights(file)
