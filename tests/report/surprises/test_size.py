"""Second routes for the rows on size."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from report.surprises.searches import weights_of_a_function

from polygeom import dimension, threshold
from polygeom.dimensions.special import rank_at, special_weights
from polygeom.engines.exact import ExactEngine
from polygeom.network import Network, parse


def random_weights(text: str | Network, seed: int = 0) -> dict[str, np.ndarray]:
    network = parse(text) if isinstance(text, str) else text
    generator = np.random.default_rng(seed)
    return {name: generator.integers(-30, 31, shape) for name, shape in network.parameters.items()}


def exact_rank(text: str) -> int:
    """Over the rational numbers, without a prime."""
    return rank_at(text, random_weights(text)).rank


def values(text: str, weights: dict[str, np.ndarray], points: np.ndarray) -> np.ndarray:
    """Outputs of a network at integers, exactly."""
    engine = ExactEngine()
    return parse(text).evaluate(engine, {k: engine.encode(w) for k, w in weights.items()}, engine.encode(points))


def test_thresholds() -> None:
    wrong = []
    for a in range(1, 7):
        for b in range(1, 7):
            found = threshold((2, a, b, 1))
            late = [r for r in (5, 6) if dimension(f"[2,{a},{b},1] r={r}", method="generic").defect]
            expected = [r for r in (5, 6) if found.threshold is None or r in found.defective]
            wrong += [] if late == expected else [(a, b)]
    assert wrong == []


def test_coupled_and_nested() -> None:
    assert exact_rank("ccp(3,rank=2,degree=3)") == 18
    assert exact_rank("ncp(3,rank=2,degree=3)") == 19
    assert exact_rank("product_network(3,rank=2,degree=3)") == 10
    # the reason: where both linear forms of the last step vanish, the nested network is its constant
    text = "ncp(3,rank=2,degree=3)"
    weights = random_weights(text, 1)
    origin = values(text, weights, np.zeros((1, 3)))
    ends = {name: values(text, weights, np.cross(*w)[None]) for name, w in weights.items() if w.shape == (2, 3)}
    assert [name for name, value in ends.items() if value == origin] == ["W5"]


def test_bias_heals() -> None:
    assert exact_rank("[3,5,1] r=4") == 14
    assert exact_rank("[2,5,1] r=4 bias") == 15


def test_two_sets_of_weights() -> None:
    assert len(weights_of_a_function(inputs=3, power=3, neurons=6, outputs=3)) == 2


def test_kan_rotations() -> None:
    x, y = sympy.symbols("x y")
    inner = [x, x**2, y, y**2]
    span = [a * b for a in inner for b in inner] + inner
    monomials = {m for f in span for m in sympy.Poly(f, x, y).monoms()}
    assert len(monomials) == 12
    assert {(3, 1), (1, 3)} & monomials == set()
    # a rotation of the hidden values: other weights, the same function
    h = sympy.Matrix([2 * x - x**2 + 3 * y + y**2, x + 5 * x**2 - y])
    turned = sympy.Matrix([[3, 4], [-4, 3]]) / 5 * h
    first = h[0] ** 2 + h[1] ** 2 + 7 * h[0] - 2 * h[1]
    outer = sympy.Matrix([[3, 4], [-4, 3]]) / 5 * sympy.Matrix([7, -2])
    second = turned[0] ** 2 + turned[1] ** 2 + outer[0] * turned[0] + outer[1] * turned[1]
    assert sympy.expand(first - second) == 0
    assert exact_rank("kan([2,2,1],2)") == 9
    assert exact_rank("kan([2,2,1],3)") == 16


def test_heads_saturate() -> None:
    symbols = sympy.symbols("x:4")
    inputs = sympy.Matrix(2, 2, symbols)  # rows are tokens
    functions = []
    for a in range(2):
        for b in range(2):
            for c in range(2):
                gram = inputs.T * inputs
                functions.append(sympy.expand(gram[a, b] * inputs[0, c]))
    coefficients = [sympy.Poly(f, *symbols) for f in functions]
    monomials = sorted({m for f in coefficients for m in f.monoms()})
    assert sympy.Matrix([[f.coeff_monomial(m) for m in monomials] for f in coefficients]).rank() == 6
    assert [exact_rank(f"multihead_attention(2,2,1,{heads},1)") for heads in (1, 2, 3)] == [4, 6, 6]


@pytest.mark.thorough
def test_full_rank_heads() -> None:
    generator = np.random.default_rng(3)
    v, a = generator.standard_normal((2, 2, 3, 3))
    pencil = np.linalg.eigvals(np.linalg.solve(a[1], a[0]))  # det(A0 - t A1) = 0
    t = pencil[:2]
    mixed = np.array([a[0] - t[0] * a[1], a[0] - t[1] * a[1]])
    assert [np.linalg.matrix_rank(m, tol=1e-9) for m in mixed] == [2, 2]
    back = np.linalg.inv(np.array([[1, -t[0]], [1, -t[1]]]))
    outer = np.einsum("hk,hij->kij", back, v)
    assert np.allclose(np.einsum("hij,hkl->ijkl", v, a), np.einsum("hij,hkl->ijkl", outer, mixed))
    assert 2 * (9 + 9 - 2) == dimension("multihead_attention(3,3,3,2,3)").dimension == 32


def test_width_two_rotates() -> None:
    assert dimension("[2,2,2,2,2,2,1] r=2", method="generic").dimension == 11
    assert exact_rank("[2,2,2,2,2,2,1] r=2") == 11


def test_mixed_activation_rotates() -> None:
    assert exact_rank("[2,2,2,1] p=0,1,1") == 9
    assert dimension("[2,2,1] p=0,1,1").dimension == 5  # a quadratic and a linear form


@pytest.mark.parametrize(("text", "rank"), [("[2,3,3,1] r=2", 5), ("[3,3,3] r=2", 10)])
def test_dead_neurons_cost_nothing(text: str, rank: int) -> None:
    network = parse(text)
    weights = {name: w.astype(float) for name, w in special_weights(network, "dead").items()}
    points = np.random.default_rng(0).standard_normal((40, network.input_dimension))
    columns = []
    for name, matrix in weights.items():
        for index in np.ndindex(*matrix.shape):
            moved = {k: w.astype(complex) for k, w in weights.items()}
            moved[name][index] += 1e-30j
            h = points.astype(complex)
            layers = list(moved.values())
            for layer in layers[:-1]:
                h = (h @ layer.T) ** 2
            columns.append((h @ layers[-1].T).imag.ravel() / 1e-30)
    values = np.linalg.svd(np.array(columns), compute_uv=False)
    assert int((values > 1e-9 * values[0]).sum()) == rank


def test_equal_neurons_lose_less() -> None:
    """The tangent space written down: products of outgoing vectors with the directions of the lines."""
    generator = np.random.default_rng(0)
    line, shared = generator.standard_normal((2, 3))
    out = generator.standard_normal((3, 3))

    def rank(terms: list[tuple[np.ndarray, np.ndarray]]) -> int:
        """Of pairs of an output vector and a symmetric matrix."""
        return int(np.linalg.matrix_rank(np.array([np.kron(v, (m + m.T).ravel()) for v, m in terms]), tol=1e-9))

    def own(v: np.ndarray, form: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        moves = [(v, np.outer(form, e)) for e in np.eye(3)]
        return moves + [(e, np.outer(form, form)) for e in np.eye(3)]

    assert rank(own(out[0], line) + own(out[1], shared)) == 10
    assert rank(own(out[0], line) + own(out[1], shared) + own(out[2], shared)) == 12


def test_half_are_defective() -> None:
    from polygeom import load_atlas

    atlas = load_atlas().sample(25, random_state=1)
    again = [dimension(text, method="generic") for text in atlas.network]
    assert [result.dimension for result in again] == atlas.dimension.tolist()
    assert [result.expected_dimension for result in again] == atlas.expected_dimension.tolist()


def test_minimal_filling() -> None:
    widths = [2, 3, 4, 5, 4, 6, 4, 1]
    assert dimension("[2,3,4,5,4,6,4,1] r=2", method="generic").filling
    for k in range(1, 7):
        smaller = [w - (i == k) for i, w in enumerate(widths)]
        assert not dimension(f"[{','.join(map(str, smaller))}] r=2", method="generic").filling


def test_two_million_weights() -> None:
    for n in (3, 4, 5, 6):
        assert exact_rank(f"[{n},{n},{n}] r=2") == 2 * n * n - n
    assert 2 * 1000**2 - 1000 == 1_999_000
