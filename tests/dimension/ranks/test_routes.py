"""One number by several routes: structured, sparse and generic points, symbolic Jacobians over ℚ, FLINT."""

from __future__ import annotations

import itertools

import flint
import numpy as np
import pytest

from polygeom.dimensions import dimension
from polygeom.dimensions.bounds.search import check, reductions, upper_bound
from polygeom.dimensions.compute import generic_trials, perceptron_trial, perceptron_trials, proved_bound
from polygeom.dimensions.ranks import blocks as _blocks
from polygeom.dimensions.ranks.tangent import random_weights
from polygeom.dimensions.ranks.witness import SPARSE, STRUCTURED, sparse_weights, structured_weights
from polygeom.engines.dual_numbers import dual_jacobian
from polygeom.engines.prime_field import Tape
from polygeom.engines.symbolic import jacobian_rank
from polygeom.modular import P22, PrimeField
from polygeom.network import Network, mlp, parse
from polygeom.testing.zoo import ZOO

FIELD = PrimeField(P22)


def flint_rank(network: Network, rng: np.random.Generator) -> int:
    """Rank of the plain Jacobian at generic weights and more than enough points, by int64 arithmetic and FLINT."""
    weights = {name: FIELD.decode(w) for name, w in random_weights(network, FIELD, rng).items()}
    count = min(network.parameter_count, -(-network.ambient_dimension // network.output_dimension)) + 3
    points = FIELD.decode(FIELD.random(rng, (count, *network.input_shape)))
    rows = dual_jacobian(network, P22, weights, points)
    return int(flint.nmod_mat(rows.shape[0], rows.shape[1], rows.ravel().tolist(), P22).rank())


def architectures(largest: int, depth: int) -> list[tuple[tuple[int, ...], int]]:
    widths = (w for d in range(1, depth + 1) for w in itertools.product(range(1, largest + 1), repeat=d + 1))
    return [(w, r) for w in widths for r in (2, 3)]


def compare_with_flint(cases: list[tuple[tuple[int, ...], int]], rng: np.random.Generator) -> None:
    unsettled = []
    for widths, r in cases:
        result = dimension(mlp(widths, r))
        assert result.dimension == flint_rank(mlp(widths, r), rng), (widths, r)
        if not result.proved:
            unsettled.append((widths, r))
    assert unsettled == []


@pytest.mark.thorough
def test_small_grid_is_proved_and_equals_flint(rng: np.random.Generator) -> None:
    compare_with_flint(architectures(4, 3), rng)


def test_samples_of_the_large_grid_equal_flint(rng: np.random.Generator, multiplier: int) -> None:
    cases = architectures(6, 3)
    compare_with_flint([cases[i] for i in rng.choice(len(cases), 60 * multiplier, replace=False)], rng)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_large_grid_is_proved_and_equals_flint(rng: np.random.Generator) -> None:
    compare_with_flint(architectures(6, 3), rng)


@pytest.mark.thorough
@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_large_grid_is_settled(every: int) -> None:
    """Widths ≤ 6, up to three layers, r = 2 and 3: 3096 architectures, all proved."""
    cases = architectures(6, 3)
    assert len(cases) == 3096
    assert [case for case in cases[::every] if not dimension(mlp(*case)).proved] == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_larger_grids_are_settled() -> None:
    """Widths ≤ 7 with r = 2, 3, 4, and widths ≤ 5 with four layers and r = 2, 3: all proved."""
    cases = [(w, r) for d in (1, 2, 3) for w in itertools.product(range(1, 8), repeat=d + 1) for r in (2, 3, 4)]
    cases += [(w, r) for w in itertools.product(range(1, 6), repeat=5) for r in (2, 3)]
    assert len(cases) == 8379 + 6250
    assert [case for case in cases if not dimension(mlp(*case)).proved] == []


@pytest.mark.parametrize(
    "widths", [(3, 3, 3), (2, 4, 3), (5, 3, 2), (4, 5, 3, 1), (2, 3, 3, 4), (3, 2, 4, 2, 1), (1, 2, 1)]
)
@pytest.mark.parametrize("r", [1, 2, 3])
def test_structured_sparse_and_generic_points_agree(widths: tuple[int, ...], r: int) -> None:
    network = mlp(widths, r)
    fast, plain = dimension(network), dimension(network, method="generic")
    assert (fast.dimension, fast.upper) == (plain.dimension, plain.upper)
    assert plain.method in ("generic tangent", "theorem")


@pytest.mark.parametrize("network", [n for n in ZOO if n.parameter_count and n.degree <= 8], ids=str)
def test_every_family_agrees_with_its_symbolic_jacobian(network: Network) -> None:
    result = dimension(network)
    assert result.dimension == jacobian_rank(network, rng=1)
    assert result.lower <= result.dimension <= result.upper


@pytest.mark.parametrize(
    "text",
    [
        "[4,4,4,4] r=2",
        pytest.param("[6,8,6,3] r=3", marks=pytest.mark.slow),
        "[9,5,5,9] r=2",
        "[5,7,2,6] r=2",
        "[3,6,6,6,2] r=2",
    ],
)
def test_a_sparse_point_never_exceeds_the_generic_one(text: str) -> None:
    network = parse(text)
    assert network.widths is not None
    assert network.activation_degrees is not None
    target = upper_bound(network.widths, network.activation_degrees).value
    arguments = (0, target)
    sparse = perceptron_trial(network.widths, network.activation_degrees, 0, SPARSE, *arguments)
    generic = perceptron_trial(network.widths, network.activation_degrees, 0, STRUCTURED, *arguments)
    assert sparse.rank.value <= generic.rank.value == dimension(network, method="generic").dimension


@pytest.mark.parametrize("widths", [(4, 4, 4, 2), (3, 5, 4, 4), (2, 6, 3, 3, 1), (5, 5, 5)])
@pytest.mark.parametrize("kind", ["sparse", "structured"])
def test_blocks_give_the_rank_of_the_plain_jacobian(
    widths: tuple[int, ...], kind: str, rng: np.random.Generator
) -> None:
    """At the same weights, whatever they are, the blocks and the plain Jacobian have one rank."""
    degrees = (2,) * (len(widths) - 2)
    weights = (sparse_weights if kind == "sparse" else structured_weights)(widths, FIELD, rng)
    partition = _blocks.sparse_partition(weights) if kind == "sparse" else _blocks.structured_partition(widths)
    target = upper_bound(widths, degrees).value
    blocks = _blocks.block_rank(widths, degrees, weights, partition, FIELD, rng, target, extra=40)
    named = {f"W{i}": FIELD.decode(w) for i, w in enumerate(weights, start=1)}
    points = FIELD.decode(FIELD.random(rng, (target, widths[0])))
    rows = dual_jacobian(mlp(widths, degrees), P22, named, points)
    assert blocks.value == flint.nmod_mat(rows.shape[0], rows.shape[1], rows.ravel().tolist(), P22).rank()
    assert blocks.stable


def test_partition_of_structured_weights_is_found_from_the_weights_too(rng: np.random.Generator) -> None:
    widths, degrees = (4, 5, 4, 2), (2, 2)
    weights = structured_weights(widths, FIELD, rng)
    target = upper_bound(widths, degrees).value
    ranks = {
        _blocks.block_rank(widths, degrees, weights, partition, FIELD, rng, target).value
        for partition in (_blocks.structured_partition(widths), _blocks.sparse_partition(weights))
    }
    assert ranks == {target}


@pytest.mark.thorough
def test_every_rule_bounds_every_small_dimension() -> None:
    """Not only the smallest bound: whatever any rule says of an architecture is at least its dimension."""
    true = {(w, r): dimension(mlp(w, r)).dimension for w, r in architectures(4, 3)}
    for (widths, r), value in true.items():
        degrees = (r,) * (len(widths) - 2)
        assert check(upper_bound(widths, degrees))
        for rule, layer, constant, parts in reductions(widths, degrees):
            bound = constant + sum(upper_bound(*part).value for part in parts)
            assert bound >= value, (widths, r, rule, layer)


@pytest.mark.parametrize("network", [n for n in ZOO if n.parameter_count], ids=str)
def test_forward_and_reverse_mode_are_transposed(network: Network, rng: np.random.Generator) -> None:
    """cotangent · (J direction) = (Jᵀ cotangent) · direction, mod p, at every point."""
    tape = Tape(FIELD)
    leaves = {name: tape.leaf(w) for name, w in random_weights(network, FIELD, rng).items()}
    output = network.evaluate(tape, leaves, tape.leaf(FIELD.random(rng, (4, *network.input_shape))))
    directions = {name: FIELD.random(rng, shape) for name, shape in network.parameters.items()}
    cotangent = FIELD.random(rng, output.value.shape)
    forward = tape.tangent(output, {name: (leaves[name], v) for name, v in directions.items()})
    gradients = tape.gradients(output, cotangent, leaves)

    def inner(a: np.ndarray, b: np.ndarray) -> list[int]:
        pairs = zip(a.reshape(4, -1).astype(int), np.broadcast_to(b, a.shape).reshape(4, -1).astype(int), strict=True)
        return [sum(int(x) * int(y) for x, y in zip(*pair, strict=True)) for pair in pairs]

    left = inner(cotangent, forward)
    right = [sum(column) for column in zip(*(inner(gradients[n], v) for n, v in directions.items()), strict=True)]
    assert all((x - y) % P22 == 0 for x, y in zip(left, right, strict=True))


@pytest.mark.parametrize(
    ("text", "points"),
    [("[3,3,3] r=2", 5), ("[4,4,3,2] r=2", 14), ("[10,10,10,10] r=2", 28), ("[4,10,10,1] r=2", 35), ("[2,3,3] r=2", 3)],
)
@pytest.mark.parametrize("method", ["auto", "generic"])
def test_points_are_as_few_as_suffice_and_no_fewer(text: str, points: int, method: str) -> None:
    """⌈dim / d_L⌉ points at first, or what one output's own weights need; no second attempt with more."""
    network = parse(text)
    attempts = perceptron_trials if method == "auto" else generic_trials
    trial = next(attempts(network, proved_bound(network).value, 0, None))
    assert trial.rank.points == dimension(network, method=method).points == points
    assert trial.rank.stages <= network.output_dimension + 1


def test_points_are_added_until_the_rank_is_stable() -> None:
    """Outputs that need points of unequal number: the share of each is too small at first."""
    network = parse("x=input(6); a=dense(x,2,pattern=[[0,-1,-1,-1,-1,-1],[1,2,3,4,5,6]]); power(a,2)")
    trial = next(generic_trials(network, proved_bound(network).value, 0, None))
    assert (trial.rank.value, trial.rank.stable) == (proved_bound(network).value, True)
    assert trial.rank.stages > 1


@pytest.mark.parametrize("count", range(1, 13))
def test_further_points_judge_stability_and_are_never_pivots(
    count: int, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    """(4,4,4,4) has rank 40, seven private columns for each output and twelve shared: ten points are needed."""
    widths, degrees = (4, 4, 4, 4), (2, 2)
    monkeypatch.setattr(_blocks, "_points_needed", lambda *_: count)
    weights = structured_weights(widths, FIELD, rng)
    partition = _blocks.structured_partition(widths)
    rank = _blocks.block_rank(widths, degrees, weights, partition, FIELD, rng, 40)
    assert (rank.value, rank.stable) == (min(4 * count, 40), count >= 10)
