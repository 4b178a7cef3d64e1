"""Following paths, counting by monodromy, proving solutions, and counting in quotient rings."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from polygeom.dimensions import dimension
from polygeom.engines.jets import JetEngine
from polygeom.errors import BudgetError, PolygeomError
from polygeom.ideal.chart import Chart, chart
from polygeom.ideal.counting.distance import form_matrix
from polygeom.ideal.counting.paths.graph import Graph
from polygeom.ideal.counting.paths.monodromy import monodromy
from polygeom.ideal.counting.paths.proofs import certified
from polygeom.ideal.counting.paths.residuals import enclosed
from polygeom.ideal.counting.paths.starts import complex_normal
from polygeom.ideal.counting.paths.systems import Coefficients, CriticalPoints, Outputs, Sections
from polygeom.ideal.counting.paths.trace import second_differences, trace_test
from polygeom.ideal.counting.paths.tracking import Tracker, refine, track
from polygeom.ideal.counting.quotient import quotient_dimension
from polygeom.ideal.grading.coordinates import Coordinates
from polygeom.ideal.singular import singular_subnetworks
from polygeom.maps import from_text
from polygeom.modular import P22, PrimeField
from polygeom.network import parse
from polygeom.symmetry.gauge import scalings


def sections(text: str, seed: int = 0) -> tuple[Sections, np.random.Generator]:
    rng = np.random.default_rng(seed)
    network = parse(text)
    return Sections(Outputs.random(network, dimension(network).dimension, rng), rng), rng


def test_coefficients_are_those_of_the_network(rng: np.random.Generator) -> None:
    network = parse("[2,2,2] r=3")
    coefficients = Coefficients(network, 6, rng)
    w = complex_normal(rng, 2, network.parameter_count)
    point = complex_normal(rng, 1, 2)
    plain = coefficients.image(w) * coefficients.scales
    monomials = np.prod(point[:, None, :] ** coefficients.exponents, axis=2)[0]
    for row, weights in zip(plain, w, strict=True):
        hidden = (weights[:4].reshape(2, 2) @ point[0]) ** 3
        np.testing.assert_allclose(row.reshape(2, -1) @ monomials, weights[4:].reshape(2, 2) @ hidden)


def test_a_path_ends_at_a_solution() -> None:
    system, rng = sections("[3,2,1] r=2")
    w, base = system.start(rng)
    end = system.move(base, rng)
    reached, arrived = track(system, w, base, end)
    assert arrived.all()
    np.testing.assert_allclose(system.outputs.raw(reached) @ system.matrix.T, end[None], rtol=1e-9)


def test_new_start_solutions_have_parameters_of_the_size_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The best of several draws is taken, and the median at first: single ones are larger or smaller by whole orders of
    magnitude."""

    drawn, nodes = list[float](), list[float]()
    system, rng = sections("[1,1,1] r=6")
    start, node = system.start, Graph.node

    def recorded(generator: np.random.Generator, *, real: bool) -> tuple[np.ndarray, np.ndarray]:
        w, place = start(generator, real=real)
        drawn.append(float(np.log10(np.linalg.norm(place))))
        return w, place

    def kept(graph: object, place: np.ndarray) -> object:
        nodes.append(float(np.log10(np.linalg.norm(place))))
        return node(graph, place)

    monkeypatch.setattr(system, "start", recorded)
    monkeypatch.setattr(Graph, "node", kept)
    monodromy(system, rng, rounds=5, enough=lambda found: False)
    base, _, _, *others = nodes
    first, groups = np.split(np.array(drawn).reshape(len(others) + 1, -1), [1])
    assert base == np.median(first)
    single = np.abs(groups - base)
    groups = single.reshape(len(others), -1)
    assert groups.shape[1] >= 4
    np.testing.assert_array_equal(groups.min(axis=1), np.abs(np.array(others) - base))
    assert np.median(groups.min(axis=1)) < np.median(single) / 2 > 0.5


def test_paths_there_and_back_are_the_identity_without_a_loop() -> None:
    system, rng = sections("[2,2,1] r=4")
    w, base = system.start(rng)
    end = system.move(base, rng)
    there, _ = track(system, w, base, end)
    back, arrived = track(system, there, end, base)
    assert arrived.all()
    np.testing.assert_allclose(system.outputs.image(back), system.outputs.image(w), rtol=1e-7)


def test_the_frame_is_orthogonal_to_the_fibre(rng: np.random.Generator) -> None:
    """Scaling a hidden neuron leaves the function unchanged; the frame does not contain that direction."""
    network = parse("[3,2,2] r=2")
    system = Sections(Outputs.random(network, dimension(network).dimension, rng), rng)
    w, base = complex_normal(rng, 3, network.parameter_count), complex_normal(rng, 8)
    for weights, frame in zip(w, system.linearised(w, base)[4], strict=True):
        np.testing.assert_allclose(frame.conj().T @ frame, np.eye(frame.shape[1]), atol=1e-12)
        first, second = weights[:6].reshape(2, 3).copy(), weights[6:].reshape(2, 2).copy()
        first[1], second[:, 1] = 0, 0
        scaling = np.concatenate([first.ravel(), -2 * second.ravel()])
        np.testing.assert_allclose(frame.conj().T @ scaling, 0, atol=1e-10)


@pytest.mark.parametrize("text", ["[4,2,1] r=2", "[2,1,1] r=15", "[2,2,1] r=4"])
def test_the_trace_tells_every_part_from_the_whole(text: str) -> None:
    system, rng = sections(text)
    found = monodromy(system, rng)
    assert found.complete
    assert found.trace.ratio < 1e-5 < 1 < found.trace.without
    away = system.move(found.parameters, rng)
    tracker, marks = Tracker(system), system.outputs.marks(rng)
    there, arrived = tracker.follow(found.weights, found.parameters, away)
    assert arrived.all()
    for left_out in range(found.count):
        kept = [i for i in range(found.count) if i != left_out]
        part = trace_test(tracker, found.weights[kept], there[kept], found.parameters, away, rng, marks)
        assert not part.passed
        assert part.ratio > 1e-2


@pytest.mark.thorough
def test_the_trace_of_critical_points_is_linear_under_a_generic_form_alone() -> None:
    """Symmetric matrices of rank two: 13 critical points whose sum is linear in the target. Of the 7 that the Bombieri–
    Weyl form has on the secants of a rational normal curve some go to infinity, and the sum has poles."""
    rng = np.random.default_rng(0)
    for text, form, count, straight in (
        ("[3,2,1] r=2", "generic", 13, True),
        ("[2,2,1] r=4", "bombieri-weyl", 7, False),
    ):
        network = parse(text)
        coefficients = Coefficients(network, dimension(network).dimension, rng)
        matrix = form_matrix(Coordinates(network), form, rng)
        found = monodromy(CriticalPoints(coefficients, matrix), rng, rounds=12)
        assert (found.count, found.complete) == (count, straight)


def test_second_differences_vanish_for_affine_functions(rng: np.random.Generator) -> None:
    place, (a, b) = 0.3 + 0.7j, complex_normal(rng, 2, 5)
    assert np.abs(second_differences((a, a + b, a + place * b), place)).max() < 1e-14
    assert np.abs(second_differences((a, a + b, a + place**2 * b), place)).min() > 1e-3


def test_balanced_weights_stay_balanced_along_a_path() -> None:
    system, rng = sections("[3,2,2] r=3")
    w, base = system.start(rng)
    exponents = scalings(system.outputs.network)
    assert np.abs(np.abs(w) ** 2 @ exponents.T).max() < 1e-6
    end, arrived = track(system, w, base, system.move(base, rng))
    assert arrived.all()
    assert np.abs(np.abs(end) ** 2 @ exponents.T).max() < 0.2 * np.abs(np.abs(end) ** 2 @ np.abs(exponents).T).max()


@pytest.mark.parametrize("text", ["[2,3,2] r=2", "[2,2,2,1] r=3 bias", "ncp(2,rank=2,degree=3)",
                                  "lightning_attention(tokens=2,features=2,rank=1,outputs=1)",
                                  "convolutional(4,kernels=[2,2],degrees=2)"])  # fmt: skip
def test_compiled_derivatives_are_those_of_jets(text: str, rng: np.random.Generator) -> None:
    """Two interpreters of a network: the recorded program, and truncated Taylor arithmetic over its layers."""
    import polygeom.ideal.counting.paths.kernels  # noqa: F401  what is loaded is used

    network = parse(text)
    points = complex_normal(rng, 4, network.input_dimension).reshape(4, *network.input_shape)
    outputs = Outputs(network, min(3, network.parameter_count), points)
    w = complex_normal(rng, 2, network.parameter_count)
    everything = Chart(network, (), tuple(range(network.parameter_count)), 1, proved=True)
    jet = everything.outputs(w, points, JetEngine(2))
    np.testing.assert_allclose(outputs.raw(w), jet.value, rtol=1e-10)
    form = rng.standard_normal((outputs.size, outputs.size))
    system = CriticalPoints(outputs, form + form.T)
    target = complex_normal(rng, outputs.size)
    value, matrix, _, slopes, frames = system.linearised(w, target)
    np.testing.assert_allclose(slopes, jet.gradient, rtol=1e-9, atol=1e-9)
    for i in range(2):
        mu = (form + form.T) @ (jet.value[i] - target)
        full = jet.gradient[i] @ (form + form.T) @ jet.gradient[i].T + jet.hessian[i] @ mu
        np.testing.assert_allclose(value[i], frames[i].T @ jet.gradient[i] @ mu, rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(matrix[i], frames[i].T @ full @ frames[i], rtol=1e-8, atol=1e-6)


def test_residuals_with_many_digits_are_those_of_doubles() -> None:
    """A third interpreter: balls."""
    for text, kind in (("[2,2,2] r=3", 0), ("[2,2,1] r=4", 1)):
        rng = np.random.default_rng(0)
        network = parse(text)
        outputs = Coefficients(network, dimension(network).dimension, rng)
        form = form_matrix(Coordinates(network), "unit", rng)
        system = CriticalPoints(outputs, form) if kind else Sections(outputs, rng)
        w, base = system.start(rng)
        w = w + 0.1
        value, _, _, _, frames = system.linearised(w, base)
        exact, error = enclosed(system, w, frames, base)
        np.testing.assert_allclose(exact, value, rtol=1e-9, atol=1e-9)
        assert error.max() < 1e-10


def test_only_true_and_different_solutions_are_certified() -> None:
    system, rng = sections("[2,2,1] r=4")
    found = monodromy(system, rng)
    three, base = found.weights, found.parameters
    assert certified(system, three, base) == 3
    assert certified(system, np.concatenate([three, three[:1]]), base) == 3  # twice the same point
    swapped = three[:, [2, 3, 0, 1, 5, 4]]  # the two hidden neurons exchanged: the same functions
    assert certified(system, np.concatenate([three, swapped]), base) == 3
    assert certified(system, three + 0.3, base) < 3
    anywhere = complex_normal(rng, 40, three.shape[1])
    assert certified(system, np.concatenate([three, anywhere]), base) == 3  # whatever Newton's method makes of them


def test_weights_far_from_any_solution_prove_nothing() -> None:
    """Newton's method from anywhere rarely lands where the equations contract."""
    system, rng = sections("[2,2,1] r=4")
    base = monodromy(system, rng).parameters
    anywhere = complex_normal(rng, 40, 6)
    assert sum(certified(system, w[None], base) for w in anywhere) < 20


def test_critical_points_are_certified_only_where_the_map_is_an_immersion() -> None:
    """At weights with a vanishing outer weight the equations hold although the function is no critical point."""
    network, rng = parse("[2,1,1] r=2"), np.random.default_rng(0)
    form = form_matrix(Coordinates(network), "unit", rng)
    system = CriticalPoints(Coefficients(network, 2, rng), form)
    found = monodromy(system, rng)
    assert found.count == 4
    assert certified(system, found.weights, found.parameters) == 4
    spurious = np.array([[0.0, 0.0, 1.0]], dtype=complex)
    assert not system.proper(spurious)[0]
    assert certified(system, spurious, found.parameters) == 0


@pytest.mark.parametrize(
    "text", ["[3,2,1] r=2", "[2,2,3] r=2", "[2,2,2,1] r=3", "[3,2,3] r=1", "[2,3,1] r=2 bias", "ccp(2,rank=2,degree=3)"]
)
def test_a_chart_has_as_many_weights_as_dimensions(text: str) -> None:
    one = chart(parse(text))
    assert one.proved
    assert len(one.free) == one.dimension == dimension(text).dimension
    assert len(one.free) + len(one.fixed) == parse(text).parameter_count


def test_charts_of_perceptrons_fix_one_incoming_weight_of_each_neuron() -> None:
    one = chart(parse("[3,3,3] r=2"))
    assert [(one.names[i], value) for i, value in one.fixed] == [("W1_1_1", 1), ("W1_2_1", 1), ("W1_3_1", 1)]


FIELD = PrimeField(P22)


@pytest.mark.parametrize("degrees", [(2,), (2, 3), (1, 4), (2, 2, 2), (3, 1, 2, 2)])
def test_generic_equations_have_as_many_solutions_as_bezout_says(
    degrees: tuple[int, ...], rng: np.random.Generator
) -> None:
    n = len(degrees)
    polynomials = [
        {alpha: int(rng.integers(1, P22)) for alpha in itertools.product(range(d + 1), repeat=n) if sum(alpha) <= d}
        for d in degrees
    ]
    assert quotient_dimension(polynomials, FIELD) == math.prod(degrees)


def test_multiplicities_count_and_contradictions_have_no_solution() -> None:
    assert quotient_dimension([{(3, 0): 1}, {(0, 2): 1, (1, 0): 5}], FIELD) == 6
    assert quotient_dimension([{(1, 1): 1, (0, 0): -1}, {(1, 0): 1}], FIELD) == 0
    assert quotient_dimension([{(1, 0): 1, (0, 0): 1}, {(1, 0): 1}], FIELD) == 0
    # s^2 = 1, s t = 2, t^2 = 4: two points, though three monomials lead no combination of degree two
    assert quotient_dimension([{(2, 0): 1, (0, 0): -1}, {(1, 1): 1, (0, 0): -2}, {(0, 2): 1, (0, 0): -4}], FIELD) == 2
    # the same with t^2 = 5 is inconsistent
    assert quotient_dimension([{(2, 0): 1, (0, 0): -1}, {(1, 1): 1, (0, 0): -2}, {(0, 2): 1, (0, 0): -5}], FIELD) == 0


def test_infinitely_many_solutions_end_at_the_budget() -> None:
    with pytest.raises(BudgetError, match="infinitely many"):
        quotient_dimension([{(1, 1): 1}], FIELD, most_monomials=100)


@pytest.mark.parametrize("polynomials", [[], [{}], [{(1,): P22}], [{(1,): 1}, {(1, 0): 1}]])
def test_polynomials_that_cannot_be_used(polynomials: list[dict[tuple[int, ...], int]]) -> None:
    with pytest.raises(PolygeomError, match="at least one, not zero, and all in the same variables"):
        quotient_dimension(polynomials, FIELD)


def test_matrices_are_singular_where_the_rank_drops() -> None:
    (stratum,) = singular_subnetworks("[3,2,3] r=1")
    assert (stratum.network, stratum.dimension, stratum.tangent_dimension) == ("[3,1,3] r=1", 5, 9)
    assert (stratum.singular, stratum.proved) == (True, False)


def test_a_whole_space_is_smooth() -> None:
    strata = singular_subnetworks("[2,3,1] r=2")
    assert [(s.network, s.dimension, s.singular, s.proved) for s in strata] == [
        ("[2,2,1] r=2", 3, False, True),
        ("[2,1,1] r=2", 2, False, True),
    ]


def test_subnetworks_need_a_perceptron() -> None:
    with pytest.raises(PolygeomError, match="monomial activations"):
        singular_subnetworks("ccp(2,rank=2,degree=3)")


def test_a_regular_solution_at_which_the_map_is_no_immersion_is_not_certified() -> None:
    """``w ↦ (w², w³)`` has a cusp at 0, which solves the equations of every target, regularly."""
    outputs = Outputs(from_text("s^2, s^3"), 1, np.zeros((1, 0)))
    system = CriticalPoints(outputs, np.eye(2))
    target = np.array([1.0 + 0.5j, 0.3 - 0.7j])
    found = monodromy(system, np.random.default_rng(0))
    assert found.count == 4  # 3 w^4 + 2 w^2 - 3 v w - 2 u = 0 for the target (u, v)
    assert certified(system, found.weights, found.parameters) == 4
    near_the_cusp = np.array([[1e-3 + 0j]])
    refined, _ = refine(system, near_the_cusp, target, 3)
    assert abs(refined[0, 0]) < 1e-20
    assert certified(system, near_the_cusp, target) == 0
